//! The walk of one rule in naive local time, bounded, and begun near the window instead of at the first start. Never
//! sees a zone.
//!
//! The library's expander, left alone, has three habits that a server cannot have: it starts at DTSTART however long
//! ago that was, it may pass over a million empty periods inside one call, and it fills a whole period into memory.
//! So it only ever gets a stretch whose price was reckoned before, and its own `until` as the end of that stretch.
//!
//! Beginning later is sound because a period's starts depend on DTSTART only through what the BY parts leave open and
//! through the phase of INTERVAL (RFC 5545 §3.3.10). `explicit` writes the former into the BY parts, and the stretch
//! begins a whole number of intervals after the period of DTSTART. COUNT needs the starts before, so it never jumps.

use ical::recur::expand::IcalRecurExpand;
use ical::recur::{IcalRecurDateTime, IcalRecurFreq, IcalRecurRule, IcalRecurWeekday, IcalRecurWeekdayNum};
use jiff::civil::{DateTime, Weekday};

use super::RecurrenceError;
use super::rule::Rule;

const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;
/// The first naive second that no calendar can write: the year 10000.
const END_OF_TIME: i64 = 253_402_300_800;
/// A year's starts by BYWEEKNO may lie up to three days outside it (RFC 5545 §3.3.10: week 1 has four days in it).
const WEEK_OVERHANG: i64 = 4 * DAY;
/// List items that one step compares for free.
const ITEMS_PER_STEP: usize = 32;

/// How a walk gets near its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Approach {
    /// By arithmetic, where COUNT allows it.
    Jump,
    /// From the first start, one period after the other: what a jump is measured against.
    #[cfg(test)]
    Plain,
}

/// The naive stretch of interest, both ends inclusive.
pub(super) struct Reach {
    pub(super) from: DateTime,
    pub(super) to: DateTime,
}

/// Calls `each` with every start of the rule from `first` on that lies in reach, in order. Says whether it got to the
/// end; `false` means that it would have taken more than `steps`.
pub(super) fn walk(
    approach: Approach,
    rule: &Rule,
    first: DateTime,
    reach: &Reach,
    steps: u32,
    mut each: impl FnMut(DateTime) -> Result<(), RecurrenceError>,
) -> Result<bool, RecurrenceError> {
    if rule.barren || reach.to < first {
        return Ok(true);
    }
    let mut parts = explicit(&rule.parts, first);
    let lattice = Lattice::of(&parts, first);
    let begin = match approach {
        // One period earlier, for starts that reach out of their own period (BYWEEKNO, SKIP=FORWARD).
        Approach::Jump if rule.count.is_none() => lattice.periods_before(reach.from).saturating_sub(1),
        _ => 0,
    };
    let affordable = i64::from(steps) / price(&parts);
    if affordable == 0 {
        return Ok(false);
    }
    let paid = lattice.start(begin.saturating_add(affordable));
    let overhang = if parts.by_week_no.is_empty() { 0 } else { WEEK_OVERHANG };
    let wanted = seconds(reach.to) + overhang;
    // Both are inclusive for the library, which looks at every period that begins up to here.
    parts.until = Some(IcalRecurDateTime::from_seconds(wanted.min(paid - 1)));

    let mut left = rule.count.unwrap_or(u32::MAX);
    let mut last = None;
    for found in IcalRecurExpand::new(parts, IcalRecurDateTime::from_seconds(lattice.start(begin))) {
        let Some(local) = local(found, first.subsec_nanosecond()) else { break };
        // A start pushed out of its period (SKIP=FORWARD) may meet one of the next.
        if local < first || last.is_some_and(|last| local <= last) {
            continue;
        }
        last = Some(local);
        if reach.from <= local && local <= reach.to {
            each(local)?;
        }
        left -= u32::from(rule.count.is_some());
        if left == 0 || local > reach.to {
            return Ok(true);
        }
    }
    Ok(paid > wanted || paid >= END_OF_TIME)
}

/// The rule with everything written down that it would otherwise take from DTSTART.
fn explicit(parts: &IcalRecurRule, first: DateTime) -> IcalRecurRule {
    use IcalRecurFreq::{Hourly, Monthly, Weekly, Yearly};
    let mut parts = parts.clone();
    let freq = parts.freq;
    let [hour, minute, second] = [first.hour(), first.minute(), first.second()].map(i8::unsigned_abs);
    if parts.by_hour.is_empty() && freq != Hourly {
        parts.by_hour.push(hour);
    }
    if parts.by_minute.is_empty() {
        parts.by_minute.push(minute);
    }
    if parts.by_second.is_empty() {
        parts.by_second.push(second);
    }
    // Parts that the frequency forbids are ignored (RFC 5545 §3.3.10, the MUST NOTs), so they choose no day either.
    if freq != Yearly {
        parts.by_week_no.clear();
    }
    if !matches!(freq, Yearly | Hourly) {
        parts.by_year_day.clear();
    }
    if freq == Weekly {
        parts.by_month_day.clear();
    }
    let weekday = IcalRecurWeekdayNum { ordinal: None, weekday: weekday(first.weekday()) };
    let chosen = !parts.by_day.is_empty() || !parts.by_month_day.is_empty() || !parts.by_year_day.is_empty();
    match freq {
        _ if chosen => {}
        Weekly => parts.by_day.push(weekday),
        Yearly if !parts.by_week_no.is_empty() => parts.by_day.push(weekday),
        Monthly => parts.by_month_day.push(first.day()),
        Yearly => {
            parts.by_month_day.push(first.day());
            if parts.by_month.is_empty() {
                parts.by_month.push(first.month().unsigned_abs());
            }
        }
        _ => {}
    }
    for times in [&mut parts.by_hour, &mut parts.by_minute, &mut parts.by_second] {
        times.sort_unstable();
        times.dedup();
    }
    parts
}

