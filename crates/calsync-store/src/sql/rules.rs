//! Rules in SQL: what changes with them, and which calendars that concerns.

use calsync_core::ids::UserId;
use calsync_core::ports::{StoreError, Wish};
use calsync_core::rule::{RuleDefaults, RuleStep, RulesSeen};
use calsync_core::time::Ts;

use super::SqlStore;
use super::calendars::{FENCE_OFF, enable, owner, raise};
use super::columns::{self, select};
use super::db::{Bulk, Tx};
use super::figures::AUDIT;
use super::journal;
use super::people::{lock_user, say};
use super::value::{Row, Val, vals};
use crate::rows::missing;

impl SqlStore {
    pub(super) async fn change_rules(&self, step: &RuleStep, now: Ts) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        if !step.enabled.is_empty() {
            // As with every calendar that joins, and before the calendars are locked, as everywhere.
            tx.exec(FENCE_OFF, vals![step.user]).await?;
        }
        lock_user(&mut tx, step.user).await?;
        if seen(&mut tx, step.user).await? != step.seen {
            return Ok(false);
        }
        let removed = step.removed.iter().map(|id| vals![*id]).collect();
        tx.bulk(&REMOVED, removed).await?;
        let rows = step
            .put
            .iter()
            .map(|rule| Ok(vals![rule.id, rule.user, rule.source, rule.target, Val::json(&rule.options)?]));
        tx.bulk(&PUT, rows.collect::<Result<_, StoreError>>()?).await.map_err(|e| {
            say(e, "these rules cannot be stored: both calendars must exist and belong to their user")
        })?;
        for (source, target) in &step.narrowed {
            journal::forget_copied(&mut tx, *source, *target).await?;
        }
        if let Some(defaults) = &step.defaults {
            let sql = "UPDATE users SET rule_defaults = $2 WHERE id = $1";
            tx.exec(sql, vals![step.user, Val::json(defaults)?]).await?;
        }
        let mut raised = step.raise.clone();
        for calendar in step.enabled.iter().copied() {
            if owner(&mut tx, calendar).await? != Some(step.user) {
                return Err(missing("calendar"));
            }
            raised.insert(calendar);
            raised.extend(enable(&mut tx, calendar, step.user).await?);
        }
        tx.bulk(&PLAN, step.plan.iter().map(|id| vals![*id]).collect()).await?;
        tx.bulk(&LIST, step.list.iter().map(|id| vals![*id]).collect()).await?;
        raise(&mut tx, &raised, Wish::Changes, now).await?;
        for line in &step.audit {
            tx.exec(AUDIT, vals![now, step.who.as_str(), line.as_str()]).await?;
        }
        tx.commit().await?;
        self.ring();
        Ok(true)
    }
}

const REMOVED: Bulk = Bulk { before: "DELETE FROM rules WHERE id IN (", after: ")" };
const PUT: Bulk = Bulk {
    before: "INSERT INTO rules (id, user_id, source, target, options)",
    after: "ON CONFLICT (source, target) DO UPDATE SET options = excluded.options",
};
/// All of a user's calendars are locked already, so these come in any order.
const PLAN: Bulk = Bulk { before: "UPDATE calendars SET plan_due = 1 WHERE id IN (", after: ")" };
const LIST: Bulk = Bulk { before: "UPDATE calendars SET full_due = 1 WHERE id IN (", after: ")" };

/// What a change may have been made from, as it is now.
async fn seen(tx: &mut Tx, user: UserId) -> Result<RulesSeen, StoreError> {
    let person = tx.one("SELECT rule_defaults FROM users WHERE id = $1", vals![user]).await?;
    let defaults = defaults(&mut person.ok_or_else(|| missing("user"))?)?;
    let rows =
        tx.all(select!(rule_columns, "FROM rules WHERE user_id = $1 ORDER BY id"), vals![user]).await?;
    let rules = rows.into_iter().map(columns::rule).collect::<Result<_, StoreError>>()?;
    let sql = "SELECT id FROM calendars WHERE user_id = $1 AND (sync_enabled = 1 OR leaving = 'stopped')";
    let rows = tx.all(sql, vals![user]).await?;
    let in_force = rows.into_iter().map(|mut row| row.id()).collect::<Result<_, StoreError>>()?;
    Ok(RulesSeen { rules, defaults, in_force })
}

/// What a user's new calendars begin with: nothing is stored until somebody says so.
pub(super) fn defaults(row: &mut Row) -> Result<RuleDefaults, StoreError> {
    let Some(text) = row.opt_text()? else { return Ok(RuleDefaults::default()) };
    serde_json::from_str(&text).map_err(|e| StoreError::Corrupt(format!("the defaults of rules: {e}")))
}
