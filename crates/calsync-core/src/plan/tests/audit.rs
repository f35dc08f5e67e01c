//! The audit of plans: each thing that a plan must never do is done here by hand, and found. That it finds nothing in
//! what the planner made is asserted wherever `World::plan` is called.

use super::pair::{Pair, meeting};
use crate::ids::{CalendarId, EventId};
use crate::ledger::{LedgerState, WriteOp};
use crate::plan::{ActionKind, Plan, Reason, Violation, check};
use crate::time::{Span, Ts};

/// A pair of which one event was changed, one is new and one is gone: an update, a create and a delete.
fn busy_pair() -> Pair {
    let mut pair = Pair::of_meetings(4);
    pair.put(meeting("m1", 100));
    pair.put(meeting("new", 200));
    pair.remove("m2");
    pair
}

/// What the audit says of the pair's plan after somebody spoiled it.
fn objections(pair: &mut Pair, spoil: impl FnOnce(&mut Plan)) -> Vec<Violation> {
    let mut plan = pair.plan();
    spoil(&mut plan);
    let rules = pair.world.rules();
    pair.world.with_input(1, &rules, |input| check(input, &plan))
}

fn of(plan: &mut Plan, kind: ActionKind) -> &mut crate::plan::Action {
    plan.actions.iter_mut().find(|a| a.kind == kind).expect("one of each kind")
}

fn rename(write: &mut Option<WriteOp>, to: &str) {
    if let Some(WriteOp::Update { id, .. } | WriteOp::Delete { id, .. }) = write {
        *id = EventId(to.to_owned());
    }
}

#[test]
fn a_good_plan_is_good() {
    assert_eq!(objections(&mut busy_pair(), |plan| assert_eq!(plan.actions.len(), 3)), []);
}

#[test]
fn nothing_unproven_is_written() {
    let mut pair = busy_pair();
    let found = objections(&mut pair, |plan| rename(&mut of(plan, ActionKind::Update).write, "stranger"));
    assert_eq!(found, [Violation::NotOurs("stranger".into())]);
    let found = objections(&mut pair, |plan| rename(&mut of(plan, ActionKind::Delete).write, "stranger"));
    assert_eq!(found, [Violation::NotOurs("stranger".into())]);
}

#[test]
fn another_block_of_ours_is_no_proof() {
    let mut pair = busy_pair();
    let found = objections(&mut pair, |plan| {
        let id = crate::block::block_event_id(plan.kept[0].correlation, 0);
        rename(&mut of(plan, ActionKind::Delete).write, id.as_str());
    });
    assert!(matches!(found.as_slice(), [Violation::NotOurs(_)]), "{found:?}");
}

#[test]
fn an_intention_is_no_proof_of_what_stands_there() {
    let mut pair = busy_pair();
    let row = pair.target().ledger.values_mut().find(|r| r.occurrence.event == "m2".into()).unwrap();
    row.state = LedgerState::Creating;
    let id = row.block.clone().unwrap();
    let mut stranger = pair.world.places[1].cloud.items[&id].clone();
    stranger.marker = None;
    pair.target().cloud.place(stranger);
    let plan = pair.plan();
    assert!(
        plan.actions.iter().all(|a| a.row.block.as_ref() != Some(&id) || a.write.is_none()),
        "left alone"
    );
    let version = pair.target().mirror.blocks[&id].version.clone();
    let found = objections(&mut pair, |plan| {
        let forget = of(plan, ActionKind::Forget);
        (forget.kind, forget.reason) = (ActionKind::Delete, Reason::SourceGone);
        forget.write = Some(WriteOp::Delete { id: id.clone(), version });
    });
    assert_eq!(found, [Violation::NotOurs(id.clone())]);
}

#[test]
fn a_real_event_is_never_written() {
    let mut pair = busy_pair();
    let real = meeting("real", 300);
    pair.target().cloud.put_spec(&real);
    pair.target().specs.push(real);
    let found = objections(&mut pair, |plan| rename(&mut of(plan, ActionKind::Update).write, "real"));
    assert_eq!(found, [Violation::RealEvent("real".into())]);
}

#[test]
fn a_block_with_guests_is_never_written() {
    for kind in [ActionKind::Update, ActionKind::Delete] {
        let mut pair = busy_pair();
        let plan = pair.plan();
        let action = plan.actions.iter().find(|a| a.kind == kind).expect("one of each kind");
        let id = action.row.block.clone().unwrap();
        let rules = pair.world.rules();
        let audit = |pair: &Pair| pair.world.with_input(1, &rules, |input| check(input, &plan));
        assert_eq!(audit(&pair), []);
        pair.target().mirror.blocks.get_mut(&id).unwrap().has_guests = true;
        assert_eq!(audit(&pair), [Violation::HasGuests(id)], "{kind:?}");
    }
}

