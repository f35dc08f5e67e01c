//! Subscriptions in SQL: one active per calendar and provider, older ones as history.

use std::collections::BTreeSet;

use calsync_core::calendar::{Calendar, ProviderKind};
use calsync_core::ids::{CalendarId, SubscriptionId};
use calsync_core::ports::{
    ChannelOpened, StoreError, SubscriptionCensus, SubscriptionCount, SubscriptionMetrics,
};
use calsync_core::subscription::{
    FAILING_FROM, LATE_FROM, LATE_LIVES, NEGLECTED_AFTER, RENEWAL_BUFFER, Subscription, SubscriptionStatus,
};
use calsync_core::time::Ts;

use super::SqlStore;
use super::columns::{self, select, subscription_columns};
use super::db::{Bulk, Held, Tx};
use super::people::say;
use super::value::{Row, Val, vals};
use crate::rows::missing;

const OF_CALENDAR: &str = select!(
    subscription_columns,
    "FROM webhook_subscriptions s WHERE s.calendar_id = $1 ORDER BY s.created_at DESC, s.id DESC"
);
pub(super) const TO_RENEW: &str = select!(
    subscription_columns,
    "FROM webhook_subscriptions s WHERE s.status = 'active' AND s.renew_at <= $1 ORDER BY s.renew_at, s.id LIMIT $2"
);
pub(super) const TO_CLOSE: &str = select!(
    subscription_columns,
    "FROM webhook_subscriptions s WHERE s.close_at IS NOT NULL AND s.close_at <= $1 ORDER BY s.close_at, s.id LIMIT $2"
);
/// The last sign of life, as the index has it.
macro_rules! alive_at {
    () => {
        "(CASE WHEN verified_at > coalesce(last_notification_at, created_at) THEN verified_at \
         ELSE coalesce(last_notification_at, created_at) END)"
    };
}
pub(super) const SILENT: &str = concat!(
    "SELECT ",
    subscription_columns!(),
    " FROM webhook_subscriptions s WHERE s.status = 'active' AND ",
    alive_at!(),
    " < $1 ORDER BY ",
    alive_at!(),
    ", s.id LIMIT $2"
);
pub(super) const FAILING: &str = select!(
    subscription_columns,
    "FROM webhook_subscriptions s WHERE s.status = 'active' AND s.failure_count > 0 AND s.failure_count >= $1 \
     ORDER BY s.failure_count DESC, s.id LIMIT $2"
);
pub(super) const UNWATCHED: &str = select!(
    calendar_columns,
    "FROM calendars c JOIN accounts a ON a.id = c.account_id \
     WHERE c.sync_enabled = 1 AND c.webhook_enabled = 1 AND c.missing = 0 AND c.push_unsupported = 0 \
     AND c.push_admitted = 1 AND a.status = 'active' AND c.watched = 0 AND c.watch_after <= $1 \
     ORDER BY c.watch_after, c.id LIMIT $2"
);
/// The first of what is to be done with channels: each the first entry of an index.
pub(super) const NEXT_DUE: &str = "SELECT min(at) FROM (\
     SELECT min(renew_at) AS at FROM webhook_subscriptions WHERE status = 'active' \
     UNION ALL SELECT min(expires_at) FROM webhook_subscriptions WHERE status = 'active' \
     UNION ALL SELECT min(close_at) FROM webhook_subscriptions WHERE close_at IS NOT NULL \
     UNION ALL SELECT at FROM (SELECT c.watch_after AS at FROM calendars c JOIN accounts a ON a.id = c.account_id \
     WHERE c.sync_enabled = 1 AND c.webhook_enabled = 1 AND c.missing = 0 AND c.push_unsupported = 0 \
     AND c.push_admitted = 1 AND c.watched = 0 AND a.status = 'active' ORDER BY c.watch_after, c.id LIMIT 1) AS first) \
     AS due";
