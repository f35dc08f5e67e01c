//! `bench prune`: old notifications are deleted, a few at a time, while new ones come in: how fast, how much receipt feels
//! of it, how long the longest batch takes, and what becomes of the space.

mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::{Clock, Prunable, Store};
use calsync_core::time::Ts;
use calsync_store::scale::Population;
use calsync_store::{Migrate, SqlStore};
use clap::Args;
use jiff::SignedDuration;

use super::ground::{self, Ground};
use super::load::{Load, Loaded, Sender, Until};
use super::receipt::servers::{self, Metrics};
use super::{failed, people};
use crate::cli::exit::{Exit, Failure};
use crate::out::Out;
use crate::system::SystemClock;
use report::{Deleted, Phase, Sizes};

/// Channels that deliver meanwhile.
const SENDERS: u32 = 1_000;
/// Subscriptions that the old notifications belong to.
const SUBSCRIPTIONS: u64 = 10_000;
/// The old notifications are of 36 hours; what is older than this goes: three of four.
const KEPT: SignedDuration = SignedDuration::from_hours(9);
/// Deleting is given up after so long.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// The file.
const FILE: &str = "prune.db";

/// How fast old notifications are deleted while new ones come in, and what receipt feels of it
///
/// Fills a database of its own with notifications of 36 hours, and deletes three quarters of them in batches, as the
/// service does, while others are received. Receipts are measured before, meanwhile and afterwards; then the space is
/// cleaned up (PostgreSQL) and filled again.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Example:\n  calendar-sync bench prune --database postgres://user:password@localhost/postgres --rows 10000000"
)]
pub struct PruneArgs {
    /// Server to measure on, or a file beside which to measure; a database of its own is made there and removed
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Notifications that are there
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1_000..=20_000_000))]
    pub rows: u64,
    /// Notifications deleted in one transaction at most
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub batch: u32,
    /// Rest between two batches, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub rest: u64,
    /// Connections that deliver meanwhile
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub connections: u16,
    /// Length of the measurements of receipt before and afterwards
    #[arg(long, value_name = "S", default_value = "5", value_parser = super::receipt::seconds)]
    pub seconds: f64,
}

/// Measures and tells.
pub(super) async fn run(args: &PruneArgs, out: Out) -> Result<Exit, Failure> {
    let report =
        ground::on_own(args.database.as_deref(), None, async |ground| measure(args, ground).await).await?;
    out.result(&report.tell(), &report);
    Ok(if report.is_sound() { Exit::Ok } else { Exit::Failed })
}

async fn measure(args: &PruneArgs, ground: &mut Ground) -> Result<report::Report, Failure> {
    let store = SqlStore::open(&ground.url(FILE), Migrate::Run).await?;
    let now = SystemClock.now();
    let population = Population { subscriptions: SUBSCRIPTIONS, notifications: args.rows, troubled: 0, now };
    store.populate(&population).await?;
    let senders = senders(&store, now).await?;
    if let Some(server) = ground.as_server() {
        server.own.vacuum().await?;
    }
    store.close().await;
    let full = size(ground).await?;

    let store = SqlStore::open(&ground.url(FILE), Migrate::Check).await?;
    let service = servers::service(store, Metrics::Counted).await?;
    let length = Duration::from_secs_f64(args.seconds);
    let load = Load {
        to: service.address,
        connections: args.connections,
        until: Until { time: length, count: u64::MAX },
        senders: Arc::new(senders),
        used: 0,
    };
    let mut sent = Sent { load, acknowledged: 0 };
    let before = sent.go().await?;
    let pruning = Arc::new(AtomicBool::new(true));
    let task = tokio::spawn(delete(ground.url(FILE), args.clone(), now.minus(KEPT), pruning.clone()));
    let mut meanwhile = Loaded::default();
    while pruning.load(Ordering::Relaxed) {
        meanwhile.add(sent.go_on().await?);
    }
    let deleted = task.await.map_err(failed)??;
    let afterwards = sent.go().await?;
    let stored = service.stored().await?;
    service.stop().await;

    let emptied = size(ground).await?;
    let cleaned = match ground.as_server() {
        Some(server) => {
            server.own.vacuum().await?;
            Some(size(ground).await?)
        }
        None => None,
    };
    let store = SqlStore::open(&ground.url(FILE), Migrate::Check).await?;
    store.notifications_again(&population, args.rows..args.rows + deleted.rows).await?;
    store.close().await;
    let sizes = Sizes { full, emptied, cleaned, filled_again: size(ground).await? };
    let expected = args.rows + sent.acknowledged - deleted.rows;
    let phases = [before, Phase::of(&meanwhile), afterwards];
    Ok(report::Report::of(ground.kind(), args, phases, deleted, sizes, (expected, stored)))
}

/// Those who deliver, with channels of their own.
async fn senders(store: &SqlStore, now: Ts) -> Result<Vec<Sender>, Failure> {
    let mut senders = Vec::new();
    for calendar in people::one_with(SENDERS, ProviderKind::Google, store, now).await? {
        let (subscription, sender) = people::channel(ProviderKind::Google, calendar, now);
        people::put_in_use(store, &subscription).await?;
        senders.push(sender);
    }
    Ok(senders)
}

/// The load, each time with numbers that were not delivered yet.
struct Sent {
    load: Load,
    acknowledged: u64,
}

impl Sent {
    async fn go(&mut self) -> Result<Phase, Failure> {
        Ok(Phase::of(&self.go_on().await?))
    }

    async fn go_on(&mut self) -> Result<Loaded, Failure> {
        let loaded = self.load.clone().run().await.map_err(failed)?;
        self.load.used += loaded.acknowledged + loaded.errors + u64::from(self.load.connections);
        self.acknowledged += loaded.acknowledged;
        Ok(loaded)
    }
}

/// Deletes until nothing is left to delete, on connections of its own, as another instance would.
async fn delete(
    url: String,
    args: PruneArgs,
    before: Ts,
    pruning: Arc<AtomicBool>,
) -> Result<Deleted, Failure> {
    let done = Done(pruning);
    let store = SqlStore::open(&url, Migrate::Check).await?;
    let (mut rows, mut batches, mut longest) = (0, Vec::new(), Duration::ZERO);
    let began = Instant::now();
    loop {
        let sent = Instant::now();
        let gone = store.prune(Prunable::Notifications, before, args.batch).await?;
        let took = sent.elapsed();
        if gone == 0 || began.elapsed() > PATIENCE {
            break;
        }
        rows += gone;
        longest = longest.max(took);
        batches.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        tokio::time::sleep(Duration::from_millis(args.rest)).await;
    }
    let took = began.elapsed();
    store.close().await;
    drop(done);
    Ok(Deleted::of(rows, took, batches, longest))
}

/// Says so when it goes, whatever became of the deleting.
struct Done(Arc<AtomicBool>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

async fn size(ground: &mut Ground) -> Result<report::Bytes, Failure> {
    if let Some(server) = ground.as_server() {
        let size = server.own.size().await?;
        return Ok(report::Bytes { table: size.table, indexes: Some(size.indexes) });
    }
    let file = std::fs::metadata(ground.path(FILE)).map_err(failed)?;
    Ok(report::Bytes { table: file.len(), indexes: None })
}
