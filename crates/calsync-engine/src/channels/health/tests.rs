//! A verdict for every state of a calendar and its channel.

use calsync_core::block::CalendarRef;
use calsync_core::calendar::Access;
use calsync_core::delivery::Delivery;
use calsync_core::ids::{AccountId, SubscriptionId, UserId};
use uuid::Uuid;

use super::*;

fn at(hour: i64) -> Ts {
    Ts::from_secs(hour * 3_600)
}

fn calendar(synced: i64) -> Calendar {
    Calendar {
        name: "A".into(),
        time_zone: "UTC".into(),
        access: Access::Owner,
        sync_enabled: true,
        last_synced_at: Some(at(synced)),
        ..Calendar::new(
            CalendarId(Uuid::nil()),
            AccountId(Uuid::nil()),
            UserId(Uuid::nil()),
            CalendarRef { provider: "google".into(), account: "1".into(), calendar: "a".into() },
        )
    }
}

fn channel() -> Subscription {
    Subscription {
        resource_id: "resource".into(),
        expires_at: at(100),
        last_notification_at: Some(at(10)),
        renew_at: at(80),
        ..Subscription::provisional(
            SubscriptionId(Uuid::nil()),
            (CalendarId(Uuid::nil()), ProviderKind::Google),
            "channel".to_owned(),
            vec![],
            at(0),
        )
    }
}

#[test]
fn a_verdict_for_every_state() {
    use SubscriptionStatus::{Expired, Failed, Suspended};
    use Verdict::{Healthy, Polled, Unhealthy};
    let of = |status| Some(Subscription { status, ..channel() });
    let deaf = Delivery { heard: 0, missed: 40, ..Delivery::default() };
    let table = [
        (Some(channel()), None, 12, 12, Healthy, "delivers"),
        (Some(channel()), None, 16, 17, Healthy, "quiet, and a reading found it so"),
        (Some(channel()), None, 10, 17, Unhealthy, "silent"),
        (Some(Subscription { failure_count: 4, ..channel() }), None, 12, 12, Healthy, "retried"),
        (Some(Subscription { failure_count: 5, ..channel() }), None, 12, 12, Unhealthy, "failing"),
        (Some(Subscription { delivery: deaf, ..channel() }), None, 12, 12, Unhealthy, "deaf"),
        (Some(Subscription { resource_id: String::new(), ..channel() }), None, 12, 12, Unhealthy, "opening"),
        (Some(channel()), None, 100, 100, Unhealthy, "ended"),
        (of(Suspended), None, 12, 12, Unhealthy, "suspended"),
        (of(Failed), None, 12, 12, Unhealthy, "refused"),
        (of(Expired), None, 12, 12, Unhealthy, "over"),
        (None, None, 12, 12, Unhealthy, "never watched"),
        (None, Some(Obstacle::NotAdmitted), 12, 12, Polled, "kept out"),
        (None, Some(Obstacle::Unsupported), 12, 12, Polled, "can't"),
        (of(Suspended), Some(Obstacle::PushOff), 12, 12, Polled, "switched off"),
        (Some(channel()), Some(Obstacle::NeedsReconnect), 12, 12, Unhealthy, "account"),
        (None, Some(Obstacle::Missing), 12, 12, Unhealthy, "gone"),
    ];
    for (subscription, hindered, synced, now, expected, what) in table {
        let (found, why) = verdict(&calendar(synced), subscription.as_ref(), hindered, at(now));
        assert_eq!(found, expected, "{what}: {why}");
    }
    let late = Subscription { last_notification_at: Some(at(95)), ..channel() };
    let (found, why) = verdict(&calendar(95), Some(&late), None, at(95));
    assert_eq!((found, why.as_str()), (Healthy, "its renewal is overdue"));
}
