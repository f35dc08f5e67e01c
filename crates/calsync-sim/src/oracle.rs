//! The oracle: what should stand in every target, worked out from the cloud's own events by brute force, day by day. It
//! shares no code with the planner, the mirror or the recurrence engine, and knows only the simple rules that the
//! simulated people make; anything else it reports rather than guesses.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calsync_core::block::MARKER_NAME;
use calsync_core::time::{Span, Ts, Window};
use calsync_core::zone;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};

use crate::cloud::Cloud;
use crate::cloud::calendar::Calendar;
use crate::cloud::content::{Content, EventType, Response, Status, Transparency, When};
use crate::cloud::event::{Event, Kind, Slot};
use crate::cloud::journal::Op;
use crate::cloud::names::{CalendarId, EventId};

/// Blocks this near to the edge of the window are not judged: calendars in other zones see the edge elsewhere.
const EDGE: SignedDuration = SignedDuration::from_hours(26);

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Blocks that are missing, superfluous or wrong, in words.
    pub mismatches: Vec<String>,
    /// Blocks that hold one occurrence's time twice.
    pub duplicates: u64,
    /// Events that the program changed or removed though it had not made them.
    pub foreign_events_touched: u64,
    /// Writes by which anybody could have been mailed.
    pub could_have_mailed: u64,
    /// Blocks that stand.
    pub blocks: u64,
}

impl Judgement {
    /// Whether everything is as it should be.
    pub fn is_good(&self) -> bool {
        self.mismatches.is_empty()
            && self.duplicates == 0
            && self.foreign_events_touched == 0
            && self.could_have_mailed == 0
    }
}

/// Whether a block shows busy or tentative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shows {
    Busy,
    Tentative,
}

/// A stretch of time that somebody's event takes, with the meeting's UID.
type Busy<'a> = (&'a str, Span, Shows);

/// Judges what `client` made of the cloud: each pair is a source calendar and a target calendar.
pub fn judge(cloud: &Cloud, client: &str, pairs: &[(CalendarId, CalendarId)], window: &Window) -> Judgement {
    let mut judgement = Judgement::default();
    let made = made_by(cloud, client, &mut judgement);
    let is_made = |id: &CalendarId, event: &EventId| made.get(id).is_some_and(|made| made.contains(event));
    let inside = Window { from: window.from.plus(EDGE), to: window.to.minus(EDGE) };
    // Each calendar's own events, looked at once: it is the source of many, and a target besides.
    let mut taken: BTreeMap<&CalendarId, Vec<Busy<'_>>> = BTreeMap::new();
    for id in pairs.iter().flat_map(|(source, target)| [source, target]) {
        if let (Entry::Vacant(place), Some(calendar)) = (taken.entry(id), cloud.calendar(id)) {
            let own: Vec<_> = calendar.live().filter(|e| !is_made(id, &e.id)).collect();
            place.insert(busy_times(calendar, &own, &inside, &mut judgement));
        }
    }
    let targets: BTreeSet<&CalendarId> = pairs.iter().map(|(_, target)| target).collect();
    for target in targets {
        let Some(calendar) = cloud.calendar(target) else { continue };
        let blocks: Vec<_> = calendar.live().filter(|e| is_made(target, &e.id)).collect();
        // The meetings that hold their own time here.
        let there: BTreeSet<(&str, String)> =
            taken.get(target).into_iter().flatten().map(|(uid, span, _)| (*uid, start_of(*span))).collect();
        let mut expected: BTreeMap<(Span, Shows), i64> = BTreeMap::new();
        for (source, _) in pairs.iter().filter(|(_, t)| t == target) {
            for (uid, span, shows) in taken.get(source).into_iter().flatten() {
                if !there.contains(&(*uid, start_of(*span))) {
                    *expected.entry((*span, *shows)).or_default() += 1;
                }
            }
        }
        compare(target, &blocks, expected, &inside, &mut judgement);
    }
    judgement
}

/// Everything that the program made, by calendar; counts what it should not have touched.
fn made_by<'a>(
    cloud: &'a Cloud,
    client: &str,
    judgement: &mut Judgement,
) -> BTreeMap<&'a CalendarId, BTreeSet<&'a EventId>> {
    let mut made: BTreeMap<&CalendarId, BTreeSet<&EventId>> = BTreeMap::new();
    for entry in cloud.journal().entries().filter(|e| e.client.as_str() == client) {
        let there = made.entry(&entry.calendar).or_default();
        if entry.op == Op::Insert {
            there.insert(&entry.event);
        } else if !there.contains(&entry.event) {
            judgement.foreign_events_touched += 1;
        }
        judgement.could_have_mailed += u64::from(entry.could_have_mailed());
    }
    made
}

