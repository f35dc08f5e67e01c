//! A database whose file was removed while it was in use, and another one put in its place: nothing is acknowledged, people are told
//! why, and what the open file holds can be brought back as docs/runbook.md says.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use calsync_testbed::mail::{MailServer, MailTls};

use super::{Ear, IN_TIME, health_is, logged, seldom};
use crate::channels::{Channel, numbers, seed};
use crate::place::{PATIENCE, Place};
use crate::web::get;

/// The files of a database.
const PARTS: [&str; 3] = ["", "-wal", "-shm"];

fn part(place: &Place, part: &str) -> PathBuf {
    place.path(&format!("calendar-sync.db{part}"))
}

/// A file that this process has open though it was removed.
fn still_open(pid: u32, name: &Path) -> PathBuf {
    let wanted = format!("{} (deleted)", name.display());
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|entry| entry.unwrap().path());
    let mut found = open.filter(|fd| fs::read_link(fd).is_ok_and(|to| to.to_string_lossy() == wanted));
    found.next().unwrap_or_else(|| panic!("{wanted} is not open"))
}

/// A delivery is refused, and so that its provider comes again.
async fn refused(place: &Place, channel: &Channel, number: u64) {
    let answer = channel.delivery(number).post(place).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"), "{answer:?}");
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_removed_takes_nothing_and_what_it_held_can_be_brought_back() {
    let mail = MailServer::start(MailTls::Off, None);
    let mut place = Place::new();
    let ear = Ear::of(&mut place, &mail, "gone").await;
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    let channel = seed(&place, 1).await.remove(0);
    let mut serving = place.serve().await;
    health_is(&place, 200, "healthy", Instant::now()).await;
    logged(&serving, "has the watch", PATIENCE).await;
    for number in 2..30 {
        assert_eq!(channel.delivery(number).post(&place).await.status, 200);
    }

    for name in PARTS {
        fs::remove_file(part(&place, name)).unwrap();
    }
    let since = Instant::now();
    refused(&place, &channel, 100).await;
    health_is(&place, 503, "critical", since).await;
    assert_eq!(get(&place.url("/readyz")).await.status, 503);
    assert_eq!(get(&place.url("/livez")).await.status, 200);
    let (letter, _, told) = ear.hears("database_down", 1, since, IN_TIME).await;
    assert!(letter.text.contains("its file was moved or removed"), "{letter:?}");
    println!("told after {:.0} s", told.as_secs_f64());

    // Somebody makes a new one there: it is not taken for the old one.
    let held = place.path("held");
    fs::create_dir(&held).unwrap();
    for name in ["", "-wal"] {
        let open = still_open(serving.child.id(), &part(&place, name));
        fs::copy(open, held.join(format!("calendar-sync.db{name}"))).unwrap();
    }
    place.run(&["migrate"]).expect(0);
    refused(&place, &channel, 101).await;
    seldom("the log says so", IN_TIME, async || {
        serving.log().contains("another file was put in the place").then_some(())
    })
    .await;
    assert_eq!(get(&place.url("/readyz")).await.status, 503);

    serving.ask_to_stop();
    assert!(serving.ended(PATIENCE).await.success(), "{}", serving.log());
    for name in PARTS {
        let _ = fs::remove_file(part(&place, name));
        let saved = held.join(format!("calendar-sync.db{name}"));
        if saved.exists() {
            fs::rename(saved, part(&place, name)).unwrap();
        }
    }
    let again = place.serve().await;
    health_is(&place, 200, "healthy", Instant::now()).await;
    assert_eq!(channel.delivery(200).post(&place).await.status, 200);
    let acknowledged: Vec<u64> = (2..30).chain([200]).collect();
    assert_eq!(numbers(&place, &channel).await, acknowledged, "what was answered 200, and nothing else");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!again.log().contains("panick") && !serving.log().contains("panick"));
}
