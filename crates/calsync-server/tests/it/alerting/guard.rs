//! Where URLs may not lead: each of the corpus, tried by the real client with somebody really listening, and names that
//! answer differently the next moment.

use std::time::Duration;

use calsync_core::alert::{Again, Occasion};
use calsync_server::alerting::channels::World;
use calsync_server::alerting::destination::Hook;
use calsync_server::config::Settings;

use super::corpus::{LITERALS, MALFORMED, NAMES};
use super::receiver::{Receiver, Reply};
use super::{Names, deliver, message, settings, world};

const PATIENCE: Duration = Duration::from_secs(5);

/// Settings whose webhook is this, whatever the check of the settings would say to it.
fn to(url: &str, allowed: &str) -> Settings {
    let mut settings =
        settings(&[("ALERTS__WEBHOOK", "https://example.com/"), ("ALERTS__ALLOWED_NETWORKS", allowed)]);
    settings.alerts.webhook = Some(Hook::parse(url).unwrap_or_else(|| panic!("{url} is a URL")));
    settings
}

async fn is_blocked(settings: &Settings, world: &World, url: &str) {
    let undelivered = deliver(settings, world, &message(Occasion::Test)).await.expect_err(url);
    assert_eq!(undelivered.again, Again::Never, "{url}: {undelivered}");
    assert!(undelivered.reason.contains("alerts.allowed_networks"), "{url}: {undelivered}");
}

#[tokio::test]
async fn nothing_of_the_corpus_is_ever_connected_to() {
    let here = Receiver::start(Reply::Says("200 OK", String::new())).await;
    let port = here.address.port().to_string();
    let mut tried = 0;
    for url in LITERALS {
        let url = url.replace("PORT", &port);
        is_blocked(&to(&url, ""), &world(&Names::default(), PATIENCE), &url).await;
        tried += 1;
    }
    for (url, name, addresses) in NAMES {
        let url = url.replace("PORT", &port);
        let names = Names::default().with(name, &[addresses]);
        is_blocked(&to(&url, ""), &world(&names, PATIENCE), &url).await;
        assert_eq!(names.asked(), 1, "{url}");
        tried += 1;
    }
    for url in MALFORMED {
        assert!(Hook::parse(&url.replace("PORT", &port)).is_none(), "{url:?}");
        tried += 1;
    }
    assert!(tried >= 60, "{tried}");
    assert_eq!(here.knocks(), 0);

    // The system's own resolver is judged as well.
    let url = format!("http://localhost:{port}/");
    is_blocked(&to(&url, ""), &World { patience: PATIENCE, ..World::default() }, &url).await;
    assert_eq!(here.knocks(), 0);
    // And all of this would have arrived, had it been allowed.
    let names = Names::default().with("localhost", &[&["127.0.0.1"]]);
    deliver(&to(&url, "127.0.0.1"), &world(&names, PATIENCE), &message(Occasion::Test)).await.unwrap();
    assert_eq!((here.knocks(), names.asked()), (1, 1));
}

#[tokio::test]
async fn the_settings_refuse_an_address_that_nothing_would_be_sent_to() {
    for url in LITERALS {
        let url = url.replace("PORT", "8080");
        let values = [("CALENDAR_SYNC__ALERTS__WEBHOOK".to_owned(), url.clone())];
        let sources = calsync_server::config::Sources::new(None, values);
        let problems = calsync_server::config::load(&sources).expect_err(&url).to_string();
        assert!(
            problems.contains("alerts.webhook: ") && problems.contains("alerts.allowed_networks"),
            "{problems}"
        );
    }
}

/// A name that is harmless when it is looked at and leads inside when it is used. Two addresses of loopback play outside
/// and inside.
#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let inside = Receiver::start(Reply::Says("200 OK", String::new())).await;
    let port = inside.address.port();
    let outside = Receiver::at(&format!("127.0.0.2:{port}"), Reply::Says("200 OK", String::new())).await;
    let names = Names::default().with("rebind.example.com", &[&["127.0.0.2"], &["127.0.0.1"]]);
    let settings = to(&format!("http://rebind.example.com:{port}/"), "127.0.0.2");
    let world = world(&names, PATIENCE);
    deliver(&settings, &world, &message(Occasion::Opened)).await.unwrap();
    assert_eq!((names.asked(), outside.knocks(), inside.knocks()), (1, 1, 0), "it is asked once, and used");
    is_blocked(&settings, &world, "the second time").await;
    assert_eq!((names.asked(), outside.knocks(), inside.knocks()), (2, 1, 0));
}

#[tokio::test]
async fn a_redirect_is_not_followed_wherever_it_leads() {
    let inside = Receiver::start(Reply::Says("200 OK", "ok".to_owned())).await;
    let target = inside.address;
    for status in
        ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        for target in
            [format!("http://{target}/"), "http://169.254.169.254/".to_owned(), "/elsewhere".to_owned()]
        {
            let head = format!("{status}\r\nlocation: {target}");
            let outside = Receiver::start(Reply::Says(head.leak(), String::new())).await;
            // Both may be connected to, so that only the redirect itself is in question.
            let settings = to(&outside.url(), "127.0.0.0/8");
            let told =
                deliver(&settings, &world(&Names::default(), PATIENCE), &message(Occasion::Test)).await;
            let undelivered = told.expect_err(status);
            assert!(
                undelivered.again == Again::Never && undelivered.reason.contains("redirect"),
                "{undelivered}"
            );
            assert_eq!((outside.knocks(), inside.knocks()), (1, 0));
        }
    }
}
