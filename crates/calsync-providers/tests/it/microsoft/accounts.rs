//! Signing in, and the access tokens of an account.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use calsync_core::ids::{AccountId, EventId};
use calsync_core::ports::{ErrorClass, ProviderAccount, ProviderError, Standing};
use calsync_core::secret::Secret;
use calsync_providers::credentials::{CredentialKeeper, Credentials, Kept, NotKept};
use calsync_providers::microsoft::{Connected, Consent, Tenant};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::rig::{Rig, person, refusal};
use crate::rig::{Answer, CANARY, answer, credentials};

const REDIRECT: &str = "https://cal.example.com/oauth/microsoft/callback";

fn tokens(changes: Value) -> Answer {
    let mut tokens = json!({
        "token_type": "Bearer", "scope": "User.Read Calendars.ReadWrite", "expires_in": 3599,
        "access_token": format!("access-{CANARY}"), "refresh_token": format!("refresh-{CANARY}"), "id_token": "aaa.bbb.ccc",
    });
    for (name, value) in changes.as_object().unwrap() {
        tokens[name] = value.clone();
    }
    answer(200, tokens)
}

fn me() -> Answer {
    answer(200, json!({"id": "oid-1", "mail": null, "userPrincipalName": "ann@example.com"}))
}

fn mailbox() -> Answer {
    answer(200, json!({"value": [{"id": "A"}]}))
}

async fn connect(rig: &Rig) -> Result<Connected, ProviderError> {
    let code = Secret::new(format!("code-{CANARY}"));
    let verifier = Secret::new(format!("verifier-{CANARY}"));
    rig.microsoft.connect(&code, &verifier, REDIRECT, Consent::ReadAndWrite).await
}

async fn look(rig: &Rig) -> Result<Standing, ProviderError> {
    rig.account.get_block("c", &EventId("e".into())).await
}

fn nothing() -> Answer {
    refusal(404, "ErrorItemNotFound")
}

#[tokio::test]
async fn the_consent_page_is_asked_for_as_microsoft_wants_it() {
    for (tenant, name) in [
        (Tenant::Common, "common"),
        (Tenant::Organizations, "organizations"),
        (Tenant::Consumers, "consumers"),
        (Tenant::One("contoso.example.com".into()), "contoso.example.com"),
    ] {
        let rig = Rig::with(|config| config.tenant = tenant).await;
        let begun = rig.microsoft.authorize(REDIRECT, Consent::ReadAndWrite, Some("ann@example.com"));
        assert_eq!(begun.url.path(), format!("/{name}/oauth2/v2.0/authorize"));
        let param =
            |name: &str| begun.url.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned());
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(begun.verifier.expose().as_bytes()));
        let expected = [
            ("client_id", "client-1"),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("response_mode", "query"),
            // Without it the challenge would be taken for plain text.
            ("code_challenge_method", "S256"),
            ("code_challenge", &challenge),
            ("state", begun.state.expose()),
            ("login_hint", "ann@example.com"),
            ("scope", "openid email profile offline_access User.Read Calendars.ReadWrite"),
        ];
        for (name, value) in expected {
            assert_eq!(param(name).as_deref(), Some(value), "{name}");
        }
        assert!((43..=128).contains(&begun.verifier.expose().len()));
        assert!(!begun.url.as_str().contains(begun.verifier.expose()), "the verifier stays with us");
    }
}

#[tokio::test]
async fn a_code_becomes_credentials_and_a_person() {
    let rig = Rig::new().await;
    rig.tokens([tokens(json!({}))]);
    rig.answers([me(), mailbox()]);
    let connected = connect(&rig).await.unwrap();
    assert_eq!(
        (connected.person.sub.as_str(), connected.person.email.as_str()),
        ("oid-1", "ann@example.com")
    );
    assert_eq!(connected.credentials.refresh_token.expose(), format!("refresh-{CANARY}"));
    let sent = &rig.token_calls()[0];
    assert_eq!(sent.path, "/common/oauth2/v2.0/token");
    let form = [
        ("grant_type", "authorization_code".to_owned()),
        ("code", format!("code-{CANARY}")),
        ("client_id", "client-1".to_owned()),
        ("client_secret", format!("client-{CANARY}")),
        ("redirect_uri", REDIRECT.to_owned()),
        ("code_verifier", format!("verifier-{CANARY}")),
    ];
    for (name, value) in form {
        assert_eq!(sent.form(name), Some(value), "{name}");
    }
    assert!(
        sent.query.is_empty() && sent.header("origin").is_none(),
        "with an Origin a server's secret is refused"
    );
    let paths: Vec<_> = rig.calls().iter().map(|c| c.path.clone()).collect();
    assert_eq!(paths, ["/v1.0/me", "/v1.0/me/calendars"]);
}

