//! When calendars are looked at, and how.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::block::CalendarRef;
use crate::calendar::{Access, Cursor};
use crate::delivery::{Delivery, GRACE, Unannounced};
use crate::ids::{AccountId, UserId};
use crate::subscription::SubscriptionStatus;
use crate::subscription::tests::channel;
use crate::time::Window;

const HOUR: i64 = 3_600;
const INTERVALS: fn() -> Intervals = Intervals::default;

fn at(hour: i64) -> Ts {
    Ts::from_secs(hour * HOUR)
}

fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

/// A clean calendar, read in full and synced at `hour`.
fn read_at(hour: i64) -> Calendar {
    Calendar {
        name: "A".into(),
        time_zone: "Europe/Vienna".into(),
        access: Access::Owner,
        sync_enabled: true,
        last_synced_at: Some(at(hour)),
        last_full_sync: Some(at(hour)),
        cursor: Some(Cursor { token: "t".into(), params: "p".into(), covers: Window::ALL }),
        dirty_generation: 4,
        synced_generation: 4,
        ..Calendar::new(
            CalendarId(Uuid::nil()),
            AccountId(Uuid::nil()),
            UserId(Uuid::nil()),
            CalendarRef { provider: "google".into(), account: "1".into(), calendar: "a".into() },
        )
    }
}

fn heard(hour: i64) -> Subscription {
    Subscription { last_notification_at: Some(at(hour)), expires_at: at(7 * 24), ..channel() }
}

#[test]
fn one_method_for_every_state() {
    use Method::{Polling, PollingAndRepair, Webhook};
    let failures = |n, s: Subscription| Some(Subscription { failure_count: n, ..s });
    let table = [
        (None, 1, 2, Polling, "no channel"),
        (Some(heard(10)), 10, 12, Webhook, "delivers"),
        (Some(heard(10)), 10, 17, PollingAndRepair, "silent for seven hours, and nobody looked"),
        (Some(heard(10)), 16, 17, Webhook, "silent, but a reading found it quiet"),
        (Some(channel()), 0, 7, PollingAndRepair, "never delivered, and nobody looked"),
        (failures(1, heard(10)), 16, 17, PollingAndRepair, "the reading found what the channel had missed"),
        (failures(4, heard(16)), 16, 17, Webhook, "failed, but delivers"),
        (failures(5, heard(16)), 16, 17, PollingAndRepair, "failing (spec §4)"),
        (Some(heard(7 * 24)), 7 * 24, 7 * 24, PollingAndRepair, "past its end"),
        (
            Some(Subscription { status: SubscriptionStatus::Suspended, ..heard(10) }),
            10,
            11,
            PollingAndRepair,
            "suspended",
        ),
    ];
    let table = table.into_iter().chain([
        (Some(delivering(85, heard(10))), 10, 11, Webhook, "most of it arrives"),
        (Some(delivering(50, heard(10))), 10, 11, PollingAndRepair, "half of it is lost"),
    ]);
    for (channel, synced, now, expected, what) in table {
        let calendar = Calendar { last_synced_at: Some(at(synced)), ..read_at(0) };
        assert_eq!(method(&calendar, channel.as_ref(), at(now)), expected, "{what}");
    }
}

