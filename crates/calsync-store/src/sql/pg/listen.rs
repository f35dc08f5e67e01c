//! What instances tell each other through the database: that there may be work, and nothing else. Sent after the commit
//! and outside it (a transaction that notifies keeps all other such transactions from committing), at most every
//! `APART`. It may be lost with the connection: workers look by themselves as well, seldom.

use std::sync::Arc;
use std::time::Duration;

use calsync_core::ports::StoreError;
use sqlx::postgres::PgListener;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;

use super::super::value::vals;
use super::{Home, error, value};

/// The channel. Names no schema: two installations in one database only wake each other needlessly.
const CHANNEL: &str = "calendar_sync_work";
const RING: &str = "SELECT pg_notify('calendar_sync_work', $1)";
/// Rings are at least so far apart.
const APART: Duration = Duration::from_millis(20);
/// Rest after the server did not take one, or did not let us listen.
const AGAIN: Duration = Duration::from_secs(2);

/// Tells other instances, and hears from them.
pub(crate) struct Bell {
    home: Arc<Home>,
    /// Tells our own rings from others'.
    me: String,
    listener: Mutex<Option<PgListener>>,
    pull: Arc<Notify>,
    ringer: JoinHandle<()>,
}

impl Bell {
    pub(super) fn new(home: Arc<Home>, me: String) -> Bell {
        let pull = Arc::new(Notify::new());
        let ringer = tokio::spawn(ring_when_pulled(home.clone(), me.clone(), pull.clone()));
        Bell { home, me, listener: Mutex::new(None), pull, ringer }
    }

    /// Others should look. Returns at once.
    pub(crate) fn ring(&self) {
        self.pull.notify_one();
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
            match open.try_recv().await {
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

    pub(crate) fn close(&self) {
        self.ringer.abort();
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.close();
    }
}

async fn ring_when_pulled(home: Arc<Home>, me: String, pull: Arc<Notify>) {
    loop {
        pull.notified().await;
        let rung = match value::single(vals![me.as_str()]) {
            Ok(arguments) => home.statement(RING, arguments).await.map_err(StoreError::from),
            Err(error) => Err(error),
        };
        match rung {
            Ok(_) => tokio::time::sleep(APART).await,
            Err(error) => {
                tracing::debug!(%error, "other instances could not be told of work");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}
