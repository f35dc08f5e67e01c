//! A `serve` as a process of its own: started with settings of its own in a directory of its own, spoken to over loopback,
//! and ended with the measurement, whatever became of it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::load::{Load, Sender, Until};
use super::super::process::Memory;
use super::{failed, process};
use crate::cli::exit::Failure;

/// How long it may take to answer for the first time.
const START: Duration = Duration::from_secs(30);
/// Connections that deliver.
const CONNECTIONS: u16 = 16;
/// How long delivering may take.
const DELIVERING: Duration = Duration::from_secs(120);

/// The process.
pub(super) struct Child {
    process: std::process::Child,
    address: SocketAddr,
}

/// What both the process and whoever fills its database go by.
pub(super) fn settings(database: &str, provider: SocketAddr, key: &str) -> Vec<(String, String)> {
    let base = format!("http://{provider}");
    let values = [
        ("DATABASE__URL", database.to_owned()),
        ("SECRETS__KEY", key.to_owned()),
        ("GOOGLE__CLIENT_ID", "calendar-sync-bench".to_owned()),
        ("GOOGLE__CLIENT_SECRET", "not-a-secret-in-a-bench".to_owned()),
        ("GOOGLE__AUTH_URL", format!("{base}/auth")),
        ("GOOGLE__TOKEN_URL", format!("{base}/token")),
        ("GOOGLE__REVOKE_URL", format!("{base}/revoke")),
        ("GOOGLE__USERINFO_URL", format!("{base}/userinfo")),
        ("GOOGLE__API_BASE", format!("{base}/calendar/v3")),
        ("LOG__LEVEL", "warn".to_owned()),
    ];
    values.into_iter().map(|(key, value)| (format!("CALENDAR_SYNC__{key}"), value)).collect()
}

impl Child {
    /// Starts it and waits for its first answer.
    pub(super) async fn start(home: &Path, settings: Vec<(String, String)>) -> Result<Child, Failure> {
        let address = free_port()?;
        let process = Command::new(std::env::current_exe().map_err(failed)?)
            .arg("serve")
            .current_dir(home)
            .env_clear()
            .envs(settings)
            .env("CALENDAR_SYNC__SERVER__BIND", address.to_string())
            .env("CALENDAR_SYNC__SERVER__PUBLIC_URL", format!("http://{address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let mut child = Child { process, address };
        let began = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            if let Some(status) = child.process.try_wait().map_err(failed)? {
                return Err(failed(format!("`serve` ended at once: {status}")));
            }
            if began.elapsed() > START {
                return Err(failed("`serve` does not answer"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(child)
    }

    /// Its memory now.
    pub(super) fn memory(&self) -> Result<Memory, Failure> {
        process::memory(Some(self.process.id()))
            .ok_or_else(|| failed("there is no /proc to read memory from"))
    }

    /// Delivers so many notifications; how many were acknowledged.
    pub(super) async fn deliver(&self, senders: Vec<Sender>, count: u32) -> Result<u64, Failure> {
        let load = Load {
            to: self.address,
            connections: CONNECTIONS,
            until: Until { time: DELIVERING, count: u64::from(count) },
            senders: Arc::new(senders),
            used: 0,
        };
        let loaded = load.run().await.map_err(failed)?;
        if loaded.errors > 0 {
            return Err(failed(format!("{} notifications were not acknowledged", loaded.errors)));
        }
        Ok(loaded.acknowledged)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody has just now.
fn free_port() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    listener.local_addr().map_err(failed)
}
