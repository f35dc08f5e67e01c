//! Slack and webhooks: what arrives, and every kind of bad answer.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use calsync_core::alert::{Again, Occasion};
use calsync_server::alerting::Undelivered;
use calsync_testbed::port::Port;
use jiff::SignedDuration;
use serde_json::Value;

use super::receiver::{Receiver, Reply};
use super::{Names, deliver, message, settings, world};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD_KEY: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
/// How long a try takes at most here, and what it takes with a busy machine.
const PATIENCE: Duration = Duration::from_millis(1_500);
const BUSY: Duration = Duration::from_secs(10);

async fn tell(channel: &str, receiver: &Receiver, patience: Duration) -> Result<(), Undelivered> {
    let name = format!("ALERTS__{channel}");
    let keys = format!("{KEY}, {OLD_KEY}");
    let settings = settings(&[
        (&name, &receiver.url()),
        ("ALERTS__WEBHOOK_SECRET", &keys),
        ("ALERTS__ALLOWED_NETWORKS", "127.0.0.0/8"),
    ]);
    deliver(&settings, &world(&Names::default(), patience), &message(Occasion::Opened)).await
}

fn says(head: &'static str, body: &str) -> Reply {
    Reply::Says(head, body.to_owned())
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let head = request.split("\r\n\r\n").next().unwrap();
    let of =
        |line: &'a str| line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v);
    head.lines().find_map(of)
}

fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn slack_takes_an_attachment() {
    let slack = Receiver::start(says("200 OK", "ok")).await;
    tell("SLACK", &slack, BUSY).await.unwrap();
    let requests = slack.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("POST /hooks/"), "{}", requests[0]);
    assert_eq!(header(&requests[0], "content-type"), Some("application/json"));
    assert_eq!(header(&requests[0], "webhook-signature"), None);
    let sent: Value = serde_json::from_str(body(&requests[0])).unwrap();
    assert_eq!(sent["text"], "[Calendar Sync] CRITICAL: database_down");
    let attachment = &sent["attachments"][0];
    assert_eq!(attachment["color"], "#ff0000");
    let fields = attachment["fields"].as_array().unwrap();
    let value = |title: &str| fields.iter().find(|field| field["title"] == title).unwrap()["value"].clone();
    assert_eq!(value("Level"), "critical");
    assert_eq!(value("Action Required"), "Start PostgreSQL &amp; look at its log.");
    assert_eq!(value("About"), "Zoë's &lt;b&gt;work&lt;/b&gt; &amp; more");
}

/// The verification is the one that docs/alerts.md gives to people, run by Python.
#[tokio::test]
async fn a_webhook_is_signed_so_that_the_documented_lines_of_python_agree() {
    let receiver = Receiver::start(says("204 No Content", "")).await;
    tell("WEBHOOK", &receiver, BUSY).await.unwrap();
    let request = receiver.requests().remove(0);
    let told: Value = serde_json::from_str(body(&request)).unwrap();
    assert_eq!(told["source"], "calendar_sync_webhooks");
    assert_eq!(told["alert"]["type"], "database_down");
    assert_eq!(told["timestamp"], "2026-11-22T10:05:30Z");
    let id = message(Occasion::Opened).id.to_string();
    assert_eq!(header(&request, "webhook-id"), Some(id.as_str()));
    assert_eq!(header(&request, "webhook-signature").unwrap().split(' ').count(), 2);

    let verify = |secret: &str, body: &str| {
        let header = |name| header(&request, name).unwrap().to_owned();
        let headers = serde_json::json!({
            "webhook-id": header("webhook-id"),
            "webhook-timestamp": header("webhook-timestamp"),
            "webhook-signature": header("webhook-signature"),
        });
        let given = serde_json::json!({ "headers": headers, "body": body, "secret": secret });
        python(&given.to_string())
    };
    assert_eq!(verify(KEY, body(&request)), "True");
    assert_eq!(verify(OLD_KEY, body(&request)), "True", "while it is replaced, either will do");
    assert_eq!(verify("whsec_BBECAwQFBgcICQoLDA0ODxAREhMUFRYX", body(&request)), "False");
    assert_eq!(verify(KEY, &body(&request).replace("critical", "info")), "False");
}