/// So many late ones are counted, of those that anybody reads.
const LATE_MAX: u64 = 1_000;
/// How many there are is kept by triggers; the others are walks along indexes of what is wrong with some. A calendar that has just
/// been let in has had no chance yet: one for which opening has failed is to wait until some time. What has both
/// ended and fallen silent is unhealthy once. Late ones are counted up to a thousand: with that bound, and in that order,
/// PostgreSQL goes along the index of ends, though it takes most of what is active for ended (most rows have).
pub(super) const METRICS: &str = concat!(
    "SELECT CAST((SELECT coalesce(sum(subscriptions), 0) FROM subscription_figures WHERE status = 'active') AS BIGINT), \
     (SELECT count(*) FROM webhook_subscriptions WHERE status = 'active' AND expires_at <= $1), \
     (SELECT count(*) FROM webhook_subscriptions WHERE status = 'active' AND expires_at > $1 AND ",
    alive_at!(),
    " < $2), \
     (SELECT count(*) FROM webhook_subscriptions WHERE status = 'active' AND expires_at <= $3), \
     (SELECT count(*) FROM webhook_subscriptions \
      WHERE status = 'active' AND failure_count > 0 AND failure_count >= $4), \
     (SELECT count(*) FROM (SELECT 1 AS late FROM webhook_subscriptions WHERE status = 'active' AND expires_at <= $5 \
      AND expires_at - coalesce(last_renewal_at, created_at) > $6 ORDER BY expires_at LIMIT $7) AS late), \
     (SELECT count(*) FROM calendars c JOIN accounts a ON a.id = c.account_id \
      WHERE c.sync_enabled = 1 AND c.webhook_enabled = 1 AND c.missing = 0 AND c.push_unsupported = 0 \
      AND c.push_admitted = 1 AND a.status = 'active' AND c.watched = 0 AND c.watch_after > 0)"
);
/// The same of the channels of calendars that nobody can read, which are few: of a revoked account nobody hears anything, and none of
/// its channels is missed. The order of the tables is the one written here.
pub(super) const IDLE: &str = concat!(
    "SELECT count(*), coalesce(sum(CASE WHEN expires_at <= $1 THEN 1 ELSE 0 END), 0), \
     coalesce(sum(CASE WHEN expires_at > $1 AND ",
    alive_at!(),
    " < $2 THEN 1 ELSE 0 END), 0), \
     coalesce(sum(CASE WHEN expires_at <= $3 THEN 1 ELSE 0 END), 0), \
     coalesce(sum(CASE WHEN failure_count >= $4 THEN 1 ELSE 0 END), 0), \
     coalesce(sum(CASE WHEN expires_at <= $5 AND expires_at - coalesce(last_renewal_at, created_at) > $6 \
      THEN 1 ELSE 0 END), 0) \
     FROM (SELECT s.* FROM accounts a CROSS JOIN calendars c CROSS JOIN webhook_subscriptions s \
      WHERE a.status <> 'active' AND c.user_id = a.user_id AND c.account_id = a.id AND s.calendar_id = c.id \
      AND s.status = 'active' \
      UNION ALL SELECT s.* FROM calendars c CROSS JOIN accounts a CROSS JOIN webhook_subscriptions s \
      WHERE c.missing = 1 AND c.watched > 0 AND a.id = c.account_id AND a.status = 'active' \
      AND s.calendar_id = c.id AND s.status = 'active') AS idle"
);
pub(super) const CENSUS: &str = "SELECT provider, status, CAST(sum(subscriptions) AS BIGINT) FROM subscription_figures \
    GROUP BY provider, status HAVING sum(subscriptions) > 0";

/// The one that was replaced is active again, unless it ended or another one is active by now.
const REINSTATE: &str = "UPDATE webhook_subscriptions SET status = 'active', close_at = NULL \
    WHERE EXISTS (SELECT 1 FROM calendars c WHERE c.id = webhook_subscriptions.calendar_id AND c.sync_enabled = 1 \
     AND c.webhook_enabled = 1 AND c.push_admitted = 1) AND id = $1 AND status = 'expired' AND expires_at > $2 AND NOT EXISTS \
    (SELECT 1 FROM webhook_subscriptions o WHERE o.calendar_id = webhook_subscriptions.calendar_id \
     AND o.provider = webhook_subscriptions.provider AND o.status = 'active')";

/// Calendars whose subscriptions expire. In portions: after a week of standstill all channels there are have ended, and
/// nobody must wait for all of them.
pub(super) const EXPIRING: &str = "SELECT calendar_id FROM webhook_subscriptions \
    WHERE status = 'active' AND expires_at <= $1 ORDER BY expires_at, id LIMIT 500";
