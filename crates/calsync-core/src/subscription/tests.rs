//! When a channel counts as healthy, and when it is to be renewed.

use uuid::Uuid;

use super::*;

/// A channel made at second 0 that lives for seven days and never delivered.
pub(crate) fn channel() -> Subscription {
    Subscription {
        webhook_url: "https://calendar.example.org/webhooks/google/".into(),
        resource_id: "resource".into(),
        expires_at: Ts::from_secs(7 * 86_400),
        renew_at: Ts::from_secs(6 * 86_400),
        provider_metadata: serde_json::Value::Null,
        ..Subscription::provisional(
            SubscriptionId(Uuid::nil()),
            (CalendarId(Uuid::nil()), ProviderKind::Google),
            "channel".to_owned(),
            Vec::new(),
            Ts::from_secs(0),
        )
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

#[test]
fn a_hundred_thousand_renewals_of_one_hour_are_spread_over_half_a_day() {
    let mut per_minute = std::collections::BTreeMap::<i64, u32>::new();
    for n in 0..100_000u128 {
        let opened = Ts::from_secs(i64::try_from(n * 3_600 / 100_000).unwrap());
        let ends = opened.plus(SignedDuration::from_hours(7 * 24));
        // What stands at the end of a UUIDv7 is random.
        let id = SubscriptionId(Uuid::from_u128(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let due = renewal_due(id, opened, ends);
        assert!(due >= ends.minus(RENEWAL_BUFFER), "inside the buffer");
        assert!(due <= ends.minus(RENEWAL_BUFFER / 2), "with half of it left for further tries");
        *per_minute.entry(due.micros() / 1_000_000 / 60).or_default() += 1;
    }
    let most = per_minute.values().max().copied().unwrap();
    assert!(most < 250, "{most} in one minute; evenly spread it were 128");
}

#[test]
fn a_short_life_is_renewed_in_its_last_third() {
    let id = SubscriptionId(Uuid::from_u128(7));
    let (now, ends) = (at(0), at(6));
    let due = renewal_due(id, now, ends);
    assert!((at(4)..=at(5)).contains(&due), "{due}");
    assert_eq!(renewal_due(id, now, at(-1)), at(-1), "a life that is over already");
}

#[test]
fn renewing_is_tried_again_the_oftener_the_nearer_the_end() {
    let mins = SignedDuration::from_mins;
    let table = [
        (mins(24 * 60), None, mins(60), "a day left"),
        (mins(80), None, mins(10), "eighty minutes left"),
        (mins(3), None, mins(1), "nearly over"),
        (mins(-5), None, mins(1), "over"),
        (mins(80), Some(mins(20)), mins(20), "the provider asks for more"),
        (mins(80), Some(mins(2)), mins(10), "the provider asks for less"),
        (mins(80), Some(mins(600)), mins(60), "the provider asks for too much"),
    ];
    for (left, asked, expected, what) in table {
        let now = at(100);
        assert_eq!(renew_again(now, now.plus(left), asked).since(now), expected, "{what}");
    }
}

#[test]
fn failures_in_a_row_lead_to_the_steps_of_the_table() {
    use FailureStep::{None, Repair, Retry, Suspend};
    let table =
        [(0, None), (1, Retry), (4, Retry), (5, Repair), (9, Repair), (10, Suspend), (u32::MAX, Suspend)];
    for (failures, expected) in table {
        assert_eq!(failure_step(failures), expected, "{failures}");
    }
}

#[test]
fn a_miss_is_mended_at_once_but_not_again_and_again() {
    let missed = |streak, renewed: Option<i64>| Subscription {
        last_renewal_at: renewed.map(at),
        delivery: Delivery { missed_streak: streak, ..Delivery::default() },
        ..channel()
    };
    let table = [
        (missed(1, None), 10, 10, "opened long ago"),
        (missed(1, Some(10)), 10, 11, "mended just now"),
        (missed(2, Some(10)), 10, 12, "and it did not help"),
        (missed(9, Some(10)), 10, 34, "nor did it ever"),
        (missed(1, Some(90)), 10, 10 + 1, "mended by a clock that was ahead"),
        (missed(1, Some(10)), 6 * 24 + 1, 6 * 24, "it is due anyhow"),
    ];
    for (channel, now, expected, what) in table {
        assert_eq!(channel.repair_due(at(now)), at(expected), "{what}");
    }
}

#[test]
fn opening_is_tried_again_as_soon_as_it_makes_sense() {
    use ErrorClass::{Misconfigured, Permanent, RateLimited, Transient, Unauthorized};
    let table = [
        (Transient, None, 5),
        (RateLimited, Some(20), 20),
        (RateLimited, Some(1), 5),
        (RateLimited, Some(100_000), 24 * 60),
        (Unauthorized, None, 60),
        (Misconfigured, None, 60),
        (Permanent, None, 24 * 60),
    ];
    for (class, asked, minutes) in table {
        let retry_after = asked.map(SignedDuration::from_mins);
        let error = ProviderError { retry_after, ..ProviderError::new(class, "refused") };
        assert_eq!(open_again(at(1), &error).since(at(1)), SignedDuration::from_mins(minutes), "{class:?}");
    }
}

#[test]
fn a_run_says_what_to_do_about_the_channel() {
    let failing = |n| Subscription { failure_count: n, ..channel() };
    let look = |changes, heard: Option<i64>| Look {
        began_at: at(50),
        since: Some(at(49)),
        told: &[],
        heard_at: heard.map(at),
        changes,
    };
    let seen = |changes, heard| Showed::Look(look(changes, heard));
    let open = Delivery {
        unannounced: Some(crate::delivery::Unannounced { found_at: at(49), changes: 1 }),
        missed_streak: 9,
        ..Delivery::default()
    };
    let due = channel().renew_at;
    let table = [
        (failing(0), seen(0, None), 0, due, "nothing happened"),
        (failing(3), seen(0, None), 0, due, "success clears"),
        (failing(3), seen(2, Some(50)), 0, due, "told of"),
        (failing(0), seen(2, None), 0, due, "nobody knows yet"),
        (failing(0), Showed::Failure, 1, due, "one failure"),
        (failing(4), Showed::Failure, 5, at(50), "five: repaired, polled and told of"),
        (failing(8), Showed::Failure, 9, at(50), "nine"),
        (failing(9), Showed::Failure, 10, at(50), "ten: out of use"),
        (
            Subscription { delivery: open, failure_count: 9, ..channel() },
            seen(0, None),
            10,
            at(50),
            "the tenth miss",
        ),
    ];
    for (channel, showed, failures, renew_at, what) in table {
        let verdict = channel.after_run(showed, at(50));
        assert_eq!((verdict.failures, verdict.renew_at), (failures, renew_at), "{what}");
    }
    let before = Showed::Look(Look { since: Some(Ts::from_secs(-1)), ..look(2, None) });
    assert_eq!(channel().after_run(before, at(50)).delivery, Delivery::default(), "older than the channel");
}
