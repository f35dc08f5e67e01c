//! Rollout in SQL: what the flags were found to say of each calendar.

use std::collections::BTreeMap;

use calsync_core::calendar::User;
use calsync_core::ids::CalendarId;
use calsync_core::ports::{Admission, Admit, StoreError};
use calsync_core::time::Ts;

use super::SqlStore;
use super::db::{Bulk, Held};
use super::value::{Row, vals};

pub(super) const FIRST: &str = "SELECT c.id, c.push_admitted, u.id, u.email, u.is_staff, u.created_at \
    FROM calendars c JOIN users u ON u.id = c.user_id ORDER BY c.id LIMIT $1";
pub(super) const AFTER: &str = "SELECT c.id, c.push_admitted, u.id, u.email, u.is_staff, u.created_at \
    FROM calendars c JOIN users u ON u.id = c.user_id WHERE c.id > $2 ORDER BY c.id LIMIT $1";

/// Calendar, whether it may push, by when it is due if it may not.
pub(super) const ADMIT: Bulk = Bulk {
    before: "UPDATE calendars SET push_admitted = v.column2, due_at = \
             CASE WHEN v.column2 = 1 OR sync_enabled = 0 OR due_at < v.column3 THEN due_at ELSE v.column3 END FROM (",
    after: ") AS v WHERE calendars.id = v.column1",
};

/// Calendar, when.
pub(super) const RETIRE: Bulk = Bulk {
    before: "UPDATE webhook_subscriptions SET status = 'suspended', close_at = v.column2 FROM (",
    after: ") AS v WHERE webhook_subscriptions.calendar_id = v.column1 AND webhook_subscriptions.status = 'active'",
};

impl SqlStore {
    pub(super) async fn admissions(
        &self,
        after: Option<CalendarId>,
        limit: u32,
    ) -> Result<Vec<Admission>, StoreError> {
        let rows = match after {
            None => self.db.all(FIRST, vals![limit]).await?,
            Some(after) => self.db.all(AFTER, vals![limit, after]).await?,
        };
        rows.into_iter().map(admission).collect()
    }

    pub(super) async fn admit(&self, calendars: &[Admit], now: Ts) -> Result<(), StoreError> {
        // Each once: the last word counts.
        let calendars: BTreeMap<CalendarId, &Admit> =
            calendars.iter().map(|one| (one.calendar, one)).collect();
        let mut tx = self.db.begin().await?;
        let rows = calendars.values().map(|one| vals![one.calendar, one.push.is_on(), one.due_by]).collect();
        tx.bulk_in_order(&ADMIT, Held::Calendars, rows).await?;
        let out = calendars.values().filter(|one| !one.push.is_on()).map(|one| vals![one.calendar, now]);
        tx.bulk(&RETIRE, out.collect()).await?;
        tx.commit().await?;
        self.ring();
        Ok(())
    }
}

fn admission(mut row: Row) -> Result<Admission, StoreError> {
    let (calendar, admitted) = (row.id()?, row.flag()?);
    let user = User { id: row.id()?, email: row.text()?, is_staff: row.flag()?, created_at: row.ts()? };
    Ok(Admission { calendar, user, admitted })
}
