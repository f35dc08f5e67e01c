//! Refusals slow us down and lose nothing.

use calsync_core::ids::EventId;
use calsync_core::ports::{ErrorClass, ProviderAccount};
use jiff::SignedDuration;

use crate::rig::{Rig, refusal};

#[tokio::test]
async fn after_a_429_we_keep_still_for_as_long_as_asked() {
    let rig = Rig::new().await;
    let id = EventId("cs1abc".into());
    rig.answers([refusal(429, "rateLimitExceeded").header("retry-after", "30")]);
    let error = rig.account.get_block("a", &id).await.unwrap_err();
    assert_eq!(
        (error.class, error.retry_after),
        (ErrorClass::RateLimited, Some(SignedDuration::from_secs(30)))
    );
    let held = rig.account.get_block("a", &id).await.unwrap_err();
    assert_eq!(held.class, ErrorClass::RateLimited);
    assert!(held.retry_after.unwrap() > SignedDuration::from_secs(20));
    assert_eq!(rig.calls().len(), 1, "the second was never sent");
    let other = rig.google.account(&crate::rig::person(), crate::rig::credentials(), rig.keeper.clone());
    rig.answers([refusal(404, "notFound")]);
    assert!(other.get_block("a", &id).await.is_ok(), "other accounts go on");
}

#[tokio::test]
async fn who_may_not_write_any_more_may_still_read() {
    let rig = Rig::new().await;
    let id = EventId("cs1abc".into());
    rig.answers([refusal(403, "quotaExceeded"), refusal(404, "notFound")]);
    let error = rig.account.delete_block("a", &id, None).await.unwrap_err();
    assert_eq!(
        (error.class, error.retry_after),
        (ErrorClass::RateLimited, Some(SignedDuration::from_hours(1)))
    );
    assert!(error.detail.contains("Calendar use limits"), "{error}");
    assert!(rig.account.get_block("a", &id).await.is_ok());
    assert_eq!(rig.account.delete_block("a", &id, None).await.unwrap_err().class, ErrorClass::RateLimited);
    assert_eq!(rig.calls().len(), 2);
}

#[tokio::test]
async fn a_quota_used_up_by_reading_stops_reading_for_a_moment_only() {
    let rig = Rig::new().await;
    let id = EventId("cs1abc".into());
    rig.answers([refusal(403, "quotaExceeded")]);
    let error = rig.account.get_block("a", &id).await.unwrap_err();
    assert_eq!(
        (error.class, error.retry_after),
        (ErrorClass::RateLimited, Some(SignedDuration::from_hours(1)))
    );
    let held = rig.account.get_block("a", &id).await.unwrap_err();
    assert!(held.retry_after.unwrap() <= SignedDuration::from_mins(1), "{held:?}");
}

#[tokio::test]
async fn calls_under_way_are_bounded() {
    let rig = Rig::with(|config| {
        config.limits.concurrent = 1;
        config.limits.max_wait = std::time::Duration::from_millis(200);
    })
    .await;
    rig.answers([refusal(404, "notFound").after(2_000)]);
    let id = EventId("cs1abc".into());
    let (a, b) = tokio::join!(rig.account.get_block("a", &id), rig.account.get_block("a", &id));
    let errors: Vec<_> = [a, b].into_iter().filter_map(Result::err).map(|e| e.class).collect();
    assert_eq!(errors, [ErrorClass::RateLimited]);
}
