//! What a provider's answer to a write means: pure. Every write can be asked for again without harm, so the only
//! question is what we know now.

use calsync_core::block::{Identity, ObservedBlock, Origin};
use calsync_core::ids::{CorrelationId, EventId};
use calsync_core::ledger::{Outcome, Write, WriteOp};
use calsync_core::ports::{ErrorClass, ProviderError, Standing};
use calsync_core::schedule;
use calsync_core::time::Ts;
use jiff::SignedDuration;

/// Wait before a refused write is tried again: somebody may have changed what the calendar allows.
const REFUSED_WAIT: SignedDuration = SignedDuration::from_hours(1);
/// Wait after an outcome that could not be made out: a replica may not know of it yet (google.md §10 row 4).
const DOUBT_WAIT: SignedDuration = SignedDuration::from_secs(2);

/// What to do after an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is settled.
    Settled(Outcome),
    /// See what stands there first.
    Look(EventId),
    /// The account is of no use: leave the write where it is, and all others of this account.
    Stop,
}

/// What an error means for a write.
pub(crate) fn after_error(write: &Write, error: &ProviderError, now: Ts) -> Next {
    use ErrorClass::{
        Ambiguous, Conflict, CursorExpired, Exists, Gone, Invalid, Misconfigured, Permanent, RateLimited,
        Transient, Unauthorized, Unsupported,
    };
    let postponed = |not_before| {
        let attempts = write.attempts.saturating_add(1);
        Next::Settled(Outcome::Postponed { attempts, not_before, error: error.to_string() })
    };
    match (error.class, target_id(&write.op)) {
        (Unauthorized | Misconfigured, _) => Next::Stop,
        (Exists | Conflict | Ambiguous, Some(id)) => Next::Look(id.clone()),
        (Exists, None) => Next::Settled(key_used_up(&write.op)),
        (Gone, Some(id)) if matches!(write.op, WriteOp::Update { .. }) => Next::Look(id.clone()),
        (Gone, Some(id)) if matches!(write.op, WriteOp::Delete { .. }) => {
            Next::Settled(Outcome::Removed { id: id.clone() })
        }
        (Transient | RateLimited | Ambiguous | Conflict | CursorExpired, _) => {
            let later = schedule::after_write_error(error, write.attempts.saturating_add(1), now);
            postponed(later.unwrap_or(now.plus(REFUSED_WAIT)))
        }
        (Gone | Invalid | Unsupported | Permanent, _) => postponed(now.plus(REFUSED_WAIT)),
    }
}

/// Whether a write that is put off for this was refused, and somebody should be told. One that met what stands there
/// already, or a change, was not: what became of it is still to be found out.
pub(crate) const fn is_refusal(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Gone | ErrorClass::Invalid | ErrorClass::Unsupported | ErrorClass::Permanent)
}

/// The provider chooses ids, and its adapter has looked: the key was used for a block that is not there any more. The block
/// comes back under the next one.
fn key_used_up(op: &WriteOp) -> Outcome {
    let generation = match op {
        WriteOp::Create { generation, .. } => Some(generation.saturating_add(1)),
        WriteOp::Update { .. } | WriteOp::Delete { .. } => None,
    };
    Outcome::Replan { observed: None, generation }
}

/// What is known after a look that `error` made necessary.
pub(crate) fn after_look(
    write: &Write,
    error: &ProviderError,
    standing: Standing,
    identity: &Identity,
    now: Ts,
) -> Outcome {
    let later = || {
        let attempts = write.attempts.saturating_add(1);
        let not_before = schedule::after_write_error(error, attempts, now).unwrap_or(now.plus(REFUSED_WAIT));
        Outcome::Postponed {
            attempts,
            not_before: not_before.max(now.plus(DOUBT_WAIT)),
            error: error.to_string(),
        }
    };
    let created = match &write.op {
        WriteOp::Create { generation, .. } => Some(*generation),
        _ => None,
    };
    let next_generation = Outcome::Replan { observed: None, generation: created.map(|g| g + 1) };
    match (standing, created) {
        // Exactly what the plan took it for: the provider failed, and planning again would find nothing new.
        (Standing::Present(remote), None) if remote.event.version.as_deref() == guard(&write.op) => later(),
        (Standing::Present(remote), _) => {
            let ours = is_ours(identity, write.correlation, &remote.event.id, remote.marker.as_ref());
            match remote.as_block() {
                // Asked for before, and the answer was lost: it stands as it was sent.
                Some(block) if (created.is_none() || ours) && stands_as_sent(&write.op, &block) => {
                    stored(&write.op, block, now).unwrap_or(next_generation)
                }
                // A create met something under its id: ours by its signed marker, else a stranger to keep away from.
                Some(block) if created.is_none() || ours => {
                    Outcome::Replan { observed: Some(block), generation: None }
                }
                _ => next_generation,
            }
        }
        // The id stays taken for ever (google.md §5): the block comes back under the next one.
        (Standing::Deleted, Some(_)) => next_generation,
        // Only the look did not find it, and it may have asked a replica that does not know it yet (google.md §10 row 4):
        // asked again, the write itself says whether it is gone. Taken for gone, a block that stands is forgotten.
        (Standing::Nothing, None) if error.class != ErrorClass::Gone => later(),
        (Standing::Deleted | Standing::Nothing, None) => match &write.op {
            WriteOp::Delete { id, .. } => Outcome::Removed { id: id.clone() },
            _ => Outcome::Replan { observed: None, generation: None },
        },
        // It never arrived, or a replica does not know it yet: ask again in a moment, under the same id.
        (Standing::Nothing, Some(_)) => later(),
    }
}