#[test]
fn another_calendar_is_never_written() {
    let elsewhere = CalendarId(uuid::Uuid::from_u128(77));
    let found = objections(&mut busy_pair(), |plan| of(plan, ActionKind::Create).row.target = elsewhere);
    assert_eq!(found, [Violation::OtherTarget]);
    let found = objections(&mut busy_pair(), |plan| plan.target = elsewhere);
    assert_eq!(found, [Violation::OtherTarget, Violation::OtherTarget, Violation::OtherTarget]);
}

#[test]
fn nothing_is_written_twice() {
    let found = objections(&mut busy_pair(), |plan| plan.actions.push(plan.actions[0].clone()));
    assert!(matches!(found.as_slice(), [Violation::Twice(_)]), "{found:?}");
    let found = objections(&mut busy_pair(), |plan| {
        let id = of(plan, ActionKind::Update).row.block.clone().unwrap();
        rename(&mut of(plan, ActionKind::Delete).write, id.as_str());
    });
    assert!(found.iter().any(|v| matches!(v, Violation::Twice(_))), "one id under two names: {found:?}");
}

#[test]
fn no_text_gets_out_without_leave() {
    let leaks = |spoil: fn(&mut crate::block::BlockContent)| {
        let found = objections(&mut busy_pair(), |plan| match &mut of(plan, ActionKind::Create).write {
            Some(WriteOp::Create { content, .. }) => spoil(content),
            _ => unreachable!(),
        });
        matches!(found.as_slice(), [Violation::Leak(_)])
    };
    assert!(leaks(|c| c.title = "Meeting with the bank".into()));
    assert!(leaks(|c| c.description = Some(String::new())));
    assert!(leaks(|c| c.location = Some("Here".into())));
}

#[test]
fn nothing_outside_the_window_is_removed() {
    let long_ago = Span::Timed { start: Ts::from_secs(0), end: Ts::from_secs(1) };
    let mut pair = busy_pair();
    let mut plan = pair.plan();
    plan.actions.retain(|a| a.kind == ActionKind::Delete);
    plan.actions[0].row.span = long_ago;
    let block = plan.actions[0].row.block.clone().unwrap();
    let rules = pair.world.rules();
    let audit = |pair: &Pair, plan: &Plan| pair.world.with_input(1, &rules, |input| check(input, plan));
    assert_eq!(audit(&pair, &plan), [], "it was put elsewhere, but stands inside");
    pair.target().mirror.blocks.remove(&block);
    assert_eq!(audit(&pair, &plan), [Violation::OutsideWindow(plan.actions[0].row.correlation)]);
    plan.actions[0].reason = Reason::RuleGone;
    assert_eq!(audit(&pair, &plan), [], "a person asked for it");
}

#[test]
fn nothing_is_removed_whose_source_was_never_read() {
    let mut pair = busy_pair();
    let plan = pair.plan();
    pair.world.places[0].calendar.last_full_sync = None;
    let rules = pair.world.rules();
    let found = pair.world.with_input(1, &rules, |input| check(input, &plan));
    assert!(matches!(found.as_slice(), [Violation::SourceUnknown(_)]), "{found:?}");
    let mut orphan = plan.clone();
    orphan.actions.retain(|a| a.kind == ActionKind::Delete);
    orphan.actions[0].reason = Reason::Orphan;
    orphan.actions[0].row.source = CalendarId(uuid::Uuid::nil());
    let found = pair.world.with_input(1, &rules, |input| check(input, &orphan));
    assert!(matches!(found.as_slice(), [Violation::SourceUnknown(_)]), "{found:?}");
}

#[test]
fn a_block_has_length() {
    let found = objections(&mut busy_pair(), |plan| match &mut of(plan, ActionKind::Create).write {
        Some(WriteOp::Create { content, .. }) => {
            let (start, _) = content.span.instants(&jiff::tz::TimeZone::UTC);
            content.span = Span::Timed { start, end: start };
        }
        _ => unreachable!(),
    });
    assert!(matches!(found.as_slice(), [Violation::NoLength(_)]), "{found:?}");
}

#[test]
fn a_title_with_odd_blanks_or_an_unfilled_place_is_no_leak() {
    for title in [" Busy ", "{title}", "", "Gone {title}", "{title}{title} x"] {
        let mut pair = Pair::of_meetings(1);
        pair.world.stored[0].options.title = title.into();
        pair.plan();
        pair.run();
        let shown = pair.block().event.text.unwrap().title.unwrap();
        assert!(
            !shown.contains('{') && !shown.is_empty() && shown.trim() == shown,
            "{title:?} shows as {shown:?}"
        );
    }
}
