//! The journal in whole worlds: it tells of every block what was done last, when, and why, and of nothing else.

use std::collections::BTreeMap;

use calsync_core::ids::{CalendarId, CorrelationId};
use calsync_core::journal::{Deed, JournalRow};
use calsync_core::ledger::LedgerState;
use calsync_core::plan::Reason;
use calsync_core::rule::DEFAULT_TITLE;
use calsync_sim::cloud::content::{Content, When};
use jiff::SignedDuration;

use super::scenarios::settled;
use super::world::World;
use super::{HOMES, block_on};

/// Everything that the journal holds, in the order in which it was written.
pub(crate) async fn journal(world: &World) -> Vec<JournalRow> {
    let mut rows = Vec::new();
    for run in world.store.runs(None, u32::MAX).await.unwrap() {
        rows.extend(world.store.journal(run.id, u32::MAX).await.unwrap());
    }
    rows.sort_unstable_by_key(|row| row.seq);
    rows
}

/// After any life: what the journal says of a block last is what stands there by our hand, and no text is in it.
pub(crate) async fn assert_tells_all(world: &World) {
    let mut last: BTreeMap<(CalendarId, CorrelationId), JournalRow> = BTreeMap::new();
    for row in journal(world).await {
        for content in [&row.before, &row.after].into_iter().flatten() {
            assert_eq!(content.title, DEFAULT_TITLE, "no rule copies anything");
        }
        assert_eq!(row.after.is_none(), row.deed == Deed::Removed, "{row:?}");
        let receipt = row.receipt;
        assert!(receipt.verified_at.is_none_or(|at| at >= receipt.written_at), "{row:?}");
        last.insert((row.target, row.correlation), row);
    }
    let mut standing = 0;
    for user in &world.users {
        for target in world.calendars_of(*user).await {
            for row in world.store.ledger(target).await.unwrap().iter() {
                if row.state != LedgerState::Live {
                    continue;
                }
                standing += 1;
                let told = last.get(&(target, row.correlation));
                // Its answer was lost, and a later look found it standing: nobody knows when it was written, or by which run.
                if told.is_none() && row.written_at.is_none() {
                    continue;
                }
                let wrote = told.and_then(|told| told.after.as_ref()).map(|content| content.fingerprint());
                let true_of_it = wrote == Some(row.wrote) || told.is_some_and(|t| t.echo == row.echo);
                assert!(true_of_it, "{:?}: {row:?} but {told:?}", world.recipe);
            }
        }
    }
    assert!(standing > 0, "nothing stands anywhere");
}

/// An event comes, moves and goes; each is told once, with all four times in order, and looks that find nothing tell nothing.
#[test]
fn a_change_is_told_once_with_its_receipt() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 71).await;
            let before = journal(&world).await.len();
            let remote = world.life.people[0].calendars[1].clone();
            let hour = SignedDuration::from_hours(1);
            let at = |world: &World, hours| {
                let start = world.clock.now().plus(SignedDuration::from_hours(hours));
                Content::new("Dentist", When::at(start, "UTC"), When::at(start.plus(hour), "UTC"))
            };
            let content = at(&world, 30);
            let event =
                world.cloud.with(|c| c.create_event(&remote, content, world.clock.now()).unwrap().id.clone());
            pass(&mut world).await;
            world.cloud.with(|c| c.cancel_event(&remote, &event, world.clock.now()).unwrap());
            pass(&mut world).await;
            let told: Vec<JournalRow> = journal(&world).await.split_off(before);
            let targets = world.calendars_of(world.users[0]).await.len() - 1;
            let deeds: Vec<_> = told.iter().map(|row| (row.deed, row.reason)).collect();
            let created = vec![(Deed::Created, Reason::NewOccurrence); targets];
            let removed = vec![(Deed::Removed, Reason::SourceGone); targets];
            assert_eq!(deeds, [created, removed].concat(), "{homes:?}");
            for row in &told {
                let receipt = row.receipt;
                let times =
                    [receipt.seen_at, receipt.fetched_at, Some(receipt.written_at), receipt.verified_at];
                assert!(times.iter().all(Option::is_some), "{homes:?}: {row:?}");
                assert!(times.is_sorted(), "{homes:?}: {row:?}");
                let run = world.store.run(row.run).await.unwrap().expect("its run is known");
                assert_eq!(run.calendar, row.source);
            }
            for (made, gone) in told.iter().filter(|r| r.deed == Deed::Created).zip(&told[targets..]) {
                let pair = told.iter().find(|r| r.deed == Deed::Removed && r.correlation == made.correlation);
                assert_eq!(pair.unwrap().before, made.after, "what went is what stood there");
                assert_eq!(gone.after, None);
            }
            // Hours without a change; at midnight the window would come to something.
            for _ in 0..10 {
                world.clock.advance(hour);
                world.deliver_and_work().await;
            }
            let after = journal(&world).await.len();
            assert_eq!(after, before + told.len(), "{homes:?}");
        });
    }
}

/// A write was carried out and its answer lost, and before it was asked for again the event had moved away and back: nothing
/// waits that would explain what stands there.
#[test]
fn what_is_found_standing_is_told_by_the_run_that_found_it() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 71).await;
            let remote = world.life.people[0].calendars[1].clone();
            let hour = SignedDuration::from_hours(1);
            let at = |world: &World, hours| {
                let start = world.clock.now().plus(SignedDuration::from_hours(hours));
                (When::at(start, "UTC"), When::at(start.plus(hour), "UTC"))
            };
            let (start, end) = at(&world, 30);
            let content = Content::new("Dentist", start, end);
            let event =
                world.cloud.with(|c| c.create_event(&remote, content, world.clock.now()).unwrap().id.clone());
            let before = journal(&world).await.len();
            pass(&mut world).await;
            let made = journal(&world).await.split_off(before);
            assert!(!made.is_empty() && made.iter().all(|row| row.deed == Deed::Created), "{made:?}");
            let to = at(&world, 50);
            let now = world.clock.now();
            world.cloud.with(|c| {
                let blocks: Vec<_> =
                    c.journal().entries().map(|e| (e.calendar.clone(), e.event.clone())).collect();
                for (calendar, block) in &blocks[blocks.len() - made.len()..] {
                    c.reschedule(calendar, block, to.clone(), now).unwrap();
                }
            });
            world.cloud.with(|c| c.reschedule(&remote, &event, to.clone(), now).unwrap());
            let (before, writes) = (journal(&world).await.len(), world.writes());
            pass(&mut world).await;
            assert_eq!(world.writes(), writes, "{homes:?}: it stands already");
            let found = journal(&world).await.split_off(before);
            assert_eq!(found.len(), made.len(), "{homes:?}: {found:?}");
            for row in &found {
                assert_eq!((row.deed, row.reason), (Deed::Changed, Reason::FoundStanding));
                let was = made.iter().find(|m| m.correlation == row.correlation).unwrap();
                assert_eq!(row.before, was.after);
                assert!(row.after.is_some() && row.after != was.after);
                assert!(world.store.run(row.run).await.unwrap().is_some(), "its run is known");
            }
            assert_tells_all(&world).await;
        });
    }
}

/// What is told arrives, and its echo; in the end everything is listed once.
async fn pass(world: &mut World) {
    for _ in 0..3 {
        world.clock.advance(SignedDuration::from_mins(2));
        world.deliver_and_work().await;
    }
    let calendars = world.calendars_of(world.users[0]).await;
    world.engine().sync_now(&calendars, calsync_core::ports::Wish::Full).await.unwrap();
    world.deliver_and_work().await;
}
