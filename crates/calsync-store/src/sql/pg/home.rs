//! The pool in use, and whether the server is there at all. While it is not, one task looks for it and nobody else waits:
//! everybody is told at once what that task found. Never opens more connections than it may, but for that one.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use calsync_core::ports::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Connection as _, Postgres, SqlSafeStr, Transaction};
use tokio::sync::{Mutex, Notify};

use super::super::value::Row;
use super::error::{self, error, silent};
use super::place::Place;
use super::value::{self, Keep};

/// A statement without an answer for so long gets none: the server itself gives up before (`SESSION`).
pub(super) const ANSWER: Duration = Duration::from_secs(20);
/// The same for what a provider waits for, which it does for three seconds.
pub(super) const PROMPT: Duration = Duration::from_secs(2);
/// How long somebody who waited in vain looks whether the server is there.
const LOOK: Duration = Duration::from_millis(500);
/// How long the task that looks for the server lets it take, and how often it looks.
const LOOK_LONG: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Pools that may be given up under somebody who waits for a connection.
const POOLS: u32 = 4;

/// The pool in use, and how to make another.
pub(super) struct Home {
    pub(super) place: Place,
    pool: RwLock<Numbered>,
    /// Why nobody waits for the server, while it is away.
    away: RwLock<Option<StoreError>>,
    /// Held by whoever looks whether it is there.
    looking: Mutex<()>,
    closed: AtomicBool,
    /// Another pool is in use from now on.
    pub(super) renewed: Notify,
}

/// A pool, told apart from those before it.
#[derive(Clone)]
struct Numbered {
    number: u64,
    pool: PgPool,
}

/// What went wrong, and whether the connection it went wrong on is of no use any more.
pub(super) struct Failure {
    pub(super) error: StoreError,
    pub(super) dead: bool,
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> StoreError {
        failure.error
    }
}

/// Something of a pool, and which pool that was.
pub(super) struct Of<T> {
    pub(super) it: T,
    number: u64,
}

impl Home {
    pub(super) fn new(place: Place) -> Home {
        let pool = RwLock::new(Numbered { number: 0, pool: place.pool() });
        let (away, looking, closed) = (RwLock::new(None), Mutex::new(()), AtomicBool::new(false));
        Home { place, pool, away, looking, closed, renewed: Notify::new() }
    }

    fn current(&self) -> Numbered {
        self.pool.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The pool that is in use now.
    pub(super) fn pool(&self) -> PgPool {
        self.current().pool
    }

    fn away(&self) -> Option<StoreError> {
        self.away.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The connections of this pool are of no use any more: a server that was restarted has forgotten all of them. Many
    /// may say so at once, of one pool.
    fn renew(&self, number: u64) {
        let mut current = self.pool.write().unwrap_or_else(PoisonError::into_inner);
        if current.number != number || self.closed.load(Ordering::Relaxed) {
            return;
        }
        let fresh = Numbered { number: number + 1, pool: self.place.pool() };
        let old = std::mem::replace(&mut *current, fresh);
        drop(current);
        tokio::spawn(async move { old.pool.close().await });
        self.renewed.notify_waiters();
    }

    /// Waits for the server, but not for ever; takes note of a connection that broke.
    pub(super) async fn answer<T>(
        self: &Arc<Home>,
        number: u64,
        patience: Duration,
        asked: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(patience, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(e)) => Err(self.failed(number, e).await),
            Err(_) => {
                self.renew(number);
                let error = Box::pin(self.look()).await.unwrap_or_else(|| silent(patience));
                Err(Failure { error, dead: false })
            }
        }
    }

    async fn failed(self: &Arc<Home>, number: u64, e: sqlx::Error) -> Failure {
        let dead = error::is_dead(&e);
        if dead {
            self.renew(number);
        }
        // The pool has tried for as long as it may, and does not say what was wrong.
        let found = if matches!(e, sqlx::Error::PoolTimedOut) { Box::pin(self.look()).await } else { None };
        Failure { error: found.unwrap_or_else(|| error(e)), dead }
    }

    /// Takes something from the pool, unless the server is away.
    async fn take<T, F: Future<Output = Result<T, sqlx::Error>>>(
        self: &Arc<Home>,
        patience: Duration,
        take: impl Fn(PgPool) -> F,
    ) -> Result<Of<T>, Failure> {
        let mut tries = POOLS;
        loop {
            if let Some(error) = self.away() {
                return Err(Failure { error, dead: false });
            }
            let Numbered { number, pool } = self.current();
            let take = Box::pin(take(pool));
            let taken = async {
                match take.await {
                    // Given up while we waited, for the sake of somebody else: that is no reason not to go on.
                    Err(sqlx::Error::PoolClosed) if !self.closed.load(Ordering::Relaxed) => Ok(None),
                    taken => taken.map(Some),
                }
            };
            match self.answer(number, patience, taken).await? {
                Some(it) => return Ok(Of { it, number }),
                None if tries > 1 => tries -= 1,
                None => return Err(Failure { error: error(sqlx::Error::PoolClosed), dead: false }),
            }
        }
    }

    /// A connection of the caller's own.
    pub(super) async fn connection(
        self: &Arc<Home>,
        patience: Duration,
    ) -> Result<Of<PoolConnection<Postgres>>, Failure> {
        self.take(patience, |pool| async move { pool.acquire().await }).await
    }

    /// A transaction.
    pub(super) async fn begin(
        self: &Arc<Home>,
        patience: Duration,
        how: &str,
    ) -> Result<Of<Transaction<'static, Postgres>>, Failure> {
        let how = self.place.begin(how);
        self.take(patience, |pool| {
            let how = how.clone();
            async move { pool.begin_with(AssertSqlSafe(how)).await }
        })
        .await
    }

