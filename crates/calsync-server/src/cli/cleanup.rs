//! `cleanup-webhook-data`: what is over and older than so many days goes, in batches. What is in use never does; that is
//! the store's word, not this one's.

use calsync_core::retention::{RETENTION_DAYS, RETENTION_DAYS_MAX};
use clap::Args;
use serde_json::json;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::out::Progress;
use crate::service::cleanup::{self, Cleanup};

/// `cleanup-webhook-data`
#[derive(Args, Debug)]
pub struct CleanupArgs {
    /// What is over is kept for so many days; subscriptions for 8 at least, memories of blocks for 30, the audit log and
    /// alerts for a year
    #[arg(long, value_name = "N", default_value_t = RETENTION_DAYS,
          value_parser = clap::value_parser!(u16).range(1..=i64::from(RETENTION_DAYS_MAX)))]
    pub days: u16,
    /// Only tell how much would go
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs it.
pub async fn run(args: &CleanupArgs, context: &Context) -> Result<Exit, Failure> {
    let (store, now) = (context.store.as_ref(), context.now());
    let found = cleanup::count(store, args.days, now).await?;
    let gone = if args.dry_run {
        found
    } else {
        let progress = Progress::start(context.out, "Rows deleted", found.total());
        cleanup::clean(store, args.days, now, |rows| progress.step(rows)).await?
    };
    let verb = if args.dry_run { "nothing was deleted; this would delete" } else { "deleted" };
    let value = json!({"days": args.days, "dry_run": args.dry_run, "rows": gone, "total": gone.total()});
    context.out.result(&words(verb, args.days, &gone), &value);
    Ok(Exit::Ok)
}

fn words(verb: &str, days: u16, rows: &Cleanup) -> String {
    let mut text = format!("{verb} {} rows that were over for {days} days or more\n", rows.total());
    for (count, what) in [
        (rows.notifications, "finished notifications"),
        (rows.subscriptions, "subscriptions out of use"),
        (rows.runs, "runs"),
        (rows.journal, "rows of the journal"),
        (rows.ledger, "memories of blocks that are gone"),
        (rows.figures, "figures by the minute"),
        (rows.audit, "lines of the audit log"),
        (rows.alerts, "resolved alerts"),
    ] {
        if count > 0 {
            text.push_str(&format!("{count:>9}  {what}\n"));
        }
    }
    text
}
