//! Where a measurement's database stands: a file in a directory of its own, or a database of its own on a PostgreSQL
//! server. Made for the measurement and removed with it, also when it fails or is interrupted. What stands at the place
//! that was named is never touched.

use std::path::{Path, PathBuf};

use calsync_store::limits::OwnDatabase;
use url::Url;

use super::{failed, process};
use crate::cli::exit::Failure;

/// A place for one database.
pub(super) enum Ground {
    /// A directory.
    File(tempfile::TempDir),
    /// A server.
    Server(Box<Server>),
}

/// A database on a server.
pub(super) struct Server {
    /// Its URL.
    pub(super) url: Url,
    /// What is done to it from outside the service.
    pub(super) own: OwnDatabase,
    /// The server's first process, where it runs on this machine.
    pub(super) postmaster: Option<u32>,
}

/// Measures on ground of its own, and clears it away.
///
/// `database`: a server, or a file in whose directory the own one is made; in the system's directory for temporary files
/// if there is none.
pub(super) async fn on_own<T>(
    database: Option<&str>,
    postmaster: Option<u32>,
    measure: impl AsyncFnOnce(&mut Ground) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut ground = Ground::make(database, postmaster).await?;
    let measured = tokio::select! {
        measured = measure(&mut ground) => measured,
        _ = tokio::signal::ctrl_c() => Err(failed("it was interrupted")),
    };
    if let Ground::Server(server) = ground {
        server.own.remove().await?;
    }
    measured
}

impl Ground {
    async fn make(database: Option<&str>, postmaster: Option<u32>) -> Result<Ground, Failure> {
        let Some(database) = database else { return Ok(Ground::File(tempfile::tempdir().map_err(failed)?)) };
        match database.split_once(':') {
            Some(("postgres" | "postgresql", _)) => Ground::server(database, postmaster).await,
            Some(("sqlite", path)) => {
                let path = Path::new(path.trim_start_matches("//"));
                let beside = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let directory = tempfile::tempdir_in(beside.unwrap_or(Path::new(".")));
                Ok(Ground::File(directory.map_err(failed)?))
            }
            _ => Err(failed(
                "write the database as postgres://user:password@host/name or sqlite:/path/of/a/file",
            )),
        }
    }

    async fn server(named: &str, postmaster: Option<u32>) -> Result<Ground, Failure> {
        let name = format!("calsync_bench_{}", std::process::id());
        let url = beside(named, &name)?;
        let mut own = OwnDatabase::make(named, &name).await?;
        let postmaster = match (postmaster, is_here(&url)) {
            (None, true) => u32::try_from(own.backend().await?).ok().and_then(process::postmaster_of),
            (told, _) => told,
        };
        Ok(Ground::Server(Box::new(Server { url, own, postmaster })))
    }

    /// Where the database of this name is. A server has one, whatever the name.
    pub(super) fn url(&self, name: &str) -> String {
        match self {
            Ground::File(_) => format!("sqlite://{}", self.path(name).display()),
            Ground::Server(server) => server.url.to_string(),
        }
    }

    /// A file of this name, where there is a directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        match self {
            Ground::File(directory) => directory.path().join(name),
            Ground::Server(_) => PathBuf::new(),
        }
    }

    /// The server, if it is one.
    pub(super) fn as_server(&mut self) -> Option<&mut Server> {
        match self {
            Ground::File(_) => None,
            Ground::Server(server) => Some(server),
        }
    }

    /// Which database it is, in a word.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Ground::File(_) => "SQLite",
            Ground::Server(_) => "PostgreSQL",
        }
    }

    /// Processor time that the server took so far, in all its processes.
    pub(super) fn server_cpu(&self) -> Option<std::time::Duration> {
        match self {
            Ground::File(_) => None,
            Ground::Server(server) => process::tree_cpu_time(server.postmaster?),
        }
    }
}

/// Another database of the same server.
fn beside(url: &str, name: &str) -> Result<Url, Failure> {
    let mut url = Url::parse(url).map_err(failed)?;
    url.set_path(name);
    let rest: Vec<(String, String)> =
        url.query_pairs().filter(|(key, _)| key != "dbname").map(|(k, v)| (k.into(), v.into())).collect();
    url.set_query(None);
    if !rest.is_empty() {
        url.query_pairs_mut().extend_pairs(rest);
    }
    Ok(url)
}

/// Whether the server is on this machine, as far as its address tells.
fn is_here(url: &Url) -> bool {
    let parameter = url.query_pairs().find(|(key, _)| key == "host" || key == "hostaddr").map(|(_, v)| v);
    let host = parameter.as_deref().or(url.host_str()).unwrap_or("localhost");
    host.starts_with('/')
        || host.starts_with("%2F")
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_of_the_same_server() {
        for (url, other, here) in [
            ("postgres://app:a%2Fb@127.0.0.1:1/postgres", "postgres://app:a%2Fb@127.0.0.1:1/x", true),
            (
                "postgres://db.example.com/a?dbname=b&sslmode=require",
                "postgres://db.example.com/x?sslmode=require",
                false,
            ),
            ("postgres://app@localhost", "postgres://app@localhost/x", true),
        ] {
            let made = beside(url, "x").unwrap();
            assert_eq!((made.as_str(), is_here(&made)), (other, here));
        }
    }
}
