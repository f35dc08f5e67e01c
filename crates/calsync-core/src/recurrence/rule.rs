//! One RRULE or EXRULE (RFC 5545 §3.3.10), read with bounds. The library reads the BY parts; INTERVAL, COUNT and UNTIL
//! are read here, because real calendars spell them in ways that it refuses or loses. Never walks.

use ical::recur::{IcalRecurFreq, IcalRecurRule, IcalRecurSkip};

use super::LineProblem;
use super::line::{Written, written};

/// Longest rule, in bytes. Every day of a year by number, positive and negative, takes less.
const RULE_MAX: usize = 4 * 1024;
/// Most items of one BY list: the days of a year, and some.
const LIST_MAX: usize = 400;

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    /// The frequency, the interval and the BY parts; its `until` and `count` are always empty.
    pub(super) parts: IcalRecurRule,
    /// The last start, inclusive, as written.
    pub(super) until: Option<Written>,
    /// How many starts the rule yields.
    pub(super) count: Option<u32>,
    /// INTERVAL=0 or COUNT=0: a rule that yields nothing, so that the first start stands alone (caldav-ics.md part E).
    pub(super) barren: bool,
}

impl Rule {
    /// Reads the value of an RRULE or EXRULE line.
    pub(super) fn parse(value: &str) -> Result<Rule, LineProblem> {
        if value.len() > RULE_MAX {
            return Err(LineProblem::TooLong { max: RULE_MAX });
        }
        let (mut interval, mut count, mut until) = (1, None, None);
        let mut rest = Vec::new();
        for part in value.split(';') {
            let (name, list) = part.split_once('=').unwrap_or((part, ""));
            match name.trim().to_ascii_uppercase().as_str() {
                "INTERVAL" => interval = whole("INTERVAL", list)?,
                "COUNT" => count = Some(whole("COUNT", list)?),
                "UNTIL" => until = Some(written(list.trim())?),
                _ if list.split(',').count() > LIST_MAX => {
                    return Err(LineProblem::ListTooLong { max: LIST_MAX });
                }
                _ => rest.push(part),
            }
        }
        let mut parts = IcalRecurRule::parse(&rest.join(";"))
            .map_err(|problem| LineProblem::Rule(problem.to_string()))?;
        match parts.freq {
            IcalRecurFreq::Secondly => return Err(LineProblem::TooFrequent("SECONDLY")),
            IcalRecurFreq::Minutely => return Err(LineProblem::TooFrequent("MINUTELY")),
            _ => {}
        }
        match parts.scale.as_deref() {
            Some("GREGORIAN") => {}
            Some(_) => return Err(LineProblem::Scale),
            // RFC 7529 §4: SKIP has a meaning only beside RSCALE.
            None => parts.skip = IcalRecurSkip::Omit,
        }
        parts.interval = interval.max(1);
        Ok(Rule { parts, until, count, barren: interval == 0 || count == Some(0) })
    }
}

/// A number of digits. One too large for us is as good as the largest: either reaches past the year 9999.
fn whole(name: &'static str, text: &str) -> Result<u32, LineProblem> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(LineProblem::NotANumber(name));
    }
    Ok(text.parse().unwrap_or(u32::MAX))
}
