//! A disk that is full: the service says so, takes nothing that it could not keep, loses nothing, and goes on when
//! there is space again. The disk is a small file system in memory, which a mount namespace of its own holds; where
//! there can be none, the size of files is limited instead.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::channels::{Channel, numbers, seed};
use crate::place::{PATIENCE, PROGRAM, Place, Serving, until};

/// Where the tools of the system are.
pub(crate) const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Size of the disk.
const DISK: &str = "24m";

/// How a disk can be made small on this machine.
pub(crate) enum Means {
    /// A file system of its own.
    Mount,
    /// A limit on the size of any file.
    Limit,
}

pub(crate) fn means() -> Means {
    let tried = |program: &str, args: &[&str]| {
        Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
    };
    if tried("unshare", &["-rm", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]) {
        return Means::Mount;
    }
    assert!(
        tried("sh", &["-c", "trap '' XFSZ; ulimit -f 100"]),
        "a full disk cannot be tried here: neither `unshare -rm` with a mount of tmpfs nor `ulimit -f` works"
    );
    Means::Limit
}

/// A place whose database stands on a small disk, and `serve` there.
struct SmallDisk {
    place: Place,
    /// The disk as it is seen from here: it belongs to the process that holds it.
    disk: PathBuf,
    /// Holds the disk, also when what served from it has ended.
    holder: Serving,
}

impl SmallDisk {
    /// Moves the database onto the disk and serves from there.
    async fn serve(place: Place) -> SmallDisk {
        let inside = place.path("disk");
        std::fs::create_dir(&inside).unwrap();
        let script = format!(
            "mount -t tmpfs -o size={DISK},mode=0777 tmpfs {0} && cp {1}* {0}/ || exit 1\n\
             {PROGRAM} serve & echo $! > {0}/pid; wait $!; echo $? > {0}/code; exec sleep 60",
            inside.display(),
            place.database().display()
        );
        let mut command = place.command_of(Path::new("unshare"), &["-rm", "sh", "-c", &script]);
        command.env("PATH", PATH);
        let url = format!("sqlite://{}", inside.join("calendar-sync.db").display());
        command.env("CALENDAR_SYNC__DATABASE__URL", url);
        let mut holder = place.start(command);
        holder.answers(&place).await;
        let root = PathBuf::from(format!("/proc/{}/root", holder.child.id()));
        let disk = root.join(inside.strip_prefix("/").unwrap());
        SmallDisk { place, disk, holder }
    }

    fn signal(&self, signal: &str) {
        let Ok(pid) = std::fs::read_to_string(self.disk.join("pid")) else { return };
        let _ = Command::new("kill").args([signal, pid.trim()]).output();
    }

    /// Fills what is left.
    fn fill(&self) {
        let mut filler = std::fs::OpenOptions::new();
        let mut filler = filler.create(true).append(true).open(self.disk.join("filler")).unwrap();
        while std::io::Write::write_all(&mut filler, &[b'x'; 512]).is_ok() {}
    }

    fn make_space(&self) {
        std::fs::remove_file(self.disk.join("filler")).unwrap();
    }

