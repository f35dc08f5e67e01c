//! PostgreSQL's own programs, and how they are told where a server is. They are never found by chance: the newest
//! installed version is meant, of its server and of its tools.

use std::fmt::Write as _;
use std::fs;
use std::io::{Seek, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::account;

/// Where Debian puts the versions, each with a `bin`. The programs for everyday use are on the path, the server is not.
const VERSIONS: &str = "/usr/lib/postgresql";
const OLDEST: u32 = 15;

/// A program of the newest version that is installed.
pub(super) fn find(program: &str) -> PathBuf {
    let entries = fs::read_dir(VERSIONS).into_iter().flatten();
    let versions = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let mut versions: Vec<u32> = versions.filter(|version| *version >= OLDEST).collect();
    versions.sort_unstable_by(|one, other| other.cmp(one));
    let places: Vec<PathBuf> =
        versions.iter().map(|version| Path::new(VERSIONS).join(version.to_string()).join("bin")).collect();
    // Some have clients without a server.
    let with_server = places.into_iter().filter(|place| place.join("postgres").is_file());
    account::find(program, &with_server.collect::<Vec<_>>())
}

/// Runs SQL by psql, and gives what it prints without the line break at the end.
pub(super) fn psql(connection: &str, sql: &str) -> Result<String, String> {
    // A file: psql may want to print before it has read all, and nobody would be there for both.
    let mut script = tempfile::tempfile().unwrap();
    script.write_all(sql.as_bytes()).unwrap();
    script.rewind().unwrap();
    let mut command = Command::new(find("psql"));
    // What a person has set for their own use is not meant for tests.
    command.envs([("PGCONNECT_TIMEOUT", "30"), ("PGCLIENTENCODING", "UTF8"), ("LC_ALL", "C.UTF-8")]);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
        command.env_remove(name);
    }
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-", connection]).stdin(script);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned();
    if output.status.success() { Ok(said) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// The URL of a database on loopback.
pub(super) fn url(
    port: u16,
    user: &str,
    password: Option<&str>,
    database: &str,
    parameters: &[(&str, &str)],
) -> String {
    let mut url = format!("postgres://{}", encoded(user));
    if let Some(password) = password {
        write!(url, ":{}", encoded(password)).unwrap();
    }
    write!(url, "@127.0.0.1:{port}/{}", encoded(database)).unwrap();
    for (at, (name, value)) in parameters.iter().enumerate() {
        let before = if at == 0 { '?' } else { '&' };
        write!(url, "{before}{}={}", encoded(name), encoded(value)).unwrap();
    }
    url
}

/// As a part of a URL.
fn encoded(part: &str) -> String {
    let mut text = String::new();
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte))
            }
            _ => write!(text, "%{byte:02X}").unwrap(),
        }
    }
    text
}

/// Removes what a server that was killed could not: its lock, and the bit of System V shared memory that guards its
/// data, which no directory holds. The next server would do so too, but there may be none.
pub(super) fn clean_up_after_kill(data: &Path) {
    let lock = data.join("postmaster.pid");
    let told = fs::read_to_string(&lock).unwrap_or_default();
    // The seventh line: key and id of the memory.
    if let Some(id) = told.lines().nth(6).and_then(|line| line.split_whitespace().nth(1)) {
        let _ = Command::new("ipcrm").args(["-m", id]).output();
    }
    let _ = fs::remove_file(lock);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_encoded() {
        assert_eq!(url(1, "app", None, "db", &[]), "postgres://app@127.0.0.1:1/db");
        let parameters = [("sslmode", "verify-full"), ("sslrootcert", "/a b")];
        let expected = "postgres://a%40b:%25%2F@127.0.0.1:2/d?sslmode=verify-full&sslrootcert=%2Fa%20b";
        assert_eq!(url(2, "a@b", Some("%/"), "d", &parameters), expected);
    }
}
