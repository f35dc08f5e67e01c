//! Traces: sends the spans that wait to the collector, where one is configured. When it is away that is said once, and once
//! when it is back; nobody waits for it, and what does not fit into the queue meanwhile is counted.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::layer::Outbox;
use super::otlp::{self, Sender, Span};
use crate::config::TraceSettings;

/// How long spans wait for others.
const GATHER: Duration = Duration::from_secs(1);
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first pause after a failure; twice as long after each further one.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How long the end of the process may be held up.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Where spans go.
pub(super) struct Collector {
    url: String,
    headers: HeaderMap,
}

impl Collector {
    /// As configured; `None` if it is not.
    pub(super) fn configured(settings: &TraceSettings) -> Option<Collector> {
        let endpoint = settings.endpoint.as_ref()?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(otlp::CONTENT_TYPE));
        headers.extend(settings.headers.clone());
        Some(Collector { url: below(endpoint), headers })
    }
}

fn below(endpoint: &Url) -> String {
    format!("{}/{}", endpoint.as_str().trim_end_matches('/'), otlp::PATH)
}

/// Sends until told to stop, and then what is left.
pub(super) async fn send(
    outbox: Arc<Outbox>,
    collector: Collector,
    instance: String,
    stopping: CancellationToken,
) {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
    let Ok(client) = client.build() else {
        tracing::error!("traces cannot be sent: there is no HTTP client");
        return;
    };
    let post = Post { client, collector, sender: Sender { instance } };
    let mut health = Health::default();
    let mut batch = Vec::new();
    while !stopping.is_cancelled() {
        if batch.is_empty() {
            tokio::select! {
                () = outbox.ready.notified() => {}
                () = sleep(GATHER) => {}
                () = stopping.cancelled() => break,
            }
            batch = outbox.take();
        }
        if batch.is_empty() {
            continue;
        }
        let answer = tokio::select! {
            answer = post.send(&batch) => answer,
            () = stopping.cancelled() => break,
        };
        if !matches!(answer, Answer::Away(_)) {
            if matches!(answer, Answer::Refused(_)) {
                outbox.lose(batch.len() as u64);
            }
            batch.clear();
        }
        let (news, pause) = health.after(answer, || outbox.take_lost());
        say(news);
        tokio::select! {
            () = sleep(pause) => {}
            () = stopping.cancelled() => break,
        }
    }
    if !health.is_well() {
        // Nobody is there: the end need not wait for that.
        return;
    }
    let _ = timeout(END_PATIENCE, async {
        loop {
            if batch.is_empty() {
                batch = outbox.take();
            }
            if batch.is_empty() || post.send(&batch).await != Answer::Taken {
                return;
            }
            batch.clear();
        }
    })
    .await;
}

struct Post {
    client: reqwest::Client,
    collector: Collector,
    sender: Sender,
}

impl Post {
    async fn send(&self, spans: &[Span]) -> Answer {
        let body = otlp::request(&self.sender, spans);
        let request = self.client.post(&self.collector.url).headers(self.collector.headers.clone());
        match request.body(body).send().await {
            // Its words are never read: whatever they say, they are not ours to log.
            Ok(answer) => judge(answer.status()),
            Err(error) if error.is_timeout() => Answer::Away("it does not answer in time".to_owned()),
            Err(error) if error.is_connect() => Answer::Away("it cannot be reached".to_owned()),
            Err(_) => Answer::Away("the connection broke".to_owned()),
        }
    }
}

/// What came of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Answer {
    Taken,
    /// It may be taken later.
    Away(String),
    /// It never will.
    Refused(String),
}

/// The statuses after which OTLP asks to try again, and all others.
fn judge(status: StatusCode) -> Answer {
    match status.as_u16() {
        200..=299 => Answer::Taken,
        408 | 429 | 502..=504 => Answer::Away(format!("it answers with {status}")),
        _ => Answer::Refused(format!("it answers with {status}")),
    }
}

