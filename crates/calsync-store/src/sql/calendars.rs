//! Calendars in SQL: the provider's list, the switches, and what makes them due.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::calendar::{Calendar, Leaving, ListedCalendar};
use calsync_core::ids::{AccountId, CalendarId, UserId};
use calsync_core::ports::{CalendarChange, StoreError, Switch, Wish};
use calsync_core::time::Ts;

use super::SqlStore;
use super::columns::{self, select};
use super::db::{Bulk, Held, Tx};
use super::leaving::{join, leave};
use super::people::{hold_calendars, lock_user, say};
use super::value::{Val, vals};
use crate::rows::{AT_ONCE, missing};

impl SqlStore {
    pub(super) async fn calendar(&self, calendar: CalendarId) -> Result<Option<Calendar>, StoreError> {
        const SQL: &str = select!(
            calendar_columns,
            "FROM calendars c JOIN accounts a ON a.id = c.account_id WHERE c.id = $1"
        );
        self.db.one(SQL, vals![calendar]).await?.map(columns::calendar).transpose()
    }

    pub(super) async fn update_calendar_list(
        &self,
        account: AccountId,
        listed: &[(CalendarId, ListedCalendar)],
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        // Two listings of one account at once would each add its calendars.
        let user = tx.lock("SELECT user_id FROM accounts WHERE id = $1", vals![account]).await?;
        let user: UserId = user.ok_or_else(|| missing("account"))?.id()?;
        hold_calendars(&mut tx, user).await?;
        let back = listed.iter().map(|(_, item)| vals![account, item.remote_id.as_str(), AT_ONCE]);
        tx.bulk(&BACK, back.collect()).await?;
        tx.exec("UPDATE calendars SET missing = 1 WHERE account_id = $1 AND missing = 0", vals![account])
            .await?;
        // A calendar that is listed twice is one calendar: the last word counts.
        let listed: BTreeMap<&str, &(CalendarId, ListedCalendar)> =
            listed.iter().map(|item| (item.1.remote_id.as_str(), item)).collect();
        let rows = listed.values().map(|(id, item)| {
            Ok(vals![
                *id,
                account,
                user,
                item.remote_id.as_str(),
                item.name.as_str(),
                item.time_zone.as_str(),
                &item.colour,
                Val::word(&item.access)?,
                item.push_unsupported,
            ])
        });
        tx.bulk(&LISTED, rows.collect::<Result<_, StoreError>>()?)
            .await
            .map_err(|e| say(e, "another calendar has this id already"))?;
        tx.commit().await?;
        self.ring();
        Ok(())
    }

    pub(super) async fn change_calendar(
        &self,
        calendar: CalendarId,
        change: CalendarChange,
        now: Ts,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let user = owner(&mut tx, calendar).await?.ok_or_else(|| missing("calendar"))?;
        if matches!(change, CalendarChange::SyncEnabled(_) | CalendarChange::Leave(_)) {
            // Whoever is at work on them has read what is forgotten here, and must not go by it.
            tx.exec(FENCE_OFF, vals![user]).await?;
        }
        lock_user(&mut tx, user).await?;
        let mut raised = BTreeSet::from([calendar]);
        match change {
            CalendarChange::SyncEnabled(Switch::On) => {
                raised.extend(enable(&mut tx, calendar, user).await?);
            }
            CalendarChange::SyncEnabled(Switch::Off) => {
                leave(&mut tx, calendar, Leaving::Disabled, now).await?;
                raised.extend(plan_all(&mut tx, user).await?);
            }
            CalendarChange::Leave(why) => {
                leave(&mut tx, calendar, why, now).await?;
                raised.extend(plan_all(&mut tx, user).await?);
            }
            CalendarChange::WebhookEnabled(switch) => {
                let sql = "UPDATE calendars SET webhook_enabled = $2 WHERE id = $1";
                tx.exec(sql, vals![calendar, switch.is_on()]).await?;
                let sql = if switch.is_on() { WATCHABLE } else { RETIRE };
                let values = if switch.is_on() { vals![calendar] } else { vals![calendar, now] };
                tx.exec(sql, values).await?;
            }
            // From now on it is polled: whoever is at work on it must not go by what it saw before.
            CalendarChange::PushUnsupported => {
                tx.exec("UPDATE calendars SET push_unsupported = 1 WHERE id = $1", vals![calendar]).await?;
            }
        }
        raise(&mut tx, &raised, Wish::Changes, now).await?;
        tx.commit().await?;
        self.ring();
        Ok(())
    }

    pub(super) async fn raise(
        &self,
        calendars: &[CalendarId],
        wish: Wish,
        now: Ts,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        raise(&mut tx, &calendars.iter().copied().collect(), wish, now).await?;
        tx.commit().await?;
        self.ring();
        Ok(())
    }

