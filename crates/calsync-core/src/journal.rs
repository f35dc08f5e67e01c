//! The journal: one row for each write that was settled, with what stood before and after it, why it was made, and the four times
//! of its receipt. Written in the transaction that settles the write; never by itself, and never about what we did not write. A
//! write whose answer was lost and that waits no more is not told: a later look finds its block standing, and takes it over.
//!
//! Texts that a rule copied stand apart from the rest of a content, so that they can be forgotten without it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::block::{BlockContent, Fingerprint};
use crate::event::TextPolicy;
use crate::ids::{CalendarId, CorrelationId, EventId, RuleId, RunId, UserId};
use crate::ledger::WriteOp;
use crate::plan::Reason;
use crate::rule::DEFAULT_TITLE;
use crate::run::Run;
use crate::time::Ts;

/// Runs on one page of an activity at most.
pub const PAGE_MAX: u32 = 200;
/// Rows of one run that are read at once.
pub const ROWS_MAX: u32 = 10_000;

/// What made a write: it rides with it through the outbox.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cause {
    /// The run that planned it.
    pub run: RunId,
    /// The rule that it serves.
    pub rule: RuleId,
    /// Why.
    pub reason: Reason,
    /// Which texts of its content were copied from the event.
    #[serde(default)]
    pub copies: TextPolicy,
    /// When that which it rests on was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched_at: Option<Ts>,
}

/// What a write did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// It made a block.
    Created,
    /// It changed one.
    Changed,
    /// It removed one.
    Removed,
}

impl Deed {
    /// What a write of this kind does.
    pub const fn of(op: &WriteOp) -> Deed {
        match op {
            WriteOp::Create { .. } => Deed::Created,
            WriteOp::Update { .. } => Deed::Changed,
            WriteOp::Delete { .. } => Deed::Removed,
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Deed::Created => "created",
            Deed::Changed => "changed",
            Deed::Removed => "removed",
        }
    }
}

/// What is to be noted of a write that is settled. The block and what the provider made of it stand in the settlement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What made the write.
    pub cause: Cause,
    /// What it did.
    pub deed: Deed,
    /// What it wrote; `None` of a removal.
    pub content: Option<BlockContent>,
    /// When the change happened that it answers, where that is known.
    pub changed_at: Option<Ts>,
    /// When the provider answered.
    pub written_at: Ts,
}

/// The texts of a content that were copied from an event, and nothing else of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Copied {
    /// The title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl Copied {
    /// Takes the copied texts out of a content: what is left says nothing of its event but when it is.
    pub fn take(content: BlockContent, copies: TextPolicy) -> (BlockContent, Option<Copied>) {
        let mut left = content;
        let title = copies.title.then(|| std::mem::replace(&mut left.title, DEFAULT_TITLE.to_owned()));
        let copied = Copied {
            title: title.filter(|title| title != DEFAULT_TITLE),
            description: left.description.take_if(|_| copies.description),
            location: left.location.take_if(|_| copies.location),
        };
        let any = copied != Copied::default();
        (left, any.then_some(copied))
    }

    /// What of them may be kept under these rules.
    pub fn allowed(self, policy: TextPolicy) -> Option<Copied> {
        let kept = Copied {
            title: self.title.filter(|_| policy.title),
            description: self.description.filter(|_| policy.description),
            location: self.location.filter(|_| policy.location),
        };
        (kept != Copied::default()).then_some(kept)
    }

    /// The content with these texts in it again.
    pub fn put_back(self, content: BlockContent) -> BlockContent {
        BlockContent {
            title: self.title.unwrap_or(content.title),
            description: self.description.or(content.description),
            location: self.location.or(content.location),
            ..content
        }
    }
}

/// The times of one write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// When the change happened at the source, where that is known.
    pub seen_at: Option<Ts>,
    /// When the run read it.
    pub fetched_at: Option<Ts>,
    /// When the target's provider answered that it is written.
    pub written_at: Ts,
    /// When a later listing of the target showed it so.
    pub verified_at: Option<Ts>,
}

