//! Microsoft 365 and Outlook.com, Graph v1.0 (contract: microsoft.md). [`Microsoft`] is the provider as one process knows it:
//! configuration, client, budget of the app and the OAuth flow; [`MicrosoftAccount`] is one person's account behind the port.
//!
//! A directory should keep an opened account: its access token, its budget, its bound on concurrent calls and its rounds of
//! listing live in it. Each purchase of an access token changes the credentials: that alone is no reason to open the account
//! anew. After a reconnect, it is.

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
mod walk;
mod watch;
mod write;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use calsync_core::calendar::{Account, ListedCalendar, ProviderKind};
use calsync_core::ids::EventId;
use calsync_core::ports::{
    BlockPut, Capabilities, ChangePage, Clock, ErrorClass, IdGen, Ids, ListRequest, Listing, ProviderAccount,
    ProviderError, Push, PutDone, RenewRequest, Renewal, Standing, Tells, Tentativeness, Titles,
    TitlesRequest, WatchRequest, Watching,
};
use calsync_core::preview::Pace;
use calsync_core::secret::Secret;
use reqwest::RequestBuilder;
use url::Url;

use crate::budget::{AccountBudget, Bucket};
use crate::credentials::{CredentialKeeper, Credentials};
use crate::provider::Provider;
use crate::stats::CallRecorder;
use crate::tokens::Tokens;
use crate::transport::{Edge, Remote, Transport};
use crate::wire::Reply;
use list::Walks;

pub use crate::items::Malformed;
pub use crate::oauth::{Authorization, Connected, Person};
pub use crate::transport::Refused;
pub use config::{MicrosoftConfig, NotATenant, Tenant};
pub use error::{Operation, classify};
pub use grant::{Refusal as SignInRefusal, Remedy, consent_refused};
pub use normalize::{MARKER_PROPERTY, TRANSACTION_PREFIX};
pub use scope::Consent;

/// Microsoft, as one process knows it.
pub struct Microsoft {
    config: MicrosoftConfig,
    edge: Edge,
    project: Arc<Bucket>,
}

impl Microsoft {
    /// `http` must follow no redirects: a token must not be carried elsewhere.
    pub fn new(
        config: MicrosoftConfig,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGen>,
        recorder: Arc<CallRecorder>,
    ) -> Microsoft {
        let project = AccountBudget::project_bucket(&config.limits);
        let (timeout, body_limit) = (config.timeout, config.body_limit);
        let provider = ProviderKind::Microsoft;
        let edge = Edge { provider, http, clock, ids, recorder, timeout, body_limit };
        Microsoft { config, edge, project }
    }

    /// An account, ready to be used. Makes no call.
    pub fn account(
        self: &Arc<Microsoft>,
        account: &Account,
        credentials: Credentials,
        keeper: Arc<dyn CredentialKeeper>,
    ) -> MicrosoftAccount {
        let budget = AccountBudget::new(self.config.limits, self.project.clone());
        let tokens = Tokens::new(account.id, credentials, keeper, self.edge.clock.clone());
        let transport = Transport::new(self.clone(), budget, tokens);
        MicrosoftAccount { email: account.email.clone(), transport, walks: Walks::default() }
    }
}

#[async_trait]
impl Provider for Microsoft {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Microsoft
    }

    fn authorize(&self, redirect_uri: &str, login_hint: Option<&str>) -> Authorization {
        Microsoft::authorize(self, redirect_uri, Consent::ReadAndWrite, login_hint)
    }

    async fn connect(
        &self,
        code: &Secret,
        verifier: &Secret,
        redirect_uri: &str,
    ) -> Result<Connected, ProviderError> {
        Microsoft::connect(self, code, verifier, redirect_uri, Consent::ReadAndWrite).await
    }

    async fn adopt(&self, refresh_token: Secret) -> Result<Connected, ProviderError> {
        Microsoft::adopt(self, refresh_token, Consent::ReadAndWrite).await
    }

    fn refusal(&self, error: &str, description: Option<&str>) -> ProviderError {
        consent_refused(error, description).error
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

impl Remote for Microsoft {
    type Operation = Operation;

    fn edge(&self) -> &Edge {
        &self.edge
    }

    /// What each call carries, and each page anew: links do not remember it (microsoft.md §2). Ids that do not change when an
    /// event moves between folders, times in UTC, descriptions as text; and an id under which Microsoft's support finds the
    /// call.
    fn dress(&self, request: RequestBuilder) -> RequestBuilder {
        let prefer = format!(
            "IdType=\"ImmutableId\", outlook.timezone=\"UTC\", outlook.body-content-type=\"text\", odata.maxpagesize={}",
            self.config.page_size
        );
        let id = self.edge.ids.uuid(self.edge.clock.now());
        request.header("prefer", prefer).header("client-request-id", id.to_string())
    }

    fn read_refusal(&self, operation: Operation, reply: &Reply) -> Refused {
        let header = reply.header("retry-after");
        classify(operation, reply.status, &reply.body, header, self.edge.clock.now())
    }
}

impl fmt::Debug for Microsoft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Microsoft").field("config", &self.config).finish_non_exhaustive()
    }
}

/// One person's account at Microsoft.
pub struct MicrosoftAccount {
    email: String,
    transport: Transport<Microsoft>,
    walks: Walks,
}

impl fmt::Debug for MicrosoftAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MicrosoftAccount")
    }
}

impl MicrosoftAccount {
    fn graph(&self, parts: &[&str]) -> Result<Url, ProviderError> {
        let url = self.transport.remote.config.graph(parts);
        url.ok_or_else(|| {
            ProviderError::new(ErrorClass::Invalid, "no calendar, event or channel has such an id")
        })
    }

    /// A link from an answer, to be followed to the letter; never to another place than Graph as configured.
    fn own_link(&self, link: &str) -> Result<Url, ProviderError> {
        let url = Url::parse(link).ok().filter(|url| self.transport.remote.config.is_ours(url));
        url.ok_or_else(|| {
            let detail = "an answer's link leads elsewhere than microsoft.graph_base: it is not followed";
            ProviderError::new(ErrorClass::Misconfigured, detail)
        })
    }
}

#[async_trait]
impl ProviderAccount for MicrosoftAccount {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            chooses_ids: Ids::Provider,
            push: Some(Push {
                life: watch::LIFE,
                renewal: Renewal::Extend,
                outruns_listing: Some(watch::DELTA_LAGS),
                tells: Tells::WhatChanged,
            }),
            tentative: Tentativeness::Shown,
            concurrent_calls: self.transport.remote.config.limits.concurrent,
            listing: Listing::Windowed,
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
        self.put(calendar, put).await
    }

    async fn delete_block(
        &self,
        calendar: &str,
        id: &EventId,
        version: Option<&str>,
    ) -> Result<(), ProviderError> {
        self.delete(calendar, id, version).await
    }

    async fn get_block(&self, _calendar: &str, id: &EventId) -> Result<Standing, ProviderError> {
        self.get(id).await
    }

    async fn list_titles(&self, request: TitlesRequest<'_>) -> Result<Titles, ProviderError> {
        self.titles(request).await
    }

    async fn watch(&self, request: &WatchRequest) -> Result<Watching, ProviderError> {
        self.open_channel(request).await
    }

    async fn renew(&self, request: &RenewRequest) -> Result<Watching, ProviderError> {
        self.prolong_channel(request).await
    }

    async fn stop(&self, channel: &str, _resource: &str) -> Result<(), ProviderError> {
        self.close_channel(channel).await
    }
}
