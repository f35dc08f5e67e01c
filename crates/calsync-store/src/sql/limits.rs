//! What the database itself can do: notifications inserted and nothing else, so that a measurement of receipts has
//! something to be compared with. Same table, same connection, same durability; no part of the service calls it.

use calsync_core::ids::SubscriptionId;
use calsync_core::ports::{NewNotification, StoreError};
use uuid::Uuid;

use super::SqlStore;
use super::db::Bulk;
use super::value::{Val, vals};

pub mod pgbench;
mod server;

pub use server::OwnDatabase;

const INSERT: Bulk = Bulk {
    before: "INSERT INTO webhook_notifications \
             (id, subscription_id, notification_id, received_at, headers, payload, processing_status)",
    after: "",
};
const COUNT: &str = "SELECT count(*) FROM webhook_notifications";

/// The id of a measurement's subscription: one that a statement can make out of its number, in decimal digits.
pub fn subscription_id(number: u32) -> SubscriptionId {
    // Decimal digits, read as hexadecimal ones.
    let digits =
        (0..u32::MAX.ilog10() + 1).map(|place| u128::from(number / 10u32.pow(place) % 10) << (4 * place));
    SubscriptionId(Uuid::from_u128(digits.sum()))
}

impl SqlStore {
    /// Inserts these rows in one transaction, past the queue of receipts: no duplicate is looked for, no subscription is
    /// marked, no calendar becomes due. For measurements.
    pub async fn insert_only(&self, rows: &[NewNotification]) -> Result<(), StoreError> {
        let rows: Vec<Vec<Val>> = rows.iter().map(values).collect::<Result<_, _>>()?;
        let mut tx = self.db.begin().await?;
        tx.bulk(&INSERT, rows).await.map(drop)?;
        tx.commit().await
    }

    /// Counts the rows of notifications that are there, one by one. For measurements: figures that are kept while rows
    /// change could be wrong in the same way as what they are to prove.
    pub async fn count_notifications(&self) -> Result<u64, StoreError> {
        self.db.figure(COUNT, Vec::new()).await?.num()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = subscription_id(1_209);
        assert_eq!(id.0.to_string(), "00000000-0000-0000-0000-000000001209");
    }
}
