//! Mail to a real mail server: what arrives, by which ways, and what the server refuses.

use std::time::{Duration, Instant};

use calsync_core::alert::{Again, AlertMessage, Occasion};
use calsync_server::alerting::{Channels, NoChannels, Undelivered};
use calsync_testbed::mail::{MailServer, MailTls};

use super::letters::{Letter, letters, with};
use super::{MARKER, Names, deliver, message, settings, world};

const BUSY: Duration = Duration::from_secs(10);
const LOGIN: (&str, &str) = ("sync@example.org", MARKER);

/// One try to hand over a letter to this server, with these settings besides.
async fn tell(
    server: &MailServer,
    security: &str,
    others: &[(&str, &str)],
    told: &AlertMessage,
) -> Result<(), Undelivered> {
    let port = server.port().to_string();
    deliver(&settings(&with(&port, security, others)), &world(&Names::default(), BUSY), told).await
}

fn only(server: &MailServer) -> Letter {
    let mut all = letters(server);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[tokio::test]
async fn a_letter_arrives_with_all_its_parts() {
    let server = MailServer::start(MailTls::Off, None);
    tell(&server, "none", &[], &message(Occasion::Opened)).await.unwrap();
    let letter = only(&server);
    assert_eq!(letter.to(), ["ada@example.com"]);
    assert_eq!(letter.0["from"], "sync@example.org");
    for (name, value) in [
        ("Subject", "[Calendar Sync] CRITICAL: database_down"),
        ("From", "Calendar Sync <sync@example.org>"),
        ("To", "ada@example.com"),
        ("Date", "Sun, 22 Nov 2026 10:05:30 +0000"),
        ("Message-ID", "<01935000-0000-7000-8000-0000000000ff@example.org>"),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
    ] {
        assert_eq!(letter.header(name), Some(value), "{}", letter.0["raw"]);
    }
    let text = letter.part("text/plain");
    // A line with nothing but a dot would end a letter that was not sent with care.
    for said in [
        "The database does not answer.\n.\nIt said",
        "What to do: Start PostgreSQL & look",
        "Zoë's <b>work</b> & more",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let page = letter.part("text/html");
    assert!(
        page.contains("&lt;script&gt;") && !page.contains("<script>") && page.contains("Zoë&#39;s"),
        "{page}"
    );
    let raw = letter.0["raw"].as_str().unwrap();
    assert!(raw.lines().all(|line| line.len() <= 998), "no line is longer than RFC 5322 allows");
}

#[tokio::test]
async fn what_follows_refers_to_the_first() {
    let server = MailServer::start(MailTls::Off, None);
    for occasion in [Occasion::Opened, Occasion::Reminded, Occasion::Resolved] {
        tell(&server, "none", &[], &message(occasion)).await.unwrap();
    }
    let all = letters(&server);
    let first = all[0].header("Message-ID").unwrap();
    let subjects: Vec<_> = all.iter().map(|letter| letter.header("Subject").unwrap()).collect();
    assert_eq!(
        subjects,
        [
            "[Calendar Sync] CRITICAL: database_down",
            "[Calendar Sync] CRITICAL: database_down (still open)",
            "[Calendar Sync] CRITICAL: database_down (resolved)",
        ]
    );
    for letter in &all[1..] {
        assert_eq!((letter.header("References"), letter.header("In-Reply-To")), (Some(first), Some(first)));
        assert_ne!(letter.header("Message-ID"), Some(first));
    }
}

#[tokio::test]
async fn it_goes_by_starttls_and_by_tls_and_signed_in() {
    for (tls, security) in [(MailTls::StartTls, "starttls"), (MailTls::Implicit, "tls")] {
        let server = MailServer::start(tls, Some(LOGIN));
        let authority = server.authority().display().to_string();
        let others =
            [("SMTP__CA_FILE", authority.as_str()), ("SMTP__USERNAME", LOGIN.0), ("SMTP__PASSWORD", LOGIN.1)];
        tell(&server, security, &others, &message(Occasion::Test)).await.unwrap();
        let letter = only(&server);
        assert_eq!((&letter.0["tls"], &letter.0["user"]), (&true.into(), &LOGIN.0.into()));
        // By its address as well: that stands in its certificate too.
        let by_address = [&others[..], &[("SMTP__HOST", "127.0.0.1")]].concat();
        tell(&server, security, &by_address, &message(Occasion::Test)).await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_ends_it_before_the_password() {
    for (tls, security) in [(MailTls::StartTls, "starttls"), (MailTls::Implicit, "tls")] {
        let server = MailServer::start(tls, Some(LOGIN));
        let stranger = server.stranger().display().to_string();
        let login = [("SMTP__USERNAME", LOGIN.0), ("SMTP__PASSWORD", LOGIN.1)];
        for others in [login.to_vec(), [&login[..], &[("SMTP__CA_FILE", stranger.as_str())]].concat()] {
            let told = tell(&server, security, &others, &message(Occasion::Test)).await.unwrap_err();
            assert!(told.reason.contains("not trusted") && told.reason.contains("smtp.ca_file"), "{told}");
            assert_eq!(told.again, Again::Later(None), "it may be renewed in a moment");
        }
        assert!(letters(&server).is_empty());
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_repeated() {
    let server = MailServer::start(MailTls::StartTls, Some(("sync@example.org", "another")));
    let authority = server.authority().display().to_string();
    let others =
        [("SMTP__CA_FILE", authority.as_str()), ("SMTP__USERNAME", LOGIN.0), ("SMTP__PASSWORD", LOGIN.1)];
    // This server even repeats the password in its answer; `deliver` looks for it.
    let told = tell(&server, "starttls", &others, &message(Occasion::Test)).await.unwrap_err();
    assert_eq!(told.again, Again::Never, "trying on would lock the account");
    assert!(told.reason.contains("535") && told.reason.contains("smtp.password"), "{told}");

    let told = tell(&server, "starttls", &others[..1], &message(Occasion::Test)).await.unwrap_err();
    assert_eq!(told.again, Again::Never);
    assert!(told.reason.contains("530") && told.reason.contains("smtp.username"), "{told}");
    assert!(letters(&server).is_empty());
}

#[tokio::test]
async fn without_starttls_nothing_is_sent_unless_told_so() {
    let server = MailServer::start(MailTls::Off, Some(LOGIN));
    let login = [("SMTP__USERNAME", LOGIN.0), ("SMTP__PASSWORD", LOGIN.1)];
    let told = tell(&server, "starttls", &login, &message(Occasion::Test)).await.unwrap_err();
    assert_eq!(told.again, Again::Never);
    for words in ["offers no STARTTLS", "smtp.security", "no password"] {
        assert!(told.reason.contains(words), "{told}");
    }
    assert!(letters(&server).is_empty());
    tell(&server, "none", &login, &message(Occasion::Test)).await.unwrap();
    assert_eq!(only(&server).0["user"], LOGIN.0);
}

#[tokio::test]
async fn one_address_that_is_refused_stops_no_other() {
    let server = MailServer::start(MailTls::Off, None);
    let port = server.port().to_string();
    let all = "ada@example.com, later@example.com, refused@example.com, zoe@example.com";
    let settings = settings(&with(&port, "none", &[("ALERTS__EMAIL", all)]));
    let channels = Channels::in_world(&settings, &world(&Names::default(), BUSY)).unwrap();
    let mut told = Vec::new();
    for channel in channels.all() {
        told.push(
            channel.channel().deliver(&message(Occasion::Opened)).await.map_err(|e| (e.again, e.reason)),
        );
    }
    assert!(told[0].is_ok() && told[3].is_ok(), "{told:?}");
    let (again, reason) = told[1].clone().unwrap_err();
    assert!(again == Again::Later(None) && reason.contains("451 4.7.1 come back in a while"), "{reason}");
    let (again, reason) = told[2].clone().unwrap_err();
    assert!(again == Again::Never && reason.contains("550 5.1.1 nobody of this name here"), "{reason}");
    let to: Vec<_> = letters(&server).iter().map(|letter| letter.to().join(",")).collect();
    assert_eq!(to, ["ada@example.com", "zoe@example.com"]);
}

#[tokio::test]
async fn a_server_that_is_gone_or_stands_still_is_told_apart() {
    let mut server = MailServer::start(MailTls::Off, None);
    server.pause();
    let port = server.port().to_string();
    let short = Duration::from_millis(800);
    let settings = settings(&with(&port, "none", &[]));
    let world = world(&Names::default(), short);
    let began = Instant::now();
    let told = deliver(&settings, &world, &message(Occasion::Opened)).await.unwrap_err();
    assert!(told.reason.contains("did not greet us in time") && began.elapsed() < short * 4, "{told}");
    assert_eq!(told.again, Again::Later(None));
    server.resume();
    server.kill();
    let told = deliver(&settings, &world, &message(Occasion::Opened)).await.unwrap_err();
    assert!(told.reason.contains("nothing listens") && told.again == Again::Later(None), "{told}");
    server.start_again();
    tell(&server, "none", &[], &message(Occasion::Opened)).await.unwrap();
}

#[tokio::test]
async fn a_certificate_file_that_is_none_is_told_at_the_start() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ca.pem");
    let of = |path: &str| {
        let settings = settings(&with("2525", "starttls", &[("SMTP__CA_FILE", path)]));
        Channels::in_world(&settings, &world(&Names::default(), BUSY)).unwrap_err()
    };
    assert!(matches!(of(path.to_str().unwrap()), NoChannels::Authority { .. }));
    std::fs::write(&path, "no certificate\n").unwrap();
    let told = of(path.to_str().unwrap()).to_string();
    assert!(told.starts_with("smtp.ca_file ") && told.contains("PEM"), "{told}");
}
