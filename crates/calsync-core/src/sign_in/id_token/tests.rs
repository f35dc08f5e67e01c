//! Every reason not to believe a token, one changed claim at a time, and what is believed of an address.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use serde_json::json;

use super::*;

const ISSUER: &str = "https://login.example.com/realms/staff";
const NOW: i64 = 1_795_000_000;

fn part(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

fn good() -> Value {
    json!({
        "iss": ISSUER, "aud": "calendar-sync", "exp": NOW + 300, "iat": NOW, "nonce": "n-1", "sub": "u-1",
        "email": "ada@example.com", "email_verified": true,
    })
}

/// The token with these claims in place of the good ones; `null` takes one away.
fn changed(change: &Value) -> Value {
    let mut claims = good();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn text(header: &Value, claims: &Value) -> String {
    format!("{}.{}.c2lnbmF0dXJl", part(header), part(claims))
}

fn judged(token: &str) -> Result<Person, Disbelief> {
    let nonce = Secret::new("n-1");
    let asked = Asked { issuer: ISSUER, client_id: "calendar-sync", nonce: &nonce };
    read(&Secret::new(token), &asked, Ts::from_secs(NOW))
}

fn of(change: &Value) -> Result<Person, Disbelief> {
    judged(&text(&json!({"alg": "RS256"}), &changed(change)))
}

#[test]
fn a_good_token_names_its_person() {
    let address = Address::Verified("ada@example.com".to_owned());
    let ada = Ok(Person { subject: "u-1".to_owned(), address });
    for change in [
        json!({}),
        json!({"aud": ["calendar-sync"]}),
        json!({"aud": ["calendar-sync"], "azp": "calendar-sync"}),
        json!({"aud": ["other", "calendar-sync"], "azp": "calendar-sync"}),
        json!({"exp": NOW - 59}),
        json!({"exp": f64::from(i32::MAX) + 0.5}),
        json!({"iat": NOW - 600}),
        json!({"iat": NOW + 600}),
        json!({"unknown": {"anything": [1, 2]}}),
    ] {
        assert_eq!(of(&change), ada, "{change}");
    }
}

#[test]
fn every_refusal() {
    let others = || Disbelief::Issuer("https://other.example.com".to_owned());
    let table = [
        (json!({"iss": "https://other.example.com"}), others()),
        (json!({"iss": format!("{ISSUER}/")}), Disbelief::Issuer(format!("{ISSUER}/"))),
        (json!({"iss": null}), Disbelief::Malformed),
        (json!({"aud": "other"}), Disbelief::Audience),
        (json!({"aud": []}), Disbelief::Audience),
        (json!({"aud": ["other"], "azp": "calendar-sync"}), Disbelief::Audience),
        (json!({"aud": null}), Disbelief::Malformed),
        (json!({"aud": ["calendar-sync", "other"]}), Disbelief::Party),
        (json!({"aud": ["calendar-sync", "other"], "azp": "other"}), Disbelief::Party),
        (json!({"azp": "other"}), Disbelief::Party),
        (json!({"exp": NOW - 60}), Disbelief::Expired),
        (json!({"exp": 0}), Disbelief::Expired),
        (json!({"exp": -1.0e300}), Disbelief::Expired),
        (json!({"exp": null}), Disbelief::Malformed),
        (json!({"exp": "soon"}), Disbelief::Malformed),
        (json!({"iat": NOW - 601}), Disbelief::Undated),
        (json!({"iat": NOW + 601}), Disbelief::Undated),
        (json!({"iat": null}), Disbelief::Undated),
        (json!({"nonce": "n-2"}), Disbelief::Nonce),
        (json!({"nonce": ""}), Disbelief::Nonce),
        (json!({"nonce": null}), Disbelief::Nonce),
        (json!({"sub": null}), Disbelief::Subject),
        (json!({"sub": ""}), Disbelief::Subject),
        (json!({"sub": "u\n1"}), Disbelief::Subject),
        (json!({"sub": "u".repeat(256)}), Disbelief::Subject),
        (json!({"sub": 7}), Disbelief::Malformed),
    ];
    for (change, why) in table {
        assert_eq!(of(&change), Err(why), "{change}");
    }
}

#[test]
fn what_is_no_signed_token_is_none() {
    for alg in ["none", "None", "NONE"] {
        assert_eq!(judged(&text(&json!({"alg": alg}), &good())), Err(Disbelief::Unsigned));
    }
    let (header, claims) = (part(&json!({"alg": "RS256"})), part(&good()));
    for odd in [
        String::new(),
        claims.clone(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}.c2ln.c2ln.c2ln"),
        format!("{}.{claims}.c2ln", part(&json!({}))),
        format!("!.{claims}.c2ln"),
        format!("{}.{claims}.c2ln", part(&json!(["RS256"]))),
        format!("{header}.{claims}=.c2ln"),
        format!("{header}.{}.c2ln", part(&json!([1]))),
        format!("{header}.{}.c2ln", BASE64URL_NOPAD.encode(br#"{"iss":"a","iss":"b"}"#)),
    ] {
        assert_eq!(judged(&odd), Err(Disbelief::Malformed), "{odd}");
    }
}

#[test]
fn an_address_counts_where_the_provider_saw_that_it_is_theirs() {
    let ada = || "ada@example.com".to_owned();
    let table = [
        (json!({}), Address::Verified(ada())),
        (json!({"email_verified": "true"}), Address::Verified(ada())),
        (json!({"email_verified": 1}), Address::Verified(ada())),
        (json!({"email_verified": null, "xms_edov": true}), Address::Verified(ada())),
        (json!({"email_verified": null, "xms_edov": "1"}), Address::Verified(ada())),
        (json!({"email_verified": false, "xms_edov": true}), Address::Unverified(ada())),
        (json!({"email_verified": null, "xms_edov": false}), Address::Unverified(ada())),
        (json!({"email_verified": false}), Address::Unverified(ada())),
        (json!({"email_verified": null}), Address::Unverified(ada())),
        (json!({"email_verified": "yes"}), Address::Unverified(ada())),
        (json!({"email_verified": {"a": 1}}), Address::Unverified(ada())),
        (json!({"email": null}), Address::Untold),
        (json!({"email": " "}), Address::Untold),
    ];
    for (change, address) in table {
        assert_eq!(of(&change).unwrap().address, address, "{change}");
        let mut told = changed(&change);
        told["sub"] = json!("u-1");
        assert_eq!(read_userinfo(told.to_string().as_bytes(), "u-1"), Ok(address), "{change}");
    }
    let told = good().to_string();
    assert_eq!(read_userinfo(told.as_bytes(), "u-2"), Err(Disbelief::Another));
    assert_eq!(read_userinfo(b"{\"email\":\"ada@example.com\"}", "u-1"), Err(Disbelief::Malformed));
}

#[test]
fn no_reason_repeats_a_secret() {
    let said = format!("{:?}", of(&json!({"nonce": "hunter2"})));
    assert!(!said.contains("hunter2") && !said.contains("n-1"), "{said}");
}
