//! What must not hold up or spoil what people are told: a response that fails, figures that can not be read; and a command that
//! looks every few minutes while there is no database.

use std::time::{Duration, Instant};

use calsync_testbed::mail::{MailServer, MailTls};

use super::{
    Ear, IN_THE_END, IN_TIME, STAFF, audit_says, audited, calm, health, health_is, logged, monitoring,
};
use crate::place::{PATIENCE, Place, until};
use crate::web::get;

const FAILURES: &str = "subscription_failures";
const DOWN: &str = "database_down";
/// More channels fail than anybody is told of singly: degraded.
const BREAK: &str = "UPDATE webhook_subscriptions SET failure_count = 6 WHERE id IN (SELECT id FROM webhook_subscriptions LIMIT 7)";
/// Nothing that is done about a level can be written down.
const DENY: &str =
    "CREATE TRIGGER deny BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'this is a test'); END";
/// A failed job is tried again after a minute.
const AGAIN: Duration = Duration::from_secs(100);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_fails_keeps_nobody_from_being_told_and_is_taken_up_again() {
    let mail = MailServer::start(MailTls::Off, None);
    let mut place = Place::new();
    let ear = Ear::of(&mut place, &mail, "apart").await;
    calm(&place, 20).await;
    let serving = place.serve().await;
    health_is(&place, 200, "healthy", Instant::now()).await;
    place.sql(DENY);
    place.sql(BREAK);
    let since = Instant::now();
    ear.hears(FAILURES, 1, since, IN_TIME).await;
    ear.hears("status_changed", 1, since, IN_TIME).await;
    logged(&serving, "a job could not be finished", IN_TIME).await;
    let document = monitoring(&place, "health", Some(STAFF)).await.json();
    assert_eq!(document["in_force"]["level"], "degraded", "it is in force, whatever is done about it");
    assert!(audited(&place).await.is_empty());
    let looks = serving.log().matches("the level has changed").count();
    assert_eq!(looks, 1, "it is found once");

    place.sql("DROP TRIGGER deny");
    let lines = audit_says(&place, "degraded: a round of maintenance is done now", AGAIN).await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("level: healthy → degraded: failing_subscriptions: "), "{lines:?}");
    let asked =
        |line: &str| line.contains("a job was done") && line.contains("Asked") && line.contains("created");
    until("a round of maintenance was done", PATIENCE, async || {
        serving.log().lines().any(asked).then_some(())
    })
    .await;
    ear.heard_only(FAILURES, 1);
    ear.heard_only("status_changed", 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_that_can_not_be_read_are_no_outage() {
    let mail = MailServer::start(MailTls::Off, None);
    let mut place = Place::new();
    let ear = Ear::of(&mut place, &mail, "figures").await;
    calm(&place, 20).await;
    let serving = place.serve().await;
    health_is(&place, 200, "healthy", Instant::now()).await;
    // A word of a newer version.
    place.sql(
        "PRAGMA ignore_check_constraints = ON; UPDATE webhook_subscriptions SET status = 'resting' \
         WHERE id = (SELECT min(id) FROM webhook_subscriptions)",
    );
    let since = Instant::now();
    health_is(&place, 200, "degraded", since).await;
    let checks = health(&place).await.json()["checks"].clone();
    assert_eq!(
        (checks["database"].as_str(), checks["figures"].as_str()),
        (Some("healthy"), Some("degraded"))
    );
    assert_eq!(get(&place.url("/readyz")).await.status, 200, "receipts are taken");
    let (letter, ..) = ear.hears("status_changed", 1, since, IN_TIME).await;
    assert!(letter.text.contains("figures: "), "{letter:?}");
    assert!(serving.log().contains("the figures of how well it is can not be read"), "{}", serving.log());
    assert_eq!(ear.hooks(DOWN).len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_tells_an_outage_once_and_its_end() {
    let mail = MailServer::start(MailTls::Off, None);
    let mut place = Place::new();
    let ear = Ear::of(&mut place, &mail, "command").await;
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    calm(&place, 3).await;
    let look = |code| place.run(&["webhook-health-check", "--send-alerts"]).expect(code);
    look(0);
    // One that is not up to date is no outage: nobody is woken.
    place.sql("UPDATE schema_version SET version = version + 1000, oldest = 900 WHERE version = (SELECT max(version) FROM schema_version)");
    look(4);
    place.sql("UPDATE schema_version SET version = version - 1000, oldest = 1 WHERE version > 900");
    look(0);
    assert_eq!(ear.hooks(DOWN).len(), 0);

    let away = place.path("away.db");
    std::fs::rename(place.database(), &away).unwrap();
    let since = Instant::now();
    for _ in 0..3 {
        look(2);
    }
    ear.hears(DOWN, 1, since, IN_TIME).await;
    ear.heard_only(DOWN, 1);
    std::fs::rename(&away, place.database()).unwrap();
    look(0);
    assert_eq!(ear.hooks(DOWN).len(), 1, "it may come back at once");
    tokio::time::sleep(Duration::from_secs(62)).await;
    look(0);
    let (letter, ..) = ear.hears(DOWN, 2, since, IN_THE_END).await;
    assert!(letter.subject.ends_with("(resolved)"), "{letter:?}");
    assert!(!place.path("calendar-sync.outage.json").exists());
}