/// Calendar, by when.
pub(super) const EXPIRE: Bulk = Bulk {
    before: "UPDATE webhook_subscriptions SET status = 'expired' FROM (",
    after: ") AS v WHERE calendar_id = v.column1 AND status = 'active' AND expires_at <= v.column2",
};

pub(super) const ENDED: &str = select!(
    subscription_columns,
    "FROM webhook_subscriptions s WHERE s.status = 'active' AND s.expires_at <= $1 ORDER BY s.expires_at, s.id LIMIT $2"
);
/// A walk through the whole table, for a person who asks.
const COUNTS: &str = "SELECT provider, status, count(*), CAST(coalesce(sum(heard), 0) AS BIGINT), \
    CAST(coalesce(sum(missed), 0) AS BIGINT) FROM webhook_subscriptions GROUP BY provider, status \
    ORDER BY provider, status";

/// A calendar, if a channel is wanted for it.
const WANTED: &str = "SELECT id FROM calendars \
    WHERE id = $1 AND sync_enabled = 1 AND webhook_enabled = 1 AND push_admitted = 1";
/// The calendar of a subscription.
const ITS_CALENDAR: &str =
    "SELECT id FROM calendars WHERE id = (SELECT calendar_id FROM webhook_subscriptions WHERE id = $1)";

const TAKEN: &str = "the calendar has an active subscription already, or the channel id is taken or too long";

impl SqlStore {
    pub(super) async fn begin_subscription(
        &self,
        new: &Subscription,
        replaces: Option<SubscriptionId>,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let wanted = tx.lock(WANTED, vals![new.calendar]).await?;
        if wanted.is_none() && new.status == SubscriptionStatus::Active {
            // Whoever asks has read it before it left.
            return Err(StoreError::Conflict("the calendar is gone, or is not to be watched".to_owned()));
        }
        if let Some(old) = replaces {
            let sql = "UPDATE webhook_subscriptions SET status = 'expired', close_at = $2 WHERE id = $1";
            tx.exec(sql, vals![old, new.expires_at]).await?;
        }
        let sql = "INSERT INTO webhook_subscriptions (id, calendar_id, provider, subscription_id, webhook_url, \
                   resource_id, token_hash, created_at, expires_at, status, last_notification_at, verified_at, \
                   last_renewal_at, failure_count, renew_at, close_at, heard, missed, missed_streak, unannounced_at, \
                   unannounced, provider_metadata) VALUES \
                   ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
        tx.exec(sql, values(new)?).await.map_err(|e| say(e, TAKEN))?;
        tx.commit().await
    }

    pub(super) async fn confirm_subscription(&self, opened: &ChannelOpened<'_>) -> Result<(), StoreError> {
        let sql = "UPDATE webhook_subscriptions SET subscription_id = $2, resource_id = $3, expires_at = $4, \
                   last_renewal_at = $5, renew_at = $6, status = 'active', close_at = NULL, \
                   failure_count = missed_streak WHERE id = $1 AND status = 'active'";
        let ChannelOpened { id, remote_id, resource, expires_at, renew_at, replaces, now } = *opened;
        let mut tx = self.db.begin().await?;
        lock_calendar(&mut tx, id).await?;
        if let Some(old) = replaces {
            let sql = "UPDATE webhook_subscriptions SET close_at = $2 WHERE id = $1 AND close_at IS NOT NULL";
            tx.exec(sql, vals![old, now]).await?;
        }
        let changed = tx.exec(sql, vals![id, remote_id, resource, expires_at, now, renew_at]).await;
        found(changed.map_err(|e| say(e, TAKEN))?)?;
        tx.commit().await
    }

    pub(super) async fn abandon_subscription(
        &self,
        id: SubscriptionId,
        replaced: Option<SubscriptionId>,
        now: Ts,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        lock_calendar(&mut tx, id).await?;
        found(tx.exec("UPDATE webhook_subscriptions SET status = 'failed' WHERE id = $1", vals![id]).await?)?;
        if let Some(replaced) = replaced {
            tx.exec(REINSTATE, vals![replaced, now]).await?;
        }
        tx.commit().await
    }

