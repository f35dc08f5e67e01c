//! Rollout flags in a whole world: who is let out is polled and its channel closed, who is let in gets one, and nobody is
//! left uncovered in between.

use std::collections::BTreeSet;

use calsync_core::ids::CalendarId;
use calsync_core::ports::{Admit, Switch};
use calsync_core::rollout::{Percent, Phase, Rollout};
use calsync_core::schedule::Method;
use calsync_core::subscription::SubscriptionStatus;
use calsync_sim::cloud::content::Content;
use jiff::SignedDuration;

use super::block_on;
use super::cast::{GOOGLE, MICROSOFT};
use super::lifecycle::open_at_provider;
use super::scenarios::{all_calendars, settled};
use super::world::World;

async fn methods(world: &World) -> Vec<(CalendarId, Method)> {
    let mut all = Vec::new();
    for user in &world.users {
        let state = world.store.user_state(*user).await.unwrap().unwrap();
        all.extend(world.engine().methods(&state).await.unwrap());
    }
    all
}

async fn put(world: &World, flags: Rollout) {
    world.engine().change_rollout("ada", "flags", |_| flags.clone()).await.unwrap();
}

async fn phase(world: &World, phase: Phase) {
    put(world, phase.of(&BTreeSet::new())).await;
}

async fn live(world: &World) -> usize {
    let mut count = 0;
    for id in all_calendars(world).await {
        let all = world.store.subscriptions(id).await.unwrap();
        let active = all.iter().filter(|s| s.status == SubscriptionStatus::Active).count();
        let remote = world.store.calendar(id).await.unwrap().unwrap().remote.calendar;
        assert_eq!(open_at_provider(world, &remote).len(), active, "here as at the provider");
        count += active;
    }
    count
}

#[test]
fn switching_off_turns_to_polling_at_once_and_closes_channels() {
    for homes in [GOOGLE, MICROSOFT] {
        block_on(async {
            let mut world = settled(homes, 41).await;
            let all = all_calendars(&world).await.len();
            assert_eq!(live(&world).await, all);
            phase(&world, Phase::Off).await;
            assert!(methods(&world).await.iter().all(|(_, m)| *m == Method::Polling), "at once");
            assert!(world.engine().rollout_is_due().await.unwrap());
            let done = world.engine().maintain_subscriptions().await.unwrap();
            assert_eq!((done.readmitted, done.created), (all as u64, 0));
            assert_eq!(live(&world).await, 0, "{homes:?}: closed");
            assert!(!world.engine().rollout_is_due().await.unwrap());
            // Nobody tells any more, and yet it is found within the polling interval.
            let (now, remote) = (world.clock.now(), world.life.people[0].calendars[1].clone());
            let start = now.plus(SignedDuration::from_hours(30));
            world.cloud.with(|c| {
                let end = start.plus(SignedDuration::from_hours(1));
                c.create_event(&remote, Content::timed("polled", start, end, "UTC"), now).unwrap();
            });
            for _ in 0..6 {
                world.clock.advance(SignedDuration::from_mins(1));
                world.work().await;
            }
            assert!(world.judge().is_good(), "{homes:?}: {:?}", world.judge());
            phase(&world, Phase::Everybody).await;
            let done = world.engine().maintain_subscriptions().await.unwrap();
            assert_eq!((done.readmitted, done.created), (all as u64, u32::try_from(all).unwrap()));
            world.deliver_and_work().await;
            assert_eq!(live(&world).await, all);
            assert!(methods(&world).await.iter().all(|(_, m)| *m == Method::Webhook));
        });
    }
}

#[test]
fn a_growing_share_lets_in_and_never_out() {
    block_on(async {
        let mut world = settled(GOOGLE, 42).await;
        let mut before = BTreeSet::new();
        for share in [0, 20, 50, 80, 100] {
            let rollout_percentage = Percent::try_from(share).unwrap();
            put(&world, Rollout { rollout_percentage, ..Rollout::default() }).await;
            world.engine().maintain_subscriptions().await.unwrap();
            world.deliver_and_work().await;
            let by_push: BTreeSet<CalendarId> = methods(&world)
                .await
                .into_iter()
                .filter(|(_, m)| *m == Method::Webhook)
                .map(|(id, _)| id)
                .collect();
            assert_eq!(by_push.len(), live(&world).await, "{share} %");
            assert!(before.is_subset(&by_push), "{share} %: nobody is dropped");
            before = by_push;
        }
        assert_eq!(before.len(), all_calendars(&world).await.len());
    });
}

