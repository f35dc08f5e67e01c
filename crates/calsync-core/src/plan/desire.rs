//! What should stand in a target: each occurrence of each source goes through its rule, and comes out as a block or as a
//! reason why not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use crate::block::{BlockBusy, BlockContent, OccurrenceKey};
use crate::event::{Event, EventKind, Response, ShowAs, Status};
use crate::ids::{CalendarId, CorrelationId, EventId};
use crate::mirror::Occurrence;
use crate::ports::Tentativeness;
use crate::rule::{DEFAULT_TITLE, RuleOptions, Tentative, WorkingHours};
use crate::time::{Span, Window};
use crate::zone;

use super::reason::SkipReason;
use super::{Desired, PlanInput, RuleInput, Skip};

/// How far beyond the window a meeting may lie in the target that lies inside it at its source: an all-day event by the
/// distance between two zones, one with buffers by these.
const ELSEWHERE: SignedDuration = SignedDuration::from_hours(26);

/// What should stand, and what should not.
pub(super) struct Wanted<'a> {
    /// By correlation id.
    pub(super) blocks: BTreeMap<CorrelationId, Desired<'a>>,
    /// The rest.
    pub(super) skips: Vec<Skip>,
    /// Series of which nothing may be removed, because they could not be read.
    pub(super) unreadable: BTreeSet<(CalendarId, EventId)>,
}

/// A meeting's identity across calendars: iCalendar UID and start.
type Meeting<'a> = (&'a str, Span);

pub(super) fn desired<'a>(input: &PlanInput<'a>, target_zone: &TimeZone) -> Wanted<'a> {
    let mut wanted = Wanted { blocks: BTreeMap::new(), skips: Vec::new(), unreadable: BTreeSet::new() };
    let in_sources = input.rules.iter().flat_map(|rule| rule.mirror.events.values());
    let uids: BTreeSet<&str> = in_sources.filter_map(|event| event.ical_uid.as_deref()).collect();
    let known = Elsewhere { meetings: meetings(input, &uids, target_zone), copies: copies(input, &uids) };
    for rule in &input.rules {
        add_rule(input, rule, &known, &mut wanted);
    }
    wanted
}

/// What the events of the sources are in other calendars.
struct Elsewhere<'a> {
    /// Those that hold their time in the target by themselves.
    meetings: BTreeSet<Meeting<'a>>,
    /// The UIDs of those that are copies of blocks.
    copies: BTreeSet<&'a str>,
}

impl Elsewhere<'_> {
    /// Why an event that takes time makes no block for its sake.
    fn speaks_against(&self, event: &Event, span: Span) -> Option<SkipReason> {
        // An invitation to what somebody made of a block takes the time of whoever is invited.
        let is_copy = || event.ical_uid.as_deref().is_some_and(|uid| self.copies.contains(uid));
        if event.response.is_none() && is_copy() {
            return Some(SkipReason::CopyOfBlock);
        }
        let here = meeting(event, span).is_some_and(|m| self.meetings.contains(&m));
        here.then_some(SkipReason::AlreadyInTarget)
    }
}

/// The UIDs of blocks that events of the sources have as well: somebody subscribes to a calendar with blocks, and without this
/// blocks would beget blocks. Where a provider makes the UID of our id, the mirror has told such copies apart already.
fn copies<'a>(input: &PlanInput<'a>, uids: &BTreeSet<&str>) -> BTreeSet<&'a str> {
    let mirrors = input.rules.iter().map(|rule| rule.mirror).chain([input.mirror]);
    let of_blocks = mirrors.flat_map(|mirror| mirror.blocks.values()).filter_map(|b| b.ical_uid.as_deref());
    of_blocks.filter(|uid| uids.contains(uid)).collect()
}

