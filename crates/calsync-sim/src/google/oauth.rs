//! Who was let in with what: clients, codes, grants and tokens of Google's OAuth (google.md §2). It keeps the state and
//! its rules; the pages and endpoints are next door. Its secrets are worth nothing: everything comes from a seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use calsync_core::time::Ts;
use jiff::SignedDuration;

use crate::cloud::names::PersonId;
use crate::kept::Kept;
use crate::pkce::Challenge;
use crate::rng::Rng;

/// What every scope of Google's begins with.
pub(super) const PREFIX: &str = "https://www.googleapis.com/auth/";

/// How many codes and access tokens are kept: the oldest go first.
const KEPT_MAX: usize = 200_000;

/// Live refresh tokens per person and client (§2.3): the oldest dies silently.
const REFRESH_MAX: usize = 100;

/// How long a code can be exchanged.
const CODE_LIVES: SignedDuration = SignedDuration::from_mins(10);

/// How long a refresh token lives while the consent screen is in testing (§2.3).
const TESTING_LIVES: SignedDuration = SignedDuration::from_hours(24 * 7);

/// After how long a refresh token that nobody uses dies: six months (§2.3).
const UNUSED_LIVES: SignedDuration = SignedDuration::from_hours(24 * 183);

/// Where a project stands with its consent screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Refresh tokens die after a week.
    Testing,
    /// They do not.
    InProduction,
}

/// A registered program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthClient {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// Where people may be sent back to, compared byte for byte (§2.1).
    pub redirect_uris: Vec<String>,
    /// Its project: the bearer of quotas, grants and channel ids.
    pub project: String,
    /// Where the project's consent screen stands.
    pub stage: Stage,
}

/// Scopes as a set.
pub type Scopes = BTreeSet<String>;

/// A code that waits to be exchanged.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) person: PersonId,
    pub(super) client: String,
    pub(super) redirect_uri: String,
    pub(super) scopes: Scopes,
    pub(super) challenge: Option<Challenge>,
    pub(super) gives_refresh: bool,
    pub(super) made: Ts,
}

/// An access token's meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) person: PersonId,
    pub(super) client: String,
    pub(super) project: String,
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
    pub(super) dies: Option<Ts>,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Oauth {
    pub(super) clients: BTreeMap<String, OauthClient>,
    codes: Kept<Code>,
    access: Kept<Access>,
    /// Tokens that were seeded: they neither expire by time nor are pushed out.
    fixed: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Refresh>,
    refresh_order: BTreeMap<(PersonId, String), VecDeque<String>>,
    grants: BTreeMap<(String, PersonId), Scopes>,
    /// Scopes that a person unticks whenever asked (granular consent, §2.1).
    pub(super) unticked: BTreeMap<PersonId, Scopes>,
    /// People who say no whenever asked.
    pub(super) refusing: BTreeSet<PersonId>,
    rng: Rng,
}

impl Oauth {
    pub(super) fn new(seed: u64, clients: Vec<OauthClient>) -> Oauth {
        Oauth {
            clients: clients.into_iter().map(|c| (c.id.clone(), c)).collect(),
            codes: Kept::of(KEPT_MAX),
            access: Kept::of(KEPT_MAX),
            fixed: BTreeMap::new(),
            refresh: BTreeMap::new(),
            refresh_order: BTreeMap::new(),
            grants: BTreeMap::new(),
            unticked: BTreeMap::new(),
            refusing: BTreeSet::new(),
            rng: Rng::new(seed ^ 0x6f61_7574_6832_3121),
        }
    }

    /// What the person granted the project so far; nothing if never asked or revoked.
    pub(super) fn granted(&self, project: &str, person: &PersonId) -> Option<&Scopes> {
        self.grants.get(&(project.to_owned(), person.clone()))
    }

