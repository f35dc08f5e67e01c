//! People as Microsoft knows them: accounts and tenants, ids, and what a test or the demo does to somebody's sessions and
//! consents. It answers no request.

use std::collections::BTreeSet;

use calsync_core::time::Ts;

use super::aadsts::Aadsts;
use super::oauth::{Access, Account, PERSONAL_TENANT_ID, scopes_of};
use super::{MicrosoftFace, ids, scopes};
use crate::cloud::names::{CalendarId, EventId, PersonId};

/// Whose requests the seeded tokens are.
const SEEDED: &str = "seeded";

/// Who somebody is to Microsoft.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    /// What names the mailbox inside ids.
    pub(crate) mailbox: String,
    /// `id` of `/me`: a GUID, or sixteen hex digits (§1 identity key).
    pub(crate) user_id: String,
    /// `oid` of an id token.
    pub(crate) oid: String,
    /// `sub` of an id token.
    pub(crate) pairwise: String,
    /// The name.
    pub(crate) name: String,
}

impl MicrosoftFace {
    /// A bearer token of the caller's own choosing for somebody: all scopes, holds until their sessions are revoked.
    pub fn seed_token(&self, person: &PersonId, token: &str) {
        let scopes = scopes::KNOWN.iter().map(|s| (*s).to_owned()).collect();
        let access = Access { person: person.clone(), client: SEEDED.to_owned(), scopes, expires: Ts::MAX };
        self.oauth().seed_access(token, access);
    }

    /// A fresh access token for somebody with just these scopes, as if a program had got it. Nothing if a scope is
    /// unknown.
    pub fn mint_token(&self, person: &PersonId, client: &str, scopes: &str) -> Option<String> {
        let scopes = scopes_of(scopes).ok()?;
        let expires = self.now().plus(self.config.access_token_lives);
        let access = Access { person: person.clone(), client: client.to_owned(), scopes, expires };
        Some(self.oauth().new_access(access))
    }

    /// Makes somebody's account a personal one; work accounts are the rule, in a tenant for each domain.
    pub fn make_personal(&self, person: &PersonId) {
        self.state().personal.insert(person.clone());
    }

    /// Takes somebody's mailbox away, as guests have none (§10 row 19), or gives it back.
    pub fn set_mailbox(&self, person: &PersonId, there: bool) {
        let mut state = self.state();
        if there {
            state.without_mailbox.remove(person)
        } else {
            state.without_mailbox.insert(person.clone())
        };
    }

    /// All access tokens of a person end now; refresh tokens live on.
    pub fn expire_access_tokens(&self, person: &PersonId) {
        self.oauth().expire_all(person);
    }

    /// Revokes all sessions of a person (§1 "kills it"): tokens die, and their subscriptions go with a word (§8.3).
    pub fn revoke_sessions(&self, person: &PersonId) {
        let now = self.now();
        self.oauth().revoke_sessions(person, now);
        self.remove_subscriptions(person);
    }

    /// The person takes back what they agreed to for a program.
    pub fn remove_consent(&self, client: &str, person: &PersonId) {
        self.oauth().remove_consent(client, person);
    }

    /// The person says no whenever a program asks.
    pub fn refuse_consent(&self, person: &PersonId) {
        self.oauth().refusing.insert(person.clone());
    }

    /// What the login endpoints answer to whatever is asked for this person; nothing: they answer as usual.
    pub fn demand(&self, person: &PersonId, what: Option<Aadsts>) {
        let mut oauth = self.oauth();
        match what {
            Some(what) => oauth.demands.insert(person.clone(), what),
            None => oauth.demands.remove(person),
        };
    }

    /// The next so many answers of the token endpoint are `temporarily_unavailable`.
    pub fn fail_logins(&self, times: u32) {
        self.oauth().failing = times;
    }

    /// How many names of extended properties this mailbox has been made to remember (§5: they are never given back).
    pub fn named_properties(&self, person: &PersonId) -> usize {
        self.state().named.get(person).map_or(0, BTreeSet::len)
    }

    /// What kind of account somebody has.
    pub fn account(&self, person: &PersonId) -> Account {
        if self.state().personal.contains(person) {
            return Account::Personal;
        }
        let domain = person.as_str().rsplit('@').next().unwrap_or("");
        Account::Work(tenant_of(domain))
    }

    /// The id under which somebody sees a calendar.
    pub fn calendar_id_for(&self, person: &PersonId, calendar: &CalendarId) -> String {
        ids::calendar_id(&self.who(person).mailbox, calendar)
    }

    /// The event that goes by this id, of either form, whoever sees it.
    pub fn event_of(&self, id: &str) -> Option<EventId> {
        ids::read_event_id(id).map(|named| named.event)
    }

    /// The default id under which somebody sees an event.
    pub fn event_id_for(&self, person: &PersonId, calendar: &CalendarId, event: &EventId) -> String {
        ids::event_id(ids::IdForm::Default, &self.who(person).mailbox, calendar, event)
    }

    pub(super) fn knows_tenant(&self, tenant: &str) -> bool {
        let known = |email: &str| {
            let domain = email.rsplit('@').next().unwrap_or("");
            domain.eq_ignore_ascii_case(tenant) || tenant_of(domain) == tenant
        };
        tenant == PERSONAL_TENANT_ID || self.cloud.with(|c| c.people().any(|p| known(p.id.as_str())))
    }

    pub(super) fn who(&self, person: &PersonId) -> Who {
        let found = self.cloud.with(|c| c.person(person).map(|p| (p.sub.clone(), p.name.clone())));
        let (sub, name) = found.unwrap_or_default();
        let oid = ids::guid(&format!("user {sub}"));
        let user_id = match self.account(person) {
            Account::Work(_) => oid.clone(),
            Account::Personal => oid.replace('-', "")[..16].to_owned(),
        };
        Who { mailbox: sub.clone(), user_id, oid, pairwise: ids::guid(&format!("pairwise {sub}")), name }
    }
}

/// The tenant of a domain.
pub fn tenant_of(domain: &str) -> String {
    ids::guid(&format!("tenant {}", domain.to_ascii_lowercase()))
}
