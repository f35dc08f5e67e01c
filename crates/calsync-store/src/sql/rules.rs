//! Rules in SQL: what changes with them, and which calendars that concerns.

use std::collections::BTreeSet;

use calsync_core::event::TextPolicy;
use calsync_core::ids::{CalendarId, RuleId, UserId};
use calsync_core::ports::{StoreError, Wish};
use calsync_core::rule::Rule;
use calsync_core::time::Ts;

use super::SqlStore;
use super::calendars::{owner, plan_all, raise};
use super::columns::{self, select};
use super::db::Tx;
use super::people::{lock_user, say};
use super::value::{Val, vals};
use crate::rows::texts_of;

/// What the rules said before a change.
struct Before {
    any: bool,
    texts: TextPolicy,
}

impl SqlStore {
    pub(super) async fn put_rule(&self, rule: &Rule, now: Ts) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        lock_user(&mut tx, rule.user).await?;
        let foreign =
            || StoreError::Conflict("both calendars of a rule must exist and belong to its user".to_owned());
        if owner(&mut tx, rule.source).await? != Some(rule.user)
            || owner(&mut tx, rule.target).await? != Some(rule.user)
        {
            return Err(foreign());
        }
        let before = look(&mut tx, rule.user, rule.source).await?;
        tx.exec(
            "INSERT INTO rules (id, user_id, source, target, options) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (source, target) DO UPDATE SET options = excluded.options",
            vals![rule.id, rule.user, rule.source, rule.target, Val::json(&rule.options)?],
        )
        .await
        .map_err(|e| say(e, "a calendar cannot block itself, or another rule has this id already"))?;
        changed(&mut tx, rule, &before, now).await?;
        tx.commit().await?;
        self.ring();
        Ok(())
    }

    pub(super) async fn remove_rule(&self, rule: RuleId, now: Ts) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let known = tx.one(select!(rule_columns, "FROM rules WHERE id = $1"), vals![rule]).await?;
        let Some(rule) = known.map(columns::rule).transpose()? else { return Ok(()) };
        lock_user(&mut tx, rule.user).await?;
        let before = look(&mut tx, rule.user, rule.source).await?;
        tx.exec("DELETE FROM rules WHERE id = $1", vals![rule.id]).await?;
        changed(&mut tx, &rule, &before, now).await?;
        tx.commit().await?;
        self.ring();
        Ok(())
    }
}

async fn look(tx: &mut Tx, user: UserId, source: CalendarId) -> Result<Before, StoreError> {
    let rows = tx.all(select!(rule_columns, "FROM rules WHERE user_id = $1"), vals![user]).await?;
    let rules = rows.into_iter().map(columns::rule).collect::<Result<Vec<Rule>, StoreError>>()?;
    Ok(Before { any: !rules.is_empty(), texts: texts_of(&rules, source) })
}

/// The target is planned again; a source whose events must be stored with other texts is listed in full; and the first
/// rule of a user ends the mesh of all calendars, as the last one's end restores it.
async fn changed(tx: &mut Tx, rule: &Rule, before: &Before, now: Ts) -> Result<(), StoreError> {
    let after = look(tx, rule.user, rule.source).await?;
    tx.exec("UPDATE calendars SET plan_due = 1 WHERE id = $1", vals![rule.target]).await?;
    if before.texts != after.texts {
        tx.exec("UPDATE calendars SET full_due = 1 WHERE id = $1", vals![rule.source]).await?;
    }
    let mut raised = BTreeSet::from([rule.source, rule.target]);
    if before.any != after.any {
        raised.extend(plan_all(tx, rule.user).await?);
    }
    raise(tx, &raised, Wish::Changes, now).await
}
