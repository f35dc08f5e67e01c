//! The planner's laws, each on many random worlds.

use super::dice::{Dice, seeds};
use super::model::{self, CANARIES};
use super::oracle::{expected, standing};
use super::world::{Faults, World};
use crate::ids::CalendarId;
use crate::plan::Plan;

/// What stands is what should stand, everywhere.
pub(super) fn assert_right(world: &World) {
    for n in 0..world.places.len() {
        same(&standing(world, n), &expected(world, n), n);
    }
}

/// Two sorted lists are the same, or the difference is told.
fn same(standing: &[String], expected: &[String], n: usize) {
    let (mut missing, mut extra) = (expected.to_vec(), standing.to_vec());
    extra.retain(|b| missing.iter().position(|m| m == b).map(|at| missing.swap_remove(at)).is_none());
    assert!(missing.is_empty() && extra.is_empty(), "calendar {n}: missing {missing:#?}, extra {extra:#?}");
}

/// Somebody edits an entry. Returns whether its occurrences are others now, not only how they show or where they are.
pub(super) fn edit(world: &mut World, dice: &mut Dice) -> bool {
    let today = jiff::tz::TimeZone::UTC
        .to_datetime(world.now.to_jiff())
        .date()
        .to_datetime(jiff::civil::Time::midnight());
    let n = dice.below(world.places.len());
    let place = &mut world.places[n];
    let fresh = format!("n{n}x{}", place.cloud.clock);
    if place.specs.is_empty() || dice.chance(30) {
        let spec = model::spec(dice, today, fresh, 0);
        place.cloud.put_spec(&spec);
        place.specs.push(spec);
        return false;
    }
    let at = dice.below(place.specs.len());
    let spec = &mut place.specs[at];
    let kind = dice.below(4);
    match kind {
        0 => {
            let gone = place.specs.remove(at);
            place.cloud.remove_spec(&gone.id);
            return false;
        }
        1 => model::change(dice, spec),
        2 => {
            // Another pattern: the provider drops changed occurrences without a word.
            let new = model::spec(dice, today, spec.id.clone(), 0);
            *spec = model::Spec { uid: spec.uid.clone(), ..new };
        }
        _ => spec.shown = model::spec(dice, today, fresh, 0).shown,
    }
    let spec = spec.clone();
    place.cloud.put_spec(&spec);
    kind == 2
}

#[test]
fn one_round_makes_everything_right_and_the_next_does_nothing() {
    seeds(700, |_, dice| {
        let mut world = World::random(dice);
        world.round(dice, Faults::default());
        assert_right(&world);
        // The mesh's second pass: our own blocks are seen in every listing, and mirrored nowhere.
        assert_eq!(world.round(dice, Faults::default()), (0, 0));
        assert_right(&world);
    });
}

#[test]
fn edits_of_every_kind_are_followed() {
    seeds(250, |_, dice| {
        let mut world = World::random(dice);
        world.settle(dice, 3);
        for _ in 0..4 {
            for _ in 0..=dice.below(3) {
                edit(&mut world, dice);
            }
            if dice.chance(20) {
                // Other texts are wanted: every source is read again (`RuleStep::list`).
                world.draw_rules(dice);
                world.read(dice, 100);
            }
            if dice.chance(30) {
                world.now = world.now.plus(jiff::SignedDuration::from_hours(dice.range(1, 60)));
                world.read(dice, 100);
            }
            world.settle(dice, 5);
            assert_right(&world);
        }
    });
}

#[test]
fn it_converges_whatever_fails_on_the_way() {
    seeds(350, |_, dice| {
        let mut world = World::random(dice);
        let percent = dice.pick(&[10, 40, 80]);
        for _ in 0..5 {
            world.round(dice, Faults { percent });
            if dice.chance(60) {
                edit(&mut world, dice);
            }
            for place in &mut world.places {
                place.hold.iter_mut().for_each(|h| h.approved = true);
            }
        }
        world.settle(dice, 6);
        assert_right(&world);
    });
}

