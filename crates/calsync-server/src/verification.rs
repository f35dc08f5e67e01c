//! The file by which Google lets somebody prove that a domain is theirs: `google….html`, one line that repeats its own
//! name. It is kept in the database, so that every instance serves it at once. Nothing else is ever served this way: name
//! and content are checked when it comes in and again when it goes out.

use std::io::Read as _;
use std::path::Path;

use calsync_core::ports::{Store, StoreError};
use serde::{Deserialize, Serialize};

pub mod steps;

/// Name of the setting.
pub const SETTING: &str = "google_verification_file";
/// What the one line begins with.
const BEGINS: &str = "google-site-verification: ";
/// No such file is longer.
const LENGTH_MAX: u64 = 1_024;
/// Hexadecimal digits in a name: Google gives 16.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=64;

/// A verification file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct File {
    name: String,
    content: String,
}

/// Why a file is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAFile {
    /// Its name.
    #[error(
        "{0:?} is not the name of a verification file: Google's are called google, then hexadecimal digits, then .html, such as google1234567890abcdef.html. Download it again, and do not rename it"
    )]
    Name(String),
    /// What stands in it.
    #[error(
        "{name} does not hold what Google puts there, the one line `{BEGINS}{name}`: download it again, and do not edit it"
    )]
    Content {
        /// Of which file.
        name: String,
    },
    /// It cannot be read.
    #[error("cannot read {path}: {reason}")]
    Unread {
        /// Where.
        path: String,
        /// Why.
        reason: String,
    },
}

impl File {
    /// The file of this name with this content. A line end that an editor added is taken off.
    pub fn new(name: &str, content: &str) -> Result<File, NotAFile> {
        if !is_name(name) {
            return Err(NotAFile::Name(name.chars().take(80).collect()));
        }
        let content = content.trim_end();
        if content.strip_prefix(BEGINS) != Some(name) {
            return Err(NotAFile::Content { name: name.to_owned() });
        }
        Ok(File { name: name.to_owned(), content: content.to_owned() })
    }

    /// Reads the file that a person downloaded.
    pub fn read(path: &Path) -> Result<File, NotAFile> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !is_name(&name) {
            return Err(NotAFile::Name(name.chars().take(80).collect()));
        }
        let unread = |e: std::io::Error| {
            let reason = crate::secrets::keyfile::reason(&e);
            NotAFile::Unread { path: path.display().to_string(), reason }
        };
        let mut content = String::new();
        let file = std::fs::File::open(path).map_err(unread)?;
        match file.take(LENGTH_MAX).read_to_string(&mut content) {
            Ok(_) => File::new(&name, &content),
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => Err(NotAFile::Content { name }),
            Err(e) => Err(unread(e)),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its content.
    pub fn content(&self) -> &str {
        &self.content
    }
}

/// Whether such a file may be called so.
pub fn is_name(name: &str) -> bool {
    let digits = name.strip_prefix("google").and_then(|rest| rest.strip_suffix(".html"));
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    digits.is_some_and(|digits| DIGITS.contains(&digits.len()) && digits.bytes().all(is_digit))
}

/// The file that is served, if there is one. What is stored and is no such file is as good as none.
pub async fn stored(store: &dyn Store) -> Result<Option<File>, StoreError> {
    let value = store.setting(SETTING).await?;
    let file: Option<File> = value.and_then(|value| serde_json::from_value(value).ok());
    Ok(file.and_then(|file| File::new(&file.name, &file.content).ok()))
}

/// From now on this one is served, and no other.
pub async fn store(store: &dyn Store, file: &File) -> Result<(), StoreError> {
    let value = serde_json::json!({"name": file.name, "content": file.content});
    store.put_setting(SETTING, &value).await
}

/// From now on none is served.
pub async fn remove(store: &dyn Store) -> Result<(), StoreError> {
    store.put_setting(SETTING, &serde_json::Value::Null).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "google1234567890abcdef.html";

    #[test]
    fn only_googles_own_names_are_names() {
        assert!(is_name(NAME) && is_name("google0000000000000000.html"));
        for name in [
            "",
            "google.html",
            "google1234567.html",
            "google1234567890ABCDEF.html",
            "google1234567890abcdeg.html",
            "google1234567890abcdef.htm",
            "google1234567890abcdef.html.html",
            "/google1234567890abcdef.html",
            "../google1234567890abcdef.html",
            "Google1234567890abcdef.html",
            "google1234567890abcdef (1).html",
            "google12345678\u{661}90abcdef.html",
            "robots.txt",
        ] {
            assert!(!is_name(name), "{name}");
            assert!(matches!(File::new(name, "x"), Err(NotAFile::Name(_))), "{name}");
        }
        assert!(!is_name(&format!("google{}.html", "a".repeat(65))));
    }

    #[test]
    fn only_googles_own_line_is_the_content() {
        let line = format!("google-site-verification: {NAME}");
        for content in [line.clone(), format!("{line}\n"), format!("{line}\r\n")] {
            assert_eq!(File::new(NAME, &content).unwrap().content(), line);
        }
        for content in [
            String::new(),
            NAME.to_owned(),
            "google-site-verification: googlefedcba0987654321.html".to_owned(),
            format!("{line}<script>alert(1)</script>"),
            format!("{line}\n{line}"),
            format!(" {line}"),
            format!("\u{feff}{line}"),
            format!("Google-Site-Verification: {NAME}"),
        ] {
            let refused = File::new(NAME, &content).unwrap_err();
            assert_eq!(refused, NotAFile::Content { name: NAME.to_owned() }, "{content:?}");
        }
    }

    #[test]
    fn a_file_is_read_with_words_for_what_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, content: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            File::read(&path)
        };
        let line = format!("google-site-verification: {NAME}");
        assert_eq!(put(NAME, line.as_bytes()).unwrap().name(), NAME);
        let said = |read: Result<File, NotAFile>| read.unwrap_err().to_string();
        assert!(said(put("verification.html", line.as_bytes())).contains("do not rename it"));
        assert!(said(put(NAME, b"<html>")).contains(&line));
        assert!(said(put(NAME, b"\xff\xfe")).contains(&line));
        assert!(said(put(NAME, &[b' '; 100_000])).contains(&line));
        let nowhere = dir.path().join("google0000000000000000.html");
        assert!(said(File::read(&nowhere)).contains("there is no such file"));
    }
}
