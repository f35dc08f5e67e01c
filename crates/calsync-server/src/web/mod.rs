//! What a person opens in a browser. Each handler reads a request, asks one use case, and has `calsync_pages` write the
//! answer. Who asks is told by `session`; nothing here trusts an id in an address: every calendar, account and rule is looked
//! up among those of the person who is signed in.

mod activity;
pub(crate) mod answer;
mod connect;
mod cookie;
mod first_user;
mod home;
mod invitation;
mod links;
mod live;
mod monitoring;
mod notice;
mod oidc;
mod once;
mod options;
mod origin;
mod password;
pub(crate) mod people;
mod preview;
mod rules;
mod security;
mod session;
mod set_up;
mod settings;
mod sign_in;
mod start;
mod times;
mod week;

use std::future::{Ready, ready};
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use axum::routing::{get, post};

use crate::service::Service;
pub(crate) use answer::for_people;
pub(crate) use home::switch_on;
pub use links::Links;
pub use live::Live;
pub use monitoring::Watchers;
pub(crate) use monitoring::{Watcher, without_secrets};
pub(crate) use oidc::CALLBACK as SIGN_IN_CALLBACK;
pub use password::Passwords;
pub use security::Dress;
pub(crate) use session::not_staff;

/// Longest form that is read: the longest of ours has some dozen fields.
const FORM_MAX: usize = 64 * 1024;

/// For the address of an answer to a form, opened once more: on to the page that the form stands on.
fn leads_to(path: &'static str) -> impl Fn() -> Ready<Response> + Clone {
    move || ready(answer::on_to(path))
}

/// All pages.
pub(crate) fn pages(service: &Arc<Service>) -> Router<Arc<Service>> {
    let pages = Router::new()
        .route("/", get(home::show))
        .route("/sync", post(home::sync_all))
        .route("/calendars/{id}/sync", post(home::sync))
        .route("/calendars/{id}/enable", post(home::enable))
        .route("/calendars/{id}/disable", get(home::ask_disable).post(home::disable))
        .route("/calendars/{id}/approve", post(home::approve))
        .route("/accounts/{id}/remove", get(home::ask_remove).post(home::remove))
        .route("/rules", get(rules::show).post(rules::change))
        .route("/rules/defaults", post(rules::put_defaults))
        .route("/activity", get(activity::show))
        .route("/activity/{run}", get(activity::run))
        .route("/activity/{run}/undo", post(activity::undo))
        .route("/week", get(week::show))
        .route("/start", get(start::show))
        .route("/start/preview", post(start::look).get(leads_to("/start")))
        .route("/start/begin", post(start::begin))
        .route("/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/sign-in/elsewhere", get(oidc::begin))
        .route(oidc::CALLBACK, get(oidc::come_back))
        .route("/sign-out", post(sign_in::leave))
        .route("/welcome/{link}", get(first_user::show).post(first_user::begin))
        .route("/password/{link}", get(invitation::show).post(invitation::accept))
        .route("/settings", get(settings::show))
        .route("/settings/password", post(settings::change_password))
        .route("/settings/tokens", post(settings::make_token).get(leads_to("/settings")))
        .route("/settings/tokens/{id}/remove", post(settings::remove_token))
        .route("/settings/sign-out-everywhere", post(settings::sign_out_everywhere))
        .route("/accounts/connect/{provider}", post(connect::begin))
        .route("/oauth/{provider}/callback", get(connect::come_back))
        .route("/set-up", get(set_up::show))
        .route("/set-up/people", post(set_up::add_person).get(leads_to("/set-up")))
        .route("/set-up/people/{id}/invite", post(set_up::invite))
        .route("/set-up/{provider}", post(set_up::put_client))
        .route("/live", get(live::events))
        .merge(monitoring::routes())
        .layer(DefaultBodyLimit::max(FORM_MAX));
    security::around(pages, Dress::new(&service.settings.server))
        .merge(security::pressed(Router::new().route("/assets/{digest}/{name}", get(answer::asset))))
}
