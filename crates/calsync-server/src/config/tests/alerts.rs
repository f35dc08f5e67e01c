//! Who is told of alerts: what does not go together, and what must never be shown.

use super::*;

#[test]
fn alerts_that_cannot_be_sent_are_told_all_at_once() {
    let secret = "hunter2-marker";
    let file = format!(
        "[alerts]\nemail = [\"ada@example.com\", \"a..b@example.com\"]\nslack = \"http://127.0.0.1/{secret}\"\n\
         webhook = \"https://{secret}@example.com/\"\nwebhook_secret = \"{secret}\"\n\
         pager = [\"night@example.com\", \"https://example.com/ok\", \"{secret}\"]\n[smtp]\nusername = \"ada\"\n"
    );
    let told = lines(from(&file, &[]));
    for (start, words) in [
        ("calendar-sync.toml:4: alerts.webhook: ", "https or http URL without user"),
        ("calendar-sync.toml:5: alerts.webhook_secret: ", "`whsec_` and 24 to 64 random bytes"),
        (
            "calendar-sync.toml:6: alerts.pager: ",
            "destination number 3 is none: give a list of e-mail addresses",
        ),
        ("calendar-sync.toml:2: alerts.email: ", "needs smtp.host as well"),
        ("calendar-sync.toml:2: alerts.email: ", "needs smtp.from as well"),
        ("calendar-sync.toml:2: alerts.email: ", "\"a..b@example.com\" is no address"),
        ("calendar-sync.toml:8: smtp.username: ", "needs smtp.password as well"),
        ("calendar-sync.toml:3: alerts.slack: ", "127.0.0.1 is this machine itself"),
    ] {
        assert!(
            told.iter().any(|line| line.starts_with(start) && line.contains(words)),
            "{start}{words}: {told:#?}"
        );
    }
    assert_eq!(told.len(), 8, "{told:#?}");
    assert!(!told.concat().contains(secret), "{told:#?}");

    let many = (0..21).map(|n| format!("a{n}@example.com")).collect::<Vec<_>>().join(",");
    let mail = "[smtp]\nhost = \"mail.example.com\"\nfrom = \"sync@example.com\"\n";
    for name in ["EMAIL", "PAGER"] {
        let line = only(from(mail, &[(&format!("CALENDAR_SYNC__ALERTS__{name}"), &many)]));
        assert!(line.contains("at most 20"), "{line}");
    }
    let paged = lines(from("", &[("CALENDAR_SYNC__ALERTS__PAGER", "night@example.com")]));
    assert_eq!(paged.len(), 2, "{paged:?}");
}

#[test]
fn where_alerts_go_is_a_secret_and_can_be_kept_in_files() {
    let secret = "hunter2-marker";
    let dir = tempfile::tempdir().unwrap();
    let key = format!("whsec_{}", data_encoding::BASE64.encode(&[9; 32]));
    let hook = format!("https://hooks.slack.com/services/{secret}");
    let values = [
        ("ALERTS__SLACK", hook.clone()),
        ("ALERTS__WEBHOOK", hook.clone()),
        ("ALERTS__WEBHOOK_SECRET", format!("{key}\n{key}")),
        ("ALERTS__PAGER", format!("night@example.com\n{hook}")),
        ("SMTP__PASSWORD", secret.to_owned()),
    ];
    let mut env = vec![
        ("CALENDAR_SYNC__SMTP__HOST".to_owned(), "[2001:db8::1]".to_owned()),
        ("CALENDAR_SYNC__SMTP__FROM".to_owned(), "Calendar Sync <sync@example.com>".to_owned()),
        ("CALENDAR_SYNC__SMTP__USERNAME".to_owned(), "sync".to_owned()),
        ("CALENDAR_SYNC__SMTP__SECURITY".to_owned(), "tls".to_owned()),
    ];
    for (name, text) in &values {
        let path = dir.path().join(name);
        std::fs::write(&path, format!("{text}\n")).unwrap();
        env.push((format!("CALENDAR_SYNC__{name}_FILE"), path.display().to_string()));
    }
    let env: Vec<(&str, &str)> = env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let loaded = from("", &env).unwrap();
    let alerts = &loaded.settings.alerts;
    assert_eq!((alerts.webhook_secret.len(), alerts.pager.len(), alerts.reminder.as_secs()), (2, 2, 14_400));
    assert_eq!(alerts.slack.as_ref().unwrap().url().as_str(), hook);
    let smtp = loaded.settings.smtp.as_ref().unwrap();
    assert_eq!((smtp.host.as_str(), smtp.port), ("2001:db8::1", 465), "the port is the usual one");
    let seen = format!("{:?} {loaded:?}", show::show(&loaded));
    assert!(!seen.contains(secret) && !seen.contains(&key), "{seen}");
    assert!(from("", &[]).unwrap().settings.smtp.is_none());
}
