//! How fresh rules are, in SQL: taken over as a step ends, in its last transaction. Never decides what is behind.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::freshness::{Delays, Freshness, RuleDelay};
use calsync_core::ids::{RuleId, UserId};
use calsync_core::ports::{Lease, StepEnd, StoreError};
use calsync_core::time::Ts;

use super::SqlStore;
use super::db::{Bulk, Held, Tx};
use super::leases::{NEXT, give_back};
use super::notifications::PARTS;
use super::value::{Row, Val, vals};
use crate::rows::delays_kept_from;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT rule_id, source, target, standing, since, right_at, promised_until FROM rule_freshness ",
            $rest
        )
    };
}

/// A rule whose calendars are gone has no row: what refers to nothing is left aside.
pub(super) const PUT: Bulk = Bulk {
    before: "INSERT INTO rule_freshness (rule_id, user_id, source, target, standing, since, right_at, promised_until) \
             SELECT v.column1, s.user_id, s.id, t.id, v.column4, v.column5, v.column6, v.column7 FROM (",
    after: ") AS v JOIN calendars s ON s.id = v.column2 JOIN calendars t ON t.id = v.column3 \
            WHERE s.user_id = t.user_id ON CONFLICT (rule_id) DO UPDATE SET user_id = excluded.user_id, \
            source = excluded.source, target = excluded.target, standing = excluded.standing, since = excluded.since, \
            right_at = excluded.right_at, promised_until = excluded.promised_until",
};
pub(super) const GONE: Bulk = Bulk { before: "DELETE FROM rule_freshness WHERE rule_id IN (", after: ")" };
/// Of the rules that something is added to: others have nothing to add, and are few in the end.
pub(super) const FORGET: Bulk = Bulk {
    before: "DELETE FROM rule_delays WHERE (rule_id, hour) IN (SELECT d.rule_id, d.hour FROM (",
    after: ") AS v JOIN rule_delays d ON d.rule_id = v.column1 AND d.hour < v.column2)",
};
pub(super) const ADD: Bulk = Bulk {
    before: "INSERT INTO rule_delays AS d (rule_id, hour, bucket, changes) \
             SELECT f.rule_id, v.column2, v.column3, v.column4 FROM (",
    after: ") AS v JOIN rule_freshness f ON f.rule_id = v.column1 WHERE v.column4 > 0 \
            ON CONFLICT (rule_id, hour, bucket) DO UPDATE SET changes = d.changes + excluded.changes",
};
const ADD_TO_ALL: Bulk = Bulk {
    before: "INSERT INTO delay_figures AS f (hour, bucket, part, changes)",
    after: "ON CONFLICT (hour, bucket, part) DO UPDATE SET changes = f.changes + excluded.changes",
};
pub(super) const AWAIT: Bulk = Bulk {
    before: "UPDATE webhook_subscriptions SET unannounced_at = v.column2, unannounced = 1 FROM (",
    after: ") AS v WHERE webhook_subscriptions.id = v.column1 AND status = 'active' AND unannounced_at IS NULL",
};

pub(super) const OF_USER: &str = select!("WHERE user_id = $1 ORDER BY rule_id");
/// A walk along the index from its old end: as long as what it finds.
pub(super) const BEHIND: &str =
    select!("WHERE promised_until < $1 ORDER BY promised_until, rule_id LIMIT $2");
pub(super) const COUNT_BEHIND: &str = "SELECT count(*) FROM rule_freshness WHERE promised_until < $1";
pub(super) const DELAYS_OF_USER: &str = "SELECT d.hour, d.bucket, d.rule_id, d.changes FROM rule_freshness f \
    JOIN rule_delays d ON d.rule_id = f.rule_id WHERE f.user_id = $1 AND d.hour >= $2 \
    ORDER BY d.hour, d.bucket, d.rule_id";
pub(super) const DELAYS: &str =
    "SELECT bucket, CAST(sum(changes) AS BIGINT) FROM delay_figures WHERE hour >= $1 GROUP BY bucket";

