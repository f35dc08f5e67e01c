//! microsoft.md §9: limits of use, and the forms in which they are told.

use calsync_sim::faults::Fault;
use calsync_sim::microsoft::MicrosoftConfig;
use jiff::SignedDuration;

use super::stage::{BOB_TOKEN, Microsoft, code, get};
use crate::stage::TOKEN;

fn retry_after(ms: &Microsoft) -> Option<String> {
    let answer = ms.ask(&get("me").bearer(TOKEN));
    assert_eq!(answer.status, 429, "{}", answer.body);
    answer.headers.iter().find(|(k, _)| *k == "retry-after").map(|(_, v)| v.clone())
}

#[test]
fn row_429_comes_with_a_fraction_a_date_a_number_or_nothing() {
    let ms = Microsoft::new();
    ms.faults.force(Fault::TooManyRequests, 60);
    let all: Vec<_> = (0..60).map(|_| retry_after(&ms)).collect();
    let some = |fits: &dyn Fn(&str) -> bool| all.iter().flatten().any(|v| fits(v));
    assert!(some(&|v| v.contains('.') && v.parse::<f64>().is_ok()), "fractional: {all:?}");
    assert!(some(&|v| v.ends_with("GMT")), "a date");
    assert!(some(&|v| v.parse::<u32>().is_ok_and(|n| n > 1)) && some(&|v| v == "1"), "whole seconds");
    assert!(all.iter().any(Option::is_none), "missing");
}

#[test]
fn row_four_at_the_same_time_per_mailbox_and_program() {
    let ms = Microsoft::new();
    let flights: Vec<_> = (0..4).map(|_| ms.face.begin("seeded", &ms.ann).unwrap()).collect();
    let (status, body) = ms.get("me");
    assert_eq!((status, code(&body)), (429, "ApplicationThrottled"));
    assert!(body["error"]["message"].as_str().unwrap().contains("MailboxConcurrency"));
    assert_eq!(ms.send_as(BOB_TOKEN, get("me")).0, 200, "each mailbox by itself");
    let other = ms.face.mint_token(&ms.ann, "app", "User.Read").unwrap();
    assert_eq!(ms.send_as(&other, get("me")).0, 200, "each program by itself");
    drop(flights);
    assert_eq!(ms.get("me").0, 200);
}

#[test]
fn row_requests_in_ten_minutes_and_rejected_ones_count() {
    let ms = Microsoft::with(MicrosoftConfig { requests_per_mailbox: 3, ..MicrosoftConfig::default() });
    let ask = || ms.get("me").0;
    assert_eq!([ask(), ask(), ask(), ask()], [200, 200, 200, 429]);
    ms.clock.advance(SignedDuration::from_secs(599));
    assert_eq!(ask(), 429);
    ms.clock.advance(SignedDuration::from_secs(1));
    assert_eq!([ask(), ask(), ask()], [200, 200, 429], "the one rejected a second ago still counts");
}

#[test]
fn row_the_list_of_subscriptions_has_a_limit_of_its_own() {
    let ms = Microsoft::with(MicrosoftConfig { subscription_lists: 2, ..MicrosoftConfig::default() });
    let ask = || ms.get("subscriptions").0;
    assert_eq!([ask(), ask(), ask()], [200, 200, 429]);
    ms.clock.advance(SignedDuration::from_secs(20));
    assert_eq!(ask(), 200);
}

#[test]
fn row_503_for_the_same_and_what_is_overloaded() {
    let ms = Microsoft::new();
    ms.faults.force(Fault::RateLimited, 40);
    let mut seen: Vec<u16> = (0..40).map(|_| ms.get("me").0).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [429, 503]);
    ms.faults.force(Fault::ErrorBefore, 40);
    let mut codes: Vec<_> = (0..40)
        .map(|_| ms.get("me"))
        .map(|(status, body)| (status, code(&body).to_owned(), body["error"]["message"] == ""))
        .collect();
    codes.sort();
    codes.dedup();
    let codes: Vec<_> = codes.iter().map(|(status, code, empty)| (*status, code.as_str(), *empty)).collect();
    assert_eq!(
        codes,
        [
            (500, "ErrorInternalServerError", false),
            (503, "ConcurrentItemSave", false),
            (503, "ErrorInternalServerTransientError", false),
            (504, "UnknownError", true),
        ]
    );
}
