//! Encrypted connections: what each `sslmode` takes and refuses, and what an operator is told.

use calsync_core::ports::{Store, StoreError};
use calsync_store::{Migrate, SqlStore};
use calsync_testbed::postgres::{APP, APP_PASSWORD, Cluster, ClusterOptions, Tls};

/// What somebody with this URL is told; whether the connection is encrypted if nothing is wrong.
async fn told(cluster: &Cluster, host: &str, parameters: &[(&str, &str)]) -> Result<String, String> {
    let url = cluster.url_with(APP, Some(APP_PASSWORD), "data", parameters);
    let url = url.replace("@127.0.0.1:", &format!("@{host}:"));
    match SqlStore::open(&url, Migrate::Run).await {
        Ok(store) => {
            let name = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                        WHERE application_name = 'calendar-sync'";
            let encrypted = cluster.psql("postgres", name);
            store.close().await;
            encrypted
        }
        Err(StoreError::Unavailable(words)) => Err(words),
        Err(other) => panic!("another error: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mode_decides_whom_we_believe() {
    let options = ClusterOptions { tls: Tls::Required, ..ClusterOptions::default() };
    let cluster = Cluster::start(&options.set("listen_addresses", "127.0.0.1, 127.0.0.2"));
    cluster.create_database("data");
    let (known, stranger) = (cluster.authority(), cluster.stranger());
    let (known, stranger) = (known.to_str().unwrap(), stranger.to_str().unwrap());
    let untrusted = "no trusted connection: check sslmode and sslrootcert";
    for (host, mode, authority, expected) in [
        ("127.0.0.1", "disable", None, Err("no encryption")),
        ("127.0.0.1", "prefer", None, Ok(())),
        ("127.0.0.1", "require", None, Ok(())),
        // libpq, too, takes any certificate here, unless there is an authority to ask.
        ("127.0.0.1", "verify-ca", Some(known), Ok(())),
        ("127.0.0.1", "verify-ca", Some(stranger), Err(untrusted)),
        ("127.0.0.1", "verify-ca", None, Err(untrusted)),
        ("localhost", "verify-full", Some(known), Ok(())),
        ("127.0.0.1", "verify-full", Some(known), Ok(())),
        ("localhost", "verify-full", Some(stranger), Err(untrusted)),
        // Another name for this machine, which the certificate does not have.
        ("127.0.0.2", "verify-full", Some(known), Err(untrusted)),
        ("127.0.0.2", "verify-ca", Some(known), Ok(())),
        (
            "127.0.0.1",
            "verify-full",
            Some("/no/such/file"),
            Err("a file that database.url names is not there: check sslrootcert"),
        ),
    ] {
        let mut parameters = vec![("sslmode", mode)];
        parameters.extend(authority.map(|file| ("sslrootcert", file)));
        let case = format!("{host} {parameters:?}");
        match (told(&cluster, host, &parameters).await, expected) {
            (Ok(encrypted), Ok(())) => assert_eq!(encrypted, "t", "{case}"),
            (Err(words), Err(part)) => assert!(words.contains(part), "{case}: {words}"),
            (other, _) => panic!("{case}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_encryption_is_refused_by_who_asks_for_it() {
    let cluster = Cluster::start(&ClusterOptions::default());
    cluster.create_database("data");
    assert_eq!(told(&cluster, "127.0.0.1", &[("sslmode", "prefer")]).await, Ok("f".to_owned()));
    for mode in ["require", "verify-ca", "verify-full"] {
        let words = told(&cluster, "127.0.0.1", &[("sslmode", mode)]).await.unwrap_err();
        assert!(words.contains("does not support TLS") && words.contains("sslmode"), "{mode}: {words}");
    }
}