#[test]
fn one_reading_for_every_state() {
    use RunKind::{Full, Polling, Webhook};
    let dirty = |c: Calendar| Calendar { dirty_generation: 5, ..c };
    let table = [
        (Calendar { sync_enabled: false, ..dirty(read_at(10)) }, None, 11, None, "switched off"),
        (Calendar { missing: true, ..dirty(read_at(10)) }, None, 11, None, "missing"),
        (Calendar { cursor: None, last_full_sync: None, ..read_at(10) }, None, 10, Some(Full), "never read"),
        (Calendar { cursor: None, ..dirty(read_at(10)) }, Some(heard(10)), 11, Some(Full), "no cursor"),
        (Calendar { full_due: true, ..read_at(10) }, Some(heard(10)), 10, Some(Full), "asked for"),
        (
            Calendar { last_full_sync: None, ..read_at(10) },
            Some(heard(10)),
            10,
            Some(Full),
            "never read in full",
        ),
        (read_at(10), Some(heard(10)), 34, Some(Full), "daily"),
        (dirty(read_at(10)), Some(heard(10)), 10, Some(Webhook), "notified"),
        (dirty(read_at(10)), None, 10, Some(Polling), "raised by hand"),
        (read_at(10), Some(heard(10)), 12, None, "quiet, and its channel tells"),
        (read_at(10), Some(heard(10)), 16, Some(Polling), "silent for six hours: a probe"),
        (read_at(10), None, 11, Some(Polling), "polled"),
        (
            Calendar { last_synced_at: Some(at(9)), ..read_at(9) },
            Some(channel()),
            16,
            Some(Polling),
            "repair",
        ),
        (
            Calendar { fallback_polling_enabled: false, ..read_at(2) },
            Some(channel()),
            16,
            None,
            "not to be polled",
        ),
    ];
    for (calendar, channel, now, expected, what) in table {
        assert_eq!(reading(&calendar, channel.as_ref(), &INTERVALS(), at(now)), expected, "{what}");
    }
}

#[test]
fn a_quiet_calendar_is_probed_every_six_hours_and_no_oftener() {
    let channel = Subscription { expires_at: at(1_000), ..heard(0) };
    let mut calendar = read_at(0);
    let (mut probes, mut fulls) = (Vec::new(), 0);
    for minute in 1..=48 * 60 {
        let now = Ts::from_secs(minute * 60);
        match reading(&calendar, Some(&channel), &INTERVALS(), now) {
            Some(RunKind::Full) => {
                fulls += 1;
                calendar.last_full_sync = Some(now);
            }
            Some(_) => probes.push(minute / 60),
            None => continue,
        }
        calendar.last_synced_at = Some(now);
    }
    // Polling every 15 minutes would be 192 readings: spec §10 asks for 95 % fewer. The third look is the full one.
    assert_eq!((probes, fulls), (vec![6, 12, 24, 30, 42, 48], 2));
}

/// A channel that told of this share of sixty changes.
fn delivering(percent: u32, s: Subscription) -> Subscription {
    let delivery =
        Delivery { heard: 60 * percent / 100, missed: 60 - 60 * percent / 100, ..Delivery::default() };
    Subscription { delivery, ..s }
}

#[test]
fn the_measured_ratio_decides_how_often_somebody_looks() {
    let due_after = |percent: u32| {
        let calendar = Calendar { last_synced_at: Some(at(10)), ..read_at(10) };
        let channel = delivering(percent, Subscription { expires_at: at(1_000), ..heard(10) });
        let due = next_due(&calendar, Some(&channel), &INTERVALS(), at(10)).unwrap();
        (due.since(at(10)).as_mins(), method(&calendar, Some(&channel), at(10)))
    };
    let (perfect, good, middling, bad, dead) =
        (due_after(100), due_after(95), due_after(85), due_after(50), due_after(0));
    assert_eq!(perfect, (6 * 60, Method::Webhook));
    assert!(good.0 < perfect.0 && middling.0 < good.0 && middling.0 >= 60, "{good:?} {middling:?}");
    assert_eq!((good.1, middling.1), (Method::Webhook, Method::Webhook));
    assert!(bad.0 < 60 && dead.0 < bad.0 && dead.0 >= 5, "{bad:?} {dead:?}");
    assert_eq!((bad.1, dead.1), (Method::PollingAndRepair, Method::PollingAndRepair));
}

#[test]
fn a_change_that_nobody_told_of_is_looked_at_once_more_when_its_grace_is_over() {
    let found_at = at(10);
    let delivery =
        Delivery { unannounced: Some(Unannounced { found_at, changes: 1 }), ..Delivery::default() };
    let channel = Subscription { delivery, expires_at: at(1_000), ..heard(9) };
    let calendar = Calendar { last_full_sync: Some(at(-13)), ..read_at(10) };
    let due = next_due(&calendar, Some(&channel), &INTERVALS(), found_at);
    assert_eq!(due, Some(found_at.plus(GRACE)));
    let look = |at| reading(&calendar, Some(&channel), &INTERVALS(), at);
    assert_eq!(look(found_at.plus(GRACE).minus(SignedDuration::from_secs(1))), None);
    assert_eq!(
        look(found_at.plus(GRACE)),
        Some(RunKind::Polling),
        "a quick one, though the full one is near"
    );
}

