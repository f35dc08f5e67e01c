//! The OAuth clients that this installation is known by at the providers. One in the configuration counts; else the one that the
//! staff entered in the browser, which lies sealed in the database and is in force on every instance within seconds, without
//! a restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::Store;
use calsync_core::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Service, providers};
use crate::config::{OAuthClient, Settings};
use crate::secrets::identity::NoIdentity;
use crate::secrets::{Keyring, sealed_setting};
use crate::system::SystemRandom;

/// How often other instances' changes are looked for.
const EVERY: Duration = Duration::from_secs(5);
/// Those that have OAuth clients.
pub(crate) const KINDS: [ProviderKind; 2] = [ProviderKind::Google, ProviderKind::Microsoft];

/// Where a client comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// The configuration.
    Configuration,
    /// The database.
    Database,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    id: String,
    secret: Secret,
}

const fn setting(kind: ProviderKind) -> Option<&'static str> {
    match kind {
        ProviderKind::Google => Some(sealed_setting::GOOGLE_CLIENT),
        ProviderKind::Microsoft => Some(sealed_setting::MICROSOFT_CLIENT),
        ProviderKind::Apple => None,
    }
}

/// The client of the configuration.
fn configured(settings: &Settings, kind: ProviderKind) -> Option<&OAuthClient> {
    match kind {
        ProviderKind::Google => settings.google.client.as_ref(),
        ProviderKind::Microsoft => settings.microsoft.client.as_ref(),
        ProviderKind::Apple => None,
    }
}

/// The place of a provider's client among the settings.
fn place(settings: &mut Settings, kind: ProviderKind) -> Option<&mut Option<OAuthClient>> {
    match kind {
        ProviderKind::Google => Some(&mut settings.google.client),
        ProviderKind::Microsoft => Some(&mut settings.microsoft.client),
        ProviderKind::Apple => None,
    }
}

/// Takes the clients that the configuration has none of from the database.
pub(crate) async fn complete(
    settings: &mut Settings,
    store: &dyn Store,
    ring: &Keyring,
) -> Result<(), NoIdentity> {
    for kind in KINDS {
        if let Some(client @ None) = place(settings, kind) {
            *client = stored(store, ring, kind).await?;
        }
    }
    Ok(())
}

async fn stored(
    store: &dyn Store,
    ring: &Keyring,
    kind: ProviderKind,
) -> Result<Option<OAuthClient>, NoIdentity> {
    let Some(name) = setting(kind) else { return Ok(None) };
    let Some(plain) = sealed_setting::open(store, ring, name).await? else { return Ok(None) };
    // The parser's error would quote what it read.
    let kept: Kept = serde_json::from_slice(&plain).map_err(|_| NoIdentity::Unreadable)?;
    Ok(Some(OAuthClient { id: kept.id, secret: kept.secret }))
}

/// What was last seen in the database of each client: only what changed is put into force.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<BTreeMap<ProviderKind, Value>>);

impl Service {
    /// The id of the client at a provider, and where it comes from.
    pub(crate) async fn client(&self, kind: ProviderKind) -> Result<Option<(String, Source)>, NoIdentity> {
        if let Some(client) = configured(&self.settings, kind) {
            return Ok(Some((client.id.clone(), Source::Configuration)));
        }
        let stored = stored(&*self.store, &self.ring, kind).await?;
        Ok(stored.map(|client| (client.id, Source::Database)))
    }

    /// Takes over a client that the staff entered: here at once, elsewhere soon.
    pub(crate) async fn put_client(
        &self,
        kind: ProviderKind,
        client: OAuthClient,
        who: &str,
    ) -> Result<(), NoIdentity> {
        let Some(name) = setting(kind) else { return Ok(()) };
        let kept = Kept { id: client.id, secret: client.secret };
        let plain = serde_json::to_vec(&kept).map_err(|_| NoIdentity::Unreadable)?;
        sealed_setting::put(&*self.store, &self.ring, &SystemRandom, name, &plain).await?;
        let what = format!("entered the OAuth client at {}", kind.as_str());
        self.store.audit(who, &what, self.clock.now()).await?;
        self.take_up_clients().await
    }

    /// Goes by the clients that are stored now, where the configuration has none.
    pub(crate) async fn take_up_clients(&self) -> Result<(), NoIdentity> {
        for kind in KINDS.into_iter().filter(|kind| configured(&self.settings, *kind).is_none()) {
            let Some(name) = setting(kind) else { continue };
            let Some(value) = self.store.setting(name).await? else { continue };
            if self.clients.0.lock().unwrap_or_else(PoisonError::into_inner).get(&kind) == Some(&value) {
                continue;
            }
            let mut settings = self.settings.clone();
            if let Some(place) = place(&mut settings, kind) {
                *place = stored(&*self.store, &self.ring, kind).await?;
            }
            match providers::one(&settings, kind, &self.clock, &self.recorder) {
                Ok(Some(provider)) => {
                    self.directory.put_provider(provider);
                    tracing::info!(
                        provider = kind.as_str(),
                        "the OAuth client that the staff entered is in force"
                    );
                }
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "an OAuth client could not be put into force"),
            }
            self.clients.0.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, value);
        }
        Ok(())
    }
}

/// Takes up what other instances were told, until told to stop.
pub(super) async fn follow(service: Arc<Service>, stopping: CancellationToken) {
    let mut failing = false;
    while stopping.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        let taken = service.take_up_clients().await;
        if let Err(error) = &taken
            && !failing
        {
            tracing::warn!(%error, "whether another OAuth client was entered could not be seen");
        }
        failing = taken.is_err();
    }
}
