//! A database that is stopped, hangs, takes no writes, was renamed or whose disk is full, under load: what providers, probes and people are told, that it is over
//! by itself, and that nothing acknowledged is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use calsync_testbed::mail::{MailServer, MailTls};
use calsync_testbed::postgres::{Cluster, ClusterOptions, Mode};
use tokio::task::JoinHandle;

use super::{Ear, IN_THE_END, IN_TIME, health, health_is};
use crate::channels::{Channel, numbers, seed};
use crate::place::{PATIENCE, Place, Serving, until};
use crate::small_disk::{SmallDisk, can_mount};
use crate::web::{client, get};

/// What a look at the health may take, whatever hangs.
const NOT_LATE: Duration = Duration::from_secs(3);
/// Longest wait of a provider for an answer, whatever hangs: Microsoft counts what takes longer as lost.
const ANSWERED: Duration = Duration::from_secs(3);
/// The kind that people are told of.
const DOWN: &str = "database_down";
/// Size of the small disk: the load alone must not fill it.
const DISK: &str = "640m";

/// Deliveries one after the other, for as long as it lasts.
struct Load {
    stop: Arc<AtomicBool>,
    sending: JoinHandle<Sent>,
}

/// What became of them.
#[derive(Default)]
struct Sent {
    taken: Vec<u64>,
    refused: usize,
    slowest: Duration,
}

impl Load {
    fn on(place: &Place, channel: &Channel) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, channel, base) = (stop.clone(), channel.clone(), place.url(""));
        let sending = tokio::spawn(async move {
            let (client, mut sent) = (client(), Sent::default());
            for number in 2.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let began = Instant::now();
                let answer = channel.delivery(number).post_to(&client, &base).await.expect("an answer");
                sent.slowest = sent.slowest.max(began.elapsed());
                match answer.status {
                    200 => sent.taken.push(number),
                    503 => {
                        assert_eq!(answer.code(), "unavailable");
                        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
                        sent.refused += 1;
                    }
                    other => panic!("{other}: {answer:?}"),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            sent
        });
        Load { stop, sending }
    }

    async fn end(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        self.sending.await.unwrap()
    }
}

/// What is broken and mended.
struct Stage<'a> {
    place: Place,
    channel: Channel,
    ear: Ear<'a>,
    disk: Option<SmallDisk>,
    serving: Serving,
}

/// On which disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    TheUsual,
    ASmallOne,
}

async fn stage<'a>(mail: &'a MailServer, mut place: Place, on: On, to: &str) -> Stage<'a> {
    let ear = Ear::of(&mut place, mail, to).await;
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    let channel = seed(&place, 1).await.remove(0);
    let (disk, serving) = match on {
        On::TheUsual => (None, place.serve().await),
        On::ASmallOne => {
            let (disk, serving) = SmallDisk::serve_database(&mut place, DISK).await;
            (Some(disk), serving)
        }
    };
    health_is(&place, 200, "healthy", Instant::now()).await;
    // It has the watch.
    super::logged(&serving, "has the watch", PATIENCE).await;
    Stage { place, channel, ear, disk, serving }
}

