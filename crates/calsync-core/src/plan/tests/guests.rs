//! Blocks to which a person invited somebody: they are that person's meetings, and nothing is written to them for as long as
//! anybody is invited. The cloud in miniature panics if anything is.

use super::dice::seeds;
use super::laws::edit;
use super::model::{Long, Spec};
use super::oracle::is_held;
use super::pair::{Pair, meeting, only};
use super::world::World;
use crate::hold::Verdict;
use crate::ids::EventId;
use crate::ledger::{LedgerState, WriteOp};
use crate::plan::{ActionKind, Plan, Reason, SkipReason};
use crate::ports::RemoteEvent;

/// One meeting with its block, to which somebody is invited.
fn invited() -> (Pair, EventId) {
    let mut pair = Pair::of_meetings(1);
    let id = pair.block().event.id;
    pair.invite(&id, true);
    (pair, id)
}

fn kinds(plan: &Plan) -> Vec<(ActionKind, Reason)> {
    plan.actions.iter().map(|a| (a.kind, a.reason)).collect()
}

/// Whatever happens to the event, its block stays as it is, and the plan after that has nothing to do. Where it does not hold the
/// time of its event any more, another does.
#[test]
fn nothing_is_written_to_it_whatever_becomes_of_its_event() {
    use ActionKind::{Create, Forget, Yield};
    type Deed = fn(&mut Pair);
    let left = Reason::HasGuests;
    let table: [(&str, Deed, (ActionKind, Reason)); 9] = [
        ("nothing", |_| {}, (Yield, left)),
        ("the event gets shorter", |pair| pair.put(shorter(meeting("m0", 0))), (Yield, left)),
        ("the event moves", |pair| pair.put(meeting("m0", 50)), (Create, Reason::SourceChanged)),
        ("the event moves a little", |pair| pair.put(meeting("m0", 1)), (Create, Reason::SourceChanged)),
        ("the event goes", |pair| pair.remove("m0"), (Forget, left)),
        ("the rule goes", |pair| pair.world.stored[0].options.enabled = false, (Forget, left)),
        ("the source goes", |pair| pair.world.places[0].calendar.sync_enabled = false, (Forget, left)),
        ("the target goes", |pair| pair.target().calendar.sync_enabled = false, (Forget, left)),
        ("somebody moves it", |pair| pair.nudge(&pair.block().event.id), (Create, Reason::PutBackChanged)),
    ];
    for (what, deed, expected) in table {
        for seen_before in [false, true] {
            let (mut pair, id) = invited();
            if seen_before {
                pair.run();
                assert_eq!(pair.plan().skips[0].reason, SkipReason::HasGuests);
            }
            deed(&mut pair);
            let block = pair.block();
            let plan = pair.plan();
            if seen_before && expected.0 == Yield {
                assert!(plan.is_empty(), "{what}: {plan:#?}");
            } else {
                assert_eq!(kinds(&plan), [expected], "{what}");
                let op = only(&plan).write.as_ref();
                assert!(matches!(op, None | Some(WriteOp::Create { .. })), "{what}");
            }
            pair.run();
            let (left, others): (Vec<_>, Vec<_>) = pair.blocks().into_iter().partition(|b| b.event.id == id);
            assert_eq!(left, [block], "{what}");
            assert_eq!(others.len(), usize::from(expected.0 == Create), "{what}");
            let plan = pair.plan();
            assert!(plan.is_empty(), "{what}: {plan:#?}");
        }
    }
}

fn shorter(spec: Spec) -> Spec {
    Spec { long: Long::Minutes(30), ..spec }
}

