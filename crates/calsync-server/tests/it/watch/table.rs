//! Each row of spec §8's table, made to happen in a running service, on both sides of critical. All rows live side by side: what
//! takes minutes by design (a level that is better, an alert that is over) is waited for once.

use std::time::{Duration, Instant};

use calsync_testbed::mail::{MailServer, MailTls};
use calsync_testbed::redis::Redis;
use futures_util::future::join_all;

use super::{
    Ear, IN_THE_END, IN_TIME, STAFF, audit_says, audited, calm, health, health_is, monitoring, seldom,
};
use crate::place::{Place, Serving};

/// Channels of each place.
const CHANNELS: usize = 20;
/// How long nobody must hear of it again.
const HOLDS: Duration = Duration::from_secs(8);

/// What is done to whom.
#[derive(Clone, Copy)]
struct Row {
    /// A check of the health document, and how it comes out.
    check: &'static str,
    level: &'static str,
    /// Statements that break it, and that mend it.
    breaks: &'static str,
    mends: &'static str,
    /// The alert of its own: kind, how loud, and words.
    alert: Option<(&'static str, &'static str, &'static str)>,
}

/// Now, in microseconds, as SQLite tells it.
macro_rules! now {
    () => {
        "(CAST(strftime('%s', 'now') AS INTEGER) * 1000000)"
    };
}

/// Notifications of the last minutes, so many of them failed.
macro_rules! ended {
    ($failed:literal, $completed:literal) => {
        concat!(
            "INSERT INTO notification_figures (minute, part, received, completed, failed, time_ms, calendars_synced, \
             events_processed, busy_blocks_updated) VALUES (",
            now!(),
            " / 60000000 * 60000000, 7, 100, ",
            $completed,
            ", ",
            $failed,
            ", 0, 0, 0, 0)"
        )
    };
}
const FORGET: &str = "DELETE FROM notification_figures WHERE part = 7";

/// So many notifications that came six minutes ago and were never served.
macro_rules! waiting {
    ($count:literal) => {
        concat!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ",
            $count,
            ") INSERT INTO webhook_notifications (id, subscription_id, notification_id, received_at, headers, payload, \
             processing_status) SELECT randomblob(16), (SELECT min(id) FROM webhook_subscriptions), 'w' || i, ",
            now!(),
            " - 360000000, '{}', 'null', 'pending' FROM n"
        )
    };
}
const SERVE: &str = "DELETE FROM webhook_notifications WHERE processing_status = 'pending'";

/// So many channels that nobody heard of for eight hours.
macro_rules! silent {
    ($count:literal) => {
        concat!(
            "UPDATE webhook_subscriptions SET created_at = created_at - 28800000000, verified_at = NULL WHERE id IN \
             (SELECT id FROM webhook_subscriptions ORDER BY id LIMIT ",
            $count,
            ")"
        )
    };
}
const HEAR: &str = concat!("UPDATE webhook_subscriptions SET verified_at = ", now!());

/// So many channels that have failed again and again.
macro_rules! failing {
    ($count:literal) => {
        concat!(
            "UPDATE webhook_subscriptions SET failure_count = 6 WHERE id IN \
             (SELECT id FROM webhook_subscriptions ORDER BY id LIMIT ",
            $count,
            ")"
        )
    };
}
const WORK: &str = "UPDATE webhook_subscriptions SET failure_count = 0 WHERE status = 'active'";

const LOW: &str = "low_success_rate";
const BACKLOG: &str = "processing_backlog";
const FAILURES: &str = "subscription_failures";

const ROWS: [Row; 8] = [
    Row { check: "subscriptions", level: "degraded", breaks: silent!(3), mends: HEAR, alert: None },
    Row { check: "subscriptions", level: "critical", breaks: silent!(5), mends: HEAR, alert: None },
    Row {
        check: "success_rate",
        level: "degraded",
        breaks: ended!(7, 93),
        mends: FORGET,
        alert: Some((LOW, "warning", "93")),
    },
    Row {
        check: "success_rate",
        level: "critical",
        breaks: ended!(11, 89),
        mends: FORGET,
        alert: Some((LOW, "warning", "89")),
    },
    Row {
        check: "processing",
        level: "degraded",
        breaks: waiting!(6),
        mends: SERVE,
        alert: Some((BACKLOG, "warning", "6 notifications have waited")),
    },
    Row {
        check: "processing",
        level: "critical",
        breaks: waiting!(21),
        mends: SERVE,
        alert: Some((BACKLOG, "warning", "21 notifications have waited")),
    },
    Row {
        check: "failing_subscriptions",
        level: "degraded",
        breaks: failing!(6),
        mends: WORK,
        alert: Some((FAILURES, "error", "6 push channels have failed")),
    },
    Row {
        check: "failing_subscriptions",
        level: "critical",
        breaks: failing!(11),
        mends: WORK,
        alert: Some((FAILURES, "error", "11 push channels have failed")),
    },
];

/// One row's service.
struct Stage<'a> {
    row: Row,
    place: Place,
    ear: Ear<'a>,
    redis: Option<Redis>,
    _serving: Serving,
}

