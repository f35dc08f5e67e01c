//! What a plan would do, counted for a person, and how long its writing would take. Pure; never tells a title: only times.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::hold::Verdict;
use crate::ids::{AccountId, CalendarId};
use crate::plan::{Action, ActionKind, Plan};
use crate::time::Span;

/// Blocks of each kind that are shown with their times.
pub const FIRST_MAX: usize = 5;

/// How fast a provider lets us write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pace {
    /// Into one calendar.
    pub calendar: Flow,
    /// With one account, into all its calendars.
    pub account: Flow,
    /// Calls that may be under way at once.
    pub at_once: u8,
}

/// Writes that may be made: some at once, and so many more in each minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Flow {
    /// At once.
    pub burst: u32,
    /// More, per minute.
    pub per_minute: u32,
}

impl Flow {
    /// As many as anybody likes.
    pub const FREE: Flow = Flow { burst: u32::MAX, per_minute: u32::MAX };

    /// How long so many writes wait for it.
    pub fn time(&self, writes: usize) -> SignedDuration {
        let over = writes.saturating_sub(self.burst as usize);
        let millis = (over as u64).saturating_mul(60_000) / u64::from(self.per_minute.max(1));
        SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { calendar: Flow::FREE, account: Flow::FREE, at_once: 1 }
    }
}

/// How writing goes with one account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Writer {
    /// How fast it may be.
    pub pace: Pace,
    /// How long a call takes there.
    pub call: SignedDuration,
}

/// How long these writes take: as long as the slowest of the calendars, of the accounts, and of the calls themselves. Accounts
/// are written to side by side.
pub fn writing_time(
    writes: &BTreeMap<(AccountId, CalendarId), usize>,
    writers: &BTreeMap<AccountId, Writer>,
) -> SignedDuration {
    let mut longest = SignedDuration::ZERO;
    for (id, writer) in writers {
        let theirs = || writes.iter().filter(|((account, _), _)| account == id).map(|(_, count)| *count);
        let all: usize = theirs().sum();
        let slowest = theirs().map(|count| writer.pace.calendar.time(count)).max().unwrap_or_default();
        let rounds = all.div_ceil(usize::from(writer.pace.at_once.max(1)));
        let calls = writer.call.saturating_mul(i32::try_from(rounds).unwrap_or(i32::MAX));
        longest = longest.max(slowest).max(writer.pace.account.time(all)).max(calls);
    }
    longest
}

/// Blocks of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
#[schema(as = PlannedBlocks)]
pub struct Blocks {
    /// How many.
    pub count: usize,
    /// The first few: those that are written first.
    pub first: Vec<Shown>,
}

/// One block, by its time alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = PlannedBlock)]
pub struct Shown {
    /// Whose time it holds.
    pub source: CalendarId,
    /// The time.
    pub span: Span,
}

/// What would be done to one calendar.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct TargetPreview {
    /// Which.
    pub target: CalendarId,
    /// Blocks that would be made.
    pub created: Blocks,
    /// Blocks that would be changed.
    pub changed: Blocks,
    /// Blocks that would be removed.
    pub deleted: Blocks,
    /// Blocks that stay as they are.
    pub kept: usize,
    /// Why the brake would hold it, if it would. Then nothing is written but removals that somebody asked for.
    pub held: Option<String>,
    /// Calls that it takes at once, those that the brake holds left out.
    pub writes: usize,
}

impl TargetPreview {
    /// Of this plan.
    pub fn of(plan: &Plan) -> TargetPreview {
        let blocks = |kind: ActionKind| {
            let of_kind = || plan.actions.iter().filter(|a| a.kind == kind);
            let shown = |a: &Action| Shown { source: a.row.source, span: a.row.span };
            Blocks { count: of_kind().count(), first: of_kind().take(FIRST_MAX).map(shown).collect() }
        };
        let stays = |a: &&Action| matches!(a.kind, ActionKind::Adopt | ActionKind::Yield);
        TargetPreview {
            target: plan.target,
            created: blocks(ActionKind::Create),
            changed: blocks(ActionKind::Update),
            deleted: blocks(ActionKind::Delete),
            kept: plan.kept.len() + plan.actions.iter().filter(stays).count(),
            held: match &plan.verdict {
                Verdict::Go => None,
                Verdict::Hold(hold) => Some(hold.reason.clone()),
            },
            writes: plan.enqueue().writes.len(),
        }
    }

    /// Whether nothing would be done.
    pub fn is_empty(&self) -> bool {
        self.created.count + self.changed.count + self.deleted.count == 0
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_slowest_of_calendars_accounts_and_calls_counts() {
        let [a, b] = [1, 2].map(|n| AccountId(Uuid::from_u128(n)));
        let [x, y, z] = [7, 8, 9].map(|n| CalendarId(Uuid::from_u128(n)));
        let calendar = Flow { burst: 24, per_minute: 216 };
        let pace = Pace { calendar, account: Flow { burst: 60, per_minute: 540 }, at_once: 4 };
        let time = |writes: &[(AccountId, CalendarId, usize)], call: i64| {
            let writes = writes.iter().map(|(account, calendar, n)| ((*account, *calendar), *n)).collect();
            let writer = Writer { pace, call: SignedDuration::from_millis(call) };
            writing_time(&writes, &[(a, writer), (b, writer)].into()).as_millis()
        };
        assert_eq!(time(&[], 100), 0);
        assert_eq!(time(&[(a, x, 24)], 0), 0, "a burst");
        assert_eq!(time(&[(a, x, 24)], 100), 600, "six rounds of calls");
        assert_eq!(time(&[(a, x, 240)], 100), 60_000, "the calendar's flow");
        assert_eq!(time(&[(a, x, 240), (b, y, 240)], 100), 60_000, "side by side");
        assert_eq!(time(&[(a, x, 200), (a, y, 200), (a, z, 200)], 100), 60_000, "the account's flow");
        let free = Writer { pace: Pace::default(), call: SignedDuration::from_millis(10) };
        let many = [((a, x), 1_000)].into();
        assert_eq!(writing_time(&many, &[(a, free)].into()), SignedDuration::from_secs(10));
    }
}