/// The other one follows the event as every block does, also if all that is known of both is lost; and when the guests are
/// uninvited, the first goes.
#[test]
fn the_time_to_which_its_event_moved_is_held_by_another() {
    for chooses_ids in [false, true] {
        for lost in [false, true] {
            let mut pair = Pair::new(crate::rule::RuleOptions::default());
            pair.target().cloud.chooses_ids = chooses_ids;
            pair.put(meeting("m0", 0));
            pair.run();
            let id = pair.block().event.id;
            pair.invite(&id, true);
            pair.run();
            for quarter in [50, 60] {
                // Nobody knows for how long a provider remembers under which key it made something.
                pair.target().cloud.forgets_keys = true;
                pair.put(meeting("m0", quarter));
                if lost {
                    pair.target().ledger.clear();
                }
                pair.run();
                assert_eq!(pair.blocks().len(), 2, "{quarter}: {chooses_ids} {lost}");
            }
            assert!(pair.plan().is_empty());
            pair.remove("m0");
            pair.run();
            assert_eq!(pair.block().event.id, id, "nothing asks for the other any more");
            pair.invite(&id, false);
            pair.run();
            // Under ids of the provider's choosing nothing tells whether it is the block or somebody's copy of it.
            assert_eq!(pair.blocks().len(), usize::from(chooses_ids));
        }
    }
}

/// Somebody invites people and shows it as free: the person is not held by it any more.
#[test]
fn one_that_leaves_its_owner_free_holds_nothing() {
    let (mut pair, id) = invited();
    let mut block = pair.block();
    block.event.show_as = crate::event::ShowAs::Free;
    pair.target().cloud.place(block);
    pair.run();
    assert_eq!(pair.blocks().len(), 2);
    assert!(pair.blocks().iter().any(|b| b.event.id == id) && pair.plan().is_empty());
}

/// Of one that can't be read, and was never seen before, nobody knows when it is: no second one is made beside it.
#[test]
fn beside_one_that_can_not_be_read_stands_no_other() {
    for told in [false, true] {
        let mut pair = Pair::of_meetings(1);
        let block = pair.block();
        if !told {
            pair.target().mirror = crate::mirror::Mirror::default();
            pair.target().calendar.cursor = None;
        }
        let event = crate::event::Event::unreadable(block.event.id.clone(), "no start");
        pair.target().cloud.place(RemoteEvent { event, has_guests: true, ..block });
        pair.run();
        assert_eq!(pair.blocks().len(), 1, "seen before: {told}");
        assert!(pair.plan().is_empty());
    }
}

/// A person who is to be left alone moves it, and nothing is put in its place.
#[test]
fn where_people_are_not_put_right_nothing_is_put_beside_it() {
    for seen_before in [false, true] {
        let (mut pair, id) = invited();
        pair.world.stored[0].options.tampered = crate::rule::Tampered::Leave;
        if seen_before {
            pair.run();
        }
        pair.nudge(&id);
        pair.run();
        assert_eq!(pair.blocks().len(), 1);
    }
}

#[test]
fn it_is_ours_again_when_nobody_is_invited_any_more() {
    let (mut pair, id) = invited();
    pair.run();
    pair.put(shorter(meeting("m0", 0)));
    pair.run();
    pair.invite(&id, false);
    assert_eq!(kinds(&pair.plan()), [(ActionKind::Update, Reason::SourceChanged)], "it follows its event");
    pair.run();
    pair.invite(&id, true);
    pair.run();
    pair.remove("m0");
    pair.run();
    assert_eq!(pair.target().ledger.values().next().unwrap().state, LedgerState::Gone);
    pair.invite(&id, false);
    assert_eq!(kinds(&pair.plan()), [(ActionKind::Delete, Reason::Orphan)], "nothing asks for it");
    pair.run();
    assert_eq!(pair.blocks().len(), 0);
}

#[test]
fn one_that_was_given_up_holds_its_time_when_its_event_comes_back() {
    let (mut pair, id) = invited();
    pair.remove("m0");
    pair.run();
    pair.put(meeting("m0", 0));
    assert_eq!(kinds(&pair.plan()), [(ActionKind::Yield, Reason::HasGuests)]);
    pair.run();
    assert_eq!(pair.block().event.id, id);
    assert!(pair.plan().is_empty());
}

