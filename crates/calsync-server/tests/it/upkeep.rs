//! Rounds of maintenance and cleaning up by hand, by the compiled program: what is told beforehand is what is done.

use calsync_core::notification::ProcessingStatus;
use calsync_core::ports::{Clock, Store};
use calsync_core::subscription::SubscriptionStatus;
use calsync_server::system::SystemClock;
use jiff::SignedDuration;

use crate::channels::{now, seed};
use crate::place::{PATIENCE, Place, until};
use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_does_what_was_told_to_be_due() {
    let (mut world, main, _) = World::with_ada(84).await;
    world.place.make_public();
    let place = &world.place;
    let open = || world.sim.cloud().with(|cloud| cloud.watch().channels().count());
    let run =
        |args: &[&str]| place.run(&[&["subscription-maintenance", "--json"], args].concat()).expect(0).json();
    let due = run(&["--dry-run"]);
    assert_eq!((&due["due"]["open"], &due["due"]["renew"], open()), (&2.into(), &0.into(), 0), "{due}");
    let done = run(&[]);
    assert_eq!((&done["done"], &done["counts"]["created"], open()), (&true.into(), &2.into(), 2), "{done}");
    assert_eq!(
        run(&["--dry-run"])["due"],
        serde_json::json!({"readmit": 0, "expire": 0, "suspend": 0, "renew": 0, "open": 0, "close": 0})
    );
    // One is to be renewed, the other one has ended and is followed by a new one.
    let id = world.id_of(&main).parse().unwrap();
    let first = place.look(async |s| s.subscriptions(id).await.unwrap()[0].id).await;
    place.look(async |s| s.postpone_renewal(first, now()).await.unwrap()).await;
    place.sql(&format!(
        "UPDATE webhook_subscriptions SET expires_at = {} WHERE renew_at > {}",
        now().minus(SignedDuration::from_secs(1)).micros(),
        now().plus(SignedDuration::from_secs(60)).micros()
    ));
    let due = run(&["--dry-run"])["due"].clone();
    assert_eq!((&due["renew"], &due["expire"], &due["open"]), (&1.into(), &1.into(), &1.into()), "{due}");
    let counts = run(&[])["counts"].clone();
    assert_eq!(
        (&counts["renewed"], &counts["expired"], &counts["created"]),
        (&1.into(), &1.into(), &1.into()),
        "{counts}"
    );
    let text = place.run(&["subscription-maintenance"]).expect(0).out;
    assert!(text.contains("nothing"), "{text}");
    // Another instance is at it.
    let later = now().plus(SignedDuration::from_secs(60));
    let lease =
        place.look(async |s| s.claim_lease("job:maintenance", "another", now(), later).await.unwrap()).await;
    let taken = run(&[]);
    assert_eq!(taken["done"], false, "{taken}");
    place.look(async |s| s.release(&lease.unwrap(), &[]).await.unwrap()).await;
    assert_eq!(run(&[])["done"], true);
}

async fn finished(place: &Place) -> usize {
    place.look(async |s| s.notifications(ProcessingStatus::Completed, u32::MAX).await.unwrap().len()).await
}

/// A day, in microseconds.
const DAY: i64 = 86_400_000_000;

