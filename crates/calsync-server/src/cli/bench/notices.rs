//! Brings what a simulated provider has to tell to the engine, as the web server would.

use calsync_core::ids::CalendarId;
use calsync_engine::{Engine, Followup};
use calsync_sim::cloud::SharedCloud;
use calsync_sim::cloud::watch::{Notice, Provider};
use calsync_sim::direct::Direct;

use super::{failed, people};
use crate::cli::exit::Failure;

/// Notices taken at once.
const AT_ONCE: usize = 10_000;

/// What waits to be delivered.
pub(super) fn waiting(cloud: &SharedCloud) -> Vec<Notice> {
    cloud.with(|cloud| Provider::ALL.into_iter().flat_map(|p| cloud.take_notices(p, AT_ONCE)).collect())
}

/// Delivers one.
pub(super) async fn deliver(engine: &Engine, direct: &Direct, notice: &Notice) -> Result<(), Failure> {
    let address = notice.channel.address.trim_end_matches('/');
    let calendar: CalendarId = address.rsplit('/').next().unwrap_or(address).parse().map_err(failed)?;
    let provider = people::kind(notice.channel.provider);
    for delivery in direct.deliveries(notice) {
        let accepted = engine.accept_delivery(provider, calendar, delivery).await;
        match accepted.map_err(|refusal| failed(format!("{refusal:?}")))?.1 {
            Followup::Nothing => {}
            Followup::Renew => drop(engine.renew_channel(calendar).await.map_err(failed)?),
            Followup::Open => drop(engine.maintain_subscriptions().await.map_err(failed)?),
        }
    }
    Ok(())
}
