//! The providers as they are configured: the one place that knows which there are.

use std::sync::Arc;
use std::time::Duration;

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::{Clock, IdGen};
use calsync_providers::Provider;
use calsync_providers::google::{Google, GoogleConfig};
use calsync_providers::microsoft::{Microsoft, MicrosoftConfig};
use calsync_providers::stats::CallRecorder;

use super::clients::KINDS;
use crate::config::Settings;
use crate::system::SystemRandom;

/// How long one exchange with a provider may take: a write, and three looks at what became of it, fit into a lease.
const CALL_TIMEOUT: Duration = Duration::from_secs(12);
/// How long connecting to a provider may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why no HTTP client could be made.
#[derive(Debug, thiserror::Error)]
#[error("the client for calls to providers could not be set up: {0}")]
pub struct NoClient(#[from] reqwest::Error);

/// Those that have an OAuth client.
pub(super) fn configured(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    recorder: &Arc<CallRecorder>,
) -> Result<Vec<Arc<dyn Provider>>, NoClient> {
    KINDS.into_iter().filter_map(|kind| one(settings, kind, clock, recorder).transpose()).collect()
}

/// One of them, if it has one.
pub(super) fn one(
    settings: &Settings,
    kind: ProviderKind,
    clock: &Arc<dyn Clock>,
    recorder: &Arc<CallRecorder>,
) -> Result<Option<Arc<dyn Provider>>, NoClient> {
    let ids: Arc<dyn IdGen> = Arc::new(SystemRandom);
    let (clock, recorder) = (clock.clone(), recorder.clone());
    Ok(match kind {
        ProviderKind::Google => match google(settings) {
            Some(config) => Some(Arc::new(Google::new(config, client()?, clock, ids, recorder))),
            None => None,
        },
        ProviderKind::Microsoft => match microsoft(settings) {
            Some(config) => Some(Arc::new(Microsoft::new(config, client()?, clock, ids, recorder))),
            None => None,
        },
        ProviderKind::Apple => None,
    })
}

fn google(settings: &Settings) -> Option<GoogleConfig> {
    let at = &settings.google;
    let client = at.client.as_ref()?;
    let mut config = GoogleConfig::new(client.id.clone(), client.secret.clone());
    config.auth_url = at.auth_url.clone();
    config.token_url = at.token_url.clone();
    config.revoke_url = at.revoke_url.clone();
    config.userinfo_url = at.userinfo_url.clone();
    config.timeout = CALL_TIMEOUT;
    config.limits.per_calendar_writes = at.writes_per_minute;
    config.api_base = at.api_base.parse().expect("the settings hold a URL that was parsed");
    Some(config)
}

fn microsoft(settings: &Settings) -> Option<MicrosoftConfig> {
    let at = &settings.microsoft;
    let client = at.client.as_ref()?;
    let mut config = MicrosoftConfig::new(client.id.clone(), client.secret.clone());
    config.tenant = at.tenant.clone();
    config.authority = at.authority.clone();
    config.graph_base = at.graph_base.clone();
    config.timeout = CALL_TIMEOUT;
    config.limits.per_calendar_writes = at.writes_per_minute;
    Some(config)
}

/// A write that was still connecting when time ran out never arrived: that must be told from one that may have.
fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .build()
}
