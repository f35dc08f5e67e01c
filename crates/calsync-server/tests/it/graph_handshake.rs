//! The handshake that comes before Graph's first notification (microsoft.md §8.1).

use std::time::{Duration, Instant};

use calsync_core::calendar::ProviderKind;

use crate::channels::seed_at;
use crate::graph::{NOWHERE, shake, taking};
use crate::inside::Inside;
use crate::place::Place;
use crate::web::Answer;

/// Graph waits for no longer than ten seconds, and is not to be kept waiting.
const IN_TIME: Duration = Duration::from_secs(3);

/// The token that was sent comes back, and nothing can take it for a page.
#[track_caller]
pub(crate) fn is_echo(answer: &Answer, token: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (200, token), "{answer:?}");
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"), "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn the_handshake_asks_neither_whose_calendar_it_is_nor_the_database() {
    let place = Place::new();
    let channel = seed_at(&place, ProviderKind::Microsoft, 1).await.remove(0);
    let inside = Inside::serve(&place).await;
    let paths = [
        channel.path(),
        channel.path().trim_end_matches('/').to_owned(),
        NOWHERE.to_owned(),
        "/webhooks/microsoft/no-id/".to_owned(),
        "/webhooks/microsoft/%FF%FE".to_owned(),
    ];
    // As it is written in the query, and what it says: decoded once.
    let longest = "x".repeat(4 * 1024);
    let tokens = [
        ("Validation%3A+Testing+client+Request-Id%3A+5f0c", "Validation: Testing client Request-Id: 5f0c"),
        ("a%2Bb%26c%3Dd%20e", "a+b&c=d e"),
        ("%2541%253Cb", "%41%3Cb"),
        ("gr%C3%BC%C3%9Fe%E2%80%A6", "gr\u{fc}\u{df}e\u{2026}"),
        (&longest, &longest),
    ];
    for while_it in ["is well", "is locked", "is gone"] {
        let locked = (while_it == "is locked").then(|| place.lock());
        if while_it == "is gone" {
            inside.lose_the_store().await;
        }
        for path in &paths {
            for (query, says) in tokens {
                for method in ["GET", "POST"] {
                    let began = Instant::now();
                    let answer = shake(&place, method, path, &format!("validationToken={query}")).await;
                    is_echo(&answer, says);
                    assert!(began.elapsed() < IN_TIME, "{:?} while the database {while_it}", began.elapsed());
                }
            }
        }
        drop(locked);
    }
    // Something beside it, and a second one, change nothing.
    for query in ["x=1&validationToken=a&y", "validationToken=a&validationToken=b"] {
        is_echo(&shake(&place, "POST", NOWHERE, query).await, "a");
    }
    inside.stop().await;
}

#[tokio::test]
async fn a_token_that_is_none_is_refused_and_never_altered() {
    let (place, channels, _serving) = taking(1).await;
    let path = channels[0].path();
    let long = "x".repeat(10 * 1024);
    let endless = "%41".repeat(10 * 1024);
    let too_long = "x".repeat(4 * 1024 + 1);
    for token in [
        "",
        &too_long,
        &long,
        &endless,
        "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "<script>",
        "a%3Eb",
        "a%0D%0ASet-Cookie:x",
        "a%00b",
        "a%7Fb",
        "a%C2%85b",
        "%FF%FE",
    ] {
        for method in ["GET", "POST"] {
            let answer = shake(&place, method, &path, &format!("validationToken={token}")).await;
            let shown: String = token.chars().take(40).collect();
            assert_eq!((answer.status, answer.code().as_str()), (400, "bad_validation_token"), "{shown}");
            assert!(!answer.body.contains("script"), "{answer:?}");
        }
    }
    for query in ["", "validationtoken=x", "token=x", "x"] {
        for path in [path.as_str(), NOWHERE, "/webhooks/microsoft/x/"] {
            let answer = shake(&place, "GET", path, query).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "missing_validation_token"), "{query}");
        }
    }
    let answer = shake(&place, "POST", &path, "validationToken").await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "bad_validation_token"),
        "a name without a value"
    );
    let answer = shake(&place, "PUT", &path, "validationToken=x").await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
}
