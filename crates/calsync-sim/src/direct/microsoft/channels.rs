//! Opening, prolonging and closing channels (microsoft.md §8), and what befalls them: they ask to be renewed, are removed, or
//! have missed something (§8.3).

use std::collections::BTreeSet;
use std::sync::Arc;

use calsync_core::ports::{ErrorClass, ProviderError, RenewRequest, WatchRequest, Watching};
use calsync_core::time::Ts;
use jiff::SignedDuration;

use super::MicrosoftDirect;
use crate::cloud::names::{CalendarId, ClientId};
use crate::cloud::watch::{Change, Channel, Lifecycle, Provider, Resource, Terms};
use crate::direct::{CLIENT, Call, Direct, error, not_opened};
use crate::faults::Fault;
use crate::microsoft::lifecycle::{asks_again, ends_soon};

/// The life that the adapter asks for.
pub(super) const LIFE: SignedDuration = SignedDuration::from_hours(48);
/// The longest that is granted, and the shortest (§8 `expirationDateTime`).
const LIFE_MAX: SignedDuration = SignedDuration::from_mins(10_070);
const LIFE_MIN: SignedDuration = SignedDuration::from_mins(45);

impl MicrosoftDirect {
    /// One per calendar: another one makes room, if it leads to the same place (§10 row 16).
    pub(super) fn open_channel(&self, request: &WatchRequest) -> Result<Watching, ProviderError> {
        match self.subscribe(request) {
            Err(taken) if taken.class == ErrorClass::Exists => {
                let before = self.caller.call(Call::Read, || Ok(self.live(&request.calendar)))?;
                let before: Vec<_> = before.into_iter().filter(|c| c.address == request.url).collect();
                if before.is_empty() {
                    return Err(taken);
                }
                for channel in before {
                    self.close_channel(&channel.id)?;
                }
                self.subscribe(request)
            }
            opened => opened,
        }
    }

    /// The live channels of this program and person on a calendar.
    fn live(&self, calendar: &str) -> Vec<Arc<Channel>> {
        let resource = Resource::Events(CalendarId::from(calendar));
        let now = self.caller.skin.clock.now();
        self.caller.skin.cloud.with(|cloud| {
            let of_ours = |c: &&Arc<Channel>| {
                let alive = c.provider == Provider::Microsoft && c.expires > now;
                alive && c.project == CLIENT && c.person == self.caller.person && c.resource == resource
            };
            cloud.watch().channels().filter(of_ours).cloned().collect()
        })
    }

    fn subscribe(&self, request: &WatchRequest) -> Result<Watching, ProviderError> {
        self.caller.call(Call::Write, || {
            let calendar = CalendarId::from(request.calendar.as_str());
            let (cloud, now) = (&self.caller.skin.cloud, self.caller.skin.clock.now());
            let mine = cloud.with(|c| c.calendar(&calendar).is_some_and(|c| c.owner == self.caller.person));
            if !mine {
                return Err(error(ErrorClass::Unsupported, "this calendar can't push"));
            }
            if !self.live(&request.calendar).is_empty() {
                return Err(error(ErrorClass::Exists, "there is a subscription for this calendar already"));
            }
            let opened = cloud.with(|cloud| {
                let id = cloud.fresh_id(32);
                cloud.open_channel(self.channel(request, id, calendar, now), now)
            });
            opened.map(|channel| watching(&channel)).map_err(not_opened)
        })
    }

    fn channel(&self, request: &WatchRequest, id: String, calendar: CalendarId, now: Ts) -> Channel {
        let resource = format!("me/calendars/{calendar}/events");
        Channel {
            provider: Provider::Microsoft,
            project: CLIENT.to_owned(),
            id,
            client: ClientId::from(CLIENT),
            person: self.caller.person.clone(),
            resource: Resource::Events(calendar),
            resource_id: resource.clone(),
            address: request.url.clone(),
            token: Some(request.token.expose().to_owned()),
            expires: ends_at(now, request.life),
            event_types: Vec::new(),
            terms: Some(Terms {
                resource,
                changes: BTreeSet::from([Change::Created, Change::Updated, Change::Deleted]),
                change_type: "created,updated,deleted".to_owned(),
                lifecycle_address: Some(request.url.clone()),
                immutable_ids: true,
            }),
        }
    }

    /// In place; one that is gone or past its end stays so.
    pub(super) fn prolong_channel(&self, request: &RenewRequest) -> Result<Watching, ProviderError> {
        // Asking again for a later end is harmless, so that an error says no more than that it failed.
        self.caller.call(Call::Read, || {
            let now = self.caller.skin.clock.now();
            let prolonged = self.caller.skin.cloud.with(|cloud| {
                let alive = |c: &&Arc<Channel>| c.person == self.caller.person && c.expires > now;
                cloud.watch().find(CLIENT, &request.channel).filter(alive)?;
                let ends = ends_at(now, request.life);
                cloud.amend_channel(CLIENT, &request.channel, |channel| channel.expires = ends)
            });
            let channel = prolonged.ok_or_else(|| error(ErrorClass::Gone, "there is no such channel"))?;
            self.caller.skin.memory().asked.remove(&channel.id);
            Ok(watching(&channel))
        })
    }

    pub(super) fn close_channel(&self, channel: &str) -> Result<(), ProviderError> {
        self.caller.call(Call::Read, || {
            self.caller.skin.cloud.with(|cloud| cloud.stop_channel(CLIENT, channel));
            Ok(())
        })
    }
}

fn ends_at(now: Ts, life: SignedDuration) -> Ts {
    now.plus(life.clamp(LIFE_MIN, LIFE_MAX))
}

/// Graph has no id for what is watched: the adapter lets the channel's own stand for it.
fn watching(channel: &Channel) -> Watching {
    Watching { channel: channel.id.clone(), resource: channel.id.clone(), expires_at: channel.expires }
}

/// Whether a channel is told what befalls it.
pub(in crate::direct) fn hears(channel: &Channel) -> bool {
    channel.terms.as_ref().is_some_and(|terms| terms.lifecycle_address.is_some())
}

/// What time and chance do to channels: those that end soon ask to be renewed, others are asked out of turn, and some are
/// removed.
pub(in crate::direct) fn befall(skin: &Direct) {
    let now = skin.clock.now();
    let live = |c: &&Arc<Channel>| c.provider == Provider::Microsoft && c.expires > now;
    let channels: Vec<Arc<Channel>> =
        skin.cloud.with(|cloud| cloud.watch().channels().filter(live).cloned().collect());
    for channel in channels {
        let last = skin.memory().asked.get(&channel.id).copied();
        let soon = ends_soon(&channel, now) && asks_again(last, now);
        if soon || skin.faults.strikes(Fault::RenewalAsked) {
            skin.memory().asked.insert(channel.id.clone(), now);
            skin.tell_channel(&channel, Lifecycle::ReauthorizationRequired);
        }
        if skin.faults.strikes(Fault::ChannelRemoved) {
            skin.tell_channel(&channel, Lifecycle::SubscriptionRemoved);
            skin.cloud.with(|cloud| cloud.stop_channel(&channel.project, &channel.id));
        }
    }
}
