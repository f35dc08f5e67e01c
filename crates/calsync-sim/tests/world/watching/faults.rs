//! Every fault that people are to be told of, one after the other: raised within a minute of being there to see, naming the
//! calendar or account where there is one, and over by itself when it is mended. One table of what was told when.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use calsync_core::alert::{Alert, Occasion};
use calsync_core::calendar::Calendar;
use calsync_core::cursor_loss::TOLD_FROM;
use calsync_core::health::{Answer, Disk, LateJob, Memory};
use calsync_core::ports::{ErrorClass, Wish};
use calsync_core::subscription::{LATE_FROM, SubscriptionStatus};
use calsync_core::time::Ts;
use calsync_sim::cloud::content::Content;
use calsync_sim::cloud::names::CalendarId as RemoteId;
use jiff::SignedDuration;

use super::super::block_on;
use super::super::cast::GOOGLE;
use super::super::scenarios::{all_calendars, crowd, empty, settled};
use super::super::world::World;
use super::{LOOK, Watch};

/// From when it could be seen to when it is written down.
const RAISED: i64 = 60;
/// The table.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

const fn minutes(n: i64) -> SignedDuration {
    SignedDuration::from_mins(n)
}

async fn open(world: &World, kind: &str, about: &str) -> Option<Alert> {
    let all = world.store.open_alerts().await.unwrap();
    all.into_iter().find(|a| a.kind == kind && a.subject == about)
}

/// Waits until it is raised, and, if it is told at all, told.
async fn seen(
    world: &mut World,
    watch: &mut Watch,
    (fault, kind, about): (&str, &str, &str),
    since: Ts,
) -> Alert {
    let secs = |world: &World| world.clock.now().since(since).as_secs();
    let alert = loop {
        if let Some(alert) = open(world, kind, about).await {
            break alert;
        }
        assert!(secs(world) < RAISED, "{fault}: no {kind} about {about:?} after {} s", secs(world));
        watch.tick(world).await;
    };
    let raised = secs(world);
    while watch.heard(kind, Occasion::Opened).is_empty() && secs(world) < RAISED {
        watch.tick(world).await;
    }
    let told = watch.heard(kind, Occasion::Opened).first().map(|m| m.at.since(since).as_secs());
    let told = told.map_or("kept for the list".to_owned(), |secs| format!("{} s", secs.max(0)));
    let line = format!("{fault:<34} {kind:<26} {:>3} s  {told}", raised.max(0));
    LINES.lock().unwrap().push(line);
    alert
}

/// Waits until it is over, in looks so far apart.
async fn over(world: &mut World, watch: &mut Watch, kind: &str, about: &str, most: SignedDuration) {
    let began = world.clock.now();
    let apart = if most > minutes(120) { minutes(5) } else { LOOK };
    while open(world, kind, about).await.is_some() {
        assert!(world.clock.now().since(began) < most, "{kind} about {about:?} is never over");
        world.clock.advance(apart);
        watch.work(world).await;
        watch.look(world).await;
    }
    // What was told has its end too.
    if !watch.heard(kind, Occasion::Opened).is_empty() {
        watch.pass(world, minutes(10)).await;
        assert_eq!(watch.heard(kind, Occasion::Resolved).len(), 1, "{kind}: {:?}", watch.told);
    }
}

async fn begin(seed: u64) -> (World, Watch) {
    let mut world = settled(GOOGLE, seed).await;
    let mut watch = Watch::over(&mut world);
    watch.pass(&mut world, minutes(7)).await;
    assert!(watch.told.is_empty(), "{:?}", watch.told);
    (world, watch)
}

/// Something happens in a calendar of Ada's.
fn happens(world: &World, calendar: usize) {
    let remote = world.life.people[0].calendars[calendar].clone();
    let now = world.clock.now();
    let start = now.plus(SignedDuration::from_hours(30));
    let event = Content::timed("something", start, start.plus(SignedDuration::from_hours(1)), "UTC");
    world.cloud.with(|c| c.create_event(&remote, event, now)).unwrap();
}

async fn row(world: &World, remote: &RemoteId) -> Calendar {
    let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
    state.calendars.into_iter().find(|c| c.remote.calendar == remote.as_str()).unwrap()
}

