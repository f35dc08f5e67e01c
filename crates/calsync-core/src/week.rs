//! A person's week: per calendar its events, the blocks standing in it, and what becomes of each event in the others. Made
//! from mirrors, ledgers and plans alone; titles are laid over it afterwards, for their owner, and are not kept. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::block::{Identity, ObservedBlock, OccurrenceKey, Origin, block_event_id};
use crate::calendar::Calendar;
use crate::event::{ShowAs, Status};
use crate::hold::Verdict;
use crate::ids::{AccountId, CalendarId, CorrelationId, EventId, RuleId};
use crate::ledger::{LedgerRow, LedgerState};
use crate::mirror::Mirror;
use crate::plan::{Outcome, Plan, Word};
use crate::ports::{Extent, Titles};
use crate::rule::Rule;
use crate::time::{Span, Ts, Window};
use crate::title::Title;

pub use days::{DAYS_MAX, Days, DaysProblem, Piece};

mod days;
#[cfg(test)]
mod tests;

/// Most events and most blocks of one calendar that are shown; what is beyond is counted.
pub const ENTRIES_MAX: usize = 2_000;
/// Why an event outside the window has no block.
const OUTSIDE: &str = "it is outside the time for which blocks are kept";

/// One calendar's days.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = WeekCalendar)]
pub struct Lane {
    /// Which calendar.
    pub calendar: CalendarId,
    /// Its account.
    pub account: AccountId,
    /// What it is called: its name, with its account's address where several are called the same.
    pub name: String,
    /// The provider's colour.
    pub colour: Option<String>,
    /// It takes part: what is not in the lane is not in the calendar.
    pub takes_part: bool,
    /// When it was last read.
    pub seen: Option<Ts>,
    /// What became of the titles.
    pub titles: Titling,
    /// Its events, the earliest first.
    pub events: Vec<Entry>,
    /// The blocks that stand in it, the earliest first.
    pub blocks: Vec<Block>,
    /// Events and blocks beyond what can be shown.
    pub left_out: usize,
}

/// What became of the titles of a lane.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Titling {
    /// Nobody asked for them: there is nothing to ask about, or whoever looks is not the owner.
    NotAsked,
    /// They are there.
    Shown,
    /// Some are there: the calendar holds more than is asked for at once.
    Some,
    /// They are not there: only times are shown.
    Missing {
        /// Why, for people.
        why: String,
    },
}

/// One event on these days.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = WeekEvent)]
pub struct Entry {
    /// Which occurrence of it.
    pub occurrence: OccurrenceKey,
    /// When it is.
    pub span: Span,
    /// The same on the wall clock of the days asked for.
    pub pieces: Vec<Piece>,
    /// What it is called, where that was asked for and told.
    #[schema(value_type = Option<String>)]
    pub title: Option<Title>,
    /// How it shows.
    pub show_as: ShowAs,
    /// Whether it is certain.
    pub status: Status,
    /// Its block in each calendar that a rule leads to, or why there is none.
    pub in_targets: Vec<InTarget>,
}

/// What becomes of an event in one target.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = EventInTarget)]
pub struct InTarget {
    /// Where.
    pub target: CalendarId,
    /// By which rule.
    pub rule: RuleId,
    /// Whether it has a block there.
    pub outcome: Outcome,
    /// Why, as `explain` says it.
    pub because: String,
}

/// One block on these days.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = WeekBlock)]
pub struct Block {
    /// Its id at the provider.
    pub id: EventId,
    /// The time it holds.
    pub span: Span,
    /// The same on the wall clock of the days asked for.
    pub pieces: Vec<Piece>,
    /// For whom.
    pub holds: Holds,
}

/// For whom a block holds its time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "for")]
#[schema(as = BlockHolds)]
pub enum Holds {
    /// For an event of another calendar of this person.
    Event {
        /// Whose.
        source: CalendarId,
        /// Which occurrence.
        occurrence: OccurrenceKey,
        /// By which rule.
        rule: RuleId,
        /// Ties it to what was written of it.
        correlation: CorrelationId,
        /// When it was last written.
        written_at: Option<Ts>,
    },
    /// It is ours, and nothing asks for it: the next look removes it.
    Nothing,
    /// Somebody else's: another installation's, or a person's copy of a block. It shows as busy, and says no more.
    Busy,
}

/// What a lane is made from.
pub struct LaneInput<'a> {
    /// The calendar.
    pub calendar: &'a Calendar,
    /// What it is called among those of its owner.
    pub name: &'a str,
    /// What stands there.
    pub mirror: &'a Mirror,
    /// What we wrote there.
    pub ledger: &'a [LedgerRow],
    /// Our own mark there.
    pub identity: &'a Identity,
    /// The rules in force of its owner.
    pub rules: &'a [Rule],
}

/// What the plans say, by source, occurrence and target.
#[derive(Default)]
pub struct Words(BTreeMap<CalendarId, BTreeMap<OccurrenceKey, BTreeMap<CalendarId, Word>>>);

impl Words {
    /// Of these plans. Where a block is to go because its event makes none any more, why it makes none says more than that
    /// the block goes; but not more than that the plan is held.
    pub fn of<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> Words {
        let mut all = Words::default();
        for plan in plans {
            for word in plan.words() {
                let occurrences = all.0.entry(word.source).or_default();
                let targets = occurrences.entry(word.occurrence.clone()).or_default();
                match targets.get_mut(&word.target) {
                    None => {
                        targets.insert(word.target, word);
                    }
                    Some(known) if plan.verdict == Verdict::Go => known.because = word.because,
                    Some(_) => {}
                }
            }
        }
        all
    }

