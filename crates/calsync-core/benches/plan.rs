//! How long planning takes: one calendar with 10,000 events, mirrored into four others. First with nothing written yet,
//! then with everything in step, then after one change, and the folding of a full listing. Prints milliseconds per plan
//! and events per second; compares with nothing.
//!
//!     cargo bench -p calsync-core --bench plan

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use calsync_core::block::{CalendarRef, Identity, ObservedBlock, Visibility};
use calsync_core::calendar::{Access, Calendar};
use calsync_core::event::{Event, EventKind, Series, ShowAs, Status, TextPolicy, When};
use calsync_core::ids::{AccountId, CalendarId, EventId, UserId};
use calsync_core::ledger::{LedgerRow, LedgerState, WriteOp};
use calsync_core::mirror::{FoldContext, Listed, Mirror};
use calsync_core::plan::{Plan, PlanInput, RuleInput, check, plan};
use calsync_core::ports::{Capabilities, Ids, Listing, RemoteEvent, RemoteItem, Tentativeness};
use calsync_core::recurrence::{OriginalStart, Recurrence};
use calsync_core::rule::{self, Rule};
use calsync_core::time::{Ts, Window};
use jiff::SignedDuration;
use uuid::Uuid;

const EVENTS: usize = 10_000;
const TARGETS: u128 = 4;
static IDENTITY: Identity = Identity::new([7; 32]);

fn now() -> Ts {
    Ts::from_secs(1_793_600_000)
}

fn calendar(n: u128) -> Calendar {
    Calendar {
        name: format!("Calendar {n}"),
        time_zone: "Europe/Vienna".into(),
        access: Access::Owner,
        sync_enabled: true,
        last_synced_at: Some(now()),
        last_full_sync: Some(now()),
        plan_due: true,
        ..Calendar::new(
            CalendarId(Uuid::from_u128(n)),
            AccountId(Uuid::from_u128(n)),
            UserId(Uuid::nil()),
            CalendarRef {
                provider: "google".into(),
                account: format!("{n}"),
                calendar: format!("c{n}@example.com"),
            },
        )
    }
}

/// The nth of the events, spread over 90 days.
fn event(n: usize, series: Series) -> RemoteEvent {
    let minutes = i64::try_from(n * 90 * 24 * 60 / EVENTS).expect("a small number");
    let start = now().plus(SignedDuration::from_mins(minutes));
    let end = start.plus(SignedDuration::from_mins(30));
    RemoteEvent {
        event: Event {
            id: EventId(format!("event{n:06}")),
            version: Some(format!("\"{n}\"")),
            updated: Some(now()),
            ical_uid: Some(format!("event{n:06}@example.com")),
            when: Some(When::Timed { start, end, zone: Some("Europe/Vienna".into()) }),
            series,
            status: Status::Confirmed,
            show_as: ShowAs::Busy,
            response: None,
            kind: EventKind::Default,
            text: None,
        },
        marker: None,
        visibility: Visibility::Private,
        colour: None,
        has_guests: false,
    }
}

fn items(remotes: impl Iterator<Item = RemoteEvent>) -> Vec<RemoteItem> {
    remotes.map(|r| RemoteItem::Present(Box::new(r))).collect()
}

fn fold(mirror: &mut Mirror, items: &[RemoteItem], listed: Listed) {
    let context =
        FoldContext { our_blocks: &BTreeSet::new(), texts: TextPolicy::default(), forget_before: Ts::MIN };
    let delta = mirror.fold(items, listed, &context);
    mirror.apply(&delta);
}

/// One target with what stands in it.
struct Target {
    calendar: Calendar,
    mirror: Mirror,
    ledger: Vec<LedgerRow>,
    rule: Rule,
}

impl Target {
    fn plan(&self, source: &Calendar, mirror: &Mirror) -> Plan {
        let input = PlanInput {
            target: &self.calendar,
            rules: vec![RuleInput { rule: &self.rule, source, mirror }],
            mirror: &self.mirror,
            ledger: &self.ledger,
            identity: &IDENTITY,
            capabilities: Capabilities {
                chooses_ids: Ids::Client,
                push: None,
                tentative: Tentativeness::NotShown,
                concurrent_calls: 1,
                listing: Listing::Unbounded,
            },
            window: Window::sliding(now(), 1, 90),
            hold: None,
            now: now(),
        };
        let plan = plan(&input);
        assert!(check(&input, &plan).is_empty(), "a plan was refused");
        plan
    }

