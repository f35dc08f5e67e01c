//! Users, accounts, credentials and settings.

use std::collections::BTreeSet;
use std::sync::Arc;

use calsync_core::calendar::{AccountStatus, ProviderKind};
use calsync_core::ids::{AccountId, CalendarId, UserId};
use calsync_core::ports::{CalendarChange, SealedCredentials, Store, StoreError};
use calsync_core::rule::Link;
use serde_json::json;

use super::world::*;

/// Two users cannot share an address, and an address is lower case.
pub async fn a_user_is_unique(store: Arc<dyn Store>) {
    store.add_user(&user(2)).await.unwrap();
    store.add_user(&user(1)).await.unwrap();
    let twin = calsync_core::calendar::User { id: UserId(id(3)), ..user(1) };
    assert!(matches!(store.add_user(&twin).await, Err(StoreError::Conflict(_))));
    let loud = calsync_core::calendar::User { email: "LOUD@example.com".to_owned(), ..twin };
    assert!(matches!(store.add_user(&loud).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.users().await.unwrap(), [user(1), user(2)]);
}

/// Nothing of a removed user is left, and a lease on them is lost.
pub async fn removing_a_user_takes_everything(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let s = w.watch(20, w.a).await;
    w.store.record_notification(delivery(30, &s, 20)).await.unwrap();
    let lease = w.lease(20).await;
    let one = plan(w.b, vec![ledger_row(1, w.b, Some("x"))], vec![create(1, w.b, Some("x"))]);
    w.store.enqueue(&lease, &one).await.unwrap();
    w.store.remove_user(w.user).await.unwrap();
    w.store.remove_user(w.user).await.unwrap();
    assert_eq!(w.store.user_state(w.user).await.unwrap(), None);
    assert_eq!(w.store.calendar(w.a).await.unwrap(), None);
    assert_eq!(w.store.credentials(w.account).await.unwrap(), None);
    assert_eq!(*w.store.ledger(w.b).await.unwrap(), []);
    assert_eq!(w.store.waiting_writes(w.b).await.unwrap(), 0);
    assert_eq!(w.store.backlog(t(1_000)).await.unwrap(), 0);
    assert!(matches!(w.store.renew_lease(&lease, t(99)).await, Err(StoreError::LeaseLost(_))));
    assert_eq!(w.store.claim_due_user("w", t(1_000), t(1_060)).await.unwrap(), None);
}

/// The same person at the same provider stays the same account.
pub async fn an_account_reconnected_keeps_its_id(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let detail = Some("the grant was revoked");
    w.store.set_account_status(w.account, AccountStatus::NeedsReconnect, detail).await.unwrap();
    w.store.change_calendar(w.a, CalendarChange::PushUnsupported, t(40)).await.unwrap();
    let before = w.get(w.a).await;
    assert!(before.push_unsupported);
    let mut again = account(99, 1);
    again.account.remote_id = "remote-2".to_owned();
    again.account.email = "new@example.org".to_owned();
    assert_eq!(w.store.connect_account(&again, t(50)).await.unwrap(), w.account);
    let state = w.store.user_state(w.user).await.unwrap().unwrap();
    assert_eq!(state.accounts.len(), 1);
    let known = &state.accounts[0];
    assert_eq!((known.status, &known.status_detail), (AccountStatus::Active, &None));
    assert_eq!((known.email.as_str(), known.created_at), ("new@example.org", t(1)));
    let after = w.get(w.a).await;
    assert_eq!((after.dirty_generation, after.due_at), (before.dirty_generation + 1, Some(t(40))));
    assert!(!after.push_unsupported, "who granted more may be watched now");
    // The version grew although the caller started anew: a worker with the old ones is noticed.
    assert_eq!(w.store.credentials(w.account).await.unwrap().unwrap().version, 2);
    // Elsewhere it is another account.
    let mut other = account(99, 1);
    other.account.provider = ProviderKind::Apple;
    assert_eq!(w.store.connect_account(&other, t(51)).await.unwrap(), AccountId(id(99)));
    assert!(matches!(w.store.connect_account(&account(98, 77), t(51)).await, Err(StoreError::Conflict(_))));
}

/// Compare and set.
pub async fn credentials_are_replaced_only_from_the_version_read(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let new = SealedCredentials { sealed: vec![9; 100], version: 2 };
    assert!(w.store.replace_credentials(w.account, 1, &new).await.unwrap());
    assert!(!w.store.replace_credentials(w.account, 1, &new).await.unwrap(), "a stale writer is refused");
    assert!(!w.store.replace_credentials(AccountId(id(77)), 1, &new).await.unwrap());
    assert_eq!(w.store.credentials(w.account).await.unwrap(), Some(new.clone()));
    assert_eq!(w.store.all_credentials().await.unwrap(), [(w.account, new)]);
}

/// The state and its words go together.
pub async fn an_account_status_tells_what_to_do(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.set_account_status(w.account, AccountStatus::NeedsReconnect, Some("sign in")).await.unwrap();
    let state = w.store.user_state(w.user).await.unwrap().unwrap();
    assert_eq!(state.accounts[0].status, AccountStatus::NeedsReconnect);
    assert_eq!(state.accounts[0].status_detail.as_deref(), Some("sign in"));
    w.store.set_account_status(w.account, AccountStatus::Disabled, None).await.unwrap();
    assert_eq!(w.store.user_state(w.user).await.unwrap().unwrap().accounts[0].status_detail, None);
    let nobody = w.store.set_account_status(AccountId(id(77)), AccountStatus::Active, None).await;
    assert!(matches!(nobody, Err(StoreError::Conflict(_))));
}

/// Whoever waited longest is asked first, and a round that was broken off goes on where it was.
pub async fn accounts_are_asked_in_turn(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    for n in [3, 4, 5] {
        w.store.connect_account(&account(n, 1), t(3)).await.unwrap();
    }
    let ids = [w.account, AccountId(id(3)), AccountId(id(4)), AccountId(id(5))];
    let listed: BTreeSet<AccountId> = w.store.accounts().await.unwrap().into_iter().map(|a| a.id).collect();
    assert_eq!(listed, ids.into());
    let due = async |before, limit| {
        let due = w.store.accounts_to_ask(t(before), t(1_000), limit).await.unwrap();
        assert!(due.iter().all(|(_, user)| *user == w.user));
        due.into_iter().map(|(account, _)| account).collect::<Vec<_>>()
    };
    let first = due(100, 2).await;
    assert_eq!(first.len(), 2);
    for (account, at) in first.iter().zip([100, 101]) {
        w.store.note_asked(*account, t(at)).await.unwrap();
    }
    let rest = due(100, 10).await;
    assert_eq!((rest.len(), rest.iter().any(|account| first.contains(account))), (2, false));
    w.store.set_account_status(rest[0], AccountStatus::NeedsReconnect, None).await.unwrap();
    assert_eq!(due(100, 10).await, rest[1..], "nobody can ask that one");
    w.store.note_asked(rest[1], t(99)).await.unwrap();
    assert_eq!(due(102, 10).await, [rest[1], first[0], first[1]]);
    w.store.note_asked(rest[1], t(1_001)).await.unwrap();
    assert_eq!(due(102, 10).await, [rest[1], first[0], first[1]], "no clock says so any more");
    w.store.note_asked(rest[1], t(99)).await.unwrap();
    w.store.note_asked(AccountId(id(77)), t(1)).await.unwrap();
    w.store.remove_account(first[0]).await.unwrap();
    assert_eq!(due(102, 10).await, [rest[1], first[1]]);
}

/// Blocks of its events must go from the other calendars of the user.
pub async fn removing_an_account_replans_the_others(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.connect_account(&account(3, 1), t(3)).await.unwrap();
    let d = CalendarId(id(0xd));
    w.store.update_calendar_list(AccountId(id(3)), &[(d, listed("d"))]).await.unwrap();
    w.enable(&[d]).await;
    assert!(!w.get(w.a).await.plan_due);
    w.store.remove_account(AccountId(id(3))).await.unwrap();
    assert_eq!(w.store.calendar(d).await.unwrap(), None);
    assert_eq!(w.store.credentials(AccountId(id(3))).await.unwrap(), None);
    assert!(w.get(w.a).await.plan_due && w.get(w.b).await.plan_due);
    assert!(w.get(w.a).await.is_dirty(), "a run under way must not answer for it");
    assert_eq!(w.get(w.a).await.due_at, Some(calsync_core::time::Ts::from_secs(0)), "at once");
    w.store.remove_account(AccountId(id(3))).await.unwrap();
}

/// Two people's blocks in the same calendars would look alike to both, and each would remove the other's.
pub async fn an_account_is_one_persons(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let other = user(78);
    w.store.add_user(&other).await.unwrap();
    let mut theirs = account(99, 78);
    theirs.account.remote_id = "remote-2".to_owned();
    let refused = w.store.connect_account(&theirs, t(50)).await;
    assert!(
        matches!(&refused, Err(StoreError::Conflict(why)) if why.contains("somebody else")),
        "{refused:?}"
    );
    assert_eq!(w.store.user_state(other.id).await.unwrap().unwrap().accounts, []);
    assert_eq!(w.store.credentials(w.account).await.unwrap().unwrap().version, 1, "nothing was replaced");
    // Once it is free it is theirs.
    w.store.remove_account(w.account).await.unwrap();
    assert_eq!(w.store.connect_account(&theirs, t(51)).await.unwrap(), AccountId(id(99)));
}

/// Whoever chose what goes where has not chosen that everything goes everywhere once the last of it is gone.
pub async fn removing_an_account_never_brings_the_whole_mesh(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let link = async || w.store.user_state(w.user).await.unwrap().unwrap().rule_defaults.link;
    let before = link().await;
    for n in [3, 4] {
        w.store.connect_account(&account(n, 1), t(3)).await.unwrap();
        let calendar = CalendarId(id(0xd0 + n));
        let name = format!("far-{n}");
        w.store.update_calendar_list(AccountId(id(n)), &[(calendar, listed(&name))]).await.unwrap();
        w.enable(&[calendar]).await;
    }
    // As long as nothing is chosen, all with all is what the person has.
    w.store.remove_account(AccountId(id(3))).await.unwrap();
    assert_eq!(link().await, before);
    w.set_rules(&[rule(1, w.user, w.a, CalendarId(id(0xd4))), rule(2, w.user, w.a, w.b)], t(4)).await;
    w.store.connect_account(&account(3, 1), t(5)).await.unwrap();
    w.store.remove_account(AccountId(id(3))).await.unwrap();
    assert_eq!(link().await, before, "rules are left");
    w.set_rules(&[rule(1, w.user, w.a, CalendarId(id(0xd4)))], t(6)).await;
    w.store.remove_account(AccountId(id(4))).await.unwrap();
    assert_eq!((w.rules().await, link().await), (vec![], Link::None));
}

/// `init` never overwrites, `put` always does.
pub async fn settings_are_initialised_once(store: Arc<dyn Store>) {
    assert_eq!(store.setting("rollout").await.unwrap(), None);
    assert_eq!(store.init_setting("rollout", &json!({"percent": 3})).await.unwrap(), json!({"percent": 3}));
    assert_eq!(store.init_setting("rollout", &json!(100)).await.unwrap(), json!({"percent": 3}));
    store.put_setting("rollout", &json!([1, "zwei", null])).await.unwrap();
    assert_eq!(store.setting("rollout").await.unwrap(), Some(json!([1, "zwei", null])));
    assert_eq!(store.init_setting("rollout", &json!(0)).await.unwrap(), json!([1, "zwei", null]));
}

/// Of two who read the same value and change it, one is told to read again.
pub async fn a_setting_is_changed_only_from_what_was_read(store: Arc<dyn Store>) {
    let (old, new) = (json!({"percent": 10, "by": "ada"}), json!({"percent": 75, "by": null}));
    assert!(!store.change_setting("rollout", Some(&old), &new).await.unwrap(), "there is none");
    assert!(store.change_setting("rollout", None, &old).await.unwrap());
    assert!(!store.change_setting("rollout", None, &new).await.unwrap(), "there is one");
    assert!(!store.change_setting("rollout", Some(&new), &new).await.unwrap(), "another one");
    assert_eq!(store.setting("rollout").await.unwrap(), Some(old.clone()));
    let read = store.setting("rollout").await.unwrap();
    assert!(store.change_setting("rollout", read.as_ref(), &new).await.unwrap());
    assert_eq!(store.setting("rollout").await.unwrap(), Some(new));
}

/// Everything about one user, and nothing about another.
pub async fn a_user_state_is_whole(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    w.store.add_user(&user(5)).await.unwrap();
    w.store.connect_account(&account(6, 5), t(1)).await.unwrap();
    w.store.update_calendar_list(AccountId(id(6)), &[(CalendarId(id(0xe)), listed("e"))]).await.unwrap();
    let old = w.watch(20, w.a).await;
    let new = subscription(21, w.a);
    w.store.begin_subscription(&new, Some(old.id)).await.unwrap();
    w.put_rule(&rule(40, w.user, w.a, w.b), t(5)).await;
    let lease = w.lease(5).await;
    let held = calsync_core::ports::Enqueue { hold: Some(hold(w.c)), ..plan(w.c, Vec::new(), Vec::new()) };
    w.store.enqueue(&lease, &held).await.unwrap();
    let state = w.store.user_state(w.user).await.unwrap().unwrap();
    assert_eq!(state.user, user(1));
    assert_eq!(state.accounts, [account(2, 1).account]);
    assert_eq!(state.calendars.iter().map(|c| c.id).collect::<Vec<_>>(), [w.a, w.b, w.c]);
    assert_eq!(state.calendars[0], w.get(w.a).await);
    assert_eq!(state.rules, [rule(40, w.user, w.a, w.b)]);
    assert_eq!(state.holds, [hold(w.c)]);
    assert_eq!(state.subscriptions, [new]);
    assert_eq!(state.waiting_writes, []);
    assert_eq!(w.store.user_state(UserId(id(77))).await.unwrap(), None);
}