fn compare(
    target: &CalendarId,
    blocks: &[&Arc<Event>],
    mut expected: BTreeMap<(Span, Shows), i64>,
    inside: &Window,
    judgement: &mut Judgement,
) {
    let mut markers = BTreeSet::new();
    for block in blocks {
        let Some(span) = block.content.span() else { continue };
        judgement.blocks += 1;
        if !touches(span, inside) {
            continue;
        }
        let shows = if block.content.status == Status::Tentative { Shows::Tentative } else { Shows::Busy };
        *expected.entry((span, shows)).or_default() -= 1;
        if block.content.transparency == Transparency::Transparent {
            judgement.mismatches.push(format!("{target}: block {} at {span} is free", block.id));
        }
        // The first two parts of a marker name the occurrence: two blocks with the same ones are one too many.
        let marker = marker(&block.content).map(|m| m.rsplit_once('.').map_or(m, |p| p.0));
        judgement.duplicates += u64::from(marker.is_some_and(|m| !markers.insert(m.to_owned())));
    }
    for ((span, shows), count) in expected {
        match count {
            0 => {}
            n if n > 0 => judgement.mismatches.push(format!("{target}: {n} missing at {span} ({shows:?})")),
            n => judgement.mismatches.push(format!("{target}: {} too many at {span} ({shows:?})", -n)),
        }
    }
}

/// A block's marker: a property of that name, which at Microsoft has a type and a GUID before it (microsoft.md §5).
fn marker(content: &Content) -> Option<&str> {
    let tail = format!(" Name {MARKER_NAME}");
    let named = |(id, _): &(&String, &String)| id.as_str() == MARKER_NAME || id.ends_with(&tail);
    content.private.iter().find(named).map(|(_, marker)| marker.as_str())
}

fn touches(span: Span, window: &Window) -> bool {
    let (start, end) = match span {
        Span::Timed { start, end } => (start, end),
        Span::AllDay { start, end } => (utc(start), utc(end)),
    };
    start < window.to && end > window.from
}

fn utc(date: Date) -> Ts {
    date.to_zoned(TimeZone::UTC).map_or(Ts::MAX, |z| Ts::from_jiff(z.timestamp()))
}

fn start_of(span: Span) -> String {
    match span {
        Span::Timed { start, .. } => start.to_string(),
        Span::AllDay { start, .. } => start.to_string(),
    }
}

/// Every stretch of time that the calendar's events take, with the meeting's UID.
fn busy_times<'a>(
    calendar: &Calendar,
    events: &[&'a Arc<Event>],
    inside: &Window,
    judgement: &mut Judgement,
) -> Vec<Busy<'a>> {
    let mut found = Vec::new();
    let mut add = |content: &Content, span: Span, uid: &'a str| {
        if let Some(shows) = shows(calendar, content)
            && touches(span, inside)
            && span_has_length(span)
        {
            found.push((uid, span, shows));
        }
    };
    for event in events {
        match &event.kind {
            Kind::Single => {
                if let Some(span) = event.content.span() {
                    add(&event.content, span, &event.ical_uid);
                }
            }
            Kind::Exception { .. } => {
                if let Some(span) = event.content.span() {
                    add(&event.content, span, &event.ical_uid);
                }
            }
            Kind::Series => {
                let taken: BTreeSet<Slot> = calendar.exceptions(&event.id).filter_map(|e| e.slot()).collect();
                match walk(&event.content, inside) {
                    Err(why) => judgement.mismatches.push(format!("{}: {why}", calendar.id)),
                    Ok(slots) => {
                        for (slot, span) in slots.into_iter().filter(|(slot, _)| !taken.contains(slot)) {
                            let _ = slot;
                            add(&event.content, span, &event.ical_uid);
                        }
                    }
                }
            }
        }
    }
    found
}

fn span_has_length(span: Span) -> bool {
    match span {
        Span::Timed { start, end } => start < end,
        Span::AllDay { start, end } => start < end,
    }
}

/// How an event shows to its calendar's owner, if it takes their time at all.
fn shows(calendar: &Calendar, content: &Content) -> Option<Shows> {
    let owner = content.attendee(calendar.id.as_str()).or_else(|| content.attendee(calendar.owner.as_str()));
    let answer = owner.map(|a| a.response);
    let free = content.transparency == Transparency::Transparent
        || matches!(content.event_type, EventType::WorkingLocation | EventType::Birthday)
        || answer == Some(Response::Declined);
    let unsure = content.status == Status::Tentative
        || matches!(answer, Some(Response::Tentative | Response::NeedsAction));
    match (free, unsure) {
        (true, _) => None,
        (_, true) => Some(Shows::Tentative),
        _ => Some(Shows::Busy),
    }
}

