//! The keys to work with: the configured ones, else those in the key file beside the database, which the first run
//! makes. So a small installation needs no settings at all, and still keeps nothing in clear. For a database on a server
//! it never makes one: every instance needs the same, and one that was made in a container is gone with it.

use std::io;
use std::path::{Path, PathBuf};

use super::key::SealingKey;
use super::keyfile;
use super::seal::Keyring;
use crate::config::{SYSTEM_DIR, Settings};
use crate::system::Random;

/// Name of the key file: beside a database that is a file, else where the configuration is looked for.
pub const KEY_FILE: &str = "calendar-sync.key";

/// What to do when there is no key yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// Make one: for commands that may be the very first.
    Create,
    /// Say so: for commands that work on what was sealed before.
    Refuse,
    /// Say that it is lost: something was sealed with it, and a new one would open nothing.
    Lost,
}

/// The keys, and where they come from.
#[derive(Clone, Debug)]
pub struct FoundKeys {
    /// The keys.
    pub ring: Keyring,
    /// Where the current one comes from.
    pub origin: KeyOrigin,
    /// What the operator should know.
    pub notices: Vec<String>,
}

/// Where the current key comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyOrigin {
    /// `secrets.key`.
    Configured,
    /// The key file beside the database.
    Beside(PathBuf),
    /// The key file of an instance whose database is on a server.
    Local(PathBuf),
    /// The key file beside the database, made just now.
    Created(PathBuf),
    /// Drawn for an in-memory database, and gone with it.
    Memory,
}

/// Why there is no key to work with.
#[derive(Debug, thiserror::Error)]
pub enum NoKey {
    /// Nothing configured, and no key file.
    #[error(
        "there is no sealing key: neither secrets.key nor {0} exists (`calendar-sync serve` makes one, and so does `calendar-sync secrets generate --out {0}`)"
    )]
    Missing(String),
    /// Nothing configured and no key file, and others need the same key.
    #[error(
        "there is no sealing key: every instance on {0} needs the same one. Make one with `calendar-sync secrets generate --out calendar-sync.key`, give it to all of them by secrets.key_file (or CALENDAR_SYNC__SECRETS__KEY), or as /etc/calendar-sync/calendar-sync.key, and back it up apart from the database"
    )]
    MissingForAll(String),
    /// The same, though there was one.
    #[error(
        "there is no sealing key: the database {0} was sealed with one that this instance has not got. Give it the key that the other instances have, by secrets.key_file (or CALENDAR_SYNC__SECRETS__KEY); no other key opens what is stored"
    )]
    LostForOne(String),
    /// Nothing configured and no key file, though there was one.
    #[error(
        "there is no sealing key any more: neither secrets.key nor {0} exists, but the database was sealed with one. Bring it back from its backup; no other key opens what is stored"
    )]
    Lost(String),
    /// A key file that can't be used.
    #[error("{0}")]
    Unusable(String),
    /// No key file could be made.
    #[error("cannot make the key file {path}: {reason}. Make the directory writable, or set secrets.key")]
    NotMade {
        /// Where.
        path: String,
        /// Why.
        reason: String,
    },
}

/// Where the key file of a database stands.
pub fn key_path(database: &Path) -> PathBuf {
    database.with_file_name(KEY_FILE)
}

/// Finds the keys, or makes the first one.
pub fn keyring(settings: &Settings, missing: Missing, random: &dyn Random) -> Result<FoundKeys, NoKey> {
    let previous = settings.secrets.previous_keys.clone();
    if let Some(key) = &settings.secrets.key {
        let ring = Keyring::new(key.clone(), previous);
        return Ok(FoundKeys { ring, origin: KeyOrigin::Configured, notices: vec![] });
    }
    if settings.database.url.is_server() {
        return shared(settings, missing, previous);
    }
    let Some(database) = settings.database.file() else {
        let ring = Keyring::new(SealingKey::generate(random), previous);
        return Ok(FoundKeys { ring, origin: KeyOrigin::Memory, notices: vec![] });
    };
    let path = key_path(&database);
    let mut notices = Vec::new();
    let mut origin = KeyOrigin::Beside(path.clone());
    if !path.exists() {
        match missing {
            Missing::Create => {}
            Missing::Refuse => return Err(NoKey::Missing(path.display().to_string())),
            Missing::Lost => return Err(NoKey::Lost(path.display().to_string())),
        }
        match keyfile::create(&path, &SealingKey::generate(random).expose(), random) {
            Ok(()) => {
                origin = KeyOrigin::Created(path.clone());
                notices.push(format!(
                    "made a new sealing key in {}: back it up apart from the database, without it the stored credentials cannot be read",
                    path.display()
                ));
            }
            // Another process was faster: its key counts.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => {
                return Err(NoKey::NotMade { path: path.display().to_string(), reason: keyfile::reason(&e) });
            }
        }
    }
    let (key, warning) = read(&path)?;
    notices.extend(warning);
    Ok(FoundKeys { ring: Keyring::new(key, previous), origin, notices })
}