/// Something to say.
#[derive(Clone, PartialEq, Eq, Debug)]
enum News {
    Nothing,
    Away(String),
    Back {
        lost: u64,
    },
    /// It is there, and slower than we are.
    Lost(u64),
}

/// How it went so far. Pure.
#[derive(Default)]
struct Health {
    /// Failures in a row.
    failures: u32,
    lost: u64,
}

impl Health {
    fn is_well(&self) -> bool {
        self.failures == 0
    }

    /// What to say of an answer, and how long to wait then.
    fn after(&mut self, answer: Answer, lost: impl FnOnce() -> u64) -> (News, Duration) {
        self.lost += lost();
        match answer {
            Answer::Taken => {
                let lost = std::mem::take(&mut self.lost);
                let was_away = std::mem::take(&mut self.failures) > 0;
                let news = match (was_away, lost) {
                    (true, lost) => News::Back { lost },
                    (false, 0) => News::Nothing,
                    (false, lost) => News::Lost(lost),
                };
                (news, Duration::ZERO)
            }
            Answer::Away(why) | Answer::Refused(why) => {
                let pause = PAUSE.saturating_mul(1 << self.failures.min(5)).min(PAUSE_MAX);
                self.failures = self.failures.saturating_add(1);
                (if self.failures == 1 { News::Away(why) } else { News::Nothing }, pause)
            }
        }
    }
}

fn say(news: News) {
    match news {
        News::Nothing => {}
        News::Away(why) => tracing::warn!(
            why,
            "the collector takes no traces: some are kept for it, the rest is counted, and nothing waits"
        ),
        News::Back { lost } => tracing::info!(lost, "the collector takes traces again"),
        News::Lost(spans) => tracing::warn!(spans, "spans were lost: there were more than were sent or kept"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_it_is_away_is_said_once_and_that_it_is_back_with_what_was_lost() {
        let mut health = Health::default();
        let mut after = |answer: Answer, lost: u64| health.after(answer, || lost);
        let away = || Answer::Away("x".to_owned());
        assert_eq!(after(Answer::Taken, 0), (News::Nothing, Duration::ZERO));
        assert_eq!(after(away(), 0), (News::Away("x".to_owned()), PAUSE));
        assert_eq!(after(away(), 3), (News::Nothing, PAUSE * 2));
        let last = (0..10).map(|_| after(away(), 1)).last().unwrap();
        assert_eq!(last, (News::Nothing, PAUSE_MAX));
        assert_eq!(after(Answer::Taken, 1), (News::Back { lost: 14 }, Duration::ZERO));
        assert_eq!(after(Answer::Taken, 2).0, News::Lost(2));
    }

    #[test]
    fn what_may_be_taken_later_is_told_from_what_never_will() {
        for (status, later) in
            [(429, true), (503, true), (502, true), (400, false), (401, false), (500, false)]
        {
            let answer = judge(StatusCode::from_u16(status).unwrap());
            assert_eq!(matches!(answer, Answer::Away(_)), later, "{status}");
        }
        assert_eq!(judge(StatusCode::ACCEPTED), Answer::Taken);
    }

    #[test]
    fn headers_are_sent_and_never_shown() {
        use reqwest::header::HeaderName;
        let mut token = HeaderValue::from_static("hunter=2");
        token.set_sensitive(true);
        let settings = TraceSettings {
            endpoint: Some("http://collector.example.com:4318/otlp/".parse().unwrap()),
            headers: HeaderMap::from_iter([(HeaderName::from_static("x-token"), token)]),
            sample_percent: 100,
        };
        let collector = Collector::configured(&settings).unwrap();
        assert_eq!(collector.url, "http://collector.example.com:4318/otlp/v1/traces");
        assert_eq!(collector.headers["x-token"], "hunter=2");
        assert!(!format!("{:?} {settings:?}", collector.headers).contains("hunter"));
    }
}