/// The parts of a simple rule.
struct Simple {
    weekly: bool,
    interval: i64,
    days: Vec<i8>,
    count: Option<usize>,
    until: Option<String>,
}

impl Simple {
    fn parse(line: &str) -> Result<Simple, String> {
        let unknown = || format!("the oracle does not know the rule {line}");
        let body = line.strip_prefix("RRULE:").ok_or_else(unknown)?;
        let mut simple = Simple { weekly: false, interval: 1, days: Vec::new(), count: None, until: None };
        for part in body.split(';') {
            let (key, value) = part.split_once('=').ok_or_else(unknown)?;
            match key {
                "FREQ" if value == "WEEKLY" => simple.weekly = true,
                "FREQ" if value == "DAILY" => {}
                "INTERVAL" => simple.interval = value.parse().map_err(|_| unknown())?,
                "COUNT" => simple.count = Some(value.parse().map_err(|_| unknown())?),
                "UNTIL" => simple.until = Some(value.to_owned()),
                "BYDAY" => {
                    const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
                    for day in value.split(',') {
                        let at = DAYS.iter().position(|d| *d == day).ok_or_else(unknown)?;
                        simple.days.push(i8::try_from(at).unwrap_or_default() + 1);
                    }
                }
                _ => return Err(unknown()),
            }
        }
        Ok(simple)
    }

    /// Whether the rule names this day, `first` being the series' first.
    fn names(&self, first: Date, day: Date) -> bool {
        let days_since = |from: Date| i64::from((day - from).get_days());
        if !self.weekly {
            return days_since(first) % self.interval == 0
                && (self.days.is_empty() || self.days.contains(&day.weekday().to_monday_one_offset()));
        }
        let monday = first - i64::from(first.weekday().to_monday_zero_offset()).days();
        let right_week = days_since(monday).div_euclid(7) % self.interval == 0;
        let weekday = day.weekday().to_monday_one_offset();
        right_week
            && if self.days.is_empty() {
                weekday == first.weekday().to_monday_one_offset()
            } else {
                self.days.contains(&weekday)
            }
    }
}

/// Every occurrence of a series up to the end of the window, by looking at one day after the other.
fn walk(content: &Content, inside: &Window) -> Result<Vec<(Slot, Span)>, String> {
    let [line] = content.recurrence.as_slice() else {
        return Err("the oracle knows series of one rule only".to_owned());
    };
    let rule = Simple::parse(line)?;
    let first = match &content.start {
        When::Day(date) => *date,
        When::At { at, zone } => at.to_jiff().to_zoned(zone::find_or_utc(zone)).date(),
    };
    let mut found = Vec::new();
    let mut day = first;
    let mut count = 0;
    while utc(day) < inside.to.plus(EDGE) {
        if day == first || rule.names(first, day) {
            let Some((slot, span)) = on_day(content, day) else {
                return Err("the oracle met a mixed event".to_owned());
            };
            let over = rule.count.is_some_and(|c| count >= c)
                || rule.until.as_ref().is_some_and(|until| day != first && text(slot, until) > *until);
            if over {
                break;
            }
            count += 1;
            found.push((slot, span));
        }
        day = day.tomorrow().map_err(|e| e.to_string())?;
    }
    Ok(found)
}

/// The slot in the spelling of an UNTIL, so that the two compare as text.
fn text(slot: Slot, until: &str) -> String {
    match slot {
        Slot::On(date) => date.strftime("%Y%m%d").to_string(),
        Slot::At(at) if until.len() == 8 => at.to_jiff().strftime("%Y%m%d").to_string(),
        Slot::At(at) => at.to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string(),
    }
}

/// The occurrence that starts on this day.
fn on_day(content: &Content, day: Date) -> Option<(Slot, Span)> {
    match (&content.start, &content.end) {
        (When::Day(start), When::Day(end)) => {
            let days = i64::from((*end - *start).get_days());
            Some((Slot::On(day), Span::AllDay { start: day, end: day.saturating_add(days.days()) }))
        }
        (When::At { at: start, zone }, When::At { at: end, .. }) => {
            let zone = zone::find_or_utc(zone);
            let clock = start.to_jiff().to_zoned(zone.clone()).time();
            let at = Ts::from_jiff(day.to_datetime(clock).to_zoned(zone).ok()?.timestamp());
            Some((Slot::At(at), Span::Timed { start: at, end: at.plus(end.since(*start)) }))
        }
        _ => None,
    }
}
