//! `bench scale`: what lookups, lists and figures take in small and in large installations, after a while of life that
//! nobody cleaned up behind, and whether they are right: each is compared with a count of every row.

mod questions;
mod report;
mod timing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use calsync_core::ids::NotificationId;
use calsync_core::notification::Wants;
use calsync_core::ports::{Clock, IdGen, NewNotification, Recorded, Store};
use calsync_core::subscription::SubscriptionStatus;
use calsync_store::limits::subscription_id;
use calsync_store::scale::{self, Population};
use calsync_store::{Migrate, SqlStore};
use clap::Args;

use super::failed;
use super::ground::{self, Ground};
use crate::cli::exit::{Exit, Failure};
use crate::out::Out;
use crate::system::{SystemClock, SystemRandom};
use report::Size;

/// Subscriptions that are suspended and come back by the service's own way: one after the other, as it happens.
const SUSPENDED: u64 = 500;
/// Notifications that come in by the service's own way, so that the figures that it keeps are among what is compared.
const RECEIVED: u64 = 200;

/// What lookups and figures take as an installation grows, compared with counts of every row
///
/// For each size it fills a database of its own, changes three of ten subscriptions and notifications without cleaning up,
/// and asks what the service asks: subscriptions by their channel, those that need attention, what is due, the figures of
/// 24 hours and the health document. What needs attention does not grow with the size: so many of each kind. The exit code
/// is 1 if one answer differs from the count of all rows.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Example:\n  calendar-sync bench scale --database postgres://user:password@localhost/postgres \
                        --subscriptions 10000,100000,1000000"
)]
pub struct ScaleArgs {
    /// Server to measure on, or a file beside which to measure; a database of its own is made there and removed
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Numbers of subscriptions to measure with, the smallest first
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "10000,100000",
          value_parser = clap::value_parser!(u64).range(100..=2_000_000), num_args = 1..=6)]
    pub subscriptions: Vec<u64>,
    /// Notifications of 36 hours, for each number of subscriptions or for all; as many as subscriptions if not given
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(100..=20_000_000),
          num_args = 1..=6)]
    pub notifications: Vec<u64>,
    /// What is wrong, or due, or waits: so many of each kind, but a hundredth of the smallest size at most
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=900))]
    pub troubled: u64,
    /// How often each question is asked
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub repeat: u32,
}

/// Measures and tells.
pub(super) async fn run(args: &ScaleArgs, out: Out) -> Result<Exit, Failure> {
    let mut sizes = Vec::new();
    let mut kind = "";
    // The same at all sizes.
    let smallest = args.subscriptions.iter().chain(&args.notifications).min().map_or(0, |least| least / 100);
    for (at, subscriptions) in args.subscriptions.iter().enumerate() {
        let notifications = args.notifications.get(at).or(args.notifications.last()).unwrap_or(subscriptions);
        let population = Population {
            subscriptions: *subscriptions,
            notifications: *notifications,
            troubled: args.troubled.min(smallest),
            now: SystemClock.now(),
        };
        let size = ground::on_own(args.database.as_deref(), None, async |ground| {
            kind = ground.kind();
            measure(ground, population, args.repeat).await
        });
        sizes.push(size.await?);
    }
    let report = report::of(kind, sizes);
    out.result(&report.tell(), &report);
    Ok(if report.is_right() { Exit::Ok } else { Exit::Failed })
}

async fn measure(ground: &mut Ground, population: Population, repeat: u32) -> Result<Size, Failure> {
    let store = Arc::new(SqlStore::open(&ground.url("scale.db"), Migrate::Run).await?);
    let began = Instant::now();
    store.populate(&population).await?;
    if let Some(server) = ground.as_server() {
        // As its own cleaning would have done by now, had the rows come one by one.
        server.own.vacuum().await?;
    }
    let filling = began.elapsed();
    let began = Instant::now();
    store.churn(&population).await?;
    receive(&store, population.subscriptions).await?;
    suspend(&store, &population).await?;
    let living = began.elapsed();
    let lines = questions::ask(&store, &population, repeat).await?;
    store.close().await;
    Ok(report::size(&population, seconds(filling), seconds(living), lines))
}

/// Some change their state, which figures are kept of.
async fn suspend(store: &SqlStore, p: &Population) -> Result<(), Failure> {
    for status in [SubscriptionStatus::Suspended, SubscriptionStatus::Active] {
        for number in 0..SUSPENDED.min(p.subscriptions) {
            let id = subscription_id(u32::try_from(number).map_err(failed)?);
            store.set_subscription_status(id, status, None).await?;
        }
    }
    Ok(())
}

fn seconds(time: Duration) -> f64 {
    super::figures::rounded(time.as_secs_f64())
}

/// Some come in by the service's own way.
async fn receive(store: &Arc<SqlStore>, subscriptions: u64) -> Result<(), Failure> {
    for number in 0..RECEIVED {
        let now = SystemClock.now();
        let of = number * 7 % subscriptions;
        let new = NewNotification {
            id: NotificationId(SystemRandom.uuid(now)),
            subscription: subscription_id(u32::try_from(of).map_err(failed)?),
            calendar: scale::calendar(of),
            notification_id: format!("fresh-{number}"),
            received_at: now,
            headers: serde_json::json!({}),
            payload: serde_json::Value::Null,
            wants: Wants::Sync,
        };
        if store.record_notification(new).await? != Recorded::New {
            return Err(failed("a new notification was taken for an old one"));
        }
    }
    Ok(())
}
