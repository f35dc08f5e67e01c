//! Push channels by hand, by the compiled program against the look-alikes.

use calsync_core::ids::CalendarId;
use calsync_core::ports::{CalendarChange, Store};
use calsync_core::subscription::SubscriptionStatus;
use jiff::SignedDuration;

use crate::channels::{now, seed};
use crate::place::Place;
use crate::world::World;

fn open(world: &World) -> usize {
    world.sim.cloud().with(|cloud| cloud.watch().channels().count())
}

async fn active(world: &World, calendar: CalendarId) -> Vec<calsync_core::subscription::Subscription> {
    let mut all = world.place.look(async |s| s.subscriptions(calendar).await.unwrap()).await;
    all.retain(|s| s.status == SubscriptionStatus::Active);
    all
}

#[tokio::test]
async fn without_a_public_url_the_setting_is_named() {
    let place = Place::new();
    seed(&place, 1).await;
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    for what in ["create", "renew"] {
        place.run(&["manage-subscriptions", what]).expect(3).says(&["server.public_url", "WEBHOOK_BASE_URL"]);
    }
    place.run(&["manage-subscriptions", "health", "--calendar", "Nowhere"]).expect(6);
    place.run(&["manage-subscriptions", "metrics", "--user", "nobody@example.com"]).expect(6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_are_opened_revived_renewed_and_looked_at() {
    let (mut world, main, _) = World::with_ada(82).await;
    world.place.make_public();
    let place = &world.place;
    let id = world.id_of(&main);
    let calendar: CalendarId = id.parse().unwrap();
    let run = |code: i32, args: &[&str]| {
        place.run(&[&["manage-subscriptions"], args, &["--json"]].concat()).expect(code).json()
    };
    let outcomes = |rows: &serde_json::Value| -> Vec<String> {
        rows.as_array().unwrap().iter().map(|r| r["outcome"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(outcomes(&run(0, &["create", "--dry-run"])), ["would be opened"; 2]);
    assert_eq!(open(&world), 0, "nothing was done");
    let before = run(1, &["health"]);
    assert!(before.as_array().unwrap().iter().all(|r| r["verdict"] == "unhealthy"), "{before}");
    assert_eq!(outcomes(&run(0, &["create"])), ["opened"; 2]);
    assert_eq!(outcomes(&run(0, &["create"])), ["watched already"; 2]);
    assert_eq!(open(&world), 2);
    let health = run(0, &["health"]);
    assert!(
        health.as_array().unwrap().iter().all(|r| r["verdict"] == "healthy" && r["delivered"] == 100),
        "{health}"
    );
    let table = place.run(&["manage-subscriptions", "health"]).expect(0).out;
    assert!(table.contains("VERDICT") && table.contains("100 %") && table.contains("push"), "{table}");

    // Suspended, and to be left alone for a day: by hand it is opened at once.
    let first = active(&world, calendar).await.remove(0);
    place
        .look(async |s| {
            let status = SubscriptionStatus::Suspended;
            s.set_subscription_status(first.id, status, Some(now())).await.unwrap();
            s.postpone_opening(calendar, now().plus(SignedDuration::from_hours(24))).await.unwrap();
        })
        .await;
    assert_eq!(run(1, &["health", "--calendar", &id])[0]["status"], "suspended");
    let due = run(0, &["cleanup", "--dry-run"]);
    assert_eq!((&due["counts"]["to_close"], &due["counts"]["closed"]), (&1.into(), &0.into()), "{due}");
    assert_eq!(outcomes(&run(0, &["create", "--calendar", &id])), ["opened"]);
    let after = place.look(async |s| s.calendar(calendar).await.unwrap().unwrap().watch_after).await;
    assert!(after <= now(), "it is not left alone any more");
    assert_eq!(open(&world), 3, "the suspended one still stands there");
    assert_eq!(run(0, &["cleanup"])["counts"]["closed"], 1);
    assert_eq!(open(&world), 2);

    // Found out once that it can't be watched: asked again only where it is named.
    let second = active(&world, calendar).await.remove(0);
    place
        .look(async |s| {
            s.set_subscription_status(second.id, SubscriptionStatus::Suspended, Some(now())).await.unwrap();
            s.change_calendar(calendar, CalendarChange::PushUnsupported, now()).await.unwrap();
        })
        .await;
    let among = run(0, &["create"]);
    assert!(outcomes(&among).contains(&"not to be watched".to_owned()), "{among}");
    assert_eq!(outcomes(&run(0, &["create", "--calendar", &id])), ["opened"]);
    assert!(!place.look(async |s| s.calendar(calendar).await.unwrap().unwrap().push_unsupported).await);

    // Renewed: a new one is up, the old one is closed.
    let third = active(&world, calendar).await.remove(0);
    assert_eq!(run(0, &["renew"]), serde_json::json!([]), "none is due");
    assert_eq!(outcomes(&run(0, &["renew", "--all", "--dry-run"])), ["would be renewed"; 2]);
    assert_eq!(outcomes(&run(0, &["renew", "--calendar", &id])), ["renewed"]);
    let renewed = active(&world, calendar).await;
    assert!(renewed.len() == 1 && renewed[0].id != third.id, "{renewed:?}");
    run(0, &["cleanup"]);
    assert_eq!(open(&world), 2);

    let metrics = run(0, &["metrics"]);
    let of = |status: &str| {
        let counts = metrics["counts"].as_array().unwrap();
        counts.iter().find(|c| c["status"] == status).map_or(0, |c| c["count"].as_u64().unwrap())
    };
    assert_eq!((of("active"), of("suspended"), of("expired")), (2, 2, 1), "{metrics}");
    assert_eq!(
        (&metrics["subscriptions"]["active"], &metrics["subscriptions"]["healthy"]),
        (&2.into(), &2.into())
    );
    assert!(metrics["calls_1h"]["google"]["calls"].as_u64() > Some(5), "{metrics}");
    let hers = run(0, &["metrics", "--calendar", &id]);
    assert_eq!(
        (&hers["subscriptions"]["active"], &hers["notifications_24h"]),
        (&1.into(), &serde_json::Value::Null)
    );
}

/// However many ask at once, one channel stands, here and at the provider.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_open_at_once_open_one() {
    let (mut world, main, _) = World::with_ada(83).await;
    world.place.make_public();
    let calendar: CalendarId = world.id_of(&main).parse().unwrap();
    let id = calendar.to_string();
    for round in 0..3 {
        let create = ["manage-subscriptions", "create", "--calendar", &id, "--json"];
        let mut all: Vec<_> = (0..3).map(|_| world.place.start(world.place.command(&create))).collect();
        for one in &mut all {
            assert_eq!(one.ended(crate::place::PATIENCE).await.code(), Some(0), "{}", one.log());
        }
        let said: String = all.iter().map(crate::place::Serving::log).collect();
        assert_eq!(said.matches("\"opened\"").count(), 1, "{said}");
        let standing = active(&world, calendar).await;
        assert_eq!((standing.len(), open(&world)), (1, 1), "round {round}");
        let status = SubscriptionStatus::Suspended;
        world
            .place
            .look(async |s| s.set_subscription_status(standing[0].id, status, Some(now())).await.unwrap())
            .await;
        world.place.run(&["manage-subscriptions", "cleanup"]).expect(0);
        assert_eq!(open(&world), 0);
    }
}
