//! `bench days`: weeks of people's lives in virtual time, with the real engine on the memory store, and with more or fewer of
//! the provider's notices lost: whether every calendar is watched at every moment, by what, at which cost, and how long
//! changes wait for their blocks.

mod life;
mod report;
mod tally;
mod watch;

use clap::Args;

use super::world::shapes::{self, Crowd};
use super::world::{Post, Shape};
use crate::cli::args::Providers;
use crate::cli::exit::{Exit, Failure};
use crate::out::Out;
use report::{Column, Report};
use tally::Tally;

/// Lives of one seed have room for so many clouds.
const CLOUDS: u64 = 1_000_003;

/// Weeks of people's lives: whether calendars are always watched, by push or by looks, and at which cost
///
/// People with three calendars each live so many days, by the clocks of six zones: they make, move, cancel and edit events and
/// series, invite and answer. Of ten changes on a weekday eight come between 9 and 18, the others between 7 and 9 and between
/// 18 and 22; at weekends people make a fifth of them; nobody does anything at night. A notice of Google's takes 1 to 10
/// seconds, one of Microsoft's 5 to 180; so many of a hundred never come (--dropped). Everything else works.
///
/// At every moment at which anything happens, and just before, each calendar must have a live channel or a time by which it is
/// polled. After the last day the people rest for 26 hours, and an oracle compares every block with what should stand. The
/// exit status is 1 if a moment was uncovered, if the oracle found anything, or if a miss was judged though nothing was lost.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Examples:\n  calendar-sync bench days --seeds 1,2,3\n  calendar-sync bench days --days 1 --calendars 10000 --dropped 0 --changes 2"
)]
pub struct DaysArgs {
    /// Days
    #[arg(long, value_name = "D", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=366))]
    pub days: u32,
    /// Calendars
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub calendars: u32,
    /// Changes that each person makes on a weekday
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub changes: u32,
    /// Of a hundred notices so many never come: each number makes a column
    #[arg(long, value_name = "PERCENT,…", value_delimiter = ',', default_value = "0,10,50,100", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub dropped: Vec<u8>,
    /// Where everybody has their calendars
    #[arg(long, value_name = "WHERE", default_value = "google")]
    pub provider: Providers,
    /// The lives to live: the same number repeats them
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1")]
    pub seeds: Vec<u64>,
}

/// Lives and tells.
pub(super) fn run(args: &DaysArgs, out: Out) -> Result<Exit, Failure> {
    let columns = columns(args)?;
    let good = columns.iter().all(Column::is_good);
    let report = Report::new(args, columns);
    out.result(&report.tell(), &report);
    Ok(if good { Exit::Ok } else { Exit::Failed })
}

/// One column for each seed and each share of lost notices. The clouds of all of them are lived side by side: no processor
/// waits for the last one of a column.
fn columns(args: &DaysArgs) -> Result<Vec<Column>, Failure> {
    let crowds = shapes::of_calendars(args.calendars);
    let sorts: Vec<(u64, u8)> =
        args.seeds.iter().flat_map(|seed| args.dropped.iter().map(|dropped| (*seed, *dropped))).collect();
    let clouds: Vec<Shape> = sorts
        .iter()
        .flat_map(|(seed, dropped)| {
            crowds.iter().zip(0..).map(|(crowd, at)| shape(args, *crowd, (*seed, at), *dropped))
        })
        .collect();
    let lives =
        shapes::all(&clouds, |shape| crate::cli::block_on(life::live(*shape, args.days, args.changes))?)?;
    let mut lives = lives.into_iter();
    let column = |(seed, dropped)| {
        let tally = lives.by_ref().take(crowds.len()).fold(Tally::default(), |mut all, one| {
            all += one;
            all
        });
        Column::new(dropped, seed, tally)
    };
    Ok(sorts.into_iter().map(column).collect())
}

/// The `at`th cloud of a seed, with so many of the notices lost.
fn shape(args: &DaysArgs, crowd: Crowd, (seed, at): (u64, u64), dropped: u8) -> Shape {
    let seed = seed.wrapping_mul(CLOUDS).wrapping_add(at);
    Shape { crowd, seed, homes: args.provider.into(), post: Post::AsInLife, dropped }
}

#[cfg(test)]
mod tests;
