//! A year in which nothing is wrong: work and weekends, a long holiday, people whose calendars stay empty, daily listings,
//! renewals and changes of the clock. Nobody is told anything, and no level changes.

use std::sync::Arc;

use calsync_core::health::Level;
use calsync_core::ports::Prunable;
use calsync_core::retention::{RETENTION_DAYS, cutoff};
use calsync_sim::cloud::content::{Content, When};
use calsync_sim::cloud::names::{CalendarId as RemoteId, EventId};
use calsync_sim::life::Homes;
use calsync_store::MemoryStore;
use jiff::SignedDuration;

use super::super::cast::{GOOGLE, MICROSOFT};
use super::super::world::{Recipe, World};
use super::super::{block_on, env, homes_recipe};
use super::{LOOK, Watch};

const DAY: i64 = 86_400;
/// Where nothing is due, a look every so often shows all that time alone changes.
const COARSE: SignedDuration = SignedDuration::from_mins(30);
/// The longest holiday, in days of the year.
const HOLIDAY: std::ops::Range<i64> = 300..330;

/// Lives so many days there; how many looks were taken.
async fn lived(homes: Homes, people: usize, days: i64) -> u64 {
    let recipe = Recipe { people, rounds: 0, ..homes_recipe(homes, 77) };
    let mut world = World::begin(recipe, Arc::new(MemoryStore::new())).await;
    world.faults.switch_off();
    let mut watch = Watch::over(&mut world);
    watch.work(&mut world).await;
    let dawn = world.clock.now();
    let (mut looks, mut acted, mut pruned, mut made) = (0_u64, 0, 0, Vec::new());
    loop {
        let now = world.clock.now();
        let day = now.since(dawn).as_secs() / DAY;
        if day >= days {
            return looks;
        }
        // Due work, or a while.
        let due = [world.store.next_due().await.unwrap(), world.engine().next_maintenance().await.unwrap()];
        let next = due.into_iter().flatten().min().map_or(COARSE, |at| at.since(now)).clamp(LOOK, COARSE);
        world.clock.advance(next);
        // It begins on a Tuesday at six: nine to five on weekdays, now and then.
        let (hour, weekday) = ((now.since(dawn).as_secs() / 3_600 + 6) % 24, (day + 1) % 7);
        let slot = now.since(dawn).as_secs() / 10_800;
        if people > 0 && (9..17).contains(&hour) && weekday < 5 && !HOLIDAY.contains(&day) && slot != acted {
            acted = slot;
            people_act(&world, slot, &mut made);
        }
        watch.work(&mut world).await;
        if day / 7 != pruned {
            pruned = day / 7;
            for what in Prunable::ALL {
                let before = cutoff(what, RETENTION_DAYS, world.clock.now());
                world.store.prune(what, before, u32::MAX).await.unwrap();
            }
        }
        looks += 1;
        let report = watch.look(&world).await;
        let told: Vec<_> = watch.told.iter().map(|m| (&m.kind, &m.message)).collect();
        assert!(report.level == Level::Healthy && report.conditions.is_empty(), "day {day}: {report:?}");
        assert!(told.is_empty() && watch.changes.is_empty(), "day {day}: {told:?} {:?}", watch.changes);
    }
}

/// Something is planned, put off or called off; never so much at once that the brake would rightly ask. The last calendar of each
/// stays as it is.
fn people_act(world: &World, slot: i64, made: &mut Vec<(RemoteId, EventId)>) {
    let now = world.clock.now();
    let person = &world.life.people[usize::try_from(slot).unwrap() % world.life.people.len()];
    let busy = &person.calendars[..person.calendars.len() - 1];
    let calendar = &busy[usize::try_from(slot / 2).unwrap() % busy.len()];
    let start = now.plus(SignedDuration::from_hours(20 + slot % 200));
    let content = Content::timed("a meeting", start, start.plus(SignedDuration::from_mins(45)), person.zone);
    world.cloud.with(|cloud| match slot % 4 {
        0 if made.len() > 5 => {
            let (calendar, event) = made.remove(0);
            // It may be over and forgotten.
            let _ = cloud.cancel_event(&calendar, &event, now);
        }
        1 if made.len() > 5 => {
            let (calendar, event) = made.last().unwrap();
            let later = start.plus(SignedDuration::from_hours(2));
            let when = (
                When::at(later, person.zone),
                When::at(later.plus(SignedDuration::from_mins(45)), person.zone),
            );
            let _ = cloud.reschedule(calendar, event, when, now);
        }
        _ => made.push((calendar.clone(), cloud.create_event(calendar, content, now).unwrap().id.clone())),
    });
}

fn year(what: &str, homes: Homes, people: usize) {
    block_on(async {
        let days = i64::try_from(env("CALSYNC_WATCH_DAYS", 365)).unwrap();
        let looks = lived(homes, people, days).await;
        println!("{days} days, {what}: {looks} looks, 0 alerts, 0 changes of level");
    });
}

#[test]
fn a_year_at_google_without_a_fault_tells_nobody_anything() {
    year("Google", GOOGLE, 1);
}

#[test]
fn a_year_at_microsoft_without_a_fault_tells_nobody_anything() {
    year("Microsoft", MICROSOFT, 1);
}

#[test]
fn a_year_without_anybody_tells_nobody_anything() {
    year("nobody there", GOOGLE, 0);
}
