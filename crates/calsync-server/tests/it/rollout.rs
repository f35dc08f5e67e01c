//! Rollout flags by the compiled program: what it refuses, what it tells, and what a running service makes of a change.

use calsync_core::ports::Store;
use calsync_core::subscription::SubscriptionStatus;

use crate::channels::seed;
use crate::leaving::typed;
use crate::place::{Place, until};
use crate::world::{ADA, SOON, World, hour};

#[tokio::test]
async fn what_is_no_change_is_refused_with_all_that_is_wrong() {
    let place = Place::new();
    seed(&place, 2).await;
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    let bad = ["rollout", "set", "--percentage", "101", "--user-percentage=-1", "--add-early-adopter", "ada"];
    place.run(&bad).expect(2).says(&[
        "\"101\" is no percentage",
        "\"-1\" is no percentage",
        "\"ada\" is no e-mail",
    ]);
    place.run(&["rollout", "set"]).expect(2).says(&["name at least one of --webhooks"]);
    place.run(&["rollout", "phase", "6"]).expect(2).says(&["no phase", "2 early-adopters"]);
    place.run(&["rollout", "set", "--webhooks", "maybe"]).expect(2);
    place.run(&["rollout", "phase", "3", "--as", "\u{1b}[31m"]).expect(2).says(&["--as"]);
    let shown = place.run(&["rollout", "show", "--json"]).expect(0).json();
    assert_eq!(shown["changed_by"], serde_json::Value::Null, "{shown}");
    assert_eq!((&shown["phase"]["number"], &shown["history"]), (&5.into(), &serde_json::json!([])));
}

#[tokio::test]
async fn a_change_is_told_beforehand_written_down_and_seen() {
    let mut place = Place::new();
    let channels = seed(&place, 3).await;
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    place.set("LOG__LEVEL", "info");
    let active = async || {
        let all = place.look(async |s| s.subscriptions(channels[0].calendar).await.unwrap()).await;
        all.iter().filter(|s| s.status == SubscriptionStatus::Active).count()
    };
    let dry = place.run(&["rollout", "phase", "off", "--dry-run", "--json"]).expect(0).json();
    assert_eq!((&dry["changed"], &dry["let_out"], &dry["let_in"]), (&false.into(), &3.into(), &0.into()));
    assert_eq!(active().await, 1, "nothing was done");
    let off = place.run(&["rollout", "phase", "1", "--as", "Grace", "--yes", "--json"]).expect(0).json();
    assert_eq!(
        (&off["let_out"], &off["gone_through"], &off["flags"]["webhooks_enabled"]),
        (&3.into(), &3.into(), &false.into())
    );
    assert_eq!(active().await, 0, "taken out of use at once");
    place.run(&["rollout", "phase", "early-adopters", "--as", "Grace"]).expect(0);
    let named = ["rollout", "set", "--add-early-adopter", "Ada@Example.com", "--as", "Ada", "--json"];
    let named = place.run(&named).expect(0).json();
    assert_eq!((&named["let_in"], &named["phase"]["number"]), (&3.into(), &2.into()), "{named}");
    let again = place.run(&["rollout", "set", "--add-early-adopter", "ada@example.com"]).expect(0);
    assert!(again.out.contains("so already"), "{}", again.out);
    place.run(&["rollout", "set", "--percentage", "50"]).expect(0);
    let shown = place.run(&["rollout", "show", "--json"]).expect(0).json();
    let history = shown["history"].as_array().unwrap();
    let (who, what): (Vec<_>, Vec<_>) =
        history.iter().map(|l| (l["who"].as_str().unwrap(), l["what"].as_str().unwrap())).unzip();
    assert_eq!(who[1..], ["Ada", "Grace", "Grace"], "{history:?}");
    assert!(!who[0].is_empty() && who[0] != "Ada", "the system's user: {who:?}");
    assert_eq!(what[3], "rollout: phase 1 (off)");
    assert_eq!(
        (&shown["applied"], &shown["reach"]["calendars_admitted"], &shown["phase"]),
        (&true.into(), &3.into(), &serde_json::Value::Null)
    );
    let text = place.run(&["rollout", "show"]).expect(0).out;
    for words in ["3 of 3 calendars (100 %), 1 of 1 users", "ada@example.com", "none of the five", "by Grace"]
    {
        assert!(text.contains(words) || words == "by Grace" && text.contains("Grace"), "{words}: {text}");
    }
}

