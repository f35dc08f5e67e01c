//! `calendar-sync demo`: the whole thing on this machine alone. A simulated calendar cloud, the real service on a
//! throwaway SQLite database (or a fleet of it on a PostgreSQL), two people, real HTTP between them, and life. In the end
//! an oracle that shares no code with the service says whether every calendar holds exactly the blocks it should.

mod instance;
mod score;
mod stage;
mod tell;

use std::process::ExitCode;
use std::time::Duration;

use calsync_core::secret::Secret;
use clap::Args;

use crate::cli::args::Providers;
use crate::config::DatabaseUrl;
use crate::out::{Format, Out};
use score::Score;
use stage::Stage;

/// Longest wait for things to settle before the oracle is asked for the last time.
const SETTLE_MAX: Duration = Duration::from_secs(120);
/// Mismatches that are told.
const TOLD_MAX: usize = 20;
/// Between two questions to the oracle.
const SETTLE_STEP: Duration = Duration::from_millis(250);

/// Shows the whole service at work, with a simulated calendar cloud and nothing else.
///
/// Two people with three calendars each, at Google and Microsoft, live their lives: events are made, moved, cancelled and
/// edited as series, and each change becomes busy blocks in the person's other calendars. Needs no account and no network. Before it ends it
/// asks an oracle whether every calendar holds exactly the blocks it should: exit status 0 if so, 1 if not.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Example:\n  calendar-sync demo --for 20s\n  calendar-sync demo --for 1m --faults --instances 3 --database postgres://… --redis redis://…\n\n\
    With --json the last line of output is one object. polling_calls_equivalent is what polling the same calendars \
    every 15 minutes for one day would cost in calls, the same writes included; p50_ms and p99_ms run from a deed to its \
    last block, without deeds that the mass-deletion brake held back."
)]
pub struct DemoArgs {
    /// How long life goes on, such as 20s or 5m; until Ctrl-C if not given
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub length: Option<Duration>,
    /// The life to live: the same number repeats it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Where everybody has their calendars
    #[arg(long, value_name = "WHERE", default_value = "both")]
    pub provider: Providers,
    /// Lets the providers have bad days: lost and late notifications, errors, throttling, expired tokens
    #[arg(long)]
    pub faults: bool,
    /// Keep everything in this database, which must be empty and stays as the demo leaves it
    #[arg(long, value_name = "URL", value_parser = database)]
    pub database: Option<DatabaseUrl>,
    /// So many instances of the service on one database, each reached by the cloud under its own address
    #[arg(long, value_name = "N", default_value_t = 1, requires = "database", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub instances: u8,
    /// They share this Redis
    #[arg(long, value_name = "URL", value_parser = secret)]
    pub redis: Option<Secret>,
}

fn database(text: &str) -> Result<DatabaseUrl, String> {
    DatabaseUrl::parse(text).ok_or_else(|| format!("give {}", DatabaseUrl::ALLOWED))
}

fn secret(text: &str) -> Result<Secret, String> {
    Ok(Secret::new(text))
}

/// Reads `20s`, `5m`, `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no length of time: write it as 20s, 5m or 1h");
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "s" => Some(number),
        "m" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        _ => None,
    };
    seconds.filter(|s| (1..=7 * 86_400).contains(s)).map(Duration::from_secs).ok_or_else(wrong)
}

/// Runs the demo.
pub async fn run(args: DemoArgs, out: Out) -> ExitCode {
    let stage = match Stage::set(&args, out).await {
        Ok(stage) => stage,
        Err(why) => {
            out.error("demo_failed", &format!("the demo could not start: {why}"));
            return ExitCode::from(1);
        }
    };
    stage.introduce(out);
    let mut life = stage.live(&args, out).await;
    let judgement = stage.settle(&mut life, SETTLE_MAX, SETTLE_STEP).await;
    let score = Score::of(&stage, &life, &judgement).await;
    match out.format {
        Format::Json => {
            out.line(&serde_json::to_string(&score).expect("a score has text keys only"));
            judgement.mismatches.iter().take(TOLD_MAX).for_each(|mismatch| out.note(mismatch));
        }
        Format::Text => score.tell(&judgement, out),
    }
    stage.end().await;
    ExitCode::from(u8::from(!judgement.is_good()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        for bad in ["", "20", "s", "0s", "-1s", "1d", "99999999999999999999s", "1.5s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
