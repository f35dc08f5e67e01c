//! The judges of everything that reads bytes from outside: each takes any input, hands it to the parsers that would meet
//! it, and panics where one of them breaks its word. They are run by cargo-fuzz (`script/fuzz`, a package of its own in
//! `fuzz/`), and by the tests of this crate over the corpus in `fuzz/corpus`. Nothing here ships.

mod accounts;
mod answers;
mod edge;
mod listings;
mod material;
mod notifications;
mod refusals;
mod seals;
mod series;
mod settings;
mod sign_in;

pub use accounts::{google_account, google_calendars, microsoft_account, microsoft_calendars};
pub use edge::{forwarded, requests};
pub use listings::{cursors, google_event, google_listing, microsoft_listing};
pub use notifications::{google_notification, microsoft_handshake, microsoft_notification};
pub use refusals::{refusals, retry_after};
pub use seals::{keys, marks, sealed};
pub use series::{recurrence, times};
pub use settings::{config, places};
pub use sign_in::{id_tokens, oidc};

use calsync_core::time::Ts;

/// Stands where a secret, or a word of an event, would stand: it must never be seen again.
pub const CANARY: &str = "canary7secret";
/// When all of it happens: 2026-11-17T08:00:00Z.
pub(crate) const NOW: Ts = Ts::from_secs(1_794_902_400);

/// One target: its name, what judges an input, and what an input costs.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its program in `fuzz/`, and of the folder with its corpus.
    pub name: &'static str,
    /// What judges an input.
    pub judge: fn(&[u8]),
    /// What an input costs.
    pub cost: Cost,
}

/// What an input costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cost {
    /// Microseconds.
    Little,
    /// A few exchanges over the loopback.
    Some,
    /// Milliseconds.
    Much,
}

const fn target(name: &'static str, judge: fn(&[u8]), cost: Cost) -> Target {
    Target { name, judge, cost }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("config", config, Cost::Some),
    target("cursors", cursors, Cost::Some),
    target("forwarded", forwarded, Cost::Little),
    target("google_account", google_account, Cost::Some),
    target("google_calendars", google_calendars, Cost::Some),
    target("google_event", google_event, Cost::Little),
    target("google_listing", google_listing, Cost::Some),
    target("google_notification", google_notification, Cost::Little),
    target("id_tokens", id_tokens, Cost::Little),
    target("keys", keys, Cost::Little),
    target("marks", marks, Cost::Little),
    target("microsoft_account", microsoft_account, Cost::Some),
    target("microsoft_calendars", microsoft_calendars, Cost::Some),
    target("microsoft_handshake", microsoft_handshake, Cost::Little),
    target("microsoft_listing", microsoft_listing, Cost::Some),
    target("microsoft_notification", microsoft_notification, Cost::Little),
    target("oidc", oidc, Cost::Much),
    target("places", places, Cost::Little),
    target("recurrence", recurrence, Cost::Little),
    target("refusals", refusals, Cost::Little),
    target("requests", requests, Cost::Some),
    target("retry_after", retry_after, Cost::Little),
    target("sealed", sealed, Cost::Little),
    target("times", times, Cost::Little),
];