    /// Stops it, and looks at what it left behind.
    async fn numbers_in_the_end(&self, channel: &Channel) -> Vec<u64> {
        self.signal("-TERM");
        let ended =
            async || std::fs::read_to_string(self.disk.join("code")).ok().filter(|code| !code.is_empty());
        let code = until("it has ended", PATIENCE, ended).await;
        assert_eq!(code.trim(), "0", "{}", self.holder.log());
        for name in ["calendar-sync.db", "calendar-sync.db-wal"] {
            if self.disk.join(name).exists() {
                std::fs::copy(self.disk.join(name), self.place.path(name)).unwrap();
            }
        }
        numbers(&self.place, channel).await
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.signal("-KILL");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_nothing_is_lost_and_it_goes_on_with_space() {
    let mut place = Place::new();
    place.set("LOG__LEVEL", "warn");
    let channel = seed(&place, 1).await.remove(0);
    if let Means::Limit = means() {
        return limited(place, channel).await;
    }
    let small = SmallDisk::serve(place).await;
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    for number in 2..2_000 {
        // Some fit before the disk is full, so that the log of the database has its first pages.
        if number == 20 {
            small.fill();
        }
        let answer = channel.delivery(number).post(&small.place).await;
        match answer.status {
            200 => acknowledged.push(number),
            503 => {
                assert_eq!(answer.code(), "unavailable");
                assert!(answer.header("retry-after").is_some());
                refused += 1;
            }
            other => panic!("{other}: {answer:?}"),
        }
        if refused == 20 {
            break;
        }
    }
    assert_eq!(refused, 20, "{} were taken", acknowledged.len());
    let log = small.holder.log();
    assert!(log.contains("the disk is full: free some space on it"), "{log}");
    small.make_space();
    // The very next one may still meet the disk as it was; a provider tries again, and so do we.
    let again = std::time::Instant::now();
    let mut number = 4_000;
    while channel.delivery(number).post(&small.place).await.status != 200 {
        assert!(again.elapsed() < std::time::Duration::from_secs(10), "it goes on: {}", small.holder.log());
        number += 1;
    }
    acknowledged.push(number);
    for number in 5_000..5_020 {
        let answer = channel.delivery(number).post(&small.place).await;
        assert_eq!(answer.status, 200, "it goes on without a restart: {}", small.holder.log());
        acknowledged.push(number);
    }
    assert_eq!(crate::web::get(&small.place.url("/webhooks/health")).await.status, 200);
    println!("{} acknowledged, {refused} refused", acknowledged.len());
    assert_eq!(
        small.numbers_in_the_end(&channel).await,
        acknowledged,
        "what was answered 200, and nothing else"
    );
}

/// Without a file system of its own: no file may grow beyond a megabyte.
async fn limited(place: Place, channel: Channel) {
    let script = format!("trap '' XFSZ; ulimit -f 1024; exec {PROGRAM} serve");
    let mut command = place.command_of(Path::new("sh"), &["-c", &script]);
    command.env("PATH", PATH);
    let mut serving = place.start(command);
    serving.answers(&place).await;
    let mut acknowledged = Vec::new();
    for number in 2..20_000 {
        match channel.delivery(number).post(&place).await.status {
            200 => acknowledged.push(number),
            503 => break,
            other => panic!("{other}"),
        }
    }
    assert!(serving.log().contains("disk"), "{}", serving.log());
    serving.kill();
    let stored = numbers(&place, &channel).await;
    assert!(acknowledged.iter().all(|number| stored.contains(number)));
}

#[test]
fn a_disk_that_is_full_from_the_start_is_told_by_commands() {
    let Means::Mount = means() else { return };
    let place = Place::new();
    let inside = place.path("disk");
    std::fs::create_dir(&inside).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=64k,mode=0777 tmpfs {0} && {PROGRAM} migrate; echo $?; \
         mount -t tmpfs -o size=2m,mode=0777 tmpfs {0} && {PROGRAM} migrate && {PROGRAM} users add ada@example.com && \
         cat /dev/zero > {0}/filler; n=0; while :; do {PROGRAM} users add user$n@example.com; code=$?; [ $code = 0 ] || break; n=$((n+1)); done; \
         echo $code after $n; \
         rm {0}/filler; {PROGRAM} users list | wc -l",
        inside.display()
    );
    let mut command = place.command_of(Path::new("unshare"), &["-rm", "sh", "-c", &script]);
    command.env("PATH", PATH);
    command.env(
        "CALENDAR_SYNC__DATABASE__URL",
        format!("sqlite://{}", inside.join("calendar-sync.db").display()),
    );
    let ran = crate::place::finish(command).expect(0);
    assert_eq!(ran.out.lines().next(), Some("4"), "{}\n{}", ran.out, ran.err);
    assert!(ran.err.contains("the disk is full: free some space on it"), "{}", ran.err);
    let after = ran
        .out
        .lines()
        .find_map(|line| line.strip_prefix("4 after "))
        .unwrap_or_else(|| panic!("{}", ran.out));
    // The heading, Ada, and those whose command said that it worked.
    let users: u32 = after.parse::<u32>().unwrap() + 2;
    assert_eq!(ran.out.lines().last().unwrap().trim(), users.to_string(), "{}", ran.out);
}
