//! Refresh tokens at Microsoft change with each purchase (microsoft.md §1): the newest is kept, a death at the worst
//! moment costs nothing, and processes do not drive each other to buy.

use std::cell::Cell;
use std::time::Duration;

use calsync_core::ports::Store;
use calsync_testbed::postgres::Database;

use crate::fleet::Instance;
use crate::mixed::Mixed;
use crate::place::{PATIENCE, Place, free_address};
use crate::world::{SOON, hour};

/// How often the account's stored credentials were replaced.
async fn version(mixed: &Mixed) -> i64 {
    let list = mixed.world.place.run(&["accounts", "list", "--json"]).expect(0).json();
    let id = list[0]["id"].as_str().unwrap().parse().unwrap();
    mixed.world.place.look(async |s| s.credentials(id).await.unwrap().unwrap().version).await
}

/// The refresh token that came with the latest purchase.
fn newest(mixed: &Mixed) -> String {
    let bought = mixed.world.graph.seen("POST", "/oauth2/v2.0/token");
    let answer: serde_json::Value = serde_json::from_str(&bought.last().unwrap().answered).unwrap();
    answer["refresh_token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_refresh_token_is_kept_and_a_death_before_that_costs_nothing() {
    let mut mixed = Mixed::only_there(75).await;
    // Who dies is followed after so long.
    mixed.world.place.set("SYNC__LEASE_SECONDS", 2);
    let Mixed { world, main, team, ada, .. } = &mixed;
    let before = version(&mixed).await;
    world.make(main, hour("Dentist", 24));
    world.place.run(&["sync-calendars"]).expect(0);
    assert_eq!(world.blocks(team).len(), 1);
    assert_eq!(version(&mixed).await, before + 1, "a process buys once, and keeps what it got");
    let kept = newest(&mixed);
    world.place.run(&["sync-calendars"]).expect(0);
    let asked = world.graph.seen("POST", "/oauth2/v2.0/token").pop().unwrap().asked;
    assert!(asked.contains(&kept[..40]), "the next one buys with what was kept");

    // The purchase was made, and its answer never comes; or it came, and could not be stored any more.
    for (n, moment) in (2..).zip(["before the answer", "before the commit"]) {
        let serving = world.place.serve().await;
        world.wait_for_channels(2).await;
        let bought = mixed.purchases();
        world.sim.microsoft().expire_access_tokens(ada);
        world.graph.hold("/oauth2/v2.0/token");
        world.make(main, hour("Dentist", 24 + 2 * n));
        world.graph.more_than(bought, "POST", "/oauth2/v2.0/token", SOON).await;
        let stands = version(&mixed).await;
        let locked = (moment == "before the commit").then(|| world.place.lock());
        if locked.is_some() {
            world.graph.let_go();
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        serving.kill();
        drop(locked);
        world.graph.let_go();
        assert_eq!(version(&mixed).await, stands, "{moment}");
        let serving = world.place.serve().await;
        world.wait_for_blocks(team, usize::try_from(n).unwrap(), PATIENCE).await;
        assert_eq!(mixed.account().0, "active", "{moment}");
        serving.kill();
    }
    assert!(world.judge(&Mixed::mesh(&[main, team])).is_good());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_do_not_drive_each_other_to_buy() {
    let database = Database::shared();
    let mut mixed = Mixed::alone(Place::on(database.url()), 76, |_| ()).await;
    mixed.world.place.set("SYNC__LEASE_SECONDS", 2);
    mixed.join().await;
    let Mixed { world, hooks, main, team, ada, .. } = &mixed;
    let [mut old, mut new] = [world.place.address, free_address()].map(|address| Instance::new(address, ""));
    let next = Cell::new(0);
    let live = async |count: i64| {
        for n in next.get()..next.get() + count {
            let (from, to) = if n % 2 == 0 { (main, team) } else { (team, main) };
            world.make(from, hour("Meeting", 24 + 2 * n));
            world.wait_for_blocks(to, usize::try_from(n / 2 + 1).unwrap(), SOON).await;
        }
        next.set(next.get() + count);
    };
    // While one works, the other one is stopped: whose turn it is must not be left to chance. It is stopped at rest, for
    // in the middle of something it would keep what it holds.
    let calls = || world.graph.count("", "") + hooks.count("", "");
    let by = async |works: &Instance, rests: &Instance, count: i64| {
        let mut before = 0;
        while calls() > before {
            before = calls();
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        rests.signal("STOP");
        hooks.lead_to(format!("http://{}", works.address));
        live(count).await;
        rests.signal("CONT");
    };
    for instance in [&mut old, &mut new] {
        instance.start(&world.place).await;
    }
    world.wait_for_channels(2).await;
    by(&old, &new, 2).await;
    by(&new, &old, 2).await;
    let (bought, stored) = (mixed.purchases(), version(&mixed).await);
    by(&old, &new, 2).await;
    by(&new, &old, 2).await;
    assert_eq!(mixed.purchases(), bought, "an access token is good for an hour, whoever bought another one");
    // All access tokens end: each buys one more, and that is all.
    world.sim.microsoft().expire_access_tokens(ada);
    by(&old, &new, 2).await;
    by(&new, &old, 2).await;
    let (more, kept) = (mixed.purchases() - bought, version(&mixed).await - stored);
    println!("{bought} purchases at first, {more} more when all tokens ended, of which {kept} were stored");
    assert!(more == 2 && (1..=2).contains(&kept), "{more} {kept}");
    for instance in [&old, &new] {
        assert!(!instance.says().contains("ERROR"), "{}", instance.says());
    }
    // One of them goes, and perhaps its refresh token is the stored one. The other finds that out, goes on with what it
    // finds, and keeps what it gets from then on: what nobody uses dies.
    for (works, rests) in [(&new, &old), (&old, &new)] {
        let stored = version(&mixed).await;
        for _ in 0..2 {
            world.sim.microsoft().expire_access_tokens(ada);
            by(works, rests, 2).await;
        }
        assert!(version(&mixed).await > stored, "{}", works.address);
    }
    for instance in [&mut old, &mut new] {
        instance.stop().await;
    }
    world.place.run(&["sync-calendars", "--mode", "full"]).expect(0);
    assert!(world.judge(&Mixed::mesh(&[main, team])).is_good());
}
