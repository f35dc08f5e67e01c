//! Google's side of the cloud: OAuth, Calendar API v3 and push, as far as google.md describes them. One function takes
//! a request and gives the reply; it needs no network and waits for nothing. Only `push` does I/O, and only with loopback
//! addresses.

mod api;
mod batch;
mod calendars;
mod consent;
mod errors;
mod event_json;
mod event_parse;
mod events_list;
mod events_read;
mod events_write;
mod fields;
mod free_busy;
mod ids;
mod list_params;
mod list_walk;
mod oauth;
pub mod push;
mod robots;
mod scopes;
mod token;
mod watch;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use calsync_core::time::Ts;
use jiff::SignedDuration;

use crate::clock::SimClock;
use crate::cloud::SharedCloud;
use crate::cloud::names::{CalendarId, EventId, PersonId};
use crate::faults::FaultPlan;
use crate::http::Face;
use crate::quota::Quota;
use oauth::{Access, Oauth};

pub use crate::wire::{Answer, ApiRequest, Reply};
pub use errors::ApiError;
pub use oauth::{OauthClient, Scopes, Stage};

/// New events whose first reading may still fail (google.md §10 row 4): no more than this many are remembered.
const LAGGING_MAX: usize = 1_000;

/// How this Google behaves.
#[derive(Debug, Clone)]
pub struct GoogleConfig {
    /// Registered programs.
    pub clients: Vec<OauthClient>,
    /// Requests in a sliding minute, per person and project (§9, quotas).
    pub requests_per_user: u64,
    /// Requests in a sliding minute, per project.
    pub requests_per_project: u64,
    /// Writes in a sliding minute to one calendar; Google publishes no number.
    pub writes_per_calendar: u64,
    /// How long an access token lives (§2.2).
    pub access_token_lives: SignedDuration,
    /// How far back `updatedMin` may lie (§4).
    pub updated_min_reaches: SignedDuration,
    /// The longest life of a channel (§8, maximum).
    pub channel_lives_most: SignedDuration,
}

impl Default for GoogleConfig {
    fn default() -> GoogleConfig {
        GoogleConfig {
            clients: Vec::new(),
            requests_per_user: 600,
            requests_per_project: 10_000,
            writes_per_calendar: 600,
            access_token_lives: SignedDuration::from_secs(3_600),
            updated_min_reaches: SignedDuration::from_hours(24 * 30),
            channel_lives_most: SignedDuration::from_hours(24 * 7),
        }
    }
}

/// Google, over a cloud.
#[derive(Debug)]
pub struct GoogleFace {
    cloud: SharedCloud,
    clock: SimClock,
    faults: Arc<FaultPlan>,
    config: GoogleConfig,
    oauth: Mutex<Oauth>,
    quota: Mutex<Quota>,
    lagging: Mutex<BTreeSet<(CalendarId, EventId)>>,
}

impl GoogleFace {
    /// A Google over this cloud. The seed is for codes and tokens.
    pub fn new(
        cloud: SharedCloud,
        clock: SimClock,
        faults: Arc<FaultPlan>,
        seed: u64,
        config: GoogleConfig,
    ) -> GoogleFace {
        let oauth = Mutex::new(Oauth::new(seed, config.clients.clone()));
        let (quota, lagging) = (Mutex::default(), Mutex::default());
        GoogleFace { cloud, clock, faults, config, oauth, quota, lagging }
    }

    /// The reply to any request.
    pub fn reply(&self, request: &ApiRequest) -> Reply {
        match (request.method.as_str(), request.path_parts().as_slice()) {
            (_, ["calendar", "v3", rest @ ..]) => self.api(request, rest),
            ("POST", ["batch" | "batch/", ..]) => Reply::Answer(self.batch(request)),
            ("GET", ["o", "oauth2", "v2", "auth"] | ["o", "oauth2", "auth"]) => {
                Reply::Answer(self.authorize(request))
            }
            ("POST", ["token"] | ["oauth2", "v4", "token"]) => Reply::Answer(self.token(request)),
            ("POST", ["revoke"]) => Reply::Answer(self.revoke(request)),
            ("GET" | "POST", ["tokeninfo"]) => Reply::Answer(self.tokeninfo(request)),
            ("GET", ["v1", "userinfo"] | ["oauth2", "v3", "userinfo"]) => {
                Reply::Answer(self.userinfo(request, token::Names::OpenId))
            }
            ("GET", ["oauth2", "v2", "userinfo"]) => {
                Reply::Answer(self.userinfo(request, token::Names::Older))
            }
            ("GET", ["oauth2", "v3", "certs"]) => {
                Reply::Answer(Answer::json(200, &serde_json::json!({"keys": []})))
            }
            _ => Reply::Answer(ApiError::not_found().answer()),
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

    /// A bearer token of the caller's own choosing for somebody: all scopes, holds until revoked.
    pub fn seed_token(&self, person: &PersonId, token: &str) {
        let scopes = ["openid", "email", "profile"].join(" ");
        let mut scopes = oauth::scopes_of(&scopes);
        scopes.insert(format!("{}calendar", oauth::PREFIX));
        let (client, project) = ("seeded".to_owned(), "seeded".to_owned());
        let access = Access { person: person.clone(), client, project, scopes, expires: Ts::MAX };
        self.oauth().seed_access(token, access);
    }

    /// A fresh access token for somebody with just these scopes, as if a registered program had got it. Nothing if the
    /// program is not registered.
    pub fn mint_token(&self, person: &PersonId, client: &str, scopes: &str) -> Option<String> {
        let mut oauth = self.oauth();
        let project = oauth.clients.get(client)?.project.clone();
        let access = Access {
            person: person.clone(),
            client: client.to_owned(),
            project,
            scopes: oauth::scopes_of(scopes),
            expires: self.now().plus(self.config.access_token_lives),
        };
        Some(oauth.new_access(access))
    }

    /// The person takes back what they granted a project, in their account's settings.
    pub fn revoke_grant(&self, person: &PersonId, project: &str) {
        self.oauth().revoke(project, person);
    }

    /// All access tokens of a person end now; refresh tokens live on.
    pub fn expire_access_tokens(&self, person: &PersonId) {
        self.oauth().expire_all(person);
    }

    /// The person says no whenever a program asks.
    pub fn refuse_consent(&self, person: &PersonId) {
        self.oauth().refusing.insert(person.clone());
    }

    /// The person unticks these scopes whenever a program asks (§2.1, granular consent).
    pub fn untick(&self, person: &PersonId, scopes: &str) {
        self.oauth().unticked.insert(person.clone(), oauth::scopes_of(scopes));
    }

    fn now(&self) -> Ts {
        self.clock.now()
    }

    fn oauth(&self) -> MutexGuard<'_, Oauth> {
        self.oauth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn quota(&self) -> MutexGuard<'_, Quota> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lagging(&self) -> MutexGuard<'_, BTreeSet<(CalendarId, EventId)>> {
        self.lagging.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Face for GoogleFace {
    async fn serve(&self, request: &ApiRequest) -> Reply {
        self.reply(request)
    }
}
