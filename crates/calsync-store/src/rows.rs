//! What both stores know of rows, so that they cannot drift apart: names of lease resources, limits, and what a run begins
//! with. Pure.

use calsync_core::block::Fingerprint;
use calsync_core::freshness::{self, RuleDelay};
use calsync_core::ids::{EventId, NotificationId, UserId};
use calsync_core::ledger::{Outcome, Write, WriteOp};
use calsync_core::ports::{Lease, RunBegun, StoreError};
use calsync_core::time::Ts;
use serde_json::Value;

/// Longest provider id that is stored (spec §2).
pub(crate) const REMOTE_ID_MAX: usize = 255;
/// What the lease on a user is called, before the id.
const USER_PREFIX: &str = "user:";

/// A time to be due at when nobody says what time it is: at once, and before everybody else.
pub(crate) const AT_ONCE: Ts = Ts::from_secs(0);

/// The resource of the lease on a user.
pub(crate) fn user_resource(user: UserId) -> String {
    format!("{USER_PREFIX}{user}")
}

/// The user that a resource names, if it is one.
pub(crate) fn user_of_resource(resource: &str) -> Option<UserId> {
    resource.strip_prefix(USER_PREFIX)?.parse().ok()
}

/// The answer to a worker whose lease is no longer its own.
pub(crate) fn lost(lease: &Lease) -> StoreError {
    StoreError::LeaseLost(lease.resource.clone())
}

/// Why an account can't be connected by a second person. Both would know the same blocks for theirs, and each of them would
/// remove what the other one wants.
pub(crate) const SOMEBODY_ELSES: &str = "this account is connected by somebody else here already, and can be by one person only: two who \
    keep the same calendars in step would remove each other's blocks";

/// The answer to a request about something that is not there.
pub(crate) fn missing(what: &str) -> StoreError {
    StoreError::Conflict(format!("there is no such {what}"))
}

/// A notification that a run takes up: when it was received, its id, its failures so far, and what was kept of it.
pub(crate) type Picked = (Ts, NotificationId, u32, Value);

/// What a run begins with.
pub(crate) fn begun(seen_generation: i64, mut picked: Vec<Picked>) -> RunBegun {
    picked.sort_unstable_by_key(|(at, id, ..)| (*at, *id));
    let told = picked.iter().map(|(at, ..)| *at).collect();
    let notifications = picked.iter().map(|(_, id, failures, _)| (*id, *failures)).collect();
    let payloads = picked.into_iter().map(|(.., payload)| payload).collect();
    RunBegun { seen_generation, notifications, told, payloads }
}

/// From which hour on the delays of rules are kept that these are added to; `None`: nothing is added.
pub(crate) fn delays_kept_from(added: &[RuleDelay]) -> Option<Ts> {
    Some(added.iter().map(|delay| delay.hour).max()?.minus(freshness::DAY))
}

/// Of a write and of the one whose place it takes: when the first change happened that has no block yet.
pub(crate) fn earliest(known: Option<&Write>, new: &Write) -> Option<Ts> {
    [known.and_then(|known| known.changed_at), new.changed_at].into_iter().flatten().min()
}

/// Which block a settlement with an entry for the journal is about, and what the provider made of it; `None`: nothing was written.
pub(crate) fn noted(outcome: &Outcome) -> Option<(&EventId, Option<Fingerprint>)> {
    match outcome {
        Outcome::Stored { block, .. } | Outcome::Replan { observed: Some(block), .. } => {
            Some((&block.id, Some(block.fingerprint)))
        }
        Outcome::Removed { id } => Some((id, None)),
        Outcome::Postponed { .. } | Outcome::Replan { observed: None, .. } => None,
    }
}

/// The id under which a write's block stands, or is to stand.
pub(crate) fn block_of(op: &WriteOp) -> Option<&EventId> {
    match op {
        WriteOp::Create { id, .. } => id.as_ref(),
        WriteOp::Update { id, .. } | WriteOp::Delete { id, .. } => Some(id),
    }
}