    fn about(&self, source: CalendarId, occurrence: &OccurrenceKey) -> Option<&BTreeMap<CalendarId, Word>> {
        self.0.get(&source)?.get(occurrence)
    }
}

impl Lane {
    /// A calendar's days, without titles.
    pub fn of(input: &LaneInput<'_>, words: &Words, days: &Days) -> Lane {
        let calendar = input.calendar;
        let (mut events, mut blocks) = (events(input, words, days), blocks(input, days));
        let beyond = |count: usize| count.saturating_sub(ENTRIES_MAX);
        let left_out = beyond(events.len()) + beyond(blocks.len());
        events.truncate(ENTRIES_MAX);
        blocks.truncate(ENTRIES_MAX);
        Lane {
            calendar: calendar.id,
            account: calendar.account,
            name: input.name.to_owned(),
            colour: calendar.colour.clone(),
            takes_part: calendar.takes_part(),
            seen: calendar.last_synced_at,
            titles: Titling::NotAsked,
            events,
            blocks,
            left_out,
        }
    }

    /// Lays titles over it. What the mirror does not show (yet) gets none.
    pub fn entitle(&mut self, mut told: Titles) {
        for event in &mut self.events {
            event.title = told.list.remove(&event.occurrence);
        }
        self.titles = match told.extent {
            Extent::Whole => Titling::Shown,
            Extent::Part => Titling::Some,
        };
    }
}

fn events(input: &LaneInput<'_>, words: &Words, days: &Days) -> Vec<Entry> {
    let zone = input.calendar.zone();
    let occurrences = input.mirror.occurrences(&days.reach(), &zone);
    let shown = occurrences.list.into_iter().filter_map(|occurrence| {
        let pieces = days.pieces(&occurrence.span);
        (!pieces.is_empty()).then(|| Entry {
            in_targets: in_targets(input, words, &occurrence.key),
            occurrence: occurrence.key,
            span: occurrence.span,
            pieces,
            title: None,
            show_as: occurrence.event.show_as,
            status: occurrence.event.status,
        })
    });
    let mut events: Vec<Entry> = shown.collect();
    events.sort_by(|a, b| (&a.pieces, &a.occurrence).cmp(&(&b.pieces, &b.occurrence)));
    events
}

fn in_targets(input: &LaneInput<'_>, words: &Words, occurrence: &OccurrenceKey) -> Vec<InTarget> {
    let source = input.calendar.id;
    let known = words.about(source, occurrence);
    let rules = input.rules.iter().filter(|rule| rule.source == source);
    let one = |rule: &Rule| match known.and_then(|targets| targets.get(&rule.target)) {
        Some(word) => InTarget {
            target: rule.target,
            rule: rule.id,
            outcome: word.outcome,
            because: word.because.clone(),
        },
        None => InTarget {
            target: rule.target,
            rule: rule.id,
            outcome: Outcome::NoBlock,
            because: OUTSIDE.to_owned(),
        },
    };
    rules.map(one).collect()
}

fn blocks(input: &LaneInput<'_>, days: &Days) -> Vec<Block> {
    let rows = Rows::of(input.ledger);
    let shown = input.mirror.blocks.values().filter_map(|block| {
        let pieces = days.pieces(&block.span);
        (!pieces.is_empty()).then(|| Block {
            id: block.id.clone(),
            span: block.span,
            pieces,
            holds: rows.holds(block, input.identity),
        })
    });
    let mut blocks: Vec<Block> = shown.collect();
    blocks.sort_by(|a, b| (&a.pieces, &a.id).cmp(&(&b.pieces, &b.id)));
    blocks
}

/// The rows of a ledger, by what a block can be known by.
struct Rows<'a> {
    by_block: BTreeMap<&'a EventId, &'a LedgerRow>,
    by_correlation: BTreeMap<CorrelationId, &'a LedgerRow>,
}

impl<'a> Rows<'a> {
    fn of(ledger: &'a [LedgerRow]) -> Rows<'a> {
        let standing = || ledger.iter().filter(|row| row.state != LedgerState::Gone);
        Rows {
            by_block: standing().filter_map(|row| Some((row.block.as_ref()?, row))).collect(),
            by_correlation: standing().map(|row| (row.correlation, row)).collect(),
        }
    }

    /// The stored id is the first proof; our signature for this very id, or for the one we asked for, is the second.
    fn holds(&self, block: &ObservedBlock, identity: &Identity) -> Holds {
        let named = self.by_block.get(&block.id).copied();
        let ours = match identity.origin(&block.id, block.marker.as_ref()) {
            Origin::Ours(correlation) => Some(correlation),
            Origin::SomebodysBlock | Origin::Event => None,
        };
        let signed = || ours.and_then(|correlation| self.by_correlation.get(&correlation).copied());
        match named.or_else(signed).or_else(|| self.just_made(block, identity)) {
            Some(row) => Holds::Event {
                source: row.source,
                occurrence: row.occurrence.clone(),
                rule: row.rule,
                correlation: row.correlation,
                written_at: row.written_at,
            },
            None if ours.is_some() => Holds::Nothing,
            None => Holds::Busy,
        }
    }

    /// The row that waits for a provider to say which id it chose, where the block carries the very mark that we sent.
    fn just_made(&self, block: &ObservedBlock, identity: &Identity) -> Option<&'a LedgerRow> {
        let marker = block.marker.as_ref()?;
        let (correlation, _) = marker.parse()?;
        let row = self.by_correlation.get(&correlation).copied().filter(|row| row.block.is_none())?;
        let sent = identity.marker(correlation, &block_event_id(correlation, row.generation));
        (sent == *marker).then_some(row)
    }
}

/// The part of these days for which blocks are kept right, if any.
pub fn covered(days: &Days, window: Window) -> Option<Window> {
    days.window().intersect(window)
}
