//! The ledger: what we last wrote for each (source occurrence, target), and the writes on their way there.

use serde::{Deserialize, Serialize};

use crate::block::{BlockContent, Fingerprint, Marker, ObservedBlock, OccurrenceKey};
use crate::ids::{CalendarId, CorrelationId, EventId, RuleId};
use crate::journal::{Cause, Entry};
use crate::time::{Span, Ts};

/// What we know of one block that we made, or set out to make.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LedgerRow {
    /// Which block.
    pub correlation: CorrelationId,
    /// The rule it was made for.
    pub rule: RuleId,
    /// Whose time it holds.
    pub source: CalendarId,
    /// Which occurrence of it.
    pub occurrence: OccurrenceKey,
    /// Where it stands.
    pub target: CalendarId,
    /// Its id at the provider; `None` until a provider that chooses ids has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<EventId>,
    /// How often its id had to be given up: ids stay taken after deletion.
    pub generation: u32,
    /// How far it has come.
    pub state: LedgerState,
    /// Fingerprint of what we wanted written last.
    pub wrote: Fingerprint,
    /// Fingerprint of what the provider says it stored. `None` while the block is being made, and once its removal is
    /// decided: the brake let it through then, and is not asked again however often it is planned meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo: Option<Fingerprint>,
    /// The time it holds.
    pub span: Span,
    /// How often it was put back since its event last changed.
    pub repairs: u8,
    /// When it was last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<Ts>,
}

/// How far a block has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerState {
    /// We set out to make it; whether it exists is not known.
    Creating,
    /// It stands.
    Live,
    /// It is gone, by our hand or because nobody wants it; the row keeps its generation.
    Gone,
    /// A person changed or removed it, and we leave it so until its event changes; or invited somebody to it, and we leave it
    /// so for as long as anybody is invited.
    Yielded,
}

impl LedgerState {
    /// Its name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            LedgerState::Creating => "creating",
            LedgerState::Live => "live",
            LedgerState::Gone => "gone",
            LedgerState::Yielded => "yielded",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<LedgerState> {
        use LedgerState::{Creating, Gone, Live, Yielded};
        [Creating, Live, Gone, Yielded].into_iter().find(|s| s.as_str() == name)
    }
}

/// A write in the outbox: committed before the provider is called, settled after it answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Write {
    /// Which block.
    pub correlation: CorrelationId,
    /// In which calendar.
    pub target: CalendarId,
    /// What is to be done.
    pub op: WriteOp,
    /// Tries so far.
    pub attempts: u32,
    /// Not before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Ts>,
    /// What went wrong last, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When the change happened that it answers, where it answers one that nobody has seen before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Ts>,
    /// What made it; without that, no journal is kept of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// What a write does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum WriteOp {
    /// Make the block.
    Create {
        /// Under this id, where we may choose it.
        id: Option<EventId>,
        /// The generation of that id.
        generation: u32,
        /// With this content.
        content: BlockContent,
        /// And this marker.
        marker: Marker,
        /// How often it will then have been put back since its event last changed.
        repairs: u8,
    },
    /// Bring it to this content.
    Update {
        /// Its id.
        id: EventId,
        /// Only if it is still this version.
        version: Option<String>,
        /// The content.
        content: BlockContent,
        /// The marker.
        marker: Marker,
        /// How often it will then have been put back since its event last changed.
        repairs: u8,
    },
    /// Remove it.
    Delete {
        /// Its id.
        id: EventId,
        /// Only if it is still this version.
        version: Option<String>,
    },
}

/// What became of a write: one fact, applied to ledger, mirror and outbox in one transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settlement {
    /// In which calendar.
    pub target: CalendarId,
    /// Which block.
    pub correlation: CorrelationId,
    /// What became of it.
    pub outcome: Outcome,
    /// What the journal is to say of it, if it was carried out.
    pub entry: Option<Entry>,
}

/// What became of a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The block stands as the provider returned it: ledger `live` with this echo, the mirror shows it, the write is
    /// done.
    Stored {
        /// As returned.
        block: ObservedBlock,
        /// Fingerprint of what we wanted.
        wrote: Fingerprint,
        /// The time it holds.
        span: Span,
        /// How often it has now been put back: counted when done, not when tried.
        repairs: u8,
        /// When.
        at: Ts,
    },
    /// The block is gone: the ledger row that names this id becomes `gone`, the mirror forgets it, the write is done.
    Removed {
        /// Its id.
        id: EventId,
    },
    /// The provider would not, for now: the write stays in the outbox.
    Postponed {
        /// Tries so far.
        attempts: u32,
        /// Not before this time.
        not_before: Ts,
        /// In words.
        error: String,
    },
    /// What stands at the provider is not what the plan took it for: the mirror is brought up to date, the write is
    /// dropped, and the target is planned again.
    Replan {
        /// As it stands now; `None` when it is gone.
        observed: Option<ObservedBlock>,
        /// A generation that must be used from now on, when the id proved to be taken.
        generation: Option<u32>,
    },
}
