//! Google Calendar, API v3 (contract: google.md). [`Google`] is the provider as one process knows it: configuration,
//! client, project budget and the OAuth flow; [`GoogleAccount`] is one person's account behind the port.
//!
//! A directory should keep an opened account: its access token, its budget and its bound on concurrent calls live in it.
//! After a reconnect, open it anew with the new credentials.

mod calendars;
mod config;
mod error;
mod grant;
mod list;
mod normalize;
pub mod notification;
mod oauth;
mod resource;
mod scope;
mod titles;
mod watch;
mod write;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use calsync_core::calendar::{Account, ListedCalendar, ProviderKind};
use calsync_core::ids::EventId;
use calsync_core::ports::{
    BlockPut, Capabilities, ChangePage, Clock, ErrorClass, IdGen, Ids, ListRequest, Listing, ProviderAccount,
    ProviderError, Push, PutDone, Renewal, Standing, Tells, Tentativeness, Titles, TitlesRequest,
    WatchRequest, Watching,
};
use calsync_core::preview::Pace;
use calsync_core::secret::Secret;
use url::Url;

use crate::budget::{AccountBudget, Bucket};
use crate::credentials::{CredentialKeeper, Credentials};
use crate::provider::Provider;
use crate::stats::CallRecorder;
use crate::tokens::Tokens;
use crate::transport::{Edge, Remote, Transport};
use crate::wire::Reply;

pub use crate::items::Malformed;
pub use crate::oauth::{Authorization, Connected, Person};
pub use crate::transport::Refused;
pub use config::{GoogleConfig, PROJECT_PER_MINUTE};
pub use error::{Operation, classify};
pub use grant::consent_refused;
pub use normalize::{Surroundings, item as normalize_item};
pub use scope::Consent;

/// Google, as one process knows it.
pub struct Google {
    config: GoogleConfig,
    edge: Edge,
    project: Arc<Bucket>,
}

impl Google {
    /// `http` must follow no redirects: a token must not be carried elsewhere.
    pub fn new(
        config: GoogleConfig,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGen>,
        recorder: Arc<CallRecorder>,
    ) -> Google {
        let project = AccountBudget::project_bucket(&config.limits);
        let (timeout, body_limit) = (config.timeout, config.body_limit);
        let provider = ProviderKind::Google;
        let edge = Edge { provider, http, clock, ids, recorder, timeout, body_limit };
        Google { config, edge, project }
    }

    /// An account, ready to be used. Makes no call.
    pub fn account(
        self: &Arc<Google>,
        account: &Account,
        credentials: Credentials,
        keeper: Arc<dyn CredentialKeeper>,
    ) -> GoogleAccount {
        let budget = AccountBudget::new(self.config.limits, self.project.clone());
        let tokens = Tokens::new(account.id, credentials, keeper, self.edge.clock.clone());
        let transport = Transport::new(self.clone(), budget, tokens);
        GoogleAccount { email: account.email.clone(), transport }
    }
}

#[async_trait]
impl Provider for Google {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Google
    }

    fn authorize(&self, redirect_uri: &str, login_hint: Option<&str>) -> Authorization {
        Google::authorize(self, redirect_uri, Consent::ReadAndWrite, login_hint)
    }

    async fn connect(
        &self,
        code: &Secret,
        verifier: &Secret,
        redirect_uri: &str,
    ) -> Result<Connected, ProviderError> {
        Google::connect(self, code, verifier, redirect_uri, Consent::ReadAndWrite).await
    }

    async fn adopt(&self, refresh_token: Secret) -> Result<Connected, ProviderError> {
        Google::adopt(self, refresh_token, Consent::ReadAndWrite).await
    }

    fn refusal(&self, error: &str, _description: Option<&str>) -> ProviderError {
        consent_refused(error)
    }

    fn open(
        self: Arc<Self>,
        account: &Account,
        credentials: Credentials,
        keeper: Arc<dyn CredentialKeeper>,
    ) -> Arc<dyn ProviderAccount> {
        Arc::new(self.account(account, credentials, keeper))
    }
}

impl Remote for Google {
    type Operation = Operation;

    fn edge(&self) -> &Edge {
        &self.edge
    }

    fn read_refusal(&self, operation: Operation, reply: &Reply) -> Refused {
        let header = reply.header("retry-after");
        classify(operation, reply.status, &reply.body, header, self.edge.clock.now())
    }
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Google").field("config", &self.config).finish_non_exhaustive()
    }
}

/// One person's account at Google.
pub struct GoogleAccount {
    email: String,
    transport: Transport<Google>,
}

impl fmt::Debug for GoogleAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GoogleAccount")
    }
}

impl GoogleAccount {
    fn api(&self, parts: &[&str]) -> Result<Url, ProviderError> {
        let url = self.transport.remote.config.api(parts);
        url.ok_or_else(|| ProviderError::new(ErrorClass::Invalid, "no calendar or event has such an id"))
    }
}

#[async_trait]
impl ProviderAccount for GoogleAccount {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            chooses_ids: Ids::Client,
            push: Some(Push {
                life: watch::LIFE,
                renewal: Renewal::Replace,
                outruns_listing: None,
                tells: Tells::Something,
            }),
            tentative: Tentativeness::Shown,
            concurrent_calls: self.transport.remote.config.limits.concurrent,
            listing: Listing::Unbounded,
        }
    }

    fn pace(&self) -> Pace {
        self.transport.remote.config.limits.pace()
    }

    async fn list_calendars(&self) -> Result<Vec<ListedCalendar>, ProviderError> {
        self.all_calendars().await
    }

    async fn list_changes(&self, request: ListRequest<'_>) -> Result<ChangePage, ProviderError> {
        self.page_of_changes(request).await
    }

    async fn put_block(&self, calendar: &str, put: &BlockPut) -> Result<PutDone, ProviderError> {
        self.put(calendar, put).await.map(PutDone::written)
    }

    async fn delete_block(
        &self,
        calendar: &str,
        id: &EventId,
        version: Option<&str>,
    ) -> Result<(), ProviderError> {
        self.delete(calendar, id, version).await
    }

    async fn get_block(&self, calendar: &str, id: &EventId) -> Result<Standing, ProviderError> {
        self.get(calendar, id).await
    }

    async fn list_titles(&self, request: TitlesRequest<'_>) -> Result<Titles, ProviderError> {
        self.titles(request).await
    }

    async fn watch(&self, request: &WatchRequest) -> Result<Watching, ProviderError> {
        self.open_channel(request).await
    }

    async fn stop(&self, channel: &str, resource: &str) -> Result<(), ProviderError> {
        self.close_channel(channel, resource).await
    }
}