    /// Notes a consent and gives the code for it.
    pub(super) fn consent(&mut self, project: &str, code: Code) -> String {
        let grant = self.grants.entry((project.to_owned(), code.person.clone())).or_default();
        grant.extend(code.scopes.iter().cloned());
        let text = format!("4/0{}", self.rng.letters(70));
        self.codes.put(text.clone(), code);
        text
    }

    /// Takes a code: it works once.
    pub(super) fn redeem(&mut self, code: &str, now: Ts) -> Option<Code> {
        self.codes.take(code).filter(|c| now.since(c.made) < CODE_LIVES)
    }

    pub(super) fn new_access(&mut self, access: Access) -> String {
        let text = format!("ya29.{}", self.rng.letters(160));
        self.access.put(text.clone(), access);
        text
    }

    /// A token of the caller's own choosing that holds until revoked.
    pub(super) fn seed_access(&mut self, token: &str, access: Access) {
        self.fixed.insert(token.to_owned(), access);
    }

    pub(super) fn new_refresh(
        &mut self,
        person: &PersonId,
        client: &OauthClient,
        scopes: Scopes,
        now: Ts,
    ) -> (String, Option<Ts>) {
        let text = format!("1//0{}", self.rng.letters(100));
        let only_identity = scopes.iter().all(|s| is_identity(s));
        let dies = (client.stage == Stage::Testing && !only_identity).then(|| now.plus(TESTING_LIVES));
        let refresh = Refresh { person: person.clone(), client: client.id.clone(), scopes, used: now, dies };
        self.refresh.insert(text.clone(), refresh);
        let order = self.refresh_order.entry((person.clone(), client.id.clone())).or_default();
        order.push_back(text.clone());
        if order.len() > REFRESH_MAX
            && let Some(oldest) = order.pop_front()
        {
            self.refresh.remove(&oldest);
        }
        (text, dies)
    }

    /// Uses a refresh token of this client; `None` if it is dead (§2.3).
    pub(super) fn use_refresh(&mut self, token: &str, client: &str, now: Ts) -> Option<Refresh> {
        let refresh = self.refresh.get_mut(token).filter(|r| r.client == client)?;
        if refresh.dies.is_some_and(|dies| now >= dies) || now.since(refresh.used) >= UNUSED_LIVES {
            self.refresh.remove(token);
            return None;
        }
        refresh.used = now;
        Some(refresh.clone())
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

    /// Ends everything that this person granted the project (§2.2 revoke).
    pub(super) fn revoke(&mut self, project: &str, person: &PersonId) {
        self.grants.remove(&(project.to_owned(), person.clone()));
        self.access.retain(|a| a.project != project || a.person != *person);
        self.fixed.retain(|_, a| a.project != project || a.person != *person);
        let clients = &self.clients;
        let of_project = |client: &str| clients.get(client).is_some_and(|c| c.project == project);
        self.refresh.retain(|_, r| r.person != *person || !of_project(&r.client));
    }

    /// Whose grant a token of either kind belongs to.
    pub(super) fn owner_of(&self, token: &str) -> Option<(String, PersonId)> {
        let of_access = self.fixed.get(token).or_else(|| self.access.get(token));
        if let Some(access) = of_access {
            return Some((access.project.clone(), access.person.clone()));
        }
        let refresh = self.refresh.get(token)?;
        Some((self.clients.get(&refresh.client)?.project.clone(), refresh.person.clone()))
    }
}

/// Scopes as Google writes them back: `email` and `profile` in their long form (§2.2).
pub(super) fn scopes_of(text: &str) -> Scopes {
    let long = |s: &str| match s {
        "email" | "profile" => format!("{PREFIX}userinfo.{s}"),
        _ => s.to_owned(),
    };
    text.split_ascii_whitespace().map(long).collect()
}

/// Whether a scope tells who somebody is, and nothing else.
pub(super) fn is_identity(scope: &str) -> bool {
    scope == "openid" || scope.strip_prefix(PREFIX).is_some_and(|s| s.starts_with("userinfo."))
}

/// Scopes as one text.
pub(super) fn joined(scopes: &Scopes) -> String {
    scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}
