//! Call statistics, what the hours were like, and the audit log in SQL.

use std::collections::BTreeMap;

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::{AuditLine, HealthHour, StoreError};
use calsync_core::run::CallStats;
use calsync_core::time::Ts;
use jiff::SignedDuration;

use super::SqlStore;
use super::db::Tx;
use super::value::{Row, Val, vals};
use crate::tally::{begins, micros};

const ADD_STATS: &str = "INSERT INTO provider_call_stats AS s \
    (provider, minute, calls, latency_sum_us, latency_max_us, quota_used) VALUES ($1, $2, $3, $4, $5, $6) \
    ON CONFLICT (minute, provider) DO UPDATE SET calls = s.calls + excluded.calls, \
    latency_sum_us = s.latency_sum_us + excluded.latency_sum_us, \
    latency_max_us = CASE WHEN s.latency_max_us > excluded.latency_max_us THEN s.latency_max_us \
    ELSE excluded.latency_max_us END, quota_used = s.quota_used + excluded.quota_used";
const ADD_ERRORS: &str = "INSERT INTO provider_call_errors AS e (provider, minute, class, count) \
    VALUES ($1, $2, $3, $4) ON CONFLICT (minute, provider, class) DO UPDATE SET count = e.count + excluded.count";
const PUT_HOUR: &str = "INSERT INTO health_hours AS h (hour, active, healthy, worst) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (hour) DO UPDATE SET active = excluded.active, healthy = excluded.healthy, \
    worst = CASE WHEN h.worst > excluded.worst THEN h.worst ELSE excluded.worst END";

/// When, who, what.
pub(super) const AUDIT: &str = "INSERT INTO audit_log (at, who, what) VALUES ($1, $2, $3)";
/// Hours by the stretch that they are in.
pub(super) const SPANS: &str = "SELECT hour / $2 AS span, min(active), min(healthy), max(worst) FROM health_hours \
    WHERE hour >= $1 GROUP BY 1 ORDER BY 1";

impl SqlStore {
    pub(super) async fn add_call_stats(&self, stats: &[CallStats]) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        for stat in stats {
            add_stat(&mut tx, stat).await?;
        }
        tx.commit().await
    }

    pub(super) async fn call_stats(&self, since: Ts) -> Result<Vec<CallStats>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let sql = "SELECT provider, minute, calls, latency_sum_us, latency_max_us, quota_used \
                   FROM provider_call_stats WHERE minute >= $1";
        // Sorted here: databases put the providers in the order of their names.
        let mut found: BTreeMap<(ProviderKind, Ts), CallStats> = BTreeMap::new();
        for mut row in tx.all(sql, vals![since]).await? {
            let (provider, minute) = (row.word()?, row.ts()?);
            let stat = CallStats {
                provider,
                minute,
                calls: row.num()?,
                errors: BTreeMap::new(),
                latency_sum_us: row.num()?,
                latency_max_us: row.num()?,
                quota_used: row.num()?,
            };
            found.insert((provider, minute), stat);
        }
        let sql = "SELECT provider, minute, class, count FROM provider_call_errors WHERE minute >= $1";
        for mut row in tx.all(sql, vals![since]).await? {
            if let Some(stat) = found.get_mut(&(row.word()?, row.ts()?)) {
                stat.errors.insert(row.text()?, row.num()?);
            }
        }
        Ok(found.into_values().collect())
    }

    pub(super) async fn put_health_hour(&self, hour: &HealthHour) -> Result<(), StoreError> {
        let HealthHour { hour, active, healthy, worst } = *hour;
        let row = vals![hour, Val::count(active), Val::count(healthy), u32::from(worst)];
        self.db.exec(PUT_HOUR, row).await.map(drop)
    }

    pub(super) async fn health_spans(
        &self,
        since: Ts,
        width: SignedDuration,
    ) -> Result<Vec<HealthHour>, StoreError> {
        let width = micros(width);
        let span = |mut row: Row| {
            let hour = Ts::from_micros(row.int()?.saturating_mul(width));
            Ok(HealthHour { hour, active: row.num()?, healthy: row.num()?, worst: row.num()? })
        };
        self.db.all(SPANS, vals![begins(since, width), width]).await?.into_iter().map(span).collect()
    }

    pub(super) async fn audited(&self, about: &str, limit: u32) -> Result<Vec<AuditLine>, StoreError> {
        let sql = "SELECT at, who, what FROM audit_log WHERE substr(what, 1, length($1)) = $1 \
                   ORDER BY at DESC, seq DESC LIMIT $2";
        let rows = self.db.all(sql, vals![about, limit]).await?;
        let line = |mut row: Row| Ok(AuditLine { at: row.ts()?, who: row.text()?, what: row.text()? });
        rows.into_iter().map(line).collect()
    }

    pub(super) async fn audit(&self, who: &str, what: &str, at: Ts) -> Result<(), StoreError> {
        self.db.exec(AUDIT, vals![at, who, what]).await.map(drop)
    }
}

async fn add_stat(tx: &mut Tx, stat: &CallStats) -> Result<(), StoreError> {
    let provider = stat.provider.as_str();
    let sums = vals![
        provider,
        stat.minute,
        Val::count(stat.calls),
        Val::count(stat.latency_sum_us),
        Val::count(stat.latency_max_us),
        Val::count(stat.quota_used),
    ];
    tx.exec(ADD_STATS, sums).await?;
    for (class, count) in &stat.errors {
        tx.exec(ADD_ERRORS, vals![provider, stat.minute, class.as_str(), Val::count(*count)]).await?;
    }
    Ok(())
}
