//! What befalls subscriptions themselves (microsoft.md §8.3): they ask to be renewed, are removed, or have missed
//! something, and whoever named an address for that is told. Personal accounts are not.

use std::sync::Arc;

use calsync_core::time::Ts;
use jiff::SignedDuration;

use super::{Account, MicrosoftFace};
use crate::cloud::names::PersonId;
use crate::cloud::watch::{Channel, Lifecycle, Provider};

/// How long before its end a subscription asks to be renewed.
const ASKS_BEFORE: SignedDuration = SignedDuration::from_mins(15);

/// How often it asks again.
const ASKS_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// Whether a live subscription of Microsoft's ends so soon that it asks to be renewed.
pub(crate) fn ends_soon(channel: &Channel, now: Ts) -> bool {
    channel.provider == Provider::Microsoft
        && channel.expires > now
        && channel.expires.since(now) <= ASKS_BEFORE
}

/// Whether one that asked at `last` asks again.
pub(crate) fn asks_again(last: Option<Ts>, now: Ts) -> bool {
    last.is_none_or(|at| now.since(at) >= ASKS_EVERY)
}

impl MicrosoftFace {
    /// Tells a live subscription what befell it (§8.3). False if there is none of this id, if it named no address for
    /// that, or if it is of a personal account, to which such things are not told.
    pub fn tell_lifecycle(&self, id: &str, what: Lifecycle) -> bool {
        let now = self.now();
        let found = self.cloud.with(|cloud| cloud.watch().channels().find(|c| c.id == id).cloned());
        let hears = |c: &Arc<Channel>| {
            let named = c.terms.as_ref().is_some_and(|t| t.lifecycle_address.is_some());
            named && self.account(&c.person) != Account::Personal
        };
        let Some(channel) = found.filter(hears) else { return false };
        self.cloud.with(|cloud| cloud.tell_channel(&channel, what, now));
        true
    }

    /// Removes all subscriptions of somebody, with a word about each.
    pub fn remove_subscriptions(&self, person: &PersonId) {
        let theirs: Vec<Arc<Channel>> = self.cloud.with(|cloud| {
            let all =
                cloud.watch().channels().filter(|c| c.provider == Provider::Microsoft && c.person == *person);
            all.cloned().collect()
        });
        for channel in theirs {
            self.tell_lifecycle(&channel.id, Lifecycle::SubscriptionRemoved);
            self.cloud.with(|cloud| cloud.stop_channel(&channel.project, &channel.id));
        }
    }

    /// Looks after subscriptions as time goes by: those that end soon ask to be renewed, and ask again.
    pub fn tend(&self) {
        let now = self.now();
        let soon = |c: &&Arc<Channel>| ends_soon(c, now);
        let ending: Vec<String> =
            self.cloud.with(|cloud| cloud.watch().channels().filter(soon).map(|c| c.id.clone()).collect());
        for id in ending {
            let due = asks_again(self.state().asked.get(&id).copied(), now);
            if due && self.tell_lifecycle(&id, Lifecycle::ReauthorizationRequired) {
                self.state().asked.insert(id, now);
            }
        }
        self.state().asked.retain(|_, at| now.since(*at) < SignedDuration::from_hours(1));
    }
}