    /// One statement outside any transaction of the caller's.
    pub(super) async fn statement(
        self: &Arc<Home>,
        patience: Duration,
        sql: impl SqlSafeStr,
        arguments: PgArguments,
    ) -> Result<(Vec<Row>, u64), Failure> {
        if self.place.pooled {
            // Behind a pooler a statement's two steps may meet two servers, unless a transaction holds them together.
            let Of { it: mut tx, number } = self.begin(patience, "BEGIN").await?;
            let done = async {
                let done = value::run(&mut tx, sql, arguments, Keep::Nothing).await?;
                tx.commit().await.map(|()| done)
            };
            return self.answer(number, patience, done).await;
        }
        let mut connection = self.connection(patience).await?;
        self.run(patience, &mut connection, sql, arguments).await
    }

    /// One statement on a connection of the caller's own.
    pub(super) async fn run(
        self: &Arc<Home>,
        patience: Duration,
        connection: &mut Of<PoolConnection<Postgres>>,
        sql: impl SqlSafeStr,
        arguments: PgArguments,
    ) -> Result<(Vec<Row>, u64), Failure> {
        let asked = value::run(&mut connection.it, sql, arguments, Keep::Prepared);
        self.answer(connection.number, patience, asked).await
    }

    /// One part of a transaction.
    pub(super) async fn part<T>(
        self: &Arc<Home>,
        number: u64,
        asked: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        Ok(self.answer(number, ANSWER, asked).await?)
    }

    /// Looks whether the server is there; what is wrong if not. From then on nobody waits for it, until it is back.
    async fn look(self: &Arc<Home>) -> Option<StoreError> {
        if let Some(away) = self.away() {
            return Some(away);
        }
        // Somebody looks already: one more connection is enough.
        let _looking = self.looking.try_lock().ok()?;
        let (wrong, is_away) = match self.meet(LOOK).await {
            Ok(()) => return None,
            Err(wrong) => wrong,
        };
        if is_away && !self.closed.load(Ordering::Relaxed) {
            *self.away.write().unwrap_or_else(PoisonError::into_inner) = Some(wrong.clone());
            tracing::warn!(error = %wrong, "the database server is away: nobody waits for it until it is back");
            tokio::spawn(look_for(Arc::downgrade(self)));
        }
        Some(wrong)
    }

    /// Connects and gets an answer; what is wrong if not, and whether that holds for everybody.
    async fn meet(&self, patience: Duration) -> Result<(), (StoreError, bool)> {
        let met = tokio::time::timeout(patience, async {
            let mut connection = PgConnection::connect_with(&self.place.options).await?;
            connection.ping().await?;
            connection.close().await
        });
        match met.await {
            Ok(Ok(())) => Ok(()),
            // Other connections may serve although there are no more to be had.
            Ok(Err(e)) => Err((error::is_dead(&e), error(e))).map_err(|(away, words)| (words, away)),
            Err(_) => Err((silent(patience), true)),
        }
    }

    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let pool = self.current().pool;
        // A server that does not answer must not keep us from stopping.
        if tokio::time::timeout(ANSWER, pool.close()).await.is_err() {
            tracing::warn!("the database did not take leave");
        }
    }
}

impl<T> Of<T> {
    /// The thing itself, and the number of its pool.
    pub(super) fn apart(self) -> (T, u64) {
        (self.it, self.number)
    }
}

/// Looks for a server that is away until it is back.
async fn look_for(home: Weak<Home>) {
    while let Some(home) = home.upgrade().filter(|home| !home.closed.load(Ordering::Relaxed)) {
        match home.meet(LOOK_LONG).await {
            Err((wrong, true)) => *home.away.write().unwrap_or_else(PoisonError::into_inner) = Some(wrong),
            Ok(()) | Err((_, false)) => {
                home.renew(home.current().number);
                *home.away.write().unwrap_or_else(PoisonError::into_inner) = None;
                tracing::info!("the database server is back");
                return;
            }
        }
        drop(home);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
