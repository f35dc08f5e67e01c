//! Webhook subscriptions: a provider's push channel as a row here, and the pure questions asked of it.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::calendar::ProviderKind;
use crate::delivery::{Delivery, Look};
use crate::ids::{CalendarId, SubscriptionId};
use crate::ports::{ErrorClass, ProviderError};
use crate::time::Ts;

/// Renewal begins this long before a channel expires (spec §2).
pub const RENEWAL_BUFFER: SignedDuration = SignedDuration::from_hours(24);
/// A channel silent for this long is no longer taken for healthy without a probe (spec §2).
pub const SILENCE_LIMIT: SignedDuration = SignedDuration::from_hours(6);
/// A subscription is noted as verified at most once in so long: readings are many.
pub const VERIFIED_APART: SignedDuration = SignedDuration::from_hours(1);
/// A channel that was silent for longer than this should have been looked after, and was not: figures call it unhealthy. After
/// `SILENCE_LIMIT` somebody looks; the look before may have come `VERIFIED_APART` after the sign of life that is on record, and
/// looking takes its time. A quiet channel that is merely due for its look is no news.
pub const NEGLECTED_AFTER: SignedDuration =
    SignedDuration::from_mins((SILENCE_LIMIT.as_secs() + VERIFIED_APART.as_secs()) / 60 + 15);
/// One that lives three times as long and ends within this time should have been renewed: the spread ends before.
pub const LATE_FROM: SignedDuration = SignedDuration::from_hours(11);
/// The buffer is a third of a shorter life.
pub const LATE_LIVES: i32 = 3;
/// Failures in a row from which a subscription counts as failing (spec §8).
pub const FAILING_FROM: u32 = 5;
/// Failures in a row from which it is suspended (spec §4).
pub const SUSPEND_FROM: u32 = 10;
/// Renewals are spread over so much of the buffer: channels that were opened together are not renewed together.
const RENEWALS_SPREAD: i32 = 2;
/// Moments over which they are spread.
const SPREAD_STEPS: i32 = 4_096;
/// Wait before another try at renewing: never shorter, never longer.
const RENEW_AGAIN_MIN: SignedDuration = SignedDuration::from_mins(1);
const RENEW_AGAIN_MAX: SignedDuration = SignedDuration::from_hours(1);
/// A channel is not repaired twice within this time; twice as long after each further miss in a row.
const REPAIRS_APART: SignedDuration = SignedDuration::from_hours(1);
const REPAIRS_APART_MAX: SignedDuration = SignedDuration::from_hours(24);
/// A channel that replaces a suspended one starts with so many failures: it is on probation until it delivers.
pub const PROBATION: u32 = FAILING_FROM;
/// A suspended channel is tried again by itself after so long, where nobody does it by hand.
pub const REVIVE_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Closing a channel is tried again after this, for as long as it lives.
pub const CLOSE_AGAIN: SignedDuration = SignedDuration::from_mins(15);
/// Opening one is tried again after this: soon where it may work, later where somebody must act, seldom where nothing
/// suggests that it ever will.
const OPEN_AGAIN: SignedDuration = SignedDuration::from_mins(5);
const OPEN_AGAIN_HOPEFUL: SignedDuration = SignedDuration::from_hours(1);
const OPEN_AGAIN_HOPELESS: SignedDuration = SignedDuration::from_hours(24);
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
    /// When somebody sees to it next: its renewal, its repair, or another try at either.
    pub renew_at: Ts,
    /// When its channel is to be closed at the provider, where it may still stand there and is of no more use.
    #[serde(default)]
    pub close_at: Option<Ts>,
    /// How well it delivers.
    #[serde(default)]
    pub delivery: Delivery,
    /// What else the provider said.
    #[serde(default)]
    pub provider_metadata: serde_json::Value,
}

