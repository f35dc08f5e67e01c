//! Settings from end to end: layers, errors, secrets, and the generated document.

use std::path::PathBuf;

use super::registry::{KEYS, SECTIONS};
use super::*;

mod alerts;
mod sign_in;

fn from(file: &str, env: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let file = (!file.is_empty()).then(|| (PathBuf::from("calendar-sync.toml"), file.to_owned()));
    load(&Sources::new(file, env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))))
}

fn lines(result: Result<Loaded, Problems>) -> Vec<String> {
    result.err().map_or(vec![], |problems| problems.0.iter().map(ToString::to_string).collect())
}

fn only(result: Result<Loaded, Problems>) -> String {
    let lines = lines(result);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.into_iter().next().unwrap()
}

fn key_text(n: u8) -> String {
    data_encoding::BASE64.encode(&(0..32).map(|i| i ^ n).collect::<Vec<u8>>())
}

#[test]
fn nothing_at_all_gives_the_defaults() {
    let loaded = from("", &[]).unwrap();
    let settings = &loaded.settings;
    assert_eq!(settings.server.bind.to_string(), "127.0.0.1:8080");
    assert!(settings.server.public_url.is_none() && settings.google.client.is_none());
    assert_eq!(settings.database.file(), Some("calendar-sync.db".into()));
    assert_eq!(settings.google.api_base, "https://www.googleapis.com/calendar/v3");
    assert_eq!(settings.database.max_connections, calsync_store::DEFAULT_CONNECTIONS);
    assert_eq!(settings.rate_limit.max_requests, 100);
    assert_eq!((settings.sync.window_past_days, settings.sync.window_future_days), (1, 90));
    assert_eq!(settings.webhooks.max_body_bytes, 10 * 1024);
    assert!(loaded.effective.iter().all(|e| e.origin == Origin::Default));
}

#[test]
fn headers_for_the_collector_are_read_and_named_with_all_other_problems() {
    let ours = "CALENDAR_SYNC__TRACES__HEADERS";
    let theirs = "OTEL_EXPORTER_OTLP_HEADERS";
    for (name, text, header, expected) in [
        (ours, "x-token=hunter=2, x-b=c", "x-token", "hunter=2"),
        (ours, "authorization=Basic%20aHVudGVy", "authorization", "Basic%20aHVudGVy"),
        // Theirs has values percent-encoded, so that they can hold commas and blanks.
        (theirs, "authorization=Basic%20aHVudGVy%3D, x-b=c%2Cd", "authorization", "Basic aHVudGVy="),
        (theirs, "x-a=1,x-b=c%2Cd", "x-b", "c,d"),
    ] {
        let settings = from("", &[(name, text)]).unwrap().settings;
        assert_eq!(settings.traces.headers[header], expected, "{name} {text}");
        assert!(!format!("{settings:?}").contains("aHVudGVy"));
    }
    for (name, text) in
        [(ours, "hunter2"), (ours, "a b=hunter2"), (theirs, "x=hunter2%0A"), (theirs, "x=%ff")]
    {
        let told = lines(from("", &[(name, text), ("CALENDAR_SYNC__SYNC__WORKERS", "none")]));
        assert_eq!(told.len(), 2, "{told:?}");
        let about = told.iter().find(|line| line.contains("traces.headers")).unwrap();
        assert!(!about.contains("hunter2") && about.contains("name=value"), "{about}");
    }
}

