//! google.md §2: the web-server flow, its tokens and how they die.

use std::collections::BTreeMap;

use calsync_sim::google::{Answer, ApiRequest};
use data_encoding::BASE64URL_NOPAD;
use jiff::SignedDuration;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::stage::{Google, REDIRECT};

const SCOPE: &str = "openid email https://www.googleapis.com/auth/calendar.events";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0123456789";

fn authorize(google: &Google, client: &str, more: &[(&str, &str)]) -> Answer {
    let mut pairs: BTreeMap<&str, &str> = BTreeMap::from([
        ("client_id", client),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", SCOPE),
        ("state", "st&te"),
        ("access_type", "offline"),
        ("login_hint", "ann@example.com"),
    ]);
    pairs.extend(more.iter().copied());
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    google.ask(&ApiRequest::new("GET", &format!("/o/oauth2/v2/auth?{query}")))
}

/// What came back to the program in its redirect.
fn sent_back(answer: &Answer) -> BTreeMap<String, String> {
    assert_eq!(answer.status, 302, "{}", answer.body);
    let location = &answer.headers.iter().find(|(k, _)| *k == "location").unwrap().1;
    assert!(location.starts_with(REDIRECT), "{location}");
    url::Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

fn token(google: &Google, client: &str, pairs: &[(&str, &str)]) -> (u16, Value) {
    let mut all = vec![("client_id", client), ("client_secret", "s3cret")];
    all.extend(pairs);
    let answer = google.ask(&ApiRequest::new("POST", "/token").form(&all));
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

fn exchange(google: &Google, client: &str, code: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let mut pairs = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT)];
    pairs.extend(more);
    token(google, client, &pairs)
}

