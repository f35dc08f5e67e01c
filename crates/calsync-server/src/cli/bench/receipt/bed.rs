//! The test bed: a database of a thousand subscriptions that every measurement finds as if it were new (a file is copied,
//! a server's tables are emptied), and what it costs there.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::{Clock, Store};
use calsync_core::subscription::Subscription;
use calsync_store::limits::subscription_id;
use calsync_store::{Migrate, SqlStore};

use super::super::failed;
use super::super::ground::{Ground, Server};
use super::super::load::Sender;
use super::super::people;
use super::super::process;
use crate::cli::exit::Failure;
use crate::system::SystemClock;

/// Subscriptions that deliver.
pub(super) const SUBSCRIPTIONS: u32 = 1_000;
/// The file that all measurements begin with, and the one that they fill.
const FIRST: &str = "first.db";
const MEASURED: &str = "measured.db";

/// The test bed.
pub(super) struct Bed<'a> {
    /// Who delivers.
    pub(super) senders: Arc<Vec<Sender>>,
    /// Rows that a notification belongs to, in the order of the senders.
    pub(super) subscriptions: Vec<Subscription>,
    ground: &'a mut Ground,
}

/// What was used up so far.
pub(super) struct Meter {
    /// Bytes of the database: a file's, or those of the table of notifications.
    size: u64,
    /// Bytes written: to the disk by this process, or to the server's log.
    written: Option<u64>,
    /// How often the server made its log durable.
    synced: Option<u64>,
    server_cpu: Option<Duration>,
}

/// What a measurement used up.
#[derive(Clone, Copy)]
pub(super) struct Used {
    /// See `Meter`.
    pub(super) size: u64,
    pub(super) written: Option<u64>,
    pub(super) synced: Option<u64>,
    pub(super) server_cpu: Option<Duration>,
}

impl Bed<'_> {
    /// Makes the database that all measurements begin with.
    pub(super) async fn make(ground: &mut Ground, provider: ProviderKind) -> Result<Bed<'_>, Failure> {
        let store = SqlStore::open(&ground.url(FIRST), Migrate::Run).await?;
        let now = SystemClock.now();
        let calendars = people::one_with(SUBSCRIPTIONS, provider, &store, now).await?;
        let (mut senders, mut subscriptions) = (Vec::new(), Vec::new());
        for (number, calendar) in (0..).zip(calendars) {
            let (mut subscription, sender) = people::channel(provider, calendar, now);
            subscription.id = subscription_id(number);
            people::put_in_use(&store, &subscription).await?;
            senders.push(sender);
            subscriptions.push(subscription);
        }
        store.close().await;
        if let Some(server) = ground.as_server() {
            server.own.prepare().await?;
        }
        Ok(Bed { senders: Arc::new(senders), subscriptions, ground })
    }

    /// The database as it was first, opened as the service opens its own.
    pub(super) async fn database(&mut self) -> Result<SqlStore, Failure> {
        match self.ground.as_server() {
            Some(server) => server.own.clear().await?,
            None => {
                for ending in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(self.ground.path(&format!("{MEASURED}{ending}")));
                }
                std::fs::copy(self.ground.path(FIRST), self.ground.path(MEASURED)).map_err(failed)?;
            }
        }
        Ok(SqlStore::open(&self.ground.url(MEASURED), Migrate::Check).await?)
    }

    /// What was used up so far.
    pub(super) async fn meter(&mut self) -> Result<Meter, Failure> {
        let Some(server) = self.ground.as_server() else {
            let size = len(&self.ground.path(MEASURED));
            return Ok(Meter { size, written: process::bytes_written(), synced: None, server_cpu: None });
        };
        let size = server.own.size().await?;
        let written = Some(server.own.written().await?);
        let synced = server.own.synced().await;
        Ok(Meter { size: size.table + size.indexes, written, synced, server_cpu: self.ground.server_cpu() })
    }

    /// What was used up since then.
    pub(super) async fn since(&mut self, then: &Meter) -> Result<Used, Failure> {
        let now = self.meter().await?;
        Ok(Used {
            size: now.size.saturating_sub(then.size),
            written: now.written.zip(then.written).map(|(now, then)| now.saturating_sub(then)),
            synced: now.synced.zip(then.synced).map(|(now, then)| now.saturating_sub(then)),
            server_cpu: now.server_cpu.zip(then.server_cpu).map(|(now, then)| now.saturating_sub(then)),
        })
    }

    /// A file of this name beside the database, where it is a file.
    pub(super) fn path(&self, name: &str) -> Option<std::path::PathBuf> {
        match &self.ground {
            Ground::File(_) => Some(self.ground.path(name)),
            Ground::Server(_) => None,
        }
    }

    /// The server, if it is one.
    pub(super) fn as_server(&mut self) -> Option<&mut Server> {
        self.ground.as_server()
    }
}

/// Length of a file; 0 of none.
fn len(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |m| m.len())
}
