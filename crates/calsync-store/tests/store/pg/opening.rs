//! What can be wrong with the URL of a server or with what is there, and what its operator is told. Never the URL, and
//! never a password. What a server older than PostgreSQL 15 is told is not tried here: none is installed.

use calsync_core::ports::{Store, StoreError};
use calsync_store::contract::world::user;
use calsync_store::{Migrate, SqlStore};
use calsync_testbed::postgres::{APP, APP_PASSWORD, Cluster, ClusterOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::fleet::meanwhile;

/// Stands in each URL that is wrong in another way.
const PASSWORD: &str = "hunter2-%C3%A9";

/// The words that an operator sees.
async fn words(url: &str, migrate: Migrate) -> String {
    let said = match SqlStore::open(url, migrate).await {
        Err(
            error @ (StoreError::Unavailable(_) | StoreError::Conflict(_) | StoreError::NewerSchema { .. }),
        ) => error.to_string(),
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("{url} opened"),
    };
    for secret in ["hunter2", APP_PASSWORD, "%40", "postgres://a"] {
        assert!(!said.contains(secret), "it says {secret}: {said}");
    }
    said
}

async fn check(cases: &[(String, &str)]) {
    for (url, part) in cases {
        let said = words(url, Migrate::Run).await;
        assert!(said.contains(part), "{url}\n is told: {said}\n expected: {part}");
    }
}

#[tokio::test]
async fn a_wrong_url_is_explained() {
    let wrong = "write it like postgres://user:password@host:5432/calendar_sync";
    let url = |rest: &str| format!("postgres://app:{PASSWORD}@{rest}");
    check(&[
        (url("127.0.0.1:port/db"), wrong),
        (url("127.0.0.1:99999/db"), wrong),
        (url("one:5432,other:5432/db"), "one host"),
        (url("one,other:5432/db"), "one host"),
        (url("127.0.0.1/db?sslmode=on"), "sslmode"),
        (url("127.0.0.1/db?sslmod=require"), "sslmod"),
        (url(&format!("127.0.0.1/db?pass={PASSWORD}")), "pass"),
        (url("127.0.0.1/db?pgbouncer=yes"), "pgbouncer"),
        (url("127.0.0.1/db?target_session_attrs=read-write"), "target_session_attrs"),
        (format!("postgress://app:{PASSWORD}@127.0.0.1/db"), "begins"),
        (format!("mysql://app:{PASSWORD}@127.0.0.1/db"), "begins"),
        (format!("postgresql+psycopg2://app:{PASSWORD}@127.0.0.1/db"), "begins"),
    ])
    .await;
}

#[tokio::test]
async fn nobody_there_or_somebody_else() {
    let http = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = http.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = http.accept().await.unwrap();
            let _ = client.read(&mut [0; 4_096]).await;
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let url = |rest: String| format!("postgres://app:{PASSWORD}@{rest}");
    check(&[
        (
            url("no-such-host.invalid/db".to_owned()),
            "can't be reached: check that it runs, and host and port",
        ),
        (url(format!("127.0.0.1:{free}/db")), "can't be reached: check that it runs, and host and port"),
        (url(format!("127.0.0.1:{port}/db")), "what answers there is no PostgreSQL server"),
        (
            url(format!("127.0.0.1:{port}/db?sslmode=disable")),
            "the server has stopped, or what answers there is no PostgreSQL server",
        ),
        (url(format!("127.0.0.1:{port}/db?sslmode=require")), "what answers there is no PostgreSQL server"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_will_not_do_is_explained() {
    let cluster =
        meanwhile(|| Cluster::start(&ClusterOptions { max_connections: 12, ..ClusterOptions::default() }));
    let good = meanwhile(|| cluster.create_database("good"));
    for sql in [
        "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0 OWNER app",
        "CREATE DATABASE foreigners OWNER app",
        "CREATE DATABASE stranger",
        "CREATE DATABASE frozen OWNER app",
        "CREATE DATABASE closed OWNER app ALLOW_CONNECTIONS false",
        "ALTER DATABASE frozen SET default_transaction_read_only = on",
        "CREATE ROLE barred PASSWORD 'hunter2' NOLOGIN",
    ] {
        cluster.psql("postgres", sql).unwrap();
    }
    cluster
        .psql("foreigners", "SET ROLE app; CREATE TABLE customers (n int); CREATE TABLE orders (n int)")
        .unwrap();
    let app = |database: &str| cluster.url(database);
    let as_user = |user: &str, password: &str| cluster.url_with(user, Some(password), "good", &[]);
    check(&[
        (as_user(APP, "hunter2"), "the server refuses the user or the password: check database.url"),
        (as_user("nobody", "hunter2"), "the server refuses the user or the password: check database.url"),
        (as_user("barred", "hunter2"), "the server refuses the user, or lets it in only otherwise"),
        (app("missing"), "the server has no such database: create it, or check database.url"),
        (app("closed"), "not currently accepting connections"),
        (app("latin"), "the database is encoded in LATIN1: create one with ENCODING 'UTF8'"),
        (
            app("foreigners"),
            "the database holds 2 tables that are not calendar-sync's: name an empty database",
        ),
        (app("stranger"), "the user lacks the right to do this: make it the owner of the database"),
        (app("frozen"), "the server takes no writes: it is a standby, or was made read-only"),
    ])
    .await;
    let said = words(&good, Migrate::Check).await;
    assert!(said.contains("its schema is version 0") && said.contains("calendar-sync migrate"), "{said}");

    // A connection less than the server has: the next one finds none.
    let store = SqlStore::open(&good, Migrate::Run).await.unwrap();
    let full = "no connection left: raise its max_connections, or lower database.max_connections";
    // Three of the twelve are for superusers.
    let mut sleepers = Vec::new();
    let used = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'";
    let mut fill = || {
        while cluster.psql("postgres", used).unwrap() != "9" {
            sleepers.push(hold(&good));
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    meanwhile(&mut fill);
    let ours = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'calendar-sync'";
    cluster.psql("postgres", ours).unwrap();
    meanwhile(fill);
    check(&[(good.clone(), full)]).await;
    let under_load = store.add_user(&user(1)).await;
    assert!(
        matches!(&under_load, Err(StoreError::Unavailable(words)) if words.contains(full)),
        "{under_load:?}"
    );
    let theirs =
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)'";
    cluster.psql("postgres", theirs).unwrap();
    for mut sleeper in sleepers {
        sleeper.wait().unwrap();
    }
    let began = std::time::Instant::now();
    while store.ping().await.is_err() {
        assert!(began.elapsed().as_secs() < 30, "it never goes on");
    }
    store.close().await;
}

/// Somebody else's connection.
fn hold(url: &str) -> std::process::Child {
    let mut psql = std::process::Command::new("psql");
    psql.args(["-Xqc", "SELECT pg_sleep(60)", url]).stderr(std::process::Stdio::null());
    psql.stdout(std::process::Stdio::null()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_is_taken_if_it_says_that_it_may_be() {
    let database = calsync_testbed::postgres::Database::shared();
    let open = async |migrate| SqlStore::open(database.url(), migrate).await;
    open(Migrate::Run).await.unwrap().close().await;
    let known = SqlStore::schema_version();
    let newer = |oldest: i64| {
        let sql =
            format!("INSERT INTO schema_version VALUES ({}, 'from the future', {oldest})", known + oldest);
        database.psql(&sql).unwrap();
    };
    newer(known);
    for migrate in [Migrate::Run, Migrate::Check] {
        let store = open(migrate).await.unwrap();
        store.add_user(&user(if migrate == Migrate::Run { 1 } else { 2 })).await.unwrap();
        store.close().await;
    }
    newer(known + 1);
    for migrate in [Migrate::Run, Migrate::Check] {
        let refused = open(migrate).await.err();
        assert_eq!(refused, Some(StoreError::NewerSchema { found: 2 * known + 1, known }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_only_read_is_told_when_he_writes() {
    let cluster = meanwhile(|| Cluster::start(&ClusterOptions::default()));
    let url = meanwhile(|| cluster.create_database("data"));
    SqlStore::open(&url, Migrate::Run).await.unwrap().close().await;
    let reader =
        "CREATE ROLE reader LOGIN PASSWORD 'hunter2'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader";
    cluster.psql("data", reader).unwrap();
    let url = cluster.url_with("reader", Some("hunter2"), "data", &[]);
    let store = SqlStore::open(&url, Migrate::Check).await.unwrap();
    assert_eq!(store.users().await.unwrap(), []);
    let refused = store.add_user(&user(1)).await;
    assert!(
        matches!(&refused, Err(StoreError::Unavailable(words)) if words.contains("lacks the right")),
        "{refused:?}"
    );
    store.close().await;
}