/// In which state a subscription is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
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
    /// One that its provider is about to be asked for, under an id that we chose: nobody relies on it before the answer.
    pub fn provisional(
        id: SubscriptionId,
        (calendar, provider): (CalendarId, ProviderKind),
        remote_id: String,
        token_hash: Vec<u8>,
        now: Ts,
    ) -> Subscription {
        Subscription {
            id,
            calendar,
            provider,
            remote_id,
            webhook_url: String::new(),
            resource_id: String::new(),
            token_hash,
            created_at: now,
            expires_at: now.plus(PROVISIONAL_LIFE),
            status: SubscriptionStatus::Active,
            last_notification_at: None,
            verified_at: None,
            last_renewal_at: None,
            failure_count: 0,
            renew_at: now.plus(PROVISIONAL_LIFE),
            close_at: None,
            delivery: Delivery::default(),
            provider_metadata: serde_json::json!({}),
        }
    }

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

    /// Whether it ends so soon that renewal should have taken it: its moment has passed, and tries since then have failed.
    pub fn is_late(&self, now: Ts) -> bool {
        let lives = self.expires_at.since(self.last_renewal_at.unwrap_or(self.created_at));
        self.status == SubscriptionStatus::Active
            && self.expires_at <= now.plus(LATE_FROM)
            && lives > LATE_FROM * LATE_LIVES
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

/// When a channel is renewed that was opened or prolonged at `now`: inside the buffer (a third of its life, where that is
/// shorter), each at its own moment.
pub fn renewal_due(id: SubscriptionId, now: Ts, expires_at: Ts) -> Ts {
    let life = expires_at.since(now).max(SignedDuration::ZERO);
    let buffer = RENEWAL_BUFFER.min(life / 3);
    let bytes = id.0.as_bytes();
    let moment = i32::from(u16::from_be_bytes([bytes[14], bytes[15]])) % SPREAD_STEPS;
    expires_at.minus(buffer).plus(buffer / RENEWALS_SPREAD / SPREAD_STEPS * moment)
}

/// When renewing is tried again that failed: the oftener the nearer its end is, and not before the provider allows.
pub fn renew_again(now: Ts, expires_at: Ts, retry_after: Option<SignedDuration>) -> Ts {
    let left = expires_at.since(now);
    let wait = (left / 8).clamp(RENEW_AGAIN_MIN, RENEW_AGAIN_MAX);
    now.plus(retry_after.map_or(wait, |asked| asked.clamp(wait, RENEW_AGAIN_MAX.max(wait))))
}

/// When opening a channel is tried again that failed. What only its owner or the operator can mend is asked seldom; whoever
/// mends it asks for another try.
pub fn open_again(now: Ts, error: &ProviderError) -> Ts {
    use ErrorClass::{
        Ambiguous, Conflict, CursorExpired, Exists, Gone, Invalid, Misconfigured, Permanent, RateLimited,
        Transient, Unauthorized, Unsupported,
    };
    let wait = match error.class {
        Transient | RateLimited | Ambiguous | Conflict | Exists | CursorExpired => OPEN_AGAIN,
        Misconfigured | Unauthorized => OPEN_AGAIN_HOPEFUL,
        Gone | Invalid | Permanent | Unsupported => OPEN_AGAIN_HOPELESS,
    };
    now.plus(error.retry_after.map_or(wait, |asked| asked.clamp(wait, OPEN_AGAIN_HOPELESS)))
}

/// What failures in a row lead to (spec §4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FailureStep {
    /// Nothing failed.
    None,
    /// It is tried again, and said in the log.
    Retry,
    /// Its calendar is polled, it is repaired, and somebody is told.
    Repair,
    /// It is taken out of use, its calendar is polled, and somebody is called.
    Suspend,
}

/// The table of spec §4.
pub const fn failure_step(failures: u32) -> FailureStep {
    match failures {
        0 => FailureStep::None,
        1..FAILING_FROM => FailureStep::Retry,
        FAILING_FROM..SUSPEND_FROM => FailureStep::Repair,
        _ => FailureStep::Suspend,
    }
}

/// What a run on a calendar showed of its channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Showed<'a> {
    /// It read the calendar.
    Look(Look<'a>),
    /// It could not read the calendar, and neither its owner nor the operator is to blame.
    Failure,
}

/// What is known of a channel after a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// How well it delivers.
    pub delivery: Delivery,
    /// Its failures in a row.
    pub failures: u32,
    /// When somebody should see to it.
    pub renew_at: Ts,
}

impl Subscription {
    /// What is known after a run. A miss is repaired soon, and so is whatever failed five times; what failed ten times is
    /// taken out of use at once (spec §4).
    pub fn after_run(&self, showed: Showed<'_>, now: Ts) -> Verdict {
        let (delivery, failures) = match showed {
            Showed::Look(look) => {
                // What happened before there was a channel it could not tell.
                let could_tell = look.since.is_some_and(|since| since >= self.created_at);
                let changes = if could_tell { look.changes } else { 0 };
                let delivery = self.delivery.after(Look { changes, ..look });
                // Success clears the counter; what the channel did not tell stays counted.
                (delivery, delivery.missed_streak)
            }
            Showed::Failure => (self.delivery, self.failure_count.saturating_add(1)),
        };
        let missed = delivery.missed_streak > self.delivery.missed_streak;
        let failed = failures > self.failure_count && failure_step(failures) >= FailureStep::Repair;
        let renew_at = match failure_step(failures) {
            FailureStep::Suspend => self.renew_at.min(now),
            _ if missed || failed => Subscription { delivery, ..self.clone() }.repair_due(now),
            _ => self.renew_at,
        };
        Verdict { delivery, failures, renew_at }
    }

    /// When it should be repaired after a miss: at once, but not again and again.
    pub fn repair_due(&self, now: Ts) -> Ts {
        let doublings = self.delivery.missed_streak.saturating_sub(1).min(5);
        let apart = (REPAIRS_APART * (1 << doublings)).min(REPAIRS_APART_MAX);
        let last = self.last_renewal_at.unwrap_or(self.created_at).min(now);
        self.renew_at.min(last.plus(apart).max(now))
    }
}

#[cfg(test)]
pub(crate) mod tests;
