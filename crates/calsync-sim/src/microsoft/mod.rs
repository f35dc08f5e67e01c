//! Microsoft's side of the cloud: the login endpoints, Graph v1.0 for calendars, and change notifications, as far as
//! microsoft.md describes them. One function takes a request and gives the reply; only the handshake of a new
//! subscription and the delivery of notices do I/O, and only with loopback addresses.

pub mod aadsts;
mod api;
mod batch;
mod calendars;
mod consent;
mod delta;
mod delta_token;
mod endpoint;
mod errors;
mod event_json;
mod event_parse;
mod event_times;
mod events_list;
mod events_read;
mod events_write;
mod extended;
mod filter;
mod handshake;
mod ids;
mod list_params;
mod oauth;
mod pattern;
mod prefer;
pub mod push;
mod push_json;
mod scopes;
mod throttle;
mod token;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde_json::Value;

use crate::clock::SimClock;
use crate::cloud::SharedCloud;
use crate::cloud::names::{CalendarId, EventId, PersonId};
use crate::faults::FaultPlan;
use crate::http::Face;
use crate::kept::Kept;
use crate::rng::Rng;
use events_write::Transaction;
use oauth::{Access, Oauth};
use throttle::Throttle;

pub use crate::wire::{Answer, ApiRequest, Reply};
pub use aadsts::Aadsts;
pub use errors::GraphError;
pub use oauth::{Account, Audience, OauthClient, PERSONAL_TENANT_ID, Scopes};
pub use throttle::Flight;

/// Whose requests the seeded tokens are.
const SEEDED: &str = "seeded";

/// Creations whose `transactionId` is remembered.
const TRANSACTIONS_MAX: usize = 100_000;

/// Items that wait to ride along.
const SLIPPED_MAX: usize = 100;

/// New events whose first reading may still fail: no more than this many are remembered.
const LAGGING_MAX: usize = 1_000;

/// What a delta says of occurrences that no longer take place (§7: a deleted single occurrence may produce nothing).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vanished {
    /// Nothing: their series is told again, and that is all.
    Silent,
    /// An `@removed` for each.
    Told,
}

/// How a delta's links are written (§2: they may change form).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// `/calendars('ID')/…`.
    Keyed,
    /// `/calendars/ID/…`.
    Slashed,
}

/// How this Microsoft behaves.
#[derive(Debug, Clone)]
pub struct MicrosoftConfig {
    /// Registered programs.
    pub clients: Vec<OauthClient>,
    /// How long an access token lives (§1).
    pub access_token_lives: SignedDuration,
    /// Requests of one program to one mailbox in ten minutes (§9).
    pub requests_per_mailbox: u64,
    /// Requests at the same time of one program to one mailbox (§9).
    pub concurrent_per_mailbox: usize,
    /// Readings of the list of subscriptions in twenty seconds, per tenant (§9).
    pub subscription_lists: u64,
    /// Writes of subscriptions in twenty seconds, per tenant (§9).
    pub subscription_writes: u64,
    /// Live subscriptions of one mailbox (§8 quota).
    pub subscriptions_per_mailbox: usize,
    /// How long a request takes, during which it counts as one of those at the same time.
    pub latency: Duration,
    /// What a delta says of occurrences that no longer take place.
    pub vanished: Vanished,
    /// How a delta's links are written.
    pub links: Links,
    /// With which status `ErrorDuplicateTransactionId` comes: nobody has seen it (§12).
    pub duplicate_transaction_status: u16,
    /// Names of extended properties that a mailbox takes before it is full (§5 named-property quota).
    pub named_properties: usize,
    /// How long a webhook may take to prove that it is there (§8.1).
    pub handshake: Duration,
    /// How notices are delivered (§8.2).
    pub delivery: push::DeliveryRules,
}

