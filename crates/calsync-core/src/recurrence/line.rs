//! The lines of a recurrence and the dates written in them (RFC 5545 §3.1, §3.3.4, §3.3.5, §3.3.9, §3.8.5). Parses
//! text, bounded; never asks what it means in a zone.

use jiff::civil::{Date, DateTime, Time};

use super::rule::Rule;
use super::{LineProblem, Recurrence, RecurrenceError};

/// Most lines of one series. Some clients write each EXDATE on a line of its own, so years of exceptions must fit.
const LINES_MAX: usize = 2_000;
/// Most RRULE and EXRULE lines of one series; RFC 5545 §3.8.5.3 wants at most one.
const RULES_MAX: usize = 8;
/// Longest RDATE or EXDATE line, in bytes.
const LINE_MAX: usize = 64 * 1024;
/// Most dates on one line.
const DATES_MAX: usize = 4_000;

/// One line, read.
#[derive(Debug)]
pub(super) enum Line {
    /// RRULE
    Rule(Rule),
    /// EXRULE, obsolete since RFC 5545 (A.1) but still written.
    ExRule(Rule),
    /// RDATE
    Dates(DateList),
    /// EXDATE
    ExDates(DateList),
}

/// The value of an RDATE or EXDATE line.
#[derive(Debug)]
pub(super) struct DateList {
    /// The zone of the dates without `Z`, by name.
    pub(super) tzid: Option<String>,
    /// The dates; of periods only the start.
    pub(super) dates: Vec<Written>,
}

/// A date as somebody wrote it. The form decides, not the VALUE parameter, which is often forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// `20261102`
    Day(Date),
    /// `20261102T090000`: on the clock of the line's zone or of the series.
    Local(DateTime),
    /// `20261102T090000Z`
    Utc(DateTime),
}

impl Written {
    /// The date part, as written.
    pub(super) fn day(&self) -> Date {
        match self {
            Written::Day(day) => *day,
            Written::Local(at) | Written::Utc(at) => at.date(),
        }
    }
}

/// Reads every line. The number counts from 1.
pub(super) fn parse_all(rule: &Recurrence) -> Result<Vec<(usize, Line)>, RecurrenceError> {
    if rule.lines.len() > LINES_MAX {
        return Err(RecurrenceError::TooManyLines { max: LINES_MAX });
    }
    let mut rules = 0;
    let mut lines = Vec::with_capacity(rule.lines.len());
    for (number, text) in (1..).zip(&rule.lines) {
        let line = parse(text).map_err(|problem| RecurrenceError::line(number, text, problem))?;
        rules += usize::from(matches!(line, Line::Rule(_) | Line::ExRule(_)));
        if rules > RULES_MAX {
            return Err(RecurrenceError::TooManyRules { number, max: RULES_MAX });
        }
        lines.push((number, line));
    }
    Ok(lines)
}

fn parse(text: &str) -> Result<Line, LineProblem> {
    if text.len() > LINE_MAX {
        return Err(LineProblem::TooLong { max: LINE_MAX });
    }
    let (head, value) = split_outside_quotes(text.trim(), ':').ok_or(LineProblem::NotRecurrence)?;
    let (name, params) = split_outside_quotes(head, ';').unwrap_or((head, ""));
    match name.trim().to_ascii_uppercase().as_str() {
        "RRULE" => Rule::parse(value).map(Line::Rule),
        "EXRULE" => Rule::parse(value).map(Line::ExRule),
        "RDATE" => date_list(params, value).map(Line::Dates),
        "EXDATE" => date_list(params, value).map(Line::ExDates),
        _ => Err(LineProblem::NotRecurrence),
    }
}

/// Splits at the first `at` that does not stand inside a quoted parameter value (RFC 5545 §3.1).
fn split_outside_quotes(text: &str, at: char) -> Option<(&str, &str)> {
    let mut quoted = false;
    let cut = text.find(|c| {
        quoted ^= c == '"';
        c == at && !quoted
    })?;
    Some((&text[..cut], &text[cut + at.len_utf8()..]))
}

fn date_list(params: &str, value: &str) -> Result<DateList, LineProblem> {
    let mut rest = params;
    let mut tzid = None;
    while !rest.is_empty() {
        let (param, next) = split_outside_quotes(rest, ';').unwrap_or((rest, ""));
        if let Some((name, zone)) = param.split_once('=')
            && name.trim().eq_ignore_ascii_case("TZID")
        {
            tzid = Some(zone.trim().trim_matches('"').to_owned());
        }
        rest = next;
    }
    let mut dates = Vec::new();
    // An empty list excludes nothing; some clients leave one behind.
    for item in value.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        if dates.len() == DATES_MAX {
            return Err(LineProblem::ListTooLong { max: DATES_MAX });
        }
        dates.push(period_start(item)?);
    }
    Ok(DateList { tzid, dates })
}

/// A date, or the start of a period (RFC 5545 §3.3.9), whose end only has to look like one.
fn period_start(item: &str) -> Result<Written, LineProblem> {
    let Some((start, end)) = item.split_once('/') else { return written(item) };
    let duration = end.trim_start_matches('+').starts_with(['P', 'p']) && end.len() <= 32;
    if !duration && written(end).is_err() {
        return Err(LineProblem::Period);
    }
    written(start)
}

/// A date or date-time in the basic form of RFC 5545 §3.3.4 and §3.3.5.
pub(super) fn written(text: &str) -> Result<Written, LineProblem> {
    read(text.as_bytes()).ok_or(LineProblem::Date)
}

fn read(text: &[u8]) -> Option<Written> {
    let (text, utc) = match text.split_last() {
        Some((b'Z' | b'z', rest)) => (rest, true),
        _ => (text, false),
    };
    let date = |t: &[u8]| Date::new(number(&t[0..4])?, two(&t[4..6])?, two(&t[6..8])?).ok();
    match text.len() {
        8 if !utc => date(text).map(Written::Day),
        15 if matches!(text[8], b'T' | b't') => {
            // A leap second (60) is read as the last second that clocks show, as jiff does.
            let time =
                Time::new(two(&text[9..11])?, two(&text[11..13])?, two(&text[13..15])?.min(59), 0).ok()?;
            let at = date(text)?.to_datetime(time);
            (two(&text[13..15])? <= 60).then_some(if utc { Written::Utc(at) } else { Written::Local(at) })
        }
        _ => None,
    }
}

/// A number of ASCII digits only; signs and blanks are not digits.
fn number(digits: &[u8]) -> Option<i16> {
    digits.iter().try_fold(0_i16, |n, d| d.is_ascii_digit().then(|| n * 10 + i16::from(d - b'0')))
}

fn two(digits: &[u8]) -> Option<i8> {
    number(digits).and_then(|n| i8::try_from(n).ok())
}
