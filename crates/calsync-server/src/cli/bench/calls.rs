//! `bench calls`: a day of people's lives in virtual time, with a simulated provider that pushes at once, and the calls
//! that the engine makes to keep everybody's calendars in step; against polling, and against the least that is possible.

pub(super) mod counted;
mod day;

use clap::Args;
use serde::Serialize;

use super::figures::{grouped, number, ratio, rounded};
use super::world::{Post, Shape, shapes};
use crate::cli::args::Providers;
use crate::cli::exit::{Exit, Failure};
use crate::out::Out;
use counted::Calls;

/// Polls of one calendar in a day: one each 15 minutes (spec §10).
pub(super) const POLLS_PER_DAY: u64 = 24 * 4;

/// Calls to the provider for a day of changes, against polling
///
/// People live a simulated day: they make, move, cancel and edit events and series, invite and answer. The provider
/// pushes each change at once. Counted are all calls from then on, upkeep included: daily full listings, looks at silent
/// channels, renewals. Polling would list each calendar every 15 minutes and write the same blocks.
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example:\n  calendar-sync bench calls --people 30 --changes 8")]
pub struct CallsArgs {
    /// People
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub people: u32,
    /// Calendars of each
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=4))]
    pub calendars: u8,
    /// Changes that each makes in the day
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub changes: u32,
    /// Where everybody has their calendars
    #[arg(long, value_name = "WHERE", default_value = "google")]
    pub provider: Providers,
    /// The lives to live: the same number repeats them
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// What a day came to.
#[derive(Clone, Copy, Default)]
struct Day {
    calendars: u64,
    changes: u64,
    /// Calendars that somebody's change touched, for each change: each has to be listed once.
    changed_calendars: u64,
    /// Calls that a change led to.
    after_changes: Calls,
    /// All other calls.
    upkeep: Calls,
}

impl Day {
    fn plus(self, other: Day) -> Day {
        Day {
            calendars: self.calendars + other.calendars,
            changes: self.changes + other.changes,
            changed_calendars: self.changed_calendars + other.changed_calendars,
            after_changes: self.after_changes.plus(other.after_changes),
            upkeep: self.upkeep.plus(other.upkeep),
        }
    }
}

/// The result.
#[derive(Serialize)]
struct Report {
    people: u32,
    calendars: u64,
    changes: u64,
    calls: u64,
    after_changes: Calls,
    upkeep: Calls,
    polling_calls: u64,
    fewer_than_polling: f64,
    fewer_listings_than_polling: f64,
    calls_per_change: f64,
    least_calls_per_change: f64,
    calls_to_least: f64,
}

/// Lives and tells.
pub(super) fn run(args: &CallsArgs, out: Out) -> Result<Exit, Failure> {
    let crowds = shapes::of_people(args.people, args.calendars);
    let shape = |(at, crowd)| {
        let (seed, homes) = (args.seed.wrapping_add(at), args.provider.into());
        Shape { crowd, seed, homes, post: Post::AtOnce, dropped: 0 }
    };
    let clouds: Vec<Shape> = (0..).zip(crowds).map(shape).collect();
    let days = shapes::all(&clouds, |cloud| crate::cli::block_on(day::live(*cloud, args.changes))?)?;
    let all = days.into_iter().fold(Day::default(), Day::plus);
    let report = report(args.people, &all);
    out.result(&report.tell(), &report);
    Ok(Exit::Ok)
}

fn report(people: u32, day: &Day) -> Report {
    let all = day.after_changes.plus(day.upkeep);
    let polls = day.calendars * POLLS_PER_DAY;
    let polling = polls + all.writes;
    let least = day.changed_calendars + day.after_changes.writes;
    let per_change = |calls: u64| rounded(ratio(number(calls), number(day.changes)));
    Report {
        people,
        calendars: day.calendars,
        changes: day.changes,
        calls: all.total(),
        after_changes: day.after_changes,
        upkeep: day.upkeep,
        polling_calls: polling,
        fewer_than_polling: rounded(1.0 - ratio(number(all.total()), number(polling))),
        fewer_listings_than_polling: rounded(1.0 - ratio(number(all.total() - all.writes), number(polls))),
        calls_per_change: per_change(day.after_changes.total()),
        least_calls_per_change: per_change(least),
        calls_to_least: rounded(ratio(number(day.after_changes.total()), number(least))),
    }
}

impl Report {
    fn tell(&self) -> String {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        format!(
            "One day of {} people with {} calendars and {} changes.\n\n\
             calls by push                {:>8}     after changes {}; upkeep {}\n\
             calls by polling             {:>8}     every 15 minutes, and the same blocks written\n\
             fewer calls than polling     {:>8}\n\
             fewer, blocks written aside  {:>8}\n\
             calls for one change         {:>8.2}     at least {:.2}: one listing, and each block that changes\n\
             ratio to the least           {:>8.2}",
            self.people,
            self.calendars,
            self.changes,
            grouped(number(self.calls)),
            self.after_changes.tell(),
            self.upkeep.tell(),
            grouped(number(self.polling_calls)),
            percent(self.fewer_than_polling),
            percent(self.fewer_listings_than_polling),
            self.calls_per_change,
            self.least_calls_per_change,
            self.calls_to_least,
        )
    }
}