impl SqlStore {
    pub(super) async fn end_step(&self, lease: &Lease, end: &StepEnd) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        give_back(&mut tx, lease).await?;
        // First the calendars, in the order in which everybody locks them: none goes until this is over.
        let rows = end.next.iter().map(|n| vals![n.calendar, n.seen_generation, n.due_at]).collect();
        tx.bulk_in_order(&NEXT, Held::Calendars, rows).await?;
        let rows = end.awaited.iter().map(|a| vals![a.subscription, a.since]).collect();
        tx.bulk_in_order(&AWAIT, Held::Subscriptions, rows).await?;
        let rows: BTreeMap<RuleId, Vec<Val>> = end.rules.iter().map(|f| (f.rule, values(f))).collect();
        tx.bulk(&PUT, rows.into_values().collect()).await?;
        tx.bulk(&GONE, end.gone.iter().map(|rule| vals![*rule]).collect()).await?;
        add_delays(&mut tx, &end.delays).await?;
        tx.commit().await
    }

    pub(super) async fn freshness(&self, user: UserId) -> Result<Vec<Freshness>, StoreError> {
        self.db.all(OF_USER, vals![user]).await?.into_iter().map(freshness).collect()
    }

    pub(super) async fn rules_behind(&self, now: Ts, limit: u32) -> Result<Vec<Freshness>, StoreError> {
        self.db.all(BEHIND, vals![now, limit]).await?.into_iter().map(freshness).collect()
    }

    pub(super) async fn count_behind(&self, now: Ts) -> Result<u64, StoreError> {
        self.db.figure(COUNT_BEHIND, vals![now]).await?.num()
    }

    pub(super) async fn rule_delays(&self, user: UserId, since: Ts) -> Result<Vec<RuleDelay>, StoreError> {
        let delay = |mut row: Row| {
            Ok(RuleDelay { hour: row.ts()?, bucket: row.num()?, rule: row.id()?, count: row.num()? })
        };
        self.db.all(DELAYS_OF_USER, vals![user, since]).await?.into_iter().map(delay).collect()
    }

    pub(super) async fn delays(&self, since: Ts) -> Result<Delays, StoreError> {
        let count = |mut row: Row| Ok((row.num()?, row.num()?));
        self.db.all(DELAYS, vals![since]).await?.into_iter().map(count).collect()
    }
}

async fn add_delays(tx: &mut Tx, delays: &[RuleDelay]) -> Result<(), StoreError> {
    let Some(from) = delays_kept_from(delays) else { return Ok(()) };
    let rules: BTreeSet<RuleId> = delays.iter().map(|delay| delay.rule).collect();
    tx.bulk(&FORGET, rules.into_iter().map(|rule| vals![rule, from]).collect()).await?;
    let one = |d: &RuleDelay| vals![d.rule, d.hour, u32::from(d.bucket), Val::count(d.count)];
    tx.bulk(&ADD, delays.iter().map(one).collect()).await?;
    let mut sums: BTreeMap<(Ts, u8, u8), u64> = BTreeMap::new();
    for delay in delays {
        let part = delay.rule.0.as_bytes()[15] % PARTS;
        *sums.entry((delay.hour, delay.bucket, part)).or_default() += delay.count;
    }
    // In the order of the key, as everybody writes them: nobody waits crosswise.
    let sum = |((hour, bucket, part), count): ((Ts, u8, u8), u64)| {
        vals![hour, u32::from(bucket), u32::from(part), Val::count(count)]
    };
    tx.bulk(&ADD_TO_ALL, sums.into_iter().map(sum).collect()).await.map(drop)
}

fn values(of: &Freshness) -> Vec<Val> {
    let Freshness { rule, source, target, standing, since, right_at, promised_until } = *of;
    vals![rule, source, target, standing.as_str(), since, right_at, promised_until]
}

pub(super) fn freshness(mut row: Row) -> Result<Freshness, StoreError> {
    Ok(Freshness {
        rule: row.id()?,
        source: row.id()?,
        target: row.id()?,
        standing: row.word()?,
        since: row.ts()?,
        right_at: row.opt_ts()?,
        promised_until: row.opt_ts()?,
    })
}
