//! Channels that were believed lately, so that a receipt need not read the database before it writes there (spec §3: one
//! round trip). Only ever a shortcut to a yes: whoever is not believed by what stands here is looked up. Bounded, and
//! forgotten after a while. What was changed meanwhile by another instance can at worst have a delivery stored that would
//! have been refused: it asks for a needless look at the calendar, or, where that has left, waits there until the leaving
//! completes it or the cleanup deletes it. Where the calendar is gone, the store refuses, and the entry is forgotten.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use calsync_core::calendar::ProviderKind;
use calsync_core::ids::CalendarId;
use calsync_core::subscription::Subscription;
use calsync_core::time::Ts;
use jiff::SignedDuration;

/// What was read so long ago is read again.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(5);
/// Channels in each of the two halves: some 300 bytes each.
const HALF: usize = 8_192;

/// The provider's id of a channel, and where it delivers.
type Key = (ProviderKind, CalendarId, String);

/// A channel as it was read.
#[derive(Clone)]
struct Known {
    subscription: Arc<Subscription>,
    read_at: Ts,
}

/// Two halves: what is used moves to the young one, and when that is full the old one is forgotten as a whole.
#[derive(Default)]
struct Halves {
    young: BTreeMap<Key, Known>,
    old: BTreeMap<Key, Known>,
}

/// The channels.
#[derive(Default)]
pub(crate) struct KnownChannels {
    halves: Mutex<Halves>,
}

impl KnownChannels {
    /// What was read of a channel not long ago.
    pub(crate) fn get(
        &self,
        provider: ProviderKind,
        calendar: CalendarId,
        channel: &str,
        now: Ts,
    ) -> Option<Arc<Subscription>> {
        let key = (provider, calendar, channel.to_owned());
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match halves.young.get(&key) {
            Some(known) => known.clone(),
            None => {
                let known = halves.old.remove(&key)?;
                halves.put(key, known.clone());
                known
            }
        };
        // A clock that went back has read nothing in the future.
        let age = now.since(known.read_at);
        (SignedDuration::ZERO..GOOD_FOR).contains(&age).then_some(known.subscription)
    }

    /// A channel was read and believed.
    pub(crate) fn put(&self, read: &Subscription, now: Ts) {
        let key = (read.provider, read.calendar, read.remote_id.clone());
        // Only what authentication asks for is worth its room.
        let lean = Subscription {
            webhook_url: String::new(),
            provider_metadata: serde_json::Value::Null,
            ..read.clone()
        };
        let known = Known { subscription: Arc::new(lean), read_at: now };
        self.halves.lock().unwrap_or_else(PoisonError::into_inner).put(key, known);
    }

    /// Something about the channels of a calendar was changed.
    pub(crate) fn forget(&self, calendar: CalendarId) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        halves.young.retain(|(_, of, _), _| *of != calendar);
        halves.old.retain(|(_, of, _), _| *of != calendar);
    }
}

impl Halves {
    fn put(&mut self, key: Key, known: Known) {
        if self.young.len() >= HALF && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, known);
    }
}

#[cfg(test)]
mod tests {
    use calsync_core::ids::SubscriptionId;
    use uuid::Uuid;

    use super::*;

    fn at(secs: i64) -> Ts {
        Ts::from_secs(1_795_000_000 + secs)
    }

    fn channel(n: u128) -> Subscription {
        Subscription {
            webhook_url: "https://sync.example.com/".to_owned(),
            resource_id: "resource".to_owned(),
            expires_at: at(1_000_000),
            renew_at: at(900_000),
            provider_metadata: serde_json::Value::Null,
            ..Subscription::provisional(
                SubscriptionId(Uuid::from_u128(n)),
                (CalendarId(Uuid::from_u128(n)), ProviderKind::Google),
                format!("channel-{n}"),
                vec![7; 32],
                at(0),
            )
        }
    }

    fn ask(known: &KnownChannels, n: u128, secs: i64) -> bool {
        let calendar = CalendarId(Uuid::from_u128(n));
        known.get(ProviderKind::Google, calendar, &format!("channel-{n}"), at(secs)).is_some()
    }

    #[test]
    fn a_channel_is_known_for_a_while() {
        let known = KnownChannels::default();
        known.put(&channel(1), at(0));
        assert!(ask(&known, 1, 0) && ask(&known, 1, 299));
        assert!(!ask(&known, 1, 300), "too long ago");
        assert!(!ask(&known, 1, -1), "read in the future");
        assert!(!ask(&known, 2, 0), "another one");
        let elsewhere = CalendarId(Uuid::from_u128(2));
        assert!(known.get(ProviderKind::Google, elsewhere, "channel-1", at(0)).is_none(), "another calendar");
        let theirs = CalendarId(Uuid::from_u128(1));
        assert!(known.get(ProviderKind::Microsoft, theirs, "channel-1", at(0)).is_none(), "another provider");
        known.forget(theirs);
        assert!(!ask(&known, 1, 0), "changed");
    }

    #[test]
    fn what_is_used_stays_and_room_is_bounded() {
        let known = KnownChannels::default();
        for n in 0..5 * HALF as u128 {
            known.put(&channel(n), at(0));
            assert!(ask(&known, 0, 0), "{n}");
        }
        let halves = known.halves.lock().unwrap();
        assert!(halves.young.len() + halves.old.len() <= 2 * HALF);
    }
}
