//! Named scenarios of Microsoft's traps (microsoft.md §10), lived through by the real engine: windowed cursors, series that
//! are enumerated, ids that the provider chooses.

use calsync_core::ports::Wish;
use calsync_sim::cloud::content::{Content, When};
use calsync_sim::cloud::event::{Event, Kind, Slot};
use calsync_sim::cloud::journal::Op;
use calsync_sim::cloud::names::{CalendarId as RemoteId, EventId};
use calsync_sim::cloud::watch::Provider;
use calsync_sim::direct::CLIENT;
use calsync_sim::faults::Fault;
use jiff::SignedDuration;

use super::block_on;
use super::cast::{MICROSOFT, MIXED};
use super::scenarios::{read_everything, settled, standing};
use super::world::World;

/// An hour, so many hours from now.
fn hour(world: &World, hours: i64) -> (When, When) {
    let start = world.clock.now().plus(SignedDuration::from_hours(hours));
    (When::at(start, "UTC"), When::at(start.plus(SignedDuration::from_hours(1)), "UTC"))
}

fn make(world: &World, calendar: &RemoteId, hours: i64) -> EventId {
    let (start, end) = hour(world, hours);
    let content = Content::new("one hour", start, end);
    world.cloud.with(|c| c.create_event(calendar, content, world.clock.now()).unwrap().id.clone())
}

/// A daily series from tomorrow on, and its first slots.
fn daily(world: &World, calendar: &RemoteId, count: usize) -> (EventId, Vec<Slot>) {
    let (start, end) = hour(world, 24);
    let content = Content::new("daily", start, end).repeating(&format!("RRULE:FREQ=DAILY;COUNT={count}"));
    world.cloud.with(|c| {
        let id = c.create_event(calendar, content, world.clock.now()).unwrap().id.clone();
        let all = c.occurrences(calendar, &id, &calsync_core::time::Window::ALL, count).unwrap();
        (id, all.iter().filter_map(|e| e.slot()).collect())
    })
}

/// Blocks of calendar-sync in a calendar that hold this time.
fn blocks_at(world: &World, calendar: &RemoteId, at: &(When, When)) -> Vec<EventId> {
    world.cloud.with(|c| {
        let ours = |e: &Event| {
            c.journal()
                .entries()
                .any(|j| j.client.as_str() == CLIENT && j.event == e.id && j.op == Op::Insert)
        };
        let live = c.live_events(calendar).into_iter();
        live.filter(|e| ours(e) && (&e.content.start, &e.content.end) == (&at.0, &at.1))
            .map(|e| e.id.clone())
            .collect()
    })
}

fn assert_good(world: &World) {
    let judgement = world.judge();
    assert!(judgement.is_good(), "{judgement:?}");
}

/// §10 row 4: the delta tells only that something happened to the series.
#[test]
fn a_deleted_occurrence_takes_its_blocks_along_and_no_others() {
    // Of three seeds, one world's deltas tell vanished occurrences and two do not.
    for seed in [1, 2, 3] {
        block_on(async {
            let mut world = settled(MICROSOFT, seed).await;
            let calendar = world.life.people[0].calendars[1].clone();
            let (series, slots) = daily(&world, &calendar, 6);
            world.deliver_and_work().await;
            let before = world.writes();
            let now = world.clock.now();
            world.cloud.with(|c| c.cancel_occurrence(&calendar, &series, slots[2], now).unwrap());
            world.deliver_and_work().await;
            assert_eq!(world.writes() - before, 2, "one block in each of the two others");
            assert_good(&world);
            // Editing a series tells all its occurrences again (§10 row 5).
            world.cloud.with(|c| {
                c.edit_event(&calendar, &series, now, |content| content.summary = Some("other".to_owned()))
                    .unwrap();
            });
            world.deliver_and_work().await;
            assert_eq!(world.writes() - before, 2, "no block shows the words");
        });
    }
}

#[test]
fn an_occurrence_moved_out_of_the_window_and_a_series_deleted_leave_nothing() {
    for seed in [1, 3] {
        block_on(async {
            let mut world = settled(MICROSOFT, seed).await;
            let calendar = world.life.people[0].calendars[1].clone();
            let target = world.life.people[0].calendars[2].clone();
            let before = standing(&world, &target);
            let (series, slots) = daily(&world, &calendar, 6);
            world.deliver_and_work().await;
            assert_eq!(standing(&world, &target), before + 6);
            let (now, far) = (world.clock.now(), hour(&world, 24 * 200));
            world.cloud.with(|c| c.move_occurrence(&calendar, (&series, slots[5]), far, now).unwrap());
            world.deliver_and_work().await;
            assert_eq!(standing(&world, &target), before + 5);
            world.cloud.with(|c| c.cancel_event(&calendar, &series, now).unwrap());
            world.deliver_and_work().await;
            assert_eq!(standing(&world, &target), before);
            assert_good(&world);
        });
    }
}

