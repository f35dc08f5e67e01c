//! Users, accounts, credentials and settings in SQL.

use calsync_core::calendar::{Account, AccountStatus, User};
use calsync_core::ids::{AccountId, UserId};
use calsync_core::ports::{ConnectAccount, SealedCredentials, StoreError, UserState};
use calsync_core::rule::{Link, RuleDefaults};
use calsync_core::time::Ts;
use serde_json::Value;

use super::SqlStore;
use super::columns::{self, select};
use super::db::Tx;
use super::journal::forget_all_copied;
use super::leases::OPEN;
use super::rules::defaults;
use super::value::{Row, Val, vals};
use crate::rows::{AT_ONCE, SOMEBODY_ELSES, missing, user_resource};

impl SqlStore {
    pub(super) async fn add_user(&self, user: &User) -> Result<(), StoreError> {
        let sql = "INSERT INTO users (id, email, is_staff, created_at) VALUES ($1, $2, $3, $4)";
        let mut tx = self.db.begin().await?;
        tx.exec(sql, vals![user.id, user.email.as_str(), user.is_staff, user.created_at]).await.map_err(
            |e| say(e, "a user with this address exists already, or the address is not in lower case"),
        )?;
        tx.exec(OPEN, vals![user_resource(user.id).as_str(), user.id, user.created_at]).await?;
        tx.commit().await
    }

    pub(super) async fn add_first_user(&self, user: &User, password: &str) -> Result<bool, StoreError> {
        // Of two that come at the same moment the second waits here, and then finds the user of the first.
        let turn = "INSERT INTO settings (name, value) VALUES ('first_user', 'true') \
                    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let mut tx = self.db.begin().await?;
        tx.exec(turn, vals![]).await?;
        if tx.one("SELECT 1 FROM users LIMIT 1", vals![]).await?.is_some() {
            return Ok(false);
        }
        let sql = "INSERT INTO users (id, email, is_staff, password, created_at) VALUES ($1, $2, $3, $4, $5)";
        let vals = vals![user.id, user.email.as_str(), user.is_staff, password, user.created_at];
        tx.exec(sql, vals).await.map_err(|e| say(e, "the address is not in lower case"))?;
        tx.exec(OPEN, vals![user_resource(user.id).as_str(), user.id, user.created_at]).await?;
        tx.commit().await?;
        Ok(true)
    }

