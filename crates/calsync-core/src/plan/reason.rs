//! Why something is done, and why an occurrence makes no block: one value per cause, in words a person understands.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a block is made, changed or removed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WriteReason)]
pub enum Reason {
    /// The occurrence takes time, and nothing holds it yet.
    NewOccurrence,
    /// We set out to make it and do not know whether we did.
    UnfinishedCreate,
    /// The event or the rule changed.
    SourceChanged,
    /// A person changed the block.
    PutBackChanged,
    /// A person removed the block.
    PutBackRemoved,
    /// It stands already, as it should.
    FoundStanding,
    /// The occurrence is gone, moved away, or no longer takes time.
    SourceGone,
    /// The rule is gone or off, or one of its calendars is.
    RuleGone,
    /// It is ours by its marker, and nothing asks for it.
    Orphan,
    /// It is gone already.
    AlreadyGone,
    /// A person changed or removed it, and it is left so.
    LeftToPerson,
    /// Somebody was invited to it: it is a meeting of theirs.
    HasGuests,
    /// A person undid the run that wrote it.
    Undone,
}

impl Reason {
    /// Whether a removal for this reason rests on what a source no longer shows: those count for the brake. What a
    /// person asked for does not.
    pub const fn rests_on_absence(self) -> bool {
        matches!(self, Reason::SourceGone | Reason::Orphan)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::NewOccurrence => "the event takes this time and nothing holds it yet",
            Reason::UnfinishedCreate => "an earlier attempt to make it was cut short",
            Reason::SourceChanged => "the event or the rule changed",
            Reason::PutBackChanged => "the block was changed by hand and is put back",
            Reason::PutBackRemoved => "the block was removed by hand and is put back",
            Reason::FoundStanding => "the block stands already and is taken over",
            Reason::SourceGone => "the event is gone, moved away, or no longer takes time",
            Reason::RuleGone => "the rule, or one of its calendars, was switched off",
            Reason::Orphan => "the block is ours and no event asks for it",
            Reason::AlreadyGone => "the block is gone already and no event asks for it",
            Reason::LeftToPerson => "the block was changed by hand and is left so",
            Reason::HasGuests => "people were invited to the block, which is left to its owner",
            Reason::Undone => "the run that wrote it was undone",
        })
    }
}

/// Why an occurrence makes no block.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "skip", content = "detail")]
pub enum SkipReason {
    /// Shown as free.
    Free,
    /// Declined by the calendar's owner.
    Declined,
    /// Says where somebody works.
    WorkingLocation,
    /// A birthday.
    Birthday,
    /// Of a kind newer than this program.
    UnknownKind,
    /// Tentative or unanswered, and the rule skips those.
    Tentative,
    /// All day, and the rule skips those.
    AllDay,
    /// Shorter than the rule asks for.
    TooShort,
    /// Outside the rule's working hours.
    OutsideWorkingHours,
    /// Takes no time at all.
    NoDuration,
    /// The same meeting is in the target already.
    AlreadyInTarget,
    /// It is a copy of a block, as whoever subscribes to a calendar with blocks gets one.
    CopyOfBlock,
    /// The series' pattern can't be read; blocks that it has are left alone.
    Unreadable(String),
    /// The source was never read to its end yet.
    SourceNotRead,
    /// The target was never read to its end yet: what stands there is not known.
    TargetNotRead,
    /// A person changed or removed the block, and it is left so.
    LeftToPerson,
    /// Somebody was invited to the block: it is a meeting of theirs, and holds the time.
    HasGuests,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SkipReason::Free => f.write_str("it is shown as free"),
            SkipReason::Declined => f.write_str("it was declined"),
            SkipReason::WorkingLocation => f.write_str("it only says where somebody works"),
            SkipReason::Birthday => f.write_str("it is a birthday"),
            SkipReason::UnknownKind => f.write_str("it is of a kind that calendar-sync does not know"),
            SkipReason::Tentative => f.write_str("it is tentative, and the rule skips tentative events"),
            SkipReason::AllDay => f.write_str("it lasts all day, and the rule skips all-day events"),
            SkipReason::TooShort => f.write_str("it is shorter than the rule's minimum"),
            SkipReason::OutsideWorkingHours => f.write_str("it is outside the rule's working hours"),
            SkipReason::NoDuration => f.write_str("it takes no time"),
            SkipReason::CopyOfBlock => f.write_str("it is a copy of a block of another calendar"),
            SkipReason::AlreadyInTarget => f.write_str("the same meeting is in the target calendar already"),
            SkipReason::Unreadable(why) => write!(f, "its repetition can't be read ({why})"),
            SkipReason::SourceNotRead => f.write_str("its calendar has not been read to the end yet"),
            SkipReason::TargetNotRead => f.write_str("the target calendar has not been read to the end yet"),
            SkipReason::LeftToPerson => f.write_str("its block was changed by hand and is left so"),
            SkipReason::HasGuests => {
                f.write_str("people were invited to its block, which is left to its owner")
            }
        }
    }
}
