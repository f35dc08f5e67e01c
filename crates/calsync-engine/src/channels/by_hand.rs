//! Push channels by hand: opened, renewed and cleaned up because a person says so, one calendar at a time, each with an
//! outcome in words. It goes the way of the rounds, so that whatever races with them, the store lets one channel stand.

use calsync_core::calendar::Calendar;
use calsync_core::ports::{CalendarChange, ProviderError, Switch, UserState};
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use serde::Serialize;

use super::obstacle::{Obstacle, obstacle};
use super::open::Opened;
use crate::{Engine, EngineError};

/// Whom a person asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// This very calendar: its provider is asked even if it said lately that it can't push for it.
    ByName,
    /// Whatever there is.
    Among,
}

/// Whether to do it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// It is done.
    Do,
    /// It is only told.
    Tell,
}

/// What came of it, or would come of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ByHand {
    /// A channel was opened.
    Opened,
    /// It was renewed.
    Renewed,
    /// It would be.
    Would,
    /// There is one already.
    WatchedAlready,
    /// There is none to be renewed.
    NotWatched,
    /// Somebody else is opening one right now, or just has.
    ByAnother,
    /// It is not to be watched.
    Hindered(Obstacle),
    /// The provider says no.
    Failed(ProviderError),
}

/// What was cleaned up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Cleaned {
    /// Channels whose end had come.
    pub expired: u64,
    /// Channels that were to be closed at their provider.
    pub to_close: u64,
    /// Those of them that were closed now, or are to be.
    pub closed: u64,
}

impl Engine {
    /// Whether providers can reach us: without that no channel can be opened.
    pub fn is_public(&self) -> bool {
        self.config.public_url.is_some()
    }

    /// Opens a channel where there is none and one is wanted, however long it was to be left alone.
    pub async fn open_by_hand(
        &self,
        state: &UserState,
        calendar: &Calendar,
        asked: Asked,
        deed: Deed,
    ) -> Result<ByHand, EngineError> {
        let hindered = obstacle(state, calendar, self.admits(calendar, &state.user).await?.into());
        match hindered {
            Some(Obstacle::Unsupported) if asked == Asked::ByName => {}
            Some(hindered) => return Ok(ByHand::Hindered(hindered)),
            None => {}
        }
        if let Some(active) = state.subscriptions.iter().find(|s| s.calendar == calendar.id) {
            // Past its end it stands in nobody's way, once that is written down.
            if !active.is_expired(self.clock.now()) {
                return Ok(if active.resource_id.is_empty() {
                    ByHand::ByAnother
                } else {
                    ByHand::WatchedAlready
                });
            }
        }
        if deed == Deed::Tell {
            return Ok(ByHand::Would);
        }
        let now = self.clock.now();
        self.store.expire_subscriptions(now).await?;
        if calendar.push_unsupported {
            // It also ends the wait.
            self.store.change_calendar(calendar.id, CalendarChange::WebhookEnabled(Switch::On), now).await?;
        } else {
            self.store.postpone_opening(calendar.id, now).await?;
        }
        let Some(fresh) = self.store.calendar(calendar.id).await? else {
            return Ok(ByHand::Hindered(Obstacle::Missing));
        };
        Ok(outcome(self.open_one(&fresh).await?, ByHand::Opened))
    }

    /// Renews the channel of a calendar now, whenever it ends.
    pub async fn renew_by_hand(
        &self,
        state: &UserState,
        calendar: &Calendar,
        deed: Deed,
    ) -> Result<ByHand, EngineError> {
        let active = state.subscriptions.iter().find(|s| s.calendar == calendar.id);
        let Some(active) = active else { return Ok(ByHand::NotWatched) };
        if active.resource_id.is_empty() {
            return Ok(ByHand::ByAnother);
        }
        let admitted = self.admits(calendar, &state.user).await?.into();
        match obstacle(state, calendar, admitted) {
            // What stands can be renewed, whatever was thought of it.
            None | Some(Obstacle::Unsupported) => {}
            Some(hindered) => return Ok(ByHand::Hindered(hindered)),
        }
        match deed {
            Deed::Tell => Ok(ByHand::Would),
            Deed::Do => Ok(outcome(self.renew_one(active).await?, ByHand::Renewed)),
        }
    }

    /// Writes down what has ended (everywhere: an end is a fact), and closes at the provider what is to be closed of these
    /// calendars. What it tells is of these calendars.
    pub async fn clean_by_hand(&self, calendars: &[&Calendar], deed: Deed) -> Result<Cleaned, EngineError> {
        let now = self.clock.now();
        let mut cleaned = Cleaned::default();
        let mut closing: Vec<Subscription> = Vec::new();
        for calendar in calendars {
            for channel in self.store.subscriptions(calendar.id).await? {
                let ended = channel.status == SubscriptionStatus::Active && channel.is_expired(now);
                cleaned.expired += u64::from(ended);
                if channel.close_at.is_some_and(|at| at <= now) {
                    closing.push(channel);
                }
            }
        }
        cleaned.to_close = closing.len() as u64;
        if deed == Deed::Tell {
            return Ok(cleaned);
        }
        self.store.expire_subscriptions(now).await?;
        for channel in &closing {
            cleaned.closed += u64::from(self.close_one(channel).await?);
        }
        Ok(cleaned)
    }
}

fn outcome(opened: Opened, yes: ByHand) -> ByHand {
    match opened {
        Opened::Yes => yes,
        Opened::Unsupported => ByHand::Hindered(Obstacle::Unsupported),
        Opened::ByAnother => ByHand::ByAnother,
        // It was wanted a moment ago: somebody changed it meanwhile.
        Opened::NotWanted => ByHand::ByAnother,
        Opened::No(error) => ByHand::Failed(error),
    }
}