/// One row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct JournalRow {
    /// Its number: later ones are greater.
    pub seq: i64,
    /// The run that it belongs to.
    pub run: RunId,
    /// Where it was written.
    pub target: CalendarId,
    /// Which block.
    pub correlation: CorrelationId,
    /// Whose time that holds.
    pub source: CalendarId,
    /// The rule that it serves.
    pub rule: RuleId,
    /// What was done.
    pub deed: Deed,
    /// Why.
    pub reason: Reason,
    /// The block's id at the provider.
    pub block: EventId,
    /// What stood before, as far as we wrote it; `None`: nothing, or nobody remembers.
    pub before: Option<BlockContent>,
    /// What stood after it; `None`: nothing.
    pub after: Option<BlockContent>,
    /// Fingerprint of what the provider made of that: nobody's business but ours.
    #[serde(skip)]
    pub echo: Option<Fingerprint>,
    /// When.
    pub receipt: Receipt,
}

/// A block of a run that another run wrote after it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Overwritten {
    /// Where.
    pub target: CalendarId,
    /// Which.
    pub correlation: CorrelationId,
    /// The run that did.
    pub by: RunId,
    /// Why.
    pub reason: Reason,
}

/// A block as a listing showed it after we may have written it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Shown {
    /// Its id.
    pub block: EventId,
    /// Its fingerprint; `None`: it is gone.
    pub fingerprint: Option<Fingerprint>,
}

impl Shown {
    /// Whether it shows what a row says was done.
    pub fn proves(&self, row: &JournalRow) -> bool {
        self.block == row.block && self.fingerprint == row.echo
    }
}

/// Which runs an activity shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Filter {
    /// Of whom.
    pub user: UserId,
    /// Of this calendar, or written into it.
    pub calendar: Option<CalendarId>,
    /// Begun then or later.
    pub since: Option<Ts>,
    /// Also those that wrote nothing.
    pub idle: Idle,
}

/// Whether runs that wrote nothing are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Idle {
    /// They are left out.
    Hidden,
    /// They are shown.
    Shown,
}

/// Where a page begins: after this run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct After {
    /// When it began.
    pub started_at: Ts,
    /// Its id.
    pub run: RunId,
}

/// A run, and how much it wrote: counted in the journal, so that what was written later for it is counted too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Activity {
    /// The run.
    #[serde(flatten)]
    pub run: Run,
    /// What it did, by target.
    pub wrote: Vec<Wrote>,
}

/// What a run did in one target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Wrote {
    /// Where.
    pub target: CalendarId,
    /// Blocks made.
    pub created: u32,
    /// Blocks changed.
    pub changed: u32,
    /// Blocks removed.
    pub removed: u32,
    /// How many of them a later listing showed.
    pub verified: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{BlockBusy, Visibility};
    use crate::time::Span;

    fn content() -> BlockContent {
        let start = Ts::from_secs(0);
        BlockContent {
            span: Span::Timed { start, end: Ts::from_secs(3_600) },
            title: "Dentist".to_owned(),
            description: Some("bring the papers".to_owned()),
            location: Some("Main street".to_owned()),
            busy: BlockBusy::Busy,
            visibility: Visibility::Private,
            colour: None,
        }
    }

    #[test]
    fn copied_texts_come_out_and_go_in_again() {
        for mask in 0..8_u8 {
            let copies =
                TextPolicy { title: mask & 1 > 0, description: mask & 2 > 0, location: mask & 4 > 0 };
            let (left, copied) = Copied::take(content(), copies);
            assert_eq!(copied.is_some(), mask > 0);
            assert_eq!(left.title == "Dentist", !copies.title);
            assert_eq!(left.description.is_some(), !copies.description);
            assert_eq!(left.location.is_some(), !copies.location);
            assert_eq!(copied.clone().map_or(left.clone(), |c| c.put_back(left.clone())), content());
            // A rule that copies nothing any more leaves nothing.
            assert_eq!(copied.and_then(|c| c.allowed(TextPolicy::default())), None);
        }
        let plain =
            BlockContent { title: DEFAULT_TITLE.to_owned(), description: None, location: None, ..content() };
        let all = TextPolicy { title: true, description: true, location: true };
        assert_eq!(Copied::take(plain.clone(), all), (plain, None), "there is nothing in it");
    }
}