/// The meetings that hold their time in the target by themselves, of those that a source has as well. One that was declined
/// there holds nothing.
fn meetings<'a>(input: &PlanInput<'a>, uids: &BTreeSet<&str>, zone: &TimeZone) -> BTreeSet<Meeting<'a>> {
    let shared = |event: &&Event| event.ical_uid.as_deref().is_some_and(|uid| uids.contains(uid));
    let wanted: BTreeSet<&EventId> =
        input.mirror.events.values().filter(shared).map(Event::series_id).collect();
    if wanted.is_empty() {
        return BTreeSet::new();
    }
    let (from, to) = (input.window.from.minus(ELSEWHERE), input.window.to.plus(ELSEWHERE));
    let reach = Window { from, to };
    let occurrences = input.mirror.occurrences_of(&wanted, &reach, zone);
    let holds_time = |o: &&Occurrence<'_>| blocks_time(o.event).is_ok();
    occurrences.list.iter().filter(holds_time).filter_map(|o| meeting(o.event, o.span)).collect()
}

/// The window in which an event's block may touch `window`.
fn reach(options: &RuleOptions, window: &Window) -> Window {
    let (before, after) = options.buffers();
    Window { from: window.from.minus(after), to: window.to.plus(before) }
}

fn meeting(event: &Event, span: Span) -> Option<Meeting<'_>> {
    // Only the start counts (spec §5): a copy whose end was not updated yet is still the same meeting.
    let start = match span {
        Span::Timed { start, .. } => Span::Timed { start, end: start },
        Span::AllDay { start, .. } => Span::AllDay { start, end: start },
    };
    Some((event.ical_uid.as_deref()?, start))
}

fn add_rule<'a>(input: &PlanInput<'a>, rule: &RuleInput<'a>, known: &Elsewhere<'_>, wanted: &mut Wanted<'a>) {
    let zone = rule.source.zone();
    let skip = |occurrence: OccurrenceKey, span, reason| Skip {
        rule: rule.rule.id,
        source: rule.source.id,
        occurrence,
        span,
        reason,
    };
    let occurrences = rule.mirror.occurrences(&reach(&rule.rule.options, &input.window), &zone);
    for bad in occurrences.unreadable {
        wanted.unreadable.insert((rule.source.id, bad.event.clone()));
        let key = OccurrenceKey { event: bad.event, original: None };
        wanted.skips.push(skip(key, None, SkipReason::Unreadable(bad.error.to_string())));
    }
    let unread = match (rule.is_known(), input.is_known()) {
        (false, _) => Some(SkipReason::SourceNotRead),
        (_, false) => Some(SkipReason::TargetNotRead),
        (true, true) => None,
    };
    let inside = |span: &Span| span.touches(&input.window, &zone);
    // Of most rules every block has the same one.
    let title = block_title(&rule.rule.options, None);
    for occurrence in occurrences.list {
        let Occurrence { key, span, event } = occurrence;
        let made = match &unread {
            Some(reason) => Err(reason.clone()),
            None => content(&rule.rule.options, (event, span), (&title, &zone), input.capabilities.tentative),
        };
        let made = made.and_then(|content| known.speaks_against(event, span).map_or(Ok(content), Err));
        match made {
            Err(reason) if inside(&span) => wanted.skips.push(skip(key, Some(span), reason)),
            Ok(content) if inside(&content.span) => {
                let id = input.identity.correlation(&rule.source.remote, &key, &input.target.remote);
                wanted.blocks.insert(id, Desired { rule: rule.rule, occurrence: key, content });
            }
            // Only its buffer might have reached into the window.
            Err(_) | Ok(_) => {}
        }
    }
}

/// Whether an event takes its owner's time (spec §5), whatever the rule.
fn blocks_time(event: &Event) -> Result<(), SkipReason> {
    match event.kind {
        EventKind::WorkingLocation => return Err(SkipReason::WorkingLocation),
        EventKind::Birthday => return Err(SkipReason::Birthday),
        EventKind::Unknown => return Err(SkipReason::UnknownKind),
        EventKind::Default | EventKind::OutOfOffice | EventKind::FocusTime | EventKind::FromMail => {}
    }
    if event.response == Some(Response::Declined) {
        return Err(SkipReason::Declined);
    }
    if event.show_as == ShowAs::Free {
        return Err(SkipReason::Free);
    }
    Ok(())
}

fn is_tentative(event: &Event) -> bool {
    event.status == Status::Tentative
        || event.show_as == ShowAs::Tentative
        || matches!(event.response, Some(Response::Tentative | Response::NeedsAction))
}