    pub(super) async fn bring_forward(&self, calendars: &[(CalendarId, Ts)]) -> Result<(), StoreError> {
        let sooner: BTreeMap<CalendarId, Ts> = calendars.iter().copied().collect();
        let mut tx = self.db.begin().await?;
        let rows = sooner.into_iter().map(|(id, at)| vals![id, at]).collect();
        tx.bulk_in_order(&BRING_FORWARD, Held::Calendars, rows).await?;
        tx.commit().await?;
        self.ring();
        Ok(())
    }
}

/// Calendar, when: nothing is put off, and nobody is woken who takes no part.
const BRING_FORWARD: Bulk = Bulk {
    before: "UPDATE calendars SET due_at = v.column2 FROM (",
    after: ") AS v WHERE calendars.id = v.column1 AND calendars.sync_enabled = 1 AND calendars.missing = 0 \
            AND (calendars.due_at IS NULL OR calendars.due_at > v.column2)",
};

const LISTED: Bulk = Bulk {
    before: "INSERT INTO calendars \
             (id, account_id, user_id, remote_id, name, time_zone, colour, access, push_unsupported)",
    after: "ON CONFLICT (account_id, remote_id) DO UPDATE SET name = excluded.name, time_zone = excluded.time_zone, \
            colour = excluded.colour, access = excluded.access, missing = 0, push_unsupported = \
            CASE WHEN excluded.push_unsupported = 1 THEN 1 ELSE calendars.push_unsupported END",
};

/// What changed while a calendar was away was not told to anybody.
const BACK: Bulk = Bulk {
    before: "UPDATE calendars SET missing = 0, full_due = 1, dirty_generation = dirty_generation + 1, \
             due_at = CASE WHEN due_at < v.column3 THEN due_at ELSE v.column3 END FROM (",
    after: ") AS v WHERE calendars.account_id = v.column1 AND calendars.remote_id = v.column2 AND missing = 1",
};

/// Something outside a run is a reason to look at them: a run that is under way must not answer for it.
pub(super) async fn raise(
    tx: &mut Tx,
    calendars: &BTreeSet<CalendarId>,
    wish: Wish,
    now: Ts,
) -> Result<(), StoreError> {
    let full = wish == Wish::Full;
    let rows = calendars.iter().map(|id| vals![*id, now, 1_i64, full]).collect();
    tx.bulk_in_order(&RAISE, Held::Calendars, rows).await.map(drop)
}

/// Calendar, when, how often, whether in full: each calendar once.
pub(super) const RAISE: Bulk = Bulk {
    before: "UPDATE calendars SET dirty_generation = dirty_generation + v.column3, \
             due_at = CASE WHEN due_at < v.column2 THEN due_at ELSE v.column2 END, \
             open_since = CASE WHEN open_since < v.column2 THEN open_since ELSE v.column2 END, \
             full_due = CASE WHEN v.column4 = 1 THEN 1 ELSE full_due END FROM (",
    after: ") AS v WHERE calendars.id = v.column1",
};

/// Somebody wants it now: what was tried before counts no more.
const WATCHABLE: &str = "UPDATE calendars SET push_unsupported = 0, watch_after = 0 WHERE id = $1";

/// Nobody needs its channels any more: they are out of use at once, and closed at the provider as soon as that can be done.
pub(super) const RETIRE: &str = "UPDATE webhook_subscriptions SET status = 'suspended', close_at = $2 \
    WHERE calendar_id = $1 AND status = 'active'";

/// The holder's writes are refused from now on, as if another had taken over. Before the calendars, as everywhere.
pub(super) const FENCE_OFF: &str =
    "UPDATE leases SET owner = NULL, token = token + 1 WHERE user_id = $1 AND owner IS NOT NULL";

/// It takes part from now on; which calendars are planned again.
pub(super) async fn enable(
    tx: &mut Tx,
    calendar: CalendarId,
    user: UserId,
) -> Result<Vec<CalendarId>, StoreError> {
    join(tx, calendar).await?;
    tx.exec(WATCHABLE, vals![calendar]).await?;
    plan_all(tx, user).await
}

/// All calendars of a user that take part are planned again; which.
async fn plan_all(tx: &mut Tx, user: UserId) -> Result<Vec<CalendarId>, StoreError> {
    let sql = "UPDATE calendars SET plan_due = 1 WHERE user_id = $1 AND sync_enabled = 1 RETURNING id";
    tx.all(sql, vals![user]).await?.into_iter().map(|mut row| row.id()).collect()
}

/// Whose calendar it is.
pub(super) async fn owner(tx: &mut Tx, calendar: CalendarId) -> Result<Option<UserId>, StoreError> {
    let row = tx.one("SELECT user_id FROM calendars WHERE id = $1", vals![calendar]).await?;
    row.map(|mut row| row.id()).transpose()
}
