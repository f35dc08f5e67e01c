//! The whole way, over HTTP at both ends: people sign in, something changes in the cloud, and a block stands in their
//! other calendars.

use std::time::{Duration, Instant};

use calsync_core::ports::Store;
use calsync_sim::cloud::names::CalendarId;

use crate::channels::now;
use crate::place::{PATIENCE, until};
use crate::world::{ADA, SOON, World, hour, in_hours};

fn both_ways(a: &CalendarId, b: &CalendarId) -> [(CalendarId, CalendarId); 2] {
    [(a.clone(), b.clone()), (b.clone(), a.clone())]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_the_cloud_becomes_a_block_within_seconds() {
    let (mut world, main, work) = World::with_ada(1).await;
    world.place.make_public();
    let before = world.make(&main, hour("Dentist", 24));
    let mut serving = world.place.serve().await;
    world.wait_for_blocks(&work, 1, SOON).await;
    world.wait_for_channels(2).await;
    // A change that only the push can tell of: nothing is polled for hours.
    let began = Instant::now();
    let meeting = world.make(&work, hour("Board meeting", 30));
    world.wait_for_blocks(&main, 1, SOON).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    println!("from the change to the block: {took:?}");
    let at = now();
    world.sim.cloud().with(|cloud| cloud.cancel_event(&main, &before, at)).unwrap();
    world.wait_for_blocks(&work, 0, SOON).await;
    let block = &world.blocks(&main)[0];
    assert_eq!(block.content.summary.as_deref(), Some("Busy"));
    assert_eq!(block.content.span(), hour("", 30).span());
    assert!(world.judge(&both_ways(&main, &work)).is_good());

    world.plan_is_empty();
    for what in [meeting.as_str(), &in_hours(30).to_string()] {
        let lines = world.place.run(&["explain", what, "--json"]).expect(0).json();
        let lines = lines.as_array().unwrap();
        let of_meeting = lines.iter().find(|l| l["event"] == meeting.as_str());
        assert_eq!(of_meeting.unwrap()["outcome"], "block", "{what}: {lines:?}");
    }
    world.place.run(&["explain", "no-such-event"]).expect(6);
    let writes = world.writes();
    let full = world.place.run(&["sync-calendars", "--mode", "full", "--json"]).expect(0).json();
    assert_eq!((&full["calendars"], &full["blocks_written"]), (&2.into(), &0.into()), "{full}");
    assert_eq!(world.writes(), writes, "a full reading of what is right writes nothing");

    serving.ask_to_stop();
    let status = serving.ended(PATIENCE).await;
    assert_eq!(status.code(), Some(0), "{}", serving.log());
    let log = serving.log();
    assert!(!log.contains("ERROR"), "{log}");
    let metrics = world.place.look(async |s| s.notification_metrics(calsync_core::time::Ts::MIN).await).await;
    let metrics = metrics.unwrap();
    assert!(metrics.completed >= 2 && metrics.failed == 0, "{metrics:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_can_push_to_polls_and_converges_all_the_same() {
    let (mut world, main, work) = World::with_ada(2).await;
    world.place.set("SYNC__POLL_SECONDS", 1);
    world.make(&main, hour("Dentist", 24));
    let _serving = world.place.serve().await;
    world.wait_for_blocks(&work, 1, SOON).await;
    let meeting = world.make(&work, hour("Board meeting", 30));
    world.wait_for_blocks(&main, 1, SOON).await;
    let at = now();
    world.sim.cloud().with(|cloud| cloud.cancel_event(&work, &meeting, at)).unwrap();
    world.wait_for_blocks(&main, 0, SOON).await;
    assert!(world.judge(&both_ways(&main, &work)).is_good());
    assert_eq!(
        world.sim.cloud().with(|cloud| cloud.watch().channels().count()),
        0,
        "and no channel was opened"
    );
    world.plan_is_empty();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_from_a_file_connects_as_well_as_a_browser() {
    let world = World::new(3).await;
    let ada = world.sim.cloud().with(|cloud| cloud.add_person(ADA, "Ada", "Europe/Vienna", now())).unwrap();
    let work = CalendarId::from("work@group.calendar.google.com");
    let new = crate::world::calendar(&work, "Work", &ada);
    world.sim.cloud().with(|cloud| cloud.add_calendar(new, now())).unwrap();
    world.place.run(&["users", "add", ADA]).expect(0);
    let connect = ["accounts", "connect", ADA, "--json", "--refresh-token-file", "token"];
    world.place.run(&connect).expect(1).says(&["token", "no such file"]);
    std::fs::write(world.place.path("token"), "1//not-a-token-of-anybody\n").unwrap();
    let refused = world.place.run(&connect);
    assert_ne!(refused.code, 0);
    assert!(!refused.err.contains("not-a-token-of-anybody"), "{}", refused.err);
    let token = world.refresh_token(ADA).await;
    std::fs::write(world.place.path("token"), format!("{token}\n")).unwrap();
    let connected = world.place.run(&connect).expect(0);
    assert_eq!(connected.json()["email"], ADA);
    assert_eq!(connected.json()["calendars"].as_array().unwrap().len(), 2, "{}", connected.out);
    // Again, by the browser: the same account, not a second one.
    let again = world.connect(ADA).await;
    assert_eq!(again["account"], connected.json()["account"]);
    world.make(&work, hour("Board meeting", 30));
    world.enable_all();
    let done = world.place.run(&["sync-calendars", "--json"]).expect(0).json();
    assert_eq!(done["blocks_written"], 1, "{done}");
    assert_eq!(world.blocks(&CalendarId::from(ADA)).len(), 1);
    world.plan_is_empty();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_refuses_consent_is_told_and_nothing_is_stored() {
    let world = World::new(4).await;
    let ada = world.sim.cloud().with(|cloud| cloud.add_person(ADA, "Ada", "Europe/Vienna", now())).unwrap();
    world.sim.google().refuse_consent(&ada);
    world.place.run(&["users", "add", ADA]).expect(0);
    let port = world.callback.number().to_string();
    let command = world.place.command(&["accounts", "connect", ADA, "--port", &port, "--login-hint", ADA]);
    let mut connecting = world.place.start(command);
    let link = until("the link is printed", PATIENCE, async || {
        connecting.log().lines().find(|l| l.starts_with("http")).map(str::to_owned)
    })
    .await;
    let stray = format!("http://127.0.0.1:{port}/callback?state=guessed&code=stolen");
    assert_eq!(crate::web::get(&stray).await.status, 404, "somebody else's answer is not heard");
    let answer = crate::web::client().get(&link).send().await.unwrap();
    let back = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(crate::web::get(&back).await.body.contains("Not connected"));
    assert_eq!(connecting.ended(PATIENCE).await.code(), Some(5), "{}", connecting.log());
    assert_eq!(world.place.run(&["accounts", "list", "--json"]).expect(0).json(), serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mass_deletion_is_held_until_somebody_approves() {
    let (mut world, main, work) = World::with_ada(5).await;
    world.place.set("SYNC__POLL_SECONDS", 1);
    world.place.set("SYNC__HOLD_RECHECK_SECONDS", 3600);
    let events: Vec<_> = (0..25).map(|n| world.make(&main, hour("Meeting", 24 + 2 * n))).collect();
    let serving = world.place.serve().await;
    world.wait_for_blocks(&work, 25, PATIENCE).await;
    let at = now();
    world.sim.cloud().with(|cloud| {
        for event in &events {
            cloud.cancel_event(&main, event, at).unwrap();
        }
    });
    let held = until("the plan is held", SOON, async || {
        let plan = world.place.run(&["plan", "--json"]).expect(0).json();
        plan["held"].get(0).cloned()
    })
    .await;
    assert!(held.as_str().unwrap().starts_with("ada@example.com, Work: "), "{held}");
    let asked = world.place.run(&["sync-calendars", "--mode", "full", "--json"]).expect(0).json();
    assert_eq!(
        (&asked["blocks_written"], asked["held"].as_array().unwrap().len()),
        (&0.into(), 1),
        "{asked}"
    );
    assert_eq!(world.blocks(&work).len(), 25, "nothing was removed");
    let alerts = world.place.look(async |s| s.open_alerts().await.unwrap()).await;
    assert_eq!(alerts.iter().filter(|a| a.kind == "deletions_held").count(), 1, "{alerts:?}");
    let explained = world.place.run(&["explain", events[0].as_str(), "--json"]).expect(0).json();
    assert!(explained[0]["because"].as_str().unwrap().starts_with("held: "), "{explained}");
    world.place.run(&["approve", "Work"]).expect(0);
    world.wait_for_blocks(&work, 0, SOON).await;
    world.place.run(&["approve", "Work"]).expect(6).says(&["nothing is held"]);
    let alerts = world.place.look(async |s| s.open_alerts().await.unwrap()).await;
    assert!(alerts.is_empty(), "{alerts:?}");
    world.plan_is_empty();
    assert!(serving.log().contains("a plan is held"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calendar_that_is_taken_out_leaves_no_trace() {
    let (mut world, main, work) = World::with_ada(6).await;
    world.place.make_public();
    for n in 0..15 {
        world.make(&main, hour("Meeting", 24 + 2 * n));
        world.make(&work, hour("Review", 25 + 2 * n));
    }
    let serving = world.place.serve().await;
    world.wait_for_blocks(&work, 15, PATIENCE).await;
    world.wait_for_blocks(&main, 15, PATIENCE).await;
    world.wait_for_channels(2).await;
    let id = world.id_of(&work);
    world.place.run(&["calendars", "disable", &id, "--yes"]).expect(0);
    let left = world.sim.cloud().with(|cloud| cloud.watch().channels().count());
    assert_eq!(left, 1, "its push channel is closed at the provider");
    world.place.run(&["sync-calendars"]).expect(0);
    world.wait_for_blocks(&main, 0, SOON).await;
    world.wait_for_blocks(&work, 0, SOON).await;
    let (own, others) = world.sim.cloud().with(|c| (c.live_events(&work).len(), c.live_events(&main).len()));
    assert_eq!((own, others), (15, 15), "and people's own events stand as they stood");
    // Whatever happens there from now on concerns nobody.
    let writes = world.writes();
    world.make(&work, hour("Secret", 80));
    world.place.run(&["sync-calendars", "--mode", "full"]).expect(0);
    assert_eq!(world.writes(), writes);
    world.plan_is_empty();
    // Switched on again, it starts from what is there now.
    world.place.run(&["calendars", "enable", &id]).expect(0);
    world.place.run(&["sync-calendars"]).expect(0);
    world.wait_for_blocks(&main, 16, SOON).await;
    world.wait_for_blocks(&work, 15, SOON).await;
    assert!(world.judge(&both_ways(&main, &work)).is_good());
    drop(serving);
}
