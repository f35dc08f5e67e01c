//! What people change, and what a change is told with: accounts, calendars, channels, and the lines of the audit log.

use serde::{Deserialize, Serialize};

use crate::calendar::{Account, Leaving, User};
use crate::ids::{CalendarId, SubscriptionId};
use crate::time::Ts;

/// A change to a calendar's switches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CalendarChange {
    /// Take part, or not; `Off` is `Leave(Disabled)`. Either way its rules' targets, and it, are planned again.
    SyncEnabled(Switch),
    /// Take no part from now on, for this reason.
    Leave(Leaving),
    /// Use push, or not.
    WebhookEnabled(Switch),
    /// The provider told that it can't push for it.
    PushUnsupported,
}

/// On or off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

impl Switch {
    /// Whether it is on.
    pub const fn is_on(self) -> bool {
        matches!(self, Switch::On)
    }
}

/// The provider opened a channel, or prolonged one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelOpened<'a> {
    /// Its row.
    pub id: SubscriptionId,
    /// The provider's id of it.
    pub remote_id: &'a str,
    /// The provider's id of what is watched.
    pub resource: &'a str,
    /// When it ends.
    pub expires_at: Ts,
    /// When it is renewed.
    pub renew_at: Ts,
    /// The one that it replaces: now it can be closed.
    pub replaces: Option<SubscriptionId>,
    /// When.
    pub now: Ts,
}

/// A calendar, and what the rollout flags were last found to say of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admission {
    /// Which.
    pub calendar: CalendarId,
    /// Whose.
    pub user: User,
    /// Whether it may push.
    pub admitted: bool,
}

/// What the rollout flags say of a calendar from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Admit {
    /// Which.
    pub calendar: CalendarId,
    /// Whether it may push.
    pub push: Switch,
    /// One that may not any more is looked at by then.
    pub due_by: Ts,
}

/// A line of the audit log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditLine {
    /// When.
    pub at: Ts,
    /// By whom.
    pub who: String,
    /// What was done.
    pub what: String,
}

/// An account to be connected, or connected again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectAccount {
    /// The account. An existing one of the same user, provider and remote id keeps its id.
    pub account: Account,
    /// Its credentials.
    pub credentials: SealedCredentials,
}

/// Credentials as stored: encrypted outside the store, which never sees them open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedCredentials {
    /// The ciphertext with its header.
    pub sealed: Vec<u8>,
    /// Grows with every change, so that a stale writer is noticed.
    pub version: i64,
}
