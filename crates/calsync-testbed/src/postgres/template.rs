//! The data of an empty cluster, made once per user of this machine: `initdb` takes seconds, a copy does not. It holds
//! nothing that differs from cluster to cluster, and is never changed after it was made.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{APP, APP_PASSWORD, SUPERUSER, programs};
use crate::account;
use crate::directory;
use crate::directory::Directory;
use crate::process;

/// To be raised when what is below makes something else, so that older copies are not taken for it.
const VERSION: u32 = 1;

/// Where a cluster in this directory has its data.
pub(super) fn data_in(directory: &Path) -> PathBuf {
    directory.join("data")
}

/// Puts a copy of the data into a directory.
pub(super) fn copy_to(directory: &Path) {
    process::run(Command::new("tar").arg("-xpf").arg(archive()).arg("-C").arg(directory));
}

/// The archive with the data. One file and not a directory, so that it is there as a whole or not at all, also where
/// something tidies up the place for temporary files.
fn archive() -> PathBuf {
    let place = directory::shared();
    let server = process::run(Command::new(programs::find("postgres")).arg("--version"));
    let server: String =
        server.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let archive = place.join(format!("{}-{VERSION}.tar", server.trim_end_matches('-')));
    if archive.is_file() {
        return archive;
    }
    let lock = File::create(place.join("template.lock")).unwrap();
    // Let go when it is closed, or when this process dies.
    lock.lock().unwrap();
    if !archive.is_file() {
        make(&archive);
    }
    archive
}

fn make(archive: &Path) {
    let directory = Directory::new();
    let data = data_in(directory.path());
    let mut initdb = account::command(&programs::find("initdb"), "KILL");
    initdb.args([
        "--no-sync",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--auth=trust",
        "--username",
        SUPERUSER,
        "-D",
    ]);
    process::run(initdb.arg(&data));

    let mut single = account::command(&programs::find("postgres"), "KILL");
    single.args(["--single", "-c", "exit_on_error=on", "-D"]).arg(&data).arg(SUPERUSER);
    let mut server =
        single.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let sql = format!("CREATE ROLE {APP} LOGIN CREATEDB PASSWORD '{APP_PASSWORD}'\n");
    server.stdin.take().expect("it was asked for").write_all(sql.as_bytes()).unwrap();
    let ended = server.wait_with_output().unwrap();
    assert!(ended.status.success(), "no role {APP}: {}", String::from_utf8_lossy(&ended.stderr));

    let unfinished = archive.with_extension(format!("{}.unfinished", std::process::id()));
    process::run(Command::new("tar").arg("-cf").arg(&unfinished).arg("-C").arg(directory.path()).arg("data"));
    fs::rename(&unfinished, archive).unwrap();
}