impl Default for MicrosoftConfig {
    fn default() -> MicrosoftConfig {
        MicrosoftConfig {
            clients: Vec::new(),
            access_token_lives: SignedDuration::from_secs(3_600),
            requests_per_mailbox: 10_000,
            concurrent_per_mailbox: 4,
            subscription_lists: 40,
            subscription_writes: 500,
            subscriptions_per_mailbox: 1_000,
            latency: Duration::ZERO,
            vanished: Vanished::Silent,
            links: Links::Keyed,
            duplicate_transaction_status: 409,
            named_properties: 8_192,
            handshake: Duration::from_secs(10),
            delivery: push::DeliveryRules::default(),
        }
    }
}

/// Microsoft, over a cloud.
#[derive(Debug)]
pub struct MicrosoftFace {
    cloud: SharedCloud,
    clock: SimClock,
    faults: Arc<FaultPlan>,
    config: MicrosoftConfig,
    oauth: Mutex<Oauth>,
    throttle: Mutex<Throttle>,
    state: Mutex<State>,
}

/// What this side remembers beside the cloud.
#[derive(Debug)]
struct State {
    /// Creations by mailbox and `transactionId` (§4.2).
    transactions: Kept<Transaction>,
    /// New events whose first reading fails.
    lagging: BTreeSet<(CalendarId, EventId)>,
    /// People with personal accounts.
    personal: BTreeSet<PersonId>,
    /// People without a mailbox (§10 row 19).
    without_mailbox: BTreeSet<PersonId>,
    /// Names of extended properties, by mailbox.
    named: BTreeMap<PersonId, BTreeSet<String>>,
    /// When subscriptions last asked to be renewed.
    asked: BTreeMap<String, Ts>,
    /// Items that ride along with the next message to an address.
    slipped: Vec<(String, Value)>,
    /// Ids of requests and subscriptions.
    rng: Rng,
}

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
    /// A Microsoft over this cloud. The seed is for codes, tokens and ids.
    pub fn new(
        cloud: SharedCloud,
        clock: SimClock,
        faults: Arc<FaultPlan>,
        seed: u64,
        config: MicrosoftConfig,
    ) -> MicrosoftFace {
        let oauth = Mutex::new(Oauth::new(seed, config.clients.clone()));
        let state = State {
            transactions: Kept::of(TRANSACTIONS_MAX),
            lagging: BTreeSet::new(),
            personal: BTreeSet::new(),
            without_mailbox: BTreeSet::new(),
            named: BTreeMap::new(),
            asked: BTreeMap::new(),
            slipped: Vec::new(),
            rng: Rng::new(seed ^ 0x6d73_6772_6170_6821),
        };
        let (throttle, state) = (Mutex::default(), Mutex::new(state));
        MicrosoftFace { cloud, clock, faults, config, oauth, throttle, state }
    }

    /// The reply to any request. It waits for nothing but the webhook of a subscription that is being made or led
    /// elsewhere, and for `latency`.
    pub async fn reply(&self, request: &ApiRequest) -> Reply {
        match (request.method.as_str(), request.path_parts().as_slice()) {
            ("POST", ["v1.0" | "beta", "$batch"]) => Reply::Answer(self.batch(request).await),
            (_, ["v1.0" | "beta", rest @ ..]) => self.api(request, rest).await,
            ("GET", [tenant, "oauth2", "v2.0", "authorize"]) => {
                Reply::Answer(self.authorize(tenant, request))
            }
            ("POST", [tenant, "oauth2", "v2.0", "token"]) => Reply::Answer(self.token(tenant, request)),
            ("GET", [_, "discovery", "v2.0", "keys"]) => {
                Reply::Answer(Answer::json(200, &serde_json::json!({"keys": []})))
            }
            ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => {
                Reply::Answer(self.openid_configuration(tenant, request))
            }
            _ => Reply::Answer(Answer::html(404, "<!doctype html><title>Not found</title>".to_owned())),
        }
    }

    /// The cloud behind it.
    pub fn cloud(&self) -> &SharedCloud {
        &self.cloud
    }

    /// What goes wrong, and how often.
    pub fn faults(&self) -> &FaultPlan {
        &self.faults
    }

    /// A bearer token of the caller's own choosing for somebody: all scopes, holds until their sessions are revoked.
    pub fn seed_token(&self, person: &PersonId, token: &str) {
        let scopes = scopes::KNOWN.iter().map(|s| (*s).to_owned()).collect();
        let access = Access { person: person.clone(), client: SEEDED.to_owned(), scopes, expires: Ts::MAX };
        self.oauth().seed_access(token, access);
    }

    /// A fresh access token for somebody with just these scopes, as if a program had got it. Nothing if a scope is
    /// unknown.
    pub fn mint_token(&self, person: &PersonId, client: &str, scopes: &str) -> Option<String> {
        let scopes = oauth::scopes_of(scopes).ok()?;
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

    /// Lets an item ride along with the next message to this address, whatever is in it: a forged one, say.
    pub fn slip_in(&self, address: &str, item: Value) {
        let mut state = self.state();
        if state.slipped.len() < SLIPPED_MAX {
            state.slipped.push((address.to_owned(), item));
        }
    }

    fn slipped(&self, address: &str) -> Vec<Value> {
        let mut state = self.state();
        let (here, rest) = std::mem::take(&mut state.slipped).into_iter().partition(|(to, _)| to == address);
        state.slipped = rest;
        let here: Vec<(String, Value)> = here;
        here.into_iter().map(|(_, item)| item).collect()
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

    /// The default id under which somebody sees an event.
    pub fn event_id_for(&self, person: &PersonId, calendar: &CalendarId, event: &EventId) -> String {
        ids::event_id(ids::IdForm::Default, &self.who(person).mailbox, calendar, event)
    }

    fn knows_tenant(&self, tenant: &str) -> bool {
        let known = |email: &str| {
            let domain = email.rsplit('@').next().unwrap_or("");
            domain.eq_ignore_ascii_case(tenant) || tenant_of(domain) == tenant
        };
        tenant == oauth::PERSONAL_TENANT_ID || self.cloud.with(|c| c.people().any(|p| known(p.id.as_str())))
    }

    fn who(&self, person: &PersonId) -> Who {
        let found = self.cloud.with(|c| c.person(person).map(|p| (p.sub.clone(), p.name.clone())));
        let (sub, name) = found.unwrap_or_default();
        let oid = ids::guid(&format!("user {sub}"));
        let user_id = match self.account(person) {
            Account::Work(_) => oid.clone(),
            Account::Personal => oid.replace('-', "")[..16].to_owned(),
        };
        Who { mailbox: sub.clone(), user_id, oid, pairwise: ids::guid(&format!("pairwise {sub}")), name }
    }

    fn now(&self) -> Ts {
        self.clock.now()
    }

    /// Where this side stands, as whoever asks sees it: links lead back there.
    fn base(&self, request: &ApiRequest) -> String {
        match request.headers.get("host") {
            Some(host) => format!("http://{host}"),
            None => "https://graph.microsoft.com".to_owned(),
        }
    }

    fn stamp(&self, request: &ApiRequest) -> errors::Stamp {
        let request_id = self.fresh_guid();
        let client_request_id =
            request.headers.get("client-request-id").cloned().unwrap_or_else(|| request_id.clone());
        let date = self.now().to_jiff().strftime("%Y-%m-%dT%H:%M:%S").to_string();
        errors::Stamp { request_id, client_request_id, date }
    }

    fn fresh_guid(&self) -> String {
        let word = self.state().rng.letters(26);
        ids::guid(&word)
    }

    fn oauth(&self) -> MutexGuard<'_, Oauth> {
        self.oauth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tenant of a domain.
pub fn tenant_of(domain: &str) -> String {
    ids::guid(&format!("tenant {}", domain.to_ascii_lowercase()))
}

impl Face for MicrosoftFace {
    async fn serve(&self, request: &ApiRequest) -> Reply {
        self.reply(request).await
    }
}
