//! microsoft.md §1: the authorization-code flow, its tokens, and how they die.

use std::collections::BTreeMap;

use calsync_sim::microsoft::{Aadsts, Account, Answer, ApiRequest, Audience, MicrosoftConfig, tenant_of};
use data_encoding::BASE64URL_NOPAD;
use jiff::SignedDuration;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::stage::{Microsoft, REDIRECT, get, program};

const SCOPE: &str = "openid email profile offline_access User.Read Calendars.ReadWrite";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0123456789";

fn challenge() -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(VERIFIER.as_bytes()))
}

fn authorize(ms: &Microsoft, tenant: &str, more: &[(&str, &str)]) -> Answer {
    let challenge = challenge();
    let mut pairs: BTreeMap<&str, &str> = BTreeMap::from([
        ("client_id", "app"),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("response_mode", "query"),
        ("scope", SCOPE),
        ("state", "st&te"),
        ("login_hint", "ann@example.com"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    pairs.extend(more.iter().copied());
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    ms.ask(&ApiRequest::new("GET", &format!("/{tenant}/oauth2/v2.0/authorize?{query}")))
}

/// What came back to the program in its redirect.
fn sent_back(answer: &Answer) -> BTreeMap<String, String> {
    assert_eq!(answer.status, 302, "{}", answer.body);
    let location = &answer.headers.iter().find(|(k, _)| *k == "location").unwrap().1;
    assert!(location.starts_with(REDIRECT), "{location}");
    url::Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

fn token(ms: &Microsoft, tenant: &str, pairs: &[(&str, &str)]) -> (u16, Value) {
    let mut all = vec![("client_id", "app"), ("client_secret", "s3cret")];
    all.extend(pairs);
    let answer = ms.ask(&ApiRequest::new("POST", &format!("/{tenant}/oauth2/v2.0/token")).form(&all));
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

fn exchange(ms: &Microsoft, code: &str, verifier: &str) -> (u16, Value) {
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", verifier),
    ];
    token(ms, "common", &pairs)
}

fn refresh(ms: &Microsoft, token_text: &str) -> (u16, Value) {
    token(ms, "common", &[("grant_type", "refresh_token"), ("refresh_token", token_text)])
}

fn let_in(ms: &Microsoft, more: &[(&str, &str)]) -> Value {
    let code = sent_back(&authorize(ms, "common", more)).remove("code").unwrap();
    let (status, body) = exchange(ms, &code, VERIFIER);
    assert_eq!(status, 200, "{body}");
    body
}

fn text<'a>(body: &'a Value, key: &str) -> &'a str {
    body[key].as_str().unwrap()
}

/// The number of a refusal, whose envelope must be whole.
fn number(body: &Value) -> u64 {
    for key in ["error", "error_description", "timestamp", "trace_id", "correlation_id", "error_uri"] {
        assert!(body[key].is_string(), "{key}: {body}");
    }
    let number = body["error_codes"][0].as_u64().unwrap();
    assert!(text(body, "error_description").starts_with(&format!("AADSTS{number}: ")));
    number
}

#[test]
fn row_the_whole_flow_with_pkce() {
    let ms = Microsoft::new();
    let back = sent_back(&authorize(&ms, "common", &[("nonce", "n1")]));
    assert_eq!(back["state"], "st&te");
    let (status, body) = exchange(&ms, &back["code"], VERIFIER);
    assert_eq!((status, &body["token_type"], &body["expires_in"]), (200, &"Bearer".into(), &3_599.into()));
    assert!(!text(&body, "scope").contains("offline_access"), "not echoed");
    let claims =
        BASE64URL_NOPAD.decode(text(&body, "id_token").split('.').nth(1).unwrap().as_bytes()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["email"], &claims["nonce"]), (&"ann@example.com".into(), &"n1".into()));
    assert_eq!(claims["tid"], tenant_of("example.com"));
    let (_, me) = ms.send_as(text(&body, "access_token"), get("me"));
    assert_eq!(me["id"], claims["oid"]);
    let (status, again) = exchange(&ms, &back["code"], VERIFIER);
    assert_eq!((status, text(&again, "error"), number(&again)), (400, "invalid_grant", 54_005));
}

#[test]
fn row_scopes_short_and_long_and_what_is_missing_without_them() {
    let ms = Microsoft::new();
    let bare = let_in(&ms, &[("scope", "https://graph.microsoft.com/calendars.readwrite")]);
    assert!(bare["refresh_token"].is_null() && bare["id_token"].is_null());
    assert_eq!(bare["scope"], "https://graph.microsoft.com/Calendars.ReadWrite");
    let bob = let_in(&ms, &[("login_hint", "bob@example.org")]);
    assert!(!text(&bob, "scope").contains("https://"), "entries may lack the prefix");
    let odd = sent_back(&authorize(&ms, "common", &[("scope", "Calendars.Everything")]));
    assert_eq!(odd["error"], "invalid_scope");
    let shared = [("scope", "Calendars.Read.Shared"), ("login_hint", "bob@example.org")];
    assert_eq!(
        sent_back(&authorize(&ms, "common", &shared))["error"],
        "invalid_scope",
        "work and school only"
    );
}

#[test]
fn row_refresh_tokens_rotate_and_the_old_one_lives_on() {
    let ms = Microsoft::new();
    let first = let_in(&ms, &[]);
    let old = text(&first, "refresh_token");
    let (status, second) = refresh(&ms, old);
    assert_eq!(status, 200);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(refresh(&ms, old).0, 200, "a racing refresh is survivable");
    assert_eq!(refresh(&ms, text(&second, "refresh_token")).0, 200);
    let narrow = [("grant_type", "refresh_token"), ("refresh_token", old), ("scope", "User.Read")];
    let (_, narrow) = token(&ms, "common", &narrow);
    assert_eq!(ms.send_as(text(&narrow, "access_token"), get("me/events")).0, 403, "a subset");
}

#[test]
fn row_invalid_grant_by_disuse_revocation_and_missing_consent() {
    let ms = Microsoft::new();
    let refused = |body: &Value| {
        let (status, body) = refresh(&ms, text(body, "refresh_token"));
        assert_eq!(status, 400);
        (text(&body, "error").to_owned(), number(&body))
    };
    let first = let_in(&ms, &[]);
    ms.clock.advance(SignedDuration::from_hours(24 * 90));
    assert_eq!(refused(&first), ("invalid_grant".into(), 700_082));
    let second = let_in(&ms, &[]);
    ms.face.revoke_sessions(&ms.ann);
    assert_eq!(refused(&second), ("invalid_grant".into(), 50_173));
    assert_eq!(ms.send_as(text(&second, "access_token"), get("me")).0, 401);
    ms.clock.advance(SignedDuration::from_secs(1));
    let third = let_in(&ms, &[]);
    ms.face.remove_consent("app", &ms.ann);
    assert_eq!(refused(&third), ("invalid_grant".into(), 65_001));
    let fourth = let_in(&ms, &[]);
    for (demand, error) in [
        (Aadsts::MFA, "interaction_required"),
        (Aadsts::BLOCKED, "invalid_grant"),
        (Aadsts::ADMIN, "consent_required"),
    ] {
        ms.face.demand(&ms.ann, Some(demand));
        assert_eq!(refused(&fourth).0, error);
    }
    ms.face.demand(&ms.ann, None);
    assert_eq!(refresh(&ms, text(&fourth, "refresh_token")).0, 200);
    assert_eq!(refresh(&ms, "junk").0, 400);
}

#[test]
fn row_our_own_mistakes_are_told_apart_from_the_users() {
    let mut config = MicrosoftConfig::default();
    let mut old = program("old", Audience::Everybody);
    old.secret_until = Some(crate::stage::now());
    config.clients.push(old);
    let ms = Microsoft::with(config);
    let ask = |tenant: &str, pairs: &[(&str, &str)]| {
        let answer = ms.ask(&ApiRequest::new("POST", &format!("/{tenant}/oauth2/v2.0/token")).form(pairs));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        (answer.status, text(&body, "error").to_owned(), number(&body))
    };
    let code = [("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", REDIRECT)];
    let with = |who: &[(&'static str, &'static str)]| [who, &code].concat();
    assert_eq!(
        ask("common", &with(&[("client_id", "app"), ("client_secret", "no")])),
        (401, "invalid_client".into(), 7_000_215)
    );
    assert_eq!(
        ask("common", &with(&[("client_id", "old"), ("client_secret", "s3cret")])),
        (401, "invalid_client".into(), 7_000_222)
    );
    assert_eq!(ask("common", &with(&[("client_id", "app")])).2, 7_000_218);
    assert_eq!(
        ask("common", &with(&[("client_id", "none"), ("client_secret", "x")])),
        (400, "unauthorized_client".into(), 700_016)
    );
    assert_eq!(
        ask("nowhere", &with(&[("client_id", "app"), ("client_secret", "s3cret")])),
        (400, "invalid_request".into(), 90_002)
    );
    let origin = ApiRequest::new("POST", "/common/oauth2/v2.0/token")
        .form(&with(&[("client_id", "app"), ("client_secret", "s3cret")]));
    assert_eq!(
        ms.ask(&origin.header("origin", "https://example.com")).status,
        400,
        "a server sends no Origin"
    );
    let basic = ApiRequest::new("POST", "/common/oauth2/v2.0/token").form(&code);
    let basic = ms.ask(
        &basic.header("authorization", &format!("Basic {}", data_encoding::BASE64.encode(b"app:s3cret"))),
    );
    assert!(basic.body.contains("invalid_grant"), "HTTP Basic is accepted: {}", basic.body);
    ms.face.fail_logins(1);
    assert_eq!(
        ask("common", &with(&[("client_id", "app"), ("client_secret", "s3cret")])),
        (503, "temporarily_unavailable".into(), 90_033)
    );
    assert_eq!(ask("common", &with(&[("client_id", "app"), ("client_secret", "s3cret")])).1, "invalid_grant");
}

#[test]
fn row_codes_expire_and_verifiers_must_fit() {
    let ms = Microsoft::new();
    let code = || sent_back(&authorize(&ms, "common", &[])).remove("code").unwrap();
    assert_eq!(number(&exchange(&ms, &code(), "another-verifier-of-forty-three-characters-0").1), 501_481);
    let late = code();
    ms.clock.advance(SignedDuration::from_mins(10));
    assert_eq!(number(&exchange(&ms, &late, VERIFIER).1), 70_008);
    let plain = [("code_challenge", VERIFIER), ("code_challenge_method", "plain")];
    let code = sent_back(&authorize(&ms, "common", &plain)).remove("code").unwrap();
    assert_eq!(exchange(&ms, &code, VERIFIER).0, 200);
    assert_eq!(
        sent_back(&authorize(&ms, "common", &[("code_challenge", "short")]))["error"],
        "invalid_request"
    );
}

#[test]
fn row_tenants_let_in_their_own() {
    let mut config = MicrosoftConfig::default();
    config.clients.push(program("ours", Audience::Tenant(tenant_of("example.com"))));
    let ms = Microsoft::with(config);
    assert_eq!(
        (ms.face.account(&ms.ann), ms.face.account(&ms.bob)),
        (Account::Work(tenant_of("example.com")), Account::Personal)
    );
    let status = |tenant: &str, hint: &str| authorize(&ms, tenant, &[("login_hint", hint)]).status;
    for (tenant, ann, bob) in [
        ("common", 302, 302),
        ("organizations", 302, 400),
        ("consumers", 400, 302),
        (tenant_of("example.com").as_str(), 302, 400),
        (tenant_of("example.org").as_str(), 400, 400),
        ("nowhere", 400, 400),
    ] {
        assert_eq!(
            (status(tenant, "ann@example.com"), status(tenant, "bob@example.org")),
            (ann, bob),
            "{tenant}"
        );
    }
    let one_tenant = authorize(&ms, "common", &[("client_id", "ours")]);
    assert!(one_tenant.status == 400 && one_tenant.body.contains("AADSTS50194"));
    assert_eq!(authorize(&ms, &tenant_of("example.com"), &[("client_id", "ours")]).status, 302);
}

#[test]
fn row_errors_of_the_page_and_back_to_the_program() {
    let ms = Microsoft::new();
    let page = authorize(&ms, "common", &[("redirect_uri", "http://127.0.0.1:3000/other")]);
    assert!(page.status == 400 && page.body.contains("AADSTS50011"), "never redirected there");
    assert!(authorize(&ms, "common", &[("client_id", "none")]).body.contains("AADSTS700016"));
    let error = |more: &[(&str, &str)]| sent_back(&authorize(&ms, "common", more))["error"].clone();
    assert_eq!(error(&[("decision", "deny")]), "access_denied");
    assert_eq!(error(&[("prompt", "none")]), "interaction_required", "nothing was granted yet");
    assert_eq!(error(&[("prompt", "none"), ("login_hint", "")]), "login_required");
    assert_eq!(error(&[("response_type", "token")]), "unsupported_response_type");
    let_in(&ms, &[]);
    assert!(sent_back(&authorize(&ms, "common", &[("prompt", "none")])).contains_key("code"));
    let page = authorize(&ms, "common", &[("login_hint", "")]);
    let (shown, boxes) = ("value=\"bob@example.org\"", "checkbox");
    assert!(page.status == 200 && page.body.contains(shown) && !page.body.contains(boxes), "all or nothing");
    let form = authorize(&ms, "common", &[("response_mode", "form_post")]);
    assert!(form.status == 200 && form.body.contains("method=post") && form.body.contains("name=\"code\""));
    let hash = authorize(&ms, "common", &[("response_mode", "fragment")]);
    assert!(hash.headers[0].1.contains("#state="));
}

#[test]
fn row_documents_beside_it() {
    let ms = Microsoft::new();
    let body =
        |target: &str| serde_json::from_str::<Value>(&ms.ask(&ApiRequest::new("GET", target)).body).unwrap();
    assert!(body("/common/discovery/v2.0/keys")["keys"].is_array());
    let config = body("/common/v2.0/.well-known/openid-configuration");
    assert!(text(&config, "token_endpoint").ends_with("/common/oauth2/v2.0/token"));
}