#[tokio::test]
async fn cleaning_up_deletes_what_it_told_and_nothing_that_is_in_use() {
    let place = Place::new();
    let channels = seed(&place, 3).await;
    let old = SystemClock.now().micros() - 60 * DAY;
    // Finished ones of the first channel, old and new; an unfinished old one of the second, which is out of use.
    let insert = |channel: usize, number: usize, at: i64, status: &str| {
        let done = if status == "completed" { at.to_string() } else { "NULL".to_owned() };
        let id = uuid::Uuid::from_u128((channel * 1_000 + number) as u128 + 1).simple().to_string();
        format!(
            "INSERT INTO webhook_notifications (id, subscription_id, notification_id, received_at, headers, payload, \
             processing_status, processing_completed_at) SELECT x'{id}', id, '{number}', {at}, '{{}}', '{{}}', '{status}', {done} \
             FROM webhook_subscriptions WHERE subscription_id = '{}';",
            channels[channel].channel
        )
    };
    // As many as a command line takes.
    for batch in 0..12 {
        let sql: String =
            (batch * 100..(batch + 1) * 100).map(|n| insert(0, n, old + n as i64, "completed")).collect();
        place.sql(&sql);
    }
    let mut sql = String::new();
    sql.push_str(&insert(0, 5_000, old + 59 * DAY, "completed"));
    sql.push_str(&insert(1, 6_000, old, "pending"));
    sql.push_str(&insert(2, 7_000, old, "completed"));
    for channel in [1, 2] {
        sql.push_str(&format!(
            "UPDATE webhook_subscriptions SET status = 'expired', expires_at = {old} WHERE subscription_id = '{}';",
            channels[channel].channel
        ));
    }
    // The first one is old as well, but in use.
    sql.push_str(&format!(
        "UPDATE webhook_subscriptions SET expires_at = {old} WHERE subscription_id = '{}';",
        channels[0].channel
    ));
    place.sql(&sql);
    place.run(&["cleanup-webhook-data", "--days", "0"]).expect(2).says(&["1..=3650"]);
    place.run(&["cleanup-webhook-data", "--days", "4000"]).expect(2);
    let run =
        |args: &[&str]| place.run(&[&["cleanup-webhook-data", "--json"], args].concat()).expect(0).json();
    let dry = run(&["--dry-run"]);
    assert_eq!(
        (&dry["rows"]["notifications"], &dry["rows"]["subscriptions"]),
        (&1_201.into(), &1.into()),
        "{dry}"
    );
    assert_eq!(finished(&place).await, 1_202, "nothing was deleted");
    assert_eq!(run(&["--dry-run", "--days", "61"])["total"], 0);
    let done = run(&[]);
    assert_eq!((&done["rows"], &done["total"]), (&dry["rows"], &dry["total"]));
    assert_eq!(run(&["--dry-run"])["total"], 0);
    let (left, unfinished) = place
        .look(async |s| {
            let pending = s.notifications(ProcessingStatus::Pending, 10).await.unwrap().len();
            (s.notifications(ProcessingStatus::Completed, 10).await.unwrap().len(), pending)
        })
        .await;
    assert_eq!((left, unfinished), (1, 1));
    let status = async |n: usize| {
        let all = place.look(async |s| s.subscriptions(channels[n].calendar).await.unwrap()).await;
        all.first().map(|s| s.status)
    };
    assert_eq!(status(0).await, Some(SubscriptionStatus::Active));
    assert_eq!((status(1).await, status(2).await), (Some(SubscriptionStatus::Expired), None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scheduler_cleans_up_by_itself() {
    let place = Place::new();
    let channels = seed(&place, 1).await;
    let old = SystemClock.now().micros() - 31 * DAY;
    place.sql(&format!(
        "UPDATE webhook_subscriptions SET status = 'expired', expires_at = {old} WHERE subscription_id = '{}';",
        channels[0].channel
    ));
    let serving = place.serve().await;
    until("it is gone", PATIENCE, async || {
        let all = place.look(async |s| s.subscriptions(channels[0].calendar).await.unwrap()).await;
        all.iter().all(|s| s.id != channels[0].id).then_some(())
    })
    .await;
    let book = until("it is written down", PATIENCE, async || {
        place.look(async |s| s.setting("job:cleanup").await.unwrap()).await
    })
    .await;
    assert!(book["ran_at"].is_number() || book["ran_at"].is_string(), "{book}");
    let log = serving.log();
    let told = |line: &str| line.contains("a job was done for the fleet") && line.contains("cleanup");
    assert_eq!(log.lines().filter(|line| told(line)).count(), 1, "{log}");
}
