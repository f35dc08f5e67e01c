//! Why a calendar is not to be watched by a push channel, if so: one table for whoever opens channels by hand and for
//! whoever shows how they are. Pure.

use calsync_core::calendar::Calendar;
use calsync_core::ports::UserState;
use serde::Serialize;

use crate::due::account_is_active;

/// What stands between a calendar and its push channel, the first that a person would have to see to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// It takes no part.
    Disabled,
    /// Its provider lists it no longer.
    Missing,
    /// Its account must be connected again.
    NeedsReconnect,
    /// Somebody switched push off for it.
    PushOff,
    /// The rollout flags keep it out.
    NotAdmitted,
    /// Its provider can't push for it.
    Unsupported,
}

impl Obstacle {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Obstacle::Disabled => "the calendar is disabled",
            Obstacle::Missing => "the provider lists the calendar no longer",
            Obstacle::NeedsReconnect => "its account must be connected again: calendar-sync accounts list",
            Obstacle::PushOff => "push is switched off for it",
            Obstacle::NotAdmitted => "not admitted by the rollout: calendar-sync rollout show",
            Obstacle::Unsupported => "the provider can't push for it",
        }
    }
}

/// What stands in the way, if anything; `admitted` is the word of the rollout flags.
pub(super) fn obstacle(state: &UserState, calendar: &Calendar, admitted: Admitted) -> Option<Obstacle> {
    if !calendar.sync_enabled {
        Some(Obstacle::Disabled)
    } else if calendar.missing {
        Some(Obstacle::Missing)
    } else if !account_is_active(state, calendar) {
        Some(Obstacle::NeedsReconnect)
    } else if !calendar.webhook_enabled {
        Some(Obstacle::PushOff)
    } else if admitted == Admitted::No {
        Some(Obstacle::NotAdmitted)
    } else if calendar.push_unsupported {
        Some(Obstacle::Unsupported)
    } else {
        None
    }
}

/// The word of the rollout flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Admitted {
    Yes,
    No,
}

impl From<bool> for Admitted {
    fn from(yes: bool) -> Admitted {
        if yes { Admitted::Yes } else { Admitted::No }
    }
}