impl Stage<'_> {
    /// Breaks it under load, sees what is told, mends it, sees that it is over. A line with the figures.
    async fn live<B>(
        self,
        name: &str,
        why: &str,
        breaks: impl FnOnce() -> B,
        mends: impl FnOnce(B),
    ) -> String {
        let Stage { place, channel, ear, serving, .. } = &self;
        let load = Load::on(place, channel);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let broken = breaks();
        let since = Instant::now();
        let seen = health_is(place, 503, "critical", since).await;
        for _ in 0..5 {
            let began = Instant::now();
            assert_eq!(health(place).await.status, 503);
            assert!(began.elapsed() < NOT_LATE, "{name}: health took {:?}", began.elapsed());
            let began = Instant::now();
            assert_eq!(get(&place.url("/livez")).await.status, 200, "nobody restarts it for that");
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
            assert_eq!(get(&place.url("/readyz")).await.status, 503);
        }
        let (letter, hook, told) = ear.hears(DOWN, 1, since, IN_TIME).await;
        assert_eq!(letter.subject, "[Calendar Sync] CRITICAL: database_down");
        assert!(letter.text.contains(why), "{name}: {letter:?}");
        assert_eq!((hook["level"].as_str(), hook["event"].as_str()), (Some("critical"), Some("opened")));
        tokio::time::sleep(Duration::from_secs(8)).await;
        ear.heard_only(DOWN, 1);

        mends(broken);
        let since = Instant::now();
        until("receipts are taken again", PATIENCE, async || {
            (channel.delivery(1_000_000).post(place).await.status == 200).then_some(())
        })
        .await;
        let back = since.elapsed();
        health_is(place, 200, "healthy", since).await;
        assert_eq!(get(&place.url("/readyz")).await.status, 200);
        let (letter, _, over) = ear.hears(DOWN, 2, since, IN_THE_END).await;
        assert!(letter.subject.ends_with("(resolved)"), "{letter:?}");
        let sent = load.end().await;
        assert!(sent.refused > 0 && sent.slowest < ANSWERED, "{} refused, {:?}", sent.refused, sent.slowest);
        if let Some(disk) = &self.disk {
            disk.bring_back(place);
        }
        let stored = numbers(place, channel).await;
        let lost: Vec<_> = sent.taken.iter().filter(|number| !stored.contains(number)).collect();
        assert!(lost.is_empty(), "{name}: acknowledged and lost: {lost:?}");
        ear.heard_only(DOWN, 2);
        let listed = place.run(&["alerts", "list", "--all", "--json"]).expect(0).json();
        let known = listed["alerts"].as_array().unwrap().iter().filter(|a| a["kind"] == DOWN).count();
        assert_eq!(known, 1, "it is written down afterwards: {listed}");
        assert!(!serving.log().contains("panick"), "{}", serving.log());
        format!(
            "{name:<18} seen {:.1} s, told {:.0} s, receipts back {:.1} s, over told {:.0} s; {} taken, {} refused, slowest {:.1} s",
            seen.as_secs_f64(),
            told.as_secs_f64(),
            back.as_secs_f64(),
            over.as_secs_f64(),
            sent.taken.len(),
            sent.refused,
            sent.slowest.as_secs_f64()
        )
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_hangs_or_takes_nothing_is_told_and_nothing_is_lost() {
    let mail = MailServer::start(MailTls::Off, None);
    let (mut stopped, hanging) =
        (Cluster::start(&ClusterOptions::default()), Cluster::start(&ClusterOptions::default()));
    let usual = On::TheUsual;
    let one = stage(&mail, Place::on(&stopped.create_database("sync")), usual, "stopped").await;
    let two = stage(&mail, Place::on(&hanging.create_database("sync")), usual, "hanging").await;
    let three = stage(&mail, Place::new(), usual, "locked").await;
    let (file, cluster) = (three.place.database(), &mut stopped);
    let lines = tokio::join!(
        one.live(
            "PostgreSQL stopped",
            "The database does not answer",
            move || {
                cluster.stop(Mode::Fast);
                cluster
            },
            Cluster::start_again
        ),
        two.live(
            "PostgreSQL hangs",
            "The database does not answer",
            || hanging.pause(),
            |()| hanging.resume()
        ),
        three.live("SQLite locked", "it takes no writes: ", || crate::place::lock(&file), drop),
    );
    println!("{}\n{}\n{}", lines.0, lines.1, lines.2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_renamed_or_whose_disk_is_full_is_told_and_nothing_is_lost() {
    let mail = MailServer::start(MailTls::Off, None);
    let alone = stage(&mail, Place::new(), On::TheUsual, "alone").await;
    let all = stage(&mail, Place::new(), On::TheUsual, "all").await;
    let full = if can_mount() {
        Some(stage(&mail, Place::new(), On::ASmallOne, "full").await)
    } else {
        println!("no small disk can be mounted here: see full_disk for what is tried instead");
        None
    };
    let renamed = |place: &Place, names: &'static [&'static str]| {
        let dir = place.dir.path().to_owned();
        let turn = move |from: &str, to: &str| {
            for name in names {
                let at = |before: &str| dir.join(format!("{before}calendar-sync.db{name}"));
                std::fs::rename(at(from), at(to)).unwrap();
            }
        };
        let back = turn.clone();
        (move || turn("", "away-"), move |()| back("away-", ""))
    };
    let (breaks_one, mends_one) = renamed(&alone.place, &[""]);
    let (breaks_all, mends_all) = renamed(&all.place, &["", "-wal", "-shm"]);
    let filled = async {
        let Some(full) = full else { return String::new() };
        let disk = full.disk.as_ref().unwrap().disk.clone();
        let (fills, empties) = (disk.clone(), disk);
        full.live("disk full", "the disk is full", move || fills.fill(), move |()| empties.make_space()).await
    };
    let lines = tokio::join!(
        alone.live("SQLite renamed", "its file was moved or removed", breaks_one, mends_one),
        all.live("SQLite and its log", "its file was moved or removed", breaks_all, mends_all),
        filled,
    );
    println!("{}\n{}\n{}", lines.0, lines.1, lines.2);
}
