//! Who was let in with what: programs, codes, consents and tokens of Microsoft's login (microsoft.md §1). It keeps the
//! state and its rules; the pages and endpoints are next door. Its secrets are worth nothing: all comes from a seed.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::time::Ts;
use jiff::SignedDuration;

use super::aadsts::Aadsts;
use super::scopes::KNOWN;
use crate::cloud::names::PersonId;
use crate::kept::Kept;
use crate::pkce::Challenge;
use crate::rng::Rng;

/// What Graph's scopes may begin with.
const PREFIX: &str = "https://graph.microsoft.com/";

/// The tenant of all personal accounts (§1 identity key).
pub const PERSONAL_TENANT_ID: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// How many codes and tokens are kept: the oldest go first.
const KEPT_MAX: usize = 200_000;

/// How long a code can be exchanged (§1).
const CODE_LIVES: SignedDuration = SignedDuration::from_mins(10);

/// After how long a refresh token that nobody uses dies (§1 lifetime).
const UNUSED_LIVES: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Whom a program lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Work and school accounts of every tenant, and personal ones.
    Everybody,
    /// Work and school accounts of every tenant.
    Organizations,
    /// Personal accounts.
    Consumers,
    /// The accounts of one tenant.
    Tenant(String),
}

/// A registered program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthClient {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// When the secret runs out, if ever.
    pub secret_until: Option<Ts>,
    /// Where people may be sent back to, compared byte for byte (§1).
    pub redirect_uris: Vec<String>,
    /// Whom it lets in.
    pub audience: Audience,
}

/// What kind of account somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// Of a firm or a school, in this tenant.
    Work(String),
    /// Of a person.
    Personal,
}

impl Account {
    /// The tenant it lives in.
    pub fn tenant(&self) -> &str {
        match self {
            Account::Work(tenant) => tenant,
            Account::Personal => PERSONAL_TENANT_ID,
        }
    }
}

/// Scopes as a set, in their own spelling and without Graph's prefix.
pub type Scopes = BTreeSet<String>;

/// A code that waits to be exchanged.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) person: PersonId,
    pub(super) client: String,
    pub(super) redirect_uri: String,
    pub(super) scopes: Scopes,
    pub(super) challenge: Option<Challenge>,
    pub(super) nonce: Option<String>,
    pub(super) made: Ts,
    pub(super) used: bool,
}

/// An access token's meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) person: PersonId,
    pub(super) client: String,
    pub(super) scopes: Scopes,
    pub(super) expires: Ts,
}

/// A refresh token's meaning.
#[derive(Debug, Clone)]
pub(super) struct Refresh {
    pub(super) person: PersonId,
    pub(super) client: String,
    pub(super) scopes: Scopes,
    used: Ts,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Oauth {
    pub(super) clients: BTreeMap<String, OauthClient>,
    codes: Kept<Code>,
    access: Kept<Access>,
    /// Tokens that were seeded: they neither expire by time nor are pushed out.
    fixed: BTreeMap<String, Access>,
    refresh: Kept<Refresh>,
    /// What people agreed to, by program.
    grants: BTreeMap<(String, PersonId), Scopes>,
    /// Whose sessions were revoked, and when: every refresh token from before is dead.
    revoked: BTreeMap<PersonId, Ts>,
    /// People who say no whenever asked.
    pub(super) refusing: BTreeSet<PersonId>,
    /// What the endpoints answer to whatever is asked for these people.
    pub(super) demands: BTreeMap<PersonId, Aadsts>,
    /// How many answers of the token endpoint fail for a while.
    pub(super) failing: u32,
    rng: Rng,
}

impl Oauth {
    pub(super) fn new(seed: u64, clients: Vec<OauthClient>) -> Oauth {
        Oauth {
            clients: clients.into_iter().map(|c| (c.id.clone(), c)).collect(),
            codes: Kept::of(KEPT_MAX),
            access: Kept::of(KEPT_MAX),
            fixed: BTreeMap::new(),
            refresh: Kept::of(KEPT_MAX),
            grants: BTreeMap::new(),
            revoked: BTreeMap::new(),
            refusing: BTreeSet::new(),
            demands: BTreeMap::new(),
            failing: 0,
            rng: Rng::new(seed ^ 0x6d73_6c6f_6769_6e21),
        }
    }

    /// What the person agreed to for this program so far.
    pub(super) fn granted(&self, client: &str, person: &PersonId) -> Option<&Scopes> {
        self.grants.get(&(client.to_owned(), person.clone()))
    }

    /// Notes a consent and gives the code for it.
    pub(super) fn consent(&mut self, code: Code) -> String {
        let key = (code.client.clone(), code.person.clone());
        self.grants.entry(key).or_default().extend(code.scopes.iter().cloned());
        let text = format!("0.{}", self.rng.letters(120));
        self.codes.put(text.clone(), code);
        text
    }