async fn revoked() {
    let (mut world, mut watch) = begin(81).await;
    let ada = world.life.people[0].email.clone();
    world.direct.revoke(ada.as_str());
    happens(&world, 1);
    let since = world.clock.now();
    let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
    let about = state.accounts[0].id.to_string();
    let kind = "account_needs_reconnect";
    let alert = seen(&mut world, &mut watch, ("a grant is taken back", kind, &about), since).await;
    assert!(alert.message.contains(ada.as_str()), "{alert:?}");
    world.direct.grant(ada.as_str());
    world.reconnect(world.users[0]).await;
    // As whoever connects an account does (the server's `connect`).
    world.store.resolve_alert(kind, &about, world.clock.now()).await.unwrap();
    over(&mut world, &mut watch, kind, &about, minutes(5)).await;
}

/// The provider answers everything with this; it can be seen from so many answers on. `kind` is about it.
async fn refuses(seed: u64, (fault, kind): (&str, &str), class: ErrorClass, least: u64) {
    let (mut world, mut watch) = begin(seed).await;
    *watch.calls.answers.lock().unwrap() = Some(class);
    watch.calls.down.store(true, Ordering::Relaxed);
    let all = all_calendars(&world).await;
    world.engine().sync_now(&all, Wish::Changes).await.unwrap();
    let began = world.clock.now();
    watch.work(&mut world).await;
    loop {
        let fresh: u64 = watch.calls.failed.lock().unwrap().values().sum();
        if fresh + refused_since(&world, began).await >= least {
            break;
        }
        assert!(world.clock.now().since(began) < minutes(5), "{fault}: nobody calls");
        watch.look(&world).await;
        assert!(open(&world, kind, "google").await.is_none(), "{fault}: told of too few");
        world.clock.advance(LOOK);
        watch.work(&mut world).await;
    }
    let since = world.clock.now();
    watch.look(&world).await;
    let alert = seen(&mut world, &mut watch, (fault, kind, "google"), since).await;
    assert!(alert.message.contains("google"), "{alert:?}");
    watch.calls.down.store(false, Ordering::Relaxed);
    over(&mut world, &mut watch, kind, "google", minutes(30)).await;
}

/// Calls that failed since then, as far as they were written down.
async fn refused_since(world: &World, since: Ts) -> u64 {
    let minute = Ts::from_micros(since.micros() - since.micros().rem_euclid(60_000_000));
    let stats = world.store.call_stats(minute).await.unwrap();
    stats.iter().map(|minute| minute.errors.values().sum::<u64>()).sum()
}

/// A worker that holds a person and does nothing.
async fn stuck() {
    let (mut world, mut watch) = begin(84).await;
    let remote = world.life.people[0].calendars[1].clone();
    let about = row(&world, &remote).await.id.to_string();
    let now = world.clock.now();
    let until = now.plus(SignedDuration::from_hours(2));
    let held =
        world.store.claim_user(world.users[0], "a worker that hangs", now, until).await.unwrap().unwrap();
    happens(&world, 1);
    let since = now.plus(minutes(5)).plus(LOOK);
    while world.clock.now() < since {
        watch.tick(&mut world).await;
    }
    let alert = seen(&mut world, &mut watch, ("a worker is stuck", "sync_overdue", &about), since).await;
    assert!(alert.message.contains(&about) && alert.message.contains("a worker that hangs"), "{alert:?}");
    seen(&mut world, &mut watch, ("notifications are not served", "processing_backlog", ""), since).await;
    world.store.release(&held.lease, &[]).await.unwrap();
    over(&mut world, &mut watch, "sync_overdue", &about, minutes(5)).await;
    over(&mut world, &mut watch, "processing_backlog", "", minutes(5)).await;
}

