//! Alerts, what people were told of them, and the messages on their way, in SQL.

use std::collections::BTreeMap;

use calsync_core::alert::{Alert, AlertLevel, Claimed, Delivery, DeliveryState, Group, Told};
use calsync_core::ports::StoreError;
use calsync_core::time::Ts;

use super::SqlStore;
use super::columns::{self, select};
use super::value::{Row, Val, vals};

const OPEN: &str = "INSERT INTO alerts (kind, subject, level, message, action, first_seen, last_seen) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (kind, subject) WHERE resolved_at IS NULL DO NOTHING";
const SEEN_AGAIN: &str = "UPDATE alerts SET level = $3, message = $4, action = $5, \
    last_seen = CASE WHEN last_seen > $6 THEN last_seen ELSE $6 END \
    WHERE kind = $1 AND subject = $2 AND resolved_at IS NULL";
const RESOLVE: &str =
    "UPDATE alerts SET resolved_at = $3 WHERE kind = $1 AND subject = $2 AND resolved_at IS NULL";
const OPEN_ONES: &str =
    select!(alert_columns, "FROM alerts WHERE resolved_at IS NULL ORDER BY first_seen DESC, seq DESC");
const NEWEST: &str = select!(alert_columns, "FROM alerts ORDER BY first_seen DESC, seq DESC LIMIT $1");
pub(super) const GROUPS: &str = "SELECT kind, level, count(*), min(first_seen), max(seq) FROM alerts \
    WHERE resolved_at IS NULL GROUP BY kind, level";
const WORDS: &str = "SELECT subject, message, action FROM alerts WHERE seq = $1";
/// The first word about a kind, or the next one: nobody else has said another meanwhile.
const TELL: &str = "INSERT INTO alert_tellings AS t (kind, version, telling) SELECT $1, $2 + 1, $3 \
    WHERE $2 = 0 OR EXISTS (SELECT 1 FROM alert_tellings WHERE kind = $1) \
    ON CONFLICT (kind) DO UPDATE SET version = excluded.version, telling = excluded.telling WHERE t.version = $2";
const ADD: &str = "INSERT INTO alert_deliveries \
    (id, channel, message, state, attempts, next_try_at, error, finished_at, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const PUT: &str = "UPDATE alert_deliveries SET state = $2, attempts = $3, next_try_at = $4, error = $5, finished_at = $6 \
    WHERE id = $1 AND state = 'pending'";
/// The second condition is for whoever waited here for somebody else's claim.
pub(super) const CLAIM: &str = "UPDATE alert_deliveries SET next_try_at = $2 WHERE id IN \
    (SELECT id FROM alert_deliveries WHERE next_try_at <= $1 ORDER BY next_try_at, id LIMIT $3) AND next_try_at <= $1 \
    RETURNING id, channel, message, state, attempts, next_try_at, error, finished_at";
const LATEST: &str = "SELECT id, channel, message, state, attempts, next_try_at, error, finished_at \
    FROM alert_deliveries ORDER BY created_at DESC, id DESC LIMIT $1";