    pub(super) async fn set_subscription_status(
        &self,
        id: SubscriptionId,
        status: SubscriptionStatus,
        close_at: Option<Ts>,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE webhook_subscriptions SET status = $2, close_at = $3 WHERE id = $1";
        let mut tx = self.db.begin().await?;
        lock_calendar(&mut tx, id).await?;
        found(tx.exec(sql, vals![id, status.as_str(), close_at]).await.map_err(|e| say(e, TAKEN))?)?;
        tx.commit().await
    }

    pub(super) async fn learn_channel(
        &self,
        id: SubscriptionId,
        remote_id: &str,
        resource: &str,
        expires_at: Ts,
        now: Ts,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE webhook_subscriptions SET subscription_id = $2, resource_id = $3, expires_at = $4, \
                   close_at = $5 WHERE id = $1 AND status <> 'active' AND resource_id = ''";
        let changed = self.db.exec(sql, vals![id, remote_id, resource, expires_at, now]).await;
        Ok(changed.map_err(|e| say(e, TAKEN))? == 1)
    }

    pub(super) async fn subscriptions(&self, calendar: CalendarId) -> Result<Vec<Subscription>, StoreError> {
        self.read(OF_CALENDAR, vals![calendar]).await
    }

    pub(super) async fn subscriptions_to_renew(
        &self,
        now: Ts,
        limit: u32,
    ) -> Result<Vec<Subscription>, StoreError> {
        self.read(TO_RENEW, vals![now, limit]).await
    }

    pub(super) async fn postpone_renewal(&self, id: SubscriptionId, until: Ts) -> Result<(), StoreError> {
        let sql = "UPDATE webhook_subscriptions SET renew_at = $2 WHERE id = $1";
        found(self.db.exec(sql, vals![id, until]).await?)
    }

    pub(super) async fn subscriptions_to_close(
        &self,
        now: Ts,
        limit: u32,
    ) -> Result<Vec<Subscription>, StoreError> {
        self.read(TO_CLOSE, vals![now, limit]).await
    }

    pub(super) async fn put_closing(
        &self,
        id: SubscriptionId,
        close_at: Option<Ts>,
    ) -> Result<(), StoreError> {
        // In use again, it is nobody's to close.
        let sql = "UPDATE webhook_subscriptions SET close_at = $2 WHERE id = $1 AND status <> 'active'";
        self.db.exec(sql, vals![id, close_at]).await.map(drop)
    }

    pub(super) async fn subscriptions_silent(
        &self,
        since: Ts,
        limit: u32,
    ) -> Result<Vec<Subscription>, StoreError> {
        self.read(SILENT, vals![since, limit]).await
    }

    pub(super) async fn subscriptions_failing(
        &self,
        at_least: u32,
        limit: u32,
    ) -> Result<Vec<Subscription>, StoreError> {
        self.read(FAILING, vals![at_least, limit]).await
    }

    async fn read(&self, sql: &'static str, vals: Vec<Val>) -> Result<Vec<Subscription>, StoreError> {
        self.db.all(sql, vals).await?.into_iter().map(columns::subscription).collect()
    }

    pub(super) async fn unwatched_calendars(&self, now: Ts, limit: u32) -> Result<Vec<Calendar>, StoreError> {
        self.db.all(UNWATCHED, vals![now, limit]).await?.into_iter().map(columns::calendar).collect()
    }

    pub(super) async fn postpone_opening(&self, calendar: CalendarId, until: Ts) -> Result<(), StoreError> {
        let sql = "UPDATE calendars SET watch_after = $2 WHERE id = $1";
        match self.db.exec(sql, vals![calendar, until]).await? {
            0 => Err(missing("calendar")),
            _ => Ok(()),
        }
    }

    pub(super) async fn next_channel_due(&self) -> Result<Option<Ts>, StoreError> {
        let row = self.db.one(NEXT_DUE, vals![]).await?;
        row.map_or(Ok(None), |mut row| row.opt_ts())
    }

    pub(super) async fn subscriptions_ended(
        &self,
        now: Ts,
        limit: u32,
    ) -> Result<Vec<Subscription>, StoreError> {
        self.read(ENDED, vals![now, limit]).await
    }

