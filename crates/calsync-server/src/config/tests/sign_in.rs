//! The organisation's own sign-in: whole or not at all, from either source, and kept to the letter.

use super::*;

const WHOLE: [(&str, &str); 4] = [
    ("CALENDAR_SYNC__SIGN_IN__OIDC__ISSUER", "https://Login.example.com/realms/staff/"),
    ("CALENDAR_SYNC__SIGN_IN__OIDC__CLIENT_ID", "calendar-sync"),
    ("CALENDAR_SYNC__SIGN_IN__OIDC__CLIENT_SECRET", "hunter2"),
    ("CALENDAR_SYNC__SIGN_IN__OIDC__NAME", "Example & Co"),
];

#[test]
fn it_is_read_whole_from_the_environment_and_from_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, "hunter2\n").unwrap();
    let file = format!(
        "[sign_in.oidc]\nissuer = \"{}\"\nclient_id = \"calendar-sync\"\nclient_secret_file = \"{}\"\nname = \"Example & Co\"",
        WHOLE[0].1,
        path.display()
    );
    for loaded in [from("", &WHOLE).unwrap(), from(&file, &[]).unwrap()] {
        let settings = loaded.settings;
        assert!(!format!("{settings:?}").contains("hunter2"));
        let oidc = settings.oidc.unwrap();
        assert_eq!(oidc.issuer, "https://Login.example.com/realms/staff/", "to the letter");
        assert_eq!((oidc.client_id.as_str(), oidc.name.as_str()), ("calendar-sync", "Example & Co"));
        assert_eq!(oidc.client_secret.expose(), "hunter2");
    }
    for nothing in ["", "[sign_in]", "[sign_in.oidc]", "sign_in.oidc = {}"] {
        assert!(from(nothing, &[]).unwrap().settings.oidc.is_none(), "{nothing}");
    }
}

#[test]
fn half_of_it_is_told_once_with_all_that_lacks() {
    for (set, lacks) in [
        (
            &[0][..],
            "sign_in.oidc.issuer: needs sign_in.oidc.client_id, sign_in.oidc.client_secret and sign_in.oidc.name as well",
        ),
        (&[0, 1, 2], "sign_in.oidc.issuer: needs sign_in.oidc.name as well"),
        (&[2, 3], "sign_in.oidc.client_secret: needs sign_in.oidc.issuer and sign_in.oidc.client_id as well"),
        (&[1, 2, 3], "sign_in.oidc.client_id: needs sign_in.oidc.issuer as well"),
    ] {
        let env: Vec<_> = set.iter().map(|at| WHOLE[*at]).collect();
        let line = only(from("", &env));
        assert!(line.ends_with(lacks) && !line.contains("hunter2"), "{line}");
    }
}

#[test]
fn an_issuer_is_reached_by_https_or_on_this_machine() {
    for issuer in
        ["https://login.example.com", "http://127.0.0.1:4000", "http://localhost/realms/a", "https://[::1]/"]
    {
        let env: Vec<_> = [(WHOLE[0].0, issuer)].into_iter().chain(WHOLE[1..].iter().copied()).collect();
        assert_eq!(from("", &env).unwrap().settings.oidc.unwrap().issuer, issuer);
    }
    for bad in [
        "http://login.example.com",
        "login.example.com",
        "https://a@login.example.com",
        "https://login.example.com?a",
        "https://login.example.com#a",
    ] {
        let env: Vec<_> = [(WHOLE[0].0, bad)].into_iter().chain(WHOLE[1..].iter().copied()).collect();
        let line = only(from("", &env));
        assert!(line.contains("sign_in.oidc.issuer") && line.contains("https URL"), "{bad}: {line}");
    }
    let within = only(from("[sign_in.oidc.more]\na = 1", &[]));
    assert!(within.contains("sign_in.oidc.more: there is no such setting"), "{within}");
    let beside = only(from("[sign_in]\nname = \"x\"", &[]));
    assert!(beside.contains("sign_in.name: there is no such setting"), "{beside}");
    let slip = only(from("", &[("CALENDAR_SYNC__SIGN_IN__OIDC__ISUER", "x")]));
    assert!(slip.contains("did you mean CALENDAR_SYNC__SIGN_IN__OIDC__ISSUER?"), "{slip}");
}
