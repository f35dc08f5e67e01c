//! Watches over the watching: what is known of each calendar and its channel, whether it is covered at this moment, and what
//! became of its channel since the last look.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::calendar::Calendar;
use calsync_core::ids::{CalendarId, UserId};
use calsync_core::run::RunKind;
use calsync_core::schedule::{self, Intervals, Method};
use calsync_core::subscription::Subscription;
use calsync_core::time::Ts;
use calsync_engine::CalendarReport;
use calsync_sim::direct::CLIENT;

use super::super::world::World;
use super::tally::{Channels, Guard, Runs};
use crate::cli::exit::Failure;

/// A calendar and its channel, as they stood after the last step that could have changed them.
struct Seen {
    calendar: Calendar,
    /// The active one, if the provider has confirmed it.
    channel: Option<Subscription>,
}

/// All calendars of a world.
pub(super) struct Watch {
    seen: BTreeMap<CalendarId, Seen>,
    /// Whose blocks the brake holds.
    held: BTreeSet<UserId>,
    intervals: Intervals,
}

impl Watch {
    /// Everything as it stands.
    pub(super) async fn begin(world: &World) -> Result<Watch, Failure> {
        let mut watch =
            Watch { seen: BTreeMap::new(), held: BTreeSet::new(), intervals: Intervals::default() };
        for user in &world.users {
            watch.look(world, *user).await?;
        }
        Ok(watch)
    }

    /// Reads what stands of one person; what became of their channels.
    pub(super) async fn look(&mut self, world: &World, user: UserId) -> Result<Channels, Failure> {
        let mut all = Channels::default();
        let Some(state) = world.store.user_state(user).await? else { return Ok(all) };
        if state.holds.is_empty() {
            self.held.remove(&user)
        } else {
            self.held.insert(user)
        };
        for calendar in state.calendars {
            let confirmed = |s: &&Subscription| s.calendar == calendar.id && !s.resource_id.is_empty();
            let channel = state.subscriptions.iter().find(confirmed).cloned();
            let before = self.seen.get(&calendar.id).and_then(|seen| seen.channel.as_ref());
            all += became(before, channel.as_ref());
            self.seen.insert(calendar.id, Seen { calendar, channel });
        }
        Ok(all)
    }

    /// Whose blocks the brake holds.
    pub(super) fn held(&self) -> &BTreeSet<UserId> {
        &self.held
    }

    /// Whether each enabled calendar is covered then, by what was last seen.
    pub(super) fn check(&self, world: &World, at: Ts) -> Guard {
        let enabled = self.seen.values().filter(|s| s.calendar.sync_enabled && !s.calendar.missing);
        world.cloud.with(|cloud| {
            let mut guard = Guard::default();
            for seen in enabled {
                // Rows tell what we believe; only the provider knows whether the channel lives.
                let lives = |s: &Subscription| {
                    cloud.watch().find(CLIENT, &s.remote_id).is_some_and(|there| there.expires > at)
                };
                let channel = seen.channel.as_ref().filter(|s| !s.is_expired(at) && lives(s));
                guard.moments += 1;
                guard.uncovered += u64::from(channel.is_none() && !self.is_polled(seen, at));
            }
            guard
        })
    }

    /// Whether it is looked at by the clock within the polling interval: of a calendar without a channel, or of one whose
    /// channel does not deliver.
    fn is_polled(&self, seen: &Seen, at: Ts) -> bool {
        let interval =
            if seen.channel.is_none() { self.intervals.poll } else { self.intervals.fallback_poll };
        seen.calendar.due_at.is_some_and(|due| due <= at.plus(interval))
    }

    /// What asked for a run, by what was seen before it.
    pub(super) fn sort(&self, run: &CalendarReport, now: Ts) -> Runs {
        let one = Runs::default();
        let seen = self.seen.get(&run.calendar);
        let channel = seen.and_then(|s| s.channel.as_ref());
        let method = seen.map(|s| schedule::method(&s.calendar, channel, now));
        match run.kind {
            RunKind::Full => Runs { full: 1, ..one },
            RunKind::Webhook if !run.notifications.is_empty() => Runs { webhook: 1, ..one },
            RunKind::Webhook => Runs { own: 1, ..one },
            RunKind::Polling if channel.is_some_and(|s| s.delivery.unannounced.is_some()) => {
                Runs { second_looks: 1, ..one }
            }
            RunKind::Polling if method == Some(Method::Webhook) => Runs { probes: 1, ..one },
            RunKind::Polling => Runs { polls: 1, ..one },
            // Nothing is read by it, and no report tells of it.
            RunKind::Write => one,
        }
    }
}

/// What became of a calendar's channel.
fn became(before: Option<&Subscription>, after: Option<&Subscription>) -> Channels {
    let none = Channels::default();
    match (before, after) {
        (_, None) => none,
        (None, Some(_)) => Channels { opened: 1, ..none },
        (Some(before), Some(after)) => {
            let anew = before.id != after.id || before.last_renewal_at != after.last_renewal_at;
            let ailing = before.delivery.missed_streak > 0 || before.failure_count > 0;
            let missed = after.delivery.missed_streak > before.delivery.missed_streak;
            Channels {
                renewed: u64::from(anew && !ailing),
                repaired: u64::from(anew && ailing),
                misses: u64::from(missed),
                ..none
            }
        }
    }
}
