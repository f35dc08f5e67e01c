//! Passwords, sessions, sign-ins under way, identities and access tokens in SQL. Whatever somebody shows is looked up by its SHA-256.

use calsync_core::calendar::User;
use calsync_core::ids::{AccessTokenId, UserId};
use calsync_core::ports::StoreError;
use calsync_core::sign_in::elsewhere::Identity;
use calsync_core::sign_in::{AccessToken, Consent, Session, TokenHash};
use calsync_core::time::Ts;

use super::SqlStore;
use super::columns;
use super::people::say;
use super::value::{Row, vals};
use crate::rows::missing;

pub(super) const SESSION: &str = "SELECT s.token_hash, s.user_id, s.device, s.created_at, s.seen_at, \
    u.id, u.email, u.is_staff, u.created_at FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = $1";
pub(super) const SESSIONS: &str = "SELECT token_hash, user_id, device, created_at, seen_at FROM sessions \
    WHERE user_id = $1 ORDER BY seen_at DESC, token_hash";
const END_OTHERS: &str = "DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2";
pub(super) const ACCESS_TOKEN: &str = "SELECT t.id, t.user_id, t.name, t.token_hash, t.created_at, t.used_at, \
    u.id, u.email, u.is_staff, u.created_at FROM access_tokens t JOIN users u ON u.id = t.user_id \
    WHERE t.token_hash = $1";
pub(super) const ACCESS_TOKENS: &str = "SELECT id, user_id, name, token_hash, created_at, used_at FROM access_tokens \
    WHERE user_id = $1 ORDER BY id";
const PUT_SESSION: &str =
    "INSERT INTO sessions (token_hash, user_id, device, created_at, seen_at) VALUES ($1, $2, $3, $4, $5)";
const PUT_CONSENT: &str = "INSERT INTO consents (token_hash, session_hash, provider, account_id, verifier, begun_at) \
    VALUES ($1, $2, $3, $4, $5, $6)";
const TAKE_CONSENT: &str = "DELETE FROM consents WHERE token_hash = $1 \
    RETURNING token_hash, session_hash, provider, account_id, verifier, begun_at";
const SPEND: &str =
    "INSERT INTO spent_sign_ins (token_hash, begun_at) VALUES ($1, $2) ON CONFLICT (token_hash) DO NOTHING";
pub(super) const IDENTIFIED: &str = "SELECT u.id, u.email, u.is_staff, u.created_at FROM identities i \
    JOIN users u ON u.id = i.user_id WHERE i.issuer = $1 AND i.subject = $2";
// Of any two that stand in each other's way the first stays.
const IDENTIFY: &str = "INSERT INTO identities (issuer, subject, user_id, since) VALUES ($1, $2, $3, $4) \
    ON CONFLICT DO NOTHING";
const IDENTITIES: &str =
    "SELECT user_id, issuer, subject, since FROM identities WHERE user_id = $1 ORDER BY issuer";
const PUT_ACCESS_TOKEN: &str = "INSERT INTO access_tokens (id, user_id, name, token_hash, created_at, used_at) \
    VALUES ($1, $2, $3, $4, $5, $6)";
const FORGET_SESSIONS: &str = "DELETE FROM sessions WHERE seen_at < $1 OR created_at < $2";

impl SqlStore {
    pub(super) async fn password(&self, email: &str) -> Result<Option<(User, Option<String>)>, StoreError> {
        let sql = "SELECT id, email, is_staff, created_at, password FROM users WHERE email = $1";
        let row = self.db.all(sql, vals![email]).await?.pop();
        row.map(|mut r| Ok((columns::user(&mut r)?, r.opt_text()?))).transpose()
    }

    pub(super) async fn set_password(
        &self,
        user: UserId,
        hash: &str,
        keep: Option<&TokenHash>,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        if tx.exec("UPDATE users SET password = $2 WHERE id = $1", vals![user, hash]).await? == 0 {
            return Err(missing("user"));
        }
        tx.exec(END_OTHERS, vals![user, kept(keep)]).await?;
        tx.commit().await
    }

    pub(super) async fn put_session(&self, session: &Session) -> Result<(), StoreError> {
        let Session { key, user, device, created_at, seen_at } = session;
        let vals = vals![*key, *user, device.as_str(), *created_at, *seen_at];
        let words = "the user is gone, or there is such a session";
        self.db.exec(PUT_SESSION, vals).await.map(drop).map_err(|e| say(e, words))
    }

    pub(super) async fn session(&self, key: &TokenHash) -> Result<Option<(Session, User)>, StoreError> {
        let row = self.db.all(SESSION, vals![*key]).await?.pop();
        row.map(|mut r| Ok((session(&mut r)?, columns::user(&mut r)?))).transpose()
    }

    pub(super) async fn see_session(&self, key: &TokenHash, now: Ts) -> Result<(), StoreError> {
        let sql = "UPDATE sessions SET seen_at = $2 WHERE token_hash = $1";
        self.db.exec(sql, vals![*key, now]).await.map(drop)
    }

    pub(super) async fn sessions(&self, user: UserId) -> Result<Vec<Session>, StoreError> {
        self.db.all(SESSIONS, vals![user]).await?.into_iter().map(|mut r| session(&mut r)).collect()
    }

    pub(super) async fn end_session(&self, key: &TokenHash) -> Result<(), StoreError> {
        self.db.exec("DELETE FROM sessions WHERE token_hash = $1", vals![*key]).await.map(drop)
    }

    pub(super) async fn end_sessions(
        &self,
        user: UserId,
        keep: Option<&TokenHash>,
    ) -> Result<u64, StoreError> {
        self.db.exec(END_OTHERS, vals![user, kept(keep)]).await
    }

