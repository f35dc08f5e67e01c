//! What the database itself can do: notifications inserted and nothing else, so that a measurement of receipts has
//! something to be compared with. Same table, same connection, same durability; no part of the service calls it.

use calsync_core::ports::{NewNotification, StoreError};

use super::SqlStore;
use super::db::Bulk;
use super::value::{Val, vals};

const INSERT: Bulk = Bulk {
    before: "INSERT INTO webhook_notifications \
             (id, subscription_id, notification_id, received_at, headers, payload, processing_status)",
    after: "",
};

impl SqlStore {
    /// Inserts these rows in one transaction, past the queue of receipts: no duplicate is looked for, no subscription is
    /// marked, no calendar becomes due. For measurements.
    pub async fn insert_only(&self, rows: &[NewNotification]) -> Result<(), StoreError> {
        let rows: Vec<Vec<Val>> = rows.iter().map(values).collect::<Result<_, _>>()?;
        let mut tx = self.db.begin().await?;
        tx.bulk(&INSERT, rows).await.map(drop)?;
        tx.commit().await
    }
}

fn values(new: &NewNotification) -> Result<Vec<Val>, StoreError> {
    Ok(vals![
        new.id,
        new.subscription,
        new.notification_id.as_str(),
        new.received_at,
        Val::json(&new.headers)?,
        Val::json(&new.payload)?,
        "pending",
    ])
}