/// A calendar that appears after everybody was gone through is let in only if the flags say so.
#[test]
fn a_new_calendar_is_kept_out_as_well() {
    block_on(async {
        let world = settled(GOOGLE, 43).await;
        phase(&world, Phase::Off).await;
        world.engine().maintain_subscriptions().await.unwrap();
        let id = all_calendars(&world).await[0];
        let now = world.clock.now();
        // As a calendar is made: as if everybody was let in.
        let admit = Admit { calendar: id, push: Switch::On, due_by: now };
        world.store.admit(&[admit], now).await.unwrap();
        let done = world.engine().maintain_subscriptions().await.unwrap();
        assert_eq!((done.created, live(&world).await), (0, 0));
        assert!(!world.store.calendar(id).await.unwrap().unwrap().push_admitted, "and written down");
    });
}

/// Two change the flags at once: neither change is lost, and both are in the log.
#[test]
fn changes_at_the_same_moment_are_both_kept() {
    block_on(async {
        let world = settled(GOOGLE, 44).await;
        let (one, two) = (world.engine().clone(), world.engine().clone());
        let share = |flags: &Rollout| Rollout { rollout_percentage: Percent::NONE, ..flags.clone() };
        let named = |flags: &Rollout| Rollout {
            early_adopters: ["ada@example.com".to_owned()].into(),
            ..flags.clone()
        };
        let (a, b) = futures_util::join!(
            one.change_rollout("ada", "0 % of the calendars", share),
            two.change_rollout("bob", "ada@example.com is an early adopter", named)
        );
        a.unwrap();
        b.unwrap();
        let report = world.engine().rollout_report(10).await.unwrap();
        assert_eq!(report.flags.rollout_percentage, Percent::NONE);
        assert_eq!(report.flags.early_adopters.len(), 1);
        assert_eq!(report.history.len(), 2);
        assert!(report.history.iter().any(|line| line.who == "bob"), "{report:?}");
    });
}

/// Switched off, broken off while going through everybody, and switched on again: nobody stays out.
#[test]
fn a_change_taken_back_half_way_leaves_nobody_out() {
    block_on(async {
        let mut world = settled(GOOGLE, 45).await;
        let all = all_calendars(&world).await;
        phase(&world, Phase::Off).await;
        // As far as it came: one calendar is written down as out, and its channel is retired.
        let now = world.clock.now();
        let out = Admit { calendar: all[0], push: Switch::Off, due_by: now };
        world.store.admit(&[out], now).await.unwrap();
        phase(&world, Phase::Everybody).await;
        assert!(!world.engine().rollout_report(1).await.unwrap().applied);
        assert!(world.engine().rollout_is_due().await.unwrap());
        world.engine().maintain_subscriptions().await.unwrap();
        world.deliver_and_work().await;
        assert_eq!(live(&world).await, all.len());
        assert!(world.engine().rollout_report(1).await.unwrap().applied);
    });
}

/// Flags that nobody can read stop nobody's calendars: those of the configuration are in force, and whoever sets them anew has
/// put them right.
#[test]
fn flags_that_nobody_can_read_are_those_of_the_configuration() {
    block_on(async {
        let mut world = settled(GOOGLE, 46).await;
        let all = all_calendars(&world).await.len();
        phase(&world, Phase::Off).await;
        for broken in
            [serde_json::json!("no flags"), serde_json::json!({"flags": {"rollout_percentage": 101}})]
        {
            world.store.put_setting("rollout", &broken).await.unwrap();
            // What was read a moment ago is believed for so long.
            world.clock.advance(SignedDuration::from_secs(3));
            assert!(
                methods(&world).await.iter().all(|(_, m)| *m == Method::Webhook),
                "as configured: {broken}"
            );
            world.deliver_and_work().await;
            world.engine().maintain_subscriptions().await.unwrap();
            assert_eq!(live(&world).await, all, "nobody lost its channel");
            assert!(world.engine().rollout_report(1).await.is_err(), "whoever asks is told");
        }
        phase(&world, Phase::Off).await;
        assert_eq!(world.engine().rollout_report(1).await.unwrap().flags, Phase::Off.of(&BTreeSet::new()));
        world.engine().maintain_subscriptions().await.unwrap();
        assert_eq!(live(&world).await, 0);
        assert!(methods(&world).await.iter().all(|(_, m)| *m == Method::Polling), "put right");
    });
}
