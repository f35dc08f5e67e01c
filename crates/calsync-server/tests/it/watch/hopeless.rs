//! Channels that failed ten times in a row when the level is critical: they are taken out of use at once, which is in the audit log,
//! and people are told as loudly as can be. Where that is switched off, the audit log says so, and they stay.

use std::time::Instant;

use calsync_core::ports::Store;
use calsync_testbed::mail::{MailServer, MailTls};

use super::{Ear, IN_TIME, audit_says, calm, health_is, logged};
use crate::place::{PATIENCE, Place};

/// More than may fail before it is critical.
const HOPELESS: &str = "UPDATE webhook_subscriptions SET failure_count = 10 WHERE id IN \
                        (SELECT id FROM webhook_subscriptions ORDER BY id LIMIT 12)";
const WORDS: &str = "push channels that failed ten times in a row are taken out of use";
const SUSPENDED: &str = "subscription_suspended";

/// How many channels are suspended.
async fn suspended(place: &Place) -> u64 {
    let counts = place.look(async |store| store.census().await.unwrap()).await;
    counts.iter().filter(|one| one.status.as_str() == "suspended").map(|one| one.count).sum()
}

async fn lives(mail: &MailServer, to: &str, switch: &str) -> (Place, u64) {
    let mut place = Place::new();
    let ear = Ear::of(&mut place, mail, to).await;
    // Whom the level brings forward is still hours away.
    place.set("SYNC__FALLBACK_POLL_SECONDS", 86_400);
    place.set("RESPONSES__SUSPEND_FAILING", switch);
    calm(&place, 20).await;
    let serving = place.serve().await;
    health_is(&place, 200, "healthy", Instant::now()).await;
    // The round that every start begins with would take them out of use as well.
    logged(&serving, "a job was done for the fleet job=\"maintenance\"", PATIENCE).await;
    place.sql(HOPELESS);
    let since = Instant::now();
    let lines = audit_says(&place, WORDS, IN_TIME).await;
    let off = format!("level: critical: switched off: {WORDS}");
    let on = format!("level: critical: {WORDS}");
    assert!(lines.contains(if switch == "true" { &on } else { &off }), "{lines:?}");
    let count = suspended(&place).await;
    if switch == "true" {
        let (letter, hook, told) = ear.hears(SUSPENDED, 1, since, IN_TIME).await;
        assert_eq!(letter.subject, "[Calendar Sync] CRITICAL: subscription_suspended");
        assert!(letter.text.contains("12 push channels were taken out of use"), "{letter:?}");
        assert_eq!((hook["level"].as_str(), hook["event"].as_str()), (Some("critical"), Some("opened")));
        println!("in the audit log and told after {:.0} s", told.as_secs_f64());
        let said = serving.log().matches("a push channel was suspended").count();
        assert_eq!(said, 12, "each is in the log, once: {}", serving.log());
    } else {
        ear.heard_only(SUSPENDED, 0);
    }
    (place, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_that_failed_ten_times_are_taken_out_of_use_when_it_is_critical() {
    let mail = MailServer::start(MailTls::Off, None);
    let ((_on, gone), (_off, kept)) = tokio::join!(lives(&mail, "on", "true"), lives(&mail, "off", "false"));
    assert_eq!((gone, kept), (12, 0));
}