/// What one period costs at most, in steps: its days, the times of each of them, and long lists to compare with.
fn price(parts: &IcalRecurRule) -> i64 {
    let days = match parts.freq {
        IcalRecurFreq::Yearly => 380,
        IcalRecurFreq::Monthly => 31,
        IcalRecurFreq::Weekly => 7,
        _ => 1,
    };
    let hours = if parts.freq == IcalRecurFreq::Hourly { 1 } else { parts.by_hour.len() };
    let times = hours * parts.by_minute.len() * parts.by_second.len();
    let items = parts.by_day.len()
        + parts.by_month_day.len()
        + parts.by_year_day.len()
        + parts.by_week_no.len()
        + parts.by_month.len()
        + parts.by_set_pos.len();
    let price = days * times.max(1) * (1 + items / ITEMS_PER_STEP);
    i64::try_from(price).unwrap_or(i64::MAX)
}

/// The beginnings of the periods that INTERVAL lets through, the first being that of DTSTART.
enum Lattice {
    /// Hours, days and weeks: the first second and the distance in seconds.
    Seconds { base: i64, step: i64 },
    /// Months and years: the first month, counted from the year 0, and the distance in months.
    Months { base: i64, step: i64 },
}

impl Lattice {
    fn of(parts: &IcalRecurRule, first: DateTime) -> Lattice {
        let interval = i64::from(parts.interval);
        let at = seconds(first);
        let day = at - at.rem_euclid(DAY);
        let january = i64::from(first.year()) * 12;
        match parts.freq {
            IcalRecurFreq::Yearly => Lattice::Months { base: january, step: interval * 12 },
            IcalRecurFreq::Monthly => {
                Lattice::Months { base: january + i64::from(first.month()) - 1, step: interval }
            }
            IcalRecurFreq::Weekly => {
                let back = (weekday(first.weekday()) as i64 - parts.week_start as i64).rem_euclid(7);
                Lattice::Seconds { base: day - back * DAY, step: interval * 7 * DAY }
            }
            IcalRecurFreq::Hourly => {
                Lattice::Seconds { base: at - at.rem_euclid(HOUR), step: interval * HOUR }
            }
            _ => Lattice::Seconds { base: day, step: interval * DAY },
        }
    }

    /// How many whole periods lie before the one in which, or before which, this time falls.
    fn periods_before(&self, at: DateTime) -> i64 {
        let (from, base, step) = match *self {
            Lattice::Seconds { base, step } => (seconds(at), base, step),
            Lattice::Months { base, step } => {
                (i64::from(at.year()) * 12 + i64::from(at.month()) - 1, base, step)
            }
        };
        (from - base).div_euclid(step).max(0)
    }

    /// The naive second at which the period of this number begins, at most the end of time.
    fn start(&self, number: i64) -> i64 {
        match *self {
            Lattice::Seconds { base, step } => {
                step.saturating_mul(number).saturating_add(base).min(END_OF_TIME)
            }
            Lattice::Months { base, step } => {
                let month = step.saturating_mul(number).saturating_add(base).min(10_000 * 12);
                // Both fit: the month lies between the years 1 and 10000.
                let year = i32::try_from(month.div_euclid(12)).unwrap_or(10_000);
                let month = u8::try_from(month.rem_euclid(12)).unwrap_or(0) + 1;
                IcalRecurDateTime::date(year, month, 1).seconds()
            }
        }
    }
}

/// Naive seconds, 1970-01-01T00:00:00 being zero.
fn seconds(at: DateTime) -> i64 {
    let [month, day, hour, minute, second] =
        [at.month(), at.day(), at.hour(), at.minute(), at.second()].map(i8::unsigned_abs);
    IcalRecurDateTime { year: i32::from(at.year()), month, day, hour, minute, second }.seconds()
}

/// A start of the library's; `None` past the years that can be written. Its leap second (BYSECOND=60) is the last
/// second that clocks show.
fn local(at: IcalRecurDateTime, nanos: i32) -> Option<DateTime> {
    let [month, day, hour, minute, second] =
        [at.month, at.day, at.hour, at.minute, at.second.min(59)].map(|n| i8::try_from(n).ok());
    DateTime::new(i16::try_from(at.year).ok()?, month?, day?, hour?, minute?, second?, nanos).ok()
}

fn weekday(day: Weekday) -> IcalRecurWeekday {
    match day {
        Weekday::Sunday => IcalRecurWeekday::Sunday,
        Weekday::Monday => IcalRecurWeekday::Monday,
        Weekday::Tuesday => IcalRecurWeekday::Tuesday,
        Weekday::Wednesday => IcalRecurWeekday::Wednesday,
        Weekday::Thursday => IcalRecurWeekday::Thursday,
        Weekday::Friday => IcalRecurWeekday::Friday,
        Weekday::Saturday => IcalRecurWeekday::Saturday,
    }
}
