//! Which rules are in force, and what is wrong with those that somebody asks for.

use uuid::Uuid;

use super::*;
use crate::calendar::Access;
use crate::plan::tests::world::calendar;

fn rule(source: u128, target: u128) -> Rule {
    Rule {
        id: RuleId(Uuid::from_u128(source * 100 + target)),
        user: UserId(Uuid::nil()),
        source: CalendarId(Uuid::from_u128(source)),
        target: CalendarId(Uuid::from_u128(target)),
        options: RuleOptions::default(),
    }
}

fn four() -> Vec<Calendar> {
    (1..=4).map(|n| calendar(n, "UTC")).collect()
}

fn ends(rules: &[Rule]) -> Vec<(u128, u128)> {
    rules.iter().map(|r| (r.source.0.as_u128(), r.target.0.as_u128())).collect()
}

#[test]
fn without_rules_all_block_each_other() {
    let mut calendars = four();
    calendars.pop();
    let mesh = effective(&[], &calendars, &RuleDefaults::default());
    assert_eq!(ends(&mesh), [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)]);
    assert!(mesh.iter().all(|r| r.options == RuleOptions::default()));
    assert_eq!(mesh, effective(&[], &calendars, &RuleDefaults::default()), "the same ids in every run");
    let ids: std::collections::BTreeSet<_> = mesh.iter().map(|r| r.id).collect();
    assert_eq!(ids.len(), 6, "one id per direction");
    assert_eq!(effective(&[], &calendars[..1], &RuleDefaults::default()), []);
    assert_eq!(effective(&[], &[], &RuleDefaults::default()), []);
}

#[test]
fn the_mesh_leaves_out_what_takes_no_part() {
    let mut calendars = four();
    calendars[0].sync_enabled = false;
    calendars[1].access = Access::Read;
    assert_eq!(
        ends(&effective(&[], &calendars, &RuleDefaults::default())),
        [(2, 3), (2, 4), (3, 4), (4, 3)],
        "a read-only one is a source only"
    );
    // The same calendar, connected twice.
    let mut calendars = four();
    calendars[1].remote = calendars[0].remote.clone();
    calendars.truncate(2);
    assert_eq!(effective(&[], &calendars, &RuleDefaults::default()), []);
}

#[test]
fn a_calendar_that_the_provider_lost_keeps_its_rules() {
    let mut calendars = four();
    calendars[0].missing = true;
    assert_eq!(
        effective(&[], &calendars, &RuleDefaults::default()).len(),
        12,
        "or a 404 would delete blocks"
    );
}

#[test]
fn stored_rules_take_the_place_of_the_mesh() {
    let off = |mut rule: Rule| {
        rule.options.enabled = false;
        rule
    };
    let mut calendars = four();
    let table = [
        (vec![rule(1, 2)], vec![(1, 2)], "one"),
        (vec![rule(1, 2), off(rule(2, 1))], vec![(1, 2)], "one of them off"),
        (vec![off(rule(1, 2))], vec![], "all off: none, and no mesh either"),
        (vec![rule(1, 9), rule(9, 2)], vec![], "to and from unknown calendars"),
    ];
    for (stored, expected, what) in table {
        assert_eq!(ends(&effective(&stored, &calendars, &RuleDefaults::default())), expected, "{what}");
    }
    calendars[1].sync_enabled = false;
    assert_eq!(
        ends(&effective(&[rule(1, 2), rule(2, 3), rule(3, 4)], &calendars, &RuleDefaults::default())),
        [(3, 4)]
    );
}

