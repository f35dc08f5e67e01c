//! Log files of the running program: every line that the console shows stands in them, or is counted; on a disk that is
//! full for real, too. The service goes on whatever becomes of them.

use std::path::Path;
use std::time::Duration;

use crate::place::{PATIENCE, Place, Serving, free_address, until};
use crate::small_disk::{SmallDisk, can_mount};

/// A delivery to a calendar that nobody has: it costs a line.
const STRANGE: &str = r#"{"value":[{"subscriptionId":"nobody","clientState":"knows"}]}"#;

fn place() -> Place {
    let mut place = Place::new();
    for (key, value) in [
        ("LOG__LEVEL", "info,calsync_server=debug"),
        ("LOG__DIRECTORY", "logs"),
        ("LOG__MAX_BYTES", "65536"),
        ("RATE_LIMIT__MAX_REQUESTS", "1000000"),
    ] {
        place.set(key, value);
    }
    place
}

/// Lines of all files whose name begins so.
fn lines_of(directory: &Path, prefix: &str) -> Vec<String> {
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let ours = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix));
    ours.flat_map(|path| {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    })
    .collect()
}

/// Has it log something.
async fn talk(place: &Place, times: usize) {
    for _ in 0..times {
        let url = place.url("/webhooks/microsoft/0192f0c4-0000-7000-8000-000000000000/");
        let answer = crate::web::client().post(url).body(STRANGE).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    }
}

/// The lines of the log among what it said.
fn said(serving: &Serving) -> Vec<String> {
    serving.log().lines().filter(|line| line.starts_with("20")).map(str::to_owned).collect()
}

async fn stop(serving: &mut Serving) {
    until("it serves", PATIENCE, async || serving.log().contains("calendar-sync serves").then_some(())).await;
    serving.ask_to_stop();
    assert_eq!(serving.ended(PATIENCE).await.code(), Some(0), "{}", serving.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_make_room_and_every_line_of_the_console_stands_in_them() {
    let mut place = place();
    place.set("LOG__MAX_FILES", 1_000);
    let logs = place.path("logs");
    let mut serving = place.serve().await;
    talk(&place, 600).await;
    // Somebody moves the file away under it.
    std::fs::rename(logs.join("calendar-sync.log"), logs.join("calendar-sync.log.moved")).unwrap();
    talk(&place, 50).await;
    stop(&mut serving).await;
    let mut said_by_all = said(&serving);
    assert!(logs.join("calendar-sync.log.1").exists(), "one was full");
    for file in std::fs::read_dir(&logs).unwrap() {
        assert!(file.unwrap().metadata().unwrap().len() <= 65_536);
    }
    // The next one goes on with the same files.
    let mut serving = place.serve().await;
    talk(&place, 50).await;
    stop(&mut serving).await;
    said_by_all.extend(said(&serving));
    let mut kept = lines_of(&logs, "calendar-sync.log");
    // Console and file take the time of a line each for itself, and threads may come to them in another order.
    for lines in [&mut said_by_all, &mut kept] {
        lines.iter_mut().for_each(|line| *line = line.split_once(' ').unwrap().1.to_owned());
        lines.sort();
    }
    assert!(said_by_all.len() > 500, "{}", said_by_all.len());
    assert!(said_by_all == kept, "{} said, {} kept", said_by_all.len(), kept.len());
    assert_eq!(lines_of(&logs, "calendar-sync-errors.log"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_in_one_directory_have_files_of_their_own() {
    let mut place = place();
    let mut first = place.serve().await;
    let address = free_address();
    place.set("SERVER__BIND", address);
    let mut second = place.start(place.command(&["serve", "--role", "worker"]));
    second.listens(address).await;
    stop(&mut first).await;
    stop(&mut second).await;
    for (serving, name) in [(&first, "calendar-sync.log"), (&second, "calendar-sync-2.log")] {
        let kept = lines_of(&place.path("logs"), name);
        assert_eq!(kept.len(), said(serving).len(), "{name}");
    }
    // Whoever is not alone says who it is.
    let kept = lines_of(&place.path("logs"), "calendar-sync-2.log");
    assert!(kept.last().unwrap().contains("calendar-sync has stopped instance="), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_the_service_goes_on_and_what_is_missing_is_counted() {
    if !can_mount() {
        return;
    }
    let place = place();
    let (small, holder) = SmallDisk::serve(&place, "logs", "256k", "true").await;
    let count = |words: &str| holder.log().matches(words).count();
    talk(&place, 2).await;
    // No file of the log is full yet: none is given up for a new one, so that all can be counted.
    small.disk.fill();
    until("it is said", PATIENCE, async || {
        talk(&place, 5).await;
        (count("the log files cannot be written") > 0).then_some(())
    })
    .await;
    let broken = holder.log().lines().count();
    talk(&place, 30).await;
    assert_eq!(count("the log files cannot be written"), 1, "said once");
    assert!(holder.log().lines().count() >= broken + 30, "the console goes on");
    small.disk.make_space();
    let over = "lines of the log are missing from the files";
    until("it is said", PATIENCE, async || {
        talk(&place, 1).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        (count(over) > 0).then_some(())
    })
    .await;
    small.stop(&holder).await;
    assert_eq!(count(over), 1, "said once");
    let said = said(&holder);
    let line = said.iter().find(|line| line.contains(over)).unwrap();
    let missing: usize = line.rsplit_once("lines=").unwrap().1.trim().parse().unwrap();
    let kept = lines_of(&small.disk.0, "calendar-sync.log");
    println!("{} said, {} kept, {missing} counted as missing", said.len(), kept.len());
    assert_eq!(said.len(), kept.len() + missing, "each line is there or counted");
    assert!(kept.iter().all(|line| line.starts_with("2")), "no half lines");
    assert!(kept.iter().any(|line| line.contains(over)), "the file says where something is missing");
}
