//! A person's calendars, drawn at random, and the rounds of reading, planning and writing over them.

use jiff::SignedDuration;
use uuid::Uuid;

use super::dice::Dice;
use super::model::{self, ZONES};
pub(crate) use super::place::{Faults, Place};
use crate::block::{CalendarRef, Identity, Visibility};
use crate::calendar::{Access, Calendar};
use crate::event::TextPolicy;
use crate::ids::{AccountId, CalendarId, RuleId, UserId};
use crate::ledger::LedgerRow;
use crate::plan::{Plan, PlanInput, RuleInput, check, plan};
use crate::ports::{Capabilities, Ids, Listing};
use crate::rule::{self, Rule, RuleOptions, Tentative, WorkingHours};
use crate::time::{Ts, Window};

pub(crate) static IDENTITY: Identity = Identity::new([7; 32]);
pub(crate) const PAST_DAYS: u16 = 1;
pub(crate) const FUTURE_DAYS: u16 = 12;

/// A person's calendars.
pub(crate) struct World {
    pub(crate) places: Vec<Place>,
    pub(crate) stored: Vec<Rule>,
    pub(crate) now: Ts,
}

/// A calendar of this number.
pub(crate) fn calendar(n: u128, zone: &str) -> Calendar {
    Calendar {
        name: format!("Calendar {n}"),
        time_zone: zone.into(),
        access: Access::Owner,
        sync_enabled: true,
        ..Calendar::new(
            CalendarId(Uuid::from_u128(n)),
            AccountId(Uuid::from_u128(n)),
            UserId(Uuid::nil()),
            CalendarRef { provider: "google".into(), account: format!("{n}"), calendar: format!("c{n}") },
        )
    }
}

/// Options drawn at random.
pub(crate) fn options(dice: &mut Dice) -> RuleOptions {
    let hours = |dice: &mut Dice| WorkingHours {
        zone: dice.pick(&ZONES).to_owned(),
        days: dice.pick(&[vec![1, 2, 3, 4, 5], vec![6, 7], vec![1, 2, 3, 4, 5, 6, 7], vec![3]]),
        from_minute: dice.pick(&[0, 480, 600]),
        to_minute: dice.pick(&[615, 1020, 1440]),
    };
    RuleOptions {
        title: dice.pick(&["Busy", "Gone {title}", " Blocked ", "{title}", ""]).to_owned(),
        copy_title: dice.chance(30),
        copy_description: dice.chance(30),
        copy_location: dice.chance(30),
        visibility: dice.pick(&[Visibility::Private, Visibility::Calendar]),
        colour: dice.chance(20).then(|| "7".to_owned()),
        skip_all_day: dice.chance(20),
        min_minutes: dice.pick(&[0, 0, 30, 90]),
        working_hours: if dice.chance(30) { Some(hours(dice)) } else { None },
        buffer_before_minutes: dice.pick(&[0, 0, 15, 600]),
        buffer_after_minutes: dice.pick(&[0, 0, 30, 1440]),
        tentative: dice.pick(&[Tentative::AsTentative, Tentative::AsBusy, Tentative::Skip]),
        ..RuleOptions::default()
    }
}

impl World {
    /// Two to four calendars with a few entries each, and a mesh or rules of their own.
    pub(crate) fn random(dice: &mut Dice) -> World {
        let days = ["2026-03-27", "2026-06-10", "2026-10-23", "2026-10-30", "2026-12-30"];
        let today: jiff::civil::Date = dice.pick(&days).parse().unwrap();
        let now: Ts = format!("{today}T{:02}:30:00Z", dice.range(0, 24)).parse().unwrap();
        let count = dice.below(3) as u128 + 2;
        let mut places: Vec<Place> =
            (1..=count).map(|n| Place::new(calendar(n, dice.pick(&ZONES)), dice)).collect();
        for (n, place) in places.iter_mut().enumerate() {
            for e in 0..dice.below(7) {
                let spec = model::spec(dice, today.into(), format!("e{n}x{e}"), 0);
                place.cloud.put_spec(&spec);
                place.specs.push(spec);
            }
        }
        let mut world = World { places, stored: Vec::new(), now };
        for _ in 0..dice.below(3) {
            world.invite(dice);
        }
        if dice.chance(60) {
            world.draw_rules(dice);
        }
        world
    }

    /// The same meeting in two calendars.
    fn invite(&mut self, dice: &mut Dice) {
        let (from, to) = (dice.below(self.places.len()), dice.below(self.places.len()));
        if from == to || self.places[from].specs.is_empty() {
            return;
        }
        let mut copy = dice.pick(&self.places[from].specs);
        copy.id = format!("{}c{to}", copy.id);
        if self.places[to].specs.iter().all(|s| s.id != copy.id) {
            self.places[to].cloud.put_spec(&copy);
            self.places[to].specs.push(copy);
        }
    }

