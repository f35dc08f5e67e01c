//! `bench plan`: the pure planner on one large calendar and four targets: the first plan, and the one that finds nothing
//! to do.

use std::time::Instant;

use calsync_core::block::{CalendarRef, Identity, ObservedBlock};
use calsync_core::calendar::{Access, Calendar};
use calsync_core::event::{Event, EventKind, Series, ShowAs, Status, When};
use calsync_core::ids::{AccountId, CalendarId, EventId, UserId};
use calsync_core::ledger::{LedgerRow, LedgerState, WriteOp};
use calsync_core::mirror::Mirror;
use calsync_core::plan::{Plan, PlanInput, RuleInput, plan};
use calsync_core::ports::{Capabilities, Clock, Ids, Listing, Tentativeness};
use calsync_core::recurrence::Recurrence;
use calsync_core::rule::{self, Rule};
use calsync_core::time::{Ts, Window};
use clap::Args;
use jiff::SignedDuration;
use serde::Serialize;
use uuid::Uuid;

use super::figures::{grouped, median, number, ratio, rounded};
use super::process;
use crate::cli::exit::{Exit, Failure};
use crate::out::Out;
use crate::system::SystemClock;

/// The window of the service's default settings.
const DAYS: (u16, u16) = (1, 90);
/// One event in so many is a series.
const SERIES_ONE_IN: u32 = 10;

/// How long planning takes for a large calendar
///
/// One source calendar, a tenth of its events weekly series, and some targets: every target is planned from nothing, the
/// plan is taken for carried out, and every target is planned again, which must find nothing to do.
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example:\n  calendar-sync bench plan --events 20000 --targets 2")]
pub struct PlanArgs {
    /// Events of the source calendar
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..=200_000))]
    pub events: u32,
    /// Target calendars
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub targets: u8,
    /// How often everything is measured
    #[arg(long, value_name = "R", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
}

/// The result.
#[derive(Serialize)]
struct Report {
    events: u32,
    targets: u8,
    rounds: u32,
    /// Occurrences in the window.
    occurrences: usize,
    ms_per_plan: f64,
    occurrences_per_s: f64,
    ms_per_unchanged_plan: f64,
    /// Unchanged against first.
    unchanged_to_first: f64,
    /// How much the process grew at most, the ledgers and mirrors of the targets included.
    peak_growth_kib: Option<u64>,
}

/// A target with what stands there.
struct Target {
    calendar: Calendar,
    mirror: Mirror,
    ledger: Vec<LedgerRow>,
}

/// Measures and tells.
pub(super) fn run(args: &PlanArgs, out: Out) -> Result<Exit, Failure> {
    let now = SystemClock.now();
    let source = (calendar(0, now), source(args.events, now));
    process::forget_peak();
    let resident = process::memory(None);
    let (mut first, mut again, mut occurrences) = (Vec::new(), Vec::new(), 0);
    for _ in 0..args.rounds {
        for number in 1..=args.targets {
            let calendar = calendar(number, now);
            let mut target = Target { calendar, mirror: Mirror::default(), ledger: Vec::new() };
            let (plan, took) = timed(&source, &target, now);
            first.push(took);
            occurrences = plan.actions.len();
            target.carry_out(&plan, now);
            let (plan, took) = timed(&source, &target, now);
            again.push(took);
            if !plan.is_empty() {
                return Err(Failure::failed(format!(
                    "a plan that was carried out leaves {} actions to do",
                    plan.actions.len()
                )));
            }
        }
    }
    let grown = process::memory(None).zip(resident).map(|(now, then)| now.peak.saturating_sub(then.resident));
    let (first, again) = (median(first), median(again));
    let report = Report {
        events: args.events,
        targets: args.targets,
        rounds: args.rounds,
        occurrences,
        ms_per_plan: rounded(first),
        occurrences_per_s: rounded(ratio(number(occurrences as u64) * 1e3, first)),
        ms_per_unchanged_plan: rounded(again),
        unchanged_to_first: rounded(ratio(again, first)),
        peak_growth_kib: grown,
    };
    out.result(&report.tell(), &report);
    Ok(Exit::Ok)
}

