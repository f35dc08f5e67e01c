//! What people leaf through, in SQL: each statement walks one index from where a page goes on, and reads no more rows than are to
//! be looked through.

use std::collections::BTreeMap;

use calsync_core::freshness::Delays;
use calsync_core::ids::{NotificationId, RuleId, SubscriptionId};
use calsync_core::notification::ProcessingStatus;
use calsync_core::ports::{
    AuditLine, Bookmark, NotificationQuery, NotificationSeen, Page, Recent, RuleRow, RulesOf, StoreError,
    SubscriptionQuery, SubscriptionRow, SubscriptionsOf, audit_looks_through,
};
use calsync_core::subscription::{FAILING_FROM, SubscriptionStatus};
use calsync_core::time::Ts;
use uuid::Uuid;

use super::SqlStore;
use super::columns::{self, notification_columns, subscription_columns};
use super::db::Bulk;
use super::value::{Row, Val, vals};

/// Channels of one calendar whose notifications are listed: the newest.
const CHANNELS: u32 = 50;

/// Subscriptions with their place in a listing, their calendar's name and their owner's address.
macro_rules! subscriptions {
    ($value:expr, $rest:expr) => {
        concat!(
            "SELECT ",
            $value,
            ", s.id, c.name, u.email, ",
            subscription_columns!(),
            " FROM webhook_subscriptions s JOIN calendars c ON c.id = s.calendar_id JOIN users u ON u.id = c.user_id WHERE ",
            $rest
        )
    };
}

pub(super) const ALL: &str = subscriptions!("CAST(0 AS BIGINT)", "s.id < $1 ORDER BY s.id DESC LIMIT $2");
/// Each state has a statement of its own: how many there are of it decides by which index PostgreSQL goes, and of a state that it
/// is told later it knows nothing.
macro_rules! in_status {
    ($status:literal) => {
        subscriptions!(
            "CAST(0 AS BIGINT)",
            concat!(
                "s.status = '",
                $status,
                "' AND s.status <> 'active' AND s.id < $1 ORDER BY s.id DESC LIMIT $2"
            )
        )
    };
}
pub(super) const EXPIRED: &str = in_status!("expired");
pub(super) const FAILED: &str = in_status!("failed");
pub(super) const SUSPENDED: &str = in_status!("suspended");
pub(super) const OF_PERSON: &str =
    subscriptions!("CAST(0 AS BIGINT)", "c.user_id = $3 AND s.id < $1 ORDER BY s.id DESC LIMIT $2");
pub(super) const FAILING: &str = subscriptions!(
    "s.failure_count",
    "s.status = 'active' AND s.failure_count > 0 AND s.failure_count >= $4 AND s.failure_count <= $1 \
     AND (s.failure_count < $1 OR s.id < $2) ORDER BY s.failure_count DESC, s.id DESC LIMIT $3"
);
pub(super) const ENDING: &str = subscriptions!(
    "s.expires_at",
    "s.status = 'active' AND s.expires_at <= $4 AND s.expires_at >= $1 AND (s.expires_at > $1 OR s.id > $2) \
     ORDER BY s.expires_at, s.id LIMIT $3"
);
/// The last sign of life, as the index has it.
macro_rules! alive_at {
    () => {
        "(CASE WHEN s.verified_at > coalesce(s.last_notification_at, s.created_at) THEN s.verified_at \
         ELSE coalesce(s.last_notification_at, s.created_at) END)"
    };
}
pub(super) const SILENT: &str = subscriptions!(
    alive_at!(),
    concat!(
        "s.status = 'active' AND ",
        alive_at!(),
        " < $4 AND ",
        alive_at!(),
        " >= $1 AND (",
        alive_at!(),
        " > $1 OR s.id > $2) ORDER BY ",
        alive_at!(),
        ", s.id LIMIT $3"
    )
);

macro_rules! notifications {
    ($which:expr) => {
        concat!(
            "SELECT n.id, s.calendar_id, s.provider, n.received_at, n.processing_status, n.processing_time_ms, \
             n.error_message FROM webhook_notifications n JOIN webhook_subscriptions s ON s.id = n.subscription_id WHERE ",
            $which,
            " n.received_at <= $1 AND (n.received_at < $1 OR n.id < $2) \
             ORDER BY n.received_at DESC, n.id DESC LIMIT $3"
        )
    };
}
pub(super) const RECEIVED: &str = notifications!("");
pub(super) const RECEIVED_OF_CHANNEL: &str = notifications!("n.subscription_id = $4 AND");
pub(super) const PENDING: &str = notifications!("n.processing_status = 'pending' AND");
const PROCESSING: &str = notifications!("n.processing_status = 'processing' AND");
const COMPLETED: &str = notifications!("n.processing_status = 'completed' AND");
const GIVEN_UP: &str = notifications!("n.processing_status = 'failed' AND");
const RETRYING: &str = notifications!("n.processing_status = 'retrying' AND");
const CHANNELS_OF: &str = "SELECT id FROM webhook_subscriptions WHERE calendar_id = $1 \
    ORDER BY created_at DESC, id DESC LIMIT $2";