/// The block of one occurrence under one rule; `untitled` is its title where none is copied.
fn content(
    options: &RuleOptions,
    (event, span): (&Event, Span),
    (untitled, zone): (&str, &TimeZone),
    tentative: Tentativeness,
) -> Result<BlockContent, SkipReason> {
    blocks_time(event)?;
    let busy = match (is_tentative(event), options.tentative, tentative) {
        (true, Tentative::Skip, _) => return Err(SkipReason::Tentative),
        (true, Tentative::AsTentative, Tentativeness::Shown) => BlockBusy::Tentative,
        _ => BlockBusy::Busy,
    };
    if span.is_all_day() && options.skip_all_day {
        return Err(SkipReason::AllDay);
    }
    if options.min_minutes > 0 && span.minutes(zone).max(0) < i64::from(options.min_minutes) {
        return Err(SkipReason::TooShort);
    }
    if options.working_hours.as_ref().is_some_and(|hours| !touches_hours(&span, hours, zone)) {
        return Err(SkipReason::OutsideWorkingHours);
    }
    let span = buffered(span, options);
    let (start, end) = span.instants(&TimeZone::UTC);
    if start >= end {
        // Providers refuse a block without length (google.md §6: timeRangeEmpty).
        return Err(SkipReason::NoDuration);
    }
    let text = event.text.as_ref();
    let copied = |on: bool, value: Option<&String>| value.filter(|_| on).cloned();
    let title = copied(options.copy_title, text.and_then(|t| t.title.as_ref()));
    Ok(BlockContent {
        span,
        title: title.map_or_else(|| untitled.to_owned(), |title| block_title(options, Some(title))),
        description: copied(options.copy_description, text.and_then(|t| t.description.as_ref())),
        location: copied(options.copy_location, text.and_then(|t| t.location.as_ref())),
        busy,
        visibility: options.visibility,
        colour: options.colour.clone(),
    })
}

/// The rule's title, with the event's in place of `{title}`. With `copy_title` and a template that does not place it,
/// the event's title is the block's. Never empty: a block must be recognisable in a list.
fn block_title(options: &RuleOptions, title: Option<String>) -> String {
    let made = match title {
        None => options.title.replace("{title}", ""),
        Some(title) if options.title.contains("{title}") => options.title.replace("{title}", &title),
        Some(title) => title,
    };
    match made.trim() {
        "" => DEFAULT_TITLE.to_owned(),
        title => title.to_owned(),
    }
}

fn buffered(span: Span, options: &RuleOptions) -> Span {
    let (before, after) = options.buffers();
    match span {
        Span::Timed { start, end } => Span::Timed { start: start.minus(before), end: end.plus(after) },
        // Whole days have no travel time.
        all_day => all_day,
    }
}

/// Whether any of the span lies in the hours, day by day in the hours' own zone.
fn touches_hours(span: &Span, hours: &WorkingHours, zone: &TimeZone) -> bool {
    let there = zone::find_or_utc(&hours.zone);
    let (start, end) = span.instants(zone);
    let (start, end) = (start.to_jiff().to_zoned(there.clone()), end.to_jiff().to_zoned(there.clone()));
    let mut day = start.date();
    // A week shows every weekday: longer spans touch whatever a week of them touches.
    for _ in 0..8 {
        if day > end.date() {
            return false;
        }
        let weekday = u8::try_from(day.weekday().to_monday_one_offset()).unwrap_or_default();
        if hours.days.contains(&weekday) {
            let at = |minute: u16| {
                let midnight = day.to_datetime(jiff::civil::Time::midnight());
                let clock = midnight.checked_add(jiff::Span::new().minutes(i64::from(minute)));
                clock.ok().and_then(|c| c.to_zoned(there.clone()).ok())
            };
            if let (Some(from), Some(to)) = (at(hours.from_minute), at(hours.to_minute))
                && from < to
                && start < to
                && (end > from || (start == end && start == from))
            {
                return true;
            }
        }
        let Ok(next) = day.tomorrow() else { return false };
        day = next;
    }
    false
}