    pub(super) async fn subscription_counts(&self) -> Result<Vec<SubscriptionCount>, StoreError> {
        let unreadable =
            || StoreError::Corrupt("a subscription has an unknown provider or status".to_owned());
        let count = |mut row: Row| {
            let provider = ProviderKind::parse(&row.text()?).ok_or_else(unreadable)?;
            let status = SubscriptionStatus::parse(&row.text()?).ok_or_else(unreadable)?;
            let (count, heard, missed) = (row.num()?, row.num()?, row.num()?);
            Ok(SubscriptionCount { provider, status, count, heard, missed })
        };
        self.db.all(COUNTS, vals![]).await?.into_iter().map(count).collect()
    }

    pub(super) async fn expire_subscriptions(&self, now: Ts) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let mut tx = self.db.begin().await?;
            let calendars = tx.all(EXPIRING, vals![now]).await?.into_iter().map(|mut row| row.id());
            let calendars = calendars.collect::<Result<BTreeSet<CalendarId>, StoreError>>()?;
            if calendars.is_empty() {
                return Ok(all);
            }
            let rows = calendars.into_iter().map(|calendar| vals![calendar, now]).collect();
            all += tx.bulk_in_order(&EXPIRE, Held::Calendars, rows).await?;
            tx.commit().await?;
        }
    }

    pub(super) async fn subscription_metrics(&self, now: Ts) -> Result<SubscriptionMetrics, StoreError> {
        let (silent, renewal) = (now.minus(NEGLECTED_AFTER), now.plus(RENEWAL_BUFFER));
        let (late, lives) = (now.plus(LATE_FROM), LATE_FROM * LATE_LIVES);
        let lives = i64::try_from(lives.as_micros()).unwrap_or(i64::MAX);
        let known = vals![now, silent, renewal, FAILING_FROM, late, lives];
        let mut idle = self.db.figure(IDLE, known).await?;
        let mut idle = || idle.num::<u64>();
        let idle = [idle()?, idle()?, idle()?, idle()?, idle()?, idle()?];
        let late_max = i64::try_from(LATE_MAX.saturating_add(idle[5])).unwrap_or(i64::MAX);
        let known = vals![now, silent, renewal, FAILING_FROM, late, lives, late_max];
        let mut all = self.db.figure(METRICS, known).await?;
        let mut idle = idle.into_iter();
        let mut next = || -> Result<u64, StoreError> {
            Ok(all.num::<u64>()?.saturating_sub(idle.next().unwrap_or_default()))
        };
        let (active, ended, silent) = (next()?, next()?, next()?);
        let (expiring, failing, late) = (next()?, next()?, next()?);
        Ok(SubscriptionMetrics {
            active,
            healthy: active.saturating_sub(ended + silent),
            expiring,
            failing,
            late,
            unwatched: all.num()?,
        })
    }

    pub(super) async fn census(&self) -> Result<Vec<SubscriptionCensus>, StoreError> {
        let one = |mut row: Row| {
            Ok(SubscriptionCensus { provider: row.word()?, status: row.word()?, count: row.num()? })
        };
        let rows = self.db.all(CENSUS, vals![]).await?;
        let mut census: Vec<SubscriptionCensus> =
            rows.into_iter().map(one).collect::<Result<_, StoreError>>()?;
        // Sorted here: databases put them in the order of their names.
        census.sort_by_key(|one| (one.provider, one.status));
        Ok(census)
    }
}

/// Whoever changes both locks the calendar first, and a trigger counts its active subscriptions there.
async fn lock_calendar(tx: &mut Tx, subscription: SubscriptionId) -> Result<(), StoreError> {
    tx.lock(ITS_CALENDAR, vals![subscription]).await.map(drop)
}

fn found(changed: u64) -> Result<(), StoreError> {
    if changed == 1 { Ok(()) } else { Err(missing("subscription")) }
}

fn values(new: &Subscription) -> Result<Vec<Val>, StoreError> {
    let mut values = vals![
        new.id,
        new.calendar,
        new.provider.as_str(),
        new.remote_id.as_str(),
        new.webhook_url.as_str(),
        new.resource_id.as_str(),
        new.token_hash.clone(),
        new.created_at,
        new.expires_at,
        new.status.as_str(),
        new.last_notification_at,
        new.verified_at,
        new.last_renewal_at,
        new.failure_count,
        new.renew_at,
        new.close_at,
    ];
    values.extend(columns::delivery_values(&new.delivery));
    values.push(Val::json(&new.provider_metadata)?);
    Ok(values)
}
