//! Brings what a simulated provider has to tell to the engine, as the web server would.

use calsync_core::calendar::ProviderKind;
use calsync_core::ids::CalendarId;
use calsync_core::notification::{Claim, Wants};
use calsync_core::secret::Secret;
use calsync_engine::Engine;
use calsync_sim::cloud::SharedCloud;
use calsync_sim::cloud::watch::{Cause, Notice, Provider};

use super::failed;
use crate::cli::exit::Failure;

/// Notices taken at once.
const AT_ONCE: usize = 10_000;

/// What waits to be delivered.
pub(super) fn waiting(cloud: &SharedCloud) -> Vec<Notice> {
    cloud.with(|cloud| cloud.take_notices(Provider::Google, AT_ONCE))
}

/// Delivers one.
pub(super) async fn deliver(engine: &Engine, notice: &Notice) -> Result<(), Failure> {
    let address = notice.channel.address.trim_end_matches('/');
    let calendar: CalendarId = address.rsplit('/').next().unwrap_or(address).parse().map_err(failed)?;
    let claim = Claim {
        channel: notice.channel.id.clone(),
        token: notice.channel.token.as_ref().map(Secret::new),
        resource: notice.channel.resource_id.clone(),
        notification_id: notice.number.to_string(),
        wants: if notice.cause == Cause::Opened { Wants::Confirmation } else { Wants::Sync },
        headers: serde_json::json!({}),
        payload: serde_json::Value::Null,
    };
    let accepted = engine.accept_notification(ProviderKind::Google, calendar, claim).await;
    accepted.map(drop).map_err(|refusal| failed(format!("{refusal:?}")))
}
