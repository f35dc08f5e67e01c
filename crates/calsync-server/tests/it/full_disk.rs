//! A disk that is full: the service says so, takes nothing that it could not keep, loses nothing, and goes on when
//! there is space again. The disk is a small file system in memory, which a mount namespace of its own holds; where
//! there can be none, the size of files is limited instead.

use std::path::Path;
use std::process::Command;

use crate::channels::{Channel, numbers, seed};
use crate::place::{PROGRAM, Place};
use crate::small_disk::{PATH, SmallDisk, can_mount};

/// Size of the disk.
const DISK: &str = "640m";

/// Whether a disk of its own can be made on this machine, or else the size of files limited.
fn must_limit() -> bool {
    if can_mount() {
        return false;
    }
    let tried = Command::new("sh").args(["-c", "trap '' XFSZ; ulimit -f 100"]).output();
    assert!(
        tried.is_ok_and(|output| output.status.success()),
        "a full disk cannot be tried here: neither `unshare -rm` with a mount of tmpfs nor `ulimit -f` works"
    );
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_nothing_is_lost_and_it_goes_on_with_space() {
    let mut place = Place::new();
    place.set("LOG__LEVEL", "warn");
    let channel = seed(&place, 1).await.remove(0);
    if must_limit() {
        return limited(place, channel).await;
    }
    let (small, holder) = SmallDisk::serve_database(&mut place, DISK).await;
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    for number in 2..2_000 {
        // Some fit before the disk is full, so that the log of the database has its first pages.
        if number == 20 {
            small.disk.fill();
        }
        let answer = channel.delivery(number).post(&place).await;
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
    let log = holder.log();
    assert!(log.contains("the disk is full: free some space on it"), "{log}");
    small.disk.make_space();
    // The very next one may still meet the disk as it was; a provider tries again, and so do we.
    let again = std::time::Instant::now();
    let mut number = 4_000;
    while channel.delivery(number).post(&place).await.status != 200 {
        assert!(again.elapsed() < std::time::Duration::from_secs(10), "it goes on: {}", holder.log());
        number += 1;
    }
    acknowledged.push(number);
    for number in 5_000..5_020 {
        let answer = channel.delivery(number).post(&place).await;
        assert_eq!(answer.status, 200, "it goes on without a restart: {}", holder.log());
        acknowledged.push(number);
    }
    assert_eq!(crate::web::get(&place.url("/webhooks/health")).await.status, 200);
    println!("{} acknowledged, {refused} refused", acknowledged.len());
    small.stop(&holder).await;
    small.bring_back(&place);
    assert_eq!(numbers(&place, &channel).await, acknowledged, "what was answered 200, and nothing else");
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
    if !can_mount() {
        return;
    }
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
