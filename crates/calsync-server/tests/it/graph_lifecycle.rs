//! What befalls subscriptions at Microsoft, and what is done about it (microsoft.md §8.3).

use std::time::{Duration, Instant};

use calsync_core::ports::Store;
use calsync_sim::cloud::watch::Lifecycle;
use calsync_sim::faults::Fault;
use jiff::SignedDuration;
use serde_json::json;

use crate::channels::now;
use crate::graph::post;
use crate::mixed::Mixed;
use crate::place::until;
use crate::world::{SOON, hour};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_is_about_to_end_is_gone_or_has_missed_something_is_mended() {
    let mixed = Mixed::only_there(71).await;
    let Mixed { world, main, team, ada, .. } = &mixed;
    let serving = world.place.serve().await;
    world.wait_for_channels(2).await;
    let of_main = mixed.subscription(main).unwrap();
    let renewals = async || world.graph.seen("PATCH", "/v1.0/subscriptions/");

    // It was made this minute: there is nothing to renew, whoever asks.
    assert!(world.sim.microsoft().tell_lifecycle(&of_main, Lifecycle::ReauthorizationRequired));
    let heard = world.sim.microsoft_push_counts();
    until("it was told", SOON, async || (heard.delivered() > 0).then_some(())).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(renewals().await.len(), 0);
    // Half an hour later it is renewed, once, however often Graph asks.
    world.place.sql("UPDATE webhook_subscriptions SET last_renewal_at = last_renewal_at - 1800000000");
    for _ in 0..3 {
        assert!(world.sim.microsoft().tell_lifecycle(&of_main, Lifecycle::ReauthorizationRequired));
        world.graph.more_than(0, "PATCH", "/v1.0/subscriptions/", SOON).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let renewed = renewals().await;
    assert_eq!(renewed.len(), 1, "{renewed:?}");
    assert!(renewed[0].status == 200 && renewed[0].path.ends_with(&of_main), "{renewed:?}");
    assert!(renewed[0].asked.contains("expirationDateTime"), "{renewed:?}");
    assert_eq!(world.graph.count("POST", "/reauthorize"), 0, "never both");

    // A push that showed nothing is followed by one more look, ten seconds later: it would find what comes now.
    until("nobody is about to look", 2 * SOON, async || {
        let soon = now().plus(SignedDuration::from_mins(1));
        let id = mixed.id_there(main).parse().unwrap();
        let due_at = world.place.look(async |s| s.calendar(id).await.unwrap().unwrap().due_at).await;
        due_at.is_none_or(|at| at > soon).then_some(())
    })
    .await;
    // Something was thrown away on its way here, and Graph owns up to it.
    world.sim.faults().set_rate(Fault::NoticeLost, 1_000_000);
    world.make(main, hour("Dentist", 24));
    until("it is lost", SOON, async || {
        (world.sim.faults().fired().get(&Fault::NoticeLost) > Some(&0)).then_some(())
    })
    .await;
    world.sim.faults().set_rate(Fault::NoticeLost, 0);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.blocks(team).len(), 0, "nobody can know of it");
    let full = mixed.last_full(main).await;
    assert!(world.sim.microsoft().tell_lifecycle(&of_main, Lifecycle::Missed));
    world.wait_for_blocks(team, 1, SOON).await;
    assert!(mixed.last_full(main).await > full, "all of it was read");

    // All of them are taken away, and while there is none something changes.
    let of_team = mixed.subscription(team).unwrap();
    let began = Instant::now();
    world.sim.microsoft().remove_subscriptions(ada);
    world.make(team, hour("Board meeting", 30));
    world.wait_for_channels(2).await;
    let opened = began.elapsed();
    world.wait_for_blocks(main, 1, SOON).await;
    println!(
        "another subscription stood {opened:?} after the old one went, and what was missed {:?}",
        began.elapsed()
    );
    assert!(mixed.subscription(main).unwrap() != of_main && mixed.subscription(team).unwrap() != of_team);
    // They work.
    world.make(team, hour("Lunch", 36));
    world.wait_for_blocks(main, 2, SOON).await;
    assert!(world.judge(&Mixed::mesh(&[main, team])).is_good());
    let log = serving.log();
    assert!(!log.contains("ERROR") && log.contains("our webhook address can be reached"), "{log}");
    // One of them is gone without a word, and whoever would renew it finds out: another one is opened at once.
    let gone = world.sim.cloud().with(|cloud| {
        let of_main = mixed.subscription_in(cloud, main).unwrap();
        cloud.stop_channel(crate::world::CLIENT, &of_main.id);
        of_main
    });
    world.place.sql("UPDATE webhook_subscriptions SET last_renewal_at = last_renewal_at - 1800000000");
    let asks = json!({
        "subscriptionId": gone.id, "clientState": gone.token, "lifecycleEvent": "reauthorizationRequired",
    });
    let path = format!("/webhooks/microsoft/{}", mixed.id_there(main));
    assert_eq!(post(&world.place, &path, json!({"value": [asks]}).to_string()).await.status, 202);
    let another = until("another one stands", SOON, async || mixed.subscription(main)).await;
    assert_ne!(another, gone.id);
}
