//! One day of a simulated world in which notices arrive the moment they arise, and the calls of the day: those that changes
//! lead to, and all others.

use jiff::SignedDuration;

use super::super::failed;
use super::super::world::{Shape, World};
use super::Day;
use crate::cli::exit::Failure;

/// Lives it: each person makes so many changes, at any time of the day.
pub(super) async fn live(shape: Shape, changes: u32) -> Result<Day, Failure> {
    let mut world = World::begin(shape).await?;
    let calendars: usize = world.life.people.iter().map(|p| p.calendars.len()).sum();
    let mut day = Day { calendars: calendars as u64, ..Day::default() };
    let long = SignedDuration::from_hours(24);
    let end = world.clock.now().plus(long);
    let mut deeds = world.any_moments(changes, long);
    loop {
        let deed = deeds.last().copied();
        let next = world.next(deed.map_or(end, |(at, _)| at.min(end))).await?;
        if next >= end {
            return Ok(day);
        }
        // What fell due is done first, so that its calls are not booked to the deed.
        world.go(next).await?;
        day.upkeep = day.upkeep.plus(world.provider.take());
        if let Some((_, who)) = deed.filter(|(at, _)| next >= *at) {
            deeds.pop().ok_or_else(|| failed("a deed that was not to be"))?;
            day.changed_calendars += world.act(who)?.1.len() as u64;
            world.go(next).await?;
            day.after_changes = day.after_changes.plus(world.provider.take());
            day.changes += 1;
        }
    }
}
