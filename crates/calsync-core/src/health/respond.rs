//! What a change of the level in force asks for, and what of it is not done yet. Pure; does none of it.

use serde::{Deserialize, Serialize};

use super::{Change, Level};

/// What the system does by itself (spec §8).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Every calendar is polled beside its push channel.
    PollEverybody,
    /// Channels that failed ten times in a row are taken out of use.
    SuspendFailing,
    /// A round of maintenance is done now.
    Maintain,
    /// Push channels that work are relied on again.
    RelyOnPush,
}

impl Response {
    /// All of them.
    pub const ALL: [Response; 4] =
        [Response::PollEverybody, Response::SuspendFailing, Response::Maintain, Response::RelyOnPush];

    /// What it is, in words for the audit log.
    pub const fn words(self) -> &'static str {
        match self {
            Response::PollEverybody => "every calendar is polled beside its push channel",
            Response::SuspendFailing => "push channels that failed ten times in a row are taken out of use",
            Response::Maintain => "a round of maintenance is done now",
            Response::RelyOnPush => "push channels that work are relied on again",
        }
    }
}

/// What is done when this level comes into force. (Calendars whose channels fail are polled at every level: see
/// `schedule::method`.)
pub const fn responses(level: Level) -> &'static [Response] {
    match level {
        Level::Healthy => &[Response::RelyOnPush],
        Level::Degraded => &[Response::Maintain],
        Level::Critical => &[Response::PollEverybody, Response::SuspendFailing],
    }
}

/// What is owed to the level in force: kept until all of it is done, by whichever instance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Owed {
    /// The change that asks for it.
    pub change: Change,
    /// Why the level is what it is, in words.
    pub why: String,
    /// Whether the audit log has the change.
    pub noted: bool,
    /// What is still to be done, in this order.
    pub left: Vec<Response>,
}

impl Owed {
    /// What is owed from this change on. Of what was owed `before` a level stays owed that is not well again: whom it began to
    /// bring forward it brings forward.
    pub fn by(change: Change, why: String, before: Option<&Owed>) -> Owed {
        let mut left = responses(change.to).to_vec();
        let begun = Response::PollEverybody;
        let was_left = before.is_some_and(|before| before.left.contains(&begun));
        if was_left && change.to > Level::Healthy && !left.contains(&begun) {
            left.insert(0, begun);
        }
        Owed { change, why, noted: false, left }
    }

    /// What is to be done next.
    pub fn next(&self) -> Option<Response> {
        self.left.first().copied()
    }

    /// The same when that is done.
    #[must_use]
    pub fn done(mut self) -> Owed {
        if !self.left.is_empty() {
            self.left.remove(0);
        }
        self
    }

    /// Nothing is owed any more.
    pub fn is_paid(&self) -> bool {
        self.noted && self.left.is_empty()
    }
}