/// §7: the occurrences of a series are asked for by themselves, and one answer without any is no proof.
#[test]
fn one_empty_answer_calls_no_series_off() {
    block_on(async {
        let mut world = settled(MICROSOFT, 6).await;
        let calendar = world.life.people[0].calendars[1].clone();
        let (series, slots) = daily(&world, &calendar, 6);
        world.deliver_and_work().await;
        let deleted = |world: &World| {
            world.cloud.with(|c| c.journal().entries().filter(|e| e.op == Op::Delete).count())
        };
        let before = deleted(&world);
        world.faults.force(Fault::SeriesEmpty, 1);
        let (now, to) = (world.clock.now(), hour(&world, 51));
        world.cloud.with(|c| c.move_occurrence(&calendar, (&series, slots[2]), to, now).unwrap());
        world.deliver_and_work().await;
        assert_eq!(world.faults.fired().get(&Fault::SeriesEmpty), Some(&1));
        assert_eq!(deleted(&world), before);
        assert_good(&world);
    });
}

/// §7: the same id several times in a round, in any order, beside removals of what nobody knew.
#[test]
fn an_id_told_twice_with_two_meanings_means_the_last() {
    block_on(async {
        let mut world = settled(MICROSOFT, 5).await;
        let calendar = world.life.people[0].calendars[1].clone();
        let (moved, gone) = (make(&world, &calendar, 30), make(&world, &calendar, 40));
        let (series, slots) = daily(&world, &calendar, 4);
        world.deliver_and_work().await;
        for n in 0..6 {
            for fault in [Fault::DuplicateItem, Fault::ExceptionsFirst, Fault::StrayRemoval] {
                world.faults.force(fault, 40);
            }
            let (now, to, out) = (world.clock.now(), hour(&world, 50 + n), hour(&world, 24 * 300));
            world.cloud.with(|c| {
                // Into the window and out of it by turns.
                let to = if n % 2 == 0 { to } else { out };
                c.reschedule(&calendar, &moved, to.clone(), now).unwrap();
                c.move_occurrence(&calendar, (&series, slots[1]), to, now).unwrap();
                let _ = c.cancel_event(&calendar, &gone, now);
            });
            world.deliver_and_work().await;
            assert_good(&world);
            world.clock.advance(SignedDuration::from_mins(1));
        }
    });
}

/// §10 row 9: the window stands in the token, and is read anew before it slides out of it.
#[test]
fn the_window_slides_and_nothing_that_stands_is_written_again() {
    block_on(async {
        let mut world = settled(MICROSOFT, 7).await;
        let calendar = world.life.people[0].calendars[1].clone();
        let target = world.life.people[0].calendars[2].clone();
        make(&world, &calendar, 24 * 94);
        world.deliver_and_work().await;
        let before = standing(&world, &target);
        let stable: Vec<_> =
            world.cloud.with(|c| c.live_events(&target).iter().map(|e| (e.id.clone(), e.version)).collect());
        for _ in 0..8 {
            world.clock.advance(SignedDuration::from_hours(20));
            world.deliver_and_work().await;
        }
        assert!(standing(&world, &target) > before, "what the window came to is there");
        assert_good(&world);
        let now = world.cloud.with(|c| {
            let live = c.live_events(&target);
            stable.iter().filter(|(id, v)| live.iter().any(|e| e.id == *id && e.version == *v)).count()
        });
        assert_eq!(now, stable.len(), "nothing that stood was touched");
    });
}

