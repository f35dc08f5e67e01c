//! The mass-deletion brake (spec §5): when a plan holds, and what lets it go.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::ids::{CalendarId, CorrelationId, RunId};
use crate::time::Ts;

/// A plan may remove this many of a target's blocks without a second look, whatever the share.
pub const DELETIONS_FREE: usize = 10;
/// … or this share of them, in percent, whichever is more.
pub const DELETIONS_PERCENT: usize = 20;
/// A source with more blocks than this that suddenly has none holds, however many blocks the target has.
pub const SOURCE_EMPTIED_FROM: usize = 20;
/// Later full listings that must agree before a held plan goes ahead by itself.
pub const AGREEING_LISTINGS: u32 = 2;
/// Whoever undid something is reminded, at the next plan after so long, that nothing is written there.
pub const UNDO_REMINDED_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Time between those listings, unless configured otherwise.
pub const RECHECK_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// A held plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hold {
    /// The target whose plan is held.
    pub target: CalendarId,
    /// Why, in words for a person.
    pub reason: String,
    /// How many blocks the plan would remove.
    pub deletions: u32,
    /// Digest of exactly which: another set is another hold.
    pub digest: u64,
    /// When it began.
    pub since: Ts,
    /// When full listings of all sources last agreed that these blocks are to go.
    pub last_agreed_at: Ts,
    /// How many later listings agreed.
    pub agreed: u32,
    /// A person said yes.
    pub approved: bool,
    /// The run that a person undid, where that is why: such a hold never lets go by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<RunId>,
}

impl Hold {
    /// Whether a person's undo keeps the planner away, and nobody has let it go on.
    pub const fn keeps_undone(&self) -> bool {
        self.undone.is_some() && !self.approved
    }

    /// A hold over what an undo put back. `by`: the run that undoes; each is a hold of its own, and a yes to an earlier one is no
    /// yes to it.
    pub fn of_undo(target: CalendarId, undone: RunId, by: RunId, words: String, now: Ts) -> Hold {
        let (high, low) = by.0.as_u64_pair();
        Hold {
            target,
            reason: words,
            deletions: 0,
            digest: (high ^ low) & (u64::MAX >> 1),
            since: now,
            last_agreed_at: now,
            agreed: 0,
            approved: false,
            undone: Some(undone),
        }
    }
}

/// How much a plan would remove, as the brake sees it. Only removals that rest on what a source *no longer shows*
/// count; what a person asked for (a rule switched off, a calendar disabled) does not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Removals {
    /// The blocks.
    pub blocks: Vec<CorrelationId>,
    /// Blocks of ours in the target before the plan.
    pub standing: usize,
    /// Sources that had more than `SOURCE_EMPTIED_FROM` blocks there and would have none.
    pub emptied_sources: usize,
}

impl Removals {
    /// Digest of the set of blocks, whatever their order.
    fn digest(&self) -> u64 {
        use sha2::{Digest, Sha256};
        let mut ids: Vec<_> = self.blocks.iter().collect();
        ids.sort_unstable();
        let mut hash = Sha256::new();
        ids.iter().for_each(|id| hash.update(id.0));
        let digest = hash.finalize();
        let mut first = [0u8; 8];
        first.copy_from_slice(&digest[..8]);
        // SQLite's integers are signed: keep to 63 bits so that every store can hold it.
        u64::from_be_bytes(first) >> 1
    }

    /// Why the brake is pulled, if it is.
    pub fn alarm(&self) -> Option<String> {
        let limit = DELETIONS_FREE.max(self.standing * DELETIONS_PERCENT / 100);
        let (count, standing) = (self.blocks.len(), self.standing);
        if self.emptied_sources > 0 {
            Some(format!("a source calendar fell from more than {SOURCE_EMPTIED_FROM} events to none"))
        } else if count > limit {
            Some(format!(
                "{count} of {standing} blocks would be removed, or written anew, at once (limit {limit})"
            ))
        } else {
            None
        }
    }
}

/// Whether a plan goes ahead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It does; any hold is over.
    Go,
    /// It does not: write nothing.
    Hold(Hold),
}

