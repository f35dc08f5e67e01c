//! The use cases of calendar-sync, and the only place that goes pure → I/O → pure.
//!
//! It knows no SQL, no HTTP, no timer of its own and no provider's name. HTTP handlers, CLI commands and scheduled jobs
//! each call one method here and render what it answers.

mod access;
mod activity;
mod alerts;
mod calendars;
mod calls;
mod causes;
mod channels;
mod due;
mod echo;
mod error;
mod freshness;
mod inspect;
mod known;
mod leaving;
mod overview;
mod preview;
mod pull;
mod push;
mod rebuild;
mod receive;
mod replay;
mod report;
mod rollout;
mod rules;
mod settle;
mod step;
mod target;
mod trace;
mod undo;
mod watch;
mod week;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use calsync_core::block::Identity;
use calsync_core::hold;
use calsync_core::ports::{Clock, IdGen, ProviderDirectory, Store};
use calsync_core::rollout::Rollout;
use calsync_core::schedule::Intervals;
use jiff::SignedDuration;

pub use activity::{ActivityPage, RunDetail, RunRow, Undoable};
pub use calendars::{AccountPreview, AccountRemoved, Blocks, Enabled, TakenOut};
pub use channels::{
    Act, Asked, ByHand, ChannelHealth, Cleaned, Deed, Maintenance, MaintenanceDue, Obstacle, Trial, Verdict,
};
pub use error::{EngineError, Refusal};
pub use freshness::RuleFreshness;
pub use inspect::{Explanation, Line, Question};
pub use leaving::Left;
pub use overview::{AccountOverview, CalendarOverview};
pub use preview::{RulesPreview, Thought, Unread};
pub use rebuild::Rebuild;
pub use receive::{Accepted, Followup};
pub use report::{BlockChange, CalendarReport, ChannelShowed, FailedWrite, StepReport};
pub use rollout::{Preview, Reach, RolloutReport};
pub use rules::{RuleGrid, RulesChanged, RulesError};
pub use undo::{Partly, UndoReport, Undoing};
pub use watch::{BY_ITSELF, Found, Reached, Responses, WatchState, Way};
pub use week::{Viewer, Week};

/// What the engine may be told.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Name of this worker in leases.
    pub owner: String,
    /// How far back blocks are kept right, in days.
    pub window_past_days: u16,
    /// How far ahead, in days.
    pub window_future_days: u16,
    /// How often calendars are looked at without being told to.
    pub intervals: Intervals,
    /// Wait before a held plan is looked at again.
    pub hold_recheck: SignedDuration,
    /// How soon rules should be right again.
    pub promise: SignedDuration,
    /// How long a lease lives without being renewed.
    pub lease: SignedDuration,
    /// Where providers reach us, if they can: `https://…` without a trailing slash.
    pub public_url: Option<String>,
    /// The rollout flags until somebody changes them.
    pub rollout: Rollout,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            owner: "engine".to_owned(),
            window_past_days: 1,
            window_future_days: 90,
            intervals: Intervals::default(),
            hold_recheck: hold::RECHECK_AFTER,
            promise: calsync_core::freshness::PROMISE,
            lease: SignedDuration::from_secs(60),
            public_url: None,
            rollout: Rollout::default(),
        }
    }
}

/// The engine. Cheap to clone; holds no state of its own that a restart could lose.
#[derive(Clone)]
pub struct Engine {
    store: Arc<dyn Store>,
    providers: Arc<dyn ProviderDirectory>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
    identity: Identity,
    config: Arc<EngineConfig>,
    /// Steps under way are to end soon; shared by all clones.
    ending: Arc<AtomicBool>,
    known: Arc<known::KnownChannels>,
    flags: Arc<rollout::Known<Rollout>>,
    doubt: Arc<rollout::Known<bool>>,
}

impl Engine {
    /// Puts it together.
    pub fn new(
        store: Arc<dyn Store>,
        providers: Arc<dyn ProviderDirectory>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGen>,
        identity: Identity,
        config: EngineConfig,
    ) -> Engine {
        let (config, ending) = (Arc::new(config), Arc::default());
        let (known, flags, doubt) = (Arc::default(), Arc::default(), Arc::default());
        Engine { store, providers, clock, ids, identity, config, ending, known, flags, doubt }
    }

    /// Steps under way end with the batch that they are writing: the process is about to stop. What is left waits in the
    /// outbox, and its users are given back, so that the next process goes on at once.
    pub fn end_soon(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// The store, for faces that only show what is there.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }
}