    pub(super) async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows = self.db.all(select!(user_columns, "FROM users ORDER BY email"), vals![]).await?;
        rows.into_iter().map(|mut row| columns::user(&mut row)).collect()
    }

    pub(super) async fn remove_user(&self, user: UserId) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        lock_user(&mut tx, user).await?;
        tx.exec("DELETE FROM users WHERE id = $1", vals![user]).await?;
        tx.commit().await
    }

    pub(super) async fn user_state(&self, user: UserId) -> Result<Option<UserState>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let person = tx.one(PERSON, vals![user]).await?;
        let Some(mut person) = person else { return Ok(None) };
        Ok(Some(UserState {
            user: columns::user(&mut person)?,
            rule_defaults: defaults(&mut person)?,
            accounts: read(&mut tx, ACCOUNTS, user, columns::account).await?,
            calendars: read(&mut tx, CALENDARS, user, columns::calendar).await?,
            rules: read(&mut tx, RULES, user, columns::rule).await?,
            holds: read(&mut tx, HOLDS, user, columns::hold).await?,
            subscriptions: read(&mut tx, SUBSCRIPTIONS, user, columns::subscription).await?,
            waiting_writes: read(&mut tx, WAITING, user, |mut r| Ok((r.id()?, r.opt_ts()?))).await?,
        }))
    }

    pub(super) async fn connect_account(
        &self,
        connect: &ConnectAccount,
        now: Ts,
    ) -> Result<AccountId, StoreError> {
        let mut tx = self.db.begin().await?;
        lock_user(&mut tx, connect.account.user).await?;
        let id = put_account(&mut tx, connect).await?;
        // A worker that still holds the old credentials must not be able to put them back: the version grows.
        tx.exec(
            "INSERT INTO credentials (account_id, sealed, version) VALUES ($1, $2, $3) \
             ON CONFLICT (account_id) DO UPDATE SET sealed = excluded.sealed, version = \
             CASE WHEN excluded.version > credentials.version THEN excluded.version ELSE credentials.version + 1 END",
            vals![id, connect.credentials.sealed.clone(), connect.credentials.version],
        )
        .await?;
        tx.exec(
            "UPDATE calendars SET dirty_generation = dirty_generation + 1, watch_after = 0, push_unsupported = 0, \
             due_at = CASE WHEN due_at < $2 THEN due_at ELSE $2 END WHERE account_id = $1",
            vals![id, now],
        )
        .await?;
        tx.commit().await?;
        self.ring();
        Ok(id)
    }

    pub(super) async fn credentials(
        &self,
        account: AccountId,
    ) -> Result<Option<SealedCredentials>, StoreError> {
        let sql = "SELECT sealed, version FROM credentials WHERE account_id = $1";
        self.db.one(sql, vals![account]).await?.map(sealed).transpose()
    }

    pub(super) async fn replace_credentials(
        &self,
        account: AccountId,
        expected: i64,
        new: &SealedCredentials,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE credentials SET sealed = $3, version = $4 WHERE account_id = $1 AND version = $2";
        Ok(self.db.exec(sql, vals![account, expected, new.sealed.clone(), new.version]).await? == 1)
    }

    pub(super) async fn all_credentials(&self) -> Result<Vec<(AccountId, SealedCredentials)>, StoreError> {
        let sql = "SELECT account_id, sealed, version FROM credentials ORDER BY account_id";
        let rows = self.db.all(sql, vals![]).await?;
        rows.into_iter().map(|mut row| Ok((row.id()?, sealed(row)?))).collect()
    }

    pub(super) async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let rows = self.db.all(ALL_ACCOUNTS, vals![]).await?;
        rows.into_iter().map(columns::account).collect()
    }

    pub(super) async fn accounts_to_ask(
        &self,
        before: Ts,
        after: Ts,
        limit: u32,
    ) -> Result<Vec<(AccountId, UserId)>, StoreError> {
        self.db.exec(ASKED_LATER, vals![after]).await?;
        let rows = self.db.all(TO_ASK, vals![before, limit]).await?;
        rows.into_iter().map(|mut row| Ok((row.id()?, row.id()?))).collect()
    }

    pub(super) async fn note_asked(&self, account: AccountId, at: Ts) -> Result<(), StoreError> {
        let sql = "UPDATE accounts SET asked_at = $2 WHERE id = $1";
        self.db.exec(sql, vals![account, at]).await.map(drop)
    }

    pub(super) async fn set_account_status(
        &self,
        account: AccountId,
        status: AccountStatus,
        detail: Option<&str>,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE accounts SET status = $2, status_detail = $3 WHERE id = $1";
        let changed = self.db.exec(sql, vals![account, Val::word(&status)?, detail]).await?;
        if changed == 1 { Ok(()) } else { Err(missing("account")) }
    }

    pub(super) async fn remove_account(&self, account: AccountId) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let owner = tx.one("SELECT user_id FROM accounts WHERE id = $1", vals![account]).await?;
        let Some(mut owner) = owner else { return Ok(()) };
        let user = owner.id()?;
        lock_user(&mut tx, user).await?;
        // Blocks that stand for its events must go from the other calendars.
        tx.exec(
            "UPDATE calendars SET plan_due = 1, dirty_generation = dirty_generation + 1, \
             due_at = CASE WHEN due_at < $2 THEN due_at ELSE $2 END \
             WHERE user_id = (SELECT user_id FROM accounts WHERE id = $1) AND sync_enabled = 1",
            vals![account, AT_ONCE],
        )
        .await?;
        let calendars = tx.all("SELECT id FROM calendars WHERE account_id = $1", vals![account]).await?;
        for mut calendar in calendars {
            forget_all_copied(&mut tx, calendar.id()?).await?;
        }
        let had_rules = count_rules(&mut tx, user).await? > 0;
        tx.exec("DELETE FROM accounts WHERE id = $1", vals![account]).await?;
        if had_rules && count_rules(&mut tx, user).await? == 0 {
            // Whoever had chosen what goes where has not chosen that everything goes everywhere.
            let person = tx.one("SELECT rule_defaults FROM users WHERE id = $1", vals![user]).await?;
            let defaults = defaults(&mut person.ok_or_else(|| missing("user"))?)?;
            let defaults = RuleDefaults { link: Link::None, ..defaults };
            let sql = "UPDATE users SET rule_defaults = $2 WHERE id = $1";
            tx.exec(sql, vals![user, Val::json(&defaults)?]).await?;
        }
        tx.commit().await?;
        self.ring();
        Ok(())
    }

    pub(super) async fn setting(&self, name: &str) -> Result<Option<Value>, StoreError> {
        let row = self.db.one("SELECT value FROM settings WHERE name = $1", vals![name]).await?;
        row.map(|mut row| row.json()).transpose()
    }

    pub(super) async fn init_setting(&self, name: &str, value: &Value) -> Result<Value, StoreError> {
        let mut tx = self.db.begin().await?;
        let sql = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        tx.exec(sql, vals![name, Val::json(value)?]).await?;
        let row = tx.one("SELECT value FROM settings WHERE name = $1", vals![name]).await?;
        tx.commit().await?;
        row.map_or_else(|| Ok(value.clone()), |mut row| row.json())
    }

    pub(super) async fn put_setting(&self, name: &str, value: &Value) -> Result<(), StoreError> {
        let sql = "INSERT INTO settings (name, value) VALUES ($1, $2) \
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.db.exec(sql, vals![name, Val::json(value)?]).await.map(drop)
    }

    pub(super) async fn change_setting(
        &self,
        name: &str,
        expected: Option<&Value>,
        new: &Value,
    ) -> Result<bool, StoreError> {
        let changed = match expected {
            None => {
                let sql = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
                self.db.exec(sql, vals![name, Val::json(new)?]).await?
            }
            // As text: what was written was written by the same serialiser, with its keys in order.
            Some(old) => {
                let sql = "UPDATE settings SET value = $2 WHERE name = $1 AND value = $3";
                self.db.exec(sql, vals![name, Val::json(new)?, Val::json(old)?]).await?
            }
        };
        Ok(changed == 1)
    }
}

