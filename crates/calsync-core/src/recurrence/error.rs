//! What can be wrong with the lines of a recurrence, in words for a person. Never echoes more than a little of a line.

/// Longest part of a line that an error repeats, in characters.
const EXCERPT_MAX: usize = 60;

/// Why a series cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RecurrenceError {
    /// A line does not parse, or asks for what we refuse.
    #[error("recurrence line {number} ({excerpt}): {problem}")]
    Line {
        /// Which line, from 1.
        number: usize,
        /// Its beginning.
        excerpt: String,
        /// What is wrong with it.
        problem: LineProblem,
    },
    /// More lines than any real series has.
    #[error("more than {max} recurrence lines")]
    TooManyLines {
        /// The bound.
        max: usize,
    },
    /// More rules than any real series has.
    #[error("recurrence line {number}: more than {max} rules in one series")]
    TooManyRules {
        /// The first line too many, from 1.
        number: usize,
        /// The bound.
        max: usize,
    },
    /// The walk of a rule would take too long.
    #[error("recurrence line {number}: the rule needs more than {max} steps to cross the window")]
    TooManySteps {
        /// Which line, from 1.
        number: usize,
        /// The bound.
        max: u32,
    },
    /// The window holds too many occurrences.
    #[error("recurrence line {number}: more than {max} occurrences in the window")]
    TooManyOccurrences {
        /// Which line, from 1; 0 for the first start itself.
        number: usize,
        /// The bound.
        max: u32,
    },
    /// The first start lies outside the years that calendars can write.
    #[error("the series starts outside the years 1 to 9999")]
    StartOutOfRange,
}

impl RecurrenceError {
    /// An error about one line, with its beginning made safe to print.
    pub(super) fn line(number: usize, text: &str, problem: LineProblem) -> RecurrenceError {
        let mut excerpt: String =
            text.chars().take(EXCERPT_MAX).map(|c| if c.is_control() { '?' } else { c }).collect();
        if text.chars().nth(EXCERPT_MAX).is_some() {
            excerpt.push('…');
        }
        RecurrenceError::Line { number, excerpt, problem }
    }
}

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LineProblem {
    /// Not a name, a colon and a value; or another name.
    #[error("not a line of RRULE, EXRULE, RDATE or EXDATE")]
    NotRecurrence,
    /// Longer than we read.
    #[error("longer than {max} bytes")]
    TooLong {
        /// The bound.
        max: usize,
    },
    /// A list with more items than it can mean.
    #[error("a list of more than {max} items")]
    ListTooLong {
        /// The bound.
        max: usize,
    },
    /// SECONDLY or MINUTELY: nobody's calendar, but a way to keep a server busy (caldav-ics.md part B).
    #[error("FREQ={0} is refused: too frequent for a calendar")]
    TooFrequent(&'static str),
    /// RFC 7529 scales other than the Gregorian would need another calendar's arithmetic.
    #[error("RSCALE other than GREGORIAN is not supported")]
    Scale,
    /// A number that must be made of digits.
    #[error("{0} is not a whole number")]
    NotANumber(&'static str),
    /// A part of the rule that the library does not read.
    #[error("{0}")]
    Rule(String),
    /// A date or date-time that is none.
    #[error("not a date or date-time such as 20261102 or 20261102T090000Z")]
    Date,
    /// A period without an end.
    #[error("not a period such as 20261102T090000Z/PT1H")]
    Period,
}
