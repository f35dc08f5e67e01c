//! `users remove` by the compiled program: what goes with a user, and that their push channels end with them.

use calsync_core::ports::Store;

use crate::place::until;
use crate::world::{ADA, SOON, World};

/// Ada with two calendars, each with a push channel, and no service that runs.
async fn watched(seed: u64) -> World {
    let (mut world, _, _) = World::with_ada(seed).await;
    world.place.make_public();
    let serving = world.place.serve().await;
    world.wait_for_channels(2).await;
    // Killed before it has written down what the provider calls them, it would leave what nobody can close.
    until("both are confirmed", SOON, async || {
        let ada = world.place.look(async |s| s.users().await.unwrap()[0].id).await;
        let state = world.place.look(async |s| s.user_state(ada).await.unwrap().unwrap()).await;
        state.subscriptions.iter().all(|s| !s.resource_id.is_empty()).then_some(())
    })
    .await;
    drop(serving);
    world
}

fn open(world: &World) -> usize {
    world.sim.cloud().with(|cloud| cloud.watch().channels().count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_push_channels_of_somebody_who_is_removed_are_closed() {
    let world = watched(90).await;
    world.place.run(&["users", "remove", ADA]).expect(2).says(&[
        "1 account and 2 calendars",
        "Nothing was changed",
        "--yes",
    ]);
    assert_eq!(open(&world), 2, "nothing was done");
    let removed = world.place.run(&["users", "remove", ADA, "--yes", "--json"]).expect(0).json();
    assert_eq!(removed["channels"], serde_json::json!({"closed": 2, "left": 0, "left_until": null}));
    assert_eq!(open(&world), 0);
    assert_eq!(world.place.run(&["users", "list", "--json"]).expect(0).json(), serde_json::json!([]));
}

/// Each trouble by its name, and how it comes about.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_cannot_be_closed_keeps_nobody_and_is_told() {
    for (seed, trouble) in [(91, "account"), (92, "provider"), (93, "keys")] {
        let mut world = watched(seed).await;
        match trouble {
            "account" => world.place.sql("UPDATE accounts SET status = 'needs_reconnect'"),
            "provider" => world.place.set("GOOGLE__API_BASE", "http://127.0.0.1:1/calendar/v3"),
            _ => std::fs::remove_file(world.place.dir.path().join("calendar-sync.key")).unwrap(),
        }
        let ada = world.place.look(async |s| s.users().await.unwrap()[0].id).await;
        let state = world.place.look(async |s| s.user_state(ada).await.unwrap().unwrap()).await;
        let last = state.subscriptions.iter().map(|s| s.expires_at).max().unwrap();
        let ran = world.place.run(&["users", "remove", ADA, "--yes"]).expect(0);
        let left = "2 push channels could not be closed: what comes by them is refused";
        let words = format!("{left}, and they end by themselves by {last}");
        assert!(ran.out.contains(&words), "{trouble}: {} {}", ran.out, ran.err);
        assert_eq!(open(&world), 2, "{trouble}");
        let users = world.place.run(&["users", "list", "--json"]).expect(0).json();
        assert_eq!(users, serde_json::json!([]), "{trouble}");
    }
}