/// An outage that lasts: what was pushed fails again and again, and for good in the end.
async fn long_outage() {
    let (mut world, mut watch) = begin(85).await;
    // The figures of the day before are forgotten.
    let dawn = world.clock.now();
    while world.clock.now().since(dawn) < SignedDuration::from_hours(26) {
        world.clock.advance(minutes(10));
        watch.work(&mut world).await;
        watch.look(&world).await;
    }
    assert!(watch.told.is_empty(), "{:?}", watch.told);
    watch.calls.down.store(true, Ordering::Relaxed);
    for (person, calendar) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
        let remote = world.life.people[person].calendars[calendar].clone();
        let now = world.clock.now();
        let start = now.plus(SignedDuration::from_hours(30));
        let event = Content::timed("unserved", start, start.plus(SignedDuration::from_hours(1)), "UTC");
        world.cloud.with(|c| c.create_event(&remote, event, now)).unwrap();
    }
    let remote = world.life.people[0].calendars[1].clone();
    let about = row(&world, &remote).await.id.to_string();
    let fault = "an outage that lasts";
    let (mut failed, mut failing, mut many) = (false, false, false);
    let began = world.clock.now();
    while !(failed && failing && many) {
        assert!(world.clock.now().since(began) < SignedDuration::from_hours(6), "{failed} {failing} {many}");
        world.clock.advance(LOOK);
        watch.work(&mut world).await;
        let now = world.clock.now();
        let day = world.store.notification_metrics(now.minus(SignedDuration::from_hours(24))).await.unwrap();
        let channels = world.store.subscription_metrics(now).await.unwrap();
        let own = world.store.subscriptions(row(&world, &remote).await.id).await.unwrap();
        let own_fails = own.iter().any(|s| s.failure_count >= 5);
        if day.failed > 0 && !failed {
            failed = true;
            seen(&mut world, &mut watch, (fault, "low_success_rate", ""), now).await;
        }
        if own_fails && !failing {
            failing = true;
            let alert = seen(&mut world, &mut watch, (fault, "subscription_failing", &about), now).await;
            assert!(alert.message.contains(&about), "{alert:?}");
        }
        if channels.failing > 5 && !many {
            many = true;
            seen(&mut world, &mut watch, (fault, "subscription_failures", ""), now).await;
        }
        watch.look(&world).await;
    }
    watch.calls.down.store(false, Ordering::Relaxed);
    over(&mut world, &mut watch, "subscription_failures", "", SignedDuration::from_hours(3)).await;
    over(&mut world, &mut watch, "subscription_failing", &about, SignedDuration::from_hours(3)).await;
    over(&mut world, &mut watch, "low_success_rate", "", SignedDuration::from_hours(30)).await;
    world.deliver_and_work().await;
    assert!(world.judge().is_good(), "{:?}", world.judge());
    let open = world.store.open_alerts().await.unwrap();
    assert!(open.is_empty(), "all of it is over: {open:?}");
}

/// Nobody renews channels any more.
async fn unrenewed() {
    let (mut world, mut watch) = begin(86).await;
    watch.tends = false;
    let mut ends = Vec::new();
    for calendar in all_calendars(&world).await {
        let all = world.store.subscriptions(calendar).await.unwrap();
        ends.extend(all.into_iter().filter(|s| s.status == SubscriptionStatus::Active).map(|s| s.expires_at));
    }
    ends.sort_unstable();
    assert_eq!(ends.len(), 6);
    let since = ends[5].minus(LATE_FROM);
    while world.clock.now() < since {
        let left = since.since(world.clock.now());
        world.clock.advance(left.min(minutes(10)));
        watch.work(&mut world).await;
        watch.look(&world).await;
    }
    seen(&mut world, &mut watch, ("renewals are not done", "subscription_expiring", ""), since).await;
    watch.tends = true;
    over(&mut world, &mut watch, "subscription_expiring", "", minutes(5)).await;
}

/// What only the host tells.
async fn host() {
    let (mut world, mut watch) = begin(87).await;
    let well = watch.host.clone();
    let silent = || Answer::Silent { why: "no answer within 2 s".to_owned() };
    let late = LateJob { name: "discovery".to_owned(), late_seconds: 7_200 };
    type Turn = fn(&mut Watch);
    let turns: [(&str, &str, Turn); 4] = [
        ("the disk is filling up", "disk_low", |w| {
            w.host.disk = Some(Disk { free: 1 << 20, total: 20 << 30 })
        }),
        ("memory runs out", "memory_low", |w| {
            w.host.memory = Some(Memory { resident: 1 << 20, available: 1 << 20, total: 2 << 30 });
        }),
        ("the clock is set", "clock_jumped", |w| w.host.clock_jumped = Some(-3_600)),
        ("the cache is away", "cache_down", |w| {
            w.host.cache = Some(Answer::Silent { why: "gone".to_owned() })
        }),
    ];
    for (fault, kind, turn) in turns {
        turn(&mut watch);
        let since = world.clock.now();
        seen(&mut world, &mut watch, (fault, kind, ""), since).await;
        watch.host = well.clone();
        over(&mut world, &mut watch, kind, "", minutes(5)).await;
    }
    watch.late_jobs = vec![late];
    let since = world.clock.now();
    seen(&mut world, &mut watch, ("a job is late", "job_overdue", "discovery"), since).await;
    watch.late_jobs.clear();
    over(&mut world, &mut watch, "job_overdue", "discovery", minutes(5)).await;
    // Of a real outage nothing could be written down: the server tells it by itself (its tests of outages).
    watch.host.database = silent();
    let since = world.clock.now();
    seen(&mut world, &mut watch, ("the database is silent", "database_down", ""), since).await;
    watch.host = well;
    over(&mut world, &mut watch, "database_down", "", minutes(5)).await;
}

