//! The organisation's own sign-in: ID tokens and userinfo, and a whole sign-in at a provider that answers anything.

use calsync_core::ports::IdGen;
use calsync_core::secret::Secret;
use calsync_core::sign_in::id_token::{self, Address, Asked, Person};
use calsync_server::config::OidcSettings;
use calsync_server::oidc::{Answer, Oidc, Trouble};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::answers::{Plain, Stage, Stopped, on_stage, parts};
use crate::material::{first_line, has_canary, is_quiet};
use crate::{CANARY, NOW};

const ISSUER: &str = "https://login.example.com/realms/staff";
const CLIENT: &str = "calendar-sync";
const NONCE: &str = "n-1";
/// Two clocks may be so far apart, and a token so old, in seconds.
const SLACK: f64 = 60.0;
const AGE: f64 = 600.0;

/// The header of an ID token in the first line, then its claims; and the whole as a token, as it stands.
pub fn id_tokens(data: &[u8]) {
    if has_canary(data) {
        return;
    }
    let (header, claims) = first_line(data);
    let token = format!("{}.{}.c2ln", BASE64URL_NOPAD.encode(header), BASE64URL_NOPAD.encode(claims));
    if let Ok(person) = read(&token) {
        is_believed(header, claims, &person, ISSUER, NONCE);
        let other = json!("another");
        for claim in ["iss", "aud", "nonce"] {
            assert!(read(&with(header, claims, claim, &other)).is_err(), "any {claim} is believed");
        }
        for claim in ["iat", "exp"] {
            assert!(read(&with(header, claims, claim, &json!(0))).is_err(), "any {claim} is believed");
        }
    }
    if let Ok(raw) = std::str::from_utf8(data)
        && let Ok(person) = read(raw)
    {
        let parts: Vec<Vec<u8>> =
            raw.split('.').map(|part| BASE64URL_NOPAD.decode(part.as_bytes()).unwrap_or_default()).collect();
        is_believed(&parts[0], &parts[1], &person, ISSUER, NONCE);
    }
    if id_token::read_userinfo(data, "u-1").is_ok() {
        let told: Value = serde_json::from_slice(data).unwrap_or_default();
        assert_eq!(told["sub"].as_str(), Some("u-1"), "userinfo of somebody else is believed");
    }
}

/// What a provider says of itself, the claims of its ID token, and its userinfo.
pub fn oidc(data: &[u8]) {
    if !has_canary(data) {
        on_stage(|stage| sign_in(stage, data));
    }
}

fn sign_in(stage: &Stage, data: &[u8]) {
    let asked = String::from_utf8_lossy(data).replace("{nonce}", Plain.token().expose());
    let answers: Vec<Vec<u8>> = parts(asked.as_bytes()).into_iter().map(|part| stage.here(part)).collect();
    let claims = answers.get(1).cloned().unwrap_or_default();
    let header = br#"{"alg":"RS256"}"#;
    let token = format!("{}.{}.c2ln", BASE64URL_NOPAD.encode(header), BASE64URL_NOPAD.encode(&claims));
    // What is no object of claims is the answer of the token endpoint itself.
    let bought = match claims.first() {
        Some(b'{') => json!({"id_token": token, "access_token": CANARY}).to_string().into_bytes(),
        _ => claims.clone(),
    };
    let script = [answers[0].clone(), bought, answers.get(2).cloned().unwrap_or_default()];
    let (arrived, asked) = stage.play(script, whole_sign_in(stage));
    assert!(asked.iter().all(|target| !target.contains(CANARY)), "a secret stands in an address: {asked:?}");
    match arrived {
        Ok((place, person)) => {
            assert!(place.starts_with("https://") || place.starts_with("http://127.0.0.1"), "{place}");
            is_believed(header, &claims, &person, &stage.base, Plain.token().expose());
        }
        Err(trouble) => is_quiet(&trouble.to_string()),
    }
}

async fn whole_sign_in(stage: &Stage) -> Result<(String, Person), Trouble> {
    let settings = OidcSettings {
        issuer: stage.base.clone(),
        client_id: CLIENT.to_owned(),
        client_secret: Secret::new(CANARY),
        name: "Staff".to_owned(),
    };
    let oidc = Oidc::new(settings).map_err(|error| Trouble::Away(error.to_string()))?;
    let back = "https://sync.example.com/sign-in/callback";
    let (place, begun) = oidc.begin(back, "/".to_owned(), &Plain, &Stopped).await?;
    let code = Secret::new(CANARY);
    let answer = Answer { code: &code, issuer: Some(oidc.issuer()), redirect_uri: back };
    let arrived = oidc.finish(&answer, &begun, &Stopped).await?;
    Ok((place.to_string(), oidc.with_address(arrived).await?))
}

fn read(token: &str) -> Result<Person, id_token::Disbelief> {
    let nonce = Secret::new(NONCE);
    let asked = Asked { issuer: ISSUER, client_id: CLIENT, nonce: &nonce };
    id_token::read(&Secret::new(token), &asked, NOW).inspect_err(|disbelief| is_quiet(&disbelief.to_string()))
}

/// The token with another value in the place of this claim.
fn with(header: &[u8], claims: &[u8], claim: &str, value: &Value) -> String {
    let mut claims: Value = serde_json::from_slice(claims).unwrap_or_default();
    claims[claim] = value.clone();
    let claims = claims.to_string();
    format!("{}.{}.c2ln", BASE64URL_NOPAD.encode(header), BASE64URL_NOPAD.encode(claims.as_bytes()))
}

/// OpenID Connect Core 1.0 §3.1.3.7 once more, by other means.
fn is_believed(header: &[u8], claims: &[u8], person: &Person, issuer: &str, nonce: &str) {
    // Of what nobody reads, not even the letters must be right.
    let read = |json| serde_json::from_str::<Value>(&String::from_utf8_lossy(json)).unwrap_or_default();
    let (header, claims) = (read(header), read(claims));
    let signed = header["alg"].as_str().is_some_and(|alg| !alg.eq_ignore_ascii_case("none"));
    assert!(signed, "an unsigned token is believed: {header}");
    assert_eq!(claims["iss"].as_str(), Some(issuer), "{claims}");
    assert_eq!(claims["nonce"].as_str(), Some(nonce), "{claims}");
    let for_us = |aud: &Value| aud.as_str() == Some(CLIENT);
    let audience = &claims["aud"];
    let among = audience.as_array().is_some_and(|all| all.iter().any(for_us));
    assert!(for_us(audience) || among, "{claims}");
    let alone = for_us(audience) || audience.as_array().is_some_and(|all| all.iter().all(for_us));
    let party = claims["azp"].as_str();
    assert!(party == Some(CLIENT) || (party.is_none() && alone), "{claims}");
    let now = f64::from(i32::try_from(NOW.micros() / 1_000_000).unwrap_or(i32::MAX));
    assert!(claims["exp"].as_f64().is_some_and(|exp| now < exp + SLACK + 1.0), "{claims}");
    assert!(claims["iat"].as_f64().is_some_and(|iat| (now - iat).abs() <= AGE + 1.0), "{claims}");
    assert_eq!(claims["sub"].as_str(), Some(person.subject.as_str()), "{claims}");
    assert!(!person.subject.is_empty() && !person.subject.contains(char::is_control));
    if let Address::Verified(email) | Address::Unverified(email) = &person.address {
        assert!(!email.trim().is_empty());
    }
}
