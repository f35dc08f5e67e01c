//! The connection as callers use it: there or gone. A caller never waits for a Redis that is gone, and for one that is
//! there no longer than `CALL`; the first failure makes it gone for everybody. It never connects: the keeper does.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Cmd, FromRedisValue, RedisResult};
use tokio::sync::Notify;

use super::{Address, Trouble};

/// Longest wait for an answer.
pub const CALL: Duration = Duration::from_millis(250);
/// Longest wait for a new connection: name, TLS and password included. Only the keeper waits for it.
const CONNECT: Duration = Duration::from_secs(2);

/// There is no Redis just now: go on without it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("Redis does not answer")]
pub struct Gone;

/// A way to Redis.
pub struct Link {
    address: Address,
    client: ::redis::Client,
    /// Has to succeed before Redis counts as there: something that needs every permission and a write.
    probe: Cmd,
    state: Mutex<State>,
    lost: Notify,
}

/// The connection in use, and its number: whoever failed on an older one has nothing to say about this one.
struct State {
    line: Option<MultiplexedConnection>,
    number: u64,
    trouble: Option<Trouble>,
}

impl Link {
    /// To this address. Nothing is connected yet; `probe` is tried on every new connection.
    pub fn new(address: Address, probe: Cmd) -> Link {
        let state = Mutex::new(State { line: None, number: 0, trouble: None });
        Link { client: address.client(), address, probe, state, lost: Notify::new() }
    }

    /// Where it leads.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Whether Redis is there, as far as is known.
    pub fn is_up(&self) -> bool {
        self.state().line.is_some()
    }

    /// Asks Redis. Answers within `CALL`, and at once while Redis is gone.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Gone> {
        let (line, number) = {
            let state = self.state();
            (state.line.clone(), state.number)
        };
        let mut line = line.ok_or(Gone)?;
        match within(CALL, command.query_async(&mut line)).await {
            Ok(answer) => Ok(answer),
            Err(trouble) => {
                self.lose(number, trouble);
                Err(Gone)
            }
        }
    }

    /// Whether Redis is there and lets us do what we need: asked once, on a connection that is not kept.
    pub async fn probe(&self) -> Result<(), Trouble> {
        self.open().await.map(drop)
    }

    /// Makes a connection and tries it.
    pub(super) async fn open(&self) -> Result<MultiplexedConnection, Trouble> {
        // Time is limited here, for all of it, and not by the client step by step.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        let mut line = within(CONNECT, connecting).await?;
        let _: i64 = within(CALL, self.probe.query_async(&mut line)).await?;
        Ok(line)
    }

    /// From now on it is there.
    pub(super) fn restore(&self, line: MultiplexedConnection) {
        let mut state = self.state();
        state.number += 1;
        state.trouble = None;
        state.line = Some(line);
    }

    /// Waits until it is gone, and says why.
    pub(super) async fn until_lost(&self) -> Trouble {
        loop {
            if let Some(trouble) = self.state().trouble {
                return trouble;
            }
            self.lost.notified().await;
        }
    }

    fn lose(&self, number: u64, trouble: Trouble) {
        let mut state = self.state();
        if state.number == number && state.line.take().is_some() {
            state.trouble = Some(trouble);
            self.lost.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("address", &self.address).field("is_up", &self.is_up()).finish()
    }
}

async fn within<T>(most: Duration, asked: impl Future<Output = RedisResult<T>>) -> Result<T, Trouble> {
    match tokio::time::timeout(most, asked).await {
        Ok(answer) => answer.map_err(|error| Trouble::of(&error)),
        Err(_) => Err(Trouble::Slow),
    }
}