impl SqlStore {
    pub(super) async fn open_alert(&self, alert: &Alert) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let Alert { kind, subject, message, action, first_seen, last_seen, .. } = alert;
        let (kind, subject) = (kind.as_str(), subject.as_str());
        let (level, message, action) = (alert.level.as_str(), message.as_str(), action.as_str());
        let opened = vals![kind, subject, level, message, action, *first_seen, *last_seen];
        let new = tx.exec(OPEN, opened).await? == 1;
        if !new {
            tx.exec(SEEN_AGAIN, vals![kind, subject, level, message, action, *last_seen]).await?;
        }
        tx.commit().await?;
        Ok(new)
    }

    pub(super) async fn resolve_alert(&self, kind: &str, subject: &str, now: Ts) -> Result<bool, StoreError> {
        Ok(self.db.exec(RESOLVE, vals![kind, subject, now]).await? == 1)
    }

    pub(super) async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        self.db.all(OPEN_ONES, vals![]).await?.into_iter().map(columns::alert).collect()
    }

    pub(super) async fn alerts(&self, limit: u32) -> Result<Vec<Alert>, StoreError> {
        self.db.all(NEWEST, vals![limit]).await?.into_iter().map(columns::alert).collect()
    }

    pub(super) async fn alert_groups(&self) -> Result<Vec<Group>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let mut groups: BTreeMap<String, (Group, i64)> = BTreeMap::new();
        for mut row in tx.all(GROUPS, vals![]).await? {
            let (kind, level): (String, AlertLevel) = (row.text()?, row.word()?);
            let (count, first_seen, newest) = (row.num::<u64>()?, row.ts()?, row.int()?);
            let none = || {
                let words = String::new;
                let (subject, message, action) = (words(), words(), words());
                (Group { kind: kind.clone(), count: 0, level, first_seen, subject, message, action }, newest)
            };
            let (group, loudest) = groups.entry(kind.clone()).or_insert_with(none);
            group.count += count;
            group.first_seen = group.first_seen.min(first_seen);
            if level > group.level {
                (group.level, *loudest) = (level, newest);
            }
        }
        let mut found = Vec::with_capacity(groups.len());
        for (group, newest) in groups.into_values() {
            if let Some(mut row) = tx.one(WORDS, vals![newest]).await? {
                found.push(Group {
                    subject: row.text()?,
                    message: row.text()?,
                    action: row.text()?,
                    ..group
                });
            }
        }
        Ok(found)
    }

    pub(super) async fn tellings(&self) -> Result<Vec<Told>, StoreError> {
        let sql = "SELECT kind, version, telling FROM alert_tellings ORDER BY kind";
        let told = |mut row: Row| Ok(Told { kind: row.text()?, version: row.int()?, telling: row.json()? });
        self.db.all(sql, vals![]).await?.into_iter().map(told).collect()
    }

    pub(super) async fn tell(&self, told: &Told, deliveries: &[Delivery]) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let word = vals![told.kind.as_str(), told.version, Val::json(&told.telling)?];
        if tx.exec(TELL, word).await? == 0 {
            return Ok(false);
        }
        for delivery in deliveries {
            let mut row = vals![delivery.id, delivery.channel.as_str(), Val::json(&delivery.message)?];
            row.extend(progress(delivery)?);
            row.push(delivery.message.at.into());
            tx.exec(ADD, row).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    pub(super) async fn claim_deliveries(
        &self,
        now: Ts,
        until: Ts,
        limit: u32,
    ) -> Result<Claimed, StoreError> {
        let mut tx = self.db.begin().await?;
        let rows = tx.all(CLAIM, vals![now, until, limit]).await?;
        tx.commit().await?;
        let mut claimed = Claimed::default();
        for row in rows {
            // One that can not be read must not keep the others: it waits for whoever can.
            match delivery(row) {
                Ok(delivery) => claimed.deliveries.push(delivery),
                Err(_) => claimed.unreadable += 1,
            }
        }
        // The statement gives them in any order; ids are made in the order of time.
        claimed.deliveries.sort_by_key(|delivery| (delivery.message.at, delivery.id));
        Ok(claimed)
    }

    pub(super) async fn put_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let mut row = vals![delivery.id];
        row.extend(progress(delivery)?);
        self.db.exec(PUT, row).await.map(drop)
    }

    pub(super) async fn deliveries(&self, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        self.db.all(LATEST, vals![limit]).await?.into_iter().map(delivery).collect()
    }
}

fn progress(delivery: &Delivery) -> Result<Vec<Val>, StoreError> {
    let state = Val::word(&delivery.state)?;
    Ok(vals![state, delivery.attempts, delivery.next_try_at, delivery.error.as_deref(), delivery.finished_at])
}

fn delivery(mut row: Row) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: row.id()?,
        channel: row.text()?,
        message: row.json()?,
        state: row.word::<DeliveryState>()?,
        attempts: row.num()?,
        next_try_at: row.opt_ts()?,
        error: row.opt_text()?,
        finished_at: row.opt_ts()?,
    })
}
