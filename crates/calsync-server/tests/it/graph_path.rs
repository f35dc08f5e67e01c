//! The whole way with Microsoft at one end: a person signs in at both providers, something changes in one calendar, and
//! a block stands in each of the others.

use std::time::{Duration, Instant};

use calsync_core::ports::Store;
use calsync_sim::cloud::content::Content;
use calsync_sim::cloud::event::Slot;

use crate::channels::now;
use crate::mixed::Mixed;
use crate::place::{PATIENCE, until};
use crate::world::{SOON, hour, in_hours};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_at_microsoft_stands_at_google_within_seconds_and_back() {
    let mixed = Mixed::new(70).await;
    let Mixed { world, hooks, google, main, team, .. } = &mixed;
    let all = [google, main, team];
    // What is there from the beginning: a series, a whole day, something long past.
    let series = world.make(team, hour("Weekly", 40).repeating("RRULE:FREQ=WEEKLY;COUNT=4"));
    let day = in_hours(72).to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
    world.make(main, Content::all_day("Holiday", day, day.tomorrow().unwrap()));
    world.make(main, hour("Long ago", -24 * 60));
    let mut serving = world.place.serve().await;
    world.wait_for_channels(3).await;
    // Five blocks at Google, one in the calendar of the series, four in the other.
    for (calendar, count) in [(google, 5), (team, 1), (main, 4)] {
        world.wait_for_blocks(calendar, count, PATIENCE).await;
    }

    // Each subscription was made while its handshakes were answered: two addresses are named, and both are asked.
    let made = world.graph.seen("POST", "/v1.0/subscriptions");
    let shaken = hooks.seen("POST", "validationToken=Validation");
    assert_eq!((made.len(), shaken.len()), (2, 4));
    for one in &made {
        assert_eq!(one.status, 201, "{}", one.answered);
        let during = shaken.iter().filter(|s| s.began > one.began && s.ended < one.ended);
        assert!(during.count() >= 2 && shaken.iter().all(|s| s.status == 200));
    }

    // From here on nothing but push can tell: nothing is polled for minutes.
    let began = Instant::now();
    let meeting = world.make(team, hour("Board meeting", 30));
    world.wait_for_blocks(google, 6, SOON).await;
    world.wait_for_blocks(main, 5, SOON).await;
    let there = began.elapsed();
    let began = Instant::now();
    let dentist = world.make(google, hour("Dentist", 35));
    world.wait_for_blocks(main, 6, SOON).await;
    world.wait_for_blocks(team, 2, SOON).await;
    let back = began.elapsed();
    println!("from Microsoft to Google {there:?}, from Google to Microsoft {back:?}");
    assert!(there.max(back) < Duration::from_secs(5));
    let block = world.blocks(team).into_iter().find(|b| b.content.span() == hour("", 35).span());
    assert_eq!(block.unwrap().content.summary.as_deref(), Some("Busy"));

    // It is put off, one day of the series moves, and what came from Google is called off.
    let at = |hours: i64| {
        let content = hour("", hours);
        (content.start, content.end)
    };
    world.sim.cloud().with(|cloud| {
        cloud.reschedule(team, &meeting, at(50), now()).unwrap();
        cloud.move_occurrence(team, (&series, Slot::At(in_hours(40))), at(60), now()).unwrap();
        cloud.cancel_event(google, &dentist, now()).unwrap();
    });
    until("all of it is right", PATIENCE, async || {
        let judgement = world.judge(&Mixed::mesh(&all));
        (judgement.is_good() && judgement.blocks == 5 + 6 + 1).then_some(())
    })
    .await;
    world.plan_is_empty();
    let writes = world.writes();
    let full = world.place.run(&["sync-calendars", "--mode", "full", "--json"]).expect(0).json();
    assert_eq!((&full["calendars"], &full["blocks_written"]), (&3.into(), &0.into()), "{full}");
    assert_eq!(world.writes(), writes, "a full reading of what is right writes nothing");
    for at in [50, 60] {
        let lines = world.place.run(&["explain", &in_hours(at).to_string(), "--json"]).expect(0).json();
        let block = |line: &serde_json::Value| line["outcome"] == "block";
        assert!(lines.as_array().unwrap().iter().any(block), "{at}: {lines}");
    }

    serving.ask_to_stop();
    assert_eq!(serving.ended(PATIENCE).await.code(), Some(0), "{}", serving.log());
    assert!(!serving.log().contains("ERROR"), "{}", serving.log());
    let told = hooks.seen("POST", "/webhooks/microsoft/");
    let told: Vec<_> = told.iter().filter(|e| !e.path.contains('?')).collect();
    assert!(told.len() >= 3 && told.iter().all(|e| e.status == 202), "{told:?}");
    let slowest = told.iter().map(|e| e.ended - e.began).max().unwrap();
    println!("{} messages of Graph's were taken, the slowest in {slowest:?}", told.len());
    let metrics = world.place.look(async |s| s.notification_metrics(calsync_core::time::Ts::MIN).await).await;
    let metrics = metrics.unwrap();
    assert!(metrics.completed >= 4 && metrics.failed == 0, "{metrics:?}");
}