#[test]
fn a_silence_that_hid_something_is_polled_hourly_until_it_ends() {
    let missed = Subscription { failure_count: 1, ..heard(0) };
    let calendar = Calendar { last_synced_at: Some(at(6)), ..read_at(0) };
    assert_eq!(next_due(&calendar, Some(&missed), &INTERVALS(), at(6).plus(hours(1))), Some(at(7)));
}

#[test]
fn a_clean_calendar_is_never_due_right_after_a_run() {
    let now = 30;
    let channels = [None, Some(heard(30)), Some(heard(2)), Some(channel())];
    let failing = channels.clone().map(|c| c.map(|c| Subscription { failure_count: 7, ..c }));
    for channel in channels.into_iter().chain(failing) {
        for fallback in [true, false] {
            for id in [0, 1, 1023, 1024, u128::MAX] {
                for cursor in [read_at(now).cursor, None] {
                    let calendar = Calendar {
                        id: CalendarId(Uuid::from_u128(id)),
                        fallback_polling_enabled: fallback,
                        cursor,
                        ..read_at(now)
                    };
                    let due = next_due(&calendar, channel.as_ref(), &INTERVALS(), at(now));
                    let due = due.expect("a safety net always");
                    assert!(due >= at(now).plus(SignedDuration::from_mins(5)), "{due} {channel:?}");
                    assert!(due <= at(now).plus(hours(24)), "{due}");
                    assert!(
                        reading(&calendar, channel.as_ref(), &INTERVALS(), due).is_some(),
                        "due for nothing at {due}"
                    );
                }
            }
        }
    }
}

#[test]
fn echoes_are_no_reading() {
    let hour = |n| at(n).plus(SILENCE_LIMIT);
    let table = [
        (None, 10, Some(hour(10)), "read for whatever was told last"),
        (Some(10), 10, Some(hour(10)), "the same, as it is written down"),
        (None, 12, Some(hour(12)), "what it told since is being served"),
        (Some(12), 12, Some(hour(10)), "what it told since was known: nobody has looked"),
    ];
    for (answered, told, due, why) in table {
        let calendar = Calendar { webhook_last_activity: answered.map(at), ..read_at(10) };
        assert_eq!(poll_due_at(&calendar, Some(&heard(told)), &INTERVALS(), at(13)), due, "{why}");
    }
}

#[test]
fn what_is_wanted_now_is_due_now() {
    let now = at(11);
    let due = |c: Calendar| next_due(&c, Some(&heard(10)), &INTERVALS(), now);
    assert_eq!(due(Calendar { dirty_generation: 5, ..read_at(10) }), Some(now));
    assert_eq!(due(Calendar { full_due: true, ..read_at(10) }), Some(now));
    assert_eq!(
        due(Calendar { cursor: None, last_full_sync: None, last_synced_at: None, ..read_at(10) }),
        Some(now)
    );
    assert_eq!(due(Calendar { sync_enabled: false, dirty_generation: 5, ..read_at(10) }), None);
    assert_eq!(due(Calendar { missing: true, dirty_generation: 5, ..read_at(10) }), None);
}

#[test]
fn full_listings_are_spread_over_the_last_quarter_of_the_day() {
    let mut by_hour = [0; 6];
    for id in 0..1024u128 {
        let calendar = Calendar { id: CalendarId(Uuid::from_u128(id)), ..read_at(0) };
        let due = full_due_at(&calendar, &INTERVALS(), at(1)).unwrap();
        assert!(at(18) < due && due <= at(24), "{due}");
        by_hour[usize::try_from(due.since(at(18)).as_hours().min(5)).unwrap()] += 1;
        assert_eq!(full_due_at(&calendar, &INTERVALS(), at(1)), Some(due), "the same every time");
    }
    assert!(by_hour.iter().all(|n| (150..200).contains(n)), "{by_hour:?}");
}

