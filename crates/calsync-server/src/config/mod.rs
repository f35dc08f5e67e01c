//! Settings: one TOML file under environment variables, checked as a whole before anything starts. All problems are
//! told at once, each with its key, its place and what is allowed; a secret's value never is.

mod alerts;
mod build;
mod database;
pub mod docs;
mod kind;
mod problem;
pub mod registry;
mod settings;
pub mod show;
mod sign_in;
mod source;

use std::path::{Path, PathBuf};

pub use alerts::{AlertSettings, SmtpSecurity, SmtpSettings};
pub use build::{Effective, Loaded, load};
pub use database::DatabaseUrl;
pub use kind::{Kind, Value};
pub use problem::{Problem, Problems};
pub use registry::Key;
pub use settings::*;
pub use sign_in::OidcSettings;
pub use source::{Origin, Sources};

/// Name of the file that is looked for.
pub const FILE_NAME: &str = "calendar-sync.toml";
/// Where it is looked for when the working directory has none.
pub const SYSTEM_DIR: &str = "/etc/calendar-sync";

/// The file to read: the one asked for, else the one in the working directory, else the system's, else none.
pub fn find_file(asked: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = asked {
        return Some(path.to_owned());
    }
    [PathBuf::from(FILE_NAME), Path::new(SYSTEM_DIR).join(FILE_NAME)].into_iter().find(|path| path.exists())
}

/// The settings that these environment variables alone give.
#[cfg(test)]
pub(crate) fn tests_settings(env: &[(&str, &str)]) -> Settings {
    load(&Sources::new(None, env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))).unwrap().settings
}

#[cfg(test)]
mod tests;
