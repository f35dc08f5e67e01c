//! Files that hold a secret: reading one with errors that say what to do, and making one that only its owner can read.
//! Never overwrites a file, and never puts any of a file's content into an error.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use calsync_core::secret::Secret;

use crate::system::Random;

/// No secret is longer than this; a longer file is some other file.
const MAX_LEN: u64 = 64 * 1024;
/// Permission bits that let everybody on the machine in.
const OTHERS: u32 = 0o007;

/// A secret read from a file, without the line end that editors add.
#[derive(Clone, Debug)]
pub struct SecretFile {
    /// What it holds.
    pub secret: Secret,
    /// What its owner should know.
    pub warning: Option<String>,
}

/// Reads a secret. The error says what is wrong with the file, and never what stands in it.
pub fn read(path: &Path) -> Result<SecretFile, String> {
    let mut file = File::open(path).map_err(|e| format!("cannot read {}: {}", path.display(), reason(&e)))?;
    let meta = file.metadata().map_err(|e| format!("cannot read {}: {}", path.display(), reason(&e)))?;
    if meta.is_dir() {
        return Err(format!("{} is a directory, not a file with the secret in it", path.display()));
    }
    let mut bytes = Vec::new();
    let limit = (&mut file).take(MAX_LEN + 1);
    { limit }
        .read_to_end(&mut bytes)
        .map_err(|e| format!("cannot read {}: {}", path.display(), reason(&e)))?;
    if bytes.len() as u64 > MAX_LEN {
        return Err(format!("{} is longer than {MAX_LEN} bytes: is it the right file?", path.display()));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| format!("{} is not text: is it the right file?", path.display()))?;
    let secret = text.trim_end_matches(['\n', '\r']);
    if secret.trim().is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    let open_to_all = meta.permissions().mode() & OTHERS != 0;
    let warning = open_to_all
        .then(|| format!("{0} can be read by everybody on this machine: run `chmod o= {0}`", path.display()));
    Ok(SecretFile { secret: Secret::new(secret), warning })
}

/// Makes a file (mode 0600) that holds this secret, complete or not at all. Fails with `AlreadyExists` if something
/// stands there, also when another process was faster.
pub fn create(path: &Path, secret: &str, random: &dyn Random) -> io::Result<()> {
    let mut suffix = [0u8; 8];
    random.fill(&mut suffix);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.{}", data_encoding::HEXLOWER.encode(&suffix)));
    let made = write_draft(&draft, secret).and_then(|()| match fs::hard_link(&draft, path) {
        // A file system without hard links: then the name comes first, and the content right after it.
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => write_draft(path, secret),
        made => made,
    });
    let swept = fs::remove_file(&draft);
    made?;
    swept?;
    crate::storage::hand_over(path);
    // The name must survive a power loss as well as the content: a lost key means lost credentials.
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn write_draft(draft: &Path, secret: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(secret.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// An I/O error in words, without the number that the system adds.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemRandom;

    #[test]
    fn a_key_file_is_private_complete_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.key");
        create(&path, "s3cret", &SystemRandom).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read_back = read(&path).unwrap();
        assert_eq!((read_back.secret.expose(), read_back.warning), ("s3cret", None));
        assert_eq!(create(&path, "other", &SystemRandom).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&path).unwrap().secret.expose(), "s3cret");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left behind");
    }

    #[test]
    fn an_unusable_file_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        assert!(read(&at("none")).unwrap_err().ends_with("there is no such file"));
        assert!(read(dir.path()).unwrap_err().contains("is a directory"));
        fs::write(at("empty"), "\n \n").unwrap();
        assert!(read(&at("empty")).unwrap_err().ends_with("is empty"));
        fs::write(at("binary"), [0xff, 0xfe]).unwrap();
        assert!(read(&at("binary")).unwrap_err().contains("is not text"));
        fs::write(at("huge"), "x".repeat(70_000)).unwrap();
        assert!(read(&at("huge")).unwrap_err().contains("longer than"));
        fs::write(at("open"), "s3cret").unwrap();
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read(&at("open")).unwrap().warning.unwrap().contains("everybody"));
    }
}
