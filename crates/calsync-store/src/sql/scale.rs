//! A large installation, invented: people, calendars, channels and a day and a half of notifications, written by the
//! database itself in large steps, and then changed as a life of their own would change them. For measurements of how
//! figures and lookups grow with it. Each figure that the service asks for has a counterpart here that scans everything
//! and knows no index, no trigger and no figure that somebody kept.

use calsync_core::ids::CalendarId;
use calsync_core::ports::StoreError;
use calsync_core::time::Ts;
use uuid::Uuid;

use super::SqlStore;
use super::db::{Db, Tx, Waits};

mod churn;
mod fill;
mod oracle;

pub use oracle::Question;

/// What to invent. All that is wrong with something is wrong with so many of each kind, whatever the size: in an
/// installation that works, what needs attention does not grow with what needs none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Population {
    /// Active subscriptions, each of a calendar of its own, four to a user; half as many have ended.
    pub subscriptions: u64,
    /// Notifications of the last 36 hours.
    pub notifications: u64,
    /// Of each kind of trouble.
    pub troubled: u64,
    /// The present.
    pub now: Ts,
}

/// The calendar of this number.
pub fn calendar(number: u64) -> CalendarId {
    let digits =
        (0..=u64::MAX.ilog10()).map(|place| u128::from(number / 10u64.pow(place) % 10) << (4 * place));
    CalendarId(Uuid::from_u128(digits.sum()))
}

/// Its channel.
pub fn channel(number: u64) -> String {
    format!("channel-{number}")
}

/// A statement with words that the dialects say differently: `{id: n}` is an id made of a number, `{bytes}` the type of
/// bytes, `{n}` the numbers from the first to the last as a table.
fn in_dialect(db: &Db, sql: &str, first: u64, last: u64) -> String {
    let (id, end, bytes) = match db {
        Db::Lite(_) => ("unhex(printf('%032d', ", "))", "BLOB"),
        Db::Pg(_) => ("lpad((", ")::text, 32, '0')::uuid", "BYTEA"),
    };
    let numbers = match db {
        Db::Lite(_) => format!(
            "(WITH RECURSIVE g(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM g WHERE n < {last}) SELECT n FROM g)"
        ),
        Db::Pg(_) => format!("(SELECT n FROM generate_series({first}::bigint, {last}::bigint) AS n)"),
    };
    let mut text = String::with_capacity(sql.len() * 2);
    for (at, part) in sql.replace("{n}", &numbers).replace("{bytes}", bytes).split("{id:").enumerate() {
        if at == 0 {
            text.push_str(part);
            continue;
        }
        let (number, rest) = part.split_once('}').unwrap_or((part, ""));
        text.push_str(id);
        text.push_str(number.trim());
        text.push_str(end);
        text.push_str(rest);
    }
    text
}

impl SqlStore {
    /// One transaction of statements over numbers, however long it takes.
    async fn script(&self, statements: &[String], (first, last): (u64, u64)) -> Result<(), StoreError> {
        let mut tx: Tx = self.db.begin_schema(Waits::Long).await?;
        for sql in statements {
            tx.script(in_dialect(&self.db, sql, first, last)).await?;
        }
        tx.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_that_statements_make() {
        assert_eq!(calendar(1_000_209).0.to_string(), "00000000-0000-0000-0000-000001000209");
    }
}
