//! What is looked at over the network: the providers, what time it is there, and ourselves through the public address.

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::Clock;

use super::judge;
use crate::checks::Check;
use crate::config::Settings;
use crate::oidc::{Oidc, Trouble};
use crate::reach::{Looker, Silence, Unreached};
use crate::verification::steps::health_seen;
use crate::web::SIGN_IN_CALLBACK;

/// Whether the configured providers can be reached, and whether our clock agrees with theirs. Any answer will do: nobody
/// is signed in for this.
pub(super) async fn providers(looker: &Looker, settings: &Settings, clock: &dyn Clock) -> Vec<Check> {
    let google = settings.google.client.as_ref().map(|_| ("google", settings.google.api_base.clone()));
    let graph = settings.microsoft.client.as_ref();
    let microsoft = graph.map(|_| ("microsoft", settings.microsoft.graph_base.to_string()));
    let mut checks = Vec::new();
    for (name, url) in google.into_iter().chain(microsoft) {
        let answer = looker.get(&url).await;
        // When it came in: the way back took less than a warning is worth.
        let now = clock.now();
        checks.push(judge::provider_answer(name, &url, &answer));
        if let Some(theirs) = answer.ok().and_then(|answer| answer.time()) {
            checks.push(judge::clock(name, now, theirs));
        }
    }
    checks
}

/// Whether the organisation's own sign-in says of itself what is needed, where there is one.
pub(super) async fn sign_in(settings: &Settings) -> Option<Check> {
    let oidc = settings.oidc.clone()?;
    let (name, issuer) = (oidc.name.clone(), oidc.issuer.clone());
    let found = match Oidc::new(oidc) {
        Ok(oidc) => oidc.look().await,
        Err(error) => Err(Trouble::SetUp(error.to_string())),
    };
    let redirect = judge::in_browser(settings, SIGN_IN_CALLBACK);
    Some(judge::sign_in(&name, &issuer, &redirect, &found))
}

/// Whether providers can reach us, and whether they would.
pub(super) async fn address(looker: &Looker, settings: &Settings, clock: &dyn Clock) -> Vec<Check> {
    let mut checks = judge::address(settings);
    let Some(base) = settings.server.public("") else { return checks };
    let health = looker.health(&base).await;
    let is_there = health.is_ok();
    checks.push(health_seen("reachable", &base, &health));
    // Where nobody answers none is shown, and that is told already.
    let is_shown = match &health {
        Err(Unreached::Silent { why, .. }) => *why == Silence::Certificate,
        Ok(_) | Err(_) => true,
    };
    if is_shown && base.starts_with("https:") {
        let now = clock.now();
        checks.push(judge::certificate(&looker.certificate(&base, now).await, now));
    }
    if is_there && settings.microsoft.client.is_some() {
        checks.push(judge::handshake(ProviderKind::Microsoft, &looker.shake_hands(&base).await));
    }
    checks
}
