//! A small file system in memory that `serve` works on, held by a mount namespace of its own: it goes with the last process in
//! it, so whoever lets go of the disk ends them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{PATIENCE, PROGRAM, Place, Serving, until};

/// Where the tools of the system are.
pub(crate) const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// What a place calls its database.
const DATABASE: &str = "calendar-sync.db";

/// Whether there can be one on this machine.
pub(crate) fn can_mount() -> bool {
    let tried =
        Command::new("unshare").args(["-rm", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]).output();
    tried.is_ok_and(|output| output.status.success())
}

/// The disk as it is seen from here.
#[derive(Clone)]
pub(crate) struct Disk(pub(crate) PathBuf);

impl Disk {
    /// Fills what is left.
    pub(crate) fn fill(&self) {
        let mut filler = std::fs::OpenOptions::new();
        let mut filler = filler.create(true).append(true).open(self.0.join("filler")).unwrap();
        // In large pieces first: a disk that is not low to begin with is not small.
        for piece in [1 << 20, 512] {
            let piece = vec![b'x'; piece];
            while std::io::Write::write_all(&mut filler, &piece).is_ok() {}
        }
    }

    pub(crate) fn make_space(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

/// A disk that `serve` works on.
pub(crate) struct SmallDisk {
    pub(crate) disk: Disk,
    /// The process id of `serve`: the place may be gone before the disk is let go.
    pid: String,
    /// Where its exit status is in the end.
    code: PathBuf,
}

impl SmallDisk {
    /// Mounts one of this size at `name` in the place, does `first` there, and serves. What is returned second holds the disk,
    /// also when what served has ended.
    pub(crate) async fn serve(place: &Place, name: &str, size: &str, first: &str) -> (SmallDisk, Serving) {
        let inside = place.path(name);
        std::fs::create_dir(&inside).unwrap();
        let script = format!(
            "mount -t tmpfs -o size={size},mode=0777 tmpfs {} && {first} || exit 1\n\
             {PROGRAM} serve & echo $! > pid; wait $!; echo $? > code; exec sleep 60",
            inside.display(),
        );
        let mut command = place.command_of(Path::new("unshare"), &["-rm", "sh", "-c", &script]);
        command.env("PATH", PATH);
        let mut holder = place.start(command);
        let root = PathBuf::from(format!("/proc/{}/root", holder.child.id()));
        let disk = Disk(root.join(inside.strip_prefix("/").unwrap()));
        holder.answers(place).await;
        let pid = std::fs::read_to_string(place.path("pid")).unwrap().trim().to_owned();
        (SmallDisk { disk, pid, code: place.path("code") }, holder)
    }

    /// The same with the place's database, and its key, on it. Only what runs in the namespace finds it there: see `bring_back`.
    pub(crate) async fn serve_database(place: &mut Place, size: &str) -> (SmallDisk, Serving) {
        let (own, name) = (place.database(), "disk");
        place.move_database(&place.path(name).join(DATABASE));
        // The key stands beside it.
        let first = format!("cp {} {}/", place.path("calendar-sync.*").display(), place.path(name).display());
        let served = SmallDisk::serve(place, name, size, &first).await;
        place.move_database(&own);
        served
    }

    /// Copies the database, as it is now, to where the place has its own. Nobody moves the log into it meanwhile: that takes more
    /// pages than a test writes.
    pub(crate) fn bring_back(&self, place: &Place) {
        for name in [DATABASE.to_owned(), format!("{DATABASE}-wal")] {
            if self.disk.0.join(&name).exists() {
                std::fs::copy(self.disk.0.join(&name), place.path(&name)).unwrap();
            }
        }
    }

    fn signal(&self, signal: &str) {
        let _ = Command::new("kill").args([signal, &self.pid]).output();
    }

    /// Asks what serves to stop, and waits until it has. The disk is still there.
    pub(crate) async fn stop(&self, holder: &Serving) {
        self.signal("-TERM");
        let ended = async || std::fs::read_to_string(&self.code).ok().filter(|code| !code.is_empty());
        let code = until("it has ended", PATIENCE, ended).await;
        assert_eq!(code.trim(), "0", "{}", holder.log());
    }
}

impl Drop for SmallDisk {
    /// Whatever became of the test: `serve` would go on, and keep the disk mounted.
    fn drop(&mut self) {
        if !self.code.exists() {
            self.signal("-KILL");
        }
    }
}
