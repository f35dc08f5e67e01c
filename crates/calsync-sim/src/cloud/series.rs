//! Series: which occurrences a rule makes, what became of each, and how a series is cut in two. The rule itself is
//! read by `calsync_core::recurrence`; nothing here walks one.

use std::collections::BTreeMap;
use std::sync::Arc;

use calsync_core::recurrence::{self, Recurrence, SeriesStart};
use calsync_core::time::{Ts, Window};
use calsync_core::zone;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};

use super::calendar::Calendar;
use super::content::{Content, When};
use super::event::{Event, Kind, Slot, parse_slot, slot_instant};
use super::names::{CalendarId, EventId};
use super::{Cloud, CloudError};

/// How much time one expansion looks at in one go.
const STRETCH: SignedDuration = SignedDuration::from_hours(24 * 400);

/// How many such stretches, so that a rule that yields nothing ends: more than a century.
const STRETCHES: usize = 100;

impl Cloud {
    /// The occurrences of a live series that touch the window, exceptions in place of what the rule makes, cancelled
    /// ones included and marked, by start. At most `most` and the cloud's own bound.
    ///
    /// # Errors
    /// `NoSuchCalendar`; `NoSuchEvent` if there is no such series.
    pub fn occurrences(
        &self,
        calendar: &CalendarId,
        series: &EventId,
        window: &Window,
        most: usize,
    ) -> Result<Vec<Arc<Event>>, CloudError> {
        let cal = self.calendar(calendar).ok_or(CloudError::NoSuchCalendar)?;
        self.occurrences_in(calendar, series, (window, &cal.zone), most)
    }

    /// The same, with the days of all-day events beginning as in `zone`: not everybody takes the calendar's own
    /// (microsoft.md §4.3, all-day semantics).
    ///
    /// # Errors
    /// As [`Cloud::occurrences`].
    pub fn occurrences_in(
        &self,
        calendar: &CalendarId,
        series: &EventId,
        (window, zone): (&Window, &TimeZone),
        most: usize,
    ) -> Result<Vec<Arc<Event>>, CloudError> {
        let cal = self.calendar(calendar).ok_or(CloudError::NoSuchCalendar)?;
        let master = cal.stored(series).filter(|e| e.kind == Kind::Series).ok_or(CloudError::NoSuchEvent)?;
        Ok(occurrences(cal, master, (window, zone), most.min(self.limits.occurrences)))
    }
}

impl Calendar {
    /// Whether any occurrence that the rule of this master makes touches the window.
    pub fn series_touches(&self, master: &Event, window: &Window) -> bool {
        *window == Window::ALL
            || !slots(master, &widened(master, window, &self.zone), &self.zone, 1).is_empty()
    }
}

/// As [`Cloud::occurrences_in`].
fn occurrences(
    cal: &Calendar,
    master: &Event,
    (window, zone): (&Window, &TimeZone),
    most: usize,
) -> Vec<Arc<Event>> {
    let mut exceptions: BTreeMap<Slot, &Arc<Event>> = BTreeMap::new();
    for exception in cal.exceptions(&master.id) {
        exceptions.extend(exception.slot().map(|slot| (slot, exception)));
    }
    let mut found: Vec<Arc<Event>> = Vec::new();
    for slot in slots(master, &widened(master, window, zone), zone, most) {
        if !exceptions.contains_key(&slot) {
            let made = master.occurrence(slot);
            if made.touches(window, zone) {
                found.push(Arc::new(made));
            }
        }
    }
    // An exception counts where it stands now, not where the rule had it (google.md §7, window traps).
    found.extend(exceptions.into_values().filter(|e| e.touches(window, zone)).cloned());
    found.sort_by(|a, b| (a.instants(zone).0, &a.id).cmp(&(b.instants(zone).0, &b.id)));
    found.truncate(most);
    found
}

/// The event as somebody who knows its id finds it: stored, or made by the rule of its series. An occurrence of a
/// deleted series is there and cancelled.
pub(super) fn resolve(cal: &Calendar, id: &EventId) -> Option<Arc<Event>> {
    if let Some(stored) = cal.stored(id) {
        return Some(Arc::clone(stored));
    }
    let (series, suffix) = id.as_str().rsplit_once('_')?;
    let slot = parse_slot(suffix)?;
    let master = cal.events.get(series).filter(|e| e.kind == Kind::Series)?;
    generates(master, slot, &cal.zone).then(|| Arc::new(master.occurrence(slot)))
}

/// Whether the rule of this master makes an occurrence at `slot`.
pub(super) fn generates(master: &Event, slot: Slot, calendar_zone: &TimeZone) -> bool {
    if matches!(slot, Slot::On(_)) != master.content.start.is_day() {
        return false;
    }
    let from = slot_instant(slot, calendar_zone);
    let window = Window { from, to: from.plus(SignedDuration::from_secs(1)) };
    slots(master, &window, calendar_zone, usize::MAX).contains(&slot)
}

/// Whether two contents of a master repeat at different times.
pub(super) fn pattern_differs(a: &Content, b: &Content) -> bool {
    a.start != b.start || a.recurrence != b.recurrence
}

/// Refuses a rule that cannot be read, or that nothing can be made of.
pub(super) fn check_rule(content: &Content) -> Result<(), CloudError> {
    if content.recurrence.is_empty() {
        return Ok(());
    }
    let rule = Recurrence { lines: content.recurrence.clone() };
    recurrence::validate(&rule).map_err(|_| CloudError::Invalid("Invalid recurrence rule."))
}

