//! Rules: one per pair, and what changes with them.

use std::sync::Arc;

use calsync_core::ids::{CalendarId, RuleId, UserId};
use calsync_core::ports::{Store, StoreError};
use calsync_core::rule::{Rule, RuleOptions};

use super::world::*;

fn copying(rule: Rule) -> Rule {
    Rule { options: RuleOptions { copy_title: true, ..rule.options }, ..rule }
}

/// A second one for the same pair changes the first.
pub async fn one_rule_per_pair(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.put_rule(&rule(40, w.user, w.a, w.b), t(5)).await.unwrap();
    w.store.put_rule(&copying(rule(41, w.user, w.a, w.b)), t(6)).await.unwrap();
    let rules = w.store.user_state(w.user).await.unwrap().unwrap().rules;
    assert_eq!(rules, [copying(rule(40, w.user, w.a, w.b))], "the id of old, the options of now");
    let moved = rule(40, w.user, w.b, w.a);
    assert!(matches!(w.store.put_rule(&moved, t(7)).await, Err(StoreError::Conflict(_))));
}

/// The source is looked at, the target is planned.
pub async fn a_rule_raises_both_ends(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.put_rule(&rule(40, w.user, w.a, w.b), t(5)).await.unwrap();
    w.rest().await;
    let before = w.get(w.a).await.dirty_generation;
    w.store.put_rule(&rule(41, w.user, w.a, w.c), t(50)).await.unwrap();
    let (a, b, c) = (w.get(w.a).await, w.get(w.b).await, w.get(w.c).await);
    assert_eq!((a.due_at, a.dirty_generation, a.plan_due), (Some(t(50)), before + 1, false));
    assert_eq!((c.due_at, c.plan_due), (Some(t(50)), true));
    assert_eq!((b.due_at, b.plan_due), (None, false));
    w.rest().await;
    w.store.remove_rule(RuleId(id(41)), t(60)).await.unwrap();
    assert!(w.get(w.c).await.plan_due && !w.get(w.b).await.plan_due);
    w.store.remove_rule(RuleId(id(41)), t(61)).await.unwrap();
}

/// The events are stored with other texts from now on: with more, or with fewer.
pub async fn wider_or_narrower_texts_ask_for_a_full_listing(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.put_rule(&rule(40, w.user, w.a, w.b), t(5)).await.unwrap();
    assert!(!w.get(w.a).await.full_due, "a rule that copies nothing needs no texts");
    w.store.put_rule(&copying(rule(40, w.user, w.a, w.b)), t(6)).await.unwrap();
    assert!(w.get(w.a).await.full_due && !w.get(w.b).await.full_due);
    let lease = w.lease(7).await;
    let full = calsync_core::ports::FullListing { began_at: t(7) };
    let listing = calsync_core::ports::PullApply { full: Some(full), ..pull(w.a, 8) };
    w.store.apply_pull(&lease, &listing).await.unwrap();
    w.store.put_rule(&copying(rule(41, w.user, w.a, w.c)), t(9)).await.unwrap();
    assert!(!w.get(w.a).await.full_due, "another rule that copies the same changes nothing");
    w.store.remove_rule(RuleId(id(41)), t(10)).await.unwrap();
    assert!(!w.get(w.a).await.full_due);
    w.store.remove_rule(RuleId(id(40)), t(11)).await.unwrap();
    assert!(w.get(w.a).await.full_due, "what no rule copies any more must not stay stored");
}

/// Without rules all calendars block each other: everybody is concerned when that begins or ends.
pub async fn the_first_and_the_last_rule_change_the_mesh(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.put_rule(&rule(40, w.user, w.a, w.b), t(5)).await.unwrap();
    assert!(w.get(w.a).await.plan_due && w.get(w.c).await.plan_due);
    assert_eq!(w.get(w.c).await.due_at, Some(t(5)));
    w.rest().await;
    w.store.put_rule(&rule(41, w.user, w.b, w.a), t(6)).await.unwrap();
    assert!(!w.get(w.c).await.plan_due);
    w.store.remove_rule(RuleId(id(41)), t(7)).await.unwrap();
    assert!(!w.get(w.c).await.plan_due);
    w.store.remove_rule(RuleId(id(40)), t(8)).await.unwrap();
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
        assert!(matches!(w.store.put_rule(&rule, t(5)).await, Err(StoreError::Conflict(_))), "{rule:?}");
    }
    assert_eq!(w.store.user_state(w.user).await.unwrap().unwrap().rules, []);
    assert_eq!(w.store.next_due().await.unwrap(), None, "what was refused changed nothing");
}
