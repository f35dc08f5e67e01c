//! Whose the servers are. PostgreSQL refuses to run as root, and what a test starts needs no rights: as root we run
//! everything as `nobody`, else as who we are. It never changes who this process is.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a server gets of the environment: enough to find its helpers, nothing that could change how it behaves.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A user without rights.
#[derive(Clone, Copy)]
struct Nobody {
    uid: u32,
    gid: u32,
}

/// Who this process is.
pub(crate) fn own_uid() -> u32 {
    fs::metadata("/proc/self").expect("/proc is there: this is Linux").uid()
}

/// Whom to become. None if we are not root, and so can't and need not.
fn nobody() -> Option<Nobody> {
    if own_uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
    let line = users.lines().find(|line| line.starts_with("nobody:")).expect("there is a user nobody");
    let mut numbers =
        line.split(':').skip(2).map(|field| field.parse().expect("the id of nobody is a number"));
    Some(Nobody { uid: numbers.next().unwrap(), gid: numbers.next().unwrap() })
}

/// A command that runs `program` without rights and with an empty environment. `setpriv` becomes the program, so the
/// process id is the program's own; `orphaned` is the signal that it gets when the thread that started it ends.
pub(crate) fn command(program: &Path, orphaned: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.arg(format!("--pdeathsig={orphaned}"));
    if let Some(Nobody { uid, gid }) = nobody() {
        command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
    }
    command.arg("--").arg(program).env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8");
    command
}

/// The same as who we are, for what stands where nobody else may read.
pub(crate) fn own_command(program: &Path, orphaned: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.arg(format!("--pdeathsig={orphaned}")).arg("--").arg(program);
    command.env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8");
    command
}

/// Makes a file or directory the servers' own.
pub(crate) fn give(path: &Path) {
    if let Some(Nobody { uid, gid }) = nobody() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

/// Writes a file that the servers may read, and no other user: PostgreSQL insists on that for keys.
pub(crate) fn write(path: &Path, text: &str) {
    let mut file =
        fs::File::options().create(true).write(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    give(path);
}

/// Where a program is: in `also`, or on the path that servers get.
pub(crate) fn find(program: &str, also: &[PathBuf]) -> PathBuf {
    let mut places = also.iter().cloned().chain(std::env::split_paths(PATH));
    places.find_map(|place| Some(place.join(program)).filter(|path| path.is_file())).unwrap_or_else(|| {
        panic!("{program} is not installed: `script/test --only test` installs all that the tests need")
    })
}
