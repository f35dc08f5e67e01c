//! A server whose disk is full: receipts are refused in words that say so, nothing is half there, and with space it goes
//! on. The tables stand on a small file system of their own, which only root can make: anybody else is told that this was
//! not tried.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use calsync_core::ports::StoreError;
use calsync_testbed::postgres::{Cluster, ClusterOptions};

use super::fleet::{Fleet, Told, meanwhile, open};

/// Enough for an empty database of ours, and a few thousand notifications.
const SIZE: &str = "size=24m";
/// Takes the rest of the space but for some pages.
const FILLER: &str = "CREATE TABLE filler (n text) TABLESPACE small; \
    ALTER TABLE filler ALTER n SET STORAGE PLAIN";

/// A small file system in memory. Dropped, it is gone.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn mount(place: &'a Path) -> Option<Small<'a>> {
        let owner = std::fs::read_to_string("/etc/passwd").unwrap();
        let nobody: Vec<&str> = owner.lines().find(|line| line.starts_with("nobody:"))?.split(':').collect();
        let options = format!("{SIZE},mode=700,uid={},gid={}", nobody[2], nobody[3]);
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(place);
        mount.output().is_ok_and(|done| done.status.success()).then_some(Small(place))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        // Lazily: the server has it open still.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_receipts_and_loses_none() {
    let place = tempfile::tempdir().unwrap();
    let Some(_small) = Small::mount(place.path()) else {
        println!("NOT TRIED: a full disk needs a small file system, which only root can mount");
        return;
    };
    let cluster = meanwhile(|| Cluster::start(&ClusterOptions::default()));
    let space = format!("CREATE TABLESPACE small LOCATION '{}'", place.path().display());
    cluster.psql("postgres", &space).unwrap();
    cluster.psql("postgres", "CREATE DATABASE data OWNER app TABLESPACE small").unwrap();
    let store = open(&cluster.url("data")).await;
    let fleet = Fleet::new(store.as_ref(), 4, 2).await;
    let mut told = Told::default();
    for n in 0..50 {
        assert!(told.deliver(store.as_ref(), &fleet, n).await);
    }
    cluster.psql("data", FILLER).unwrap();
    let fill = "INSERT INTO filler SELECT repeat('x', 1800) FROM generate_series(1, 100)";
    while cluster.psql("data", fill).is_ok() {}
    // What is free in pages that are there is used up first.
    let (mut refused, began, mut n) = (0, Instant::now(), 50);
    while refused < 20 {
        assert!(began.elapsed() < Duration::from_secs(60), "it never becomes full");
        n += 1;
        if !told.deliver(store.as_ref(), &fleet, n).await {
            refused += 1;
        }
    }
    let full = store.record_notification(fleet.delivery(n + 1)).await;
    assert!(
        matches!(&full, Err(StoreError::Unavailable(words)) if words.contains("disk of the server is full")),
        "{full:?}"
    );
    told.check(&fleet, |sql| cluster.psql("data", sql).unwrap());
    store.users().await.expect("who only reads goes on");
    cluster.psql("data", "DROP TABLE filler").unwrap();
    cluster.psql("data", "CHECKPOINT").unwrap();
    for n in 51..n + 2 {
        assert!(told.deliver(store.as_ref(), &fleet, n).await, "there is space again");
    }
    told.check(&fleet, |sql| cluster.psql("data", sql).unwrap());
    store.close().await;
}
