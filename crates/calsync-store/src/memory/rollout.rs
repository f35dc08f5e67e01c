//! Rollout in memory: what the flags were found to say of each calendar.

use calsync_core::ids::CalendarId;
use calsync_core::ports::{Admission, Admit, StoreError};
use calsync_core::time::Ts;

use super::people::retire;
use super::{State, due};

impl State {
    pub(super) fn admissions(
        &self,
        after: Option<CalendarId>,
        limit: u32,
    ) -> Result<Vec<Admission>, StoreError> {
        let later = self.calendars.values().filter(|c| after.is_none_or(|after| c.id > after));
        let admission = |c: &calsync_core::calendar::Calendar| {
            let user = self.users.get(&c.user)?.clone();
            Some(Admission { calendar: c.id, user, admitted: c.push_admitted })
        };
        Ok(later.take(limit as usize).filter_map(admission).collect())
    }

    pub(super) fn admit(&mut self, calendars: &[Admit], now: Ts) -> Result<(), StoreError> {
        for one in calendars {
            let Some(calendar) = self.calendars.get_mut(&one.calendar) else { continue };
            calendar.push_admitted = one.push.is_on();
            if one.push.is_on() {
                continue;
            }
            if calendar.sync_enabled {
                due(calendar, one.due_by);
            }
            retire(&mut self.subscriptions, one.calendar, now);
        }
        Ok(())
    }
}