/// The key of one of many instances: in a key file where the configuration is looked for, or nowhere.
fn shared(settings: &Settings, missing: Missing, previous: Vec<SealingKey>) -> Result<FoundKeys, NoKey> {
    let places = [PathBuf::from(KEY_FILE), Path::new(SYSTEM_DIR).join(KEY_FILE)];
    let Some(path) = places.into_iter().find(|path| path.exists()) else {
        let database = settings.database.url.to_string();
        return Err(match missing {
            Missing::Create | Missing::Refuse => NoKey::MissingForAll(database),
            Missing::Lost => NoKey::LostForOne(database),
        });
    };
    let (key, warning) = read(&path)?;
    let notices = warning.into_iter().collect();
    Ok(FoundKeys { ring: Keyring::new(key, previous), origin: KeyOrigin::Local(path), notices })
}

/// The key in a file, and what its owner should know of the file.
fn read(path: &Path) -> Result<(SealingKey, Option<String>), NoKey> {
    let file =
        keyfile::read(path).map_err(|e| NoKey::Unusable(format!("the sealing key cannot be used: {e}")))?;
    let key = SealingKey::parse(file.secret.expose())
        .map_err(|e| NoKey::Unusable(format!("the sealing key in {} {e}", path.display())))?;
    Ok((key, file.warning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemRandom;

    fn settings(dir: &Path) -> Settings {
        let url = format!("sqlite://{}", dir.join("calendar-sync.db").display());
        crate::config::tests_settings(&[("DATABASE_URL", &url)])
    }

    #[test]
    fn the_first_run_makes_a_key_and_later_ones_use_it() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path());
        assert!(matches!(keyring(&settings, Missing::Refuse, &SystemRandom), Err(NoKey::Missing(_))));
        let first = keyring(&settings, Missing::Create, &SystemRandom).unwrap();
        assert_eq!(first.origin, KeyOrigin::Created(dir.path().join(KEY_FILE)));
        assert!(first.notices[0].contains("back it up"));
        let second = keyring(&settings, Missing::Create, &SystemRandom).unwrap();
        assert_eq!(second.origin, KeyOrigin::Beside(dir.path().join(KEY_FILE)));
        assert_eq!(second.ring.current_id(), first.ring.current_id());
        assert!(second.notices.is_empty());
    }

    #[test]
    fn a_damaged_key_file_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(KEY_FILE), "scribble!").unwrap();
        let error = keyring(&settings(dir.path()), Missing::Create, &SystemRandom).unwrap_err().to_string();
        assert!(error.contains("neither base64 nor hex") && !error.contains("scribble"), "{error}");
    }

    #[test]
    fn for_a_server_no_key_is_ever_made() {
        let settings =
            crate::config::tests_settings(&[("DATABASE_URL", "postgres://a:hunter2@db.example.com/sync")]);
        for (missing, word) in [
            (Missing::Create, "every instance on postgres://[secret]@db.example.com/sync"),
            (Missing::Refuse, "secrets.key_file"),
            (Missing::Lost, "the other instances have"),
        ] {
            let error = keyring(&settings, missing, &SystemRandom).unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_missing_directory_is_told() {
        let settings = settings(Path::new("/nonexistent/place"));
        let error = keyring(&settings, Missing::Create, &SystemRandom).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/place/calendar-sync.key"), "{error}");
    }
}
