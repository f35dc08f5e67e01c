//! The mass-deletion brake on whole plans (spec §5): what pulls it, what it stops, and what lets it go.

use super::dice::Dice;
use super::pair::{Pair, meeting};
use crate::calendar::Leaving;
use crate::hold::{Hold, Verdict};
use crate::ledger::LedgerState;
use crate::plan::{ActionKind, Plan, Reason};

fn is_held(plan: &Plan) -> bool {
    matches!(plan.verdict, Verdict::Hold(_))
}

fn without(mut pair: Pair, count: i64) -> Pair {
    (0..count).for_each(|n| pair.remove(&format!("m{n}")));
    pair
}

#[test]
fn more_than_ten_and_a_fifth_is_held() {
    let table = [
        (10, 10, false, "ten are free"),
        (11, 11, true, "eleven of eleven"),
        (40, 10, false, "ten of forty"),
        (40, 11, true, "eleven of forty"),
        (60, 12, false, "a fifth of sixty"),
        (60, 13, true, "more than a fifth of sixty"),
        (60, 60, true, "all"),
    ];
    for (all, gone, held, what) in table {
        let plan = without(Pair::of_meetings(all), gone).plan();
        assert_eq!(is_held(&plan), held, "{what}");
        let deletions = plan.actions.iter().filter(|a| a.kind == ActionKind::Delete).count();
        assert_eq!(deletions, usize::try_from(gone).unwrap(), "it says what it would do");
    }
}

#[test]
fn a_source_that_falls_from_more_than_twenty_to_none_is_held_however_large_the_target() {
    let mut pair = Pair::of_meetings(21);
    // The target has many blocks for another source.
    let row = pair.target().ledger.values().next().unwrap().clone();
    for n in 0..200 {
        let correlation = crate::ids::CorrelationId(uuid::Uuid::from_u128(n));
        let source = crate::ids::CalendarId(uuid::Uuid::from_u128(77));
        let id: crate::ids::EventId = format!("x{n}").as_str().into();
        let row = crate::ledger::LedgerRow { correlation, source, block: Some(id), ..row.clone() };
        pair.target().ledger.insert(correlation, row);
    }
    let mut held = without(pair, 21);
    assert!(is_held(&held.plan()));
    assert_eq!(held.round(), 0);
    let mut almost = without(Pair::of_meetings(21), 10);
    assert!(!is_held(&almost.plan()));
}

#[test]
fn a_held_plan_writes_nothing_at_all_and_drops_what_was_waiting() {
    let mut pair = Pair::of_meetings(30);
    pair.put(meeting("new", 7));
    pair.enqueue();
    assert_eq!(pair.target().outbox.len(), 1);
    let mut pair = without(pair, 30);
    let before: Vec<_> = pair.target().ledger.values().cloned().collect();
    let plan = pair.enqueue();
    assert!(is_held(&plan) && plan.actions.iter().any(|a| a.kind == ActionKind::Create));
    assert!(pair.target().outbox.is_empty());
    assert_eq!(before, pair.target().ledger.values().cloned().collect::<Vec<_>>());
    assert_eq!(pair.blocks().len(), 30);
}

#[test]
fn an_approval_lets_it_go_on_to_the_end_even_if_it_is_planned_again_half_way() {
    let mut pair = without(Pair::of_meetings(60), 50);
    pair.enqueue();
    let hold = pair.target().hold.as_mut().expect("held");
    assert_eq!(hold.deletions, 50);
    hold.approved = true;
    pair.enqueue();
    assert!(pair.target().hold.is_none());
    assert_eq!(pair.target().outbox.len(), 50);
    // Twenty are written, then something else changes and the target is planned again.
    let later = pair.target().outbox.split_off(20);
    pair.target().push(&mut Dice::new(3), Default::default());
    pair.target().outbox = later;
    pair.put(meeting("new", 1));
    let plan = pair.enqueue();
    assert!(!is_held(&plan), "approved once, not asked again");
    pair.run();
    assert_eq!(pair.blocks().len(), 11);
}

#[test]
fn an_approval_covers_only_what_was_asked() {
    let mut pair = without(Pair::of_meetings(80), 20);
    pair.enqueue();
    pair.target().hold.as_mut().expect("held").approved = true;
    (20..40).for_each(|n| pair.remove(&format!("m{n}")));
    let plan = pair.enqueue();
    let Verdict::Hold(Hold { approved: false, agreed: 0, deletions: 40, .. }) = plan.verdict else {
        panic!("another set is another hold: {:?}", plan.verdict)
    };
}

#[test]
fn what_is_lost_after_an_approval_is_braked_by_itself() {
    let mut pair = without(Pair::of_meetings(80), 20);
    pair.enqueue();
    pair.target().hold.as_mut().unwrap().approved = true;
    pair.enqueue();
    (20..40).for_each(|n| pair.remove(&format!("m{n}")));
    let Verdict::Hold(hold) = pair.plan().verdict else { panic!("twenty more") };
    assert_eq!(hold.deletions, 20, "only the new ones");
}