const ONE: &str = concat!(
    "SELECT c.id, c.name, u.email, s.provider, ",
    notification_columns!(of n),
    " FROM webhook_notifications n JOIN webhook_subscriptions s ON s.id = n.subscription_id \
     JOIN calendars c ON c.id = s.calendar_id JOIN users u ON u.id = c.user_id WHERE n.id = $1"
);

macro_rules! rules {
    ($rest:literal) => {
        concat!(
            "SELECT a.name, b.name, u.email, f.rule_id, f.source, f.target, f.standing, f.since, f.right_at, f.promised_until \
             FROM rule_freshness f JOIN calendars a ON a.id = f.source JOIN calendars b ON b.id = f.target \
             JOIN users u ON u.id = f.user_id WHERE ",
            $rest
        )
    };
}
pub(super) const PROMISED: &str = rules!(
    "f.promised_until >= $1 AND (f.promised_until > $1 OR f.rule_id > $2) ORDER BY f.promised_until, f.rule_id LIMIT $3"
);
pub(super) const UNPROMISED: &str =
    rules!("f.promised_until IS NULL AND f.rule_id > $1 ORDER BY f.rule_id LIMIT $2");
/// Rule, from which hour on. Rules first: SQLite takes these words for an order.
pub(super) const DELAYS: Bulk = Bulk {
    before: "SELECT d.rule_id, d.bucket, CAST(sum(d.changes) AS BIGINT) FROM (",
    after: ") AS v CROSS JOIN rule_delays d WHERE d.rule_id = v.column1 AND d.hour >= v.column2 GROUP BY d.rule_id, d.bucket",
};

/// Whoever did it: one who does little would be looked for through all of it.
pub(super) const AUDIT: &str =
    "SELECT seq, at, who, what FROM audit_log WHERE seq < $1 ORDER BY seq DESC LIMIT $2";

impl SqlStore {
    pub(super) async fn subscription_page(
        &self,
        query: &SubscriptionQuery,
    ) -> Result<Page<SubscriptionRow>, StoreError> {
        let looked = query.looks_through();
        let down = query.after.unwrap_or(Bookmark::HIGHEST);
        let up = query.after.unwrap_or(Bookmark::LOWEST);
        let (sql, values) = match (query.person, query.of) {
            (Some(person), _) => (OF_PERSON, vals![id(down), looked, person]),
            (None, SubscriptionsOf::Everything) => (ALL, vals![id(down), looked]),
            (None, SubscriptionsOf::Status(SubscriptionStatus::Active)) => {
                (ENDING, vals![up.value, id(up), looked, Ts::MAX])
            }
            (None, SubscriptionsOf::Status(SubscriptionStatus::Expired)) => {
                (EXPIRED, vals![id(down), looked])
            }
            (None, SubscriptionsOf::Status(SubscriptionStatus::Failed)) => (FAILED, vals![id(down), looked]),
            (None, SubscriptionsOf::Status(SubscriptionStatus::Suspended)) => {
                (SUSPENDED, vals![id(down), looked])
            }
            (None, SubscriptionsOf::Failing) => (FAILING, vals![down.value, id(down), looked, FAILING_FROM]),
            (None, SubscriptionsOf::EndingBy(at)) => (ENDING, vals![up.value, id(up), looked, at]),
            (None, SubscriptionsOf::SilentSince(since)) => (SILENT, vals![up.value, id(up), looked, since]),
        };
        let row = |mut row: Row| {
            let (value, calendar, user) = (place(&mut row)?, row.text()?, row.text()?);
            Ok((value, SubscriptionRow { subscription: columns::subscription(row)?, calendar, user }))
        };
        let rows = self.db.all(sql, values).await?.into_iter().map(row).collect::<Result<_, StoreError>>()?;
        Ok(Page::of(rows, |row: &SubscriptionRow| query.admits(&row.subscription), query.limit, looked))
    }

    pub(super) async fn notification_page(
        &self,
        query: &NotificationQuery,
    ) -> Result<Page<Recent>, StoreError> {
        let looked = query.looks_through();
        // Before `to`, which is left out: as if a page had ended with the last thing before it.
        let first = query.to.map_or(Bookmark::HIGHEST, |to| Bookmark { value: to.micros(), id: Uuid::nil() });
        let after = query.after.map_or(first, |after| after.min(first));
        let walk = vals![after.value, id(after), looked];
        let mut rows = Vec::new();
        match (query.calendar, query.status) {
            (Some(calendar), _) => {
                let channels = self.db.all(CHANNELS_OF, vals![calendar, CHANNELS]).await?;
                for mut channel in channels {
                    let mut walk = walk.clone();
                    walk.push(channel.id::<SubscriptionId>()?.into());
                    rows.extend(self.db.all(RECEIVED_OF_CHANNEL, walk).await?);
                }
            }
            (None, Some(status)) => rows = self.db.all(received(status), walk).await?,
            (None, None) => rows = self.db.all(RECEIVED, walk).await?,
        }
        let row = |row| {
            let recent = recent(row)?;
            Ok((Bookmark { value: recent.received_at.micros(), id: recent.id.0 }, recent))
        };
        let mut rows = rows.into_iter().map(row).collect::<Result<Vec<_>, StoreError>>()?;
        // Each channel's are in order.
        rows.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        rows.truncate(looked as usize);
        // A stretch with two ends, of which it knows neither, PostgreSQL takes for a short one, and goes through all of it.
        let in_time = rows.partition_point(|(_, row)| query.from.is_none_or(|from| row.received_at >= from));
        let looked = if in_time < rows.len() { u32::MAX } else { looked };
        rows.truncate(in_time);
        Ok(Page::of(rows, |row| query.admits(row), query.limit, looked))
    }

