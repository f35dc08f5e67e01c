//! A webhook of somebody's own: JSON with the headers of the Standard Webhooks specification. The body of a message is the
//! same for each try; time and signature are those of the try.

use async_trait::async_trait;
use calsync_core::alert::{AlertMessage, Occasion};
use calsync_core::time::Ts;
use serde::Serialize;
use uuid::Uuid;

use super::destination::Hook;
use super::signature::{self, SigningKey};
use super::transport::{Answer, Heed, Post};
use super::{Channel, Undelivered};

/// What the body says where it comes from.
const SOURCE: &str = "calendar_sync_webhooks";

/// A URL that is told.
pub(super) struct Webhook {
    hook: Hook,
    keys: Vec<SigningKey>,
    post: Post,
}

impl Webhook {
    pub(super) fn new(hook: Hook, keys: Vec<SigningKey>, post: Post) -> Webhook {
        Webhook { hook, keys, post }
    }
}

#[async_trait]
impl Channel for Webhook {
    async fn deliver(&self, message: &AlertMessage) -> Result<(), Undelivered> {
        let body = body(message);
        let headers = signature::headers(&self.keys, &message.id.to_string(), self.post.now(), &body);
        let answer = self.post.json(&self.hook, &headers, body, Heed::Status).await?;
        let told = self.keys.iter().any(|key| key.is_repeated_by(&answer.body));
        judge(&if told { answer.masked() } else { answer }, self.hook.host())
    }

    async fn answers(&self) -> Result<(), Undelivered> {
        self.post.knock(&self.hook).await
    }
}

#[derive(Serialize)]
struct Body<'a> {
    source: &'static str,
    alert: Told<'a>,
    timestamp: Ts,
}

#[derive(Serialize)]
struct Told<'a> {
    id: Uuid,
    event: Occasion,
    #[serde(rename = "type")]
    kind: &'a str,
    level: &'static str,
    subject: &'a str,
    count: u64,
    message: &'a str,
    action: &'a str,
    first_seen: Ts,
}

fn body(message: &AlertMessage) -> String {
    let alert = Told {
        id: message.thread,
        event: message.occasion,
        kind: &message.kind,
        level: message.level.as_str(),
        subject: &message.subject,
        count: message.count,
        message: &message.message,
        action: &message.action,
        first_seen: message.first_seen,
    };
    let body = Body { source: SOURCE, alert, timestamp: message.at };
    serde_json::to_string(&body).expect("texts, numbers and times always become JSON")
}

fn judge(answer: &Answer, host: &str) -> Result<(), Undelivered> {
    match answer.status {
        200..=299 => Ok(()),
        // The specification's word for "stop sending".
        410 => Err(answer
            .refusal(host, "it wants no more messages: change or remove alerts.webhook (or alerts.pager)")),
        401 | 403 => Err(answer
            .refusal(host, "check the URL, and that alerts.webhook_secret is the secret that it checks by")),
        _ => Err(answer.refusal(host, "check the URL, and what the receiver says in its own log")),
    }
}

#[cfg(test)]
mod tests {
    use calsync_core::alert::Again;
    use jiff::SignedDuration;

    use super::*;
    use crate::alerting::words::tests::message;

    #[test]
    fn the_body_has_source_alert_and_timestamp() {
        let sent: serde_json::Value = serde_json::from_str(&body(&message(Occasion::Reminded))).unwrap();
        assert_eq!(
            sent,
            serde_json::json!({
                "source": "calendar_sync_webhooks",
                "alert": {
                    "id": "01935000-0000-7000-8000-000000000002",
                    "event": "reminded",
                    "type": "database_down",
                    "level": "critical",
                    "subject": "Zoë's <b>work</b> & more",
                    "count": 3,
                    "message": "The database does not answer <script>alert(1)</script>.",
                    "action": "Start PostgreSQL & look at *its* log.",
                    "first_seen": "2026-11-22T08:00:00Z",
                },
                "timestamp": "2026-11-22T10:05:30Z",
            })
        );
    }

    #[test]
    fn success_is_a_delivery_and_what_cannot_mend_is_not_tried_again() {
        let wait = Some(SignedDuration::from_secs(7));
        for (status, expected) in [
            (200, None),
            (204, None),
            (299, None),
            (301, Some(Again::Never)),
            (307, Some(Again::Never)),
            (400, Some(Again::Never)),
            (401, Some(Again::Never)),
            (404, Some(Again::Never)),
            (408, Some(Again::Later(wait))),
            (410, Some(Again::Never)),
            (429, Some(Again::Later(wait))),
            (500, Some(Again::Later(wait))),
            (503, Some(Again::Later(wait))),
            (599, Some(Again::Later(wait))),
        ] {
            let told = judge(&Answer { status, wait, body: String::new() }, "example.com").err();
            assert_eq!(told.map(|told| told.again), expected, "{status}");
        }
    }
}