/// §4.2: a create whose answer is lost, in all the ways in which it can be.
#[test]
fn a_lost_answer_to_a_create_never_makes_two_blocks() {
    let ways: [&[(Fault, u32)]; 5] = [
        &[(Fault::ErrorAfterWrite, 1)],
        &[(Fault::ErrorAfterWrite, 2)],
        // Neither the call nor the look gives an answer.
        &[(Fault::ErrorAfterWrite, 2), (Fault::ReplicationLag, 3)],
        &[(Fault::DropAfterWrite, 4), (Fault::KeyKept, 4)],
        &[(Fault::ErrorAfterWrite, 3), (Fault::ServerTouch, 5), (Fault::ReplicationLag, 5)],
    ];
    for way in ways {
        block_on(async {
            let mut world = settled(MICROSOFT, 8).await;
            let person = world.life.people[0].clone();
            let at = hour(&world, 33);
            let event = make(&world, &person.calendars[1], 33);
            for (fault, times) in way {
                world.faults.force(*fault, *times);
            }
            world.deliver_and_work().await;
            // Meanwhile the event is another one.
            let (now, later) = (world.clock.now(), hour(&world, 35));
            world.cloud.with(|c| c.reschedule(&person.calendars[1], &event, later.clone(), now).unwrap());
            for _ in 0..6 {
                world.clock.advance(SignedDuration::from_mins(10));
                world.deliver_and_work().await;
            }
            assert_good(&world);
            assert_eq!(blocks_at(&world, &person.calendars[2], &later).len(), 1, "{way:?}");
            assert!(blocks_at(&world, &person.calendars[2], &at).is_empty(), "{way:?}");
        });
    }
}

/// We died over a create, and before the block was ever seen nobody wanted it any more: it is still ours, and it goes when
/// it turns up. (Found by seed 6 of the mixed worlds.)
#[test]
fn a_block_that_nobody_wants_any_more_goes_when_it_turns_up() {
    for (death, wanted_again) in (24..=60).step_by(2).flat_map(|n| [(n, false), (n, true)]) {
        block_on(async {
            let mut world = settled(MICROSOFT, 9).await;
            let person = world.life.people[0].clone();
            let before = standing(&world, &person.calendars[2]);
            let event = make(&world, &person.calendars[1], 33);
            let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
            let source = state
                .calendars
                .iter()
                .find(|c| c.remote.calendar == person.calendars[1].as_str())
                .unwrap()
                .id;
            world.engine().sync_now(&[source], Wish::Changes).await.unwrap();
            world.die_after(death);
            world.work().await;
            // No notice tells of what was made, and only the source is read.
            world.cloud.with(|c| c.take_notices(Provider::Microsoft, 1_000));
            let now = world.clock.now();
            world.cloud.with(|c| c.cancel_event(&person.calendars[1], &event, now).unwrap());
            world.clock.advance(SignedDuration::from_mins(2));
            world.engine().sync_now(&[source], Wish::Changes).await.unwrap();
            world.work().await;
            if wanted_again {
                world.cloud.with(|c| c.restore(&person.calendars[1], &event, now).unwrap());
            }
            for _ in 0..3 {
                world.clock.advance(SignedDuration::from_mins(20));
                read_everything(&mut world).await;
            }
            let judgement = world.judge();
            assert!(judgement.is_good(), "dies at {death}: {judgement:?}");
            assert_eq!(standing(&world, &person.calendars[2]), before + usize::from(wanted_again));
        });
    }
}

/// The version was refused, and the look that followed asked a replica that did not know the block yet: it stands, and is
/// not forgotten. (Found by seeds 2, 8 and 12 of Microsoft's worlds.)
#[test]
fn trap_13_a_burst_of_pushes_is_one_reading() {
    block_on(async {
        let mut world = settled(MICROSOFT, 9).await;
        let calendar = world.life.people[0].calendars[1].clone();
        let event = make(&world, &calendar, 33);
        for hours in 34..37 {
            let to = hour(&world, hours);
            world.cloud.with(|c| c.reschedule(&calendar, &event, to, world.clock.now()).unwrap());
        }
        world.deliver().await;
        let step = world.engine().step().await.unwrap().unwrap();
        let [reading] = step.read.as_slice() else { panic!("{:?}", step.read) };
        // One for the new event, one for the noise that comes with it, one for each time it was moved.
        assert!(reading.notifications.len() >= 4, "{reading:?}");
        world.deliver_and_work().await;
        assert_good(&world);
    });
}