    pub(super) async fn put_consent(&self, consent: &Consent) -> Result<(), StoreError> {
        let Consent { key, session, provider, account, verifier, begun_at } = consent;
        let vals = vals![*key, *session, provider.as_str(), *account, verifier.clone(), *begun_at];
        let words = "the session is over, or there is such a sign-in";
        self.db.exec(PUT_CONSENT, vals).await.map(drop).map_err(|e| say(e, words))
    }

    pub(super) async fn take_consent(&self, key: &TokenHash) -> Result<Option<Consent>, StoreError> {
        let mut tx = self.db.begin().await?;
        let row = tx.one(TAKE_CONSENT, vals![*key]).await?;
        tx.commit().await?;
        row.map(consent).transpose()
    }

    pub(super) async fn spend_sign_in(&self, key: &TokenHash, begun: Ts) -> Result<bool, StoreError> {
        Ok(self.db.exec(SPEND, vals![*key, begun]).await? == 1)
    }

    pub(super) async fn identified(&self, issuer: &str, subject: &str) -> Result<Option<User>, StoreError> {
        let row = self.db.all(IDENTIFIED, vals![issuer, subject]).await?.pop();
        row.map(|mut r| columns::user(&mut r)).transpose()
    }

    pub(super) async fn identify(&self, identity: &Identity) -> Result<bool, StoreError> {
        let Identity { user, issuer, subject, since } = identity;
        let mut tx = self.db.begin().await?;
        let vals = vals![issuer.as_str(), subject.as_str(), *user, *since];
        tx.exec(IDENTIFY, vals).await.map_err(|e| say(e, "the user is gone"))?;
        let row = tx.one(IDENTIFIED, vals![issuer.as_str(), subject.as_str()]).await?;
        tx.commit().await?;
        let whose = row.map(|mut r| columns::user(&mut r)).transpose()?;
        Ok(whose.is_some_and(|whose| whose.id == *user))
    }

    pub(super) async fn identities(&self, user: UserId) -> Result<Vec<Identity>, StoreError> {
        self.db.all(IDENTITIES, vals![user]).await?.into_iter().map(|mut r| identity(&mut r)).collect()
    }

    pub(super) async fn forget_identities(&self, user: UserId) -> Result<u64, StoreError> {
        self.db.exec("DELETE FROM identities WHERE user_id = $1", vals![user]).await
    }

    pub(super) async fn put_access_token(&self, token: &AccessToken) -> Result<(), StoreError> {
        let AccessToken { id, user, name, key, created_at, used_at } = token;
        let vals = vals![*id, *user, name.as_str(), *key, *created_at, *used_at];
        let words = "the user is gone, or there is such a token";
        self.db.exec(PUT_ACCESS_TOKEN, vals).await.map(drop).map_err(|e| say(e, words))
    }

    pub(super) async fn access_token(
        &self,
        key: &TokenHash,
    ) -> Result<Option<(AccessToken, User)>, StoreError> {
        let row = self.db.all(ACCESS_TOKEN, vals![*key]).await?.pop();
        row.map(|mut r| Ok((access_token(&mut r)?, columns::user(&mut r)?))).transpose()
    }

    pub(super) async fn see_access_token(&self, id: AccessTokenId, now: Ts) -> Result<(), StoreError> {
        self.db.exec("UPDATE access_tokens SET used_at = $2 WHERE id = $1", vals![id, now]).await.map(drop)
    }

    pub(super) async fn access_tokens(&self, user: UserId) -> Result<Vec<AccessToken>, StoreError> {
        self.db.all(ACCESS_TOKENS, vals![user]).await?.into_iter().map(|mut r| access_token(&mut r)).collect()
    }

    pub(super) async fn remove_access_token(
        &self,
        user: UserId,
        id: AccessTokenId,
    ) -> Result<bool, StoreError> {
        let sql = "DELETE FROM access_tokens WHERE id = $1 AND user_id = $2";
        Ok(self.db.exec(sql, vals![id, user]).await? == 1)
    }

    pub(super) async fn forget_sign_ins(&self, seen: Ts, created: Ts, begun: Ts) -> Result<u64, StoreError> {
        let sessions = self.db.exec(FORGET_SESSIONS, vals![seen, created]).await?;
        let consents = self.db.exec("DELETE FROM consents WHERE begun_at < $1", vals![begun]).await?;
        let spent = self.db.exec("DELETE FROM spent_sign_ins WHERE begun_at < $1", vals![begun]).await?;
        Ok(sessions + consents + spent)
    }
}

/// What is spared; no hash is empty, so nothing is by that.
fn kept(keep: Option<&TokenHash>) -> Vec<u8> {
    keep.map(|key| key.0.to_vec()).unwrap_or_default()
}

fn session(r: &mut Row) -> Result<Session, StoreError> {
    Ok(Session {
        key: r.token_hash()?,
        user: r.id()?,
        device: r.text()?,
        created_at: r.ts()?,
        seen_at: r.ts()?,
    })
}

fn consent(mut r: Row) -> Result<Consent, StoreError> {
    Ok(Consent {
        key: r.token_hash()?,
        session: r.token_hash()?,
        provider: r.word()?,
        account: r.opt_id()?,
        verifier: r.bytes()?,
        begun_at: r.ts()?,
    })
}

fn identity(r: &mut Row) -> Result<Identity, StoreError> {
    Ok(Identity { user: r.id()?, issuer: r.text()?, subject: r.text()?, since: r.ts()? })
}

fn access_token(r: &mut Row) -> Result<AccessToken, StoreError> {
    Ok(AccessToken {
        id: r.id()?,
        user: r.id()?,
        name: r.text()?,
        key: r.token_hash()?,
        created_at: r.ts()?,
        used_at: r.opt_ts()?,
    })
}
