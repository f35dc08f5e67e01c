//! The URL of the database. It may hold a password: it is exposed to the store alone, and people see the place without
//! it. Reads and shows; never connects.

use std::fmt;
use std::path::PathBuf;

use calsync_core::secret::Secret;
use url::Url;

/// What stands for what people must not see.
const HIDDEN: &str = "[secret]";
/// Parameters that hold nothing secret. Any other shows its name alone.
const HARMLESS: [&str; 7] =
    ["sslmode", "sslrootcert", "pgbouncer", "host", "port", "dbname", "application_name"];

/// Where everything is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Secret);

impl DatabaseUrl {
    /// What is allowed, in words.
    pub const ALLOWED: &str = "`sqlite://` and a path, `postgres://USER:PASSWORD@HOST:5432/DATABASE` with special \
        characters percent-encoded, or `sqlite::memory:` for trying things out";

    /// Reads it; `None` if it is none. Whether somebody answers there is the store's to find out.
    pub fn parse(text: &str) -> Option<DatabaseUrl> {
        if text.contains(char::is_control) {
            return None;
        }
        let url = DatabaseUrl(Secret::new(text));
        if url.is_server() {
            return Url::parse(text).is_ok().then_some(url);
        }
        let rest = text.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest))?;
        (!rest.is_empty() && !rest.starts_with('?')).then_some(url)
    }

    /// Whether an error may repeat a text that is none: not if there could be a password in it.
    pub fn may_repeat(text: &str) -> bool {
        let rest = text.split_once(':').map_or(text, |(_, rest)| rest);
        !text.starts_with("postgres") && !rest.contains([':', '@', '='])
    }

    /// All of it, for the store. Every caller of this is a place where a password could leak.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether it names a server, which instances on many machines can share.
    pub fn is_server(&self) -> bool {
        self.expose().starts_with("postgres://") || self.expose().starts_with("postgresql://")
    }

    /// The file of a SQLite database; `None` for one in memory, and for a server.
    pub fn file(&self) -> Option<PathBuf> {
        let rest = self.expose().strip_prefix("sqlite:")?;
        let path = rest.strip_prefix("//").unwrap_or(rest).split('?').next()?;
        (path != ":memory:").then(|| PathBuf::from(path))
    }
}

/// The place, without user, password and anything else that could be secret.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_server() {
            return f.write_str(self.expose());
        }
        let Ok(url) = Url::parse(self.expose()) else { return f.write_str(HIDDEN) };
        write!(f, "{}://", url.scheme())?;
        if !url.username().is_empty() || url.password().is_some() {
            write!(f, "{HIDDEN}@")?;
        }
        f.write_str(url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(url.path())?;
        for (n, part) in url.query().into_iter().flat_map(|query| query.split('&')).enumerate() {
            f.write_str(if n == 0 { "?" } else { "&" })?;
            match part.split_once('=') {
                Some((name, _)) if HARMLESS.contains(&name) => f.write_str(part)?,
                Some((name, _)) => write!(f, "{name}={HIDDEN}")?,
                None => f.write_str(HIDDEN)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_the_place_and_no_password() {
        for (url, seen) in [
            ("sqlite:///var/lib/x.db", "sqlite:///var/lib/x.db"),
            (
                "postgres://me:hunter2@db.example.com:5432/sync",
                "postgres://[secret]@db.example.com:5432/sync",
            ),
            ("postgresql://db.example.com/sync", "postgresql://db.example.com/sync"),
            ("postgres://me:hun%40ter2@h/sync", "postgres://[secret]@h/sync"),
            (
                "postgres://h/sync?password=hunter2&sslmode=require",
                "postgres://h/sync?password=[secret]&sslmode=require",
            ),
            ("postgres://h?b@hunter2", "postgres://h?[secret]"),
            (
                "postgres://me:hunter2@h/sync?sslmode=verify-full&sslrootcert=/etc/ca.pem&pgbouncer=true",
                "postgres://[secret]@h/sync?sslmode=verify-full&sslrootcert=/etc/ca.pem&pgbouncer=true",
            ),
        ] {
            let parsed = DatabaseUrl::parse(url).unwrap();
            assert_eq!((parsed.to_string(), parsed.expose()), (seen.to_owned(), url));
            assert!(!format!("{parsed:?}").contains("hunter2"));
        }
    }

    #[test]
    fn what_could_hold_a_password_is_not_repeated() {
        for text in ["postgres://u:hunter2", "postgre://u:hunter2@h", "mysql://u:hunter2", "x://h?password=y"]
        {
            assert!(!DatabaseUrl::may_repeat(text), "{text}");
        }
        for text in ["a.db", "sqlite:", "sqlite://", "mysql://x"] {
            assert!(DatabaseUrl::may_repeat(text) && DatabaseUrl::parse(text).is_none(), "{text}");
        }
        assert!(DatabaseUrl::parse("postgres://u:hunter2").is_none(), "that is no port");
    }

    #[test]
    fn only_a_file_of_sqlite_is_a_file() {
        let file = |url| DatabaseUrl::parse(url).unwrap().file();
        assert_eq!(file("sqlite://a.db?mode=rwc"), Some("a.db".into()));
        assert_eq!(file("sqlite::memory:"), None);
        assert_eq!(file("postgres://h/d"), None);
    }
}