#[test]
fn every_error_class_has_its_wait() {
    let minutes = SignedDuration::from_mins;
    let secs = SignedDuration::from_secs;
    let table = [
        (ErrorClass::Transient, None, 1, Some(minutes(1))),
        (ErrorClass::Transient, None, 2, Some(minutes(5))),
        (ErrorClass::Transient, None, 3, Some(minutes(15))),
        (ErrorClass::Transient, None, 99, Some(minutes(15))),
        (ErrorClass::Transient, None, 0, Some(minutes(1))),
        (ErrorClass::Transient, Some(minutes(2)), 1, Some(minutes(2))),
        (ErrorClass::Transient, Some(secs(5)), 2, Some(minutes(5))),
        (ErrorClass::RateLimited, None, 1, Some(secs(30))),
        (ErrorClass::RateLimited, Some(secs(7)), 9, Some(secs(7))),
        (ErrorClass::RateLimited, Some(secs(0)), 1, Some(secs(1))),
        (ErrorClass::RateLimited, Some(hours(9)), 1, Some(hours(1))),
        (ErrorClass::Ambiguous, None, 1, Some(minutes(1))),
        (ErrorClass::Conflict, None, 1, Some(minutes(1))),
        (ErrorClass::Exists, None, 1, Some(minutes(1))),
        (ErrorClass::CursorExpired, None, 1, Some(minutes(1))),
        (ErrorClass::Misconfigured, None, 3, Some(minutes(15))),
        (ErrorClass::Unauthorized, None, 1, None),
        (ErrorClass::Permanent, Some(secs(1)), 1, None),
        (ErrorClass::Gone, None, 1, Some(minutes(1))),
        (ErrorClass::Gone, None, 3, Some(minutes(15))),
        (ErrorClass::Gone, None, 4, None),
        (ErrorClass::Invalid, None, 1, None),
        (ErrorClass::Unsupported, None, 1, None),
    ];
    for (class, retry_after, streak, wait) in table {
        let error = ProviderError { class, detail: String::new(), retry_after };
        let expected = wait.map(|w| at(5).plus(w));
        assert_eq!(after_error(&error, streak, at(5)), expected, "{class:?} {retry_after:?} {streak}");
    }
}

#[test]
fn after_failures_a_calendar_is_left_alone_for_a_while_whatever_asks() {
    let failed = |streak| Calendar {
        webhook_failure_streak: streak,
        last_webhook_failure: Some(at(10)),
        dirty_generation: 5,
        ..read_at(9)
    };
    for (streak, minutes) in [(1, 1), (2, 5), (3, 15), (4, 15), (u32::MAX, 15)] {
        let wait = SignedDuration::from_mins(minutes);
        let (before, after) = (at(10).plus(wait).minus(SignedDuration::from_secs(1)), at(10).plus(wait));
        assert_eq!(reading(&failed(streak), None, &INTERVALS(), before), None, "{streak}");
        assert_eq!(reading(&failed(streak), None, &INTERVALS(), after), Some(RunKind::Polling), "{streak}");
        assert_eq!(next_due(&failed(streak), None, &INTERVALS(), at(10)), Some(after), "never a hot loop");
    }
    assert_eq!(reading(&failed(0), None, &INTERVALS(), at(10)), Some(RunKind::Polling));
    // A failure stamped by a clock that was ahead holds nothing up.
    assert_eq!(reading(&failed(3), None, &INTERVALS(), at(9)), Some(RunKind::Polling));
}

#[test]
fn stamps_of_a_clock_that_was_ahead_stop_no_safety_net() {
    let calendar = read_at(24 * 30);
    assert_eq!(reading(&calendar, Some(&heard(10)), &INTERVALS(), at(11)), Some(RunKind::Full));
    let polled = Calendar { last_full_sync: Some(at(10)), ..read_at(24 * 30) };
    let due = next_due(&polled, None, &INTERVALS(), at(11)).unwrap();
    assert!(due <= at(12), "{due}");
}

