//! What a while of life does to a population: a named share of the subscriptions is heard from and prolonged, and as many
//! notifications go through all their states once more. Nothing cleans up behind it. No figure changes by it, so what is
//! told afterwards can be compared.

use calsync_core::ports::StoreError;

use super::super::SqlStore;
use super::super::db::Db;
use super::Population;

/// Those whose number ends so are touched: three of ten.
const TOUCHED: [char; 3] = ['1', '4', '7'];
/// The server would clean up by itself, at a moment of its own choosing.
const NOBODY_CLEANS: &str = "ALTER TABLE webhook_subscriptions SET (autovacuum_enabled = off); \
    ALTER TABLE webhook_notifications SET (autovacuum_enabled = off); \
    ALTER TABLE calendars SET (autovacuum_enabled = off); \
    ALTER TABLE notification_figures SET (autovacuum_enabled = off); \
    ALTER TABLE subscription_figures SET (autovacuum_enabled = off)";

impl SqlStore {
    /// Lives a while.
    pub async fn churn(&self, p: &Population) -> Result<(), StoreError> {
        if matches!(&*self.db, Db::Pg(_)) {
            self.script(&[NOBODY_CLEANS.to_owned()], (0, 0)).await?;
        }
        for digit in TOUCHED {
            for statement in statements(p, digit) {
                self.script(&[statement], (0, 0)).await?;
            }
        }
        Ok(())
    }
}

fn statements(p: &Population, digit: char) -> Vec<String> {
    // Neither of them makes anything well or ill.
    let subscriptions = format!("status = 'active' AND subscription_id LIKE '%{digit}'");
    let quiet = p.now.micros() - 3_600_000_000;
    let notifications = format!("processing_status = 'completed' AND notification_id LIKE '%{digit}'");
    vec![
        format!(
            "UPDATE webhook_subscriptions SET last_notification_at = last_notification_at + 1000000, \
             expires_at = expires_at + 1000000, last_renewal_at = {quiet} WHERE {subscriptions}"
        ),
        format!(
            "UPDATE webhook_notifications SET processing_status = 'processing', run_id = id, \
             processing_started_at = received_at, processing_completed_at = NULL WHERE {notifications}"
        ),
        "UPDATE webhook_notifications SET processing_status = 'completed', \
         processing_completed_at = received_at + 700000 WHERE processing_status = 'processing'"
            .to_owned(),
    ]
}
