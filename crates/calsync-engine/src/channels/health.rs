//! How each calendar's push channel is, for a person who looks: what is known of it, how its calendar is kept up to date,
//! and a verdict with its reason. It reads, and changes nothing.

use calsync_core::calendar::{Calendar, ProviderKind};
use calsync_core::ids::CalendarId;
use calsync_core::ports::UserState;
use calsync_core::schedule::{self, Method, RELIABLE_FROM};
use calsync_core::subscription::{
    FAILING_FROM, RENEWAL_BUFFER, SILENCE_LIMIT, Subscription, SubscriptionStatus,
};
use calsync_core::time::Ts;
use serde::Serialize;

use super::obstacle::{Obstacle, obstacle};
use crate::due::active_subscription;
use crate::{Engine, EngineError};

/// Whether something is wrong with a calendar's push.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It delivers, as far as is known.
    Healthy,
    /// The calendar is polled, and that is meant so.
    Polled,
    /// Somebody, or the next round, has to see to it.
    Unhealthy,
}

/// One calendar's channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelHealth {
    /// The calendar.
    pub calendar: CalendarId,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// Where it is.
    pub provider: Option<ProviderKind>,
    /// Its channel in use, or else the last one.
    pub subscription: Option<Subscription>,
    /// How it is kept up to date.
    pub method: Method,
    /// Whether something is wrong.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
}

impl Engine {
    /// How the channels of a user's enabled calendars are, and any that is in use elsewhere.
    pub async fn channel_health(&self, state: &UserState) -> Result<Vec<ChannelHealth>, EngineError> {
        let flags = self.rollout().await?;
        let now = self.clock.now();
        let mut all = Vec::new();
        for calendar in &state.calendars {
            let active = state.subscriptions.iter().find(|s| s.calendar == calendar.id);
            if !calendar.sync_enabled && active.is_none() {
                continue;
            }
            let subscription = match active {
                Some(active) => Some(active.clone()),
                None => self.store.subscriptions(calendar.id).await?.into_iter().next(),
            };
            let trusted = active_subscription(state, &flags, calendar.id);
            let hindered = obstacle(state, calendar, flags.admits(calendar.id, &state.user).into());
            let (verdict, why) = if self.is_public() || active.is_some() {
                verdict(calendar, subscription.as_ref(), hindered, now)
            } else {
                (Verdict::Polled, "server.public_url is not set: nothing can push to us".to_owned())
            };
            all.push(ChannelHealth {
                calendar: calendar.id,
                name: calendar.name.clone(),
                user: state.user.email.clone(),
                provider: ProviderKind::parse(&calendar.remote.provider),
                subscription,
                method: schedule::method(calendar, trusted, now),
                verdict,
                why,
            });
        }
        Ok(all)
    }
}

/// The verdict, and why.
fn verdict(
    calendar: &Calendar,
    channel: Option<&Subscription>,
    hindered: Option<Obstacle>,
    now: Ts,
) -> (Verdict, String) {
    match hindered {
        Some(wrong @ (Obstacle::NeedsReconnect | Obstacle::Missing)) => {
            return (Verdict::Unhealthy, wrong.words().to_owned());
        }
        Some(meant) => return (Verdict::Polled, meant.words().to_owned()),
        None => {}
    }
    let Some(channel) = channel else {
        return (Verdict::Unhealthy, format!("no channel was opened yet: {BY_HAND}"));
    };
    let why = match channel.status {
        SubscriptionStatus::Suspended => format!("taken out of use after failures: {BY_HAND}"),
        SubscriptionStatus::Failed => format!("the provider refused it: {BY_HAND}"),
        SubscriptionStatus::Expired => format!("it has ended, and there is no other: {BY_HAND}"),
        SubscriptionStatus::Active => return verdict_of_active(calendar, channel, now),
    };
    (Verdict::Unhealthy, why)
}

/// What a person can do about a missing one.
const BY_HAND: &str = "manage-subscriptions create";

fn verdict_of_active(calendar: &Calendar, channel: &Subscription, now: Ts) -> (Verdict, String) {
    let is_quiet =
        channel.failure_count == 0 && channel.is_alive_since(calendar.last_synced_at, now, SILENCE_LIMIT);
    let why = if channel.is_expired(now) {
        "it has ended: the next round replaces it".to_owned()
    } else if channel.resource_id.is_empty() {
        "it is being opened".to_owned()
    } else if channel.failure_count >= FAILING_FROM {
        format!("{} failures in a row", channel.failure_count)
    } else if channel.delivery.ratio() < RELIABLE_FROM {
        "it tells of too few changes".to_owned()
    } else if !channel.is_healthy(now, SILENCE_LIMIT) && !is_quiet {
        "silent for too long, and nobody has looked since".to_owned()
    } else if channel.renew_at <= now && now.plus(RENEWAL_BUFFER / 2) >= channel.expires_at {
        // Healthy still, but renewing it does not succeed.
        return (Verdict::Healthy, "its renewal is overdue".to_owned());
    } else {
        return (Verdict::Healthy, "it delivers".to_owned());
    };
    (Verdict::Unhealthy, why)
}

#[cfg(test)]
mod tests;