/// Found by the property below.
#[test]
fn nobody_is_left_to_themselves() {
    let unread = Calendar { last_full_sync: None, fallback_polling_enabled: false, ..read_at(10) };
    let failing = Subscription { failure_count: 5, ..heard(10) };
    assert_eq!(next_due(&unread, Some(&failing), &INTERVALS(), at(11)), Some(at(11)), "never read in full");
    let ahead = next_due(&read_at(10), Some(&heard(90)), &INTERVALS(), at(11));
    assert_eq!(ahead, Some(at(16)), "heard of by a clock that was ahead");
}

/// Any row that a database may hold, its times within a month around now.
fn any_state() -> impl Strategy<Value = (Calendar, Option<Subscription>, i64)> {
    let time = || prop::option::of(-720i64..720);
    let calendar = (any::<[bool; 5]>(), time(), time(), prop::option::of(0u32..6), time(), 0i64..3).prop_map(
        |([webhook, fallback, cursor, full_due, unsupported], synced, full, streak, failed, ahead)| {
            let clean = read_at(0);
            Calendar {
                webhook_enabled: webhook,
                fallback_polling_enabled: fallback,
                cursor: clean.cursor.clone().filter(|_| cursor),
                full_due,
                push_unsupported: unsupported,
                last_synced_at: synced.map(at),
                last_full_sync: full.map(at),
                webhook_failure_streak: streak.unwrap_or(0),
                last_webhook_failure: failed.map(at),
                dirty_generation: 4 + ahead,
                ..clean
            }
        },
    );
    let channel = (
        prop::sample::select(vec![
            SubscriptionStatus::Active,
            SubscriptionStatus::Expired,
            SubscriptionStatus::Failed,
            SubscriptionStatus::Suspended,
        ]),
        time(),
        time(),
        -720i64..720,
        0u32..20,
        (0u32..70, 0u32..70, 0u32..12),
        time(),
    )
        .prop_map(|(status, heard, verified, ends, failures, (heard_of, missed, streak), found)| {
            Subscription {
                status,
                last_notification_at: heard.map(at),
                verified_at: verified.map(at),
                expires_at: at(ends),
                failure_count: failures,
                delivery: Delivery {
                    heard: heard_of,
                    missed,
                    missed_streak: streak,
                    unannounced: found.map(|hour| Unannounced { found_at: at(hour), changes: 1 }),
                },
                ..channel()
            }
        });
    (calendar, prop::option::of(channel), -720i64..720)
}

proptest! {
    /// goals.md §4 row 1: there is a decision for every state, and it is one; and whoever takes part is looked at again, within
    /// a day whatever the clocks said, so that none is ever left to itself.
    #[test]
    fn every_state_is_decided_and_covered((calendar, channel, hour) in any_state(), doubted: bool) {
        let (now, usual) = (at(hour), INTERVALS());
        let intervals = Intervals { beside_push: doubted.then_some(usual.fallback_poll), ..usual };
        let channel = channel.as_ref();
        let method = method(&calendar, channel, now);
        prop_assert_eq!(method == Method::Polling, channel.is_none());
        let unusable = |s: &Subscription| s.status != SubscriptionStatus::Active || s.is_expired(now);
        prop_assert!(method != Method::Webhook || !channel.is_some_and(unusable));
        let reading = reading(&calendar, channel, &intervals, now);
        let due = next_due(&calendar, channel, &intervals, now);
        prop_assert!(due.is_some_and(|due| due <= now.plus(hours(25))), "{:?}", due);
        if let Some(due) = due.filter(|_| calendar.fallback_polling_enabled) {
            // Spec §8: while push is in doubt, a channel that is relied on is no reason not to look.
            let longest = match method { Method::Webhook if !doubted => hours(7), _ => hours(2) };
            prop_assert!(due <= now.plus(longest), "{:?} {}", method, due);
        }
        // Whatever is due now is read now: no loop that wakes and does nothing.
        prop_assert!(due.is_none_or(|due| due > now) || reading.is_some(), "{:?} {:?}", due, reading);
    }
}
