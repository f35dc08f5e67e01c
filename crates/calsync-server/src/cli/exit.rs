//! How a command ends: the exit codes that scripts rely on, and the words for people. Each error says what to do.

use std::process::ExitCode;

use calsync_core::ports::{ProviderError, StoreError};

use crate::config::Problems;
use crate::secrets::first_run::NoKey;
use crate::secrets::identity::NoIdentity;
use crate::storage::NoStore;
use crate::telemetry::logging::NoLog;

/// Shown under the help of the whole program.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  it worked
  1  it failed, or what was checked does not match
  2  the command line was wrong
  3  the configuration is wrong
  4  the database does not answer, is missing or not up to date
  5  a calendar provider refused or does not answer
  6  nothing of that name was found";

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// It worked.
    Ok,
    /// It failed, or what was checked does not match.
    Failed,
    /// The command line was wrong.
    Usage,
    /// The configuration is wrong.
    Config,
    /// The database.
    Database,
    /// The same: it is away, or missing. To be told of, where people are to be told.
    DatabaseAway,
    /// A provider.
    Provider,
    /// Nothing of that name.
    NotFound,
    /// `webhook-health-check`: it is degraded.
    Degraded,
    /// `webhook-health-check`: it is critical.
    Critical,
}

impl Exit {
    /// Its number.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Failed | Exit::Degraded => 1,
            Exit::Usage | Exit::Critical => 2,
            Exit::Config => 3,
            Exit::Database | Exit::DatabaseAway => 4,
            Exit::Provider => 5,
            Exit::NotFound => 6,
        }
    }

    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Exit::Ok => "ok",
            Exit::Failed => "failed",
            Exit::Usage => "usage",
            Exit::Config => "configuration",
            Exit::Database | Exit::DatabaseAway => "database",
            Exit::Provider => "provider",
            Exit::NotFound => "not_found",
            Exit::Degraded => "degraded",
            Exit::Critical => "critical",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Why a command could not do what it was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// What happened and what to do, in words for a person.
    pub message: String,
}

impl Failure {
    /// It ends so, for this reason.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }

    /// It failed.
    pub fn failed(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Failed, message)
    }

    /// There is nothing of that name.
    pub fn not_found(message: impl Into<String>) -> Failure {
        Failure::new(Exit::NotFound, message)
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Failure {
        Failure::new(Exit::Config, problems.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let exit = match error {
            StoreError::LeaseLost(_) | StoreError::Conflict(_) => Exit::Failed,
            StoreError::Unavailable(_) => Exit::DatabaseAway,
            StoreError::Contended(_) | StoreError::NewerSchema { .. } | StoreError::Corrupt(_) => {
                Exit::Database
            }
        };
        Failure::new(exit, error.to_string())
    }
}

impl From<NoStore> for Failure {
    fn from(error: NoStore) -> Failure {
        match error {
            NoStore::Store(error) => error.into(),
            missing => Failure::new(Exit::DatabaseAway, missing.to_string()),
        }
    }
}

impl From<NoKey> for Failure {
    fn from(error: NoKey) -> Failure {
        Failure::new(Exit::Config, error.to_string())
    }
}

impl From<NoIdentity> for Failure {
    fn from(error: NoIdentity) -> Failure {
        match error {
            NoIdentity::Store(error) => error.into(),
            other => Failure::new(Exit::Config, other.to_string()),
        }
    }
}

impl From<NoLog> for Failure {
    fn from(error: NoLog) -> Failure {
        Failure::new(Exit::Config, error.to_string())
    }
}

impl From<crate::http::NotListening> for Failure {
    fn from(error: crate::http::NotListening) -> Failure {
        Failure::new(Exit::Config, error.to_string())
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Failure {
        Failure::new(Exit::Provider, error.to_string())
    }
}
