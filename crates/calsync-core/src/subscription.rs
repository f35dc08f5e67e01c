//! Webhook subscriptions: a provider's push channel as a row here, and the pure questions asked of it.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::calendar::ProviderKind;
use crate::ids::{CalendarId, SubscriptionId};
use crate::time::Ts;

/// Renewal begins this long before a channel expires (spec §2).
pub const RENEWAL_BUFFER: SignedDuration = SignedDuration::from_hours(24);
/// A channel silent for this long is no longer taken for healthy without a probe (spec §2).
pub const SILENCE_LIMIT: SignedDuration = SignedDuration::from_hours(6);
/// A subscription is noted as verified at most once in so long: readings are many.
pub const VERIFIED_APART: SignedDuration = SignedDuration::from_hours(1);
/// Failures in a row from which a subscription counts as failing (spec §8).
pub const FAILING_FROM: u32 = 5;
/// Failures in a row from which it is suspended (spec §4).
pub const SUSPEND_FROM: u32 = 10;
/// A row made before the provider was asked lives this long: a crash in between leaves no row that looks alive.
pub const PROVISIONAL_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// One push channel (spec §2). At most one `active` row per calendar and provider.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// The calendar it watches.
    pub calendar: CalendarId,
    /// At which provider.
    pub provider: ProviderKind,
    /// The provider's id of the channel (for Google: chosen by us).
    pub remote_id: String,
    /// Where deliveries are sent.
    pub webhook_url: String,
    /// The provider's id of what is watched; empty until the provider told it.
    pub resource_id: String,
    /// SHA-256 of the channel's secret token.
    pub token_hash: Vec<u8>,
    /// When it was made.
    pub created_at: Ts,
    /// When the provider stops delivering.
    pub expires_at: Ts,
    /// In which state it is.
    pub status: SubscriptionStatus,
    /// When something was last delivered.
    #[serde(default)]
    pub last_notification_at: Option<Ts>,
    /// When a reading last found its calendar as quiet as the channel was, within `VERIFIED_APART`.
    #[serde(default)]
    pub verified_at: Option<Ts>,
    /// When it was last renewed.
    #[serde(default)]
    pub last_renewal_at: Option<Ts>,
    /// Failures in a row.
    pub failure_count: u32,
    /// What else the provider said.
    #[serde(default)]
    pub provider_metadata: serde_json::Value,
}

/// In which state a subscription is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// In use.
    Active,
    /// Past its end, or replaced by a newer one.
    Expired,
    /// The provider refused it.
    Failed,
    /// Taken out of use by us.
    Suspended,
}

impl SubscriptionStatus {
    /// Its name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            SubscriptionStatus::Active => "active",
            SubscriptionStatus::Expired => "expired",
            SubscriptionStatus::Failed => "failed",
            SubscriptionStatus::Suspended => "suspended",
        }
    }

    /// The status of this name.
    pub fn parse(name: &str) -> Option<SubscriptionStatus> {
        use SubscriptionStatus::{Active, Expired, Failed, Suspended};
        [Active, Expired, Failed, Suspended].into_iter().find(|s| s.as_str() == name)
    }
}

impl Subscription {
    /// Whether its end has come.
    pub fn is_expired(&self, now: Ts) -> bool {
        now >= self.expires_at
    }

    /// Whether it should be renewed: it ends within `buffer`.
    pub fn needs_renewal(&self, now: Ts, buffer: SignedDuration) -> bool {
        self.status == SubscriptionStatus::Active && now.plus(buffer) >= self.expires_at
    }

    /// Whether it delivers, as far as we know: active, not past its end, and not silent for longer than `silence`.
    /// One that never delivered counts from its creation: a channel that stayed dumb must not pass for healthy.
    pub fn is_healthy(&self, now: Ts, silence: SignedDuration) -> bool {
        self.is_alive_since(self.verified_at, now, silence)
    }

    /// The last sign of life: a delivery, a reading that agreed with its silence, or its making.
    pub fn alive_at(&self) -> Ts {
        let heard_at = self.last_notification_at.unwrap_or(self.created_at);
        self.verified_at.map_or(heard_at, |at| at.max(heard_at))
    }

    /// A reading of its calendar succeeded.
    pub fn verify(&mut self, at: Ts) {
        if self.verified_at.is_none_or(|last| last < at.minus(VERIFIED_APART)) {
            self.verified_at = Some(at);
        }
    }

    /// The same, where a reading at `verified_at` found its calendar as quiet as the channel was: silence then is no
    /// failure, and counts from there (spec §6).
    pub fn is_alive_since(&self, verified_at: Option<Ts>, now: Ts, silence: SignedDuration) -> bool {
        let heard_at = self.last_notification_at.unwrap_or(self.created_at);
        self.status == SubscriptionStatus::Active
            && !self.is_expired(now)
            && now.since(verified_at.map_or(heard_at, |at| at.max(heard_at))) <= silence
    }
}

#[cfg(test)]
pub(crate) mod tests;