impl Report {
    fn tell(&self) -> String {
        let grown =
            self.peak_growth_kib.map_or_else(|| "unknown".to_owned(), |kib| format!("{} MiB", kib / 1024));
        format!(
            "Planning {} events ({} occurrences in the window) for {} targets, {} rounds; medians.\n\n\
             a first plan           {:>9.1} ms     {} occurrences/s\n\
             a plan without changes {:>9.1} ms     {:.2} of the first\n\
             memory at the peak     {:>9}",
            self.events,
            grouped(number(self.occurrences as u64)),
            self.targets,
            self.rounds,
            self.ms_per_plan,
            grouped(self.occurrences_per_s),
            self.ms_per_unchanged_plan,
            self.unchanged_to_first,
            grown,
        )
    }
}

fn timed(source: &(Calendar, Mirror), target: &Target, now: Ts) -> (Plan, f64) {
    let calendars = [source.0.clone(), target.calendar.clone()];
    let rules = rule::effective(&[], &calendars, &rule::RuleDefaults::default());
    let into = |rule: &&Rule| rule.target == target.calendar.id;
    let inputs =
        rules.iter().filter(into).map(|rule| RuleInput { rule, source: &source.0, mirror: &source.1 });
    let identity = Identity::new([7; 32]);
    let input = PlanInput {
        target: &target.calendar,
        rules: inputs.collect(),
        mirror: &target.mirror,
        ledger: &target.ledger,
        identity: &identity,
        capabilities: Capabilities {
            chooses_ids: Ids::Client,
            push: None,
            tentative: Tentativeness::Shown,
            concurrent_calls: 4,
            listing: Listing::Unbounded,
        },
        window: Window::sliding(now, DAYS.0, DAYS.1),
        hold: None,
        now,
    };
    let began = Instant::now();
    let made = plan(&input);
    (made, began.elapsed().as_secs_f64() * 1e3)
}

impl Target {
    /// As if the provider had taken everything as it was sent.
    fn carry_out(&mut self, plan: &Plan, now: Ts) {
        for action in &plan.actions {
            let Some(WriteOp::Create { id: Some(id), content, marker, .. }) = &action.write else { continue };
            let fingerprint = content.fingerprint();
            self.mirror.blocks.insert(
                id.clone(),
                ObservedBlock {
                    id: id.clone(),
                    version: Some("1".to_owned()),
                    updated: Some(now),
                    marker: Some(marker.clone()),
                    fingerprint,
                    span: content.span,
                    has_guests: false,
                    ical_uid: None,
                    is_free: false,
                },
            );
            self.ledger.push(LedgerRow {
                block: Some(id.clone()),
                state: LedgerState::Live,
                echo: Some(fingerprint),
                written_at: Some(now),
                ..action.row.clone()
            });
        }
        self.ledger.sort_by_key(|row| row.correlation);
    }
}

fn calendar(number: u8, now: Ts) -> Calendar {
    let id = Uuid::from_u128(u128::from(number) + 1);
    Calendar {
        name: format!("Calendar {number}"),
        time_zone: "Europe/Vienna".to_owned(),
        access: Access::Owner,
        sync_enabled: true,
        last_synced_at: Some(now),
        last_full_sync: Some(now),
        plan_due: true,
        ..Calendar::new(
            CalendarId(id),
            AccountId(Uuid::from_u128(1)),
            UserId(Uuid::from_u128(1)),
            CalendarRef {
                provider: "google".to_owned(),
                account: "ada@example.com".to_owned(),
                calendar: format!("calendar-{number}"),
            },
        )
    }
}

/// A calendar of so many events, spread over the window by a fixed rule.
fn source(events: u32, now: Ts) -> Mirror {
    let weekly = Recurrence { lines: vec!["RRULE:FREQ=WEEKLY".to_owned()] };
    let mut mirror = Mirror::default();
    let from = now.floor_day();
    for number in 0..events {
        // Coprime to the minutes of 84 days: no two starts are equal before all were used.
        let minutes = i64::from(number) * 7_919 % (84 * 24 * 60);
        let start = from.plus(SignedDuration::from_mins(minutes));
        let is_series = number % SERIES_ONE_IN == 0;
        let id = EventId(format!("event{number:08}"));
        let event = Event {
            id: id.clone(),
            version: Some("1".to_owned()),
            updated: Some(now),
            ical_uid: Some(format!("{number}@example.com")),
            when: Some(When::Timed {
                start,
                end: start.plus(SignedDuration::from_mins(30)),
                zone: Some("Europe/Vienna".to_owned()),
            }),
            series: if is_series { Series::Master { recurrence: weekly.clone() } } else { Series::Single },
            status: Status::Confirmed,
            show_as: ShowAs::Busy,
            response: None,
            kind: EventKind::Default,
            text: None,
        };
        mirror.events.insert(id, event);
    }
    mirror
}
