//! Push channels by hand: opened, renewed and cleaned up because a person says so, one calendar at a time, each with an
//! outcome in words. It goes the way of the rounds, so that whatever races with them, the store lets one channel stand.

use calsync_core::calendar::Calendar;
use calsync_core::ids::CalendarId;
use calsync_core::ports::{CalendarChange, ProviderError, Switch, UserState};
use calsync_core::subscription::{REVIVE_AFTER, Subscription, SubscriptionStatus};
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
    /// It was taken out of use.
    Suspended,
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

impl ByHand {
    /// What came of it, in words.
    pub fn words(&self) -> String {
        match self {
            ByHand::Opened => "a push channel was opened".to_owned(),
            ByHand::Renewed => "its push channel was renewed".to_owned(),
            ByHand::Suspended => "its push channel was taken out of use".to_owned(),
            ByHand::Would => "it would be done".to_owned(),
            ByHand::WatchedAlready => "it has a push channel already".to_owned(),
            ByHand::NotWatched => "it has no push channel in use".to_owned(),
            ByHand::ByAnother => "the running service is at it just now".to_owned(),
            ByHand::Hindered(obstacle) => obstacle.words().to_owned(),
            ByHand::Failed(error) => format!("its provider says no: {error}"),
        }
    }

    /// Whether what was asked for has been done.
    pub const fn is_done(&self) -> bool {
        matches!(self, ByHand::Opened | ByHand::Renewed | ByHand::Suspended)
    }
}

/// What a person asks for, of the channel of one calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Renew it now, whenever it ends.
    Renew,
    /// Take it out of use: the calendar is polled, for a day.
    Suspend,
    /// Open one where there is none in use.
    Revive,
}

impl Act {
    /// In words, for the audit log.
    const fn words(self) -> &'static str {
        match self {
            Act::Renew => "renew",
            Act::Suspend => "suspend",
            Act::Revive => "revive",
        }
    }
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

    /// Does one of these to a calendar's channel because this person asks for it. It is in the audit log, with what came of it.
    pub async fn see_to_channel(
        &self,
        calendar: CalendarId,
        act: Act,
        who: &str,
    ) -> Result<ByHand, EngineError> {
        let unknown = || EngineError::NotFound(format!("calendar {calendar}"));
        let known = self.store.calendar(calendar).await?.ok_or_else(unknown)?;
        let state = self.store.user_state(known.user).await?.ok_or_else(unknown)?;
        let came = match act {
            Act::Renew => self.renew_by_hand(&state, &known, Deed::Do).await?,
            Act::Suspend => self.suspend_by_hand(&state, &known).await?,
            Act::Revive => self.open_by_hand(&state, &known, Asked::ByName, Deed::Do).await?,
        };
        let line = format!("subscriptions: {} that of calendar {calendar}: {}", act.words(), came.words());
        self.store.audit(who, &line, self.clock.now()).await?;
        Ok(came)
    }

    /// Takes the channel of a calendar out of use. It is tried again by itself after a day.
    async fn suspend_by_hand(&self, state: &UserState, calendar: &Calendar) -> Result<ByHand, EngineError> {
        let Some(active) = state.subscriptions.iter().find(|s| s.calendar == calendar.id) else {
            return Ok(ByHand::NotWatched);
        };
        if active.resource_id.is_empty() {
            return Ok(ByHand::ByAnother);
        }
        let now = self.clock.now();
        // First the calendar: nothing must open another one at once.
        self.store.postpone_opening(calendar.id, now.plus(REVIVE_AFTER)).await?;
        self.take_out_of_use(active, now).await?;
        Ok(ByHand::Suspended)
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
