//! `subscription-maintenance`: one round over all push channels, under the lease that the scheduler's rounds have, so that
//! it never works beside one; or a look at what a round would do.

use calsync_engine::{Maintenance, MaintenanceDue};
use clap::Args;
use serde_json::json;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::service::{Round, Service};

/// `subscription-maintenance`
#[derive(Args, Debug)]
pub struct MaintenanceArgs {
    /// Only tell what is due
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs it.
pub async fn run(args: &MaintenanceArgs, context: &Context, service: &Service) -> Result<Exit, Failure> {
    if args.dry_run {
        let due = service.engine.maintenance_due().await?;
        let value = json!({"dry_run": true, "due": due});
        context.out.result(&due_words(&due), &value);
        return Ok(Exit::Ok);
    }
    match service.maintain_now().await? {
        Round::Done(done) => {
            let value = json!({"done": true, "counts": done});
            context.out.result(&done_words(&done), &value);
            if done.failed > 0 {
                context
                    .out
                    .note("what failed is tried again by itself; calendar-sync manage-subscriptions health");
            }
        }
        Round::Taken => {
            let value = json!({"done": false, "because": "another instance is at it"});
            context.out.result("another instance is at it right now: there is nothing to do here", &value);
        }
    }
    if !service.engine.is_public() {
        context.out.note("server.public_url is not set: no channel is opened or renewed");
    }
    Ok(Exit::Ok)
}

/// A line for each that counts anything.
fn lines(counts: &[(u64, &str)]) -> String {
    counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n:>6}  {what}\n")).collect()
}

fn due_words(due: &MaintenanceDue) -> String {
    let n = |count: usize| count as u64;
    let due = lines(&[
        (due.readmit, "calendars to be let in or out by the rollout flags"),
        (n(due.expire), "channels whose end has come"),
        (n(due.suspend), "channels to be taken out of use: they failed too often in a row"),
        (n(due.renew), "channels to be renewed"),
        (n(due.open), "channels to be opened"),
        (n(due.close), "channels to be closed at their provider"),
    ]);
    if due.is_empty() { "nothing is due".to_owned() } else { format!("nothing was done; due now:\n{due}") }
}

fn done_words(done: &Maintenance) -> String {
    let n = u64::from;
    let done = lines(&[
        (done.readmitted, "calendars let in or out by the rollout flags"),
        (done.expired, "channels had ended"),
        (n(done.suspended), "channels taken out of use: they failed too often in a row"),
        (n(done.renewed), "channels renewed"),
        (n(done.created), "channels opened"),
        (n(done.unsupported), "calendars can't be watched: they are polled"),
        (n(done.failed), "attempts failed"),
        (n(done.closed), "channels closed at their provider"),
    ]);
    if done.is_empty() { "nothing was due".to_owned() } else { done }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_as_such() {
        assert_eq!(due_words(&MaintenanceDue::default()), "nothing is due");
        assert_eq!(done_words(&Maintenance::default()), "nothing was due");
        let due = MaintenanceDue { open: 2, ..MaintenanceDue::default() };
        assert_eq!(due_words(&due), "nothing was done; due now:\n     2  channels to be opened\n");
    }
}
