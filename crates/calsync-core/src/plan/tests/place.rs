//! One calendar and the machinery around it in miniature: reading, an outbox, writing, and settling as
//! `ledger::Outcome` says. Faults are drawn from the dice.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::cloud::Cloud;
use super::dice::Dice;
use super::model::Spec;
use super::world::IDENTITY;
use crate::block::{BlockContent, Origin};
use crate::calendar::{Calendar, Cursor};
use crate::event::TextPolicy;
use crate::hold::{Hold, Verdict};
use crate::ids::{CorrelationId, EventId};
use crate::ledger::{LedgerRow, LedgerState, Outcome, Write, WriteOp};
use crate::mirror::{FoldContext, Listed, Mirror};
use crate::plan::Plan;
use crate::plan::check::written_id;
use crate::ports::{ErrorClass, RemoteEvent, Standing, Tentativeness};
use crate::time::{Ts, Window};

/// One calendar with all that is known of it.
pub(crate) struct Place {
    pub(crate) calendar: Calendar,
    pub(crate) specs: Vec<Spec>,
    pub(crate) cloud: Cloud,
    pub(crate) mirror: Mirror,
    pub(crate) ledger: BTreeMap<CorrelationId, LedgerRow>,
    pub(crate) outbox: Vec<Write>,
    pub(crate) hold: Option<Hold>,
    pub(crate) tentative: Tentativeness,
    pub(crate) read_to: usize,
    pub(crate) windowed: bool,
}

/// How likely each write goes wrong, in percent.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) percent: usize,
}

impl Place {
    pub(crate) fn new(calendar: Calendar, dice: &mut Dice) -> Place {
        let (normalises, chooses_ids) = (dice.chance(30), dice.chance(15));
        Place {
            calendar,
            specs: Vec::new(),
            cloud: Cloud { normalises, chooses_ids, ..Cloud::default() },
            mirror: Mirror::default(),
            ledger: BTreeMap::new(),
            outbox: Vec::new(),
            hold: None,
            tentative: dice.pick(&[Tentativeness::Shown, Tentativeness::NotShown]),
            read_to: 0,
            windowed: dice.chance(20),
        }
    }

    /// One reading. Returns whether only a full one can tell.
    pub(crate) fn read(
        &mut self,
        full: bool,
        texts: TextPolicy,
        window: &Window,
        now: Ts,
        dice: &mut Dice,
    ) -> bool {
        // A day more than the window, for the longest buffers.
        let day = SignedDuration::from_hours(24);
        let wide = Window { from: window.from.minus(day), to: window.to.plus(day) };
        let covers = if self.windowed { wide } else { Window::ALL };
        let items = if full {
            self.cloud.list(self.windowed.then_some(&wide), &self.calendar.zone())
        } else {
            self.cloud.changes(self.read_to, dice)
        };
        let listed = if full { Listed::Everything(covers) } else { Listed::Changes };
        let all: BTreeSet<EventId> = self.ledger.values().filter_map(|r| r.block.clone()).collect();
        let strangers = self.mirror.strangers(&items);
        let our_blocks: BTreeSet<EventId> = all.iter().filter(|id| strangers.contains(id)).cloned().collect();
        let context = FoldContext { our_blocks: &our_blocks, texts, forget_before: window.from };
        let delta = self.mirror.fold(&items, listed, &context);
        let knowing_all = FoldContext { our_blocks: &all, ..context };
        assert_eq!(self.mirror.fold(&items, listed, &knowing_all), delta, "only strangers need the ledger");
        if delta.exceptions_in_doubt && !full {
            return true;
        }
        self.mirror.apply(&delta);
        assert!(
            self.mirror.fold(&items, listed, &context).is_empty(),
            "the same listing again changes something"
        );
        self.read_to = self.cloud.log.len();
        if full {
            self.calendar.last_full_sync = Some(now);
            self.calendar.cursor = Some(Cursor { token: "t".into(), params: "p".into(), covers });
        }
        false
    }

    /// As `Store::enqueue` says.
    pub(crate) fn take_over(&mut self, plan: &Plan) {
        let enqueue = plan.enqueue();
        self.outbox = enqueue.writes;
        self.ledger.extend(enqueue.ledger.into_iter().map(|row| (row.correlation, row)));
        self.hold = enqueue.hold;
        assert_eq!(matches!(plan.verdict, Verdict::Hold(_)), self.hold.is_some());
    }

