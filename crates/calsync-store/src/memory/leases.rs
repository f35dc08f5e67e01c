//! Leases in memory: who works on what, and what is due.

use std::collections::BTreeSet;

use calsync_core::ids::{CalendarId, UserId};
use calsync_core::ports::{ClaimedUser, Lease, NextDue, Overdue, StoreError, Wish};
use calsync_core::time::Ts;
use jiff::SignedDuration;

use super::{Held, State, due, raise};
use crate::rows::{lost, user_of_resource, user_resource};

impl State {
    pub(super) fn raise(&mut self, calendars: &[CalendarId], wish: Wish, now: Ts) -> Result<(), StoreError> {
        let wanted: BTreeSet<CalendarId> = calendars.iter().copied().collect();
        for calendar in self.calendars.values_mut().filter(|c| wanted.contains(&c.id)) {
            raise(calendar, now);
            calendar.full_due |= wish == Wish::Full;
        }
        Ok(())
    }

    pub(super) fn bring_forward(&mut self, calendars: &[(CalendarId, Ts)]) -> Result<(), StoreError> {
        for (id, at) in calendars {
            if let Some(calendar) = self.calendars.get_mut(id).filter(|c| c.sync_enabled && !c.missing) {
                due(calendar, *at);
            }
        }
        Ok(())
    }

    pub(super) fn claim_due_user(
        &mut self,
        owner: &str,
        now: Ts,
        until: Ts,
    ) -> Result<Option<ClaimedUser>, StoreError> {
        let due = self.calendars.values().filter_map(|c| Some((c.due_at.filter(|at| *at <= now)?, c.user)));
        let next = due.filter(|(_, user)| !self.is_held(&user_resource(*user), now)).min();
        match next {
            Some((_, user)) => self.claim_user(user, owner, now, until),
            None => Ok(None),
        }
    }

    pub(super) fn claim_user(
        &mut self,
        user: UserId,
        owner: &str,
        now: Ts,
        until: Ts,
    ) -> Result<Option<ClaimedUser>, StoreError> {
        let lease = self.claim_lease(&user_resource(user), owner, now, until)?;
        Ok(lease.map(|lease| ClaimedUser { user, lease }))
    }

    pub(super) fn claim_lease(
        &mut self,
        resource: &str,
        owner: &str,
        now: Ts,
        until: Ts,
    ) -> Result<Option<Lease>, StoreError> {
        let nobody = user_of_resource(resource).is_some_and(|user| !self.users.contains_key(&user));
        if nobody || self.is_held(resource, now) {
            return Ok(None);
        }
        let token = self.leases.get(resource).map_or(0, |held| held.token) + 1;
        let held = Held { owner: Some(owner.to_owned()), token, claimed_at: now, expires_at: until };
        self.leases.insert(resource.to_owned(), held);
        let (resource, owner) = (resource.to_owned(), owner.to_owned());
        Ok(Some(Lease { resource, owner, token, expires_at: until }))
    }

    fn is_held(&self, resource: &str, now: Ts) -> bool {
        // Who claimed it in an hour or later had a clock that was wrong.
        let claimed = |held: &Held| held.claimed_at <= now.plus(SignedDuration::from_hours(1));
        let held = self.leases.get(resource).filter(|held| held.owner.is_some() && claimed(held));
        held.is_some_and(|held| held.expires_at > now)
    }

    /// The holder's writes are refused from now on, as if another had taken over.
    pub(super) fn fence_off(&mut self, resource: &str) {
        if let Some(held) = self.leases.get_mut(resource).filter(|held| held.owner.is_some()) {
            held.owner = None;
            held.token += 1;
        }
    }

    /// Every fenced method begins here. A lease that ran out is still good while nobody has taken it.
    pub(super) fn fence(&mut self, lease: &Lease) -> Result<&mut Held, StoreError> {
        self.leases
            .get_mut(&lease.resource)
            .filter(|held| held.owner.as_deref() == Some(&lease.owner) && held.token == lease.token)
            .ok_or_else(|| lost(lease))
    }

    pub(super) fn renew_lease(&mut self, lease: &Lease, until: Ts) -> Result<Lease, StoreError> {
        self.fence(lease)?.expires_at = until;
        Ok(Lease { expires_at: until, ..lease.clone() })
    }

    pub(super) fn overdue(&self, before: Ts, now: Ts, limit: u32) -> Result<Vec<Overdue>, StoreError> {
        let due =
            self.calendars.values().filter_map(|c| Some((c.due_at.filter(|at| *at < before)?, c.user, c.id)));
        let mut found: Vec<_> = due.collect();
        found.sort();
        let overdue = |(due_at, user, calendar): (Ts, UserId, CalendarId)| {
            let held = self.leases.get(&user_resource(user)).filter(|held| held.expires_at > now);
            Overdue { calendar, due_at, held_by: held.and_then(|held| held.owner.clone()) }
        };
        Ok(found.into_iter().take(limit as usize).map(overdue).collect())
    }

    pub(super) fn release(&mut self, lease: &Lease, next: &[NextDue]) -> Result<(), StoreError> {
        self.fence(lease)?.owner = None;
        for next in next {
            if let Some(calendar) = self.calendars.get_mut(&next.calendar)
                && calendar.dirty_generation == next.seen_generation
            {
                calendar.due_at = next.due_at;
            }
        }
        Ok(())
    }

    pub(super) fn next_due(&self) -> Result<Option<Ts>, StoreError> {
        Ok(self.calendars.values().filter_map(|c| c.due_at).min())
    }
}