#[test]
fn the_environment_wins_over_the_file_and_origins_are_told() {
    let file = "[server]\nbind = \"127.0.0.1:1\"\npublic_url = \"https://a.example.com/\"\n\n[sync]\nworkers = 0x08\npoll_seconds = 1_000";
    let env = [
        ("CALENDAR_SYNC__SERVER__BIND", "[::1]:2"),
        ("WEBHOOK_BASE_URL", "https://b.example.com/base/"),
        ("CALENDAR_SYNC__LOG__LEVEL", ""),
        ("UNRELATED", "x"),
        ("REDIS_URL", "redis://localhost"),
    ];
    let loaded = from(file, &env).unwrap();
    assert_eq!(loaded.settings.server.bind.to_string(), "[::1]:2");
    assert_eq!(loaded.settings.server.public("/x/"), Some("https://b.example.com/base/x/".to_owned()));
    assert_eq!((loaded.settings.sync.workers, loaded.settings.sync.poll.as_secs()), (8, 1000));
    let origin =
        |path: &str| loaded.effective.iter().find(|e| e.key.path() == path).unwrap().origin.to_string();
    assert_eq!(origin("server.bind"), "environment CALENDAR_SYNC__SERVER__BIND");
    assert_eq!(origin("server.public_url"), "environment WEBHOOK_BASE_URL");
    assert_eq!(origin("sync.poll_seconds"), "calendar-sync.toml:7");
    assert_eq!(origin("log.level"), "default");
    let both = [("DATABASE_URL", "sqlite://a.db"), ("CALENDAR_SYNC__DATABASE__URL", "sqlite://b.db")];
    assert_eq!(from("", &both).unwrap().settings.database.url.expose(), "sqlite://b.db");
}

#[test]
fn all_problems_are_told_at_once_with_key_place_value_and_what_is_allowed() {
    let file = "[server]\nbind = \"localhost\"\npublic_url = \"http://sync.example.com\"\nbnd = 1\n\n[sync]\nworkers = 0\n\n[mail]\nport = \"x\"\n";
    let env = [
        ("CALENDAR_SYNC__SYNC__POLL_SECONDS", "often"),
        ("CALENDAR_SYNC__SYNC__WORKER", "2"),
        ("CALENDAR_SYNC__GOOGLE__CLIENT_SECRET", "hunter2"),
        ("REDIS_URL", "http://:hunter2@127.0.0.1"),
    ];
    assert_eq!(
        lines(from(file, &env)),
        [
            "calendar-sync.toml:10: mail.port: there is no such setting; `calendar-sync config docs` lists them all",
            "calendar-sync.toml:4: server.bnd: there is no such setting; did you mean server.bind?",
            "environment CALENDAR_SYNC__SYNC__WORKER: sync.worker: there is no such setting; did you mean CALENDAR_SYNC__SYNC__WORKERS?",
            "calendar-sync.toml:2: server.bind = \"localhost\": give an IP address and a port, such as `127.0.0.1:8080` or `[::1]:8080`",
            "calendar-sync.toml:3: server.public_url = \"http://sync.example.com\": give an https URL without query or fragment, such as `https://sync.example.com` (http only for this machine itself)",
            "environment REDIS_URL: redis.url: give a URL such as `redis://:PASSWORD@127.0.0.1:6379/0`, or `rediss://…` for TLS, with special characters of user and password percent-encoded",
            "environment CALENDAR_SYNC__SYNC__POLL_SECONDS: sync.poll_seconds = \"often\": give a whole number from 1 to 86400",
            "calendar-sync.toml:7: sync.workers = \"0\": give a whole number from 1 to 64",
            "environment CALENDAR_SYNC__GOOGLE__CLIENT_SECRET: google.client_secret: needs google.client_id as well",
        ]
    );
}