#[test]
fn the_same_input_gives_the_same_plan_whatever_its_order() {
    seeds(150, |_, dice| {
        let mut world = World::random(dice);
        if dice.chance(50) {
            world.round(dice, Faults { percent: 40 });
            edit(&mut world, dice);
        }
        world.read(dice, 50);
        let mut rules = world.rules();
        for n in 0..world.places.len() {
            let once = world.plan(n);
            assert_eq!(format!("{once:?}"), format!("{:?}", world.plan(n)));
            dice.shuffle(&mut rules);
            let again = world.with_input(n, &rules, |input| {
                let mut ledger = input.ledger.to_vec();
                dice.shuffle(&mut ledger);
                crate::plan::plan(&crate::plan::PlanInput {
                    ledger: &ledger,
                    rules: input.rules.iter().map(|r| crate::plan::RuleInput { ..*r }).collect(),
                    ..*input
                })
            });
            assert_eq!(once.actions, again.actions);
            assert_eq!((once.kept, once.verdict), (again.kept, again.verdict));
        }
    });
}

#[test]
fn the_order_of_the_writes_does_not_matter() {
    seeds(150, |seed, dice| {
        let outcome = |order: u64| {
            let mut world = World::random(&mut Dice::new(seed));
            let mut first = Dice::new(seed);
            world.settle(&mut first, 3);
            edit(&mut world, &mut first);
            world.read(&mut first, 100);
            let mut dice = Dice::new(order);
            for n in 0..world.places.len() {
                let plan = world.plan(n);
                world.places[n].take_over(&plan);
                world.places[n].push(&mut dice, Faults::default());
            }
            let rows = |n: usize| -> Vec<_> {
                let rows = world.places[n].ledger.values();
                rows.map(|r| (r.correlation, r.state, r.generation, r.wrote, r.echo, r.span, r.repairs))
                    .collect()
            };
            (0..world.places.len()).map(|n| (standing(&world, n), rows(n))).collect::<Vec<_>>()
        };
        assert_eq!(outcome(1), outcome(dice.range(2, 1_000_000).unsigned_abs()));
    });
}

#[test]
fn there_and_back_again_adds_nothing() {
    seeds(200, |_, dice| {
        let mut world = World::random(dice);
        world.settle(dice, 3);
        assert_right(&world);
        let writes = |w: &World| w.places.iter().map(|p| p.cloud.writes).sum::<usize>();
        let before: Vec<_> = (0..world.places.len()).map(|n| standing(&world, n)).collect();
        let specs: Vec<_> = world.places.iter().map(|p| p.specs.clone()).collect();
        // Seen in between, or not.
        let seen = dice.chance(50);
        let at_first = writes(&world);
        edit(&mut world, dice);
        if seen {
            world.settle(dice, 5);
        }
        for (place, specs) in world.places.iter_mut().zip(specs) {
            for spec in std::mem::replace(&mut place.specs, specs) {
                if place.specs.iter().all(|s| s.id != spec.id) {
                    place.cloud.remove_spec(&spec.id);
                }
            }
            place.specs.iter().for_each(|spec| place.cloud.put_spec(spec));
        }
        world.settle(dice, 5);
        assert_right(&world);
        for (n, before) in before.iter().enumerate() {
            same(&standing(&world, n), before, n);
        }
        assert!(seen || writes(&world) == at_first, "a change that was taken back costs nothing");
    });
}

