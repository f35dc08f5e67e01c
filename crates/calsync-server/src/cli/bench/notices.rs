//! Brings what a simulated provider has to tell to the engine, as the web server would.

use calsync_core::ids::CalendarId;
use calsync_engine::{Engine, Followup, Refusal};
use calsync_sim::cloud::SharedCloud;
use calsync_sim::cloud::watch::{Notice, Provider};
use calsync_sim::direct::Direct;

use super::{failed, people};
use crate::cli::exit::Failure;

/// Notices taken at once.
const AT_ONCE: usize = 10_000;

/// What became of a notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Came {
    /// It was taken.
    Taken,
    /// It was taken, and its channel seen to.
    Asking,
    /// Nobody knows its channel any more.
    Refused,
}

/// What waits to be delivered.
pub(super) fn waiting(cloud: &SharedCloud) -> Vec<Notice> {
    cloud.with(|cloud| Provider::ALL.into_iter().flat_map(|p| cloud.take_notices(p, AT_ONCE)).collect())
}

/// Delivers one.
pub(super) async fn deliver(engine: &Engine, direct: &Direct, notice: &Notice) -> Result<Came, Failure> {
    let address = notice.channel.address.trim_end_matches('/');
    let calendar: CalendarId = address.rsplit('/').next().unwrap_or(address).parse().map_err(failed)?;
    let provider = people::kind(notice.channel.provider);
    let mut came = Came::Taken;
    for delivery in direct.deliveries(notice) {
        match engine.accept_delivery(provider, calendar, delivery).await {
            Err(Refusal::Store(error)) => return Err(failed(error)),
            Err(_) => return Ok(Came::Refused),
            Ok((_, Followup::Nothing)) => {}
            Ok((_, Followup::Renew)) => {
                engine.renew_channel(calendar).await.map_err(failed)?;
                came = Came::Asking;
            }
            Ok((_, Followup::Open)) => {
                engine.maintain_subscriptions().await.map_err(failed)?;
                came = Came::Asking;
            }
        }
    }
    Ok(came)
}