#[test]
fn trap_15_a_delta_that_knows_nothing_of_the_push_yet_is_asked_once_more() {
    block_on(async {
        let mut world = settled(MICROSOFT, 10).await;
        let calendar = world.life.people[0].calendars[1].clone();
        world.faults.force(Fault::DeltaLag, 1);
        make(&world, &calendar, 33);
        world.deliver_and_work().await;
        assert!(!world.judge().is_good(), "nobody could know of it yet");
        // Something else of the same person's comes in between, and the delta still knows nothing.
        world.clock.advance(SignedDuration::from_secs(1));
        world.faults.force(Fault::DeltaLag, 1);
        let user = world.users[0];
        let others = world.calendars_of(user).await;
        world.engine().sync_now(&others, Wish::Changes).await.unwrap();
        world.work().await;
        world.clock.advance(SignedDuration::from_secs(9));
        world.deliver_and_work().await;
        assert_good(&world);
        // Pushes that nothing comes of, such as repeated ones, lead to one more look and not to looks for ever.
        world.faults.force(Fault::NoticeDoubled, 1);
        make(&world, &calendar, 35);
        for _ in 0..3 {
            world.deliver_and_work().await;
            world.clock.advance(SignedDuration::from_secs(10));
        }
        let soon = world.clock.now().plus(SignedDuration::from_mins(1));
        let next = world.store.next_due().await.unwrap();
        assert!(next.is_none_or(|at| at > soon), "{next:?}");
        assert_good(&world);
    });
}

/// What the delta shows instead is an echo of ours, of which no reading was needed: it proves nothing either.
#[test]
fn trap_15_a_delta_that_shows_something_else_is_asked_once_more() {
    block_on(async {
        let mut world = settled(MICROSOFT, 10).await;
        let [_, source, target, ..] = world.life.people[0].calendars.as_slice() else { panic!("three") };
        let (source, target) = (source.clone(), target.clone());
        make(&world, &source, 33);
        world.deliver_and_work().await;
        world.clock.advance(SignedDuration::from_mins(1));
        world.deliver_and_work().await;
        assert_good(&world);
        // The target holds a block by now; somebody enters an event beside it.
        world.faults.force(Fault::DeltaBehind, 1);
        make(&world, &target, 40);
        world.deliver_and_work().await;
        assert_eq!(world.faults.fired()[&Fault::DeltaBehind], 1, "there was something else to show");
        assert!(!world.judge().is_good(), "nobody could know of it yet");
        world.clock.advance(SignedDuration::from_secs(10));
        world.deliver_and_work().await;
        assert_good(&world);
    });
}

#[test]
fn a_look_that_misses_a_block_does_not_make_a_second_one() {
    block_on(async {
        let mut world = settled(MICROSOFT, 10).await;
        let person = world.life.people[0].clone();
        let event = make(&world, &person.calendars[1], 33);
        world.faults.force(Fault::ReplicationLag, 20);
        world.faults.force(Fault::ServerTouch, 20);
        world.deliver_and_work().await;
        let (now, later) = (world.clock.now(), hour(&world, 35));
        world.cloud.with(|c| c.reschedule(&person.calendars[1], &event, later, now).unwrap());
        world.faults.force(Fault::ErrorAfterWrite, 2);
        world.deliver_and_work().await;
        world.cloud.with(|c| c.cancel_event(&person.calendars[1], &event, now).unwrap());
        for _ in 0..5 {
            world.clock.advance(SignedDuration::from_mins(20));
            read_everything(&mut world).await;
        }
        assert_good(&world);
    });
}

/// A block that somebody drags out of the window arrives as gone. It is put back, and not again whenever it is looked at.
#[test]
fn a_block_dragged_out_of_the_window_is_put_back_once() {
    block_on(async {
        let mut world = settled(MICROSOFT, 11).await;
        let person = world.life.people[0].clone();
        let (at, far) = (hour(&world, 33), hour(&world, 24 * 200));
        make(&world, &person.calendars[1], 33);
        world.deliver_and_work().await;
        let block = blocks_at(&world, &person.calendars[2], &at)[0].clone();
        let (now, before) = (world.clock.now(), world.writes());
        world.cloud.with(|c| c.reschedule(&person.calendars[2], &block, far.clone(), now).unwrap());
        world.deliver_and_work().await;
        assert_eq!(blocks_at(&world, &person.calendars[2], &at).len(), 1);
        assert_eq!(world.writes(), before + 1);
        for _ in 0..3 {
            read_everything(&mut world).await;
            world.clock.advance(SignedDuration::from_mins(30));
        }
        assert_eq!(world.writes(), before + 1, "once");
        assert!(
            blocks_at(&world, &person.calendars[2], &far).is_empty(),
            "nothing is left where the window has yet to come to"
        );
        assert_good(&world);
    });
}

