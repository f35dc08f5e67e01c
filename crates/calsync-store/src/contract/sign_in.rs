//! Passwords, sessions, sign-ins under way, identities and access tokens.

use std::sync::Arc;

use calsync_core::calendar::{ProviderKind, User};
use calsync_core::ids::{AccessTokenId, AccountId, UserId};
use calsync_core::ports::{Store, StoreError};
use calsync_core::sign_in::elsewhere::Identity;
use calsync_core::sign_in::{AccessToken, Consent, Session, TokenHash};

use super::world::*;

fn key(n: u8) -> TokenHash {
    TokenHash([n; 32])
}

fn session(n: u8, of: u64, seen: i64) -> Session {
    Session {
        key: key(n),
        user: UserId(id(of)),
        device: format!("Browser {n}"),
        created_at: t(i64::from(n)),
        seen_at: t(seen),
    }
}

fn consent(n: u8, session: u8) -> Consent {
    Consent {
        key: key(n),
        session: key(session),
        provider: ProviderKind::Microsoft,
        account: Some(AccountId(id(9))),
        verifier: vec![0, 255, n],
        begun_at: t(50),
    }
}

fn token(n: u64, of: u64) -> AccessToken {
    AccessToken {
        id: AccessTokenId(id(n)),
        user: UserId(id(of)),
        name: "a script".to_owned(),
        key: key(u8::try_from(n).unwrap()),
        created_at: t(3),
        used_at: None,
    }
}

fn identity(of: u64, issuer: &str, subject: &str) -> Identity {
    Identity { user: UserId(id(of)), issuer: issuer.to_owned(), subject: subject.to_owned(), since: t(7) }
}

/// Of many who come at once to a service without users one is the first.
pub async fn only_one_is_the_first(store: Arc<dyn Store>) {
    let mut tries = tokio::task::JoinSet::new();
    for n in 1..9 {
        let store = store.clone();
        tries.spawn(async move { store.add_first_user(&user(n), "a hash").await.unwrap() });
    }
    assert_eq!(tries.join_all().await.into_iter().filter(|first| *first).count(), 1);
    assert_eq!(store.users().await.unwrap().len(), 1);
    let loud = User { email: "LOUD@example.com".to_owned(), ..user(20) };
    assert!(!store.add_first_user(&loud, "a hash").await.unwrap());
    let first = store.users().await.unwrap().remove(0);
    store.remove_user(first.id).await.unwrap();
    assert!(matches!(store.add_first_user(&loud, "a hash").await, Err(StoreError::Conflict(_))));
    assert!(store.add_first_user(&user(21), "a hash").await.unwrap(), "nobody is there again");
    let known = store.password(&user(21).email).await.unwrap();
    assert_eq!(known, Some((user(21), Some("a hash".to_owned()))));
}

/// A new password ends what was begun with the old one.
pub async fn a_password_ends_sessions(store: Arc<dyn Store>) {
    store.add_user(&user(1)).await.unwrap();
    store.add_user(&user(2)).await.unwrap();
    assert_eq!(store.password("nobody@example.com").await.unwrap(), None);
    assert_eq!(store.password(&user(1).email).await.unwrap(), Some((user(1), None)));
    for one in [session(1, 1, 10), session(2, 1, 30), session(3, 1, 20), session(4, 2, 10)] {
        store.put_session(&one).await.unwrap();
    }
    store.set_password(UserId(id(1)), "new", Some(&key(2))).await.unwrap();
    assert_eq!(store.password(&user(1).email).await.unwrap().unwrap().1.as_deref(), Some("new"));
    assert_eq!(store.sessions(UserId(id(1))).await.unwrap(), [session(2, 1, 30)]);
    store.set_password(UserId(id(1)), "newer", None).await.unwrap();
    assert_eq!(store.sessions(UserId(id(1))).await.unwrap(), []);
    assert_eq!(store.sessions(UserId(id(2))).await.unwrap().len(), 1, "another's");
    let nobody = store.set_password(UserId(id(77)), "new", None).await;
    assert!(nobody.is_err());
}