fn stands_as_sent(op: &WriteOp, block: &ObservedBlock) -> bool {
    match op {
        WriteOp::Create { content, .. } | WriteOp::Update { content, .. } => {
            content.fingerprint() == block.fingerprint
        }
        WriteOp::Delete { .. } => false,
    }
}

fn stored(op: &WriteOp, block: ObservedBlock, now: Ts) -> Option<Outcome> {
    let (WriteOp::Create { content, repairs, .. } | WriteOp::Update { content, repairs, .. }) = op else {
        return None;
    };
    let at = block.updated.unwrap_or(now).min(now);
    let (wrote, span) = (content.fingerprint(), content.span);
    Some(Outcome::Stored { block, wrote, span, repairs: *repairs, at })
}

fn is_ours(
    identity: &Identity,
    correlation: CorrelationId,
    id: &EventId,
    marker: Option<&calsync_core::block::Marker>,
) -> bool {
    identity.origin(id, marker) == Origin::Ours(correlation)
}

/// The version that a write insists on. `None` also for one that insists on none: nothing was expected of it.
fn guard(op: &WriteOp) -> Option<&str> {
    match op {
        WriteOp::Create { .. } => None,
        WriteOp::Update { version, .. } | WriteOp::Delete { version, .. } => version.as_deref(),
    }
}

/// The id that a write is about, where it is known beforehand.
pub(crate) fn target_id(op: &WriteOp) -> Option<&EventId> {
    match op {
        WriteOp::Create { id, .. } => id.as_ref(),
        WriteOp::Update { id, .. } | WriteOp::Delete { id, .. } => Some(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::block::{BlockBusy, BlockContent, Marker, Visibility};
    use calsync_core::ids::CalendarId;
    use calsync_core::time::Span;
    use uuid::Uuid;

    fn create(id: Option<EventId>) -> Write {
        let now = Ts::from_secs(0);
        let content = BlockContent {
            span: Span::Timed { start: now, end: now.plus(SignedDuration::from_hours(1)) },
            title: "Busy".to_owned(),
            description: None,
            location: None,
            busy: BlockBusy::Busy,
            visibility: Visibility::Private,
            colour: None,
        };
        let op = WriteOp::Create { id, generation: 3, content, marker: Marker("m".to_owned()), repairs: 0 };
        let (correlation, target) = (CorrelationId(Uuid::from_u128(1)), CalendarId(Uuid::from_u128(2)));
        Write {
            correlation,
            target,
            op,
            attempts: 1,
            not_before: None,
            error: None,
            changed_at: None,
            cause: None,
        }
    }

    #[test]
    fn a_key_that_is_used_up_makes_room_for_the_next() {
        let taken = ProviderError::new(ErrorClass::Exists, "");
        let now = Ts::from_secs(0);
        let next = Outcome::Replan { observed: None, generation: Some(4) };
        assert_eq!(after_error(&create(None), &taken, now), Next::Settled(next));
        // Where we choose the id, what stands under it is looked at.
        let id = EventId::from("cs1x");
        assert_eq!(after_error(&create(Some(id.clone())), &taken, now), Next::Look(id));
        let lost = ProviderError::new(ErrorClass::Ambiguous, "");
        let postponed = after_error(&create(None), &lost, now);
        assert!(
            matches!(postponed, Next::Settled(Outcome::Postponed { attempts: 2, .. })),
            "asked for again"
        );
    }

    #[test]
    fn nobody_is_told_of_a_refusal_that_is_none() {
        use ErrorClass::{Conflict, Exists, Gone, Invalid, Permanent, Transient};
        let now = Ts::from_secs(0);
        let at = |class| {
            let identity = Identity::new([1; 32]);
            let error = ProviderError::new(class, "");
            after_look(&create(Some("x".into())), &error, Standing::Nothing, &identity, now)
        };
        // A replica does not know the block yet that another one refuses to make twice.
        assert!(matches!(at(Exists), Outcome::Postponed { .. }));
        for class in [Exists, Conflict, Transient] {
            assert!(!is_refusal(class), "{class:?}");
        }
        for class in [Gone, Invalid, Permanent] {
            assert!(is_refusal(class), "{class:?}");
        }
    }

    #[test]
    fn a_block_is_gone_when_the_write_says_so_and_not_when_one_look_misses_it() {
        let (id, now) = (EventId::from("x"), Ts::from_secs(0));
        let version = Some("7".to_owned());
        let delete =
            Write { op: WriteOp::Delete { id: id.clone(), version: version.clone() }, ..create(None) };
        let update = match create(None).op {
            WriteOp::Create { content, marker, .. } => {
                let op = WriteOp::Update { id: id.clone(), version, content, marker, repairs: 0 };
                Write { op, ..create(None) }
            }
            other => panic!("{other:?}"),
        };
        let identity = Identity::new([1; 32]);
        let look = |write: &Write, class, standing| {
            after_look(write, &ProviderError::new(class, ""), standing, &identity, now)
        };
        let removed = Outcome::Removed { id };
        let replan = Outcome::Replan { observed: None, generation: None };
        for (write, gone) in [(&delete, &removed), (&update, &replan)] {
            for class in [ErrorClass::Ambiguous, ErrorClass::Conflict] {
                let missed = look(write, class, Standing::Nothing);
                assert!(matches!(missed, Outcome::Postponed { .. }), "{class:?}: {missed:?}");
                // A tombstone is no mistake of a replica's.
                assert_eq!(&look(write, class, Standing::Deleted), gone);
            }
            assert_eq!(&look(write, ErrorClass::Gone, Standing::Nothing), gone);
        }
    }
}