    pub(crate) fn draw_rules(&mut self, dice: &mut Dice) {
        self.stored.clear();
        for source in self.places.iter().map(|p| p.calendar.id) {
            for target in self.places.iter().map(|p| p.calendar.id) {
                if source != target && dice.chance(60) {
                    let options = options(dice);
                    let id = RuleId(Uuid::from_u64_pair(source.0.as_u64_pair().1, target.0.as_u64_pair().1));
                    self.stored.push(Rule { id, user: UserId(Uuid::nil()), source, target, options });
                }
            }
        }
    }

    pub(crate) fn rules(&self) -> Vec<Rule> {
        let calendars: Vec<Calendar> = self.places.iter().map(|p| p.calendar.clone()).collect();
        rule::effective(&self.stored, &calendars, &rule::RuleDefaults::default())
    }

    pub(crate) fn window(&self) -> Window {
        Window::sliding(self.now, PAST_DAYS, FUTURE_DAYS)
    }

    /// Reads every calendar: what changed, or everything.
    pub(crate) fn read(&mut self, dice: &mut Dice, full_percent: usize) {
        let (window, now, rules) = (self.window(), self.now, self.rules());
        for place in &mut self.places {
            let from_here = rules.iter().filter(|r| r.source == place.calendar.id);
            let texts = from_here.fold(TextPolicy::default(), |all, r| all.or(r.options.text_policy()));
            let everything = place.calendar.cursor.is_none() || dice.chance(full_percent);
            let doubt = !everything && place.read(false, texts, &window, now, dice);
            if everything || doubt {
                place.read(true, texts, &window, now, dice);
            }
        }
    }

    /// Plans one target.
    pub(crate) fn plan(&self, n: usize) -> Plan {
        let rules = self.rules();
        self.with_input(n, &rules, |input| {
            let plan = plan(input);
            assert_eq!(check(input, &plan), [], "the audit objects");
            plan
        })
    }

    fn rule_input<'a>(&'a self, rule: &'a Rule) -> RuleInput<'a> {
        let source = self.places.iter().find(|p| p.calendar.id == rule.source).unwrap();
        RuleInput { rule, source: &source.calendar, mirror: &source.mirror }
    }

    pub(crate) fn with_input<T>(
        &self,
        n: usize,
        rules: &[Rule],
        then: impl FnOnce(&PlanInput<'_>) -> T,
    ) -> T {
        let target = &self.places[n];
        let rows: Vec<LedgerRow> = target.ledger.values().cloned().collect();
        then(&PlanInput {
            target: &target.calendar,
            rules: rules
                .iter()
                .filter(|r| r.target == target.calendar.id)
                .map(|r| self.rule_input(r))
                .collect(),
            mirror: &target.mirror,
            ledger: &rows,
            identity: &IDENTITY,
            capabilities: Capabilities {
                chooses_ids: if target.cloud.chooses_ids { Ids::Provider } else { Ids::Client },
                push: None,
                tentative: target.tentative,
                concurrent_calls: 1,
                listing: if target.windowed { Listing::Windowed } else { Listing::Unbounded },
            },
            window: self.window(),
            hold: target.hold.as_ref(),
            now: self.now,
        })
    }

    /// Reads, plans and writes everything once. Returns the writes that reached a provider, and the actions planned.
    pub(crate) fn round(&mut self, dice: &mut Dice, faults: Faults) -> (usize, usize) {
        self.now = self.now.plus(SignedDuration::from_secs(60));
        self.read(dice, 30);
        let before: usize = self.places.iter().map(|p| p.cloud.writes).sum();
        let mut actions = 0;
        for n in 0..self.places.len() {
            let others = self.places[n].cloud.others();
            let plan = self.plan(n);
            actions += plan.actions.len();
            self.places[n].take_over(&plan);
            self.places[n].push(dice, faults);
            assert_eq!(self.places[n].cloud.others(), others, "something foreign was touched");
        }
        (self.places.iter().map(|p| p.cloud.writes).sum::<usize>() - before, actions)
    }

    /// Rounds until nothing is left to do; how many it took.
    pub(crate) fn settle(&mut self, dice: &mut Dice, rounds_max: usize) -> usize {
        for round in 0..rounds_max {
            for place in &mut self.places {
                // Somebody looks at the holds and says yes.
                place.hold.iter_mut().for_each(|h| h.approved = true);
            }
            if self.round(dice, Faults::default()) == (0, 0) {
                return round;
            }
        }
        panic!(
            "no end after {rounds_max} rounds: {:#?}",
            (0..self.places.len()).map(|n| self.plan(n)).collect::<Vec<_>>()
        );
    }
}