async fn stage<'a>(mail: &'a MailServer, row: Row, number: usize, redis: Option<Redis>) -> Stage<'a> {
    let mut place = Place::new();
    let ear = Ear::of(&mut place, mail, &format!("row{number}")).await;
    // Whom the level brings forward is still hours away.
    place.set("SYNC__FALLBACK_POLL_SECONDS", 86_400);
    if let Some(redis) = &redis {
        place.set("REDIS__URL", redis.url());
    }
    calm(&place, CHANNELS).await;
    let serving = place.serve().await;
    health_is(&place, 200, "healthy", Instant::now()).await;
    Stage { row, place, ear, redis, _serving: serving }
}

impl Stage<'_> {
    fn turn(&mut self, sql: &str) {
        match (&mut self.redis, sql) {
            (None, sql) => self.place.sql(sql),
            (Some(redis), "away") => redis.kill(),
            (Some(redis), _) => redis.start_again(),
        }
    }

    /// The condition comes, is told, lasts, and goes. The line for the table of figures.
    async fn live(mut self) -> String {
        let Row { check, level, breaks, mends, alert } = self.row;
        let (status, loud) = if level == "critical" { (503, "critical") } else { (200, "warning") };
        self.turn(breaks);
        let since = Instant::now();
        let seen = health_is(&self.place, status, level, since).await;
        assert_eq!(health(&self.place).await.json()["checks"][check], level);
        let mut told = Vec::new();
        for (kind, loud, words) in alert.into_iter().chain([("status_changed", loud, check)]) {
            let (letter, hook, took) = self.ear.hears(kind, 1, since, IN_TIME).await;
            assert_eq!(letter.subject, format!("[Calendar Sync] {}: {kind}", loud.to_uppercase()));
            assert!(letter.text.contains(words), "{letter:?}");
            assert_eq!((hook["level"].as_str(), hook["event"].as_str()), (Some(loud), Some("opened")));
            assert!(hook["message"].as_str().unwrap().contains(words) && hook["action"] != "", "{hook}");
            assert!(took < IN_TIME, "{check} {level}: {kind} took {took:?}");
            told.push(format!("{kind} after {:.0} s", took.as_secs_f64()));
        }
        let response = if level == "critical" {
            "critical: every calendar is polled beside its push channel"
        } else {
            "degraded: a round of maintenance is done now"
        };
        let lines = audit_says(&self.place, response, IN_TIME).await;
        assert!(lines[0].starts_with(&format!("level: healthy → {level}: {check}: ")), "{lines:?}");
        let acted = since.elapsed();
        assert!(acted < IN_TIME, "{acted:?}");
        self.in_force(level).await;
        tokio::time::sleep(HOLDS).await;
        let kinds: Vec<&str> = alert.iter().map(|alert| alert.0).chain(["status_changed"]).collect();
        kinds.iter().for_each(|kind| self.ear.heard_only(kind, 1));
        assert_eq!(audited(&self.place).await.len(), lines.len(), "nothing is done twice");

        self.turn(mends);
        let since = Instant::now();
        health_is(&self.place, 200, "healthy", since).await;
        let mut over = Vec::new();
        for kind in &kinds {
            let (letter, hook, took) = self.ear.hears(kind, 2, since, IN_THE_END).await;
            assert!(
                letter.subject.ends_with("(resolved)") && letter.text.contains("It is over"),
                "{letter:?}"
            );
            assert_eq!(hook["event"], "resolved");
            assert_eq!(hook["id"], self.ear.hooks(kind)[0]["id"], "the end of what was opened");
            over.push(format!("{kind} after {:.0} s", took.as_secs_f64()));
        }
        self.in_force("healthy").await;
        let lines = audited(&self.place).await;
        assert!(lines.contains(&format!("level: {level} → healthy: all is well again")), "{lines:?}");
        let back = "level: healthy: push channels that work are relied on again";
        assert_eq!(lines.iter().any(|line| line == back), level == "critical", "{lines:?}");
        format!(
            "{check:<22} {level:<9} seen {:.1} s; told: {}; over: {}",
            seen.as_secs_f64(),
            told.join(", "),
            over.join(", ")
        )
    }

    /// The level that the service acts on, as staff see it.
    async fn in_force(&self, level: &str) {
        seldom(&format!("{level} is in force"), IN_THE_END, async || {
            let document = monitoring(&self.place, "health", Some(STAFF)).await.json();
            (document["in_force"]["level"] == level).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_row_of_the_table_is_seen_told_acted_on_and_over() {
    let mail = MailServer::start(MailTls::Off, None);
    let mut stages = Vec::new();
    for (number, row) in ROWS.into_iter().enumerate() {
        stages.push(stage(&mail, row, number, None).await);
    }
    let row = Row {
        check: "cache",
        level: "degraded",
        breaks: "away",
        mends: "back",
        alert: Some(("cache_down", "error", "Redis does not answer")),
    };
    stages.push(stage(&mail, row, ROWS.len(), Some(Redis::start())).await);
    for line in join_all(stages.into_iter().map(Stage::live)).await {
        println!("{line}");
    }
}
