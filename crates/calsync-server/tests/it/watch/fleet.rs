//! Two instances: one has the watch and tells, the other takes it over from a dead one, and nobody hears anything twice: not from
//! two instances, not after a restart, and not while there is no database to agree by.

use std::time::{Duration, Instant};

use calsync_testbed::mail::{MailServer, MailTls};
use calsync_testbed::postgres::{Cluster, ClusterOptions, Mode};
use calsync_testbed::redis::Redis;

use super::{Ear, IN_TIME, health_is, seldom};
use crate::channels::seed;
use crate::fleet::Instance;
use crate::place::{PATIENCE, Place, free_address};

/// What it says when it takes the watch.
const WATCHES: &str = "this instance has the watch";
/// Nobody has the watch for longer than this after a death: it is kept for 30 s, and looked for every 5.
const TAKEN_OVER: Duration = Duration::from_secs(40);
const FAILURES: &str = "subscription_failures";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_tells_the_other_takes_over_and_nothing_is_told_twice() {
    let mail = MailServer::start(MailTls::Off, None);
    let mut cluster = Cluster::start(&ClusterOptions::default());
    let redis = Redis::start();
    let mut place = Place::on(&cluster.create_database("sync"));
    let ear = Ear::of(&mut place, &mail, "fleet").await;
    place.set("REDIS__URL", redis.url());
    place.set("ALERTS__REMINDER_SECONDS", 60);
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    seed(&place, 20).await;
    let sql = |cluster: &Cluster, sql: &str| cluster.psql("sync", sql).unwrap();
    sql(
        &cluster,
        "UPDATE calendars SET due_at = NULL, plan_due = 0, full_due = 0, dirty_generation = synced_generation",
    );
    let mut both = [Instance::new(place.address, ""), Instance::new(free_address(), "")];
    for instance in &mut both {
        instance.start(&place).await;
    }
    let holder = seldom("one of them has the watch", PATIENCE, async || {
        both.iter().position(|instance| instance.says().contains(WATCHES))
    })
    .await;
    let since = Instant::now();
    sql(
        &cluster,
        "UPDATE webhook_subscriptions SET failure_count = 6 WHERE id IN (SELECT id FROM webhook_subscriptions LIMIT 7)",
    );
    let (_, _, told) = ear.hears(FAILURES, 1, since, IN_TIME).await;

    both[holder].kill();
    let killed = Instant::now();
    let other = 1 - holder;
    seldom("the other has the watch", TAKEN_OVER, async || {
        both[other].says().contains(WATCHES).then_some(())
    })
    .await;
    let took_over = killed.elapsed();
    // Started anew, it finds somebody who has the watch.
    both[holder].start(&place).await;
    // The reminder counts from the first word, whoever said it.
    let (letter, _, reminded) = ear.hears(FAILURES, 2, since, Duration::from_secs(90)).await;
    assert!(letter.subject.ends_with("(still open)"), "{letter:?}");
    assert!(reminded - told >= Duration::from_secs(55), "{told:?} {reminded:?}");

    // Both see that the database is away; long enough that the other, too, would tell.
    let waits = Instant::now();
    health_is(&place, 200, "degraded", waits).await;
    cluster.stop(Mode::Immediate);
    let since = Instant::now();
    let (_, _, down) = ear.hears("database_down", 1, since, IN_TIME).await;
    tokio::time::sleep(Duration::from_secs(50).saturating_sub(since.elapsed())).await;
    ear.heard_only("database_down", 1);
    cluster.start_again();
    println!(
        "told after {:.0} s, watch taken over {:.0} s after kill -9, reminded after {:.0} s, database told after {:.0} s by one of two",
        told.as_secs_f64(),
        took_over.as_secs_f64(),
        reminded.as_secs_f64(),
        down.as_secs_f64()
    );
    ear.heard_only(FAILURES, 2);
}
