//! Slack's incoming webhooks (docs.slack.dev, "Sending messages using incoming webhooks"): one attachment, coloured by
//! level. Slack answers `ok` in plain text when it took a message, and nothing else counts. No text of ours is ever markup.

use async_trait::async_trait;
use calsync_core::alert::{AlertLevel, AlertMessage};
use serde_json::{Value, json};

use super::destination::Hook;
use super::transport::{Answer, Heed, Post};
use super::{Channel, Undelivered, words};

/// The words by which Slack takes a message.
const TAKEN: &str = "ok";

/// A channel of Slack, or of a service that takes the same.
pub(super) struct Slack {
    hook: Hook,
    post: Post,
}

impl Slack {
    pub(super) fn new(hook: Hook, post: Post) -> Slack {
        Slack { hook, post }
    }
}

#[async_trait]
impl Channel for Slack {
    async fn deliver(&self, message: &AlertMessage) -> Result<(), Undelivered> {
        judge(
            &self.post.json(&self.hook, &[], body(message).to_string(), Heed::Words).await?,
            self.hook.host(),
        )
    }

    async fn answers(&self) -> Result<(), Undelivered> {
        self.post.knock(&self.hook).await
    }
}

/// The colours of the specification.
const fn colour(level: AlertLevel) -> &'static str {
    match level {
        AlertLevel::Critical => "#ff0000",
        AlertLevel::Error => "#ff6600",
        AlertLevel::Warning => "#ffcc00",
        AlertLevel::Info => "#0066cc",
    }
}

/// The message as Slack takes it.
fn body(message: &AlertMessage) -> Value {
    let title = escaped(&words::title(message));
    let field = |name: &str, value: &str, short: bool| json!({ "title": name, "value": escaped(value), "short": short });
    let mut fields = vec![field("Level", message.level.as_str(), true)];
    let facts = words::facts(message);
    fields.extend(facts.iter().map(|(name, value)| field(name, value, *name != "About")));
    let action = words::action(message).unwrap_or_else(|| "None".to_owned());
    fields.push(field("Action Required", &action, false));
    json!({
        "text": title,
        // What stands in a name must not turn bold, become a link or call everybody.
        "mrkdwn": false,
        "link_names": false,
        "unfurl_links": false,
        "attachments": [{
            "color": colour(message.level),
            "fallback": title,
            "text": escaped(&words::text(message)),
            "mrkdwn_in": [],
            "fields": fields,
            "footer": "calendar-sync",
            "ts": message.at.millis().div_euclid(1_000),
        }],
    })
}

/// Slack's three control characters; `<!channel>` is one of the things that they make.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn judge(answer: &Answer, host: &str) -> Result<(), Undelivered> {
    match answer.status {
        200 if answer.body.trim() == TAKEN => Ok(()),
        // A page for signing in, or one that says that something is being repaired.
        200..=299 => Err(Undelivered::later(format!(
            "{host} answers, but not with the `ok` of Slack: something else stands at this URL or in between"
        ))),
        403 | 404 | 410 => Err(answer.refusal(
            host,
            "this webhook, its app or its channel is gone or closed: make a new incoming webhook in Slack, and give its URL \
             to alerts.slack (or alerts.pager)",
        )),
        _ => Err(answer.refusal(host, "it does not take what Slack takes: check the URL")),
    }
}

#[cfg(test)]
mod tests {
    use calsync_core::alert::{Again, Occasion};
    use jiff::SignedDuration;

    use super::*;
    use crate::alerting::words::tests::message;

    fn field(body: &Value, name: &str) -> Option<String> {
        let fields = body["attachments"][0]["fields"].as_array().unwrap();
        let found = fields.iter().find(|field| field["title"] == name)?;
        found["value"].as_str().map(str::to_owned)
    }

    #[test]
    fn an_attachment_has_the_colour_of_its_level_and_nothing_in_it_is_markup() {
        for (level, colour) in [
            (AlertLevel::Critical, "#ff0000"),
            (AlertLevel::Error, "#ff6600"),
            (AlertLevel::Warning, "#ffcc00"),
            (AlertLevel::Info, "#0066cc"),
        ] {
            let body = body(&AlertMessage { level, ..message(Occasion::Opened) });
            assert_eq!(body["attachments"][0]["color"], colour);
            assert_eq!(field(&body, "Level").unwrap(), level.as_str());
        }
        let sent =
            body(&AlertMessage { subject: "<!channel> & <@U1>".to_owned(), ..message(Occasion::Opened) });
        assert_eq!(sent["text"], "[Calendar Sync] CRITICAL: database_down");
        assert_eq!(field(&sent, "Action Required").unwrap(), "Start PostgreSQL &amp; look at *its* log.");
        assert_eq!(field(&sent, "About").unwrap(), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
        assert!(!sent.to_string().contains('<'), "{sent}");
        assert_eq!((&sent["mrkdwn"], &sent["attachments"][0]["mrkdwn_in"]), (&json!(false), &json!([])));
        let over = body(&message(Occasion::Resolved));
        assert_eq!(over["text"], "[Calendar Sync] CRITICAL: database_down (resolved)");
        assert_eq!(field(&over, "Action Required").unwrap(), "None");
    }

    #[test]
    fn only_ok_is_a_delivery() {
        let wait = Some(SignedDuration::from_secs(30));
        for (status, body, expected) in [
            (200, "ok", None),
            (200, "ok\n", None),
            (200, "<!doctype html><title>Sign in</title>", Some(Again::Later(None))),
            (200, "", Some(Again::Later(None))),
            (204, "", Some(Again::Later(None))),
            (302, "", Some(Again::Never)),
            (400, "invalid_payload", Some(Again::Never)),
            (403, "action_prohibited", Some(Again::Never)),
            (404, "no_service", Some(Again::Never)),
            (410, "channel_is_archived", Some(Again::Never)),
            (429, "rate_limited", Some(Again::Later(wait))),
            (500, "rollup_error", Some(Again::Later(wait))),
        ] {
            let wait = if status >= 400 { wait } else { None };
            let told = judge(&Answer { status, wait, body: body.to_owned() }, "hooks.slack.com").err();
            assert_eq!(told.as_ref().map(|told| told.again), expected, "{status} {body}");
            if matches!(status, 403 | 404 | 410) {
                let words = told.unwrap().reason;
                assert!(words.contains(body) && words.contains("make a new incoming webhook"), "{words}");
            }
        }
    }
}