#[test]
fn every_problem_is_named_and_all_at_once() {
    let hours = |zone: &str, days: &[u8], from_minute, to_minute| {
        Some(WorkingHours { zone: zone.into(), days: days.to_vec(), from_minute, to_minute })
    };
    let with = |change: &dyn Fn(&mut RuleOptions)| {
        let mut rule = rule(1, 2);
        change(&mut rule.options);
        rule
    };
    let vienna = "Europe/Vienna";
    use RuleProblem::{
        Buffer, NoTitle, TitleTooLong, TitleWithoutCopy, UnknownPlaceholder, WorkingHours as Hours,
    };
    let table = [
        (with(&|_| {}), vec![]),
        (with(&|o| o.working_hours = hours(vienna, &[1, 7], 0, 1440)), vec![]),
        (with(&|o| o.working_hours = hours("Vienna", &[1], 0, 1440)), vec![Hours]),
        (with(&|o| o.working_hours = hours(vienna, &[], 0, 1440)), vec![Hours]),
        (with(&|o| o.working_hours = hours(vienna, &[0], 0, 1440)), vec![Hours]),
        (with(&|o| o.working_hours = hours(vienna, &[8], 0, 1440)), vec![Hours]),
        (with(&|o| o.working_hours = hours(vienna, &[1], 540, 540)), vec![Hours]),
        (with(&|o| o.working_hours = hours(vienna, &[1], 0, 1441)), vec![Hours]),
        (with(&|o| o.title = "Gone {title}".into()), vec![TitleWithoutCopy]),
        (with(&|o| (o.title, o.copy_title) = ("Gone {title}".into(), true)), vec![]),
        (with(&|o| o.title = String::new()), vec![NoTitle]),
        (with(&|o| o.title = "   ".into()), vec![NoTitle]),
        (with(&|o| o.title = "ü".repeat(TITLE_MAX)), vec![]),
        (with(&|o| o.title = "ü".repeat(TITLE_MAX + 1)), vec![TitleTooLong]),
        (with(&|o| o.title = "{foo}".into()), vec![UnknownPlaceholder]),
        (with(&|o| (o.title, o.copy_title) = ("{title} {Title}".into(), true)), vec![UnknownPlaceholder]),
        (with(&|o| o.title = "a { b } {} {c".into()), vec![]),
        (with(&|o| o.buffer_before_minutes = 1440), vec![]),
        (with(&|o| o.buffer_before_minutes = 1441), vec![Buffer]),
        (with(&|o| o.buffer_after_minutes = 1441), vec![Buffer]),
    ];
    let calendars = four();
    for (rule, problems) in table {
        assert_eq!(rule.problems(&calendars[0], &calendars[1]), problems, "{:?}", rule.options);
    }
    assert_eq!(rule(1, 1).problems(&calendars[0], &calendars[0]), [RuleProblem::SourceIsTarget]);
    let read_only = Calendar { access: Access::Read, ..calendars[1].clone() };
    assert_eq!(rule(1, 2).problems(&calendars[0], &read_only), [RuleProblem::ReadOnlyTarget]);
    let strange = Calendar { user: UserId(Uuid::max()), ..calendars[1].clone() };
    assert_eq!(rule(1, 2).problems(&calendars[0], &strange), [RuleProblem::ForeignCalendar]);
    assert_eq!(rule(1, 2).problems(&strange, &calendars[1]), [RuleProblem::ForeignCalendar]);
    let nobodys = Rule { user: UserId(Uuid::max()), ..rule(1, 2) };
    assert_eq!(nobodys.problems(&calendars[0], &calendars[1]), [RuleProblem::ForeignCalendar]);
    let all = with(&|o| {
        (o.title, o.buffer_after_minutes) = ("{title}".into(), u16::MAX);
        o.working_hours = hours("", &[], 9, 8);
    });
    let all = Rule { target: all.source, ..all };
    let found = all.problems(&calendars[0], &Calendar { user: UserId(Uuid::max()), ..read_only });
    assert_eq!(found.len(), 6);
    let told: std::collections::BTreeSet<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 6);
}

#[test]
fn a_rule_asks_only_for_the_texts_that_it_copies() {
    let policy = |change: fn(&mut RuleOptions)| {
        let mut options = RuleOptions::default();
        change(&mut options);
        let policy = options.text_policy();
        [policy.title, policy.description, policy.location]
    };
    assert_eq!(policy(|_| {}), [false; 3]);
    assert_eq!(policy(|o| o.copy_title = true), [true, false, false]);
    assert_eq!(policy(|o| o.copy_description = true), [false, true, false]);
    assert_eq!(policy(|o| o.copy_location = true), [false, false, true]);
    assert_eq!(policy(|o| (o.copy_title, o.copy_description, o.enabled) = (true, true, false)), [false; 3]);
}

#[test]
fn options_are_read_with_defaults_and_without_guesses() {
    let read = |text: &str| serde_json::from_str::<RuleOptions>(text);
    assert_eq!(read("{}").unwrap(), RuleOptions::default());
    assert!(read(r#"{"tilte":"Busy"}"#).is_err(), "a misspelt option is told");
    let options = RuleOptions { working_hours: None, colour: Some("1".into()), ..RuleOptions::default() };
    assert_eq!(read(&serde_json::to_string(&options).unwrap()).unwrap(), options);
}
