//! What instances tell each other through the database: that there may be work, and nothing else. Sent after the commit
//! and outside it (a transaction that notifies keeps all other such transactions from committing), at most every
//! `APART`. It may be lost with the connection: workers look by themselves as well, seldom.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use calsync_core::ports::StoreError;
use sqlx::postgres::PgListener;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;

use super::super::value::vals;
use super::home::{ANSWER, Home};
use super::{error, value};

/// The channel. Names no schema: two installations in one database only wake each other needlessly.
const CHANNEL: &str = "calendar_sync_work";
const RING: &str = "SELECT pg_notify('calendar_sync_work', $1)";
/// Rings are at least so far apart.
const APART: Duration = Duration::from_millis(20);
/// How long the last ring may take: whoever leaves does not wait for a server that is gone.
const LAST: Duration = Duration::from_secs(1);
/// Rest after the server did not take one, or did not let us listen.
const AGAIN: Duration = Duration::from_secs(2);

/// Tells other instances, and hears from them.
pub(crate) struct Bell {
    home: Arc<Home>,
    /// Tells our own rings from others'.
    me: String,
    listener: Mutex<Option<PgListener>>,
    rope: Arc<Rope>,
    ringer: JoinHandle<()>,
}

/// How often it was pulled, and up to which pull others have been told.
#[derive(Default)]
struct Rope {
    pull: Notify,
    pulled: AtomicU64,
    told: AtomicU64,
}

impl Bell {
    pub(super) fn new(home: Arc<Home>, me: String) -> Bell {
        let rope = Arc::new(Rope::default());
        let ringer = tokio::spawn(ring_when_pulled(home.clone(), me.clone(), rope.clone()));
        Bell { home, me, listener: Mutex::new(None), rope, ringer }
    }

    /// Others should look. Returns at once.
    pub(crate) fn ring(&self) {
        self.rope.pulled.fetch_add(1, Ordering::SeqCst);
        self.rope.pull.notify_one();
    }

    /// Returns when another instance rang, or may have while we could not hear.
    pub(crate) async fn rung(&self) -> Result<(), StoreError> {
        if self.home.place.pooled {
            // Nothing is heard through a pooler: the connection is another one for every transaction.
            return std::future::pending().await;
        }
        let mut listener = self.listener.lock().await;
        let Some(open) = listener.as_mut() else {
            *listener = Some(self.listen().await?);
            return Ok(());
        };
        loop {
            let told = tokio::select! {
                told = open.try_recv() => told,
                // The others broke, or fell silent: this one may have done so without our noticing.
                () = self.home.renewed.notified() => {
                    *listener = None;
                    *listener = Some(self.listen().await?);
                    return Ok(());
                }
            };
            match told {
                Ok(Some(told)) if told.payload() == self.me => {}
                Ok(Some(_)) => return Ok(()),
                // It was cut off, and is connected again.
                Ok(None) => return Ok(()),
                Err(e) => {
                    *listener = None;
                    return Err(error(e));
                }
            }
        }
    }

    async fn listen(&self) -> Result<PgListener, StoreError> {
        let mut listener = PgListener::connect_with(&self.home.place.one()).await.map_err(error)?;
        listener.listen(CHANNEL).await.map_err(error)?;
        Ok(listener)
    }

    /// Tells what was not told yet: a command rings and leaves at once, and must be heard all the same.
    pub(crate) async fn close(&self) {
        self.ringer.abort();
        if self.rope.told.load(Ordering::SeqCst) < self.rope.pulled.load(Ordering::SeqCst) {
            let told = tokio::time::timeout(LAST, ring(&self.home, &self.me)).await;
            if !matches!(told, Ok(Ok(()))) {
                tracing::debug!("other instances could not be told of the last work");
            }
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.ringer.abort();
    }
}

async fn ring_when_pulled(home: Arc<Home>, me: String, rope: Arc<Rope>) {
    loop {
        rope.pull.notified().await;
        let pulled = rope.pulled.load(Ordering::SeqCst);
        match ring(&home, &me).await {
            Ok(()) => {
                rope.told.store(pulled, Ordering::SeqCst);
                tokio::time::sleep(APART).await;
            }
            Err(error) => {
                tracing::debug!(%error, "other instances could not be told of work");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn ring(home: &Arc<Home>, me: &str) -> Result<(), StoreError> {
    home.statement(ANSWER, RING, value::single(vals![me])?).await?;
    Ok(())
}