    /// As if the plan was carried out.
    fn take_over(&mut self, plan: &Plan) {
        for action in &plan.actions {
            let Some(WriteOp::Create { id: Some(id), content, marker, .. }) = &action.write else { continue };
            let fingerprint = content.fingerprint();
            let block = ObservedBlock {
                id: id.clone(),
                version: Some("\"1\"".into()),
                updated: Some(now()),
                marker: Some(marker.clone()),
                fingerprint,
                span: content.span,
                has_guests: false,
                ical_uid: None,
                is_free: false,
            };
            self.mirror.blocks.insert(id.clone(), block);
            let echo = Some(fingerprint);
            self.ledger.push(LedgerRow { state: LedgerState::Live, echo, ..action.row.clone() });
        }
    }
}

/// The median time of one call.
fn median(mut call: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..7)
        .map(|_| {
            let begun = Instant::now();
            call();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn report(what: &str, count: usize, calls: u32, time: Duration) {
    let each = time / calls;
    let rate = count as f64 / each.as_secs_f64();
    println!("{what:<56} {:>9.2} ms {rate:>12.0} events/s", each.as_secs_f64() * 1e3);
}

fn main() {
    let source = calendar(1);
    let calendars: Vec<Calendar> = (1..=TARGETS + 1).map(calendar).collect();
    let rules = rule::effective(&[], &calendars, &rule::RuleDefaults::default());
    let mut targets: Vec<Target> = calendars[1..]
        .iter()
        .map(|calendar| Target {
            calendar: calendar.clone(),
            mirror: Mirror::default(),
            ledger: Vec::new(),
            rule: rules
                .iter()
                .find(|r| r.source == source.id && r.target == calendar.id)
                .expect("a mesh")
                .clone(),
        })
        .collect();
    let listing = items((0..EVENTS).map(|n| event(n, Series::Single)));
    let mut mirror = Mirror::default();
    println!("{EVENTS} events, {TARGETS} targets; median of 7, audit included");
    let time = median(|| fold(&mut mirror, &listing, Listed::Everything(Window::ALL)));
    report("fold a full listing", EVENTS, 1, time);

    let time = median(|| targets.iter().for_each(|t| drop(black_box(t.plan(&source, &mirror)))));
    report("plan, nothing written yet", EVENTS, 4, time);
    for target in &mut targets {
        let plan = target.plan(&source, &mirror);
        target.take_over(&plan);
    }
    let time =
        median(|| targets.iter().for_each(|t| assert!(black_box(t.plan(&source, &mirror)).is_empty())));
    report("plan, everything in step", EVENTS, 4, time);

    let ledgers: Vec<Vec<LedgerRow>> = targets.iter_mut().map(|t| std::mem::take(&mut t.ledger)).collect();
    let time = median(|| targets.iter().for_each(|t| drop(black_box(t.plan(&source, &mirror)))));
    report("plan, database lost, all blocks adopted", EVENTS, 4, time);
    targets.iter_mut().zip(ledgers).for_each(|(target, ledger)| target.ledger = ledger);
    let time = median(|| {
        let empty = Mirror::default();
        targets.iter().for_each(|t| drop(black_box(t.plan(&source, &empty))));
    });
    report("plan, source empty, all would be removed", EVENTS, 4, time);

    series();
}

/// A thousand daily series with nine exceptions each: every master edited, every exception looked up.
fn series() {
    const SERIES: usize = 1_000;
    let daily = |n| Series::Master {
        recurrence: Recurrence { lines: vec![format!("RRULE:FREQ=DAILY;INTERVAL={}", 10 + n % 7)] },
    };
    let exception = |n: usize| {
        let master = n / 9;
        let original = OriginalStart::At(now().plus(SignedDuration::from_hours(n as i64 % 2_000)));
        let mut remote =
            event(n, Series::Instance { master: EventId(format!("event{master:06}")), original });
        remote.event.id = EventId(format!("exception{n:06}"));
        remote
    };
    let first = items((0..SERIES).map(|n| event(n, daily(n))).chain((0..SERIES * 9).map(exception)));
    let edited = items((0..SERIES).map(|n| event(n, daily(n + 1))));
    let mut mirror = Mirror::default();
    fold(&mut mirror, &first, Listed::Everything(Window::ALL));
    let time = median(|| fold(&mut mirror.clone(), &edited, Listed::Changes));
    report("fold 1,000 edited series with 9,000 exceptions", SERIES, 1, time);
    let zone = calendar(1).zone();
    let window = Window::sliding(now(), 1, 90);
    let count = mirror.occurrences(&window, &zone).list.len();
    let time = median(|| drop(black_box(mirror.occurrences(&window, &zone))));
    report("expand them", count, 1, time);
}
