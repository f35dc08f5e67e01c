//! What can be looked at from here: the database and its directory, the sealing key, Redis. Each look has its end, and
//! none leaves anything behind.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use calsync_core::ports::{Clock, Store};
use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::{grants, judge};
use crate::checks::{Check, Findings};
use crate::config::Settings;
use crate::http;
use crate::redis::Link;
use crate::secrets::first_run::{self, Missing};
use crate::secrets::{identity, rotate};
use crate::service::clients;
use crate::storage::{self, Migrate};
use crate::system::SystemRandom;

/// Opening a database, and looking at all that is sealed in it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether the database's file, and others beside it, can be written: SQLite keeps its journal there.
pub(super) fn directory(settings: &Settings) -> Option<Check> {
    let file = settings.database.file()?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    // It is gone again when it is dropped.
    let trial = tempfile::Builder::new().prefix(".calendar-sync-doctor-").tempfile_in(&folder);
    let uid = |meta: std::io::Result<std::fs::Metadata>| meta.ok().map(|meta| meta.uid());
    let ours = trial.as_ref().ok().and_then(|trial| uid(trial.as_file().metadata()));
    let theirs = uid(std::fs::metadata(&file));
    let database = match theirs {
        None => Ok(()),
        // Asked, and not opened: whoever closes a file drops all locks that the process holds on it, and SQLite's are among
        // them where the service examines itself (https://www.sqlite.org/howtocorrupt.html, section 2.2).
        Some(_) => accessat(CWD, &file, Access::WRITE_OK, AtFlags::EACCESS).map_err(std::io::Error::from),
    };
    let words = |e: std::io::Error| crate::secrets::keyfile::reason(&e);
    let written = judge::Written {
        folder: trial.map(drop).map_err(words),
        database: database.map_err(words),
        owners: theirs.zip(ours),
    };
    Some(judge::directory(&folder, &file, &written))
}

/// Whether the database answers and is up to date, and whether the key opens what is in it.
pub(super) async fn database(settings: &mut Settings, clock: &dyn Clock, findings: &mut Findings) {
    let database = &settings.database.clone();
    if !database.url.is_server() && database.file().is_none() {
        findings.add(judge::in_memory());
        return;
    }
    let began = Instant::now();
    let opened = tokio::time::timeout(PATIENCE, storage::open(database, Migrate::Check)).await;
    let store = match opened {
        Ok(Ok(store)) => store,
        Ok(Err(error)) => {
            findings.add(judge::no_store(&database.url, &error));
            findings.add(Check::skipped("sealing key", "the database could not be opened"));
            return;
        }
        Err(_) => {
            findings.add(judge::slow_store(&database.url, PATIENCE));
            findings.add(Check::skipped("sealing key", "the database could not be opened"));
            return;
        }
    };
    match tokio::time::timeout(PATIENCE, store.ping()).await {
        Ok(Ok(())) => findings.add(Check::ok(
            "database",
            format!(
                "{} answers, and its schema is current ({} ms)",
                database.url,
                began.elapsed().as_millis()
            ),
        )),
        Ok(Err(error)) => findings.add(judge::no_store(&database.url, &error.into())),
        Err(_) => findings.add(judge::slow_store(&database.url, PATIENCE)),
    }
    let looked = tokio::time::timeout(PATIENCE, sealed(settings, store.as_ref(), clock)).await;
    findings.extend(looked.unwrap_or_else(|_| vec![judge::slow_look(PATIENCE)]));
    let _ = tokio::time::timeout(PATIENCE, store.close()).await;
}

/// The key, and what it opens. Never makes one, and never stores an identity: that is for the first `serve`.
async fn sealed(settings: &mut Settings, store: &dyn Store, clock: &dyn Clock) -> Vec<Check> {
    let is_sealed = match identity::sealed(store).await {
        Ok(sealed) => sealed.is_some(),
        Err(error) => return vec![judge::no_inventory(&error)],
    };
    let missing = if is_sealed { Missing::Lost } else { Missing::Refuse };
    let keys = match first_run::keyring(settings, missing, &SystemRandom) {
        Ok(keys) => keys,
        Err(error) => return vec![judge::no_key(&error)],
    };
    // One that does not open is among what the inventory tells.
    let _ = clients::complete(settings, store, &keys.ring).await;
    let key = match rotate::inventory(store, &keys.ring).await {
        Ok(found) => judge::key(&found, &keys),
        Err(error) => return vec![judge::no_inventory(&error)],
    };
    let mut checks = vec![key];
    match grants::read(store, &keys.ring).await {
        Ok(grants) if grants.is_empty() => {}
        Ok(grants) => {
            let accounts = [judge::accounts(&grants), judge::scopes(&grants)];
            checks.extend(accounts.into_iter().chain([judge::consents(&grants, clock.now())]));
        }
        Err(error) => checks.push(judge::no_inventory(&error.into())),
    }
    checks
}

/// The disk that the data is on.
pub(super) fn disk(settings: &Settings) -> Check {
    let place = crate::service::data_directory(settings);
    let free = rustix::fs::statvfs(&place).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    judge::disk(&place.display().to_string(), free)
}

/// Whether Redis answers and lets us do what we need, where one is configured.
pub(super) async fn redis(settings: &Settings) -> Check {
    let Some(address) = settings.redis.address.clone() else { return judge::redis(None) };
    let shown = address.to_string();
    let found = Link::new(address, http::probe()).probe().await;
    judge::redis(Some((&shown, found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many locks the kernel knows of this file.
    fn locks(file: &Path) -> usize {
        let inode = format!(":{} ", std::fs::metadata(file).unwrap().ino());
        let all = std::fs::read_to_string("/proc/locks").unwrap();
        all.lines().filter(|line| line.contains(&inode)).count()
    }

    #[tokio::test]
    async fn an_examination_leaves_the_locks_of_the_service_alone() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("kept.db").display());
        let mut settings = crate::config::tests_settings(&[("DATABASE_URL", &url)]);
        let file = settings.database.file().unwrap();
        let store = storage::open(&settings.database, Migrate::Run).await.unwrap();
        store.ping().await.unwrap();
        let before = locks(&file);
        assert!(before > 0, "SQLite holds its database");
        assert_eq!(directory(&settings).unwrap().outcome, crate::checks::Outcome::Ok);
        assert_eq!(locks(&file), before);
        let mut findings = Findings::new(crate::out::Out::new(crate::out::Format::Json));
        database(&mut settings, &crate::system::SystemClock, &mut findings).await;
        assert_eq!(locks(&file), before, "nor does a second look at the database drop them");
        store.close().await;
    }
}
