//! Signing in and leaving.

use calsync_core::ports::ErrorClass;
use calsync_core::secret::Secret;
use calsync_providers::google::{Connected, Consent};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::rig::{Answer, CANARY, NOW, Rig, answer, credentials, refusal};

const REDIRECT: &str = "https://cal.example.com/oauth/google/callback";
const GRANTED: &str = "openid https://www.googleapis.com/auth/userinfo.email \
    https://www.googleapis.com/auth/calendar.calendarlist.readonly https://www.googleapis.com/auth/calendar.events";

fn tokens(changes: Value) -> Answer {
    let mut tokens = json!({
        "access_token": format!("access-{CANARY}"), "expires_in": "3599", "scope": GRANTED, "token_type": "Bearer",
        "refresh_token": format!("refresh-{CANARY}"),
    });
    for (name, value) in changes.as_object().unwrap() {
        tokens[name] = value.clone();
    }
    answer(200, tokens)
}

async fn connect(rig: &Rig) -> Result<Connected, calsync_core::ports::ProviderError> {
    let code = Secret::new(format!("code-{CANARY}"));
    let verifier = Secret::new(format!("verifier-{CANARY}"));
    rig.google.connect(&code, &verifier, REDIRECT, Consent::ReadAndWrite).await
}

#[tokio::test]
async fn the_consent_page_is_asked_for_as_google_wants_it() {
    let rig = Rig::new().await;
    let begun = rig.google.authorize(REDIRECT, Consent::ReadAndWrite, Some("ann@example.com"));
    let param = |name: &str| begun.url.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned());
    let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(begun.verifier.expose().as_bytes()));
    let expected = [
        ("client_id", "client-1"),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("code_challenge_method", "S256"),
        ("code_challenge", &challenge),
        ("state", begun.state.expose()),
        ("login_hint", "ann@example.com"),
    ];
    for (name, value) in expected {
        assert_eq!(param(name).as_deref(), Some(value), "{name}");
    }
    let scope = param("scope").unwrap();
    assert!(scope.starts_with("openid email ") && scope.ends_with("/auth/calendar.events"), "{scope}");
    assert!((43..=128).contains(&begun.verifier.expose().len()));
    assert_ne!(begun.state, begun.verifier);
    assert!(!begun.url.as_str().contains(begun.verifier.expose()), "the verifier stays with us");
    let again = rig.google.authorize(REDIRECT, Consent::ReadOnly, None);
    assert!(again.state != begun.state && again.verifier != begun.verifier);
}

#[tokio::test]
async fn a_code_becomes_credentials_and_a_person() {
    let rig = Rig::new().await;
    rig.tokens([tokens(json!({"refresh_token_expires_in": 604_799}))]);
    rig.answers([answer(200, json!({"sub": "1001", "email": "ann@example.com", "email_verified": true}))]);
    let connected = connect(&rig).await.unwrap();
    assert_eq!((connected.person.sub.as_str(), connected.person.email.as_str()), ("1001", "ann@example.com"));
    assert_eq!(connected.credentials.refresh_token.expose(), format!("refresh-{CANARY}"));
    assert_eq!(connected.credentials.scope, GRANTED);
    assert_eq!(connected.credentials.expires_at, Some(NOW.plus(jiff::SignedDuration::from_secs(604_799))));
    let sent = &rig.token_calls()[0];
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
    assert!(sent.query.is_empty());
    let asked = &rig.calls()[0];
    assert_eq!(asked.path, "/userinfo");
    assert_eq!(asked.header("authorization"), Some(format!("Bearer access-{CANARY}").as_str()));
}

#[tokio::test]
async fn credentials_survive_storage() {
    let text = serde_json::to_string(&credentials()).unwrap();
    assert_eq!(
        serde_json::from_str::<calsync_providers::credentials::Credentials>(&text).unwrap(),
        credentials()
    );
}

#[tokio::test]
async fn a_box_left_unticked_is_named() {
    let rig = Rig::new().await;
    rig.tokens([tokens(json!({"scope": "openid email https://www.googleapis.com/auth/calendar.events"}))]);
    let error = connect(&rig).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unauthorized);
    assert!(error.detail.contains("see the list of your calendars"), "{error}");
    assert!(rig.calls().is_empty());
}

#[tokio::test]
async fn a_sign_in_can_fail_in_many_ways() {
    let person = || answer(200, json!({"sub": "1001"}));
    let refused = |code: &str| answer(400, json!({"error": code, "error_description": CANARY}));
    let table = [
        (tokens(json!({"refresh_token": null})), vec![person()], ErrorClass::Unauthorized),
        (refused("invalid_grant"), vec![], ErrorClass::Unauthorized),
        (refused("redirect_uri_mismatch"), vec![], ErrorClass::Misconfigured),
        (refused("invalid_client"), vec![], ErrorClass::Misconfigured),
        (answer(503, ""), vec![], ErrorClass::Transient),
        (tokens(json!({})), vec![refusal(503, "backendError")], ErrorClass::Transient),
        (tokens(json!({})), vec![answer(200, "{}")], ErrorClass::Transient),
        (answer(302, "").header("location", "/elsewhere"), vec![], ErrorClass::Transient),
    ];
    for (token, rest, class) in table {
        let rig = Rig::new().await;
        rig.tokens([token]);
        rig.answers(rest);
        let error = connect(&rig).await.unwrap_err();
        assert_eq!(error.class, class, "{error}");
        assert!(!error.to_string().contains(CANARY), "{error}");
        assert_eq!(rig.token_calls().len(), 1, "a code is used once");
    }
}

#[tokio::test]
async fn an_id_token_that_did_not_come_over_tls_names_nobody() {
    let claims = json!({"iss": "https://accounts.google.com", "aud": "client-1", "sub": "1001"});
    let id_token = format!("e30.{}.e30", BASE64URL_NOPAD.encode(claims.to_string().as_bytes()));
    let rig = Rig::new().await;
    rig.tokens([tokens(json!({"id_token": id_token}))]);
    rig.answers([refusal(500, "backendError")]);
    assert_eq!(connect(&rig).await.unwrap_err().class, ErrorClass::Transient);
}

#[tokio::test]
async fn leaving_is_done_once_and_for_all() {
    for (given, expected) in [
        (answer(200, "{}"), None),
        (answer(400, json!({"error": "invalid_token"})), None),
        (answer(503, ""), Some(ErrorClass::Transient)),
    ] {
        let rig = Rig::new().await;
        rig.answers([given]);
        assert_eq!(rig.google.revoke(&credentials()).await.err().map(|e| e.class), expected);
        let sent = &rig.calls()[0];
        assert_eq!(
            (sent.path.as_str(), sent.form("token")),
            ("/revoke", Some(format!("refresh-0-{CANARY}")))
        );
        assert!(sent.query.is_empty(), "the token is in no log of a proxy");
    }
}