fn refresh(google: &Google, client: &str, refresh_token: &str) -> (u16, Value) {
    token(google, client, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
}

fn let_in(google: &Google, client: &str, more: &[(&str, &str)]) -> Value {
    let code = sent_back(&authorize(google, client, more)).remove("code").unwrap();
    let (status, body) = exchange(google, client, &code, &[]);
    assert_eq!(status, 200, "{body}");
    body
}

#[test]
fn row_the_whole_flow_with_pkce_s256() {
    let google = Google::new();
    let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(VERIFIER.as_bytes()));
    let pkce = [("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
    let back = sent_back(&authorize(&google, "app", &pkce));
    assert_eq!(back["state"], "st&te");
    assert!(back["scope"].contains("userinfo.email"));
    let (status, body) = exchange(&google, "app", &back["code"], &[("code_verifier", VERIFIER)]);
    assert_eq!((status, &body["token_type"], &body["expires_in"]), (200, &"Bearer".into(), &3_599.into()));
    let claims = body["id_token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap()).unwrap();
    assert_eq!((&claims["email"], &claims["aud"]), (&"ann@example.com".into(), &"app".into()));
    let access = body["access_token"].as_str().unwrap();
    let userinfo = google.ask(&ApiRequest::new("GET", "/v1/userinfo").bearer(access));
    let userinfo: Value = serde_json::from_str(&userinfo.body).unwrap();
    assert_eq!((&userinfo["sub"], &userinfo["email_verified"]), (&claims["sub"], &true.into()));
    let older = google.ask(&ApiRequest::new("GET", "/oauth2/v2/userinfo").bearer(access));
    assert!(older.body.contains("verified_email") && older.body.contains("\"id\""));
    let info = google.ask(&ApiRequest::new("GET", &format!("/tokeninfo?access_token={access}")));
    let info: Value = serde_json::from_str(&info.body).unwrap();
    assert_eq!((&info["azp"], &info["email"]), (&"app".into(), &"ann@example.com".into()));
    let events = ApiRequest::new("GET", "/calendar/v3/calendars/primary/events").bearer(access);
    assert_eq!(google.ask(&events).status, 200);
}

#[test]
fn row_a_code_is_single_use_and_bound_to_verifier_redirect_client_and_time() {
    let google = Google::new();
    let code = |more: &[(&str, &str)]| sent_back(&authorize(&google, "app", more)).remove("code").unwrap();
    let error = |answer: (u16, Value)| (answer.0, answer.1["error"].as_str().unwrap().to_owned());
    let once = code(&[]);
    assert_eq!(exchange(&google, "app", &once, &[]).0, 200);
    assert_eq!(error(exchange(&google, "app", &once, &[])), (400, "invalid_grant".into()));
    // Without a method the challenge is the verifier itself.
    let plain = [("code_challenge", VERIFIER)];
    assert_eq!(exchange(&google, "app", &code(&plain), &[("code_verifier", VERIFIER)]).0, 200);
    let wrong = exchange(&google, "app", &code(&plain), &[("code_verifier", "wrong")]);
    assert_eq!(error(wrong), (400, "invalid_grant".into()));
    assert_eq!(error(exchange(&google, "app", &code(&plain), &[])), (400, "invalid_grant".into()));
    let elsewhere = [("redirect_uri", "http://127.0.0.1:3000/other")];
    assert_eq!(error(exchange(&google, "app", &code(&[]), &elsewhere)).0, 400);
    assert_eq!(error(exchange(&google, "tester", &code(&[]), &[])), (400, "invalid_grant".into()));
    let late = code(&[]);
    google.clock.advance(SignedDuration::from_mins(11));
    assert_eq!(error(exchange(&google, "app", &late, &[])), (400, "invalid_grant".into()));
}

#[test]
fn row_redirect_uri_is_compared_byte_for_byte_and_never_followed_if_wrong() {
    let google = Google::new();
    for uri in [
        format!("{REDIRECT}/"),
        REDIRECT.replace("127.0.0.1", "localhost"),
        REDIRECT.replace("http", "HTTP"),
        format!("{REDIRECT}?x=1"),
    ] {
        let answer = authorize(&google, "app", &[("redirect_uri", &uri)]);
        assert_eq!(answer.status, 400, "{uri}");
        assert!(answer.body.contains("redirect_uri_mismatch") && answer.headers.is_empty());
    }
    assert!(authorize(&google, "nobody", &[]).body.contains("invalid_client"));
    for bad in [("response_type", "token"), ("scope", "anything"), ("prompt", "none consent"), ("scope", "")]
    {
        assert_eq!(authorize(&google, "app", &[bad]).status, 400, "{bad:?}");
    }
}

#[test]
fn row_prompt_decides_on_the_refresh_token() {
    let google = Google::new();
    let has = |more: &[(&str, &str)]| let_in(&google, "app", more)["refresh_token"].is_string();
    assert!(
        sent_back(&authorize(&google, "app", &[("prompt", "none")])).contains_key("error"),
        "never asked yet"
    );
    assert!(has(&[]), "the first time");
    assert!(!has(&[]), "a returning user yields none");
    assert!(has(&[("prompt", "consent")]));
    assert!(has(&[("prompt", "select_account consent")]));
    assert!(!has(&[("prompt", "consent"), ("access_type", "online")]));
    assert!(!has(&[("prompt", "none")]));
}

#[test]
fn row_refresh_gives_no_new_refresh_token_and_dies_by_revocation() {
    let google = Google::new();
    let body = let_in(&google, "app", &[]);
    let (access, dead) = (body["access_token"].as_str().unwrap(), body["refresh_token"].as_str().unwrap());
    let (status, again) = refresh(&google, "app", dead);
    assert_eq!((status, again["refresh_token"].is_null(), &again["scope"]), (200, true, &body["scope"]));
    assert_eq!(refresh(&google, "tester", dead).0, 400, "of another client");
    assert_eq!(google.ask(&ApiRequest::new("POST", "/revoke").form(&[("token", access)])).status, 200);
    let (status, gone) = refresh(&google, "app", dead);
    let documented = serde_json::json!({"error": "invalid_grant", "error_description": "Token has been expired or revoked."});
    assert_eq!((status, gone), (400, documented));
    let newer = again["access_token"].as_str().unwrap();
    let events = ApiRequest::new("GET", "/calendar/v3/calendars/primary/events").bearer(newer);
    assert_eq!(google.ask(&events).status, 401, "the whole grant dies");
    assert_eq!(google.ask(&ApiRequest::new("POST", "/revoke").form(&[("token", access)])).status, 400);
    assert!(let_in(&google, "app", &[])["refresh_token"].is_string(), "asked anew: as the first time");
}

#[test]
fn row_refresh_tokens_die_in_testing_by_disuse_and_beyond_a_hundred() {
    let google = Google::new();
    let week = SignedDuration::from_hours(24 * 7);
    let of = |client: &str| {
        let body = let_in(&google, client, &[("prompt", "consent")]);
        (body["refresh_token"].as_str().unwrap().to_owned(), body["refresh_token_expires_in"].as_i64())
    };
    let (testing, lives) = of("tester");
    assert_eq!(lives, Some(week.as_secs()));
    let (production, lives) = of("app");
    assert_eq!(lives, None);
    google.clock.advance(week);
    assert_eq!(refresh(&google, "tester", &testing).0, 400);
    assert_eq!(refresh(&google, "app", &production).0, 200);
    google.clock.advance(SignedDuration::from_hours(24 * 184));
    assert_eq!(refresh(&google, "app", &production).0, 400, "not used for six months");
    let (oldest, _) = of("app");
    for _ in 0..99 {
        of("app");
    }
    assert_eq!(refresh(&google, "app", &oldest).0, 200);
    of("app");
    assert_eq!(refresh(&google, "app", &oldest).0, 400, "the oldest of 101 dies silently");
}

#[test]
fn row_granular_consent_and_access_denied() {
    let google = Google::new();
    let ann = "ann@example.com".into();
    google.face.untick(&ann, "https://www.googleapis.com/auth/calendar.events");
    let granted = let_in(&google, "app", &[]);
    assert!(!granted["scope"].as_str().unwrap().contains("calendar"), "scope says what was granted");
    google.face.refuse_consent(&ann);
    let back = sent_back(&authorize(&google, "app", &[]));
    assert_eq!((back["error"].as_str(), back["state"].as_str()), ("access_denied", "st&te"));
    let back =
        sent_back(&authorize(&google, "app", &[("login_hint", "bob@example.com"), ("decision", "deny")]));
    assert_eq!(back["error"], "access_denied");
}

#[test]
fn row_include_granted_scopes() {
    let google = Google::new();
    let list = "https://www.googleapis.com/auth/calendar.calendarlist.readonly";
    let_in(&google, "app", &[]);
    let alone = let_in(&google, "app", &[("scope", list)]);
    assert_eq!(alone["scope"], list);
    let both = let_in(&google, "app", &[("scope", list), ("include_granted_scopes", "true")]);
    assert!(both["scope"].as_str().unwrap().contains("calendar.events"));
}

#[test]
fn row_without_a_hint_people_choose_on_a_page() {
    let google = Google::new();
    let page = authorize(&google, "app", &[("login_hint", "")]);
    assert_eq!(page.status, 200);
    let inputs = page.body.split("<input ").skip(1);
    let value = |input: &str, name: &str| {
        let rest = input.split(&format!("{name}=")).nth(1)?;
        let text = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next()?,
            None => rest.split([' ', '>']).next()?,
        };
        Some(text.replace("&amp;", "&"))
    };
    let fields: Vec<(String, String)> =
        inputs.map(|input| (value(input, "name").unwrap(), value(input, "value").unwrap())).collect();
    assert_eq!(fields.iter().filter(|(name, _)| name == "boxes").count(), 1, "{fields:?}");
    let send = |without: &str, with: (&str, &str)| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields.iter().filter(|(name, _)| name != without)).append_pair(with.0, with.1);
        sent_back(&google.ask(&ApiRequest::new("GET", &format!("/o/oauth2/v2/auth?{}", query.finish()))))
    };
    let all = send("", ("login_hint", "bob@example.com"));
    assert!(all["scope"].contains("calendar.events") && all["state"] == "st&te", "{all:?}");
    let less = send("granted", ("login_hint", "bob@example.com"));
    assert!(less.contains_key("code") && !less["scope"].contains("calendar.events"), "{less:?}");
    assert_eq!(send("", ("deny", "bob@example.com"))["error"], "access_denied");
}

#[test]
fn row_token_endpoint_errors() {
    let google = Google::new();
    let error = |pairs: &[(&str, &str)]| {
        let answer = google.ask(&ApiRequest::new("POST", "/token").form(pairs));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        (answer.status, body["error"].as_str().unwrap().to_owned())
    };
    assert_eq!(error(&[]), (400, "invalid_request".into()));
    assert_eq!(error(&[("client_id", "app"), ("client_secret", "x")]), (401, "invalid_client".into()));
    let who = [("client_id", "app"), ("client_secret", "s3cret")];
    assert_eq!(error(&who), (400, "invalid_request".into()));
    assert_eq!(error(&[who[0], who[1], ("grant_type", "password")]), (400, "unsupported_grant_type".into()));
}
