//! Whether the providers that push can reach us: looked at through the public address after the start and now and then,
//! as each of them would. Whatever stands in between is found before a person waits for blocks that do not come. It tells
//! the log and changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use calsync_core::calendar::ProviderKind;
use tokio_util::sync::CancellationToken;

use super::Service;
use crate::reach::{Looker, Unreached};

/// Our own web server is up by then.
const AFTER_START: Duration = Duration::from_secs(5);
/// Certificates end and proxies are changed while we run.
const EVERY: Duration = Duration::from_secs(24 * 3_600);
/// While it fails: what stands in front of us may only be starting.
const AGAIN: Duration = Duration::from_secs(5 * 60);

/// Looks now and then, until told to stop.
pub(super) async fn watch(service: Arc<Service>, stopping: CancellationToken) {
    let Some(base) = service.settings.server.public("") else { return stopping.cancelled().await };
    let looker = match Looker::new() {
        Ok(looker) => looker,
        Err(error) => {
            tracing::warn!(%error, "whether providers can reach us cannot be looked at");
            return stopping.cancelled().await;
        }
    };
    let mut said: BTreeMap<ProviderKind, Result<(), Unreached>> = BTreeMap::new();
    let mut wait = AFTER_START;
    while stopping.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
        let providers = service.directory.kinds();
        if providers.is_empty() || !is_on(&service).await {
            wait = AGAIN;
            continue;
        }
        wait = EVERY;
        for provider in providers {
            let found = look(&looker, provider, &base).await;
            if found.is_err() {
                wait = AGAIN;
            }
            // Once, until it changes.
            if said.get(&provider) != Some(&found) {
                tell(provider, &base, &found);
            }
            said.insert(provider, found);
        }
    }
}

/// Whether push is asked for at all. The switch can be turned while we run; in doubt we look, which costs little.
async fn is_on(service: &Service) -> bool {
    service.engine.rollout_report(0).await.map_or(true, |report| report.flags.webhooks_enabled)
}

/// As this provider looks: Google only sends, Graph shakes hands first.
async fn look(looker: &Looker, provider: ProviderKind, base: &str) -> Result<(), Unreached> {
    match provider {
        ProviderKind::Microsoft => looker.shake_hands(base).await,
        _ => looker.health(base).await.map(|_| ()),
    }
}

fn tell(provider: ProviderKind, base: &str, found: &Result<(), Unreached>) {
    let provider = provider.as_str();
    match found {
        Ok(()) => tracing::info!(address = %base, provider, "our webhook address can be reached"),
        Err(why) => tracing::warn!(
            address = %base, provider, %why, remedy = why.remedy(),
            "the provider may not be able to reach our webhook address; calendars are polled where it cannot"
        ),
    }
}
