//! Alerts: open once, told once, delivered by each channel for itself.

use std::sync::Arc;

use calsync_core::alert::{
    Again, Alert, AlertKind, AlertLevel, AlertMessage, Delivery, DeliveryState, Group, Occasion, Telling,
    Told,
};
use calsync_core::ids::DeliveryId;
use calsync_core::ports::{HealthHour, Prunable, Store};
use calsync_core::time::Ts;
use jiff::SignedDuration;
use uuid::Uuid;

use super::world::t;

fn alert(kind: AlertKind, subject: &str, at: i64) -> Alert {
    Alert {
        level: AlertLevel::Warning,
        ..Alert::seen(kind, subject, format!("seen at {at}"), "look".to_owned(), t(at))
    }
}

/// Seen again it stays one; resolved it can open again.
pub async fn an_alert_is_open_once(store: Arc<dyn Store>) {
    let (down, account) = (AlertKind::DatabaseDown, AlertKind::AccountNeedsReconnect);
    assert!(store.open_alert(&alert(down, "", 10)).await.unwrap());
    assert!(store.open_alert(&alert(account, "x", 10)).await.unwrap());
    let worse = Alert { level: AlertLevel::Critical, ..alert(down, "", 20) };
    assert!(!store.open_alert(&worse).await.unwrap());
    assert!(!store.open_alert(&alert(down, "", 15)).await.unwrap());
    assert!(!store.open_alert(&worse).await.unwrap());
    let open = store.open_alerts().await.unwrap();
    let known = Alert { first_seen: t(10), last_seen: t(20), ..worse };
    assert_eq!(open, [alert(account, "x", 10), known.clone()], "newest first");
    assert!(store.resolve_alert("database_down", "", t(30)).await.unwrap());
    assert!(!store.resolve_alert("database_down", "", t(31)).await.unwrap());
    assert!(store.open_alert(&alert(down, "", 40)).await.unwrap());
    assert_eq!(store.open_alerts().await.unwrap().len(), 2);
    let over = Alert { resolved_at: Some(t(30)), ..known };
    let all = [alert(down, "", 40), alert(account, "x", 10), over];
    assert_eq!(store.alerts(9).await.unwrap(), all);
    assert_eq!(store.alerts(1).await.unwrap(), all[..1]);
}

/// A thousand of one kind are one group, in the words of the newest of the loudest.
pub async fn alerts_are_counted_by_kind(store: Arc<dyn Store>) {
    let suspended = AlertKind::SubscriptionSuspended;
    for n in 0..30 {
        let loud = if n % 10 == 5 { AlertLevel::Critical } else { AlertLevel::Error };
        let one = Alert { level: loud, ..alert(suspended, &format!("calendar {n}"), 100 + n) };
        store.open_alert(&one).await.unwrap();
    }
    store.open_alert(&alert(AlertKind::CacheDown, "", 5)).await.unwrap();
    store.open_alert(&alert(AlertKind::DiskLow, "", 5)).await.unwrap();
    store.resolve_alert("disk_low", "", t(6)).await.unwrap();
    store.resolve_alert("subscription_suspended", "calendar 25", t(200)).await.unwrap();
    let group = |kind: &str, count, level, first, subject: &str, message: &str| Group {
        kind: kind.to_owned(),
        count,
        level,
        first_seen: t(first),
        subject: subject.to_owned(),
        message: message.to_owned(),
        action: "look".to_owned(),
    };
    let cache = group("cache_down", 1, AlertLevel::Warning, 5, "", "seen at 5");
    let critical = AlertLevel::Critical;
    let channels = group("subscription_suspended", 29, critical, 100, "calendar 15", "seen at 115");
    assert_eq!(store.alert_groups().await.unwrap(), [cache, channels]);
}

fn telling(count: u64, at: i64) -> Telling {
    Telling {
        thread: Uuid::from_u128(1),
        open: true,
        level: AlertLevel::Error,
        loudest: AlertLevel::Error,
        count,
        subject: String::new(),
        message: "words".to_owned(),
        first_seen: t(1),
        told_at: t(at),
        over_since: None,
        swings: 0,
    }
}

fn delivery(n: u128, channel: &str, at: i64) -> Delivery {
    let message = AlertMessage {
        id: Uuid::from_u128(100 + n),
        thread: Uuid::from_u128(1),
        occasion: Occasion::Opened,
        kind: "cache_down".to_owned(),
        level: AlertLevel::Error,
        subject: String::new(),
        count: 1,
        message: "words".to_owned(),
        action: "look".to_owned(),
        first_seen: t(1),
        at: t(at),
    };
    Delivery::new(DeliveryId(Uuid::from_u128(n)), channel, message)
}

async fn claim(store: &Arc<dyn Store>, now: i64, until: i64, limit: u32) -> Vec<Delivery> {
    let claimed = store.claim_deliveries(t(now), t(until), limit).await.unwrap();
    assert_eq!(claimed.unreadable, 0);
    claimed.deliveries
}

