//! Encryption: a client that checks is satisfied by the right authority and by no other.

use std::path::Path;

use calsync_testbed::postgres::{APP_PASSWORD, Cluster, ClusterOptions, Tls};

#[test]
fn the_certificate_holds_and_that_of_a_stranger_does_not() {
    let cluster = Cluster::start(&ClusterOptions { tls: Tls::Required, ..ClusterOptions::default() });
    let asks = |mode: &str, authority: &Path, host: &str| {
        let parameters = [("sslmode", mode), ("sslrootcert", authority.to_str().unwrap())];
        let url = cluster.url_with("app", Some(APP_PASSWORD), "postgres", &parameters);
        let url = url.replace("@127.0.0.1:", &format!("@{host}:"));
        let ssl = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let output = std::process::Command::new("psql").args(["-XAtqc", ssl, &url]).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap().trim().to_owned()
    };
    let (known, stranger) = (cluster.authority(), cluster.stranger());
    assert_eq!(asks("verify-full", &known, "127.0.0.1"), "t");
    assert_eq!(asks("verify-full", &known, "localhost"), "t");
    assert!(asks("verify-full", &stranger, "localhost").contains("certificate verify failed"));
    assert!(asks("disable", &known, "localhost").contains("no encryption"));
}