    pub(super) async fn notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<NotificationSeen>, StoreError> {
        let seen = |mut row: Row| {
            let (calendar, name, user, provider) = (row.id()?, row.text()?, row.text()?, row.word()?);
            let notification = columns::notification(row)?;
            Ok(NotificationSeen { notification, calendar, name, user, provider })
        };
        self.db.one(ONE, vals![id]).await?.map(seen).transpose()
    }

    pub(super) async fn rule_page(
        &self,
        of: RulesOf,
        since: Ts,
        after: Option<Bookmark>,
        limit: u32,
    ) -> Result<Page<RuleRow>, StoreError> {
        let (after, looked) = (after.unwrap_or(Bookmark::LOWEST), limit.saturating_add(1));
        let rows = match of {
            RulesOf::Promised => self.db.all(PROMISED, vals![after.value, id(after), looked]).await?,
            RulesOf::Unpromised => self.db.all(UNPROMISED, vals![id(after), looked]).await?,
        };
        let row = |mut row: Row| {
            let (source, target, user) = (row.text()?, row.text()?, row.text()?);
            let freshness = super::freshness::freshness(row)?;
            let value = freshness.promised_until.map_or(0, Ts::micros);
            let at = Bookmark { value, id: freshness.rule.0 };
            Ok((at, RuleRow { freshness, source, target, user, delays: Delays::default() }))
        };
        let rows = rows.into_iter().map(row).collect::<Result<Vec<_>, StoreError>>()?;
        let mut page = Page::of(rows, |_| true, limit, looked);
        let mut delays = self.delays_of(page.rows.iter().map(|row| row.freshness.rule), since).await?;
        for row in &mut page.rows {
            row.delays = delays.remove(&row.freshness.rule).unwrap_or_default();
        }
        Ok(page)
    }

    async fn delays_of(
        &self,
        rules: impl Iterator<Item = RuleId>,
        since: Ts,
    ) -> Result<BTreeMap<RuleId, Delays>, StoreError> {
        let rules: Vec<_> = rules.map(|rule| vals![rule, since]).collect();
        let mut delays: BTreeMap<RuleId, Delays> = BTreeMap::new();
        if rules.is_empty() {
            return Ok(delays);
        }
        for mut row in self.db.ask(&DELAYS, rules).await? {
            let rule = row.id()?;
            let (bucket, count) = (row.num()?, row.num()?);
            delays.entry(rule).or_default().add(bucket, count);
        }
        Ok(delays)
    }

    pub(super) async fn audit_page(
        &self,
        who: Option<&str>,
        after: Option<Bookmark>,
        limit: u32,
    ) -> Result<Page<AuditLine>, StoreError> {
        let (after, looked) = (after.unwrap_or(Bookmark::HIGHEST).value, audit_looks_through(who, limit));
        let rows = self.db.all(AUDIT, vals![after, looked]).await?;
        let line = |mut row: Row| {
            let at = Bookmark { value: row.int()?, id: Uuid::nil() };
            Ok((at, AuditLine { at: row.ts()?, who: row.text()?, what: row.text()? }))
        };
        let rows = rows.into_iter().map(line).collect::<Result<_, StoreError>>()?;
        let theirs = |line: &AuditLine| who.is_none_or(|who| who == line.who);
        Ok(Page::of(rows, theirs, limit, looked))
    }
}

const fn received(status: ProcessingStatus) -> &'static str {
    match status {
        ProcessingStatus::Pending => PENDING,
        ProcessingStatus::Processing => PROCESSING,
        ProcessingStatus::Completed => COMPLETED,
        ProcessingStatus::Failed => GIVEN_UP,
        ProcessingStatus::Retrying => RETRYING,
    }
}

fn id(of: Bookmark) -> Val {
    Val::Id(Some(of.id))
}

fn place(row: &mut Row) -> Result<Bookmark, StoreError> {
    Ok(Bookmark { value: row.int()?, id: row.id::<SubscriptionId>()?.0 })
}

/// A row of `RECENT`, or of a listing.
pub(super) fn recent(mut row: Row) -> Result<Recent, StoreError> {
    Ok(Recent {
        id: row.id()?,
        calendar: row.id()?,
        provider: row.word()?,
        received_at: row.ts()?,
        status: row.word()?,
        took_ms: row.opt_int()?,
        error: row.opt_text()?,
    })
}
