//! When changes happened at their provider, and which writes answer them. Only what happened after the last look counts: what a
//! first reading shows, what the window slides to and what a rule brings with it has waited for nobody.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::event::{Event, Series};
use crate::ids::{CalendarId, CorrelationId, EventId, RuleId};
use crate::ledger::Write;
use crate::mirror::{Listed, MirrorDelta};
use crate::plan::{Action, Reason};
use crate::time::Ts;

/// Listings may show a change so much later than it was made, and a provider's clock may be so wrong. What claims to be older
/// still is not believed.
pub const LATE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// One change, and the moment at which its block was right again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delay {
    /// By which rule.
    pub rule: RuleId,
    /// When it happened at the source's provider.
    pub happened_at: Ts,
    /// When its block was written, or removed.
    pub written_at: Ts,
}

/// What a reading was, as far as it says when changes happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look<'a> {
    /// When it began.
    pub began_at: Ts,
    /// When the calendar had last been read; `None`: never, or it is read anew because of something else than a change.
    pub since: Option<Ts>,
    /// What it listed.
    pub listed: Listed,
    /// The deliveries that asked for it, by when they were received, the earliest first.
    pub told: &'a [Ts],
}

/// When the events of a calendar changed that a reading showed to be changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origins(BTreeMap<EventId, Ts>);

impl Origins {
    /// Of what a reading showed.
    pub fn of(delta: &MirrorDelta, look: &Look<'_>) -> Origins {
        let mut origins = Origins::default();
        let Some(since) = look.since else { return origins };
        let earliest = since.minus(LATE_MAX).min(look.began_at);
        // Whatever was told of happened before that; and nothing that is read happened after the reading began.
        let latest = look.told.last().map_or(look.began_at, |told| (*told).clamp(earliest, look.began_at));
        let told = look.told.first().map(|told| (*told).clamp(earliest, latest));
        for event in delta.created.iter().chain(&delta.updated) {
            let happened_at = match event.updated {
                Some(at) if at >= earliest => Some(at.min(latest)),
                // A list of changes shows it now, whatever it says of itself; a list of everything shows it anyway.
                _ if look.listed == Listed::Changes => told,
                _ => None,
            };
            if let Some(at) = happened_at {
                origins.note(event, at);
            }
        }
        // What a list of everything does not show may only lie outside of what it covers.
        if let (Listed::Changes, Some(told)) = (look.listed, told) {
            delta.gone.iter().for_each(|id| origins.put(id, told));
        }
        origins
    }

    /// When the event of this id changed, or an occurrence of its series.
    pub fn get(&self, event: &EventId) -> Option<Ts> {
        self.0.get(event).copied()
    }

    fn note(&mut self, event: &Event, at: Ts) {
        self.put(&event.id, at);
        // Blocks are known by their series.
        if let Series::Instance { master, .. } | Series::Occurrence { master } = &event.series {
            self.put(master, at);
        }
    }

    fn put(&mut self, id: &EventId, at: Ts) {
        let known = self.0.entry(id.clone()).or_insert(at);
        *known = at.min(*known);
    }
}

/// Notes on each write when the change happened that it answers. `carried`: of writes that were dropped and are planned anew.
pub fn stamp(
    writes: &mut [Write],
    actions: &[Action],
    origins: &BTreeMap<CalendarId, Origins>,
    carried: &BTreeMap<CorrelationId, Ts>,
) {
    let answers =
        |reason| matches!(reason, Reason::NewOccurrence | Reason::SourceChanged | Reason::SourceGone);
    let happened = |action: &Action| {
        let at = origins.get(&action.row.source)?.get(&action.row.occurrence.event)?;
        Some((action.row.correlation, at))
    };
    let changed: BTreeMap<CorrelationId, Ts> =
        actions.iter().filter(|action| answers(action.reason)).filter_map(happened).collect();
    for write in writes {
        let known =
            [changed.get(&write.correlation), carried.get(&write.correlation), write.changed_at.as_ref()];
        write.changed_at = known.into_iter().flatten().min().copied();
    }
}