/// Under ids of our own choosing and under the provider's: the latter is known by its marker alone.
#[test]
fn what_is_known_of_it_may_be_lost_or_unsettled() {
    for chooses_ids in [false, true] {
        for (state, wanted, kind) in [
            (None, true, ActionKind::Yield),
            (Some(LedgerState::Creating), true, ActionKind::Yield),
            (Some(LedgerState::Creating), false, ActionKind::Forget),
            (Some(LedgerState::Gone), true, ActionKind::Yield),
            (Some(LedgerState::Gone), false, ActionKind::Forget),
        ] {
            let mut pair = Pair::new(crate::rule::RuleOptions::default());
            pair.target().cloud.chooses_ids = chooses_ids;
            pair.put(meeting("m0", 0));
            pair.run();
            let id = pair.block().event.id;
            pair.invite(&id, true);
            if !wanted {
                pair.remove("m0");
            }
            let target = pair.target();
            match state {
                None => target.ledger.clear(),
                Some(state) => {
                    let row = target.ledger.values_mut().next().unwrap();
                    (row.state, row.echo) = (state, None);
                    row.block = row.block.take().filter(|_| !chooses_ids);
                }
            }
            let plan = pair.plan();
            // Of what is gone and named, nothing is left to be said.
            let known = state == Some(LedgerState::Gone) && !chooses_ids && !wanted;
            let expected = if known { vec![] } else { vec![(kind, Reason::HasGuests)] };
            assert_eq!(kinds(&plan), expected, "{state:?}, wanted {wanted}, chooses ids {chooses_ids}");
            pair.run();
            assert!(pair.plan().is_empty(), "{state:?}, wanted {wanted}, chooses ids {chooses_ids}");
            assert_eq!(pair.block().event.id, id);
        }
    }
}

#[test]
fn an_orphan_with_guests_stays_and_the_others_go() {
    let mut pair = Pair::of_meetings(3);
    let id = pair.blocks()[1].event.id.clone();
    pair.invite(&id, true);
    (0..3).for_each(|n| pair.remove(&format!("m{n}")));
    pair.target().ledger.clear();
    let plan = pair.plan();
    assert_eq!(kinds(&plan), [(ActionKind::Delete, Reason::Orphan); 2]);
    pair.run();
    assert_eq!(pair.block().event.id, id);
    assert!(pair.plan().is_empty());
}

/// What is left where it is, is no removal: the brake has nothing to stop, and counts the others as it always did.
#[test]
fn the_brake_does_not_count_what_is_left() {
    let mut pair = Pair::of_meetings(40);
    let ids: Vec<EventId> = pair.blocks().into_iter().map(|b| b.event.id).collect();
    ids.iter().take(30).for_each(|id| pair.invite(id, true));
    (0..40).for_each(|n| pair.remove(&format!("m{n}")));
    let plan = pair.plan();
    assert_eq!(plan.verdict, Verdict::Go, "ten are free");
    assert_eq!(plan.actions.iter().filter(|a| a.kind == ActionKind::Delete).count(), 10);
    pair.run();
    assert_eq!(pair.blocks().len(), 30);
}

#[test]
fn whatever_happens_a_block_with_guests_is_as_its_owner_left_it_and_no_time_is_free_for_it() {
    seeds(200, |_, dice| {
        let mut world = World::random(dice);
        world.settle(dice, 3);
        let mut left: Vec<(usize, RemoteEvent)> = Vec::new();
        for n in 0..world.places.len() {
            let cloud = &mut world.places[n].cloud;
            let blocks: Vec<RemoteEvent> = cloud.ours().cloned().collect();
            for block in blocks.into_iter().filter(|_| dice.chance(40)) {
                let id = block.event.id.clone();
                cloud.place(RemoteEvent { has_guests: true, ..block });
                left.push((n, cloud.items[&id].clone()));
            }
        }
        for _ in 0..3 {
            edit(&mut world, dice);
            if dice.chance(30) {
                world.draw_rules(dice);
                world.read(dice, 100);
            }
            world.settle(dice, 6);
        }
        for (n, block) in &left {
            assert_eq!(world.places[*n].cloud.items.get(&block.event.id), Some(block));
        }
        assert!((0..world.places.len()).all(|n| is_held(&world, n)), "somebody could be booked twice");
    });
}