#[test]
fn every_kind_of_value_has_its_bounds() {
    for (setting, good, bad) in [
        ("webhooks.enabled", "true|false", "yes|1|True"),
        ("webhooks.max_body_bytes", "1024|1048576", "1023|1048577|-1|1.5|99999999999999999999"),
        ("webhooks.max_batch_bytes", "65536|1048576", "65535|1048577"),
        ("webhooks.rollout_percentage", "0|100", "101|-1|ten|10 %"),
        ("webhooks.user_rollout_percentage", "0|100", "101"),
        (
            "webhooks.early_adopters",
            "ada@example.com|Ada@Example.com, bob@example.com",
            "ada|ada@|ada@example.com bob@example.com",
        ),
        ("microsoft.tenant", "common|Organizations|contoso.example.com", "..|a/b|two words|a?b"),
        ("server.require_https", "off", "on|Redirect"),
        ("server.bind", "0.0.0.0:80|[::]:0", "80|:80|host:80|1.2.3.4|1.2.3.4:99999"),
        ("server.trusted_proxies", "10.0.0.0/8|10.0.0.1, ::1|fd00::/8,", "proxy|10.0.0.1/8|10.0.0.0/8;::1"),
        (
            "server.public_url",
            "https://a.example.com|http://localhost:8080|http://127.0.0.1|http://[::1]:1|https://a.example.com/x",
            "a.example.com|http://a.example.com|https://a?b|https://a#b|https://u:p@a|ftp://a|file:///x",
        ),
        ("google.api_base", "http://127.0.0.1:9000/calendar/v3", "http://192.0.2.1/x"),
        (
            "database.url",
            "sqlite://a.db|sqlite:a.db|sqlite:///var/x.db|sqlite::memory:|sqlite://a.db?mode=rwc|postgres://u:p@h/d|postgresql://h/d?sslmode=verify-full",
            "a.db|sqlite:|sqlite://|mysql://x",
        ),
        ("log.level", "info|warn,calsync_engine=debug|OFF", "loud|info,|calsync_engine|x=y"),
        ("log.format", "text|json", "xml"),
        ("database.max_connections", "3|500", "2|501"),
        ("sync.window_past_days", "0|365", "366"),
        ("alerts.reminder_seconds", "60|2592000", "59|0|never"),
        ("alerts.allowed_networks", "10.0.0.0/8|::1", "inside"),
        (
            "smtp.host",
            "mail.example.com|LOCALHOST|192.0.2.1|2001:db8::1|[2001:db8::1]",
            "mail.example.com:25|smtp://mail.example.com|a b|mail/x",
        ),
        ("smtp.port", "1|65535", "0|65536|smtp"),
        ("smtp.security", "starttls|tls|none", "ssl|STARTTLS|opportunistic"),
        ("smtp.from", "ada@example.com|Ada Lovelace <ada@example.com>", "ada|Ada|<ada@example.com|a@b@c"),
    ] {
        let (section, name) = setting.split_once('.').unwrap();
        let variable = registry::find(section, name).unwrap().variable();
        for value in good.split('|') {
            assert_eq!(lines(from("", &[(&variable, value)])), [""; 0], "{setting} {value}");
        }
        for value in bad.split('|') {
            let line = only(from("", &[(&variable, value)]));
            assert!(line.starts_with(&format!("environment {variable}: {setting} = ")), "{line}");
            assert!(!line.contains("hunter2"), "{line}");
        }
    }
}

#[test]
fn types_in_the_file_are_checked_too() {
    for (file, start) in [
        ("[sync]\nworkers = \"4\"", ""),
        (
            "[sync]\nworkers = 4.5",
            "calendar-sync.toml:2: sync.workers = \"a number with a fraction\": give a whole",
        ),
        ("[webhooks]\nenabled = 1", "calendar-sync.toml:2: webhooks.enabled = \"1\": give `true`"),
        ("[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]", ""),
        (
            "[server]\ntrusted_proxies = [1]",
            "calendar-sync.toml:2: server.trusted_proxies = \"a list of other things",
        ),
        ("[server.bind]\nport = 1", "calendar-sync.toml:1: server.bind = \"a table\": give an IP"),
        ("bind = \"x\"", "calendar-sync.toml:1: bind: there is no such setting; did you mean server.bind?"),
        ("server = 1", "calendar-sync.toml:1: server: there is no such setting"),
        ("[servers]", "calendar-sync.toml:1: servers: there is no such setting"),
        ("[server]", ""),
        ("server.bind = \"127.0.0.1:9\"", ""),
    ] {
        match start {
            "" => assert_eq!(lines(from(file, &[])), [""; 0], "{file}"),
            start => assert!(only(from(file, &[])).starts_with(start), "{}", only(from(file, &[]))),
        }
    }
}

