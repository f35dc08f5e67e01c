//! Setting the whole system up: the examination that `doctor` makes, the OAuth clients, and people. For the staff.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, Path, State};
use axum::http::HeaderMap;
use calsync_core::calendar::{ProviderKind, User};
use calsync_core::ids::UserId;
use calsync_core::ports::IdGen;
use calsync_core::secret::Secret;
use calsync_core::time::Ts;
use calsync_pages::set_up::{
    Check, GOOGLE_CONSOLE, GOOGLE_SCOPES, MICROSOFT_CONSOLE, MICROSOFT_SCOPES, Person, Provider, SetUp,
};
use calsync_pages::{Notice, Place, Tone};
use serde::Deserialize;
use uuid::Uuid;

use super::answer::{self, Answer};
use super::connect::redirect_uri;
use super::once::{self, Once};
use super::origin::Origin;
use super::people;
use super::session::Staff;
use super::times;
use crate::checks::{self, Findings, Outcome};
use crate::config::OAuthClient;
use crate::doctor::{self, judge};
use crate::email;
use crate::http::{ApiError, Params};
use crate::out::{Format, Out};
use crate::secrets::identity::NoIdentity;
use crate::service::Service;
use crate::service::clients::{KINDS, Source};
use crate::system::SystemRandom;

/// How long the examination may take here: less than a request may.
const EXAMINED_WITHIN: Duration = Duration::from_secs(8);

#[derive(Deserialize)]
pub(super) struct Wanted {
    check: Option<String>,
}

/// `GET /set-up`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    origin: Origin,
    headers: HeaderMap,
    staff: Staff,
    Params(wanted): Params<Wanted>,
) -> Answer {
    let examination = if wanted.check.is_some() { Some(examine(&service).await) } else { None };
    match once::of(&headers, (&service, &origin), &staff.0) {
        Some(Once::Invitation { email, path }) => {
            let link = service.settings.server.public(&path).unwrap_or_else(|| origin.url(&path));
            let page = page(&service, &origin, &staff, examination, Some((email, link))).await?;
            Ok(once::shown(page, &origin))
        }
        _ => page(&service, &origin, &staff, examination, None).await,
    }
}

async fn page(
    service: &Service,
    origin: &Origin,
    staff: &Staff,
    examination: Option<Vec<Check>>,
    invitation: Option<(String, String)>,
) -> Answer {
    let times = times::of(service, &staff.0).await;
    let mut providers = Vec::new();
    for kind in KINDS {
        let mut provider = provider(service, origin, kind).await?;
        provider.ends = own_end(service, staff, kind).await?.map(|at| times.when(at));
        providers.push(provider);
    }
    let person = |user: User| Person {
        id: user.id.to_string(),
        email: user.email,
        is_staff: user.is_staff,
        since: times.when(user.created_at),
    };
    let people = service.store.users().await.map_err(answer::store)?;
    answer::page(&SetUp {
        frame: staff.0.frame(Place::SetUp),
        address: judge::address(&service.settings).into_iter().map(check).collect(),
        examination,
        providers,
        people: people.into_iter().map(person).collect(),
        invitation,
    })
}

/// When the first of their own sign-ins there ends by itself: an operator sees by it what everybody will meet.
async fn own_end(service: &Service, staff: &Staff, kind: ProviderKind) -> Result<Option<Ts>, ApiError> {
    let state = service.store.user_state(staff.0.user.id).await.map_err(answer::store)?;
    let mut first = None;
    for account in state.iter().flat_map(|state| &state.accounts).filter(|a| a.provider == kind) {
        let ends = service.directory.grant_ends(account.id).await;
        first = first.into_iter().chain(ends).min();
    }
    Ok(first)
}

async fn provider(service: &Service, origin: &Origin, kind: ProviderKind) -> Result<Provider, ApiError> {
    let client = service.client(kind).await.map_err(sealed)?;
    let is_configured = client.as_ref().is_some_and(|(_, source)| *source == Source::Configuration);
    let key = kind.as_str();
    let public = service.settings.server.public(&format!("/oauth/{key}/callback"));
    let mut redirect_uris: Vec<String> = public.into_iter().collect();
    let here = redirect_uri(origin, kind);
    if !redirect_uris.contains(&here) {
        redirect_uris.push(here);
    }
    let webhook = service.settings.server.public(&format!("/webhooks/{key}/…/"));
    let (name, console, scopes) = match kind {
        ProviderKind::Microsoft => ("Microsoft", MICROSOFT_CONSOLE, MICROSOFT_SCOPES),
        ProviderKind::Google | ProviderKind::Apple => ("Google", GOOGLE_CONSOLE, GOOGLE_SCOPES),
    };
    let client = client.map(|(id, _)| id);
    Ok(Provider { key, name, console, client, ends: None, is_configured, redirect_uris, webhook, scopes })
}

/// What `doctor` finds, as far as it does so in time.
pub(super) async fn examine(service: &Service) -> Vec<Check> {
    let mut findings = Findings::new(Out::new(Format::Json));
    let examined = tokio::time::timeout(
        EXAMINED_WITHIN,
        doctor::examine(&service.settings, &*service.clock, &mut findings),
    )
    .await;
    if examined.is_err() {
        let detail = "the rest took too long to be looked at here";
        findings.add(checks::Check::warning(
            "the rest",
            detail,
            "run `calendar-sync doctor` on the machine itself",
        ));
    }
    findings.into_checks().into_iter().map(check).collect()
}

