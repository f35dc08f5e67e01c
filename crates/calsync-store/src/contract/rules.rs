//! Rules: one per pair, what changes with them, and changes of many that were made from what somebody saw.

use std::sync::Arc;

use calsync_core::ids::{CalendarId, RuleId, UserId};
use calsync_core::ports::{CalendarChange, Store, StoreError, Switch};
use calsync_core::rule::{Link, Rule, RuleDefaults, RuleOptions, RuleStep};

use super::world::*;

fn copying(rule: Rule) -> Rule {
    Rule { options: RuleOptions { copy_title: true, ..rule.options }, ..rule }
}

/// A second one for the same pair changes the first.
pub async fn one_rule_per_pair(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.put_rule(&rule(40, w.user, w.a, w.b), t(5)).await;
    let known = w.rules().await;
    let second = from_here(&w, &known, |step| step.put = vec![copying(rule(41, w.user, w.a, w.b))]).await;
    assert!(w.store.change_rules(&second, t(6)).await.unwrap());
    let changed = copying(rule(40, w.user, w.a, w.b));
    assert_eq!(w.rules().await, [changed], "the id of old, the options of now");
}

/// The source is looked at, the target is planned.
pub async fn a_rule_raises_both_ends(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.put_rule(&rule(40, w.user, w.a, w.b), t(5)).await;
    w.rest().await;
    let before = w.get(w.a).await.dirty_generation;
    w.put_rule(&rule(41, w.user, w.a, w.c), t(50)).await;
    let (a, b, c) = (w.get(w.a).await, w.get(w.b).await, w.get(w.c).await);
    assert_eq!((a.due_at, a.dirty_generation, a.plan_due), (Some(t(50)), before + 1, false));
    assert_eq!((c.due_at, c.plan_due), (Some(t(50)), true));
    assert_eq!((b.due_at, b.plan_due), (None, false));
    w.rest().await;
    w.remove_rule(RuleId(id(41)), t(60)).await;
    assert!(w.get(w.c).await.plan_due && !w.get(w.b).await.plan_due);
    w.remove_rule(RuleId(id(41)), t(61)).await;
}

/// The events are stored with other texts from now on: with more, or with fewer.
pub async fn wider_or_narrower_texts_ask_for_a_full_listing(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.put_rule(&rule(40, w.user, w.a, w.b), t(5)).await;
    assert!(!w.get(w.a).await.full_due, "a rule that copies nothing needs no texts");
    w.put_rule(&copying(rule(40, w.user, w.a, w.b)), t(6)).await;
    assert!(w.get(w.a).await.full_due && !w.get(w.b).await.full_due);
    let lease = w.lease(7).await;
    let full = calsync_core::ports::FullListing { began_at: t(7) };
    let listing = calsync_core::ports::PullApply { full: Some(full), ..pull(w.a, 8) };
    w.store.apply_pull(&lease, &listing).await.unwrap();
    w.put_rule(&copying(rule(41, w.user, w.a, w.c)), t(9)).await;
    assert!(!w.get(w.a).await.full_due, "another rule that copies the same changes nothing");
    w.remove_rule(RuleId(id(41)), t(10)).await;
    assert!(!w.get(w.a).await.full_due);
    w.remove_rule(RuleId(id(40)), t(11)).await;
    assert!(w.get(w.a).await.full_due, "what no rule copies any more must not stay stored");
}

/// Without rules all calendars block each other: everybody is concerned when that begins or ends.
pub async fn the_first_and_the_last_rule_change_the_mesh(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.put_rule(&rule(40, w.user, w.a, w.b), t(5)).await;
    assert!(w.get(w.a).await.plan_due && w.get(w.c).await.plan_due);
    assert_eq!(w.get(w.c).await.due_at, Some(t(5)));
    w.rest().await;
    w.put_rule(&rule(41, w.user, w.b, w.a), t(6)).await;
    assert!(!w.get(w.c).await.plan_due);
    w.remove_rule(RuleId(id(41)), t(7)).await;
    assert!(!w.get(w.c).await.plan_due);
    w.remove_rule(RuleId(id(40)), t(8)).await;
    assert!(w.get(w.c).await.plan_due);
}

/// Neither a calendar with itself, nor one of somebody else, nor one that is not there.
pub async fn a_rule_stays_within_its_user(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.add_user(&user(5)).await.unwrap();
    let bad = [
        rule(40, w.user, w.a, w.a),
        rule(40, UserId(id(5)), w.a, w.b),
        rule(40, w.user, w.a, CalendarId(id(77))),
        rule(40, UserId(id(77)), w.a, w.b),
    ];
    for rule in bad {
        let step = from_here(&w, &[], |step| step.put = vec![rule.clone()]).await;
        let refused = w.store.change_rules(&step, t(5)).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{rule:?}: {refused:?}");
    }
    assert_eq!(w.rules().await, []);
    assert_eq!(w.store.next_due().await.unwrap(), None, "what was refused changed nothing");
}

/// What a person would have to see to make this change.
pub(super) async fn from_here(w: &World, after: &[Rule], change: impl FnOnce(&mut RuleStep)) -> RuleStep {
    let mut step = change_to(w.store.as_ref(), w.user, after).await;
    change(&mut step);
    step
}

