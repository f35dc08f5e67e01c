//! One cloud's people live for so many days, and everything that happens is counted. Then nobody does anything any more until
//! the safety nets have been cast, and the oracle judges.

use std::collections::BTreeMap;

use calsync_core::ids::CalendarId;
use calsync_core::ports::Prunable;
use calsync_core::time::{Ts, Window};
use calsync_engine::StepReport;
use calsync_sim::cloud::names;
use calsync_sim::direct::CLIENT;
use calsync_sim::life::Touches;
use calsync_sim::oracle;
use jiff::SignedDuration;

use super::super::failed;
use super::super::world::{Passed, Shape, World};
use super::tally::Tally;
use super::watch::Watch;
use crate::cli::exit::Failure;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Within this each calendar is listed in full.
const NETS: SignedDuration = SignedDuration::from_hours(26);
/// What is over is forgotten after this: it is history only, and the memory store walks over it.
const KEPT: SignedDuration = SignedDuration::from_hours(48);
/// Rows that are forgotten at a time.
const FORGOTTEN: u32 = 100_000;

/// A calendar that somebody changed, and that was not read since.
struct Open {
    calendar: CalendarId,
    at: Ts,
    /// Its blocks are no other than before.
    idle: bool,
    /// The brake stood in the way.
    held: bool,
}

pub(super) struct Living {
    pub(super) world: World,
    watch: Watch,
    /// The cloud's calendars in our words.
    ours: BTreeMap<names::CalendarId, CalendarId>,
    open: Vec<Open>,
    tally: Tally,
}

/// Lives it.
pub(super) async fn live(shape: Shape, days: u32, changes: u32) -> Result<Tally, Failure> {
    let mut living = Living::begin(shape).await?;
    let long = DAY * i32::try_from(days).unwrap_or(i32::MAX);
    living.live(long, changes).await?;
    living.end().await
}

impl Living {
    pub(super) async fn begin(shape: Shape) -> Result<Living, Failure> {
        let world = World::begin(shape).await?;
        let watch = Watch::begin(&world).await?;
        let mut ours = BTreeMap::new();
        for user in &world.users {
            let state = world.store.user_state(*user).await?;
            let calendars = state.map(|s| s.calendars).unwrap_or_default();
            ours.extend(
                calendars.into_iter().map(|c| (names::CalendarId::from(c.remote.calendar.as_str()), c.id)),
            );
        }
        Ok(Living { world, watch, ours, open: Vec::new(), tally: Tally::default() })
    }

    /// For so long, with so many changes a person and weekday.
    pub(super) async fn live(&mut self, long: SignedDuration, changes: u32) -> Result<(), Failure> {
        let (mut midnight, end) = (self.world.clock.now().plus(DAY), self.world.clock.now().plus(long));
        let mut deeds = self.world.waking_moments(changes, end);
        loop {
            let deed = deeds.last().copied();
            let latest = deed.map_or(end, |(at, _)| at).min(midnight).min(end);
            let next = self.world.next(latest).await?;
            self.pass(next).await?;
            if let Some((_, who)) = deed.filter(|(at, _)| next >= *at) {
                deeds.pop();
                self.act(who)?;
            }
            if next >= midnight {
                self.close_day(midnight).await?;
                midnight = midnight.plus(DAY);
            }
            if next >= end {
                self.tally.calls = self.tally.calls.plus(self.world.provider.take());
                return Ok(());
            }
        }
    }

    /// Nothing happens any more, until every net has been cast: what it then came to.
    pub(super) async fn end(mut self) -> Result<Tally, Failure> {
        let mut lived = std::mem::take(&mut self.tally);
        self.live(NETS, 0).await?;
        self.judge();
        lived.unread = self.open.len() as u64;
        // What the nets cost is no part of the days; what they showed is.
        let Tally { guard, judged, waits, held, .. } = self.tally;
        lived += Tally { guard, judged, waits, held, ..Tally::default() };
        Ok(lived)
    }

    async fn pass(&mut self, next: Ts) -> Result<(), Failure> {
        let now = self.world.clock.now();
        if next > now {
            // Until just before, everything stood as it stands now.
            self.tally.guard += self.watch.check(&self.world, next.minus(SignedDuration::from_micros(1)));
        }
        let passed = self.world.go(next).await?;
        for step in &passed.steps {
            for run in &step.read {
                self.tally.runs += self.watch.sort(run, next);
            }
            self.tally.failed += step.errors.len() as u64;
        }
        self.look(&passed).await?;
        passed.steps.iter().for_each(|step| self.read(step, next));
        self.tally.guard += self.watch.check(&self.world, next);
        self.tally.notices.told += passed.told;
        self.tally.notices.lost += passed.lost;
        Ok(())
    }

    /// Looks at whatever may have changed.
    async fn look(&mut self, passed: &Passed) -> Result<(), Failure> {
        let channels = passed.asked || !passed.maintained.is_empty();
        for user in self.world.users.clone() {
            if channels || passed.steps.iter().any(|s| s.user == user) {
                self.tally.channels += self.watch.look(&self.world, user).await?;
            }
        }
        self.tally.channels.suspended +=
            passed.maintained.iter().map(|m| u64::from(m.suspended)).sum::<u64>();
        Ok(())
    }

    /// A reading of a changed calendar after which nothing waits has set its blocks right: reading and writing take no time
    /// here, so that all of the wait is until somebody looked.
    fn read(&mut self, step: &StepReport, now: Ts) {
        // A held plan is not made again each time: that it is held stands with the person.
        let is_held = self.watch.held().contains(&step.user);
        let done = step.waiting == 0 && step.errors.is_empty() && !is_held;
        let read = |open: &Open| step.read.iter().any(|r| r.calendar == open.calendar);
        let Tally { waits, held, .. } = &mut self.tally;
        self.open.retain_mut(|open| {
            if read(open) && !done {
                open.held |= is_held;
            }
            let over = read(open) && done;
            if over && open.held {
                *held += 1;
            } else if over && !open.idle {
                waits.push(u32::try_from(now.since(open.at).as_millis()).unwrap_or(u32::MAX));
            }
            !over
        });
    }

    fn act(&mut self, who: usize) -> Result<(), Failure> {
        let at = self.world.clock.now();
        let (deed, changed) = self.world.act(who)?;
        let idle = deed.touches == Touches::Nothing;
        let ours = changed.iter().filter_map(|id| self.ours.get(id));
        self.open.extend(ours.map(|calendar| Open { calendar: *calendar, at, idle, held: false }));
        self.tally.changes += 1;
        Ok(())
    }

    async fn close_day(&mut self, now: Ts) -> Result<(), Failure> {
        self.tally.calendar_days += self.ours.len() as u64;
        for what in [Prunable::Notifications, Prunable::Subscriptions, Prunable::Runs, Prunable::Figures] {
            self.world.store.prune(what, now.minus(KEPT), FORGOTTEN).await.map_err(failed)?;
        }
        // Nothing is open: then all must be right, or the waits counted here are none.
        if self.open.is_empty() && self.watch.held().is_empty() {
            self.judge();
        }
        Ok(())
    }

    fn judge(&mut self) {
        let config = calsync_engine::EngineConfig::default();
        let (past, future) = (config.window_past_days, config.window_future_days);
        let window = Window::sliding(self.world.clock.now(), past, future);
        let mesh = self.world.life.mesh();
        let judgement = self.world.cloud.with(|cloud| oracle::judge(cloud, CLIENT, &mesh, &window));
        self.tally.judged.note(&judgement);
    }
}