async fn held() {
    let (mut world, mut watch) = begin(88).await;
    let person = world.life.people[0].clone();
    crowd(&mut world, &person.calendars[1], 60).await;
    let now = world.clock.now();
    world.cloud.with(|c| empty(c, &person.calendars[1], now));
    let about = row(&world, &person.calendars[2]).await.id.to_string();
    let kind = "deletions_held";
    let alert = seen(&mut world, &mut watch, ("too much would be removed", kind, &about), now).await;
    assert!(alert.message.contains(&about), "{alert:?}");
    over(&mut world, &mut watch, kind, &about, SignedDuration::from_hours(3)).await;
}

async fn refused() {
    let (mut world, mut watch) = begin(89).await;
    happens(&world, 1);
    *watch.calls.answers.lock().unwrap() = Some(ErrorClass::Permanent);
    // The listing comes through, and no write.
    watch.calls.goes_down_after.store(3, Ordering::Relaxed);
    let since = world.clock.now();
    watch.work(&mut world).await;
    watch.calls.goes_down_after.store(0, Ordering::Relaxed);
    let kind = "writes_refused";
    let all = world.store.open_alerts().await.unwrap();
    let about = all.into_iter().find(|a| a.kind == kind).expect("it is seen at once").subject;
    let targets = all_calendars(&world).await;
    assert!(targets.iter().any(|id| id.to_string() == about), "{about}");
    let alert = seen(&mut world, &mut watch, ("a calendar takes no writes", kind, &about), since).await;
    assert!(alert.message.contains(&about), "{alert:?}");
    watch.calls.down.store(false, Ordering::Relaxed);
    // What happens next is written there: the block that was refused still waits, and its alert with it.
    happens(&world, 2);
    let before = world.writes();
    watch.work(&mut world).await;
    assert!(world.writes() > before);
    watch.look(&world).await;
    assert!(open(&world, kind, &about).await.is_some(), "a block is still missing");
    over(&mut world, &mut watch, kind, &about, SignedDuration::from_hours(26)).await;
}

async fn unreadable() {
    let (mut world, mut watch) = begin(90).await;
    let remote = world.life.people[0].calendars[2].clone();
    let calendar = row(&world, &remote).await;
    let about = calendar.id.to_string();
    *watch.calls.answers.lock().unwrap() = Some(ErrorClass::Permanent);
    watch.calls.down.store(true, Ordering::Relaxed);
    world.engine().sync_now(&[calendar.id], Wish::Changes).await.unwrap();
    let since = world.clock.now();
    let kind = "calendar_unreadable";
    let alert = seen(&mut world, &mut watch, ("a calendar can't be read", kind, &about), since).await;
    assert!(alert.message.contains(&about), "{alert:?}");
    watch.calls.down.store(false, Ordering::Relaxed);
    over(&mut world, &mut watch, kind, &about, SignedDuration::from_hours(26)).await;
}

/// The provider forgets what it has told us, again and again. Everything still arrives.
async fn forgotten() {
    let (mut world, mut watch) = begin(91).await;
    let remote = world.life.people[0].calendars[1].clone();
    let about = row(&world, &remote).await.id.to_string();
    let kind = "cursor_lost";
    for times in 0..TOLD_FROM {
        watch.pass(&mut world, minutes(20)).await;
        assert!(open(&world, kind, &about).await.is_none(), "told after {times}");
        world.cloud.with(|c| c.expire_sync_tokens(&remote));
        happens(&world, 1);
    }
    let since = world.clock.now();
    let alert = seen(&mut world, &mut watch, ("a cursor is refused thrice a day", kind, &about), since).await;
    assert!(alert.message.contains(&about), "{alert:?}");
    over(&mut world, &mut watch, kind, &about, SignedDuration::from_hours(31)).await;
}

#[test]
fn every_fault_is_raised_within_a_minute_named_and_over_by_itself() {
    block_on(async {
        revoked().await;
        refuses(82, ("the provider is broken", "provider_errors"), ErrorClass::Transient, 5).await;
        refuses(83, ("the provider slows us down", "provider_throttled"), ErrorClass::RateLimited, 10).await;
        stuck().await;
        long_outage().await;
        unrenewed().await;
        host().await;
        held().await;
        refused().await;
        unreadable().await;
        forgotten().await;
    });
    println!("{:<34} {:<26} raised  told\n{}", "fault", "alert", LINES.lock().unwrap().join("\n"));
}