/// Runs the function of the documentation on these, and gives what it says.
fn python(given: &str) -> String {
    let document = include_str!("../../../../../docs/alerts.md");
    let function = document.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let script = format!(
        "{function}\nimport json, sys\ngiven = json.load(sys.stdin)\n\
         print(verify(given['headers'], given['body'].encode(), given['secret']))"
    );
    let mut command = Command::new("python3");
    let mut child =
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn without_a_secret_there_is_an_id_and_no_signature() {
    let receiver = Receiver::start(says("200 OK", "")).await;
    let settings =
        settings(&[("ALERTS__WEBHOOK", &receiver.url()), ("ALERTS__ALLOWED_NETWORKS", "127.0.0.1")]);
    deliver(&settings, &world(&Names::default(), BUSY), &message(Occasion::Opened)).await.unwrap();
    let request = receiver.requests().remove(0);
    assert!(header(&request, "webhook-id").is_some() && header(&request, "webhook-signature").is_none());
}

#[tokio::test]
async fn each_bad_answer_is_told_for_what_it_is() {
    let seconds = |n| Again::Later(Some(SignedDuration::from_secs(n)));
    let page = "<html><body>Sign in to the hotel's network</body></html>";
    for (channel, reply, again, words) in [
        (
            "SLACK",
            says("200 OK\r\ncontent-type: text/html", page),
            Again::Later(None),
            "not with the `ok` of Slack",
        ),
        ("SLACK", says("429 Too Many Requests\r\nretry-after: 30", "rate_limited"), seconds(30), "429"),
        ("SLACK", says("403 Forbidden", "action_prohibited"), Again::Never, "make a new incoming webhook"),
        ("SLACK", says("404 Not Found", "no_service"), Again::Never, "make a new incoming webhook"),
        ("SLACK", says("410 Gone", "channel_is_archived"), Again::Never, "channel_is_archived"),
        ("SLACK", says("500 Oops", "rollup_error"), Again::Later(None), "rollup_error"),
        ("SLACK", says("302 Found\r\nlocation: http://127.0.0.1:1/", ""), Again::Never, "redirect"),
        ("WEBHOOK", says("429 Slow down\r\nretry-after: 7", ""), seconds(7), "429"),
        ("WEBHOOK", says("503 Later\r\nretry-after: Thu, 01 Jan 2026 00:00:00 GMT", ""), seconds(0), "503"),
        ("WEBHOOK", says("500 Oops\r\nretry-after: soon", page), Again::Later(None), "500"),
        ("WEBHOOK", says("404 Not Found", page), Again::Never, "check the URL"),
        (
            "WEBHOOK",
            says("401 Unauthorized", "bad\r\n\u{1b}[31msignature"),
            Again::Never,
            "alerts.webhook_secret",
        ),
        ("WEBHOOK", says("410 Gone", ""), Again::Never, "wants no more"),
        ("WEBHOOK", Reply::HangsUp, Again::Later(None), "broke"),
    ] {
        let receiver = Receiver::start(reply.clone()).await;
        let undelivered = tell(channel, &receiver, BUSY).await.expect_err(words);
        assert_eq!(undelivered.again, again, "{reply:?}: {undelivered}");
        assert!(undelivered.reason.contains(words), "{reply:?}: {undelivered}");
        assert!(
            !undelivered.reason.contains(char::is_control) && !undelivered.reason.contains('<'),
            "{undelivered}"
        );
        assert_eq!(receiver.knocks(), 1, "no second try by itself");
    }
}

#[tokio::test]
async fn who_repeats_the_url_or_the_secret_is_not_repeated() {
    let path = format!("/hooks/{}", super::MARKER);
    let bodies = [
        // As some servers answer by themselves.
        format!(
            "{{\"timestamp\":\"2026-11-22\",\"status\":404,\"error\":\"Not Found\",\"path\":\"{path}\"}}"
        ),
        format!("{{\"message\":\"Route POST:{path}?key={} not found\"}}", super::MARKER),
        format!("no such hook: {}", super::MARKER.to_uppercase()),
        format!("signed with {KEY}"),
        format!("signed with {}", OLD_KEY.strip_prefix("whsec_").unwrap()),
    ];
    for body in bodies {
        for head in ["404 Not Found", "500 Internal Server Error"] {
            let receiver = Receiver::start(says(head, &body)).await;
            for channel in ["WEBHOOK", "SLACK"] {
                let told = tell(channel, &receiver, BUSY).await.unwrap_err().reason;
                let is_key = body.starts_with("signed");
                // Slack's channel has no key that it could repeat.
                assert!(told.contains("[secret]") || (is_key && channel == "SLACK"), "{told}");
                assert!(!told.to_lowercase().contains(&super::MARKER.to_lowercase()), "{told}");
                assert!(
                    channel == "SLACK" || !told.contains("MfKQ9r8GK") && !told.contains("AAECAwQF"),
                    "{told}"
                );
            }
        }
    }
}

#[tokio::test]
async fn who_is_slow_silent_or_endless_holds_nobody_up() {
    for (channel, reply, taken) in [
        ("SLACK", Reply::Nothing, false),
        ("SLACK", Reply::Drips, false),
        ("SLACK", Reply::Floods, false),
        ("WEBHOOK", Reply::Nothing, false),
        ("WEBHOOK", Reply::Drips, true),
        ("WEBHOOK", Reply::Floods, true),
    ] {
        let receiver = Receiver::start(reply.clone()).await;
        let began = Instant::now();
        let told = tell(channel, &receiver, PATIENCE).await;
        assert!(began.elapsed() < PATIENCE * 3, "{channel} {reply:?}: {:?}", began.elapsed());
        assert_eq!(told.is_ok(), taken, "{channel} {reply:?}: {told:?}");
        if let Err(undelivered) = told {
            assert_eq!(undelivered.again, Again::Later(None), "{undelivered}");
        }
        // What the kernel holds in between, and no more: it was not read.
        assert!(receiver.sent() < 32 * 1024 * 1024, "{}", receiver.sent());
    }
    let nobody = Port::reserve();
    let url = format!("http://127.0.0.1:{}/{}", nobody.number(), super::MARKER);
    let settings = settings(&[("ALERTS__SLACK", &url), ("ALERTS__ALLOWED_NETWORKS", "127.0.0.1")]);
    let told = deliver(&settings, &world(&Names::default(), BUSY), &message(Occasion::Opened)).await;
    let undelivered = told.unwrap_err();
    assert!(undelivered.reason.contains("nothing listens"), "{undelivered}");
    let settings = super::settings(&[("ALERTS__SLACK", "https://nowhere.example.com/x")]);
    let told = deliver(&settings, &world(&Names::default(), BUSY), &message(Occasion::Opened)).await;
    assert!(told.unwrap_err().reason.contains("nowhere.example.com has no address"));
}