/// The listing says that a block went, and by the time it is looked at it stands where it stood: it is not made twice, for
/// nothing would ever tell which of the two is one too many.
#[test]
fn a_block_dragged_out_and_back_while_it_is_read_is_left_alone() {
    block_on(async {
        let mut world = settled(MICROSOFT, 11).await;
        let person = world.life.people[0].clone();
        let (at, far) = (hour(&world, 33), hour(&world, 24 * 200));
        make(&world, &person.calendars[1], 33);
        world.deliver_and_work().await;
        let target = person.calendars[2].clone();
        let block = blocks_at(&world, &target, &at)[0].clone();
        let (now, before) = (world.clock.now(), world.writes());
        world.cloud.with(|c| c.reschedule(&target, &block, far, now).unwrap());
        let (cloud, back, calendar) = (world.cloud.clone(), at.clone(), target.clone());
        let id = block.clone();
        world.after_next_call(move || {
            cloud.with(|c| c.reschedule(&calendar, &id, back, now).unwrap());
        });
        world.deliver_and_work().await;
        world.deliver_and_work().await;
        assert_eq!(blocks_at(&world, &target, &at), [block]);
        assert_eq!(world.writes(), before);
        assert_good(&world);
    });
}

/// A block that somebody puts into another calendar is gone from its own, though its id still leads to it (§10 row 6).
#[test]
fn a_block_put_into_another_calendar_is_put_back_and_left_alone_there() {
    block_on(async {
        let mut world = settled(MICROSOFT, 12).await;
        let person = world.life.people[0].clone();
        let at = hour(&world, 33);
        make(&world, &person.calendars[1], 33);
        world.deliver_and_work().await;
        let block = blocks_at(&world, &person.calendars[2], &at)[0].clone();
        let (now, before) = (world.clock.now(), world.writes());
        world.cloud.with(|c| {
            c.move_to_calendar(&person.calendars[2], &person.calendars[0], &block, now).unwrap();
        });
        world.deliver_and_work().await;
        read_everything(&mut world).await;
        let back = blocks_at(&world, &person.calendars[2], &at);
        assert_eq!((back.len(), back.contains(&block)), (1, false), "{back:?}");
        assert_eq!(world.writes(), before + 1);
        assert!(blocks_at(&world, &person.calendars[0], &at).contains(&block), "it is theirs now");
    });
}

/// Somebody throws a block away while we are about to: a second deletion is none (§10 row 14).
#[test]
fn a_block_that_somebody_else_removed_first_is_removed() {
    block_on(async {
        let mut world = settled(MICROSOFT, 13).await;
        let person = world.life.people[0].clone();
        let at = hour(&world, 33);
        let event = make(&world, &person.calendars[1], 33);
        world.deliver_and_work().await;
        let block = blocks_at(&world, &person.calendars[2], &at)[0].clone();
        let now = world.clock.now();
        world.cloud.with(|c| {
            c.cancel_event(&person.calendars[1], &event, now).unwrap();
            c.cancel_event(&person.calendars[2], &block, now).unwrap();
        });
        world.deliver_and_work().await;
        assert_good(&world);
        let alerts = world.store.open_alerts().await.unwrap();
        assert!(alerts.is_empty(), "{alerts:?}");
    });
}

/// One user, two accounts at two providers: an event in either is a block in all the other calendars, and a meeting between
/// the two takes its time once.
#[test]
fn one_persons_calendars_at_two_providers_block_each_other() {
    block_on(async {
        let mut world = settled(MIXED, 14).await;
        let person = world.life.people[0].clone();
        assert_eq!(person.accounts.len(), 2);
        for (source, hours) in [(0, 33), (1, 43)] {
            let at = hour(&world, hours);
            make(&world, &person.calendars[source], hours);
            world.deliver_and_work().await;
            for (n, target) in person.calendars.iter().enumerate().filter(|(n, _)| *n != source) {
                assert_eq!(blocks_at(&world, target, &at).len(), 1, "calendar {n}");
            }
        }
        let (start, end) = hour(&world, 53);
        let meeting =
            Content::new("with myself", start.clone(), end.clone()).inviting(person.accounts[1].1.as_str());
        let now = world.clock.now();
        world.cloud.with(|c| c.create_event(&person.calendars[0], meeting, now).unwrap());
        world.deliver_and_work().await;
        let there = world.cloud.with(|c| {
            let copy = RemoteId::from(person.accounts[1].1.as_str());
            c.live_events(&copy).iter().filter(|e| e.kind == Kind::Single && e.content.start == start).count()
        });
        assert_eq!(there, 1, "the invitation itself, and no block beside it");
        assert_good(&world);
    });
}