#[test]
fn two_later_full_listings_that_agree_let_it_go() {
    let mut pair = without(Pair::of_meetings(30), 30);
    pair.enqueue();
    assert_eq!(pair.target().hold.as_ref().unwrap().agreed, 0);
    // Planned again without another listing: nothing agrees with itself.
    let plan = pair.world.plan(1);
    assert_eq!(plan.verdict, Verdict::Hold(pair.target().hold.clone().unwrap()));
    pair.enqueue();
    assert_eq!(pair.target().hold.as_ref().unwrap().agreed, 1);
    assert!(!is_held(&pair.enqueue()));
    pair.run();
    assert!(pair.blocks().is_empty());
}

#[test]
fn events_that_come_back_end_the_hold_and_cost_nothing() {
    let mut pair = without(Pair::of_meetings(30), 30);
    pair.enqueue();
    (0..30).for_each(|n| pair.put(meeting(&format!("m{n}"), n * 4)));
    let plan = pair.enqueue();
    assert!(plan.is_empty() && pair.target().hold.is_none());
}

#[test]
fn a_rule_or_calendar_switched_off_is_not_braked() {
    let mut pair = Pair::of_meetings(60);
    pair.world.stored[0].options.enabled = false;
    let plan = pair.plan();
    assert!(!is_held(&plan) && plan.actions.iter().all(|a| a.reason == Reason::RuleGone));
    assert_eq!(plan.actions.len(), 60);
    let mut pair = Pair::of_meetings(60);
    pair.world.places[0].calendar.sync_enabled = false;
    pair.run();
    assert!(pair.blocks().is_empty());
}

#[test]
fn blocks_of_former_times_do_not_soften_it() {
    let mut pair = Pair::of_meetings(30);
    let row = pair.target().ledger.values().next().unwrap().clone();
    let past = pair.world.window().from.minus(jiff::SignedDuration::from_hours(99));
    for n in 0..1000 {
        let correlation = crate::ids::CorrelationId(uuid::Uuid::from_u128(n));
        let span =
            crate::time::Span::Timed { start: past, end: past.plus(jiff::SignedDuration::from_hours(1)) };
        let old = crate::ledger::LedgerRow { correlation, span, state: LedgerState::Live, ..row.clone() };
        pair.target().ledger.insert(correlation, old);
    }
    assert!(is_held(&without(pair, 12).plan()), "twelve of thirty");
}

/// Blocks that stand in the target for a calendar whose rule was switched off.
fn of_a_calendar_that_left(pair: &mut Pair, count: u128) {
    let (block, row) = (pair.blocks()[0].clone(), pair.target().ledger.values().next().unwrap().clone());
    for n in 0..count {
        let mut block = block.clone();
        block.event.id = format!("left{n}").as_str().into();
        let correlation = crate::ids::CorrelationId(uuid::Uuid::from_u128(n));
        let source = crate::ids::CalendarId(uuid::Uuid::from_u128(77));
        let id = Some(block.event.id.clone());
        let row = crate::ledger::LedgerRow { correlation, source, block: id, ..row.clone() };
        pair.target().ledger.insert(correlation, row);
        pair.target().cloud.made.insert(block.event.id.clone());
        pair.target().cloud.place(block);
    }
}

#[test]
fn what_a_person_asked_for_is_not_held_with_the_rest() {
    let mut pair = Pair::of_meetings(60);
    of_a_calendar_that_left(&mut pair, 40);
    let mut pair = without(pair, 60);
    let plan = pair.enqueue();
    let Verdict::Hold(hold) = &plan.verdict else { panic!("held") };
    assert_eq!(hold.deletions, 60, "what was asked for is none of the brake's business");
    let asked_for = plan.actions.iter().filter(|a| a.reason == Reason::RuleGone).count();
    assert_eq!((asked_for, pair.target().outbox.len()), (40, 40));
    pair.target().push(&mut Dice::new(3), Default::default());
    assert_eq!(pair.blocks().len(), 60);
    assert!(is_held(&pair.plan()), "the rest stays held");
}

/// Orphans of a calendar on its way out go however many they are: nobody will ever ask about them again.
#[test]
fn a_calendar_on_its_way_out_is_not_braked() {
    for (leaving, held) in [(None, true), (Some(Leaving::Disabled), false), (Some(Leaving::Reset), false)] {
        let mut pair = Pair::of_meetings(30);
        pair.target().ledger.clear();
        let mut pair = without(pair, 30);
        pair.target().calendar.leaving = leaving;
        let plan = pair.plan();
        assert_eq!(plan.actions.iter().filter(|a| a.reason == Reason::Orphan).count(), 30, "{leaving:?}");
        assert_eq!(is_held(&plan), held, "{leaving:?}");
    }
}

/// What its last look did not show is asked for all the same.
#[test]
fn a_calendar_on_its_way_out_is_not_taken_at_its_word() {
    for (leaving, kind) in [(None, ActionKind::Forget), (Some(Leaving::Reset), ActionKind::Delete)] {
        let mut pair = Pair::of_meetings(1);
        pair.target().calendar.leaving = leaving;
        pair.world.stored.clear();
        pair.world.places[0].calendar.sync_enabled = false;
        pair.target().mirror.blocks.clear();
        let plan = pair.world.plan(1);
        assert_eq!(plan.actions.iter().map(|a| a.kind).collect::<Vec<_>>(), [kind], "{leaving:?}");
    }
}
