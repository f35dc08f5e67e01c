//! The story: each deed, and what it became. Hears of every step of the service and matches blocks to deeds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use calsync_core::calendar::{Calendar, ProviderKind};
use calsync_core::hold::Hold;
use calsync_core::ids::CalendarId;
use calsync_core::plan::ActionKind;
use calsync_engine::{BlockChange, StepReport};
use calsync_sim::cloud::names::CalendarId as RemoteId;
use calsync_sim::life::{Deed, Life, Somebody, Touches};
use calsync_sim::microsoft::MicrosoftFace;

use crate::out::{Format, Out};

/// A deed that nothing came of after this long has no blocks to change (a rename, an event shown as free).
const PATIENCE: Duration = Duration::from_secs(3);
/// Deeds that wait for an answer; older ones are told without one.
const OPEN_MAX: usize = 1_000;

/// A calendar as the cloud knows it.
struct Named {
    remote: RemoteId,
    provider: ProviderKind,
}

struct Open {
    deed: Deed,
    at: Instant,
    /// The brake held a plan of this person meanwhile: how long it took says nothing about speed.
    held: bool,
}

/// What was heard so far.
#[derive(Default, Clone, Copy)]
pub(super) struct Tally {
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) deleted: u64,
    pub(super) runs: u64,
}

/// The story so far.
pub(super) struct Story {
    pub(super) life: Life,
    pub(super) tally: Tally,
    pub(super) latencies: Vec<Duration>,
    out: Out,
    /// Knows what its ids stand for.
    microsoft: Arc<MicrosoftFace>,
    names: BTreeMap<CalendarId, Named>,
    open: Vec<Open>,
    /// Targets whose plan is held now.
    held: BTreeSet<CalendarId>,
}

impl Story {
    pub(super) fn new(life: Life, microsoft: Arc<MicrosoftFace>, out: Out) -> Story {
        Story {
            life,
            tally: Tally::default(),
            latencies: Vec::new(),
            out,
            microsoft,
            names: BTreeMap::new(),
            open: Vec::new(),
            held: BTreeSet::new(),
        }
    }

    /// Learns which of somebody's calendars this is.
    pub(super) fn meet(&mut self, person: &Somebody, provider: ProviderKind, calendar: &Calendar) {
        let addresses = || person.accounts.iter().map(|(_, address)| address);
        let is_it = |remote: &&RemoteId| match provider {
            ProviderKind::Microsoft => {
                addresses().any(|a| self.microsoft.calendar_id_for(a, remote) == calendar.remote.calendar)
            }
            _ => remote.as_str() == calendar.remote.calendar,
        };
        if let Some(remote) = person.calendars.iter().find(is_it).cloned() {
            self.names.insert(calendar.id, Named { remote, provider });
        }
    }

    /// The first fill is done.
    pub(super) fn filled(&mut self) {
        let Tally { created, .. } = self.tally;
        self.say(&format!("first fill: {created} blocks written\n"));
    }

    /// Somebody did something.
    pub(super) fn note(&mut self, deed: Deed) {
        if deed.touches == Touches::Nothing {
            self.say(&format!("{} → no block changes", deed.words));
        } else if self.open.len() < OPEN_MAX {
            self.open.push(Open { deed, at: Instant::now(), held: false });
        }
    }

    /// The service did something.
    pub(super) fn hear(&mut self, report: &StepReport) {
        self.tally.runs += report.read.len() as u64;
        for block in &report.blocks {
            match block.kind {
                ActionKind::Create => self.tally.created += 1,
                ActionKind::Update => self.tally.updated += 1,
                ActionKind::Delete => self.tally.deleted += 1,
                ActionKind::Adopt | ActionKind::Forget | ActionKind::Yield => {}
            }
        }
        self.note_holds(report);
        let (mut still_open, mut told) = (Vec::new(), Vec::new());
        for open in std::mem::take(&mut self.open) {
            let became = self.became(&open.deed, &report.blocks);
            if became.is_none() && (open.held || open.at.elapsed() < PATIENCE) {
                still_open.push(open);
                continue;
            }
            told.push((open, became));
        }
        self.open = still_open;
        for (open, became) in told {
            match became {
                Some(what) if open.held => {
                    self.say(&format!("{} → {what}, once the brake let go", open.deed.words))
                }
                Some(what) => {
                    let took = open.at.elapsed();
                    self.latencies.push(took);
                    self.say(&format!("{} → {what}, {} ms", open.deed.words, took.as_millis()));
                }
                None => self.say(&format!("{} → no block changes", open.deed.words)),
            }
        }
    }

    /// The brake was pulled for somebody's calendar, or let go.
    fn note_holds(&mut self, report: &StepReport) {
        for Hold { target, .. } in &report.held {
            let Some(remote) = self.names.get(target).map(|n| n.remote.clone()) else { continue };
            let owns = |p: &Somebody| p.calendars.contains(&remote);
            let Some(person) = self.life.people.iter().find(|p| owns(p)).cloned() else { continue };
            for open in self.open.iter_mut().filter(|o| o.deed.person == person.email) {
                open.held = true;
            }
            if self.held.insert(*target) {
                self.say(&format!(
                    "  held: too many blocks would go from {remote} at once; two more looks must agree first"
                ));
            }
        }
        for block in &report.blocks {
            self.held.remove(&block.target);
        }
    }

    /// Tells what is still open.
    pub(super) fn finish(&mut self) {
        for open in std::mem::take(&mut self.open) {
            self.say(&format!("{} → no block changes", open.deed.words));
        }
    }

    /// What a deed became, in words: `2 blocks moved`.
    fn became(&self, deed: &Deed, blocks: &[BlockChange]) -> Option<String> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for block in blocks.iter().filter(|b| self.is_of(b, deed)) {
            let verb = match block.kind {
                ActionKind::Create => "made",
                ActionKind::Update => "moved",
                ActionKind::Delete => "removed",
                ActionKind::Adopt | ActionKind::Forget | ActionKind::Yield => continue,
            };
            *counts.entry(verb).or_default() += 1;
        }
        let part = |(verb, n): (&&str, &usize)| format!("{n} block{} {verb}", if *n == 1 { "" } else { "s" });
        (!counts.is_empty()).then(|| counts.iter().map(part).collect::<Vec<_>>().join(", "))
    }

    fn is_of(&self, block: &BlockChange, deed: &Deed) -> bool {
        let in_calendar = |id: CalendarId| self.names.get(&id).filter(|n| n.remote == deed.calendar);
        match deed.touches {
            Touches::Nothing => false,
            // The block that was touched is put back where it stood.
            Touches::Block => in_calendar(block.target).is_some(),
            Touches::Event => in_calendar(block.source).is_some_and(|source| {
                let id = block.occurrence.event.as_str();
                let told = match source.provider {
                    ProviderKind::Microsoft => self.microsoft.event_of(id),
                    _ => Some(id.into()),
                };
                told.is_some_and(|told| same_event(told.as_str(), deed.event.as_str()))
            }),
        }
    }

    fn say(&self, words: &str) {
        if self.out.format == Format::Text {
            self.out.line(words);
        }
    }
}

/// Whether one is the other, or an occurrence of it: its id begins with its series'.
fn same_event(one: &str, other: &str) -> bool {
    let begins = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('_'));
    one == other || begins(one, other) || begins(other, one)
}