/// Decides. `listed_since` is the earliest of the sources' last complete full listings: a hold is agreed with only by
/// listings that *all* began after it last was.
pub fn decide(
    target: CalendarId,
    removals: &Removals,
    open: Option<&Hold>,
    listed_since: Option<Ts>,
    now: Ts,
) -> Verdict {
    let open = match open {
        Some(hold) if hold.keeps_undone() => return Verdict::Hold(hold.clone()),
        // Whoever lets the rules go on has not seen how much they would remove by now.
        Some(hold) if hold.undone.is_some() => None,
        other => other,
    };
    let Some(reason) = removals.alarm() else { return Verdict::Go };
    let digest = removals.digest();
    let Some(open) = open.filter(|h| h.digest == digest) else {
        return Verdict::Hold(Hold {
            target,
            reason,
            deletions: u32::try_from(removals.blocks.len()).unwrap_or(u32::MAX),
            digest,
            since: now,
            last_agreed_at: now,
            agreed: 0,
            approved: false,
            undone: None,
        });
    };
    if open.approved {
        return Verdict::Go;
    }
    match listed_since {
        Some(at) if at > open.last_agreed_at => {
            let agreed = open.agreed + 1;
            if agreed >= AGREEING_LISTINGS {
                return Verdict::Go;
            }
            Verdict::Hold(Hold { agreed, last_agreed_at: now, ..open.clone() })
        }
        _ => Verdict::Hold(open.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn removals(gone: usize, standing: usize, emptied: usize) -> Removals {
        let blocks = (0..gone as u128).map(|n| CorrelationId(Uuid::from_u128(n))).collect();
        Removals { blocks, standing, emptied_sources: emptied }
    }

    #[test]
    fn the_limit_is_ten_or_a_fifth_whichever_is_more() {
        let table = [
            (0, 0, false),
            (10, 10, false),
            (11, 11, true),
            (10, 1000, false),
            (11, 54, true),
            (11, 55, false),
            (200, 1000, false),
            (201, 1000, true),
        ];
        for (gone, standing, held) in table {
            assert_eq!(removals(gone, standing, 0).alarm().is_some(), held, "{gone} of {standing}");
        }
        assert!(removals(3, 1000, 1).alarm().is_some(), "a source that fell to none");
    }

    #[test]
    fn an_undo_holds_until_a_person_lets_it_go() {
        let (target, t) = (CalendarId(Uuid::nil()), Ts::from_secs);
        let run = |n| RunId(Uuid::from_u128(n));
        let hold = Hold::of_undo(target, run(1), run(2), "a run was undone".to_owned(), t(10));
        for removed in [removals(0, 9, 0), removals(50, 100, 0)] {
            for listed in [None, Some(t(20)), Some(t(30)), Some(t(40))] {
                let verdict = decide(target, &removed, Some(&hold), listed, t(50));
                assert_eq!(verdict, Verdict::Hold(hold.clone()), "never by itself");
            }
        }
        // A yes lets the rules go on, as far as the brake does.
        let approved = Hold { approved: true, ..hold.clone() };
        let yes = |removed| decide(target, &removed, Some(&approved), None, t(50));
        assert_eq!(yes(removals(9, 100, 0)), Verdict::Go);
        for many in [removals(50, 100, 0), removals(3, 100, 1)] {
            let Verdict::Hold(held) = yes(many) else { panic!("nobody said yes to that many") };
            assert_eq!((held.undone, held.approved), (None, false));
        }
        let other = Hold::of_undo(target, run(1), run(3), "again".to_owned(), t(10));
        assert_ne!(hold.digest, other.digest, "a yes to one is no yes to the other");
    }

    #[test]
    fn a_hold_ends_by_approval_or_by_two_later_listings() {
        let target = CalendarId(Uuid::nil());
        let t = Ts::from_secs;
        let r = removals(50, 100, 0);
        let Verdict::Hold(first) = decide(target, &r, None, Some(t(90)), t(100)) else { panic!("must hold") };
        // The listing that showed the loss does not count, nor does one that began before it.
        let again = |hold: &Hold, listed, now| decide(target, &r, Some(hold), Some(t(listed)), t(now));
        assert_eq!(again(&first, 90, 101), Verdict::Hold(first.clone()));
        let Verdict::Hold(second) = again(&first, 200, 201) else { panic!("one is not enough") };
        assert_eq!(second.agreed, 1);
        assert_eq!(again(&second, 200, 202), Verdict::Hold(second.clone()), "the same listing counts once");
        assert_eq!(again(&second, 300, 301), Verdict::Go);
        let approved = Hold { approved: true, ..first.clone() };
        assert_eq!(again(&approved, 90, 102), Verdict::Go);
        // Another set of blocks is another hold: an approval does not carry over.
        let other = decide(target, &removals(51, 100, 0), Some(&approved), Some(t(90)), t(103));
        assert!(matches!(other, Verdict::Hold(h) if !h.approved && h.agreed == 0));
        assert_eq!(decide(target, &removals(0, 100, 0), Some(&first), None, t(104)), Verdict::Go);
    }
}
