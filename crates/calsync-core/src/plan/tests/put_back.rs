//! How often a block is put back before we give way, and when we begin again.

use super::pair::{Pair, meeting, only};
use crate::ledger::LedgerState;
use crate::plan::{ActionKind, Reason, SkipReason};
use crate::rule::{DEFAULT_REPAIRS_MAX, RuleOptions, Tampered};

fn one() -> Pair {
    Pair::of_meetings(1)
}

/// Somebody moves or removes the block, again and again, until it is left so; how often it was put back.
fn quarrel(pair: &mut Pair, touch: impl Fn(&mut Pair)) -> u8 {
    for times in 0..10 {
        touch(pair);
        let plan = pair.plan();
        if only(&plan).kind == ActionKind::Yield {
            assert_eq!(only(&plan).reason, Reason::LeftToPerson);
            assert_eq!(pair.round(), 0);
            assert!(pair.plan().is_empty(), "left for good");
            assert_eq!(pair.plan().skips[0].reason, SkipReason::LeftToPerson);
            return times;
        }
        pair.run();
        assert!(pair.plan().is_empty());
    }
    panic!("two tools fight forever")
}

fn nudge(pair: &mut Pair) {
    let id = pair.block().event.id;
    pair.nudge(&id);
}

fn take_away(pair: &mut Pair) {
    let id = pair.block().event.id;
    pair.target().cloud.remove(&id);
}

#[test]
fn a_moved_block_is_put_back_three_times_and_then_left() {
    assert_eq!(quarrel(&mut one(), nudge), DEFAULT_REPAIRS_MAX);
}

#[test]
fn a_removed_block_is_put_back_three_times_under_new_ids_and_then_left() {
    let mut pair = one();
    take_away(&mut pair);
    assert_eq!(only(&pair.plan()).row.generation, 1, "the old id stays taken");
    pair.run();
    assert_eq!(quarrel(&mut pair, take_away), DEFAULT_REPAIRS_MAX - 1);
    assert_eq!(pair.blocks().len(), 0);
    assert_eq!(pair.target().ledger.values().next().unwrap().generation, 3);
}

#[test]
fn another_event_or_option_begins_anew() {
    for touch in [nudge, take_away] {
        let mut pair = one();
        quarrel(&mut pair, touch);
        pair.put(meeting("m0", 8));
        pair.run();
        assert_eq!(
            pair.block().event.when,
            pair.world.places[0].cloud.items[&"m0".into()].event.when.clone().map(no_zone)
        );
        assert_eq!(quarrel(&mut pair, touch), DEFAULT_REPAIRS_MAX, "the count starts again");
        pair.world.stored[0].options.title = "Away".into();
        pair.run();
        assert_eq!(pair.block().event.text.unwrap().title.unwrap(), "Away");
    }
}

fn no_zone(when: crate::event::When) -> crate::event::When {
    match when {
        crate::event::When::Timed { start, end, .. } => crate::event::When::Timed { start, end, zone: None },
        days => days,
    }
}

#[test]
fn a_rule_may_leave_what_people_do() {
    let options = || RuleOptions { tampered: Tampered::Leave, ..RuleOptions::default() };
    for touch in [nudge, take_away] {
        let mut pair = Pair::new(options());
        pair.put(meeting("m0", 0));
        pair.run();
        assert_eq!(quarrel(&mut pair, touch), 0);
        // It goes with its event all the same.
        pair.remove("m0");
        pair.run();
        assert!(pair.blocks().is_empty());
    }
}

#[test]
fn planning_again_before_the_write_counts_no_second_repair() {
    for touch in [nudge, take_away] {
        let mut pair = one();
        touch(&mut pair);
        for _ in 0..20 {
            pair.enqueue();
        }
        assert!(
            pair.target().ledger.values().all(|row| row.repairs <= 1 && row.state != LedgerState::Yielded)
        );
        pair.run();
        assert_eq!(pair.target().ledger.values().next().unwrap().repairs, 1);
    }
}

#[test]
fn a_person_who_puts_it_right_gets_no_write() {
    let mut pair = one();
    let right = pair.block();
    nudge(&mut pair);
    pair.enqueue();
    pair.target().cloud.place(right);
    assert_eq!(pair.round(), 0);
    assert!(pair.plan().is_empty());
    assert_eq!(pair.target().ledger.values().next().unwrap().repairs, 0);
}

#[test]
fn a_block_that_was_given_up_and_then_put_right_by_hand_is_ours_again() {
    let mut pair = one();
    let right = pair.block();
    quarrel(&mut pair, nudge);
    pair.target().cloud.place(right);
    assert_eq!(only(&pair.plan()).kind, ActionKind::Adopt);
    pair.run();
    assert_eq!(pair.target().ledger.values().next().unwrap().state, LedgerState::Live);
}
