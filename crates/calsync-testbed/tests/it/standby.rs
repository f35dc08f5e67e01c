//! A standby: it follows, it takes over, and with synchronous replication it has all that was confirmed.

use calsync_testbed::postgres::{Cluster, ClusterOptions, StandbyOptions, Synchronous};

#[test]
fn it_has_what_was_confirmed_when_the_primary_dies() {
    let mut primary = Cluster::start(&ClusterOptions::default());
    primary.create_database("data");
    primary.psql("data", "CREATE TABLE seen (n int); ALTER TABLE seen OWNER TO app").unwrap();
    let standby = Cluster::standby(&primary, &StandbyOptions { synchronous: Synchronous::Applied });
    primary.psql("data", "INSERT INTO seen VALUES (1)").unwrap();
    // Applied: it shows at once, without waiting.
    assert_eq!(standby.psql("data", "SELECT count(*) FROM seen").unwrap(), "1");
    assert!(standby.psql("data", "INSERT INTO seen VALUES (2)").unwrap_err().contains("read-only"));

    primary.kill();
    standby.promote();
    assert_eq!(standby.psql("data", "INSERT INTO seen VALUES (2) RETURNING n").unwrap(), "2");
    assert_eq!(standby.psql("data", "SELECT sum(n) FROM seen; SHOW synchronous_standby_names").unwrap(), "3");
}

#[test]
fn without_being_asked_nobody_waits_for_it() {
    let primary = Cluster::start(&ClusterOptions::default());
    let standby = Cluster::standby(&primary, &StandbyOptions::default());
    standby.pause();
    primary.create_database("data");
    standby.resume();
    let there = "SELECT count(*) FROM pg_database WHERE datname = 'data'";
    let began = std::time::Instant::now();
    while standby.psql("postgres", there).unwrap() != "1" {
        assert!(began.elapsed().as_secs() < 30, "it does not follow");
    }
    assert_eq!(primary.psql("postgres", "SELECT sync_state FROM pg_stat_replication").unwrap(), "async");
}