/// A session is found by what it shows, and goes when it is told to, when it is old, and with its user.
pub async fn a_session_ends(store: Arc<dyn Store>) {
    store.add_user(&user(1)).await.unwrap();
    store.add_user(&user(2)).await.unwrap();
    let all = [session(1, 1, 100), session(2, 1, 300), session(3, 1, 200), session(4, 2, 100)];
    for one in &all {
        store.put_session(one).await.unwrap();
    }
    assert!(matches!(store.put_session(&all[0]).await, Err(StoreError::Conflict(_))), "a key is one's own");
    assert!(matches!(store.put_session(&session(9, 77, 1)).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.session(&key(3)).await.unwrap(), Some((all[2].clone(), user(1))));
    assert_eq!(store.session(&key(8)).await.unwrap(), None);
    store.see_session(&key(1), t(400)).await.unwrap();
    let order = store.sessions(UserId(id(1))).await.unwrap().into_iter().map(|s| s.key).collect::<Vec<_>>();
    assert_eq!(order, [key(1), key(2), key(3)], "the last used first");
    store.end_session(&key(1)).await.unwrap();
    store.end_session(&key(1)).await.unwrap();
    assert_eq!(store.session(&key(1)).await.unwrap(), None);
    assert_eq!(store.end_sessions(UserId(id(1)), Some(&key(2))).await.unwrap(), 1);
    // The second was last used at 300, and made at 2; the fourth at 100 and 4.
    assert_eq!(store.forget_sign_ins(t(100), t(2), t(0)).await.unwrap(), 0);
    assert_eq!(store.forget_sign_ins(t(101), t(2), t(0)).await.unwrap(), 1);
    assert_eq!(store.forget_sign_ins(t(101), t(3), t(0)).await.unwrap(), 1);
    store.put_session(&session(5, 2, 10)).await.unwrap();
    store.remove_user(UserId(id(2))).await.unwrap();
    assert_eq!(store.session(&key(5)).await.unwrap(), None);
}

/// An answer of a provider's page is taken once, and not after its session has ended.
pub async fn a_consent_is_taken_once(store: Arc<dyn Store>) {
    store.add_user(&user(1)).await.unwrap();
    store.put_session(&session(1, 1, 10)).await.unwrap();
    store.put_session(&session(2, 1, 10)).await.unwrap();
    for n in [10, 11] {
        store.put_consent(&consent(n, 1)).await.unwrap();
    }
    store.put_consent(&consent(12, 2)).await.unwrap();
    assert!(matches!(store.put_consent(&consent(10, 2)).await, Err(StoreError::Conflict(_))));
    assert!(matches!(store.put_consent(&consent(13, 7)).await, Err(StoreError::Conflict(_))));
    let mut takers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        takers.spawn(async move { store.take_consent(&key(10)).await.unwrap() });
    }
    let taken: Vec<Consent> = takers.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken, [consent(10, 1)]);
    store.end_session(&key(1)).await.unwrap();
    assert_eq!(store.take_consent(&key(11)).await.unwrap(), None);
    assert_eq!(store.forget_sign_ins(t(0), t(0), t(50)).await.unwrap(), 0);
    assert_eq!(store.forget_sign_ins(t(0), t(0), t(51)).await.unwrap(), 1);
    assert_eq!(store.take_consent(&key(12)).await.unwrap(), None);
}

/// Of many who bring the same answer one is heard, and what is over is forgotten.
pub async fn a_sign_in_elsewhere_is_answered_once(store: Arc<dyn Store>) {
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let store = store.clone();
        tries.spawn(async move { store.spend_sign_in(&key(40), t(50)).await.unwrap() });
    }
    assert_eq!(tries.join_all().await.into_iter().filter(|first| *first).count(), 1);
    assert!(store.spend_sign_in(&key(41), t(60)).await.unwrap(), "another one");
    assert_eq!(store.forget_sign_ins(t(0), t(0), t(50)).await.unwrap(), 0);
    assert!(!store.spend_sign_in(&key(40), t(50)).await.unwrap());
    assert_eq!(store.forget_sign_ins(t(0), t(0), t(51)).await.unwrap(), 1);
    assert!(!store.spend_sign_in(&key(41), t(60)).await.unwrap());
}

