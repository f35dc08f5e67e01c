//! The service dies again and again in the middle of its work while people go on living, and is started again each
//! time. Left alone in the end, it must have everything right, whatever it died over.

use std::time::{Duration, Instant};

use calsync_core::notification::Notification;
use calsync_core::ports::Store;
use calsync_core::run::RunStatus;
use calsync_sim::life::Life;
use calsync_sim::rng::Rng;

use crate::channels::{now, stored};
use crate::place::until;
use crate::world::{CLIENT, World};

/// How often it is killed.
const KILLS: u32 = 20;
/// The seed of lives and moments.
const SEED: u64 = 20;
/// It lives no longer than this between two deaths, in milliseconds: longer than a lease, or nobody would ever get to
/// work on what the last one died over.
const LIFE_MS: u64 = 2_600;
/// A short window, so that a series is a few blocks: a person's programs may write ten times a second, no more.
const DAYS_AHEAD: u16 = 10;
/// Once left alone, it has this long.
const REST: Duration = Duration::from_secs(40);

/// Those that somebody still has to do something about.
fn open(all: &[Notification]) -> Vec<&Notification> {
    all.iter().filter(|n| n.processing_completed_at.is_none()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_twenty_times_it_has_everything_right_in_the_end() {
    let began = Instant::now();
    let mut world = World::new(SEED).await;
    world.place.make_public();
    for (key, value) in [
        ("SYNC__LEASE_SECONDS", 2),
        ("SYNC__POLL_SECONDS", 2),
        ("SYNC__FALLBACK_POLL_SECONDS", 2),
        ("SYNC__HOLD_RECHECK_SECONDS", 1),
        ("SYNC__WINDOW_FUTURE_DAYS", DAYS_AHEAD),
    ] {
        world.place.set(key, value);
    }
    let mut life = world.sim.cloud().with(|cloud| Life::begin(cloud, SEED, (2, 3), now())).unwrap();
    for person in life.people.clone() {
        world.sign_in(person.email.as_str()).await;
    }
    world.enable_all();
    let mut rng = Rng::new(SEED);
    let mut deeds = 0_u32;
    let mut act = |world: &World, life: &mut Life, rng: &mut Rng| {
        let meddles = rng.below(12) == 0;
        let deed = world
            .sim
            .cloud()
            .with(|cloud| if meddles { life.meddle(cloud, CLIENT, now()) } else { life.act(cloud, now()) });
        deeds += u32::from(deed.is_some());
    };
    for kill in 0..KILLS {
        let serving = world.place.serve().await;
        let dies = Instant::now() + Duration::from_millis(rng.below(LIFE_MS));
        while Instant::now() < dies {
            act(&world, &mut life, &mut rng);
            tokio::time::sleep(Duration::from_millis(100 + rng.below(400))).await;
        }
        // Something has just happened, and it is at work on it.
        for _ in 0..3 {
            act(&world, &mut life, &mut rng);
        }
        tokio::time::sleep(Duration::from_millis(rng.below(60))).await;
        let log = serving.log();
        serving.kill();
        assert!(!log.contains("ERROR"), "before kill {kill}: {log}");
    }
    let killed = began.elapsed();
    let interrupted = world.place.look(async |s| s.runs(None, u32::MAX).await.unwrap()).await;
    let interrupted = interrupted.iter().filter(|r| r.status == RunStatus::Running).count();

    let mut serving = world.place.serve().await;
    let mesh = life.mesh();
    let left_alone = Instant::now();
    let mut last = None;
    while left_alone.elapsed() < REST {
        let judgement = world.judge_within(&mesh, DAYS_AHEAD);
        let waiting = world.sim.cloud().with(|cloud| cloud.watch().waiting());
        let all = world.place.look(async |s| stored(s).await).await;
        let done = judgement.is_good() && waiting == 0 && open(&all).is_empty();
        last = Some((judgement, open(&all).into_iter().cloned().collect::<Vec<_>>(), all.len()));
        if done {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let rested = left_alone.elapsed();
    let (judgement, open, notifications) = last.unwrap();
    assert!(judgement.is_good(), "after {REST:?}: {judgement:#?}\n{}", serving.log());
    assert_eq!(open, [], "nobody works on these any more");
    assert_eq!(world.sim.cloud().with(|cloud| cloud.journal().dropped()), 0, "the oracle has seen it all");

    // Looked at once more, everywhere: nothing is left to do, and nothing is open.
    let writes = world.writes();
    world.place.run(&["sync-calendars", "--mode", "full"]).expect(0);
    assert_eq!(world.writes(), writes, "it was right already");
    world.plan_is_empty();
    until("every notification has its end", Duration::from_secs(5), async || {
        let backlog = world.place.look(async |s| s.backlog(calsync_core::time::Ts::MAX).await.unwrap()).await;
        (backlog == 0).then_some(())
    })
    .await;
    assert!(world.judge_within(&mesh, DAYS_AHEAD).is_good());

    serving.ask_to_stop();
    assert_eq!(serving.ended(Duration::from_secs(26)).await.code(), Some(0), "{}", serving.log());
    let rows = world.place.look(async |s| s.runs(None, u32::MAX).await.unwrap().len()).await;
    println!(
        "{KILLS} kills in {killed:?} ({interrupted} runs died), {deeds} deeds, {notifications} notifications, {rows} runs, \
         {writes} writes, {} blocks stand; right after {rested:?}; {:?} in all",
        judgement.blocks,
        began.elapsed()
    );
    assert!(interrupted >= 3, "only {interrupted} runs were interrupted: the moments are badly chosen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_stop_in_the_middle_of_a_first_fill_it_finishes_its_step_and_goes_on_later() {
    let (world, main, work) = World::with_ada(21).await;
    // At the pace that a calendar bears this takes a quarter of a minute.
    const EVENTS: usize = 75;
    for n in 0..EVENTS as i64 {
        world.make(&main, crate::world::hour("Meeting", 24 + 2 * n));
    }
    let mut serving = world.place.serve().await;
    until("it is in the middle of it", Duration::from_secs(20), async || {
        (world.blocks(&work).len() > 20).then_some(())
    })
    .await;
    let began = Instant::now();
    serving.ask_to_stop();
    assert_eq!(serving.ended(Duration::from_secs(30)).await.code(), Some(0), "{}", serving.log());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}\n{}", serving.log());
    assert!(!serving.log().contains("still at work"), "{}", serving.log());
    // What it had begun it has booked: nothing is in doubt, and nobody has to wait for a lease.
    let stood = world.blocks(&work).len();
    let target = world.id_of(&work).parse().unwrap();
    let waiting = world.place.look(async |s| s.waiting_writes(target).await.unwrap()).await;
    assert_eq!(waiting, (EVENTS - stood) as u64);
    println!("{stood} of {EVENTS} blocks stood when it stopped, {took:?} after it was asked to");
    let _serving = world.place.serve().await;
    world.wait_for_blocks(&work, EVENTS, Duration::from_secs(25)).await;
    assert!(world.judge(&[(main, work)]).is_good());
}
