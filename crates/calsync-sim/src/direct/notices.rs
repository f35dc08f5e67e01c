//! From the cloud's notices to deliveries as the providers' parsers read them: what a webhook address would be posted, in the
//! vocabulary of the core. It believes nothing and delivers nothing.

use std::sync::Arc;

use calsync_core::echo::Told;
use calsync_core::ids::EventId;
use calsync_core::notification::{ChannelNews, Claim, Delivery, Wants};
use calsync_core::secret::Secret;

use super::{Direct, microsoft};
use crate::cloud::watch::{Cause, Change, Channel, Lifecycle, Notice, Provider};
use crate::faults::Fault;

/// How long one key lasts for an item that carries nothing to tell it from the next.
const KEY_MICROS: i64 = 60_000_000;

impl Direct {
    /// What is posted for a notice that arrives now, item by item.
    pub fn deliveries(&self, notice: &Notice) -> Vec<Delivery> {
        match notice.channel.provider {
            Provider::Google => vec![google(notice)],
            Provider::Microsoft => self.microsoft_items(notice),
        }
    }

    /// Looks after Microsoft's channels as time goes by (microsoft.md §8.3).
    pub fn tend(&self) {
        microsoft::befall(self);
    }

    /// A notice to this channel was thrown away. Microsoft may own up to it (§8.3 `missed`); Google never does.
    pub fn threw_away(&self, notice: &Notice) {
        if matches!(notice.cause, Cause::Changed(_)) && self.faults.strikes(Fault::MissOwned) {
            self.tell_channel(&notice.channel, Lifecycle::Missed);
        }
    }

    /// Tells a channel of Microsoft's what befell it, if it named an address for that.
    pub fn tell_channel(&self, channel: &Arc<Channel>, what: Lifecycle) {
        if channel.provider == Provider::Microsoft && microsoft::hears(channel) {
            let now = self.clock.now();
            self.cloud.with(|cloud| cloud.tell_channel(channel, what, now));
        }
    }

    fn microsoft_items(&self, notice: &Notice) -> Vec<Delivery> {
        let now = self.clock.now();
        let minute = now.micros().div_euclid(KEY_MICROS);
        let item = |key: String, news| Delivery { claim: claim(&notice.channel, key), news };
        let telling = |key: String, told: Option<Told>| {
            let mut payload = serde_json::Map::new();
            told.iter().for_each(|told| told.keep(&mut payload));
            let claim = Claim { payload: payload.into(), ..claim(&notice.channel, key) };
            Delivery { claim, news: ChannelNews::Nothing }
        };
        match &notice.cause {
            Cause::Opened => Vec::new(),
            Cause::Lifecycle(what) => {
                let news = match what {
                    Lifecycle::ReauthorizationRequired => ChannelNews::RenewNow,
                    Lifecycle::SubscriptionRemoved => ChannelNews::Ended,
                    Lifecycle::Missed => ChannelNews::Missed,
                };
                // It carries neither id nor etag: the minute of its receipt tells it from the next (§8.3).
                vec![item(format!("{what:?} {minute}"), news)]
            }
            Cause::Changed(_) => {
                let Some((change, event)) = &notice.touched else { return Vec::new() };
                let bare = self.faults.strikes(Fault::NoticeBare);
                let one = |change: Change| {
                    let tail = match change {
                        _ if bare => format!("{minute}"),
                        // Ids are never used again, so that an event is deleted once.
                        Change::Deleted => event.id.to_string(),
                        Change::Created | Change::Updated => format!("{} {}", event.id, event.version),
                    };
                    let id = EventId(event.id.to_string());
                    let told = match change {
                        Change::Deleted => Told::Gone { event: id },
                        Change::Created | Change::Updated => {
                            Told::Stands { event: id, version: event.version.to_string() }
                        }
                    };
                    telling(format!("{change:?} {tail}"), (!bare).then_some(told))
                };
                // What was just made is changed at once by the server (§8.2 "duplicates and noise").
                let noise = (*change == Change::Created).then_some(Change::Updated);
                std::iter::once(*change).chain(noise).map(one).collect()
            }
        }
    }
}

fn claim(channel: &Channel, notification_id: String) -> Claim {
    Claim {
        channel: channel.id.clone(),
        token: channel.token.as_ref().map(Secret::new),
        // Graph spells what is watched in many ways; the channel stands for it.
        resource: channel.id.clone(),
        notification_id,
        wants: Wants::Sync,
        headers: serde_json::json!({}),
        payload: serde_json::json!({}),
    }
}

fn google(notice: &Notice) -> Delivery {
    let wants = if notice.cause == Cause::Opened { Wants::Confirmation } else { Wants::Sync };
    let claim = Claim {
        resource: notice.channel.resource_id.clone(),
        wants,
        payload: serde_json::Value::Null,
        ..claim(&notice.channel, notice.number.to_string())
    };
    Delivery { claim, news: ChannelNews::Nothing }
}