#[test]
fn broken_toml_names_the_line_and_repeats_nothing_of_it() {
    let line = only(from("[google]\nclient_secret = hunter2\n", &[]));
    assert!(line.starts_with("calendar-sync.toml:2: not valid TOML: "), "{line}");
    assert!(!line.contains("hunter2"), "{line}");
    let twice = only(from("[log]\nlevel = \"info\"\nlevel = \"warn\"\n", &[]));
    assert!(twice.starts_with("calendar-sync.toml:3: not valid TOML: duplicate key"), "{twice}");
    let both = lines(from("[log\n", &[("CALENDAR_SYNC__LOG__FORMAT", "xml")]));
    assert!(both.len() >= 2 && both.iter().any(|l| l.contains("log.format")), "{both:?}");
}

#[test]
fn secrets_come_from_the_value_or_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    crate::secrets::keyfile::create(&path, &key_text(1), &crate::system::SystemRandom).unwrap();
    let path = path.to_str().unwrap();
    let direct = from("", &[("CALENDAR_SYNC__SECRETS__KEY", &key_text(1))]).unwrap().settings.secrets.key;
    for loaded in [
        from("", &[("CALENDAR_SYNC__SECRETS__KEY_FILE", path)]).unwrap(),
        from(&format!("[secrets]\nkey_file = \"{path}\""), &[]).unwrap(),
        from("[secrets]\nkey = \"x\"", &[("CALENDAR_SYNC__SECRETS__KEY_FILE", path)]).unwrap(),
    ] {
        assert_eq!(loaded.settings.secrets.key, direct);
        assert!(loaded.warnings.is_empty());
    }
    let list = format!("{}\n{}\n", key_text(2), key_text(3));
    std::fs::write(path, list).unwrap();
    let env = [
        ("CALENDAR_SYNC__SECRETS__KEY", key_text(1)),
        ("CALENDAR_SYNC__SECRETS__PREVIOUS_KEYS_FILE", path.to_owned()),
    ];
    let env: Vec<(&str, &str)> = env.iter().map(|(k, v)| (*k, v.as_str())).collect();
    assert_eq!(from("", &env).unwrap().settings.secrets.previous_keys.len(), 2);

    let twice = only(from(
        "",
        &[("CALENDAR_SYNC__SECRETS__KEY", &key_text(1)), ("CALENDAR_SYNC__SECRETS__KEY_FILE", path)],
    ));
    assert!(twice.contains("set twice"), "{twice}");
    let lost = only(from("", &[("CALENDAR_SYNC__SECRETS__KEY_FILE", "/nonexistent/key")]));
    assert!(lost.contains("secrets.key_file: cannot read /nonexistent/key: there is no such file"), "{lost}");
    let none = only(from("", &[("CALENDAR_SYNC__LOG__LEVEL_FILE", path)]));
    assert!(none.contains("log.level_file: there is no such setting"), "{none}");
}

#[test]
fn the_second_variable_of_a_secret_can_name_a_file_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("redis");
    std::fs::write(&path, "redis://:hunter2@redis.example.com\n").unwrap();
    let path = path.to_str().unwrap();
    for name in ["REDIS_URL_FILE", "CALENDAR_SYNC__REDIS__URL_FILE"] {
        let loaded = from("", &[(name, path)]).unwrap();
        assert_eq!(
            loaded.settings.redis.address.unwrap().to_string(),
            "redis://redis.example.com:6379",
            "{name}"
        );
    }
    let twice = only(from("", &[("REDIS_URL_FILE", path), ("REDIS_URL", "redis://127.0.0.1")]));
    assert!(twice.contains("redis.url: is set twice"), "{twice}");
}

