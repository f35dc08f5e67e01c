//! What changes of rules come to, by tables.

use uuid::Uuid;

use super::*;
use crate::calendar::Access;
use crate::plan::tests::world::calendar;
use crate::rule::{Link, linked, step};

const USER: UserId = UserId(Uuid::nil());

fn id(n: u128) -> CalendarId {
    CalendarId(Uuid::from_u128(n))
}

fn three() -> Vec<Calendar> {
    (1..=3).map(|n| calendar(n, "UTC")).collect()
}

fn set(source: u128, target: u128, options: RuleOptions) -> RuleChange {
    let to = RuleTo::Set(Box::new(options));
    RuleChange { source: id(source), target: id(target), to, made_from: None }
}

fn remove(source: u128, target: u128) -> RuleChange {
    RuleChange { source: id(source), target: id(target), to: RuleTo::Removed, made_from: None }
}

fn off() -> RuleOptions {
    RuleOptions { enabled: false, ..RuleOptions::default() }
}

fn asked(unasked: Unasked, changes: &[RuleChange]) -> RuleChanges {
    RuleChanges { changes: changes.to_vec(), unasked }
}

fn after(stored: &[Rule], calendars: &[Calendar], asked: &RuleChanges) -> Result<RulesAfter, Refusal> {
    decide(USER, (stored, calendars, &RuleDefaults::default()), asked)
}

fn ends(rules: &[Rule]) -> BTreeSet<(u128, u128)> {
    rules.iter().map(|r| (r.source.0.as_u128(), r.target.0.as_u128())).collect()
}

