//! How a message about an alert leaves this machine: by mail, to Slack, to a webhook. One try each, bounded in time; what
//! went wrong is told in words for people. It never decides who is told what or when, never tries again by itself, and
//! never lets a secret (a password, the path of a URL) into an error.

pub mod channels;
pub mod destination;
mod email;
pub mod guard;
mod resolver;
pub mod signature;
mod slack;
mod transport;
mod webhook;
mod words;

use std::time::Duration;

use async_trait::async_trait;
use calsync_core::alert::{Again, AlertMessage};

pub use channels::{Channels, Named, NoChannels, unusable};
pub use resolver::{Lookup, SystemLookup};

/// No try takes longer, from the look-up of the name to the last word of the answer.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A way to tell people.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Tries once. `Ok` only when the other side has said that it has the message.
    async fn deliver(&self, message: &AlertMessage) -> Result<(), Undelivered>;

    /// Whether the other side is there and lets us in. Says nothing to anybody.
    async fn answers(&self) -> Result<(), Undelivered>;
}

/// Why a message did not arrive.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Undelivered {
    /// In words for people, with what to do about it where that is known.
    pub reason: String,
    /// Whether another try may help.
    pub again: Again,
}

impl Undelivered {
    fn later(reason: impl Into<String>) -> Undelivered {
        Undelivered { reason: reason.into(), again: Again::Later(None) }
    }

    fn never(reason: impl Into<String>) -> Undelivered {
        Undelivered { reason: reason.into(), again: Again::Never }
    }
}

/// So much of what a stranger says is repeated.
const SHOWN_MAX: usize = 160;

/// What a stranger says, fit for one line of an error.
fn shown(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let plain: String = plain.take(SHOWN_MAX).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}
