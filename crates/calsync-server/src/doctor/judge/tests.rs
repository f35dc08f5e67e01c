//! Findings and what they mean, each once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::config::tests_settings;
use crate::reach::Silence;
use crate::secrets::first_run::KeyOrigin;
use crate::secrets::{Keyring, SealingKey};
use crate::system::SystemRandom;

const OK: Outcome = Outcome::Ok;
const WARNING: Outcome = Outcome::Warning;
const FAILED: Outcome = Outcome::Failed;

/// It was judged so, in words that hold this.
#[track_caller]
fn is(check: &Check, outcome: Outcome, words: &str) {
    assert_eq!(check.outcome, outcome, "{check:?}");
    assert!(check.text().contains(words), "{words:?} is missing in {check:?}");
    let needs_remedy = check.outcome >= WARNING;
    assert!(!needs_remedy || check.remedy.is_some(), "it does not say what to do: {check:?}");
}

#[test]
fn an_address_is_https_or_it_is_told() {
    let judged = |env: &[(&str, &str)]| address(&tests_settings(env));
    is(&judged(&[])[0], WARNING, "server.public_url is not set");
    is(
        &judged(&[("CALENDAR_SYNC__WEBHOOKS__ENABLED", "false")])[0],
        Outcome::Skipped,
        "webhooks.enabled is off",
    );
    let http = judged(&[("WEBHOOK_BASE_URL", "http://127.0.0.1:8080")]);
    is(&http[0], WARNING, "providers push to https alone");
    assert!(http[0].remedy.as_ref().unwrap().contains("server.public_url"));
    assert_eq!(http.len(), 1);
    let https = judged(&[("WEBHOOK_BASE_URL", "https://sync.example.com")]);
    is(&https[0], OK, "https://sync.example.com");
    is(&https[1], WARNING, "server.trusted_proxies is empty");
    let all = judged(&[
        ("WEBHOOK_BASE_URL", "https://sync.example.com"),
        ("CALENDAR_SYNC__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ]);
    assert_eq!(all.iter().map(|check| check.outcome).collect::<Vec<_>>(), [OK]);
}

#[test]
fn a_clock_may_be_off_by_a_minute() {
    let at = Ts::from_secs(1_800_000_000);
    for (off, outcome, words) in [
        (0, OK, "agrees with google's"),
        (60, OK, "agrees"),
        (-60, OK, "agrees"),
        (61, WARNING, "61 s ahead of google's"),
        (-3_600, WARNING, "3600 s behind google's"),
    ] {
        is(&clock("google", at.plus(SignedDuration::from_secs(off)), at), outcome, words);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let judged = |folder: Result<(), &str>, database: Result<(), &str>, owners| {
        let owned = |result: Result<(), &str>| result.map_err(str::to_owned);
        let written = Written { folder: owned(folder), database: owned(database), owners };
        directory(Path::new("/var/lib/x"), Path::new("/var/lib/x/x.db"), &written)
    };
    is(&judged(Ok(()), Ok(()), Some((7, 7))), OK, "/var/lib/x can be written");
    is(&judged(Ok(()), Ok(()), None), OK, "/var/lib/x can be written");
    is(
        &judged(Err("permission denied"), Ok(()), None),
        FAILED,
        "/var/lib/x cannot be written: permission denied",
    );
    is(&judged(Ok(()), Err("permission denied"), Some((7, 8))), FAILED, "x.db cannot be written");
    is(&judged(Ok(()), Ok(()), Some((7, 0))), WARNING, "sudo -u '#7'");
}

#[test]
fn a_database_says_what_it_lacks() {
    let file = DatabaseUrl::parse("sqlite:///var/lib/x.db").unwrap();
    let server = DatabaseUrl::parse("postgres://me:hunter2@db.example.com/x").unwrap();
    let away = || NoStore::Store(StoreError::Unavailable("it does not answer".to_owned()));
    for (url, error, words) in [
        (&file, NoStore::Missing("/var/lib/x.db".to_owned()), "calendar-sync migrate"),
        (&file, NoStore::Gone("/var/lib/x.db".to_owned()), "restore a backup"),
        (&file, NoStore::NoDirectory("/var/lib".to_owned()), "make the directory"),
        (&file, NoStore::Store(StoreError::NewerSchema { found: 9, known: 1 }), "newer calendar-sync"),
        (&file, away(), "permissions"),
        (&server, away(), "start the database server"),
    ] {
        let check = no_store(url, &error);
        is(&check, FAILED, words);
        assert!(!check.text().contains("hunter2"), "{check:?}");
    }
    is(&slow_store(&server, Duration::from_secs(10)), FAILED, "within 10 s");
}

#[test]
fn a_key_that_opens_not_all_is_told() {
    let ring = Keyring::new(SealingKey::generate(&SystemRandom), vec![]);
    let current = ring.current_id();
    let older = SealingKey::generate(&SystemRandom).id();
    let keys = FoundKeys { ring, origin: KeyOrigin::Local(PathBuf::from("k")), notices: vec![] };
    let judged = |by: &[(Option<_>, u64)], unreadable: &[&str]| {
        let unreadable = unreadable.iter().map(|u| (*u).to_owned()).collect();
        key(&Inventory { by_key: BTreeMap::from_iter(by.iter().copied()), unreadable }, &keys)
    };
    is(&judged(&[], &[]), OK, "opens all that is sealed (0)");
    is(&judged(&[(Some(current), 3)], &[]), OK, "(3)");
    is(&judged(&[(Some(current), 3), (Some(older), 1)], &[]), WARNING, "secrets rotate");
    is(
        &judged(&[(Some(current), 3), (None, 1)], &["account 7: no"]),
        FAILED,
        "1 of 4 sealed values cannot be opened",
    );
    is(&no_key(&NoKey::Missing("k".to_owned())), WARNING, "none yet");
    is(&no_key(&NoKey::Lost("k".to_owned())), FAILED, "from its backup");
}

#[test]
fn redis_is_looked_at_only_where_it_is_configured() {
    is(&redis(None), Outcome::Skipped, "not set");
    is(&redis(Some(("redis://h:6379", Ok(())))), OK, "answers");
    is(&redis(Some(("redis://h:6379", Err(Trouble::Refused)))), FAILED, "start Redis");
}

#[test]
fn a_provider_is_named_with_the_address_to_come_back_to() {
    let none = providers(&tests_settings(&[]));
    assert!(none[..2].iter().all(|check| check.outcome == Outcome::Skipped), "{none:?}");
    is(&none[2], WARNING, "no account can be connected");
    let google = providers(&tests_settings(&[
        ("CALENDAR_SYNC__GOOGLE__CLIENT_ID", "me.apps.example.com"),
        ("CALENDAR_SYNC__GOOGLE__CLIENT_SECRET", "hunter2"),
    ]));
    is(&google[0], OK, "http://127.0.0.1:8765/callback");
    is(&google[0], OK, "me.apps.example.com");
    assert!(google.len() == 2 && !format!("{google:?}").contains("hunter2"), "{google:?}");
    let away = Err(Unreached::Silent { why: Silence::Name, words: "no such name".to_owned() });
    is(&provider_answer("google", "https://www.example.com", &away), FAILED, "DNS");
}

#[test]
fn the_organisations_sign_in_is_named_with_the_address_to_come_back_to() {
    let redirect = "https://sync.example.com/oauth/sign-in/callback";
    let judged =
        |found: Result<(), oidc::Trouble>| sign_in("Example", "https://login.example.com", redirect, &found);
    is(&judged(Ok(())), OK, redirect);
    is(
        &judged(Err(oidc::Trouble::Away("nothing listens there".to_owned()))),
        FAILED,
        "nothing listens there",
    );
}

#[test]
fn a_handshake_that_is_altered_is_told() {
    is(&handshake(ProviderKind::Microsoft, &Ok(())), OK, "microsoft's");
    is(&handshake(ProviderKind::Microsoft, &Err(Unreached::Altered)), FAILED, "rewrites");
}