/// The window in which an occurrence must start to touch `window`.
fn widened(master: &Event, window: &Window, calendar_zone: &TimeZone) -> Window {
    Window { from: window.from.minus(master.length(calendar_zone)), to: window.to }
}

/// The first `most` slots of the series that start in the window. A rule that fails to expand yields none: it was
/// checked when it was written, so it can only be one that goes beyond all bounds.
fn slots(master: &Event, window: &Window, calendar_zone: &TimeZone, most: usize) -> Vec<Slot> {
    let start = match &master.content.start {
        When::Day(date) => SeriesStart::AllDay(*date),
        When::At { at, zone } => {
            let zone = zone::find_or_utc(zone);
            SeriesStart::Timed { local: at.to_jiff().to_zoned(zone.clone()).datetime(), zone }
        }
    };
    let rule = Recurrence { lines: master.content.recurrence.clone() };
    // RDATE may lie before the start; more than a year before is nobody's calendar.
    let first = master.content.start.instant(calendar_zone).minus(STRETCH).max(window.from);
    let mut found = Vec::new();
    let mut from = first;
    for _ in 0..STRETCHES {
        if from >= window.to || found.len() >= most {
            break;
        }
        let to = from.plus(STRETCH).min(window.to);
        let stretch = Window { from, to };
        match recurrence::expand(&start, &rule, &stretch, calendar_zone, &recurrence::Limits::default()) {
            Ok(more) => found.extend(more),
            Err(error) => {
                tracing::warn!(event = %master.id, %error, "a series could not be expanded");
                break;
            }
        }
        from = to;
    }
    // A day that touches two stretches comes twice.
    found.sort_unstable();
    found.dedup();
    found.truncate(most);
    found
}

/// The rules of the two series that one is cut into.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// Of the occurrences before the cut; empty if there are none.
    pub(super) earlier: Vec<String>,
    /// Of those from the cut on.
    pub(super) following: Vec<String>,
}

/// Cuts the rule of a series at `slot`, which must be one of its own: the earlier part gets UNTIL, the later one the
/// rest of COUNT (google.md §7).
pub(super) fn split(master: &Event, slot: Slot, calendar_zone: &TimeZone) -> Result<Split, CloudError> {
    let at = slot_instant(slot, calendar_zone);
    let before = Window { from: Ts::MIN, to: at };
    let mut earlier_slots = slots(master, &before, calendar_zone, usize::MAX);
    earlier_slots.retain(|s| *s < slot);
    let until = match slot {
        Slot::At(at) => {
            at.minus(SignedDuration::from_secs(1)).to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string()
        }
        Slot::On(date) => date.saturating_sub(1.day()).strftime("%Y%m%d").to_string(),
    };
    let cut_day = match (slot, &master.content.start) {
        (Slot::At(at), When::At { zone, .. }) => at.to_jiff().to_zoned(zone::find_or_utc(zone)).date(),
        (Slot::On(date), _) => date,
        (Slot::At(at), When::Day(_)) => at.to_jiff().to_zoned(TimeZone::UTC).date(),
    };
    let cut_day = cut_day.strftime("%Y%m%d").to_string();
    let mut split = Split { earlier: Vec::new(), following: Vec::new() };
    for line in &master.content.recurrence {
        let upper = line.to_ascii_uppercase();
        if upper.starts_with("RRULE") {
            let (head, parts) =
                line.split_once(':').ok_or(CloudError::Invalid("Invalid recurrence rule."))?;
            split.earlier.push(format!("{head}:{}", with_until(parts, &until)));
            split.following.push(format!("{head}:{}", with_less_count(parts, earlier_slots.len())));
        } else if upper.starts_with("RDATE") || upper.starts_with("EXDATE") {
            let (head, dates) =
                line.split_once(':').ok_or(CloudError::Invalid("Invalid recurrence rule."))?;
            let (early, late): (Vec<&str>, Vec<&str>) = dates.split(',').partition(|d| *d < cut_day.as_str());
            split.earlier.extend((!early.is_empty()).then(|| format!("{head}:{}", early.join(","))));
            split.following.extend((!late.is_empty()).then(|| format!("{head}:{}", late.join(","))));
        } else {
            split.earlier.push(line.clone());
            split.following.push(line.clone());
        }
    }
    if earlier_slots.is_empty() {
        split.earlier.clear();
    }
    Ok(split)
}

fn with_until(parts: &str, until: &str) -> String {
    let kept = parts.split(';').filter(|p| {
        let p = p.to_ascii_uppercase();
        !p.starts_with("COUNT=") && !p.starts_with("UNTIL=")
    });
    kept.chain(std::iter::once(format!("UNTIL={until}").as_str())).collect::<Vec<_>>().join(";")
}

fn with_less_count(parts: &str, less: usize) -> String {
    let kept = parts.split(';').map(|p| match p.split_once('=') {
        Some((key, n)) if key.eq_ignore_ascii_case("COUNT") => {
            let left = n.parse::<usize>().unwrap_or(1).saturating_sub(less).max(1);
            format!("COUNT={left}")
        }
        _ => p.to_owned(),
    });
    kept.collect::<Vec<_>>().join(";")
}
