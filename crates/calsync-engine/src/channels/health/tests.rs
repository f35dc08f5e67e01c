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
        id: CalendarId(Uuid::nil()),
        account: AccountId(Uuid::nil()),
        user: UserId(Uuid::nil()),
        remote: CalendarRef { provider: "google".into(), account: "1".into(), calendar: "a".into() },
        name: "A".into(),
        time_zone: "UTC".into(),
        colour: None,
        access: Access::Owner,
        sync_enabled: true,
        webhook_enabled: true,
        fallback_polling_enabled: true,
        missing: false,
        push_unsupported: false,
        leaving: None,
        watch_after: Ts::MIN,
        push_admitted: true,
        webhook_last_activity: None,
        webhook_failure_streak: 0,
        last_webhook_failure: None,
        last_polling_sync: None,
        last_synced_at: Some(at(synced)),
        last_full_sync: None,
        cursor: None,
        dirty_generation: 0,
        synced_generation: 0,
        due_at: None,
        plan_due: false,
        full_due: false,
    }
}

fn channel() -> Subscription {
    Subscription {
        id: SubscriptionId(Uuid::nil()),
        calendar: CalendarId(Uuid::nil()),
        provider: ProviderKind::Google,
        remote_id: "channel".into(),
        webhook_url: String::new(),
        resource_id: "resource".into(),
        token_hash: vec![],
        created_at: at(0),
        expires_at: at(100),
        status: SubscriptionStatus::Active,
        last_notification_at: Some(at(10)),
        verified_at: None,
        last_renewal_at: None,
        failure_count: 0,
        renew_at: at(80),
        close_at: None,
        delivery: Delivery::default(),
        provider_metadata: serde_json::json!({}),
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
