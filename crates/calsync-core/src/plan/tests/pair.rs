//! Two calendars and one rule, for cases with a name: it is noon on Monday, 2 November 2026.

use uuid::Uuid;

use super::dice::Dice;
use super::model::{Long, Spec, busy};
use super::world::{Faults, Place, World, calendar};
use crate::ids::{EventId, RuleId, UserId};
use crate::plan::{Action, Plan, SkipReason};
use crate::ports::{RemoteEvent, Tentativeness};
use crate::rule::{Rule, RuleOptions};

/// Source and target.
pub(super) struct Pair {
    pub(super) world: World,
    pub(super) dice: Dice,
}

/// An hour at this quarter of an hour of the days from Monday on, Viennese time.
pub(super) fn meeting(id: &str, quarter: i64) -> Spec {
    let monday: jiff::civil::DateTime = "2026-11-02T00:00:00".parse().unwrap();
    Spec {
        id: id.to_owned(),
        uid: Some(format!("{id}@example.com")),
        start: monday.checked_add(jiff::Span::new().minutes(15 * quarter)).unwrap(),
        zone: "Europe/Vienna".into(),
        long: Long::Minutes(60),
        repeat: None,
        changes: Vec::new(),
        shown: busy(),
        titled: true,
        updated: 0,
    }
}

impl Pair {
    pub(super) fn new(options: RuleOptions) -> Pair {
        let mut dice = Dice::new(1);
        let place = |n, dice: &mut Dice| {
            let mut place = Place::new(calendar(n, "Europe/Vienna"), dice);
            (place.windowed, place.tentative) = (false, Tentativeness::Shown);
            (place.cloud.normalises, place.cloud.chooses_ids) = (false, false);
            place
        };
        let places = vec![place(1, &mut dice), place(2, &mut dice)];
        let (source, target) = (places[0].calendar.id, places[1].calendar.id);
        let rule =
            Rule { id: RuleId(Uuid::from_u128(9)), user: UserId(Uuid::nil()), source, target, options };
        let now = "2026-11-02T12:00:00Z".parse().unwrap();
        Pair { world: World { places, stored: vec![rule], now }, dice }
    }

    /// With the default options and so many meetings, an hour each, in step.
    pub(super) fn of_meetings(count: i64) -> Pair {
        let mut pair = Pair::new(RuleOptions::default());
        (0..count).for_each(|n| pair.put(meeting(&format!("m{n}"), n * 4)));
        pair.run();
        pair
    }

    pub(super) fn put(&mut self, spec: Spec) {
        let source = &mut self.world.places[0];
        source.cloud.put_spec(&spec);
        source.specs.retain(|s| s.id != spec.id);
        source.specs.push(spec);
    }

    pub(super) fn remove(&mut self, id: &str) {
        let source = &mut self.world.places[0];
        source.cloud.remove_spec(id);
        source.specs.retain(|s| s.id != id);
    }

    /// Reads, plans and writes until nothing is left to do.
    pub(super) fn run(&mut self) {
        self.world.settle(&mut self.dice, 5);
    }

    /// One round; how many writes it made.
    pub(super) fn round(&mut self) -> usize {
        self.world.round(&mut self.dice, Faults::default()).0
    }

    /// Reads everything, and plans the target.
    pub(super) fn plan(&mut self) -> Plan {
        self.world.now = self.world.now.plus(jiff::SignedDuration::from_secs(60));
        self.world.read(&mut self.dice, 100);
        self.world.plan(1)
    }

    /// Plans, and takes the plan over without writing yet.
    pub(super) fn enqueue(&mut self) -> Plan {
        let plan = self.plan();
        self.world.places[1].take_over(&plan);
        plan
    }

    pub(super) fn target(&mut self) -> &mut Place {
        &mut self.world.places[1]
    }

    /// The blocks that stand in the target.
    pub(super) fn blocks(&self) -> Vec<RemoteEvent> {
        self.world.places[1].cloud.ours().cloned().collect()
    }

    /// The only block that stands in the target.
    pub(super) fn block(&self) -> RemoteEvent {
        let [block] = self.blocks().try_into().expect("one block");
        block
    }

    /// Somebody is invited to a block, or everybody uninvited.
    pub(super) fn invite(&mut self, id: &EventId, has_guests: bool) {
        let cloud = &mut self.target().cloud;
        let block = RemoteEvent { has_guests, ..cloud.items[id].clone() };
        cloud.place(block);
    }

    /// Somebody moves a block by a quarter of an hour.
    pub(super) fn nudge(&mut self, id: &EventId) {
        let cloud = &mut self.target().cloud;
        let mut block = cloud.items[id].clone();
        if let Some(crate::event::When::Timed { start, end, .. }) = &mut block.event.when {
            let by = jiff::SignedDuration::from_mins(15);
            (*start, *end) = (start.plus(by), end.plus(by));
        }
        cloud.place(block);
    }
}

/// Why the events make no block, by event.
pub(super) fn skips(plan: &Plan) -> Vec<(String, SkipReason)> {
    plan.skips.iter().map(|s| (s.occurrence.event.to_string(), s.reason.clone())).collect()
}

/// The only action of a plan.
pub(super) fn only(plan: &Plan) -> &Action {
    let [action] = plan.actions.as_slice() else { panic!("one action: {plan:#?}") };
    action
}