/// An identity is one user's, a user has one of each issuer, and it goes with them.
pub async fn an_identity_is_one_users(store: Arc<dyn Store>) {
    for n in [1, 2, 3] {
        store.add_user(&user(n)).await.unwrap();
    }
    let (here, there) = ("https://a.example.com", "https://b.example.com");
    let first = identity(1, here, "u-1");
    assert!(store.identify(&first).await.unwrap());
    let later = Identity { since: t(90), ..first.clone() };
    assert!(store.identify(&later).await.unwrap(), "they come again");
    assert!(!store.identify(&identity(2, here, "u-1")).await.unwrap(), "it is another's");
    assert!(!store.identify(&identity(1, here, "u-2")).await.unwrap(), "they have one there");
    assert!(store.identify(&identity(1, there, "u-2")).await.unwrap());
    assert!(store.identify(&identity(2, here, "U-1")).await.unwrap(), "ids differ by case too");
    assert_eq!(store.identified(here, "u-1").await.unwrap(), Some(user(1)));
    assert_eq!(store.identified(here, "U-1").await.unwrap(), Some(user(2)));
    assert_eq!(store.identified(there, "u-1").await.unwrap(), None);
    assert_eq!(store.identified(here, "u-2").await.unwrap(), None);
    assert_eq!(store.identities(UserId(id(1))).await.unwrap(), [first, identity(1, there, "u-2")]);
    assert_eq!(store.identities(UserId(id(3))).await.unwrap(), []);
    let nobodys = store.identify(&identity(77, here, "u-7")).await;
    assert!(matches!(nobodys, Err(StoreError::Conflict(_))), "{nobodys:?}");
    assert_eq!(store.forget_identities(UserId(id(1))).await.unwrap(), 2);
    assert_eq!(store.forget_identities(UserId(id(1))).await.unwrap(), 0);
    assert!(store.identify(&identity(3, here, "u-1")).await.unwrap(), "it is free again");
    store.remove_user(UserId(id(3))).await.unwrap();
    assert_eq!(store.identified(here, "u-1").await.unwrap(), None);
    assert_eq!(store.identified(here, "U-1").await.unwrap(), Some(user(2)), "another's stays");
}

/// Of two who come by one identity at the same moment one has it, and of two identities a user takes one.
pub async fn one_of_many_comes_by_an_identity(store: Arc<dyn Store>) {
    for n in 1..5 {
        store.add_user(&user(n)).await.unwrap();
    }
    let issuer = "https://a.example.com";
    let mut tries = tokio::task::JoinSet::new();
    for n in 1..5 {
        let store = store.clone();
        tries.spawn(async move { store.identify(&identity(n, issuer, "u-1")).await.unwrap() });
    }
    assert_eq!(tries.join_all().await.into_iter().filter(|taken| *taken).count(), 1);
    let whose = store.identified(issuer, "u-1").await.unwrap().unwrap().id;
    let other = (1..5).find(|n| UserId(id(*n)) != whose).unwrap();
    let mut tries = tokio::task::JoinSet::new();
    for subject in ["u-2", "u-3", "u-4", "u-5"] {
        let store = store.clone();
        tries.spawn(async move { store.identify(&identity(other, issuer, subject)).await.unwrap() });
    }
    assert_eq!(tries.join_all().await.into_iter().filter(|taken| *taken).count(), 1);
    assert_eq!(store.identities(UserId(id(other))).await.unwrap().len(), 1);
}

/// A program's token is its user's, until they remove it or go.
pub async fn an_access_token_is_its_users(store: Arc<dyn Store>) {
    store.add_user(&user(1)).await.unwrap();
    store.add_user(&user(2)).await.unwrap();
    for one in [token(21, 1), token(20, 1), token(22, 2)] {
        store.put_access_token(&one).await.unwrap();
    }
    let twin = AccessToken { id: AccessTokenId(id(30)), ..token(20, 2) };
    assert!(matches!(store.put_access_token(&twin).await, Err(StoreError::Conflict(_))));
    assert!(matches!(store.put_access_token(&token(31, 77)).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.access_token(&key(22)).await.unwrap(), Some((token(22, 2), user(2))));
    assert_eq!(store.access_token(&key(99)).await.unwrap(), None);
    store.see_access_token(AccessTokenId(id(20)), t(60)).await.unwrap();
    let used = AccessToken { used_at: Some(t(60)), ..token(20, 1) };
    assert_eq!(store.access_tokens(UserId(id(1))).await.unwrap(), [used, token(21, 1)]);
    assert!(!store.remove_access_token(UserId(id(2)), AccessTokenId(id(20))).await.unwrap(), "not theirs");
    assert!(store.remove_access_token(UserId(id(1)), AccessTokenId(id(20))).await.unwrap());
    assert_eq!(store.access_token(&key(20)).await.unwrap(), None);
    store.remove_user(UserId(id(1))).await.unwrap();
    assert_eq!(store.access_token(&key(21)).await.unwrap(), None);
}
