//! An independent opinion of what should stand in a target: it walks days and quarters of an hour, knows the entries
//! only as people made them, and shares nothing with the mirror or the planner but the time-zone library.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};

use super::model::{CANARIES, Change, End, Long, Shown, Spec};
use super::world::World;
use crate::block::{BlockBusy, BlockContent};
use crate::event::{EventKind, Response, ShowAs, Status};
use crate::plan::reconcile::stands;
use crate::ports::Tentativeness;
use crate::rule::{RuleOptions, Tentative, WorkingHours};
use crate::time::{Span, Ts, Window};
use crate::zone;

/// The blocks that should stand in the nth calendar and touch the window, as text, sorted.
pub(crate) fn expected(world: &World, n: usize) -> Vec<String> {
    let normalises = world.places[n].cloud.normalises;
    let mut blocks: Vec<String> = wanted(world, n).into_iter().map(|block| told(block, normalises)).collect();
    blocks.sort();
    blocks
}

/// Whether all of the time that should be held in the nth calendar is, by whichever blocks of ours.
pub(crate) fn is_held(world: &World, n: usize) -> bool {
    let zone = zone::find(&world.places[n].calendar.time_zone).unwrap();
    let ours = world.places[n].cloud.ours().map(|remote| remote.event.when.as_ref().unwrap().span());
    let standing: Vec<(Ts, Ts)> = ours.map(|span| ends(&span, &zone)).collect();
    let held = |(start, end): (Ts, Ts)| standing.iter().any(|(from, to)| *from <= start && end <= *to);
    wanted(world, n).into_iter().all(|block| held(ends(&block.span, &zone)))
}

fn wanted(world: &World, n: usize) -> Vec<BlockContent> {
    let target = &world.places[n];
    let window = world.window();
    let here: BTreeSet<String> = target
        .specs
        .iter()
        .flat_map(|spec| stretches(spec, &window).into_iter().map(move |s| (spec, s)))
        .filter(|(_, (_, shown))| takes_time(shown))
        .filter_map(|(spec, (span, _))| meeting(spec, &span))
        .collect();
    let mut blocks = Vec::new();
    for rule in world.rules().iter().filter(|r| r.target == target.calendar.id) {
        let source = world.places.iter().find(|p| p.calendar.id == rule.source).unwrap();
        let zone = zone::find(&source.calendar.time_zone).unwrap();
        for spec in &source.specs {
            for (span, shown) in stretches(spec, &window) {
                let there_already = meeting(spec, &span).is_some_and(|m| here.contains(&m));
                let block = block(spec, span, &shown, &rule.options, &zone, target.tentative);
                if let Some(block) = block.filter(|b| !there_already && touches(&b.span, &window, &zone)) {
                    blocks.push(block);
                }
            }
        }
    }
    blocks
}

/// What stands in the nth calendar of ours and touches the window, as text, sorted. Blocks of ours that no row of the
/// ledger names are an error.
pub(crate) fn standing(world: &World, n: usize) -> Vec<String> {
    let target = &world.places[n];
    let window = world.window();
    let mut blocks = Vec::new();
    for remote in target.cloud.ours() {
        let row = target.ledger.values().find(|r| r.block.as_ref() == Some(&remote.event.id) && stands(r));
        let Some(row) = row else {
            let span = remote.event.when.as_ref().unwrap().span();
            assert!(!touches(&span, &window, &TimeZone::UTC), "{} is forgotten", remote.event.id);
            continue;
        };
        let source = world.places.iter().find(|p| p.calendar.id == row.source).unwrap();
        let zone = zone::find(&source.calendar.time_zone).unwrap();
        let text = remote.event.text.clone().unwrap_or_default();
        let content = BlockContent {
            span: remote.event.when.as_ref().unwrap().span(),
            title: text.title.unwrap_or_default(),
            description: text.description,
            location: text.location,
            busy: if remote.event.show_as == ShowAs::Tentative {
                BlockBusy::Tentative
            } else {
                BlockBusy::Busy
            },
            visibility: remote.visibility,
            colour: remote.colour.clone(),
        };
        if touches(&content.span, &window, &zone) {
            blocks.push(told(content, false));
        }
    }
    blocks.sort();
    blocks
}

fn told(mut block: BlockContent, normalises: bool) -> String {
    if normalises && !block.title.ends_with('.') {
        block.title.push('.');
    }
    format!("{block:?}")
}

fn touches(span: &Span, window: &Window, zone: &TimeZone) -> bool {
    let (start, end) = ends(span, zone);
    start < window.to && (end > window.from || (start == end && start >= window.from))
}

fn ends(span: &Span, zone: &TimeZone) -> (Ts, Ts) {
    let midnight = |date: &jiff::civil::Date| Ts::from_jiff(date.to_zoned(zone.clone()).unwrap().timestamp());
    match span {
        Span::Timed { start, end } => (*start, *end),
        Span::AllDay { start, end } => (midnight(start), midnight(end)),
    }
}

