//! `config …` and `secrets generate`: what needs no database.

use std::os::unix::fs::PermissionsExt;

use crate::{run, run_with};

#[test]
fn without_anything_the_configuration_is_sound() {
    let dir = tempfile::tempdir().unwrap();
    let check = run(dir.path(), &["config", "check"]).expect(0);
    assert!(check.out.starts_with("the configuration is sound"), "{}", check.out);
    assert!(check.out.contains("every calendar is polled"), "{}", check.out);
    assert_eq!(run(dir.path(), &["config", "check", "--json"]).expect(0).json()["ok"], true);
}

#[test]
fn every_problem_is_named_at_once_and_the_code_is_3() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("calendar-sync.toml"),
        "[server]\nbind = \"nowhere\"\n\n[sync]\nworker = 3\n",
    )
    .unwrap();
    let env = [("CALENDAR_SYNC__SECRETS__KEY", "hunter2"), ("WEBHOOK_BASE_URL", "http://sync.example.com")];
    let check = run_with(dir.path(), &env, &["config", "check"]).expect(3);
    assert!(check.err.starts_with("error: 4 problems with the configuration\n"), "{}", check.err);
    for part in [
        "calendar-sync.toml:2: server.bind = \"nowhere\": give an IP address and a port",
        "calendar-sync.toml:5: sync.worker: there is no such setting; did you mean sync.workers?",
        "environment CALENDAR_SYNC__SECRETS__KEY: secrets.key: the key is neither base64 nor hex",
        "environment WEBHOOK_BASE_URL: server.public_url = \"http://sync.example.com\": give an https URL",
    ] {
        assert!(check.err.contains(part), "{part}\n{}", check.err);
    }
    assert!(!check.err.contains("hunter2"));
    let json = run_with(dir.path(), &env, &["config", "check", "--json"]).expect(3).json();
    assert_eq!(json["problems"].as_array().unwrap().len(), 4);
    assert_eq!(json["problems"][3]["key"], "secrets.key", "{json}");
    let other = run_with(dir.path(), &env, &["users", "list", "--json"]).expect(3);
    let error: serde_json::Value = serde_json::from_str(&other.err).unwrap();
    assert_eq!(error["error"]["code"], "configuration");
}

#[test]
fn a_certificate_for_the_mail_server_that_is_missing_or_none_is_told_before_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    let env = [
        ("CALENDAR_SYNC__SMTP__HOST", "mail.example.com"),
        ("CALENDAR_SYNC__SMTP__FROM", "sync@example.com"),
        ("CALENDAR_SYNC__SMTP__CA_FILE", path.to_str().unwrap()),
        ("CALENDAR_SYNC__ALERTS__EMAIL", "ada@example.com"),
    ];
    for (text, words) in [(None, "No such file"), (Some("no certificate\n"), "no certificate in PEM")] {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let check = run_with(dir.path(), &env, &["config", "check"]).expect(3);
        for part in ["environment CALENDAR_SYNC__SMTP__CA_FILE: smtp.ca_file = ", "ca.pem", words] {
            assert!(check.err.contains(part), "{part}\n{}", check.err);
        }
        let json = run_with(dir.path(), &env, &["config", "check", "--json"]).expect(3).json();
        assert_eq!(json["problems"][0]["key"], "smtp.ca_file", "{json}");
        let looked = run_with(dir.path(), &env, &["doctor", "--json"]).expect(1).json();
        let told = looked["checks"].as_array().unwrap().iter().find(|check| {
            check["outcome"] == "failed" && check["detail"].as_str().unwrap().contains("smtp.ca_file")
        });
        assert!(told.is_some_and(|check| check["detail"].as_str().unwrap().contains(words)), "{looked:#}");
    }
}

#[test]
fn a_configuration_file_that_is_not_there_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let lost = run(dir.path(), &["--config", "lost.toml", "config", "check"]).expect(3);
    assert!(
        lost.err.contains("lost.toml: cannot read the configuration file: there is no such file"),
        "{}",
        lost.err
    );
    run(dir.path(), &["--config", ".", "config", "show"]).expect(3);
}

#[test]
fn show_tells_values_and_origins_and_hides_secrets() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("calendar-sync.toml"),
        "[google]\nclient_id = \"me\"\nclient_secret = \"hunter2\"\n",
    )
    .unwrap();
    let show = run(dir.path(), &["config", "show"]).expect(0).out;
    let line = |key: &str| {
        show.lines().find(|l| l.starts_with(key)).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("google.client_secret"), "google.client_secret [secret] calendar-sync.toml:3");
    assert_eq!(line("sync.workers"), "sync.workers 4 default");
    assert!(!show.contains("hunter2"));
    let json = run(dir.path(), &["config", "show", "--json"]).expect(0).json();
    let workers = json.as_array().unwrap().iter().find(|s| s["key"] == "sync.workers").unwrap();
    assert_eq!((&workers["value"], &workers["origin"]), (&4.into(), &"default".into()));
}

#[test]
fn docs_prints_the_reference() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &["config", "docs"]).expect(0).out, calsync_server::config::docs::markdown());
}

#[test]
fn generate_makes_a_key_that_the_configuration_takes() {
    let dir = tempfile::tempdir().unwrap();
    let key = run(dir.path(), &["secrets", "generate"]).expect(0).out;
    run_with(dir.path(), &[("CALENDAR_SYNC__SECRETS__KEY", key.trim())], &["config", "check"]).expect(0);
    run(dir.path(), &["secrets", "generate", "--out", "my.key"]).expect(0);
    let mode = std::fs::metadata(dir.path().join("my.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let env = [("CALENDAR_SYNC__SECRETS__KEY_FILE", "my.key")];
    run_with(dir.path(), &env, &["config", "check"]).expect(0);
    let again = run(dir.path(), &["secrets", "generate", "--out", "my.key"]).expect(1);
    assert!(again.err.contains("exists already"), "{}", again.err);

    std::fs::set_permissions(dir.path().join("my.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = run_with(dir.path(), &env, &["config", "check"]).expect(0);
    assert!(open.out.contains("can be read by everybody"), "{}", open.out);
}
