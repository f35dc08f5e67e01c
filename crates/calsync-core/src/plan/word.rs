//! What a plan says of each occurrence, in one vocabulary for `explain` and for the week: whether it has a block, is about to,
//! or why not. Pure.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use super::{ActionKind, Plan, SkipReason};
use crate::block::OccurrenceKey;
use crate::hold::Verdict;
use crate::ids::{CalendarId, RuleId};
use crate::time::Span;

/// What a plan says of one occurrence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word {
    /// By which rule.
    pub rule: RuleId,
    /// Where the event is.
    pub source: CalendarId,
    /// Where its block is, or is not.
    pub target: CalendarId,
    /// Which occurrence.
    pub occurrence: OccurrenceKey,
    /// When: of the block, or, where there is none, of the event.
    pub span: Option<Span>,
    /// Whether a block stands, will stand, or not.
    pub outcome: Outcome,
    /// Why, for people.
    pub because: String,
}

/// Whether a block stands, will stand, or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = EventOutcome)]
pub enum Outcome {
    /// It stands as it should.
    Block,
    /// It will be made.
    ToBeCreated,
    /// It stands, and will be changed.
    ToBeUpdated,
    /// It stands, and will be removed.
    ToBeDeleted,
    /// There is none, and none is wanted.
    NoBlock,
    /// A person changed or removed it, and it is left so.
    LeftAlone,
}

impl Outcome {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Block => "block",
            Outcome::ToBeCreated => "to be created",
            Outcome::ToBeUpdated => "to be updated",
            Outcome::ToBeDeleted => "to be deleted",
            Outcome::NoBlock => "no block",
            Outcome::LeftAlone => "left alone",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<ActionKind> for Outcome {
    fn from(kind: ActionKind) -> Outcome {
        match kind {
            ActionKind::Create => Outcome::ToBeCreated,
            ActionKind::Update => Outcome::ToBeUpdated,
            ActionKind::Delete => Outcome::ToBeDeleted,
            ActionKind::Adopt => Outcome::Block,
            ActionKind::Forget => Outcome::NoBlock,
            ActionKind::Yield => Outcome::LeftAlone,
        }
    }
}

impl SkipReason {
    const fn outcome(&self) -> Outcome {
        match self {
            SkipReason::LeftToPerson | SkipReason::HasGuests => Outcome::LeftAlone,
            _ => Outcome::NoBlock,
        }
    }
}

impl Plan {
    /// What it says of each occurrence: first of what stands, then of what is to be done, then of what makes no block. An
    /// occurrence whose block is to go, and that makes none any more, is in both of the latter.
    pub fn words(&self) -> Vec<Word> {
        let held = match &self.verdict {
            Verdict::Go => None,
            Verdict::Hold(hold) => Some(format!("held: {}", hold.reason)),
        };
        let kept = self.kept.iter().map(|kept| Word {
            rule: kept.rule,
            source: kept.source,
            target: self.target,
            occurrence: kept.occurrence.clone(),
            span: Some(kept.span),
            outcome: Outcome::Block,
            because: "it takes this time".to_owned(),
        });
        let actions = self.actions.iter().map(|action| Word {
            rule: action.row.rule,
            source: action.row.source,
            target: self.target,
            occurrence: action.row.occurrence.clone(),
            span: Some(action.row.span),
            outcome: action.kind.into(),
            because: held.clone().unwrap_or_else(|| action.reason.to_string()),
        });
        let skips = self.skips.iter().map(|skip| Word {
            rule: skip.rule,
            source: skip.source,
            target: self.target,
            occurrence: skip.occurrence.clone(),
            span: skip.span,
            outcome: skip.reason.outcome(),
            because: skip.reason.to_string(),
        });
        kept.chain(actions).chain(skips).collect()
    }
}
