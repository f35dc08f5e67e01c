//! An empty database on a cluster that all tests share: for the many that want tables and no trouble. It never takes a
//! database that was there before.

use std::fs;

use super::programs;
use crate::process::within;
use std::time::Duration;

/// The environment variable with the URL of the shared cluster: any database of it, as a role that may create others.
pub const SHARED: &str = "CALSYNC_TEST_POSTGRES";

/// A database of one's own on the shared cluster. Dropped, it is gone, whoever is still connected.
#[derive(Debug)]
pub struct Database {
    cluster: String,
    name: String,
    url: String,
}

impl Database {
    /// Makes one.
    ///
    /// # Panics
    /// If there is no shared cluster: `script/servers` starts one.
    pub fn shared() -> Self {
        let Ok(cluster) = std::env::var(SHARED) else {
            panic!(
                "{SHARED} is not set: this test needs a PostgreSQL server. Run it within script/servers, as in \
                 `script/servers cargo nextest run -p <crate> <test>`"
            )
        };
        // Random, so unique over processes and time.
        let id = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("this is Linux");
        let name = format!("test_{}", id.trim().replace('-', ""));
        programs::psql(&cluster, &format!("CREATE DATABASE {name}")).unwrap_or_else(|error| {
            panic!("{SHARED} names a server that gives no database: {error}");
        });
        let url = beside(&cluster, &name);
        Self { cluster, name, url }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name, for views such as `pg_stat_activity`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs SQL as its owner, statement by statement up to the first that fails, and gives what psql prints: a line per
    /// row, columns set apart by `|`.
    ///
    /// # Errors
    /// What psql says is wrong.
    pub fn psql(&self, sql: &str) -> Result<String, String> {
        programs::psql(&self.url, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // The server's own cleaning may be at work in it, which its owner can't interrupt. What stays goes with the
        // cluster.
        within(Duration::from_secs(5), || programs::psql(&self.cluster, &sql).is_ok());
    }
}

/// The URL of another database of the same server.
fn beside(url: &str, name: &str) -> String {
    let (place, parameters) = url.split_once('?').map_or((url, None), |(place, rest)| (place, Some(rest)));
    let scheme = place.find("://").map_or(0, |at| at + 3);
    let server = place[scheme..].find('/').map_or(place, |at| &place[..scheme + at]);
    let parameters = parameters.map(|rest| format!("?{rest}")).unwrap_or_default();
    format!("{server}/{name}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_of_the_same_server() {
        for (url, other) in [
            ("postgres://app:a%2Fb@127.0.0.1:1/postgres", "postgres://app:a%2Fb@127.0.0.1:1/x"),
            ("postgres://app@localhost", "postgres://app@localhost/x"),
            ("postgres://localhost/a?sslmode=disable&b=/", "postgres://localhost/x?sslmode=disable&b=/"),
        ] {
            assert_eq!(beside(url, "x"), other);
        }
    }
}