fn problems(refused: Result<RulesAfter, Refusal>) -> Vec<RuleProblem> {
    match refused {
        Err(Refusal::Problems(found)) => found.into_iter().map(|p| p.problem).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_cell_off_leaves_all_others_as_they_are() {
    let (calendars, defaults) = (three(), RuleDefaults::default());
    let before = implied(&calendars, &defaults);
    let done = after(&[], &calendars, &asked(Unasked::Stay, &[set(1, 2, off())])).unwrap();
    assert_eq!((done.were_implied, done.rules.len()), (6, 6));
    let now = effective(&done.rules, &calendars, &defaults);
    assert_eq!(now.len(), 5);
    assert!(now.iter().all(|rule| before.contains(rule)), "the same ids, the same options");
    // The same by removing it.
    let gone = after(&[], &calendars, &asked(Unasked::Stay, &[remove(1, 2)])).unwrap();
    assert_eq!(effective(&gone.rules, &calendars, &defaults).len(), 5);
    // Only that one changes, so only its target is planned.
    let step = step(USER, (&[], &calendars, &defaults), (&done.rules, &calendars, &defaults));
    assert_eq!((step.put.len(), step.plan, step.list.len()), (6, BTreeSet::from([id(2)]), 0));
    assert_eq!(step.raise, BTreeSet::from([id(1), id(2)]));
}

#[test]
fn only_this_ends_the_implied_ones() {
    let options = RuleOptions { skip_all_day: true, ..RuleOptions::default() };
    let only = asked(Unasked::End, &[set(1, 2, options)]);
    let done = after(&[], &three(), &only).unwrap();
    assert_eq!((done.were_implied, ends(&done.rules)), (0, BTreeSet::from([(1, 2)])));
}

#[test]
fn nothing_asked_is_nothing_done() {
    let done = after(&[], &three(), &asked(Unasked::Stay, &[])).unwrap();
    assert_eq!(done, RulesAfter { rules: vec![], were_implied: 0 });
}

#[test]
fn everything_wrong_is_named_at_once() {
    use RuleProblem::{NoSuchRule, ReadOnlyTarget, SourceIsTarget, Twice, UnknownCalendar};
    let mut calendars = three();
    calendars[2].access = Access::Read;
    let on = RuleOptions::default;
    let all = [set(1, 1, on()), set(1, 3, on()), set(1, 9, on()), remove(1, 3), remove(2, 3)];
    let found = problems(after(&[], &calendars, &asked(Unasked::Stay, &all)));
    assert_eq!(found, [SourceIsTarget, ReadOnlyTarget, UnknownCalendar, Twice, NoSuchRule, NoSuchRule]);
    let many = vec![set(1, 2, on()); CHANGES_MAX + 1];
    assert_eq!(problems(after(&[], &calendars, &asked(Unasked::Stay, &many))), [RuleProblem::TooMany]);
}

#[test]
fn the_last_rule_goes_only_where_that_is_meant() {
    let (calendars, on) = (three(), RuleOptions::default);
    let stored = after(&[], &calendars, &asked(Unasked::End, &[set(1, 2, on())])).unwrap().rules;
    let gone = after(&stored, &calendars, &asked(Unasked::Stay, &[remove(1, 2)]));
    assert_eq!(problems(gone), [RuleProblem::LastRule]);
    let back = after(&stored, &calendars, &asked(Unasked::ComeBack, &[remove(1, 2)])).unwrap();
    assert_eq!(back.rules, []);
    // Nothing comes back where nothing is implied.
    let alone = &calendars[..1];
    let one = [Rule { target: id(9), ..stored[0].clone() }];
    assert!(after(&one, alone, &asked(Unasked::Stay, &[])).is_ok());
}

#[test]
fn what_changed_meanwhile_is_shown_and_not_overwritten() {
    let (calendars, defaults) = (three(), RuleDefaults::default());
    let shown = cells(&[], &calendars, &defaults);
    let print =
        |cells: &[Cell]| cells.iter().find(|c| (c.source, c.target) == (id(1), id(2))).unwrap().print.clone();
    let change = |options, from: &[Cell]| RuleChange { made_from: Some(print(from)), ..set(1, 2, options) };
    let first = asked(Unasked::Stay, &[change(off(), &shown)]);
    let stored = after(&[], &calendars, &first).unwrap().rules;
    let title = RuleOptions { title: "Away".into(), ..RuleOptions::default() };
    let second = asked(Unasked::Stay, &[change(title.clone(), &shown), set(2, 1, off())]);
    let Err(Refusal::Conflict(there)) = after(&stored, &calendars, &second) else { panic!("a conflict") };
    assert_eq!(there.len(), 1, "only what differs");
    assert!(!there[0].rule.as_ref().unwrap().options.enabled);
    let again = asked(Unasked::Stay, &[change(title, &there)]);
    assert!(after(&stored, &calendars, &again).is_ok());
    // That the implied rules are stored now is no change of any of them.
    let all = cells(&stored, &calendars, &defaults);
    let same = shown.iter().zip(&all).filter(|(a, b)| a.print == b.print).count();
    assert_eq!((shown.len(), same), (6, 5));
}

#[test]
fn a_new_calendar_is_linked_as_the_defaults_say() {
    let (mut calendars, on) = (three(), RuleOptions::default);
    let all = RuleDefaults { options: off(), link: Link::All };
    let none = RuleDefaults { link: Link::None, ..all.clone() };
    let stored = after(&[], &calendars, &asked(Unasked::End, &[set(1, 2, on())])).unwrap().rules;
    assert_eq!(linked(&stored, &calendars, &none, id(3)), stored);
    assert_eq!(linked(&[], &calendars, &all, id(3)), [], "the implied ones include it");
    let with = linked(&stored, &calendars, &all, id(3));
    assert_eq!(ends(&with), BTreeSet::from([(1, 2), (1, 3), (2, 3), (3, 1), (3, 2)]));
    assert!(with.iter().filter(|r| r.source == id(3)).all(|r| r.options == off()));
    assert_eq!(linked(&with[..2], &calendars, &all, with[1].source), with[..2], "it keeps those it has");
    calendars[1].sync_enabled = false;
    calendars[2].access = Access::Read;
    assert_eq!(ends(&linked(&stored, &calendars, &all, id(3))), BTreeSet::from([(1, 2), (3, 1)]));
    // Implied rules are what the defaults make them.
    assert!(implied(&calendars, &none).is_empty());
    assert!(implied(&three(), &all).iter().all(|r| r.options == off()));
}

#[test]
fn texts_that_are_copied_from_now_on_are_read_anew() {
    let (calendars, defaults) = (three(), RuleDefaults::default());
    let copying = RuleOptions { copy_title: true, ..RuleOptions::default() };
    let done = after(&[], &calendars, &asked(Unasked::Stay, &[set(2, 3, copying)])).unwrap();
    let wider = step(USER, (&[], &calendars, &defaults), (&done.rules, &calendars, &defaults));
    assert_eq!(wider.list, BTreeSet::from([id(2)]));
    let narrower = step(USER, (&done.rules, &calendars, &defaults), (&[], &calendars, &defaults));
    assert_eq!((narrower.list, narrower.removed.len()), (BTreeSet::from([id(2)]), 6));
    assert_eq!((wider.narrowed.len(), narrower.narrowed), (0, BTreeSet::from([(id(2), id(3))])));
    assert!(step(USER, (&[], &calendars, &defaults), (&[], &calendars, &defaults)).is_empty());
}
