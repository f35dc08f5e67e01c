//! Microsoft's side of the cloud: the login endpoints, Graph v1.0 for calendars, and change notifications, as far as
//! microsoft.md describes them. One function takes a request and gives the reply; only the handshake of a new
//! subscription and the delivery of notices do I/O, and only with loopback addresses.

pub mod aadsts;
mod api;
mod batch;
mod calendars;
mod config;
mod consent;
mod delta;
pub(crate) mod delta_token;
mod endpoint;
mod errors;
pub(crate) mod event_json;
mod event_parse;
mod event_people;
mod event_text;
mod event_times;
mod events_list;
mod events_read;
mod events_write;
mod extended;
mod filter;
mod handshake;
mod ids;
pub(crate) mod lifecycle;
mod list_params;
mod oauth;
mod pattern;
mod people;
mod prefer;
pub mod push;
mod push_json;
mod route;
pub(crate) mod rows;
mod scopes;
mod throttle;
mod token;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use calsync_core::time::Ts;
use serde_json::Value;

use crate::clock::SimClock;
use crate::cloud::SharedCloud;
use crate::cloud::names::{CalendarId, EventId, PersonId};
use crate::faults::FaultPlan;
use crate::http::Face;
use crate::kept::Kept;
use crate::rng::Rng;
use events_write::Transaction;
use oauth::Oauth;
use throttle::Throttle;

pub use crate::wire::{Answer, ApiRequest, Reply};
pub use aadsts::Aadsts;
pub use config::{Links, MicrosoftConfig, Vanished};
pub use errors::GraphError;
pub use oauth::{Account, Audience, OauthClient, PERSONAL_TENANT_ID, Scopes};
pub(crate) use people::Who;
pub use people::tenant_of;
pub use throttle::Flight;

/// Creations whose `transactionId` is remembered.
const TRANSACTIONS_MAX: usize = 100_000;

/// Items that wait to ride along.
const SLIPPED_MAX: usize = 100;

/// New events whose first reading may still fail: no more than this many are remembered.
const LAGGING_MAX: usize = 1_000;

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

impl Face for MicrosoftFace {
    async fn serve(&self, request: &ApiRequest) -> Reply {
        self.reply(request).await
    }
}
