//! Alerts: what a person should know. Conditions open and end one by one; people are told of them by kind (`telling`), so
//! that a thousand broken channels are one message with a number in it. Pure; sends nothing.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ids::DeliveryId;
use crate::time::Ts;

mod kind;
mod silence;
mod telling;

pub use kind::AlertKind;
pub use silence::{SILENCES_MAX, Silence, is_silent};
pub use telling::{Group, Rules, Telling, Told, tell};

/// How loud an alert is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertLevel {
    /// For the record.
    Info,
    /// Look at it when you have time.
    Warning,
    /// Look at it today.
    Error,
    /// Look at it now.
    Critical,
}

impl AlertLevel {
    /// All of them, the quietest first.
    pub const ALL: [AlertLevel; 4] =
        [AlertLevel::Info, AlertLevel::Warning, AlertLevel::Error, AlertLevel::Critical];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            AlertLevel::Info => "info",
            AlertLevel::Warning => "warning",
            AlertLevel::Error => "error",
            AlertLevel::Critical => "critical",
        }
    }
}

impl fmt::Display for AlertLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Something that a person should know, open until it is resolved (spec §2).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// Which condition: an `AlertKind`'s name, or one of a newer version.
    pub kind: String,
    /// What it is about: an account, a calendar, or empty for the whole system. One open alert per kind and subject.
    pub subject: String,
    /// How loud.
    pub level: AlertLevel,
    /// What happened.
    pub message: String,
    /// What to do.
    pub action: String,
    /// When it was first seen.
    pub first_seen: Ts,
    /// When it was last seen.
    pub last_seen: Ts,
    /// When it ended.
    #[serde(default)]
    pub resolved_at: Option<Ts>,
}

impl Alert {
    /// One that is seen now, as loud as its kind is.
    pub fn seen(
        kind: AlertKind,
        subject: impl Into<String>,
        message: String,
        action: String,
        now: Ts,
    ) -> Alert {
        Alert {
            kind: kind.as_str().to_owned(),
            subject: subject.into(),
            level: kind.level(),
            message,
            action,
            first_seen: now,
            last_seen: now,
            resolved_at: None,
        }
    }
}

/// What happened to an alert that people are told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// It opened, or became louder.
    Opened,
    /// It is still open, or concerns many more things by now.
    Reminded,
    /// It is over.
    Resolved,
    /// Somebody tries whether messages arrive.
    Test,
}

/// What people are told: plain data for every channel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AlertMessage {
    /// Its own id: the same for each try of each channel. That of the first message of a thread is the thread's.
    pub id: Uuid,
    /// The id of the alert that it is about: the same from its opening to its end.
    pub thread: Uuid,
    /// What happened.
    pub occasion: Occasion,
    /// Which condition.
    pub kind: String,
    /// How loud.
    pub level: AlertLevel,
    /// What it is about, in words; may be empty.
    pub subject: String,
    /// How many things it is about.
    pub count: u64,
    /// What happened.
    pub message: String,
    /// What to do.
    pub action: String,
    /// Since when.
    pub first_seen: Ts,
    /// When this was written.
    pub at: Ts,
}

/// A message on its way through one channel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The channel's name.
    pub channel: String,
    /// What is said.
    pub message: AlertMessage,
    /// How far it has come.
    pub state: DeliveryState,
    /// Tries so far.
    pub attempts: u32,
    /// When it is tried next.
    pub next_try_at: Option<Ts>,
    /// What went wrong last, in words.
    pub error: Option<String>,
    /// When it ended.
    pub finished_at: Option<Ts>,
}

/// Deliveries that somebody took up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Claimed {
    /// Those to be tried.
    pub deliveries: Vec<Delivery>,
    /// Rows beside them that nobody here can read: a newer version's, or damaged ones.
    pub unreadable: u32,
}

/// How far a delivery has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be tried, or tried again.
    Pending,
    /// The channel took it.
    Delivered,
    /// It was given up.
    Failed,
}

impl Delivery {
    /// A message for a channel, to be sent now.
    pub fn new(id: DeliveryId, channel: &str, message: AlertMessage) -> Delivery {
        let next_try_at = Some(message.at);
        Delivery {
            id,
            channel: channel.to_owned(),
            message,
            state: DeliveryState::Pending,
            attempts: 0,
            next_try_at,
            error: None,
            finished_at: None,
        }
    }

    /// The channel took it.
    pub fn delivered(self, now: Ts) -> Delivery {
        Delivery {
            state: DeliveryState::Delivered,
            attempts: self.attempts.saturating_add(1),
            next_try_at: None,
            error: None,
            finished_at: Some(now),
            ..self
        }
    }

    /// It did not. `again`: whether another try may help, and how long the other side wants us to wait.
    pub fn failed(self, error: String, again: Again, now: Ts) -> Delivery {
        let attempts = self.attempts.saturating_add(1);
        let next = match again {
            Again::Never => None,
            Again::Later(asked) => {
                wait(attempts).map(|wait| now.plus(asked.unwrap_or(wait).clamp(wait, WAIT_MAX)))
            }
        };
        let over = next.is_none();
        Delivery {
            state: if over { DeliveryState::Failed } else { DeliveryState::Pending },
            attempts,
            next_try_at: next,
            error: Some(error),
            finished_at: over.then_some(now),
            ..self
        }
    }
}

/// Whether another try may help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Again {
    /// It may; the other side may have said when.
    Later(Option<SignedDuration>),
    /// It will not.
    Never,
}

/// Waits before a delivery is tried again: what is critical must be there within a minute, so the first come quickly; the last
/// reaches over a night's outage.
const WAITS: [SignedDuration; 9] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_secs(15),
    SignedDuration::from_secs(60),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(15),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(3),
    SignedDuration::from_hours(6),
];
const WAIT_MAX: SignedDuration = SignedDuration::from_hours(6);

/// The wait after so many tries; `None`: that was the last.
fn wait(attempts: u32) -> Option<SignedDuration> {
    let at = usize::try_from(attempts.saturating_sub(1)).ok()?;
    WAITS.get(at).copied()
}

#[cfg(test)]
mod tests;
