//! When a channel counts as healthy, and when it is to be renewed.

use uuid::Uuid;

use super::*;

/// A channel made at second 0 that lives for seven days and never delivered.
pub(crate) fn channel() -> Subscription {
    Subscription {
        id: SubscriptionId(Uuid::nil()),
        calendar: CalendarId(Uuid::nil()),
        provider: ProviderKind::Google,
        remote_id: "channel".into(),
        webhook_url: "https://calendar.example.org/webhooks/google/".into(),
        resource_id: "resource".into(),
        token_hash: Vec::new(),
        created_at: Ts::from_secs(0),
        expires_at: Ts::from_secs(7 * 86_400),
        status: SubscriptionStatus::Active,
        last_notification_at: None,
        verified_at: None,
        last_renewal_at: None,
        failure_count: 0,
        provider_metadata: serde_json::Value::Null,
    }
}

const HOUR: i64 = 3_600;

fn at(hour: i64) -> Ts {
    Ts::from_secs(hour * HOUR)
}

#[test]
fn health_is_told_by_state_end_and_silence() {
    use SubscriptionStatus::{Active, Expired, Failed, Suspended};
    let heard = |hour| Subscription { last_notification_at: Some(at(hour)), ..channel() };
    let table = [
        (channel(), at(6), true, "new"),
        // goals.md §4 row 5: `NULL < t` made such a channel healthy for ever.
        (channel(), at(6).plus(SignedDuration::from_secs(1)), false, "never delivered anything"),
        (heard(10), at(16), true, "heard of"),
        (heard(10), at(17), false, "silent"),
        (heard(7 * 24 - 1), at(7 * 24), false, "past its end"),
        (Subscription { status: Expired, ..heard(10) }, at(11), false, "expired"),
        (Subscription { status: Failed, ..heard(10) }, at(11), false, "failed"),
        (Subscription { status: Suspended, ..heard(10) }, at(11), false, "suspended"),
        (Subscription { status: Active, ..heard(20) }, at(11), true, "heard of in the future of this clock"),
    ];
    for (channel, now, healthy, what) in table {
        assert_eq!(channel.is_healthy(now, SILENCE_LIMIT), healthy, "{what}");
    }
}

#[test]
fn a_reading_that_agrees_with_the_silence_verifies_the_channel() {
    assert!(channel().is_alive_since(Some(at(10)), at(16), SILENCE_LIMIT));
    assert!(!channel().is_alive_since(Some(at(10)), at(17), SILENCE_LIMIT));
    assert!(!Subscription { status: SubscriptionStatus::Failed, ..channel() }.is_alive_since(
        Some(at(10)),
        at(11),
        SILENCE_LIMIT
    ));
    let heard_later = Subscription { last_notification_at: Some(at(12)), ..channel() };
    assert!(heard_later.is_alive_since(Some(at(10)), at(18), SILENCE_LIMIT), "the later of both counts");
}

#[test]
fn renewal_begins_a_buffer_before_the_end() {
    let ends = channel().expires_at;
    let table = [
        (ends.minus(RENEWAL_BUFFER).minus(SignedDuration::from_secs(1)), false),
        (ends.minus(RENEWAL_BUFFER), true),
        (ends.plus(RENEWAL_BUFFER), true),
    ];
    for (now, renew) in table {
        assert_eq!(channel().needs_renewal(now, RENEWAL_BUFFER), renew, "{now}");
    }
    let suspended = Subscription { status: SubscriptionStatus::Suspended, ..channel() };
    assert!(!suspended.needs_renewal(ends, RENEWAL_BUFFER));
    assert!(!channel().is_expired(ends.minus(SignedDuration::from_micros(1))));
    assert!(channel().is_expired(ends));
}

#[test]
fn states_have_names() {
    for state in ["active", "expired", "failed", "suspended"] {
        assert_eq!(SubscriptionStatus::parse(state).map(SubscriptionStatus::as_str), Some(state));
    }
    assert_eq!(SubscriptionStatus::parse("Active"), None);
}
