//! The system watches itself: real conditions in a running service, real alerts at a real mail server and a real receiver of
//! webhooks, the seconds until they are there, what it does by itself, and its word that it is over.

#![allow(clippy::print_stdout, reason = "a test that passes tells its figures")]

mod amiss;
mod apart;
mod fleet;
mod gone;
mod hopeless;
mod outage;
mod table;

use std::time::{Duration, Instant};

use calsync_core::ports::Store;
use calsync_testbed::mail::MailServer;
use serde_json::Value;

use crate::alerting::letters::letters;
use crate::alerting::receiver::{Receiver, Reply};
use crate::channels::{Channel, seed};
use crate::place::{Place, Serving, until};
use crate::web::{Answer, client, get, read};

/// The token for the monitoring routes.
pub(crate) const STAFF: &str = "staff-token-0123456789abcdef0123456789";
/// What an alert may take from its cause to the people it is for (spec §10).
pub(crate) const IN_TIME: Duration = Duration::from_secs(60);
/// Longest wait for what is told late by design: twice a minute's calm, or two minutes', and the looks between.
pub(crate) const IN_THE_END: Duration = Duration::from_secs(240);

/// Somebody who is told, by mail and by webhook.
pub(crate) struct Ear<'a> {
    mail: &'a MailServer,
    pub(crate) hook: Receiver,
    to: String,
}

/// A letter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Heard {
    pub(crate) subject: String,
    pub(crate) text: String,
}

impl<'a> Ear<'a> {
    /// The service in this place tells them.
    pub(crate) async fn of(place: &mut Place, mail: &'a MailServer, to: &str) -> Ear<'a> {
        let hook = Receiver::start(Reply::Says("200 OK", String::new())).await;
        let to = format!("{to}@example.com");
        for (key, value) in [
            ("ALERTS__EMAIL", to.clone()),
            ("ALERTS__WEBHOOK", hook.url()),
            ("ALERTS__ALLOWED_NETWORKS", "127.0.0.0/8".to_owned()),
            ("SMTP__HOST", "localhost".to_owned()),
            ("SMTP__PORT", mail.port().to_string()),
            ("SMTP__SECURITY", "none".to_owned()),
            ("SMTP__FROM", "Calendar Sync <sync@example.org>".to_owned()),
            ("MONITORING__TOKEN", STAFF.to_owned()),
        ] {
            place.set(key, value);
        }
        Ear { mail, hook, to }
    }

    /// Letters about this kind, the oldest first.
    pub(crate) fn letters(&self, kind: &str) -> Vec<Heard> {
        let ours = letters(self.mail).into_iter().filter(|letter| letter.to() == [self.to.as_str()]);
        let heard = ours.map(|letter| Heard {
            subject: letter.header("Subject").unwrap_or_default().to_owned(),
            text: letter.part("text/plain"),
        });
        heard.filter(|heard| heard.subject.contains(&format!(": {kind}"))).collect()
    }

    /// Webhooks about this kind: what happened, how loud, in which words.
    pub(crate) fn hooks(&self, kind: &str) -> Vec<Value> {
        let bodies = self.hook.requests().into_iter().filter_map(|request| {
            let body: Value = serde_json::from_str(request.split_once("\r\n\r\n")?.1).ok()?;
            Some(body["alert"].clone())
        });
        bodies.filter(|alert| alert["type"] == kind).collect()
    }

    /// Waits until so many things were told of this kind, on both ways; the last letter and the last webhook, and when.
    pub(crate) async fn hears(
        &self,
        kind: &str,
        count: usize,
        since: Instant,
        most: Duration,
    ) -> (Heard, Value, Duration) {
        let what = format!("{count} messages of {kind} to {}", self.to);
        let (letters, hooks) = seldom(&what, most, async || {
            let (letters, hooks) = (self.letters(kind), self.hooks(kind));
            (letters.len() >= count && hooks.len() >= count).then_some((letters, hooks))
        })
        .await;
        let took = since.elapsed();
        assert_eq!((letters.len(), hooks.len()), (count, count), "{letters:?} {hooks:?}");
        (letters[count - 1].clone(), hooks[count - 1].clone(), took)
    }

    /// Nothing more was told of this kind than so many things.
    #[track_caller]
    pub(crate) fn heard_only(&self, kind: &str, count: usize) {
        let (letters, hooks) = (self.letters(kind), self.hooks(kind));
        assert_eq!((letters.len(), hooks.len()), (count, count), "{kind}: {letters:?} {hooks:?}");
    }
}

/// Looks a few times a second: what is looked at costs something.
pub(crate) async fn seldom<T>(what: &str, most: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < most, "after {most:?} still not: {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A database file with so many calendars that have a channel, and nothing to do for any of them: nobody here has an account.
pub(crate) async fn calm(place: &Place, count: usize) -> Vec<Channel> {
    let channels = seed(place, count).await;
    place.sql("UPDATE calendars SET due_at = NULL, plan_due = 0, full_due = 0, dirty_generation = synced_generation");
    channels
}

/// `/webhooks/health/`.
pub(crate) async fn health(place: &Place) -> Answer {
    get(&place.url("/webhooks/health/")).await
}

/// Waits until it says so; how long that took.
pub(crate) async fn health_is(place: &Place, status: u16, level: &str, since: Instant) -> Duration {
    let what = format!("health is {level}");
    seldom(&what, crate::place::PATIENCE, async || {
        let answer = health(place).await;
        (answer.status == status && answer.json()["status"] == level).then_some(())
    })
    .await;
    since.elapsed()
}

/// What a monitoring route says to who shows this token.
pub(crate) async fn monitoring(place: &Place, route: &str, token: Option<&str>) -> Answer {
    let url = place.url(&format!("/webhooks/monitoring/{route}/"));
    let request = client().get(url);
    let request = match token {
        None => request,
        Some(token) => request.bearer_auth(token),
    };
    read(request.send().await.unwrap()).await
}

/// Lines of the audit log about levels, the oldest first.
pub(crate) async fn audited(place: &Place) -> Vec<String> {
    let mut lines = place.look(async |store| store.audited("level: ", 100).await.unwrap()).await;
    lines.reverse();
    lines.into_iter().map(|line| line.what).collect()
}

/// Waits until the audit log has such a line.
pub(crate) async fn audit_says(place: &Place, words: &str, most: Duration) -> Vec<String> {
    seldom(&format!("the audit log says {words:?}"), most, async || {
        let lines = audited(place).await;
        lines.iter().any(|line| line.contains(words)).then_some(lines)
    })
    .await
}

/// Waits until the log of the service has a line with these words.
pub(crate) async fn logged(serving: &Serving, words: &str, most: Duration) {
    until(&format!("the log says {words:?}"), most, async || serving.log().contains(words).then_some(()))
        .await;
}