#[tokio::test]
async fn trap_19_an_account_without_a_mailbox_is_explained_when_it_connects() {
    for refused in [refusal(404, "MailboxNotEnabledForRESTAPI"), refusal(404, "ErrorInvalidUser")] {
        let rig = Rig::new().await;
        rig.tokens([tokens(json!({}))]);
        rig.answers([me(), refused]);
        let error = connect(&rig).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent);
        assert!(
            error.detail.contains("no calendar at Microsoft") && error.detail.contains("15 minutes"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_sign_in_can_fail_in_many_ways() {
    let refused = |code: &str, number: u32| {
        answer(400, json!({"error": code, "error_description": CANARY, "error_codes": [number]}))
    };
    let table = [
        (tokens(json!({"refresh_token": null})), vec![], ErrorClass::Unauthorized, "no lasting grant"),
        (tokens(json!({"scope": "User.Read"})), vec![], ErrorClass::Unauthorized, "Calendars.ReadWrite"),
        (refused("invalid_grant", 54_005), vec![], ErrorClass::Unauthorized, "Start connecting again"),
        (refused("consent_required", 90_094), vec![], ErrorClass::Unauthorized, "administrator"),
        (refused("invalid_client", 7_000_215), vec![], ErrorClass::Misconfigured, "not its id"),
        (refused("invalid_request", 50_011), vec![], ErrorClass::Misconfigured, "redirect URI"),
        (answer(503, ""), vec![], ErrorClass::Transient, ""),
        (tokens(json!({})), vec![refusal(503, "x")], ErrorClass::Transient, ""),
        (tokens(json!({})), vec![answer(200, "{}")], ErrorClass::Transient, ""),
        (answer(302, "").header("location", "/elsewhere"), vec![], ErrorClass::Transient, ""),
    ];
    for (token, rest, class, words) in table {
        let rig = Rig::new().await;
        rig.tokens([token]);
        rig.answers(rest);
        let error = connect(&rig).await.unwrap_err();
        assert_eq!(error.class, class, "{error}");
        assert!(error.detail.contains(words) && !error.to_string().contains(CANARY), "{error}");
        assert_eq!(rig.token_calls().len(), 1, "a code is used once");
    }
}

#[tokio::test]
async fn a_grant_given_elsewhere_is_taken_over() {
    let rig = Rig::new().await;
    rig.tokens([tokens(json!({"refresh_token": null}))]);
    rig.answers([me(), mailbox()]);
    let given = Secret::new(format!("given-{CANARY}"));
    let connected = rig.microsoft.adopt(given.clone(), Consent::ReadAndWrite).await.unwrap();
    assert_eq!(connected.credentials.refresh_token, given, "it stays good");
    assert_eq!(rig.token_calls()[0].form("refresh_token"), Some(format!("given-{CANARY}")));
    rig.tokens([tokens(json!({}))]);
    rig.answers([me(), mailbox()]);
    let connected = rig.microsoft.adopt(given, Consent::ReadAndWrite).await.unwrap();
    assert_eq!(connected.credentials.refresh_token.expose(), format!("refresh-{CANARY}"));
}

#[tokio::test]
async fn a_dead_grant_and_a_wrong_secret_are_told_apart() {
    let dead = |code: &str, number: u32| answer(400, json!({"error": code, "error_codes": [number]}));
    let table = [
        (dead("invalid_grant", 50_173), ErrorClass::Unauthorized),
        (dead("interaction_required", 50_076), ErrorClass::Unauthorized),
        (dead("invalid_client", 7_000_215), ErrorClass::Misconfigured),
        (dead("invalid_client", 7_000_222), ErrorClass::Misconfigured),
    ];
    for (token, class) in table {
        let rig = Rig::new().await;
        rig.tokens([token]);
        assert_eq!(look(&rig).await.unwrap_err().class, class);
        assert!(rig.calls().is_empty());
    }
}

fn rotated(n: u32) -> Answer {
    answer(
        200,
        json!({"access_token": format!("t{n}"), "expires_in": 3599, "refresh_token": format!("refresh-{n}-{CANARY}")}),
    )
}

#[tokio::test]
async fn each_purchase_brings_another_refresh_token_and_it_is_kept() {
    let rig = Rig::new().await;
    rig.tokens([rotated(1), rotated(2)]);
    rig.answers(vec![nothing(); 3]);
    rig.keeper.failures.store(1, Ordering::Relaxed);
    look(&rig).await.unwrap();
    assert!(rig.keeper.kept.lock().unwrap().is_empty(), "the first time fails, and no call fails with it");
    look(&rig).await.unwrap();
    assert_eq!(rig.keeper.kept.lock().unwrap()[0].refresh_token.expose(), format!("refresh-1-{CANARY}"));
    rig.clock.advance(4_000);
    look(&rig).await.unwrap();
    assert_eq!(rig.token_calls()[1].form("refresh_token"), Some(format!("refresh-1-{CANARY}")));
    assert_eq!(rig.keeper.kept.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_crash_between_the_answer_and_the_commit_costs_nothing() {
    let rig = Rig::new().await;
    rig.tokens([rotated(1), rotated(2)]);
    rig.answers(vec![nothing(); 2]);
    rig.keeper.failures.store(u64::MAX, Ordering::Relaxed);
    look(&rig).await.unwrap();
    // The process dies here; the next one knows only the credentials of before, which are still taken.
    let next = rig.microsoft.account(&person(), credentials(), rig.keeper.clone());
    next.get_block("c", &EventId("e".into())).await.unwrap();
    let used: Vec<_> = rig.token_calls().iter().map(|c| c.form("refresh_token").unwrap()).collect();
    assert_eq!(used, [format!("refresh-0-{CANARY}"), format!("refresh-0-{CANARY}")]);
}

/// A store of one account's credentials that compares before it sets.
struct Vault(Mutex<Credentials>);

#[async_trait]
impl CredentialKeeper for Vault {
    async fn replace(&self, _: AccountId, old: &Credentials, new: &Credentials) -> Result<Kept, NotKept> {
        let mut stored = self.0.lock().unwrap();
        if stored.refresh_token != old.refresh_token {
            return Ok(Kept::Outrun(Some(stored.clone())));
        }
        *stored = new.clone();
        Ok(Kept::Stored)
    }

    async fn stored(&self, _: AccountId) -> Option<Credentials> {
        Some(self.0.lock().unwrap().clone())
    }
}

/// A process that had no need of the account for months: ours died of disuse, and the ones that others rotated did not.
#[tokio::test]
async fn a_dead_refresh_token_is_no_dead_grant_while_a_newer_one_is_stored() {
    let rig = Rig::new().await;
    let newer = Credentials { refresh_token: Secret::new("newer"), ..credentials() };
    let vault = Arc::new(Vault(Mutex::new(newer)));
    let account = rig.microsoft.account(&person(), credentials(), vault.clone());
    let dead = || answer(400, json!({"error": "invalid_grant", "error_codes": [700_082]}));
    rig.tokens([dead(), rotated(1)]);
    rig.answers(vec![nothing()]);
    account.get_block("c", &EventId("e".into())).await.unwrap();
    assert_eq!(rig.token_calls()[1].form("refresh_token").as_deref(), Some("newer"));
    // And where the stored one is dead as well, it is said.
    let account = rig.microsoft.account(&person(), credentials(), vault);
    rig.tokens([dead(), dead()]);
    let error = account.get_block("c", &EventId("e".into())).await.unwrap_err();
    assert_eq!((error.class, rig.token_calls().len()), (ErrorClass::Unauthorized, 4));
}

#[tokio::test]
async fn newer_credentials_are_never_overwritten() {
    let rig = Rig::new().await;
    let vault = Arc::new(Vault(Mutex::new(credentials())));
    let account = rig.microsoft.account(&person(), credentials(), vault.clone());
    rig.tokens([rotated(1), rotated(2)]);
    rig.answers(vec![nothing(); 2]);
    let id = EventId("e".into());
    account.get_block("c", &id).await.unwrap();
    assert_eq!(vault.0.lock().unwrap().refresh_token.expose(), format!("refresh-1-{CANARY}"));
    // The person connects the account anew while the old session lives on.
    let fresh = Credentials { refresh_token: Secret::new("reconnected"), ..credentials() };
    *vault.0.lock().unwrap() = fresh;
    rig.clock.advance(4_000);
    account.get_block("c", &id).await.unwrap();
    assert_eq!(vault.0.lock().unwrap().refresh_token.expose(), "reconnected");
}

#[tokio::test]
async fn who_was_outrun_goes_on_with_what_is_stored_and_keeps_it_alive() {
    let rig = Rig::new().await;
    let vault = Arc::new(Vault(Mutex::new(credentials())));
    let both = [0, 1].map(|_| rig.microsoft.account(&person(), credentials(), vault.clone()));
    rig.tokens([rotated(1), rotated(2), rotated(3), rotated(4)]);
    rig.answers(vec![nothing(); 4]);
    let id = EventId("e".into());
    for account in &both {
        account.get_block("c", &id).await.unwrap();
    }
    // The first one dies. A refresh token that nobody uses for 90 days dies as well (§1): the second one must use that one.
    for n in [3, 4] {
        rig.clock.advance(4_000);
        both[1].get_block("c", &id).await.unwrap();
        assert_eq!(vault.0.lock().unwrap().refresh_token.expose(), format!("refresh-{n}-{CANARY}"));
    }
    let used: Vec<_> = rig.token_calls().iter().map(|c| c.form("refresh_token").unwrap()).collect();
    assert_eq!(used, [0, 0, 1, 3].map(|n| format!("refresh-{n}-{CANARY}")));
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let rig = Rig::new().await;
    rig.answers([refusal(401, "InvalidAuthenticationToken"), nothing()]);
    assert_eq!(look(&rig).await, Ok(Standing::Nothing));
    assert_eq!(rig.token_calls().len(), 2);
    rig.answers(vec![refusal(401, "InvalidAuthenticationToken"); 2]);
    assert_eq!(look(&rig).await.unwrap_err().class, ErrorClass::Transient, "it may pass");
}

#[tokio::test]
async fn no_secret_is_printed() {
    let rig = Rig::new().await;
    let mut printed = vec![format!("{:?} {:?}", rig.microsoft, rig.account)];
    let begun = rig.microsoft.authorize(REDIRECT, Consent::ReadOnly, None);
    printed.push(format!("{:?} {:?}", begun.state, begun.verifier));
    for given in [refusal(400, CANARY), answer(500, CANARY), answer(200, CANARY), refusal(409, "x")] {
        rig.answers(vec![given; 6]);
        printed.push(format!("{:?}", look(&rig).await.err()));
        printed.push(format!("{:?}", rig.account.delete_block("c", &EventId("e".into()), None).await.err()));
    }
    for text in &printed[..2] {
        assert!(!text.contains(CANARY), "{text}");
    }
    for text in &printed[2..] {
        // A code is repeated, tamed; a message never is.
        assert!(!text.contains("access-") && !text.contains("refresh-"), "{text}");
    }
}

#[tokio::test]
async fn at_most_four_calls_are_under_way_at_once() {
    let rig = Rig::with(|config| config.limits.max_wait = std::time::Duration::from_millis(150)).await;
    assert_eq!(rig.account.capabilities().concurrent_calls, 4);
    rig.tokens([answer(200, json!({"access_token": "t", "expires_in": 3599}))]);
    rig.answers(vec![nothing().after(600); 5]);
    let id = EventId("e".into());
    let look = || rig.account.get_block("c", &id);
    let (a, b, c, d, e) = tokio::join!(look(), look(), look(), look(), look());
    let refused: Vec<_> = [a, b, c, d, e].into_iter().filter_map(Result::err).map(|e| e.class).collect();
    assert_eq!(refused, [ErrorClass::RateLimited], "the fifth waits, and is told to come back");
}

#[tokio::test]
async fn after_a_429_we_keep_still_for_as_long_as_asked() {
    let rig = Rig::new().await;
    rig.answers([refusal(429, "ApplicationThrottled").header("retry-after", "20.5")]);
    let error = look(&rig).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::RateLimited);
    assert_eq!(error.retry_after, Some(jiff::SignedDuration::from_millis(20_500)));
    let held = look(&rig).await.unwrap_err();
    assert!(held.retry_after.unwrap() > jiff::SignedDuration::from_secs(15), "{held:?}");
    assert_eq!(rig.calls().len(), 1, "the second was never sent");
}