    /// Takes a code: it works once.
    pub(super) fn redeem(&mut self, text: &str, now: Ts) -> Result<Code, Aadsts> {
        let code = self.codes.take(text).ok_or(Aadsts::BAD_CODE)?;
        self.codes.put(text.to_owned(), Code { used: true, ..code.clone() });
        if code.used {
            return Err(Aadsts::CODE_USED);
        }
        if now.since(code.made) >= CODE_LIVES { Err(Aadsts::EXPIRED) } else { Ok(code) }
    }

    pub(super) fn new_access(&mut self, access: Access) -> String {
        let text = format!("EwB{}", self.rng.letters(200));
        self.access.put(text.clone(), access);
        text
    }

    /// A token of the caller's own choosing that holds until revoked.
    pub(super) fn seed_access(&mut self, token: &str, access: Access) {
        self.fixed.insert(token.to_owned(), access);
    }

    /// A new refresh token. Older ones live on (§1 rotation).
    pub(super) fn new_refresh(&mut self, person: &PersonId, client: &str, scopes: Scopes, now: Ts) -> String {
        let text = format!("M.R3_{}", self.rng.letters(120));
        let refresh = Refresh { person: person.clone(), client: client.to_owned(), scopes, used: now };
        self.refresh.put(text.clone(), refresh);
        text
    }

    /// Uses a refresh token of this program.
    pub(super) fn use_refresh(&mut self, token: &str, client: &str, now: Ts) -> Result<Refresh, Aadsts> {
        let known = self.refresh.get(token).filter(|r| r.client == client).ok_or(Aadsts::BAD_REFRESH)?;
        if self.revoked.get(&known.person).is_some_and(|at| known.used <= *at) {
            return Err(Aadsts::REVOKED);
        }
        if self.granted(client, &known.person).is_none() {
            return Err(Aadsts::NO_CONSENT);
        }
        if now.since(known.used) >= UNUSED_LIVES {
            return Err(Aadsts::IDLE);
        }
        Ok(known.clone())
    }

    /// What an access token means, if it is alive.
    pub(super) fn access(&self, token: &str, now: Ts) -> Option<&Access> {
        self.fixed.get(token).or_else(|| self.access.get(token)).filter(|a| now < a.expires)
    }

    /// Ends one access token before its time.
    pub(super) fn expire(&mut self, token: &str) {
        self.access.take(token);
    }

    /// Ends all access tokens of a person, not their refresh tokens.
    pub(super) fn expire_all(&mut self, person: &PersonId) {
        self.access.retain(|a| a.person != *person);
    }

    /// Revokes all sessions of a person: what was handed out up to now is dead (§1 "kills it").
    pub(super) fn revoke_sessions(&mut self, person: &PersonId, now: Ts) {
        self.revoked.insert(person.clone(), now);
        self.access.retain(|a| a.person != *person);
        self.fixed.retain(|_, a| a.person != *person);
    }

    /// The person takes back what they agreed to for a program.
    pub(super) fn remove_consent(&mut self, client: &str, person: &PersonId) {
        self.grants.remove(&(client.to_owned(), person.clone()));
        self.access.retain(|a| a.client != client || a.person != *person);
        self.fixed.retain(|_, a| a.client != client || a.person != *person);
    }
}

/// Scopes out of a text: short names and long ones are the same, and so are small letters and capitals (§1).
pub(super) fn scopes_of(text: &str) -> Result<Scopes, Aadsts> {
    let known = |word: &str| {
        let word = word
            .get(..PREFIX.len())
            .filter(|p| p.eq_ignore_ascii_case(PREFIX))
            .map_or(word, |p| &word[p.len()..]);
        let found = KNOWN.iter().find(|name| name.eq_ignore_ascii_case(word));
        found.map(|name| (*name).to_owned()).ok_or(Aadsts::SCOPE)
    };
    text.split_ascii_whitespace().map(known).collect()
}

/// Scopes as the token endpoint writes them: without `offline_access`, and to people with work accounts with Graph's
/// prefix (§1 granted scope: both spellings are met).
pub(super) fn written(scopes: &Scopes, account: &Account) -> String {
    let write = |scope: &String| match account {
        Account::Work(_) if scope.contains('.') => format!("{PREFIX}{scope}"),
        _ => scope.clone(),
    };
    let shown = scopes.iter().filter(|s| *s != "offline_access").map(write);
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_in_any_spelling() {
        let all =
            scopes_of("openid offline_access https://graph.microsoft.com/calendars.readwrite User.Read")
                .unwrap();
        assert_eq!(
            all,
            ["Calendars.ReadWrite", "User.Read", "offline_access", "openid"].map(str::to_owned).into()
        );
        assert_eq!(written(&all, &Account::Personal), "Calendars.ReadWrite User.Read openid");
        let work = written(&all, &Account::Work("t".into()));
        assert!(work.starts_with("https://graph.microsoft.com/Calendars.ReadWrite "), "{work}");
        assert_eq!(scopes_of("Calendars.Everything"), Err(Aadsts::SCOPE));
    }
}
