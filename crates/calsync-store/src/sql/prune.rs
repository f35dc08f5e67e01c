//! Forgetting what is over, in SQL: a few rows per transaction, found along an index, so that nobody waits for it.

use calsync_core::ports::{Prunable, StoreError};
use calsync_core::time::Ts;

use super::SqlStore;
use super::value::vals;

/// Before `$1`, at most `$2`. Each walks an index from its old end.
pub(super) const fn statements(what: Prunable) -> &'static [&'static str] {
    match what {
        Prunable::Notifications => {
            &["DELETE FROM webhook_notifications WHERE id IN (SELECT id FROM webhook_notifications \
             WHERE received_at < $1 AND processing_completed_at IS NOT NULL ORDER BY received_at, id LIMIT $2)"]
        }
        // Those that have notifications wait until these have gone: one that was busy has many, and they would all go in
        // one transaction with it.
        Prunable::Subscriptions => {
            &["DELETE FROM webhook_subscriptions WHERE id IN (SELECT s.id FROM webhook_subscriptions s \
             WHERE s.status <> 'active' AND s.expires_at < $1 AND NOT EXISTS \
             (SELECT 1 FROM webhook_notifications n WHERE n.subscription_id = s.id) \
             ORDER BY s.expires_at, s.id LIMIT $2)"]
        }
        Prunable::Runs => &["DELETE FROM sync_runs WHERE id IN (SELECT id FROM sync_runs \
             WHERE started_at < $1 ORDER BY started_at, id LIMIT $2)"],
        Prunable::Journal => {
            &["DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE written_at < $1 \
             ORDER BY written_at, seq LIMIT $2)"]
        }
        Prunable::Ledger => {
            &["DELETE FROM ledger WHERE (target, correlation) IN (SELECT target, correlation FROM ledger \
             WHERE state = 'gone' AND written_at < $1 ORDER BY written_at, target, correlation LIMIT $2)"]
        }
        Prunable::Figures => &[
            "DELETE FROM notification_figures WHERE minute IN (SELECT DISTINCT minute FROM notification_figures \
             WHERE minute < $1 ORDER BY minute LIMIT $2)",
            "DELETE FROM provider_call_errors WHERE minute IN (SELECT DISTINCT minute FROM provider_call_errors \
             WHERE minute < $1 ORDER BY minute LIMIT $2)",
            "DELETE FROM provider_call_stats WHERE (minute, provider) IN \
             (SELECT minute, provider FROM provider_call_stats WHERE minute < $1 ORDER BY minute LIMIT $2)",
            "DELETE FROM rule_delays WHERE (rule_id, hour, bucket) IN \
             (SELECT rule_id, hour, bucket FROM rule_delays WHERE hour < $1 ORDER BY hour LIMIT $2)",
            "DELETE FROM delay_figures WHERE (hour, bucket, part) IN \
             (SELECT hour, bucket, part FROM delay_figures WHERE hour < $1 ORDER BY hour LIMIT $2)",
            "DELETE FROM health_hours WHERE hour IN (SELECT hour FROM health_hours WHERE hour < $1 ORDER BY hour LIMIT $2)",
        ],
        Prunable::Audit => &[
            "DELETE FROM audit_log WHERE seq IN (SELECT seq FROM audit_log WHERE at < $1 ORDER BY at, seq LIMIT $2)",
        ],
        Prunable::Alerts => &[
            "DELETE FROM alerts WHERE seq IN (SELECT seq FROM alerts WHERE resolved_at < $1 \
                 ORDER BY resolved_at, seq LIMIT $2)",
            "DELETE FROM alert_deliveries WHERE id IN (SELECT id FROM alert_deliveries WHERE finished_at < $1 \
                 ORDER BY finished_at, id LIMIT $2)",
        ],
    }
}

/// What these delete before `$1`, all of it. What has notifications goes after them, if all of them go.
const fn counts(what: Prunable) -> &'static [&'static str] {
    match what {
        Prunable::Notifications => &["SELECT count(*) FROM webhook_notifications \
             WHERE received_at < $1 AND processing_completed_at IS NOT NULL"],
        Prunable::Subscriptions => &["SELECT count(*) FROM webhook_subscriptions s \
             WHERE s.status <> 'active' AND s.expires_at < $1 AND NOT EXISTS \
             (SELECT 1 FROM webhook_notifications n WHERE n.subscription_id = s.id \
              AND (n.received_at >= $1 OR n.processing_completed_at IS NULL))"],
        Prunable::Runs => &["SELECT count(*) FROM sync_runs WHERE started_at < $1"],
        Prunable::Journal => &["SELECT count(*) FROM journal WHERE written_at < $1"],
        Prunable::Ledger => &["SELECT count(*) FROM ledger WHERE state = 'gone' AND written_at < $1"],
        Prunable::Figures => &[
            "SELECT count(*) FROM notification_figures WHERE minute < $1",
            "SELECT count(*) FROM provider_call_errors WHERE minute < $1",
            "SELECT count(*) FROM provider_call_stats WHERE minute < $1",
            "SELECT count(*) FROM rule_delays WHERE hour < $1",
            "SELECT count(*) FROM delay_figures WHERE hour < $1",
            "SELECT count(*) FROM health_hours WHERE hour < $1",
        ],
        Prunable::Audit => &["SELECT count(*) FROM audit_log WHERE at < $1"],
        Prunable::Alerts => &[
            "SELECT count(*) FROM alerts WHERE resolved_at < $1",
            "SELECT count(*) FROM alert_deliveries WHERE finished_at < $1",
        ],
    }
}

impl SqlStore {
    pub(super) async fn prunable(&self, what: Prunable, before: Ts) -> Result<u64, StoreError> {
        let mut there = 0;
        for sql in counts(what) {
            let rows: u64 = self.db.figure(sql, vals![before]).await?.num()?;
            there += rows;
        }
        Ok(there)
    }

    pub(super) async fn prune(&self, what: Prunable, before: Ts, limit: u32) -> Result<u64, StoreError> {
        let mut gone = 0;
        for sql in statements(what) {
            gone += self.db.exec(sql, vals![before, limit]).await?;
        }
        Ok(gone)
    }
}
