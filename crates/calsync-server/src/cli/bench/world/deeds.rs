//! What people of a world do, and when.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::time::Ts;
use calsync_sim::cloud::Cloud;
use calsync_sim::cloud::names::CalendarId;
use calsync_sim::life::Deed;
use calsync_sim::rng::Rng;
use jiff::SignedDuration;

use super::super::failed;
use super::{World, hours};
use crate::cli::exit::Failure;

/// Attempts at one deed: not every one that is chosen is possible just then.
const ATTEMPTS_MAX: u32 = 1_000;

impl World {
    /// So many moments of the time from now, for each person alike, the last one first; and who acts.
    pub(in crate::cli::bench) fn any_moments(
        &mut self,
        each: u32,
        within: SignedDuration,
    ) -> Vec<(Ts, usize)> {
        let (now, seconds) = (self.clock.now(), u64::try_from(within.as_secs()).unwrap_or(0));
        let who = (0..self.life.people.len()).flat_map(|who| std::iter::repeat_n(who, each as usize));
        let moment = |chance: &mut Rng| {
            now.plus(SignedDuration::from_secs(i64::try_from(chance.below(seconds)).unwrap_or(0)))
        };
        sorted(who.map(|who| (moment(&mut self.chance), who)).collect())
    }

    /// When people act who make so many changes on a weekday, until then, the last one first; and who.
    pub(in crate::cli::bench) fn waking_moments(&mut self, changes: u32, until: Ts) -> Vec<(Ts, usize)> {
        let now = self.clock.now();
        let mut all = Vec::new();
        for (who, person) in self.life.people.iter().enumerate() {
            for day in hours::days(person.zone, now, until) {
                let moments = hours::of_a_day(person.zone, day, changes, &mut self.chance);
                all.extend(moments.into_iter().filter(|at| *at > now && *at < until).map(|at| (at, who)));
            }
        }
        sorted(all)
    }

    /// Somebody does something; and which calendars it changed.
    pub(in crate::cli::bench) fn act(&mut self, who: usize) -> Result<(Deed, BTreeSet<CalendarId>), Failure> {
        let now = self.clock.now();
        let (person, life) = (self.life.people[who].clone(), &mut self.life);
        let done = self.cloud.with(|cloud| {
            let stand = |cloud: &Cloud| -> BTreeMap<CalendarId, u64> {
                cloud.calendars().map(|c| (c.id.clone(), c.log().last())).collect()
            };
            let before = stand(cloud);
            let deed = (0..ATTEMPTS_MAX).find_map(|_| life.act_as(cloud, &person, now));
            let deed = deed.ok_or_else(|| failed("nobody finds anything to do"))?;
            let changed = stand(cloud).into_iter().filter(|(id, last)| before.get(id) != Some(last));
            Ok((deed, changed.map(|(id, _)| id).collect()))
        });
        self.post();
        done
    }
}

fn sorted(mut moments: Vec<(Ts, usize)>) -> Vec<(Ts, usize)> {
    moments.sort_unstable_by_key(|moment| std::cmp::Reverse(*moment));
    moments
}