fn check(check: checks::Check) -> Check {
    let tone = match check.outcome {
        Outcome::Ok => Tone::Good,
        Outcome::Skipped => Tone::Info,
        Outcome::Warning => Tone::Warn,
        Outcome::Failed => Tone::Bad,
    };
    let checks::Check { name, outcome, detail, remedy } = check;
    Check { name: name.to_owned(), tone, word: outcome.word(), detail, remedy }
}

#[derive(Deserialize)]
pub(super) struct Client {
    id: String,
    secret: Secret,
}

/// `POST /set-up/{provider}`.
pub(super) async fn put_client(
    State(service): State<Arc<Service>>,
    staff: Staff,
    Path(provider): Path<String>,
    Form(given): Form<Client>,
) -> Answer {
    let kind =
        ProviderKind::parse(&provider).filter(|kind| KINDS.contains(kind)).ok_or_else(ApiError::not_found)?;
    let back = |notice: &Notice| Ok(answer::on_to_saying(&format!("/set-up#{provider}"), notice));
    if matches!(service.client(kind).await.map_err(sealed)?, Some((_, Source::Configuration))) {
        return back(&Notice::bad("This client stands in the configuration, and is changed there."));
    }
    let (id, secret) = (given.id.trim().to_owned(), given.secret.expose().trim().to_owned());
    if let Some(problem) = problem(kind, &id, &secret) {
        return back(&Notice::bad(problem));
    }
    let client = OAuthClient { id, secret: Secret::new(secret) };
    service.put_client(kind, client, &staff.0.user.email).await.map_err(sealed)?;
    back(&Notice::good("Saved, and in force. Now connect an account to see that it works."))
}

/// What is taken for something else most often.
fn problem(kind: ProviderKind, id: &str, secret: &str) -> Option<String> {
    let is_one_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace) && text.is_ascii();
    if !is_one_word(id) || !is_one_word(secret) {
        return Some(
            "Client id and secret are one word each, without spaces: copy them once more.".to_owned(),
        );
    }
    let looks_like_an_id = |text: &str| Uuid::try_parse(text).is_ok();
    match kind {
        ProviderKind::Microsoft if looks_like_an_id(secret) => Some(
            "This looks like the secret's id. Copy the column Value instead; if it is hidden by now, make a new secret."
                .to_owned(),
        ),
        ProviderKind::Google if id.starts_with("GOCSPX-") || secret.ends_with(".apps.googleusercontent.com") => {
            Some("Client id and secret have changed places.".to_owned())
        }
        _ => None,
    }
}

#[derive(Deserialize)]
pub(super) struct NewPerson {
    email: String,
    staff: Option<String>,
}

/// `POST /set-up/people`: the page after it shows the link by which they choose a password, once.
pub(super) async fn add_person(
    State(service): State<Arc<Service>>,
    origin: Origin,
    staff: Staff,
    Form(new): Form<NewPerson>,
) -> Answer {
    let email = match email::parse(&new.email) {
        Ok(email) => email,
        Err(error) => return Ok(answer::on_to_saying("/set-up#people", &Notice::bad(error))),
    };
    let now = service.clock.now();
    let user =
        User { id: UserId(SystemRandom.uuid(now)), email, is_staff: new.staff.is_some(), created_at: now };
    if !people::add(&service, &user, &staff.0.user.email).await? {
        let notice = Notice::bad(format!("There is a user {} already.", user.email));
        return Ok(answer::on_to_saying("/set-up#people", &notice));
    }
    invite_user(&service, &origin, &staff, &user, None).await
}

/// `POST /set-up/people/{id}/invite`.
pub(super) async fn invite(
    State(service): State<Arc<Service>>,
    origin: Origin,
    staff: Staff,
    Path(id): Path<Uuid>,
) -> Answer {
    let state =
        service.store.user_state(UserId(id)).await.map_err(answer::store)?.ok_or_else(ApiError::not_found)?;
    let known = service.store.password(&state.user.email).await.map_err(answer::store)?;
    let (user, present) = known.ok_or_else(ApiError::not_found)?;
    invite_user(&service, &origin, &staff, &user, present.as_deref()).await
}

async fn invite_user(
    service: &Service,
    origin: &Origin,
    staff: &Staff,
    user: &User,
    present: Option<&str>,
) -> Answer {
    let path = people::invite(service, user, present, &staff.0.user.email).await?;
    let once = Once::Invitation { email: user.email.clone(), path: path.expose().to_owned() };
    once::on_to("/set-up", once, (service, origin), &staff.0)
}

fn sealed(error: NoIdentity) -> ApiError {
    match error {
        NoIdentity::Store(error) => answer::store(error),
        error => {
            tracing::error!(%error, "a sealed setting could not be used");
            ApiError::internal()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mixed_up_is_told() {
        let google = |id, secret| problem(ProviderKind::Google, id, secret);
        assert_eq!(google("1-a.apps.googleusercontent.com", "GOCSPX-a"), None);
        assert!(google("GOCSPX-a", "1-a.apps.googleusercontent.com").unwrap().contains("places"));
        assert!(
            google("", "x").is_some() && google("a b", "x").is_some() && google("a", "pass word").is_some()
        );
        let microsoft =
            |secret| problem(ProviderKind::Microsoft, "6e7c1b3a-8f7c-4a49-9d53-6f0f5f6a7d11", secret);
        assert_eq!(microsoft("7pQ8Q~app7secret"), None);
        assert!(microsoft("0b1f6a3e-5d1c-4c9e-8b54-2f4f0a9e9c1d").unwrap().contains("Value"));
    }
}