/// Each message is taken up by one of those who ask at the same moment; who dies over it leaves it to the next.
pub async fn a_message_is_taken_up_by_one(store: Arc<dyn Store>) {
    let told = Told { kind: "cache_down".to_owned(), version: 0, telling: telling(1, 5) };
    let all: Vec<Delivery> = (1..=40).map(|n| delivery(n, "email", 5)).collect();
    store.tell(&told, &all).await.unwrap();
    let (one, two, three, four) = tokio::join!(
        claim(&store, 6, 36, 15),
        claim(&store, 6, 36, 15),
        claim(&store, 6, 36, 15),
        claim(&store, 6, 36, 15)
    );
    let mut taken: Vec<_> = [one, two, three, four].concat().into_iter().map(|d| d.id).collect();
    taken.sort_unstable();
    let several = taken.len();
    taken.dedup();
    assert_eq!(several, taken.len(), "nothing is taken up twice");
    let rest = claim(&store, 6, 36, 99).await.len();
    assert_eq!(several + rest, 40, "and nothing is left out");
    assert_eq!(claim(&store, 36, 66, 99).await.len(), 40);
}

/// Of two instances that would tell the same thing one does, with its messages, and the other does nothing.
pub async fn one_of_two_tells(store: Arc<dyn Store>) {
    let told = |version, count| Told { kind: "cache_down".to_owned(), version, telling: telling(count, 5) };
    assert!(!store.tell(&told(1, 1), &[delivery(1, "email", 5)]).await.unwrap(), "nothing was told yet");
    assert!(store.tell(&told(0, 1), &[delivery(2, "email", 5), delivery(3, "slack", 5)]).await.unwrap());
    assert!(!store.tell(&told(0, 2), &[delivery(4, "email", 5)]).await.unwrap(), "the other was faster");
    assert_eq!(store.tellings().await.unwrap(), [told(1, 1)]);
    assert!(store.tell(&told(1, 3), &[]).await.unwrap());
    assert_eq!(store.tellings().await.unwrap(), [told(2, 3)]);
    let channels: Vec<String> = claim(&store, 5, 6, 9).await.into_iter().map(|d| d.channel).collect();
    assert_eq!(channels, ["email", "slack"]);
}

/// Each has its own time and its own end, and what is over stays over.
pub async fn deliveries_end_one_by_one(store: Arc<dyn Store>) {
    let told = Told { kind: "cache_down".to_owned(), version: 0, telling: telling(1, 5) };
    let [email, slack, pager] = [delivery(1, "email", 5), delivery(2, "slack", 5), delivery(3, "webhook", 6)];
    store.tell(&told, &[email.clone(), slack.clone(), pager.clone()]).await.unwrap();
    assert_eq!(claim(&store, 4, 34, 9).await, []);
    let until = |delivery: &Delivery| Delivery { next_try_at: Some(t(36)), ..delivery.clone() };
    assert_eq!(claim(&store, 6, 36, 2).await, [until(&email), until(&slack)]);
    assert_eq!(claim(&store, 6, 36, 9).await, [until(&pager)], "nobody else gets what is taken");
    assert_eq!(claim(&store, 35, 36, 9).await, []);
    let sent = email.clone().delivered(t(7));
    let later = slack.clone().failed("503".to_owned(), Again::Later(None), t(7));
    let never = pager.clone().failed("gone".to_owned(), Again::Never, t(7));
    for one in [&sent, &later, &never] {
        store.put_delivery(one).await.unwrap();
    }
    assert_eq!(claim(&store, 11, 12, 9).await, []);
    assert_eq!(claim(&store, 12, 12, 9).await, std::slice::from_ref(&later));
    // Who was slow does not open again what is over.
    store.put_delivery(&email.failed("late".to_owned(), Again::Later(None), t(8))).await.unwrap();
    assert_eq!(store.deliveries(9).await.unwrap(), [never, later.clone(), sent]);
    assert_eq!(store.prune(Prunable::Alerts, t(8), 9).await.unwrap(), 2);
    let kept = store.deliveries(9).await.unwrap();
    assert_eq!(kept, std::slice::from_ref(&later), "what is under way is kept");
    assert_eq!(later.state, DeliveryState::Pending);
}

/// An hour is as it was seen last, and as bad as it ever was; so are hours taken together.
pub async fn hours_keep_their_worst(store: Arc<dyn Store>) {
    let from = Ts::from_secs(2_000_000 * 3_600);
    let at = |n| from.plus(SignedDuration::from_hours(n));
    let hour = |n, active, worst| HealthHour { hour: at(n), active, healthy: active, worst };
    for one in [hour(0, 5, 0), hour(1, 7, 2), hour(1, 8, 0), hour(1, 9, 1)] {
        store.put_health_hour(&one).await.unwrap();
    }
    let spans =
        async |since, hours| store.health_spans(at(since), SignedDuration::from_hours(hours)).await.unwrap();
    assert_eq!(spans(0, 1).await, [hour(0, 5, 0), hour(1, 9, 2)]);
    assert_eq!(spans(1, 1).await, [hour(1, 9, 2)]);
    assert_eq!(spans(1, 8).await, [hour(0, 5, 2)]);
    assert_eq!(store.prune(Prunable::Figures, at(1), 9).await.unwrap(), 1);
    assert_eq!(spans(0, 1).await, [hour(1, 9, 2)]);
}