/// All of it, once; and from something else than is there, nothing.
pub async fn rules_are_changed_only_from_what_was_seen(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let both = [rule(40, w.user, w.a, w.b), copying(rule(41, w.user, w.b, w.a))];
    let lines = |step: &mut RuleStep| {
        (step.who, step.audit) = ("ada".to_owned(), vec!["rules: one".to_owned(), "rules: two".to_owned()]);
    };
    let first = from_here(&w, &both, lines).await;
    w.rest().await;
    assert!(w.store.change_rules(&first, t(5)).await.unwrap());
    let state = w.store.user_state(w.user).await.unwrap().unwrap();
    assert_eq!(state.rules, both);
    assert!(w.get(w.b).await.full_due, "its titles are copied from now on");
    let (a, c) = (w.get(w.a).await, w.get(w.c).await);
    assert_eq!((a.plan_due, a.due_at, a.full_due), (true, Some(t(5)), false));
    assert_eq!((c.plan_due, c.due_at), (true, Some(t(5))), "what was implied into it is over");
    let audited: Vec<_> = w.store.audited("rules: ", 9).await.unwrap();
    assert_eq!(audited.len(), 2);
    assert!(audited.iter().all(|line| line.who == "ada" && line.at == t(5)));

    assert!(!w.store.change_rules(&first, t(6)).await.unwrap(), "made from what is no more");
    assert_eq!(w.store.audited("rules: ", 9).await.unwrap().len(), 2);
    let gone = from_here(&w, &both[..1], lines).await;
    // The same rules between other calendars are something else, too.
    w.store.change_calendar(w.c, CalendarChange::SyncEnabled(Switch::Off), t(7)).await.unwrap();
    assert!(!w.store.change_rules(&gone, t(8)).await.unwrap());
    let gone = from_here(&w, &both[..1], lines).await;
    assert!(w.store.change_rules(&gone, t(9)).await.unwrap());
    assert_eq!(w.rules().await, both[..1]);

    let strange = RuleStep { user: UserId(id(77)), ..gone };
    assert!(matches!(w.store.change_rules(&strange, t(9)).await, Err(StoreError::Conflict(_))));
    let nowhere = [both[0].clone(), rule(44, w.user, w.a, CalendarId(id(77)))];
    let nowhere = from_here(&w, &nowhere, |_| ()).await;
    assert!(matches!(w.store.change_rules(&nowhere, t(9)).await, Err(StoreError::Conflict(_))));
    let taken = [both[0].clone(), Rule { id: both[0].id, ..rule(0, w.user, w.b, w.c) }];
    let taken = from_here(&w, &taken, |step| step.put = vec![taken[1].clone()]).await;
    assert!(matches!(w.store.change_rules(&taken, t(9)).await, Err(StoreError::Conflict(_))));
    assert_eq!(w.rules().await, both[..1], "nothing of it");
}

/// With its rules, in one fact; and whoever was at work on its user starts anew.
pub async fn a_calendar_is_enabled_with_its_rules(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.change_calendar(w.c, CalendarChange::SyncEnabled(Switch::Off), t(3)).await.unwrap();
    w.put_rule(&rule(40, w.user, w.a, w.b), t(4)).await;
    let lease = w.lease(5).await;
    let with = [rule(40, w.user, w.a, w.b), rule(41, w.user, w.a, w.c)];
    let step = from_here(&w, &with, |step| step.enabled = [w.c].into()).await;
    assert!(w.store.change_rules(&step, t(6)).await.unwrap());
    let c = w.get(w.c).await;
    assert_eq!((c.sync_enabled, c.leaving, c.plan_due), (true, None, true));
    assert_eq!(c.due_at, Some(t(3)), "since it left");
    assert!(matches!(w.store.renew_lease(&lease, t(90)).await, Err(StoreError::LeaseLost(_))));
    assert!(!w.store.change_rules(&step, t(7)).await.unwrap(), "it takes part already");
    w.store.add_user(&user(5)).await.unwrap();
    let strange = from_here(&w, &with, |step| step.enabled = [CalendarId(id(77))].into()).await;
    assert!(matches!(w.store.change_rules(&strange, t(8)).await, Err(StoreError::Conflict(_))));
}

/// What new calendars begin with is kept with their user.
pub async fn defaults_are_kept_and_go_with_their_user(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let options = RuleOptions { title: "Away".to_owned(), ..RuleOptions::default() };
    let new = RuleDefaults { options, link: Link::None };
    let step = from_here(&w, &[], |step| step.defaults = Some(new.clone())).await;
    assert!(w.store.change_rules(&step, t(5)).await.unwrap());
    assert_eq!(w.store.user_state(w.user).await.unwrap().unwrap().rule_defaults, new);
    assert!(!w.store.change_rules(&step, t(6)).await.unwrap(), "they are others by now");
    w.store.remove_user(w.user).await.unwrap();
    let again = calsync_core::calendar::User { id: w.user, ..user(9) };
    w.store.add_user(&again).await.unwrap();
    let state = w.store.user_state(w.user).await.unwrap().unwrap();
    assert_eq!(state.rule_defaults, RuleDefaults::default());
}

/// Sixteen who saw the same: one of them changes it.
pub async fn one_of_many_changes_of_a_rule_wins(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let (mut steps, mut tasks) = (Vec::new(), tokio::task::JoinSet::new());
    for n in 0..16_u64 {
        let title = RuleOptions { title: format!("From {n}"), ..RuleOptions::default() };
        let mine = [Rule { options: title, ..rule(40, w.user, w.a, w.b) }];
        steps.push((from_here(&w, &mine, |_| ()).await, mine));
    }
    for (step, mine) in steps {
        let store = w.store.clone();
        tasks.spawn(async move { store.change_rules(&step, t(5)).await.unwrap().then_some(mine) });
    }
    let won: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    assert_eq!(w.rules().await, won[0]);
}
