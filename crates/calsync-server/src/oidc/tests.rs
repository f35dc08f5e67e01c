//! Every judgement about what a provider says, without one: the integration tests have a real one.

use calsync_core::ports::IdGen;
use calsync_core::time::Ts;
use serde_json::{Value, json};
use uuid::Uuid;

use super::discovery::{Answers, Method};
use super::exchange::Reply;
use super::*;

const ISSUER: &str = "https://login.example.com/realms/staff";

fn document() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://login.example.com/auth?tenant=a",
        "token_endpoint": "https://login.example.com/token",
    })
}

fn described(issuer: &str, change: &Value) -> Result<Metadata, Trouble> {
    let mut all = document();
    for (name, value) in change.as_object().unwrap() {
        all[name] = value.clone();
    }
    discovery::read(issuer, &Reply { status: 200, body: all.to_string().into_bytes() })
}

fn is_set_up(trouble: &Trouble, words: &str) -> bool {
    matches!(trouble, Trouble::SetUp(said) if said.contains(words))
}

#[test]
fn a_description_is_looked_for_where_the_issuer_says() {
    for issuer in ["https://a.example.com", "https://a.example.com/"] {
        assert_eq!(discovery::url(issuer), "https://a.example.com/.well-known/openid-configuration");
    }
    assert_eq!(discovery::url(ISSUER), format!("{ISSUER}/.well-known/openid-configuration"));
}

#[test]
fn a_good_description_is_taken_as_it_stands() {
    let plain = described(ISSUER, &json!({})).unwrap();
    assert_eq!((plain.method, plain.answers, plain.userinfo), (Method::Basic, Answers::Nameless, None));
    for (supported, method) in [
        (json!(["client_secret_post", "client_secret_basic"]), Method::Basic),
        (json!(["private_key_jwt", "client_secret_post"]), Method::Post),
        (Value::Null, Method::Basic),
    ] {
        let found = described(ISSUER, &json!({"token_endpoint_auth_methods_supported": supported}));
        assert_eq!(found.unwrap().method, method, "{supported}");
    }
    let local = json!({
        "issuer": "http://127.0.0.1:4000", "authorization_endpoint": "http://127.0.0.1:4000/auth",
        "token_endpoint": "http://127.0.0.1:4000/token", "userinfo_endpoint": "https://login.example.com/me",
    });
    assert!(described("http://127.0.0.1:4000", &local).is_ok());
}

#[test]
fn every_description_that_is_refused_says_what_to_do() {
    for (change, words) in [
        (json!({"issuer": "https://login.example.com/realms/other"}), "set sign_in.oidc.issuer"),
        (json!({"issuer": format!("{ISSUER}/")}), "set sign_in.oidc.issuer"),
        (json!({"issuer": null}), "describes no OpenID provider"),
        (json!({"token_endpoint": "http://login.example.com/token"}), "no https URL"),
        (json!({"token_endpoint": "http://127.0.0.1/token"}), "no https URL"),
        (json!({"authorization_endpoint": "http://login.example.com/auth"}), "no https URL"),
        (json!({"authorization_endpoint": "javascript:alert(1)"}), "no https URL"),
        (json!({"userinfo_endpoint": "http://login.example.com/me"}), "no https URL"),
        (json!({"token_endpoint": "https://me:pw@login.example.com/token"}), "no https URL"),
        (json!({"token_endpoint": "/token"}), "no https URL"),
        (
            json!({"token_endpoint_auth_methods_supported": ["none", "private_key_jwt"]}),
            "client_secret_basic",
        ),
        (json!({"token_endpoint_auth_methods_supported": []}), "client_secret_basic"),
    ] {
        let trouble = described(ISSUER, &change).unwrap_err();
        assert!(is_set_up(&trouble, words), "{change}: {trouble:?}");
    }
    // An issuer on this machine gives leave to this machine alone.
    let elsewhere = json!({
        "issuer": "http://127.0.0.1:4000", "authorization_endpoint": "http://127.0.0.1:4000/auth",
        "token_endpoint": "http://192.0.2.1/token",
    });
    assert!(is_set_up(&described("http://127.0.0.1:4000", &elsewhere).unwrap_err(), "no https URL"));
    for (status, away) in [(404, false), (302, false), (403, false), (500, true), (503, true), (429, true)] {
        let trouble = discovery::read(ISSUER, &Reply { status, body: b"<html>".to_vec() }).unwrap_err();
        assert_eq!(matches!(trouble, Trouble::Away(_)), away, "{trouble:?}");
        assert!(away || is_set_up(&trouble, "check sign_in.oidc.issuer"), "{trouble:?}");
    }
    let page = Reply { status: 200, body: b"<html>".to_vec() };
    assert!(is_set_up(&discovery::read(ISSUER, &page).unwrap_err(), "describes no OpenID provider"));
}

