//! Passwords, sessions, sign-ins under way, identities and access tokens in memory.

use std::cmp::Reverse;

use calsync_core::calendar::User;
use calsync_core::ids::{AccessTokenId, UserId};
use calsync_core::ports::StoreError;
use calsync_core::sign_in::elsewhere::Identity;
use calsync_core::sign_in::{AccessToken, Consent, Session, TokenHash};
use calsync_core::time::Ts;

use super::{State, conflict};
use crate::rows::missing;

impl State {
    pub(super) fn password(&self, email: &str) -> Result<Option<(User, Option<String>)>, StoreError> {
        let user = self.users.values().find(|user| user.email == email);
        Ok(user.map(|user| (user.clone(), self.passwords.get(&user.id).cloned())))
    }

    pub(super) fn set_password(
        &mut self,
        user: UserId,
        hash: &str,
        keep: Option<&TokenHash>,
    ) -> Result<(), StoreError> {
        if !self.users.contains_key(&user) {
            return Err(missing("user"));
        }
        self.passwords.insert(user, hash.to_owned());
        self.end_sessions(user, keep).map(drop)
    }

    pub(super) fn put_session(&mut self, session: &Session) -> Result<(), StoreError> {
        if !self.users.contains_key(&session.user) || self.sessions.contains_key(&session.key) {
            return Err(conflict("the user is gone, or there is such a session"));
        }
        self.sessions.insert(session.key, session.clone());
        Ok(())
    }

    pub(super) fn session(&self, key: &TokenHash) -> Result<Option<(Session, User)>, StoreError> {
        let session = self.sessions.get(key);
        Ok(session.and_then(|s| Some((s.clone(), self.users.get(&s.user)?.clone()))))
    }

    pub(super) fn see_session(&mut self, key: &TokenHash, now: Ts) -> Result<(), StoreError> {
        if let Some(session) = self.sessions.get_mut(key) {
            session.seen_at = now;
        }
        Ok(())
    }

    pub(super) fn sessions(&self, user: UserId) -> Result<Vec<Session>, StoreError> {
        let mut sessions: Vec<Session> = self.sessions.values().filter(|s| s.user == user).cloned().collect();
        sessions.sort_by_key(|s| (Reverse(s.seen_at), s.key));
        Ok(sessions)
    }

    pub(super) fn end_session(&mut self, key: &TokenHash) -> Result<(), StoreError> {
        self.sessions.remove(key);
        self.drop_consents();
        Ok(())
    }

    pub(super) fn end_sessions(&mut self, user: UserId, keep: Option<&TokenHash>) -> Result<u64, StoreError> {
        let before = self.sessions.len();
        self.sessions.retain(|key, session| session.user != user || Some(key) == keep);
        self.drop_consents();
        Ok((before - self.sessions.len()) as u64)
    }

    /// Those whose session is over.
    fn drop_consents(&mut self) {
        let sessions = &self.sessions;
        self.consents.retain(|_, consent| sessions.contains_key(&consent.session));
    }

    pub(super) fn put_consent(&mut self, consent: &Consent) -> Result<(), StoreError> {
        if !self.sessions.contains_key(&consent.session) || self.consents.contains_key(&consent.key) {
            return Err(conflict("the session is over, or there is such a sign-in"));
        }
        self.consents.insert(consent.key, consent.clone());
        Ok(())
    }

    pub(super) fn take_consent(&mut self, key: &TokenHash) -> Result<Option<Consent>, StoreError> {
        Ok(self.consents.remove(key))
    }

    pub(super) fn spend_sign_in(&mut self, key: &TokenHash, begun: Ts) -> Result<bool, StoreError> {
        if self.spent_sign_ins.contains_key(key) {
            return Ok(false);
        }
        self.spent_sign_ins.insert(*key, begun);
        Ok(true)
    }

    pub(super) fn identified(&self, issuer: &str, subject: &str) -> Result<Option<User>, StoreError> {
        let identity = self.identities.get(&(issuer.to_owned(), subject.to_owned()));
        Ok(identity.and_then(|identity| self.users.get(&identity.user).cloned()))
    }

    pub(super) fn identify(&mut self, identity: &Identity) -> Result<bool, StoreError> {
        if !self.users.contains_key(&identity.user) {
            return Err(conflict("the user is gone"));
        }
        let key = (identity.issuer.clone(), identity.subject.clone());
        if let Some(known) = self.identities.get(&key) {
            return Ok(known.user == identity.user);
        }
        if self.identities.values().any(|one| one.user == identity.user && one.issuer == identity.issuer) {
            return Ok(false);
        }
        self.identities.insert(key, identity.clone());
        Ok(true)
    }

    pub(super) fn identities(&self, user: UserId) -> Result<Vec<Identity>, StoreError> {
        Ok(self.identities.values().filter(|identity| identity.user == user).cloned().collect())
    }

    pub(super) fn forget_identities(&mut self, user: UserId) -> Result<u64, StoreError> {
        let before = self.identities.len();
        self.identities.retain(|_, identity| identity.user != user);
        Ok((before - self.identities.len()) as u64)
    }

    pub(super) fn put_access_token(&mut self, token: &AccessToken) -> Result<(), StoreError> {
        let taken = self.access_tokens.values().any(|t| t.id == token.id || t.key == token.key);
        if taken || !self.users.contains_key(&token.user) {
            return Err(conflict("the user is gone, or there is such a token"));
        }
        self.access_tokens.insert(token.id, token.clone());
        Ok(())
    }

    pub(super) fn access_token(&self, key: &TokenHash) -> Result<Option<(AccessToken, User)>, StoreError> {
        let token = self.access_tokens.values().find(|token| token.key == *key);
        Ok(token.and_then(|t| Some((t.clone(), self.users.get(&t.user)?.clone()))))
    }

    pub(super) fn see_access_token(&mut self, id: AccessTokenId, now: Ts) -> Result<(), StoreError> {
        if let Some(token) = self.access_tokens.get_mut(&id) {
            token.used_at = Some(now);
        }
        Ok(())
    }

    pub(super) fn access_tokens(&self, user: UserId) -> Result<Vec<AccessToken>, StoreError> {
        Ok(self.access_tokens.values().filter(|token| token.user == user).cloned().collect())
    }

    pub(super) fn remove_access_token(
        &mut self,
        user: UserId,
        id: AccessTokenId,
    ) -> Result<bool, StoreError> {
        let theirs = self.access_tokens.get(&id).is_some_and(|token| token.user == user);
        if theirs {
            self.access_tokens.remove(&id);
        }
        Ok(theirs)
    }

    pub(super) fn forget_sign_ins(&mut self, seen: Ts, created: Ts, begun: Ts) -> Result<u64, StoreError> {
        let before = self.sessions.len();
        self.sessions.retain(|_, s| s.seen_at >= seen && s.created_at >= created);
        let over = before - self.sessions.len();
        self.drop_consents();
        let before = self.consents.len() + self.spent_sign_ins.len();
        self.consents.retain(|_, c| c.begun_at >= begun);
        self.spent_sign_ins.retain(|_, begun_at| *begun_at >= begun);
        Ok((over + before - self.consents.len() - self.spent_sign_ins.len()) as u64)
    }
}
