//! The whole contract behind a pooler that gives a session to each transaction anew, with fewer sessions than clients.

use std::sync::Arc;

use calsync_core::ports::Store;
use calsync_store::contract::Fresh;
use calsync_store::{Migrate, SqlStore};
use calsync_testbed::postgres::{Bouncer, Cluster, ClusterOptions};
use tokio::task::JoinSet;

use super::fleet::{Fleet, Told, meanwhile};

/// Sessions of the server for each database: the store alone has ten connections.
const SESSIONS: &str = "4";
/// Rules of the contract at once.
const AT_ONCE: usize = 4;

struct Pooled {
    cluster: Cluster,
    bouncer: Bouncer,
}

impl Pooled {
    async fn start() -> Pooled {
        let pooled = meanwhile(Pooled::begin);
        // Made once, through the pooler, and copied from then on.
        pooled.cluster.create_database("made");
        let url = format!("{}?pgbouncer=true", pooled.bouncer.url("made"));
        SqlStore::open(&url, Migrate::Run).await.unwrap().close().await;
        // What the pooler keeps open would stand in the way of a copy.
        pooled.bouncer.psql("pgbouncer", "KILL made").unwrap();
        pooled
    }

    fn begin() -> Pooled {
        // Each rule leaves its sessions with the pooler, which keeps them for a while.
        let options = ClusterOptions { max_connections: 1_000, ..ClusterOptions::default() };
        // Nobody pulls its plug, and each rule has a database of its own.
        let quick = ["fsync", "synchronous_commit", "full_page_writes"];
        let cluster =
            Cluster::start(&quick.into_iter().fold(options, |options, name| options.set(name, "off")));
        let settings = [("default_pool_size", SESSIONS), ("max_client_conn", "500")];
        let bouncer = Bouncer::start_with(&cluster, &settings);
        Pooled { cluster, bouncer }
    }

    /// The URL of a new database, as an operator writes it.
    fn url(&self, name: &str) -> String {
        let sql = format!("CREATE DATABASE {name} OWNER app TEMPLATE made STRATEGY file_copy");
        self.cluster.psql("postgres", &sql).unwrap();
        format!("{}?pgbouncer=true", self.bouncer.url(name))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_contract_holds_behind_a_pooler() {
    let pooled = Arc::new(Pooled::start().await);
    let fresh = |name: &'static str| {
        let pooled = pooled.clone();
        async move {
            let url = meanwhile(|| pooled.url(name));
            let store = SqlStore::open(&url, Migrate::Check).await.unwrap();
            Fresh { store: Arc::new(store), keep: Box::new(pooled) }
        }
    };
    let mut running = JoinSet::new();
    let mut count = 0;
    for (name, rule) in calsync_store::contract::rules() {
        if running.len() == AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        count += 1;
        let fresh = fresh(name);
        running.spawn(async move {
            let fresh = fresh.await;
            let held = tokio::spawn(rule(fresh.store.clone())).await;
            assert!(held.is_ok(), "{name} does not hold behind a pooler");
            fresh.store.close().await;
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
    assert!(count > 60, "{count} rules only");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_pooler_may_be_restarted() {
    let mut pooled = Pooled::start().await;
    let url = meanwhile(|| pooled.url("data"));
    let store: Arc<dyn Store> = Arc::new(SqlStore::open(&url, Migrate::Check).await.unwrap());
    let fleet = Fleet::new(store.as_ref(), 4, 3).await;
    let mut told = Told::default();
    for n in 0..300 {
        if n == 100 {
            meanwhile(|| pooled.bouncer.kill());
            assert!(!told.deliver(store.as_ref(), &fleet, n).await, "nobody is there");
            meanwhile(|| pooled.bouncer.start_again());
        }
        while !told.deliver(store.as_ref(), &fleet, n).await {}
    }
    fleet.work(store.as_ref(), 1, 2_000).await.unwrap();
    told.check(&fleet, |sql| pooled.cluster.psql("data", sql).unwrap());
    store.close().await;
}