#[test]
fn an_answer_of_another_provider_is_not_carried_on() {
    let nameless = described(ISSUER, &json!({})).unwrap();
    let named = described(ISSUER, &json!({"authorization_response_iss_parameter_supported": true})).unwrap();
    for (metadata, said, taken) in [
        (&nameless, None, true),
        (&nameless, Some(ISSUER), true),
        (&nameless, Some("https://other.example.com"), false),
        (&named, Some(ISSUER), true),
        (&named, None, false),
        (&named, Some("https://other.example.com"), false),
    ] {
        assert_eq!(metadata.is_of(ISSUER, said).is_ok(), taken, "{said:?}");
    }
}

#[test]
fn the_token_endpoints_refusals_tell_whose_turn_it_is() {
    let answered = |status, body: &str| tokens::read(&Reply { status, body: body.as_bytes().to_vec() }).err();
    let said = |status, code: &str| {
        answered(status, &json!({"error": code, "error_description": "canary"}).to_string()).unwrap()
    };
    for (status, code) in [(400, "server_error"), (503, ""), (502, "x"), (429, "slow_down"), (500, "")] {
        assert!(matches!(said(status, code), Trouble::Away(_)), "{status} {code}");
    }
    for (status, code, words) in [
        (401, "invalid_client", "sign_in.oidc.client_secret"),
        (400, "unauthorized_client", "sign_in.oidc.client_id"),
        (401, "", "sign_in.oidc.client_secret"),
        (400, "redirect_uri_mismatch", "redirect URL"),
        (400, "invalid_request", "refuses what we ask for (invalid_request)"),
        (302, "", "a redirect"),
        (404, "", "404"),
    ] {
        let trouble = said(status, code);
        assert!(is_set_up(&trouble, words), "{status} {code}: {trouble:?}");
        assert!(!trouble.to_string().contains("canary"));
    }
    assert!(matches!(said(400, "invalid_grant"), Trouble::Refused(_)));
    for nothing in ["<html>", "{}", "{\"access_token\":\"a\"}", "{\"id_token\":7}"] {
        assert!(is_set_up(&answered(200, nothing).unwrap(), "scope openid"), "{nothing}");
    }
    assert_eq!(answered(200, "{\"id_token\":\"a.b.c\",\"expires_in\":\"odd\"}"), None);
    assert!(matches!(refused("access_denied"), Trouble::Refused(_)));
    assert!(matches!(refused("temporarily_unavailable"), Trouble::Away(_)));
    assert!(matches!(refused("invalid_scope"), Trouble::SetUp(_)));
    assert!(!refused("<script>").to_string().contains('<'));
}

struct Counted;

impl IdGen for Counted {
    fn uuid(&self, _: Ts) -> Uuid {
        Uuid::nil()
    }

    fn token(&self) -> Secret {
        // The verifier of RFC 7636, Appendix B.
        Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    }

    fn below(&self, _: u64) -> u64 {
        0
    }
}

fn ours() -> Oidc {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = OidcSettings {
        issuer: ISSUER.to_owned(),
        client_id: "calendar sync".to_owned(),
        client_secret: Secret::new("s~e:cret"),
        name: "Example".to_owned(),
    };
    Oidc::new(settings).unwrap()
}

#[test]
fn a_browser_is_sent_with_all_that_the_answer_is_held_to() {
    let (oidc, metadata) = (ours(), described(ISSUER, &json!({})).unwrap());
    let begun = Begun {
        state: Secret::new("s-1"),
        nonce: Secret::new("n-1"),
        verifier: Counted.token(),
        next: "/week".to_owned(),
        begun_at: Ts::from_secs(0),
    };
    let url = oidc.place(&metadata, "https://sync.example.com/oauth/sign-in/callback", &begun);
    let sent: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        sent,
        [
            ("tenant", "a"),
            ("response_type", "code"),
            ("client_id", "calendar sync"),
            ("redirect_uri", "https://sync.example.com/oauth/sign-in/callback"),
            ("scope", "openid email"),
            ("state", "s-1"),
            ("nonce", "n-1"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
        ]
    );
    assert!(!url.as_str().contains("cret") && !format!("{oidc:?}").contains("cret\""));
}

#[test]
fn the_secret_goes_where_the_provider_takes_it() {
    let oidc = ours();
    let form = [("grant_type", "authorization_code"), ("code", "c+1")];
    let request = |method: Method| {
        let request = oidc.client.post("https://login.example.com/token");
        let (id, secret) = (&oidc.settings.client_id, &oidc.settings.client_secret);
        method.sign(request, &form, id, secret).build().unwrap()
    };
    let body = |request: &reqwest::Request| {
        String::from_utf8(request.body().unwrap().as_bytes().unwrap().to_vec()).unwrap()
    };
    let basic = request(Method::Basic);
    assert_eq!(body(&basic), "grant_type=authorization_code&code=c%2B1");
    let header = &basic.headers()["authorization"];
    let expected = data_encoding::BASE64.encode(b"calendar+sync:s%7Ee%3Acret");
    assert_eq!(header.to_str().unwrap(), format!("Basic {expected}"));
    assert!(header.is_sensitive());
    let post = request(Method::Post);
    assert!(!post.headers().contains_key("authorization"));
    assert_eq!(
        body(&post),
        "grant_type=authorization_code&code=c%2B1&client_id=calendar+sync&client_secret=s%7Ee%3Acret"
    );
}
