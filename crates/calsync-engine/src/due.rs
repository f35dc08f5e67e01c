//! When each calendar of a user is due next, after a step: by the clock, by what waits, and never sooner than it makes
//! sense to try again.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::calendar::{AccountStatus, Calendar};
use calsync_core::hold::Hold;
use calsync_core::ids::CalendarId;
use calsync_core::leaving;
use calsync_core::ports::{NextDue, StoreError, UserState};
use calsync_core::rollout::Rollout;
use calsync_core::rule::Rule;
use calsync_core::schedule::{self, Intervals, Method};
use calsync_core::subscription::Subscription;
use calsync_core::time::Ts;
use jiff::SignedDuration;

use crate::Engine;
use crate::leaving::account_of;

/// A target that was tried and led nowhere (its account can't be used, its plan was refused) is tried again after this.
const STUCK_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// A calendar that was not served, and when it is tried again; `None`: never by itself.
pub(crate) struct Retry {
    pub(crate) seen_generation: i64,
    pub(crate) at: Option<Ts>,
}

impl Engine {
    /// When each calendar is due next.
    pub(crate) fn next_due(
        &self,
        state: &UserState,
        flags: &Rollout,
        retries: &BTreeMap<CalendarId, Retry>,
        stuck: &BTreeSet<CalendarId>,
        intervals: &Intervals,
    ) -> Vec<NextDue> {
        let now = self.clock.now();
        let next = |calendar: &Calendar| {
            let active = active_subscription(state, flags, calendar.id);
            let by_itself = match retries.get(&calendar.id) {
                // What arrived while the reading failed has not had its chance yet.
                Some(retry) if calendar.dirty_generation > retry.seen_generation => {
                    Some(schedule::read_not_before(calendar, now).unwrap_or(now))
                }
                Some(retry) => retry.at,
                None => schedule::next_due(calendar, active, intervals, now)
                    .or_else(|| last_look_at(state, calendar, now))
                    .map(|at| at.max(self.waited_for(calendar, intervals))),
            };
            let hold = state.holds.iter().find(|h| h.target == calendar.id);
            let planned = (calendar.plan_due && hold.is_none()).then_some(now);
            let waiting = state.waiting_writes.iter().find(|(id, _)| *id == calendar.id);
            // Under a hold, only what a person asked for waits there.
            let write = waiting.map(|(_, not_before)| not_before.unwrap_or(now));
            let patience = if stuck.contains(&calendar.id) { now.plus(STUCK_WAIT) } else { Ts::MIN };
            let work = [planned, write].into_iter().flatten().min().map(|at| at.max(patience));
            let looked_again =
                hold.filter(|hold| !hold.keeps_undone()).map(|hold| self.next_look(calendar, hold));
            let usable = account_is_active(state, calendar) && !calendar.missing && !calendar.is_stopped();
            let due_at = [by_itself, looked_again, work].into_iter().flatten().min().filter(|_| usable);
            NextDue { calendar: calendar.id, seen_generation: calendar.dirty_generation, due_at }
        };
        state.calendars.iter().map(next).collect()
    }

    /// Until when a reading that was not served waits for its next try: that others of the same person are worked on meanwhile
    /// is no reason to try. Whatever else asks for it makes it due at once. Never longer than between two polls: a clock that
    /// went back has left times far ahead.
    fn waited_for(&self, calendar: &Calendar, intervals: &Intervals) -> Ts {
        let latest = self.clock.now().plus(intervals.poll);
        calendar.due_at.filter(|at| calendar.is_dirty() && *at <= latest).unwrap_or(Ts::MIN)
    }

    /// When a held plan is looked at again. A look that has just been taken and did not agree (a source could not be
    /// read) is not repeated at once; one that still lies ahead stays where it is, however often others are due.
    fn next_look(&self, target: &Calendar, hold: &Hold) -> Ts {
        let now = self.clock.now();
        let agreed = hold.last_agreed_at.plus(self.config.hold_recheck);
        let later = now.plus(self.config.hold_recheck);
        let ahead = target.due_at.filter(|due| *due > now).map_or(later, |due| due.min(later));
        if agreed > now { agreed } else { ahead }
    }

    /// Sources of held targets whose second look is due.
    pub(crate) fn sources_to_recheck(
        &self,
        state: &UserState,
        rules: &[Rule],
        now: Ts,
    ) -> BTreeSet<CalendarId> {
        let due = |id: CalendarId| {
            state.calendars.iter().any(|c| c.id == id && c.due_at.is_some_and(|at| at <= now))
        };
        let ripe = |h: &&Hold| {
            !h.approved
                && !h.keeps_undone()
                && now >= h.last_agreed_at.plus(self.config.hold_recheck)
                && due(h.target)
        };
        let targets: BTreeSet<_> = state.holds.iter().filter(ripe).map(|h| h.target).collect();
        let usable = |id: &CalendarId| {
            let readable = |c: &Calendar| {
                let may = schedule::read_not_before(c, now).is_none_or(|at| now >= at);
                may && c.takes_part() && !c.missing && account_is_active(state, c)
            };
            state.calendars.iter().any(|c| c.id == *id && readable(c))
        };
        rules.iter().filter(|r| targets.contains(&r.target)).map(|r| r.source).filter(usable).collect()
    }
}

/// The channel to rely on, if the rollout flags let it be relied on. One whose opening the provider has not confirmed may
/// never have been opened (we died over it): until that is known, the calendar is polled.
pub(crate) fn active_subscription<'a>(
    state: &'a UserState,
    flags: &Rollout,
    calendar: CalendarId,
) -> Option<&'a Subscription> {
    let confirmed = state.subscriptions.iter().find(|s| s.calendar == calendar && !s.resource_id.is_empty());
    confirmed.filter(|_| flags.admits(calendar, &state.user))
}

impl Engine {
    /// How each of a user's calendars is kept up to date now.
    pub async fn methods(&self, state: &UserState) -> Result<BTreeMap<CalendarId, Method>, StoreError> {
        let (flags, now) = (self.rollout().await?, self.clock.now());
        let method = |calendar: &Calendar| {
            schedule::method(calendar, active_subscription(state, &flags, calendar.id), now)
        };
        Ok(state.calendars.iter().map(|calendar| (calendar.id, method(calendar))).collect())
    }
}

/// Whether a calendar's account can be used.
pub(crate) fn account_is_active(state: &UserState, calendar: &Calendar) -> bool {
    state.accounts.iter().any(|a| a.id == calendar.account && a.status == AccountStatus::Active)
}

/// When a calendar on its way out is read once more, if it is to be.
pub(crate) fn last_look_at(state: &UserState, calendar: &Calendar, now: Ts) -> Option<Ts> {
    let wanted = leaving::wants_last_look(calendar, account_of(state, calendar));
    wanted.then(|| schedule::read_not_before(calendar, now).unwrap_or(now).max(now))
}