/// Every stretch of time that an entry takes within a month of the window, and how it shows.
fn stretches(spec: &Spec, window: &Window) -> Vec<(Span, Shown)> {
    let mut found = Vec::new();
    let horizon = window.to.plus(SignedDuration::from_hours(24 * 31));
    for n in 0.. {
        let over = match spec.repeat.as_ref().map(|r| r.end) {
            None => n > 0,
            Some(End::Never) => spec.instant(n) > horizon,
            Some(End::Count(count)) => n >= count,
            Some(End::Until(last)) => n > last,
        };
        if over {
            return found;
        }
        let change = spec.changes.iter().find(|(m, _)| *m == n).map(|(_, change)| change);
        let (moved, shown) = match change {
            Some(Change::Cancelled) => continue,
            Some(Change::Moved(by)) => (*by, spec.shown),
            Some(Change::Shown(shown)) => (0, *shown),
            None => (0, spec.shown),
        };
        let span = match spec.long {
            Long::Minutes(long) => {
                let start = spec.instant(n).plus(SignedDuration::from_mins(moved));
                Span::Timed { start, end: start.plus(SignedDuration::from_mins(long)) }
            }
            Long::Days(long) => {
                let start = spec.wall(n).date().checked_add(moved.days()).unwrap();
                Span::AllDay { start, end: start.checked_add(long.days()).unwrap() }
            }
        };
        found.push((span, shown));
    }
    found
}

fn meeting(spec: &Spec, span: &Span) -> Option<String> {
    let start = match span {
        Span::Timed { start, .. } => start.to_string(),
        Span::AllDay { start, .. } => start.to_string(),
    };
    spec.uid.as_ref().map(|uid| format!("{uid} {start}"))
}

fn takes_time(shown: &Shown) -> bool {
    let asleep = [EventKind::WorkingLocation, EventKind::Birthday, EventKind::Unknown].contains(&shown.kind);
    !asleep && shown.show_as != ShowAs::Free && shown.response != Some(Response::Declined)
}

fn block(
    spec: &Spec,
    span: Span,
    shown: &Shown,
    options: &RuleOptions,
    zone: &TimeZone,
    target: Tentativeness,
) -> Option<BlockContent> {
    let maybe = shown.status == Status::Tentative
        || shown.show_as == ShowAs::Tentative
        || [Some(Response::Tentative), Some(Response::NeedsAction)].contains(&shown.response);
    let (start, end) = ends(&span, zone);
    let all_day = matches!(span, Span::AllDay { .. });
    let refused = !takes_time(shown)
        || (maybe && options.tentative == Tentative::Skip)
        || (all_day && options.skip_all_day)
        || end.since(start).as_mins() < i64::from(options.min_minutes)
        || options.working_hours.as_ref().is_some_and(|hours| !works(start, end, hours));
    if refused {
        return None;
    }
    let mins = |m: u16| SignedDuration::from_mins(m.into());
    let span = match span {
        Span::Timed { start, end } => {
            let (before, after) = (mins(options.buffer_before_minutes), mins(options.buffer_after_minutes));
            Span::Timed { start: start.minus(before), end: end.plus(after) }
        }
        days => days,
    };
    let (start, end) = ends(&span, zone);
    if start == end {
        return None;
    }
    let [title, description, location] = CANARIES.map(|c| format!("{c} {}", spec.id));
    let title = match (options.copy_title && spec.titled, options.title.contains("{title}")) {
        (true, true) => options.title.replace("{title}", &title),
        (true, false) => title,
        (false, _) => options.title.replace("{title}", ""),
    };
    let shows = maybe && options.tentative == Tentative::AsTentative && target == Tentativeness::Shown;
    Some(BlockContent {
        span,
        title: if title.trim().is_empty() { "Busy".into() } else { title.trim().to_owned() },
        description: options.copy_description.then_some(description),
        location: options.copy_location.then_some(location),
        busy: if shows { BlockBusy::Tentative } else { BlockBusy::Busy },
        visibility: options.visibility,
        colour: options.colour.clone(),
    })
}

/// Whether any quarter of an hour of it lies in the hours.
fn works(start: Ts, end: Ts, hours: &WorkingHours) -> bool {
    let there = zone::find(&hours.zone).unwrap();
    let mut at = start;
    loop {
        let wall = there.to_datetime(at.to_jiff());
        let minute = u16::try_from(i32::from(wall.hour()) * 60 + i32::from(wall.minute())).unwrap();
        let weekday = u8::try_from(wall.weekday().to_monday_one_offset()).unwrap();
        if hours.days.contains(&weekday) && (hours.from_minute..hours.to_minute).contains(&minute) {
            return true;
        }
        at = at.plus(SignedDuration::from_mins(15));
        if at >= end {
            return false;
        }
    }
}
