//! From events to occurrences: series are expanded in their own zone, and each changed or cancelled occurrence takes the
//! place of the one the pattern gives. An occurrence is known by where it *originally* stood.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use crate::block::OccurrenceKey;
use crate::event::{Event, Series, Status, When};
use crate::ids::EventId;
use crate::recurrence::{self, Limits, OriginalStart, RecurrenceError};
use crate::time::{Span, Window};

use super::Mirror;

/// One stretch of time that an event takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Occurrence<'a> {
    /// Its identity.
    pub key: OccurrenceKey,
    /// When it is.
    pub span: Span,
    /// The event that tells how it shows: the single, the master, or the changed occurrence.
    pub event: &'a Event,
}

/// A series whose pattern could not be read: what it makes is unknown, so nothing of it may be removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable {
    /// Which series.
    pub event: EventId,
    /// What is wrong with it.
    pub error: RecurrenceError,
}

/// The occurrences of a calendar in a window.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Occurrences<'a> {
    /// By identity.
    pub list: Vec<Occurrence<'a>>,
    /// Series that could not be read.
    pub unreadable: Vec<Unreadable>,
}

impl Mirror {
    /// All occurrences that touch the window, cancelled ones left out, sorted by identity.
    pub fn occurrences(&self, window: &Window, zone: &TimeZone) -> Occurrences<'_> {
        expand(self.events.values(), window, zone)
    }

    /// The same of these series and single events alone.
    pub fn occurrences_of(
        &self,
        wanted: &BTreeSet<&EventId>,
        window: &Window,
        zone: &TimeZone,
    ) -> Occurrences<'_> {
        let events = self.events.values().filter(|event| wanted.contains(event.series_id()));
        expand(events.collect::<Vec<_>>().into_iter(), window, zone)
    }
}

fn expand<'a>(
    events: impl Iterator<Item = &'a Event> + Clone,
    window: &Window,
    zone: &TimeZone,
) -> Occurrences<'a> {
    let mut exceptions: BTreeMap<&EventId, BTreeMap<OriginalStart, &Event>> = BTreeMap::new();
    for event in events.clone() {
        if let Series::Instance { master, original } = &event.series {
            exceptions.entry(master).or_default().insert(*original, event);
        }
    }
    let mut found = Occurrences::default();
    for event in events {
        match &event.series {
            Series::Single | Series::Occurrence { .. } => found.add(single_key(event), event, window, zone),
            Series::Master { .. } => {
                let changed = exceptions.remove(&event.id).unwrap_or_default();
                found.add_series(event, &changed, window, zone);
            }
            Series::Instance { .. } => {}
        }
    }
    // Exceptions whose master we were never shown: a guest who was invited to one occurrence only.
    for (master, changed) in exceptions {
        for (original, event) in changed {
            found.add(OccurrenceKey { event: master.clone(), original: Some(original) }, event, window, zone);
        }
    }
    found.list.sort_by(|a, b| a.key.cmp(&b.key));
    found
}

fn single_key(event: &Event) -> OccurrenceKey {
    OccurrenceKey { event: event.id.clone(), original: None }
}

impl<'a> Occurrences<'a> {
    fn add(&mut self, key: OccurrenceKey, event: &'a Event, window: &Window, zone: &TimeZone) {
        let Some(span) = event.when.as_ref().map(When::span) else { return };
        if event.status != Status::Cancelled && span.touches(window, zone) {
            self.list.push(Occurrence { key, span, event });
        }
    }

    fn add_series(
        &mut self,
        master: &'a Event,
        changed: &BTreeMap<OriginalStart, &'a Event>,
        window: &Window,
        zone: &TimeZone,
    ) {
        let key = |original| OccurrenceKey { event: master.id.clone(), original: Some(original) };
        // What was changed stands by itself, wherever it went: an occurrence moved into the window counts though its
        // original place is outside, and one moved out leaves no ghost behind.
        for (original, event) in changed {
            self.add(key(*original), event, window, zone);
        }
        let (Series::Master { recurrence }, Some(when)) = (&master.series, &master.when) else { return };
        if master.status == Status::Cancelled {
            return;
        }
        let length = Length::of(when);
        let start = when.series_start(zone);
        match recurrence::expand(&start, recurrence, &length.widen(window), zone, &Limits::default()) {
            Err(error) => self.unreadable.push(Unreadable { event: master.id.clone(), error }),
            Ok(originals) => {
                for original in originals.into_iter().filter(|o| !changed.contains_key(o)) {
                    let span = length.from(original);
                    if span.touches(window, zone) {
                        self.list.push(Occurrence { key: key(original), span, event: master });
                    }
                }
            }
        }
    }
}

/// How long each occurrence of a series is: exact time for timed ones, days for all-day ones (RFC 5545 §3.8.5.3 with
/// providers' start and end pairs: the exact duration of the first is that of all).
enum Length {
    Exact(SignedDuration),
    Days(i64),
}

impl Length {
    fn of(when: &When) -> Length {
        match when {
            When::Timed { start, end, .. } => Length::Exact(end.since(*start)),
            When::AllDay { start, end } => {
                Length::Days(i64::from(start.until(*end).map(|s| s.get_days()).unwrap_or(1)))
            }
        }
    }

    /// The window in which an occurrence must start to touch `window`.
    fn widen(&self, window: &Window) -> Window {
        let by = match self {
            Length::Exact(d) => *d,
            // A day can have 25 hours.
            Length::Days(d) => SignedDuration::from_hours(d.saturating_mul(25)),
        };
        Window { from: window.from.minus(by), to: window.to }
    }

    fn from(&self, original: OriginalStart) -> Span {
        match (original, self) {
            (OriginalStart::At(start), Length::Exact(d)) => Span::Timed { start, end: start.plus(*d) },
            (OriginalStart::At(start), Length::Days(d)) => {
                Span::Timed { start, end: start.plus(SignedDuration::from_hours(24 * d)) }
            }
            (OriginalStart::On(start), length) => {
                let days = match length {
                    Length::Days(d) => *d,
                    Length::Exact(_) => 1,
                };
                let end = start.checked_add(jiff::Span::new().days(days)).unwrap_or(jiff::civil::Date::MAX);
                Span::AllDay { start, end }
            }
        }
    }
}
