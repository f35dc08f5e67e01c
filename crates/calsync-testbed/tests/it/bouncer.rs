//! The pooler: it pools by transaction, and outlives what it stands before.

use std::process::Command;

use calsync_testbed::postgres::{Auth, Bouncer, Cluster, ClusterOptions};

#[test]
fn it_pools_by_transaction() {
    let mut cluster = Cluster::start(&ClusterOptions::default());
    cluster.create_database("data");
    let mut bouncer = Bouncer::start(&cluster);
    let asks = |bouncer: &Bouncer| bouncer.psql("data", "BEGIN; SELECT current_user; COMMIT").unwrap();
    assert_eq!(asks(&bouncer), "app");
    // The columns of `SHOW CONFIG` are key and value.
    assert!(bouncer.psql("pgbouncer", "SHOW CONFIG").unwrap().contains("pool_mode|transaction|"));

    bouncer.kill();
    assert!(bouncer.psql("data", "SELECT 1").is_err());
    bouncer.start_again();
    cluster.kill();
    cluster.start_again();
    // The pool finds out by trying that its session is dead.
    let began = std::time::Instant::now();
    while bouncer.psql("data", "SELECT 1").is_err() {
        assert!(began.elapsed().as_secs() < 30, "{}", bouncer.log());
    }
}

#[test]
fn it_refuses_what_it_does_not_know_unless_told_to_ignore_it() {
    let cluster = Cluster::start(&ClusterOptions { auth: Auth::Trust, ..ClusterOptions::default() });
    let plain = Bouncer::start(&cluster);
    let lenient = Bouncer::start_with(&cluster, &[("ignore_startup_parameters", "options")]);
    let takes = |bouncer: &Bouncer, options: &str| {
        let mut psql = Command::new("psql");
        psql.env("PGOPTIONS", options).args(["-XAtqc", "SELECT 1", &bouncer.url("postgres")]);
        psql.output().unwrap().status.success()
    };
    assert!(takes(&plain, "") && !takes(&plain, "-c search_path=a"));
    assert!(takes(&lenient, "-c search_path=a"));
}