    /// Carries the outbox out in any order.
    pub(crate) fn push(&mut self, dice: &mut Dice, faults: Faults) {
        let mut writes = self.outbox.clone();
        dice.shuffle(&mut writes);
        for write in writes {
            let fate = if dice.chance(faults.percent) { 1 + dice.below(3) } else { 0 };
            match fate {
                // Refused for now, or never sent.
                1 => {}
                // Carried out, and the answer lost.
                2 => drop(self.call(&write)),
                // Carried out, and the worker dies.
                3 => {
                    drop(self.call(&write));
                    return;
                }
                _ => {
                    let outcome = self.call(&write);
                    self.settle(&write, outcome);
                }
            }
        }
    }

    fn call(&mut self, write: &Write) -> Outcome {
        let at = Ts::from_secs(self.cloud.clock);
        let stored = |remote: RemoteEvent, content: &BlockContent, repairs| {
            let block = remote.as_block().unwrap();
            Outcome::Stored { block, wrote: content.fingerprint(), span: content.span, repairs, at }
        };
        let (error, id) = match &write.op {
            WriteOp::Delete { id, version } => match self.cloud.delete(id, version.as_ref()) {
                Ok(()) => return Outcome::Removed { id: id.clone() },
                Err(error) => (error, id),
            },
            WriteOp::Create { id, content, marker, repairs, .. } => {
                // A provider that chooses ids knows a repeated create by its key.
                let by_key = id.is_none() && !self.cloud.forgets_keys;
                let again = self.cloud.ours().find(|r| by_key && r.marker.as_ref() == Some(marker)).cloned();
                match again.map_or_else(|| self.cloud.create(id.as_ref(), content, marker), Ok) {
                    Ok(remote) => return stored(remote, content, *repairs),
                    Err(error) => (error, id.as_ref().unwrap()),
                }
            }
            WriteOp::Update { id, version, content, marker, repairs } => {
                match self.cloud.update(id, version.as_ref(), content, marker) {
                    Ok(remote) => return stored(remote, content, *repairs),
                    Err(error) => (error, id),
                }
            }
        };
        assert!(matches!(error, ErrorClass::Exists | ErrorClass::Conflict | ErrorClass::Gone), "{error:?}");
        let generation = match write.op {
            WriteOp::Create { generation, .. } => Some(generation + 1),
            _ => None,
        };
        match self.cloud.get(id) {
            Standing::Present(remote) => {
                let ours = IDENTITY.origin(id, remote.marker.as_ref()) == Origin::Ours(write.correlation);
                match remote.as_block() {
                    Some(block) if generation.is_none() || ours => {
                        Outcome::Replan { observed: Some(block), generation: None }
                    }
                    _ => Outcome::Replan { observed: None, generation },
                }
            }
            Standing::Deleted | Standing::Nothing => Outcome::Replan { observed: None, generation },
        }
    }

    /// As `ledger::Outcome` says.
    fn settle(&mut self, write: &Write, outcome: Outcome) {
        let row = self.ledger.get_mut(&write.correlation);
        match outcome {
            Outcome::Stored { block, wrote, span, repairs, at } => {
                if let Some(row) = row {
                    row.block = Some(block.id.clone());
                    row.state = LedgerState::Live;
                    row.echo = Some(block.fingerprint);
                    (row.wrote, row.span, row.repairs, row.written_at) = (wrote, span, repairs, Some(at));
                }
                self.mirror.blocks.insert(block.id.clone(), block);
            }
            Outcome::Removed { id } => {
                self.mirror.blocks.remove(&id);
                if let Some(row) = row.filter(|r| r.block.as_ref() == Some(&id)) {
                    row.state = LedgerState::Gone;
                }
            }
            Outcome::Replan { observed, generation } => {
                match (observed, written_id(&write.op)) {
                    (Some(block), _) => drop(self.mirror.blocks.insert(block.id.clone(), block)),
                    (None, Some(id)) => drop(self.mirror.blocks.remove(id)),
                    (None, None) => {}
                }
                if let (Some(row), Some(generation)) = (row, generation) {
                    row.generation = generation;
                }
            }
            Outcome::Postponed { .. } => return,
        }
        self.outbox.retain(|w| w.correlation != write.correlation);
    }
}
