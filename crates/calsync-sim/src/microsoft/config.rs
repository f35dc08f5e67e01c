//! How the look-alike of Microsoft behaves: programs, limits, life times, and the choices where nobody knows which of two
//! things Graph does (microsoft.md §12). It decides nothing by itself.

use std::time::Duration;

use jiff::SignedDuration;

use super::oauth::OauthClient;
use super::push::DeliveryRules;

/// What a delta says of occurrences that no longer take place (§7: a deleted single occurrence may produce nothing).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vanished {
    /// Nothing: their series is told again, and that is all.
    Silent,
    /// An `@removed` for each.
    Told,
}

/// How a delta's links are written (§2: they may change form).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// `/calendars('ID')/…`.
    Keyed,
    /// `/calendars/ID/…`.
    Slashed,
}

/// How this Microsoft behaves.
#[derive(Debug, Clone)]
pub struct MicrosoftConfig {
    /// Registered programs.
    pub clients: Vec<OauthClient>,
    /// How long an access token lives (§1).
    pub access_token_lives: SignedDuration,
    /// Requests of one program to one mailbox in ten minutes (§9).
    pub requests_per_mailbox: u64,
    /// Requests at the same time of one program to one mailbox (§9).
    pub concurrent_per_mailbox: usize,
    /// Readings of the list of subscriptions in twenty seconds, per tenant (§9).
    pub subscription_lists: u64,
    /// Writes of subscriptions in twenty seconds, per tenant (§9).
    pub subscription_writes: u64,
    /// Live subscriptions of one mailbox (§8 quota).
    pub subscriptions_per_mailbox: usize,
    /// How long a request takes, during which it counts as one of those at the same time.
    pub latency: Duration,
    /// What a delta says of occurrences that no longer take place.
    pub vanished: Vanished,
    /// How a delta's links are written.
    pub links: Links,
    /// With which status `ErrorDuplicateTransactionId` comes: nobody has seen it (§12).
    pub duplicate_transaction_status: u16,
    /// Names of extended properties that a mailbox takes before it is full (§5 named-property quota).
    pub named_properties: usize,
    /// How long a webhook may take to prove that it is there (§8.1).
    pub handshake: Duration,
    /// How notices are delivered (§8.2).
    pub delivery: DeliveryRules,
}

impl Default for MicrosoftConfig {
    fn default() -> MicrosoftConfig {
        MicrosoftConfig {
            clients: Vec::new(),
            access_token_lives: SignedDuration::from_secs(3_600),
            requests_per_mailbox: 10_000,
            concurrent_per_mailbox: 4,
            subscription_lists: 40,
            subscription_writes: 500,
            subscriptions_per_mailbox: 1_000,
            latency: Duration::ZERO,
            vanished: Vanished::Silent,
            links: Links::Keyed,
            duplicate_transaction_status: 409,
            named_properties: 8_192,
            handshake: Duration::from_secs(10),
            delivery: DeliveryRules::default(),
        }
    }
}