/// Whether all are let out or some, and whether the answer is to be JSON or words.
#[tokio::test]
async fn nobody_is_let_out_before_somebody_has_said_yes() {
    let place = Place::new();
    seed(&place, 3).await;
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    let said = ["let 3 calendars out", "Nothing was changed", "--yes", "--dry-run"];
    for args in [
        &["rollout", "phase", "1"][..],
        &["rollout", "phase", "off", "--json"],
        &["rollout", "set", "--webhooks", "off"],
        &["rollout", "set", "--percentage", "0", "--add-early-adopter", "grace@example.com"],
    ] {
        place.run(args).expect(2).says(&said);
        let terminal = typed(&place, args, "n\n").expect(1).out;
        assert!(terminal.contains("let 3 calendars out") && terminal.contains("[y/N]"), "{terminal}");
    }
    let history = |line: &str| place.run(&["rollout", "show", "--json"]).expect(0).json()[line].clone();
    assert_eq!((history("changed_by"), history("history")), (serde_json::Value::Null, serde_json::json!([])));
    // Where nobody is let out, nobody is asked.
    place.run(&["rollout", "set", "--add-early-adopter", "grace@example.com"]).expect(0);
    place.run(&["rollout", "phase", "2"]).expect(2).says(&said);
    typed(&place, &["rollout", "phase", "2", "--json"], "y\n").expect(0);
    place.run(&["rollout", "phase", "1"]).expect(0);
    place.run(&["rollout", "phase", "5"]).expect(0);
    place.run(&["rollout", "phase", "1", "--yes"]).expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_heeds_a_change_within_seconds() {
    let (mut world, main, work) = World::with_ada(81).await;
    world.place.make_public();
    world.place.set("SYNC__POLL_SECONDS", 1);
    let serving = world.place.serve().await;
    world.wait_for_channels(2).await;
    let place = &world.place;
    let sync = |words: &[&str]| {
        place.run(&[&["sync-calendars", "--dry-run", "--json"], words].concat()).expect(0).json()
    };
    let all = sync(&["--mode", "polling-only"]);
    assert_eq!(all.as_array().unwrap().iter().filter(|c| c["method"] == "push").count(), 2, "{all}");
    assert_eq!(sync(&[]), serde_json::json!([]), "nobody needs a fallback");
    place.run(&["rollout", "phase", "off", "--yes"]).expect(0);
    let open = || world.sim.cloud().with(|cloud| cloud.watch().channels().count());
    until("the channels are closed", SOON, async || (open() == 0).then_some(())).await;
    let id = world.id_of(&main);
    let calendar = id.parse().unwrap();
    let status = place.look(async |s| s.subscriptions(calendar).await.unwrap()[0].status).await;
    assert_eq!(status, SubscriptionStatus::Suspended);
    let health = place.run(&["manage-subscriptions", "health", "--json"]).expect(0).json();
    assert!(
        health.as_array().unwrap().iter().all(|c| c["verdict"] == "polled" && c["method"] == "polling"),
        "{health}"
    );
    let refused =
        place.run(&["manage-subscriptions", "create", "--calendar", &id, "--json"]).expect(0).json();
    assert_eq!(refused[0]["outcome"], "not to be watched", "{refused}");
    assert!(refused[0]["why"].as_str().unwrap().contains("rollout"), "{refused}");
    assert_eq!(open(), 0);
    // Polled meanwhile.
    world.make(&main, hour("Dentist", 24));
    world.wait_for_blocks(&work, 1, SOON).await;
    assert!(!serving.log().contains("ERROR"), "{}", serving.log());
    place
        .run(&["rollout", "set", "--webhooks", "on", "--user-percentage", "0", "--add-early-adopter", ADA])
        .expect(0);
    world.wait_for_channels(2).await;
    let all = place.look(async |s| s.subscriptions(calendar).await.unwrap()).await;
    let newest = (&all[0], all.len());
    assert!(newest.0.status == SubscriptionStatus::Active && newest.1 == 2, "a new one: {all:?}");
    world.make(&main, hour("Doctor", 48));
    world.wait_for_blocks(&work, 2, SOON).await;
    // Everybody may, but nobody is an early adopter any more and no per cent is in.
    place.run(&["rollout", "set", "--remove-early-adopter", ADA, "--yes"]).expect(0);
    until("closed again", SOON, async || (open() == 0).then_some(())).await;
}