#[test]
fn a_secret_is_never_shown() {
    let marker = "hunter2-marker";
    for name in ["KEY", "PREVIOUS_KEYS"] {
        let line = only(from("", &[(&format!("CALENDAR_SYNC__SECRETS__{name}"), marker)]));
        assert!(line.contains("neither base64 nor hex") && !line.contains(marker), "{line}");
    }
    let key = key_text(7);
    let file = format!(
        "[google]\nclient_id = \"id\"\nclient_secret = \"{marker}\"\n[redis]\nurl = \"redis://ada:{marker}@127.0.0.1\"\n[secrets]\nkey = \"{key}\"\nprevious_keys = [\"{key}\"]\n"
    );
    let loaded = from(&file, &[]).unwrap();
    let shown = serde_json::to_string(&show::show(&loaded)).unwrap() + &format!("{loaded:?}");
    assert!(!shown.contains(marker) && !shown.contains(&key), "{shown}");
    assert!(shown.contains("[secret]"));
}

#[test]
fn settings_that_contradict_each_other_are_told() {
    let refuse = only(from("[server]\nrequire_https = \"refuse\"", &[]));
    assert!(refuse.contains("server.require_https = \"refuse\": needs server.trusted_proxies"), "{refuse}");
    let redirect = lines(from("[server]\nrequire_https = \"redirect\"", &[]));
    assert_eq!(redirect.len(), 2, "{redirect:?}");
    let previous = only(from("", &[("CALENDAR_SYNC__SECRETS__PREVIOUS_KEYS", &key_text(1))]));
    assert!(previous.contains("needs secrets.key"), "{previous}");
}

#[test]
fn the_password_of_a_database_is_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("database");
    std::fs::write(&path, "postgres://sync:hunter2@db.example.com/sync\n").unwrap();
    let path = path.to_str().unwrap();
    for name in ["DATABASE_URL_FILE", "CALENDAR_SYNC__DATABASE__URL_FILE"] {
        let loaded = from("", &[(name, path)]).unwrap();
        assert!(loaded.settings.database.url.is_server() && loaded.settings.database.file().is_none());
        let seen = format!("{:?} {:?} {loaded:?}", show::show(&loaded), loaded.settings);
        assert!(
            !seen.contains("hunter2") && seen.contains("postgres://[secret]@db.example.com/sync"),
            "{seen}"
        );
    }
    for wrong in ["postgres://sync:hunter2", "postgre://sync:hunter2@db.example.com/sync"] {
        let line = only(from("", &[("DATABASE_URL", wrong)]));
        assert!(line.starts_with("environment DATABASE_URL: database.url: give `sqlite://`"), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn the_registry_is_sound() {
    let sections: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
    let mut paths = std::collections::BTreeSet::new();
    for key in KEYS {
        assert!(paths.insert(key.path()), "{} is listed twice", key.path());
        assert!(sections.contains(&key.section), "{}", key.path());
        assert!(key.doc.ends_with('.'), "{}", key.path());
        if let Some(text) = key.default {
            assert!(!key.kind.is_secret(), "{} has a public secret", key.path());
            assert!(key.kind.read(&kind::Raw::Text(text.to_owned())).is_ok(), "{} = {text}", key.path());
        }
    }
}

#[test]
fn the_document_is_the_one_that_the_code_generates() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == docs::markdown(), "run `calendar-sync config docs > docs/configuration.md`");
}

#[test]
fn the_example_of_the_document_is_sound() {
    let document = docs::markdown();
    let example = document.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let wrong = lines(from(example, &[]));
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    for (line, provider) in wrong.iter().zip(["google", "microsoft"]) {
        let missing =
            format!("{provider}.client_secret_file: cannot read /etc/calendar-sync/{provider}-secret");
        assert!(line.contains(&missing), "{line}");
    }
}

#[test]
fn no_half_written_file_makes_it_stumble() {
    let whole = "[server]\nbind = \"[::1]:1\" # ü\ntrusted_proxies = [\"::1\", '10.0.0.0/8']\n[secrets]\nkey = \"\"\"x\n\"\"\"\nprevious_keys = [1, {a = 2}]\n";
    for end in (0..=whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        for tail in ["", "\0", "\u{feff}", "[[", "\"", " = "] {
            let _ = from(&format!("{}{tail}", &whole[..end]), &[]);
        }
    }
}
