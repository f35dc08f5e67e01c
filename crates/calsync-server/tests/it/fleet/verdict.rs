//! The end of it: the fleet is left alone, brings everything in step, and then its books are read.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::bed::{Bed, DAYS_AHEAD, rest};
use super::forwarder::Named;
use super::instance::Instance;

/// How long a fleet that is left alone may take: a write that failed three times by then waits a minute (`WRITE_RETRY_STEPS`).
const REST: Duration = Duration::from_secs(90);

/// Judges.
pub(crate) async fn judge(mut bed: Bed) {
    let left_alone = Instant::now();
    // What the provider never told of is found by a full reading; a command beside the fleet asks for it.
    bed.world.place.run(&["sync-calendars", "--mode", "full"]).expect(0);
    let mut open = String::new();
    while left_alone.elapsed() < REST {
        open = bed.ask("SELECT count(*) FROM webhook_notifications WHERE processing_completed_at IS NULL");
        let waiting = bed.world.sim.cloud().with(|cloud| cloud.watch().waiting());
        // A write whose answer was lost may have happened: it looks right, and is still tried again in its time.
        let unsettled = bed.ask("SELECT count(*) FROM outbox");
        if bed.is_right() && waiting == 0 && open == "0" && unsettled == "0" {
            break;
        }
        rest(200).await;
    }
    let rested = left_alone.elapsed();
    let judgement = bed.world.judge_within(&bed.life.mesh(), DAYS_AHEAD);
    assert!(judgement.is_good(), "after {rested:?}: {judgement:#?}\n{}", bed.logs());
    assert_eq!(
        bed.world.sim.cloud().with(|cloud| cloud.journal().dropped()),
        0,
        "the oracle has seen it all"
    );
    assert_eq!(open, "0", "nobody works on these any more\n{}", bed.logs());

    // Looked at once more, everywhere: it was right already.
    let writes = bed.world.writes();
    bed.world.place.run(&["sync-calendars", "--mode", "full"]).expect(0);
    assert_eq!(bed.world.writes(), writes, "there was something left to write");
    bed.world.plan_is_empty();

    let acknowledged = no_notification_is_lost_or_doubled(&bed).await;
    each_job_ran_once(&bed);
    let read = left_alone.elapsed();
    for instance in &mut bed.instances {
        instance.stop().await;
    }
    println!("books read after {read:?}, all stopped after {:?}", left_alone.elapsed());
    // The watch of one that was killed runs out by itself.
    let kept = "SELECT resource FROM leases WHERE owner IS NOT NULL AND resource <> 'job:watch'";
    assert_eq!(bed.ask(kept), "", "somebody kept a lease");
    assert_eq!(bed.ask("SELECT count(*) FROM outbox"), "0");
    let runs = bed.ask("SELECT count(*) FROM sync_runs");
    let died = bed.ask("SELECT count(*) FROM sync_runs WHERE finished_at IS NULL");
    println!(
        "{acknowledged} acknowledged, 0 lost, 0 doubled; {runs} runs ({died} died), {writes} writes, {} blocks stand; right after \
         {rested:?}",
        judgement.blocks
    );
}

/// Every notification that any instance answered with 200 is stored, once, and done. Late ones and second tries still come
/// in: those are given their time.
async fn no_notification_is_lost_or_doubled(bed: &Bed) -> usize {
    let began = Instant::now();
    let acknowledged = loop {
        // First what was acknowledged, then what is stored: the other way round one could slip in between.
        let acknowledged = bed.forwarder.acknowledged();
        let stored = stored(bed);
        let once = ("1".to_owned(), "completed".to_owned());
        let wrong: Vec<_> =
            acknowledged.iter().filter(|(named, _)| stored.get(named) != Some(&once)).collect();
        if wrong.is_empty() {
            break acknowledged;
        }
        let said: Vec<_> = wrong.iter().map(|(named, by)| (named, by, stored.get(named))).collect();
        assert!(began.elapsed() < REST, "acknowledged, and not done: {said:?}\n{}", bed.logs());
        rest(200).await;
    };
    assert!(acknowledged.len() > 20, "only {}: nobody lived", acknowledged.len());
    for instance in bed.instances.iter().filter(|i| i.is_web()) {
        let took = acknowledged.values().filter(|by| by.contains(&instance.address)).count();
        assert!(took > 0, "{} took none", instance.address);
    }
    acknowledged.len()
}

/// How often each notification is stored, and its state.
fn stored(bed: &Bed) -> BTreeMap<Named, (String, String)> {
    let rows = bed.ask(
        "SELECT s.subscription_id, n.notification_id, count(*), string_agg(n.processing_status, ' ') \
         FROM webhook_notifications n JOIN webhook_subscriptions s ON s.id = n.subscription_id GROUP BY 1, 2",
    );
    let parts = rows.lines().map(|line| line.split('|').collect::<Vec<_>>());
    let row = |parts: Vec<&str>| {
        let named = (parts[0].to_owned(), parts[1].parse().unwrap());
        (named, (parts[2].to_owned(), parts[3].to_owned()))
    };
    parts.map(row).collect()
}

/// The jobs were done, by one instance for all of them, however often instances were started: less time has passed than
/// lies between two rounds.
fn each_job_ran_once(bed: &Bed) {
    const DONE: &str = "a job was done for the fleet";
    assert_eq!(bed.count(&[DONE, "discovery"]), 1, "{}", bed.logs());
    assert!(bed.count(&[DONE, "maintenance", "Scheduled"]) <= 1, "{}", bed.logs());
    assert!(bed.count(&[DONE, "maintenance"]) >= 1, "{}", bed.logs());
    let looked: Vec<usize> =
        bed.instances.iter().map(Instance::said).map(|log| log.matches(DONE).count()).collect();
    println!("jobs done by each instance: {looked:?}");
}
