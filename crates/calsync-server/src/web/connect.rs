//! Connecting an account, or connecting it again: to the provider's page and back. What comes back counts only for the browser
//! that was sent, once, and within a quarter of an hour; the address it comes back to is the one it was sent from.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use calsync_core::calendar::ProviderKind;
use calsync_core::ids::AccountId;
use calsync_core::secret::Secret;
use calsync_core::sign_in::{Consent, TokenHash};
use calsync_engine::EngineError;
use calsync_pages::Notice;
use calsync_pages::connect::Leave;
use serde::Deserialize;
use uuid::Uuid;

use super::answer::{self, Answer};
use super::origin::Origin;
use super::session::Signed;
use crate::http::{ApiError, Params};
use crate::secrets::Place;
use crate::service::Service;
use crate::service::connect::Callback;
use crate::system::SystemRandom;

#[derive(Deserialize)]
pub(super) struct Which {
    /// The account to be connected again.
    account: Option<Uuid>,
}

/// `POST /accounts/connect/{provider}`: on to the provider's page, by a page of ours that the browser leaves at once, since a
/// form may lead nowhere but to us.
pub(super) async fn begin(
    State(service): State<Arc<Service>>,
    origin: Origin,
    signed: Signed,
    Path(provider): Path<String>,
    Form(which): Form<Which>,
) -> Answer {
    let kind = named(&provider)?;
    let at_provider = service.provider(kind).map_err(|error| answer::engine(error.into()))?;
    let state = service.store.user_state(signed.user.id).await.map_err(answer::store)?;
    let accounts = state.map(|state| state.accounts).unwrap_or_default();
    let account = match which.account.map(AccountId) {
        None => None,
        Some(id) => {
            Some(accounts.iter().find(|a| a.id == id && a.provider == kind).ok_or_else(ApiError::not_found)?)
        }
    };
    let hint = account.map(|account| account.email.as_str()).filter(|email| !email.is_empty());
    let begun = at_provider.authorize(&redirect_uri(&origin, kind), hint);
    let key = TokenHash::of(&begun.state);
    let verifier = service.ring.seal(&place(&key), begun.verifier.expose().as_bytes(), &SystemRandom);
    let consent = Consent {
        key,
        session: signed.session.key,
        provider: kind,
        account: account.map(|account| account.id),
        verifier,
        begun_at: service.clock.now(),
    };
    service.store.put_consent(&consent).await.map_err(answer::store)?;
    answer::page(&Leave { frame: signed.frame_aside(), provider: kind.name(), url: begun.url.to_string() })
}

/// What a provider's page sends back.
#[derive(Deserialize)]
pub(super) struct Back {
    state: Option<Secret>,
    code: Option<Secret>,
    error: Option<String>,
    error_description: Option<String>,
}

/// `GET /oauth/{provider}/callback`.
pub(super) async fn come_back(
    State(service): State<Arc<Service>>,
    origin: Origin,
    signed: Signed,
    Path(provider): Path<String>,
    Params(back): Params<Back>,
) -> Answer {
    let kind = named(&provider)?;
    let consent = ours(&service, &signed, kind, back.state.as_ref()).await?;
    let at_provider = service.provider(kind).map_err(|error| answer::engine(error.into()))?;
    // Back to where the button is.
    let way_on = if consent.account.is_some() { "/" } else { "/start" };
    let said = |text: String| Ok(answer::on_to_saying(way_on, &Notice::bad(answer::sentence(&text))));
    let code = match (back.code, back.error) {
        (_, Some(error)) => {
            return said(at_provider.refusal(&error, back.error_description.as_deref()).detail);
        }
        (Some(code), None) => code,
        (None, None) => return Err(ApiError::bad_request("the provider sent neither a code nor a reason")),
    };
    let verifier = service.ring.open(&place(&consent.key), &consent.verifier).ok();
    let verifier = verifier.and_then(|bytes| String::from_utf8(bytes).ok()).map(Secret::new);
    let Some(verifier) = verifier else {
        return said("The keys were changed while you were away: connect once more.".to_owned());
    };
    let redirect_uri = redirect_uri(&origin, kind);
    let callback = Callback { code: &code, verifier: &verifier, redirect_uri: &redirect_uri };
    match service.connect(kind, signed.user.id, consent.account, &callback).await {
        Ok(account) => {
            let now = service.clock.now();
            let what = format!("connected account {account}");
            service.store.audit(&signed.user.email, &what, now).await.map_err(answer::store)?;
            Ok(answer::on_to_saying(way_on, &Notice::good("Connected.")))
        }
        Err(EngineError::Provider(error)) => said(error.detail),
        Err(error) => Err(answer::engine(error)),
    }
}

/// The sign-in that this answers; it is answered by that, whatever comes of it.
async fn ours(
    service: &Service,
    signed: &Signed,
    kind: ProviderKind,
    state: Option<&Secret>,
) -> Result<Consent, ApiError> {
    let refused =
        |why: String| ApiError::new(StatusCode::FORBIDDEN, "not_ours", format!("{why}: connect once more"));
    let unknown = || refused(calsync_core::sign_in::NotOurs::Unknown.to_string());
    let key = TokenHash::of(state.ok_or_else(unknown)?);
    let consent = service.store.take_consent(&key).await.map_err(answer::store)?.ok_or_else(unknown)?;
    consent.answered_by(&signed.session.key, service.clock.now()).map_err(|why| refused(why.to_string()))?;
    if consent.provider == kind { Ok(consent) } else { Err(unknown()) }
}

/// Where a provider sends people back to: to be registered there, to the letter.
pub(super) fn redirect_uri(origin: &Origin, kind: ProviderKind) -> String {
    origin.url(&format!("/oauth/{}/callback", kind.as_str()))
}

fn named(provider: &str) -> Result<ProviderKind, ApiError> {
    ProviderKind::parse(provider).ok_or_else(ApiError::not_found)
}

fn place(key: &TokenHash) -> Place {
    Place { table: "consents", column: "verifier", row: data_encoding::HEXLOWER.encode(&key.0) }
}