#[test]
fn a_change_costs_one_write_per_target_at_most() {
    seeds(200, |_, dice| {
        let mut world = World::random(dice);
        world.settle(dice, 3);
        let before: Vec<_> = (0..world.places.len()).map(|n| standing(&world, n)).collect();
        if edit(&mut world, dice) {
            return;
        }
        let (writes, _) = world.round(dice, Faults::default());
        let held = world.places.iter().any(|p| p.hold.is_some());
        let changed = |n: usize| {
            let (mut gone, mut fresh) = (before[n].clone(), standing(&world, n));
            fresh.retain(|b| gone.iter().position(|g| g == b).map(|at| gone.swap_remove(at)).is_none());
            fresh.len() + gone.len()
        };
        let differences: usize = (0..world.places.len()).map(changed).sum();
        assert!(held || writes <= differences, "{writes} writes for {differences} differences");
    });
}

#[test]
fn nothing_of_a_source_goes_further_than_its_rule_allows() {
    seeds(300, |_, dice| {
        let mut world = World::random(dice);
        world.round(dice, Faults { percent: 20 });
        world.round(dice, Faults::default());
        let rules = world.rules();
        for place in &world.places {
            let texts =
                rules.iter().filter(|r| r.source == place.calendar.id).map(|r| r.options.text_policy());
            let texts = texts.fold(Default::default(), crate::event::TextPolicy::or);
            let allowed = [texts.title, texts.description, texts.location];
            let stored = serde_json::to_string(&place.mirror).unwrap();
            for (canary, allowed) in CANARIES.into_iter().zip(allowed) {
                assert!(allowed || !stored.contains(canary), "{canary} is stored");
            }
        }
        for (n, place) in world.places.iter().enumerate() {
            let into: Vec<_> = rules.iter().filter(|r| r.target == place.calendar.id).collect();
            for (at, canary) in CANARIES.into_iter().enumerate() {
                let mut policies = into.iter().map(|r| r.options.text_policy());
                let allowed = policies.any(|p| [p.title, p.description, p.location][at]);
                let written = format!("{:?}{:?}", place.cloud.ours().collect::<Vec<_>>(), place.outbox);
                assert!(allowed || !written.contains(canary), "{canary} reached calendar {n}");
                let ledger: Vec<_> = place.ledger.values().collect();
                assert!(
                    !serde_json::to_string(&ledger).unwrap().contains(canary),
                    "{canary} is in the ledger"
                );
            }
        }
    });
}

/// Whether a plan removes anything of this source.
fn removes(plan: &Plan, source: CalendarId) -> bool {
    use crate::plan::ActionKind::{Delete, Forget};
    plan.actions.iter().any(|a| a.row.source == source && matches!(a.kind, Delete | Forget))
}

#[test]
fn nothing_is_removed_for_want_of_knowledge() {
    seeds(200, |_, dice| {
        let mut world = World::random(dice);
        world.settle(dice, 3);
        let n = dice.below(world.places.len());
        let source = world.places[n].calendar.id;
        let place = &mut world.places[n];
        // Its picture is lost, and it was never read again.
        let (mirror, read) = (std::mem::take(&mut place.mirror.events), place.calendar.last_full_sync.take());
        assert!((0..world.places.len()).all(|t| !removes(&world.plan(t), source)), "never read");
        // Its picture is there, but no series can be read.
        let place = &mut world.places[n];
        place.calendar.last_full_sync = read;
        place.mirror.events = mirror;
        for event in place.mirror.events.values_mut() {
            if let crate::event::Series::Master { recurrence } = &mut event.series {
                recurrence.lines.push("RRULE:FREQ=SECONDLY".into());
            }
        }
        assert!((0..world.places.len()).all(|t| !removes(&world.plan(t), source)), "unreadable");
        // Its picture is empty, but the readings reach over another time only.
        let place = &mut world.places[n];
        place.mirror.events.clear();
        let window = place.calendar.cursor.as_mut().map(|c| &mut c.covers).unwrap();
        *window = crate::time::Window {
            from: world.now.plus(jiff::SignedDuration::from_hours(999)),
            to: crate::time::Ts::MAX,
        };
        assert!((0..world.places.len()).all(|t| !removes(&world.plan(t), source)), "outside the readings");
    });
}