const PERSON: &str = select!(user_columns, ", rule_defaults FROM users WHERE id = $1");
const ALL_ACCOUNTS: &str = select!(account_columns, "FROM accounts ORDER BY email, id");
pub(super) const ASKED_LATER: &str =
    "UPDATE accounts SET asked_at = 0 WHERE status = 'active' AND asked_at > $1";
pub(super) const TO_ASK: &str = "SELECT id, user_id FROM accounts WHERE status = 'active' AND asked_at < $1 \
    ORDER BY asked_at, id LIMIT $2";
const ACCOUNTS: &str = select!(account_columns, "FROM accounts WHERE user_id = $1 ORDER BY id");
const CALENDARS: &str = select!(
    calendar_columns,
    "FROM calendars c JOIN accounts a ON a.id = c.account_id WHERE c.user_id = $1 ORDER BY c.id"
);
const RULES: &str = select!(rule_columns, "FROM rules WHERE user_id = $1 ORDER BY id");
const HOLDS: &str = select!(
    hold_columns,
    "FROM holds WHERE target IN (SELECT id FROM calendars WHERE user_id = $1) ORDER BY target"
);
const SUBSCRIPTIONS: &str = select!(
    subscription_columns,
    "FROM webhook_subscriptions s WHERE s.status = 'active' \
     AND s.calendar_id IN (SELECT id FROM calendars WHERE user_id = $1) ORDER BY s.calendar_id, s.id"
);
/// A write without a time may go at once, and so may its target.
const WAITING: &str = "SELECT target, CASE WHEN count(not_before) = count(*) THEN min(not_before) END FROM outbox \
    WHERE target IN (SELECT id FROM calendars WHERE user_id = $1) GROUP BY target ORDER BY target";

async fn read<T>(
    tx: &mut Tx,
    sql: &'static str,
    user: UserId,
    one: impl Fn(Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    tx.all(sql, vals![user]).await?.into_iter().map(one).collect()
}

async fn count_rules(tx: &mut Tx, user: UserId) -> Result<i64, StoreError> {
    let row = tx.one("SELECT count(*) FROM rules WHERE user_id = $1", vals![user]).await?;
    row.ok_or_else(|| missing("count"))?.int()
}

async fn put_account(tx: &mut Tx, connect: &ConnectAccount) -> Result<AccountId, StoreError> {
    let account = &connect.account;
    let provider = account.provider.as_str();
    let remote_id = account.remote_id.as_str();
    let row = tx
        .one(
            "INSERT INTO accounts (id, user_id, provider, remote_id, email, status, created_at) \
             VALUES ($1, $2, $3, $4, $5, 'active', $6) ON CONFLICT (provider, remote_id) \
             DO UPDATE SET email = excluded.email, status = 'active', status_detail = NULL \
             WHERE accounts.user_id = excluded.user_id RETURNING id",
            vals![account.id, account.user, provider, remote_id, account.email.as_str(), account.created_at],
        )
        .await?;
    row.ok_or_else(|| StoreError::Conflict(SOMEBODY_ELSES.to_owned()))?.id()
}

fn sealed(mut row: Row) -> Result<SealedCredentials, StoreError> {
    Ok(SealedCredentials { sealed: row.bytes()?, version: row.int()? })
}

/// What concerns several calendars of one person is changed by one at a time.
pub(super) async fn lock_user(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    tx.lock("SELECT id FROM users WHERE id = $1", vals![user]).await?;
    hold_calendars(tx, user).await
}

/// All of a person's calendars, in the order in which everybody locks them.
pub(super) async fn hold_calendars(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    tx.lock("SELECT id FROM calendars WHERE user_id = $1 ORDER BY id", vals![user]).await.map(drop)
}

/// A conflict in words that fit the occasion.
pub(super) fn say(error: StoreError, words: &str) -> StoreError {
    match error {
        StoreError::Conflict(_) => StoreError::Conflict(words.to_owned()),
        other => other,
    }
}
