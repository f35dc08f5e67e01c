//! Adding users, and the links by which they choose a password: for the set-up page and for the API. What is done is in the audit log.

use std::sync::atomic::Ordering;

use calsync_core::calendar::User;
use calsync_core::secret::Secret;

use super::answer;
use crate::http::ApiError;
use crate::service::Service;

/// Whether nobody uses this service yet. Anybody may ask, often: what was true once is not asked of the database again.
pub(super) async fn is_nobody_here(service: &Service) -> Result<bool, ApiError> {
    if service.peopled.load(Ordering::Relaxed) {
        return Ok(false);
    }
    let nobody = service.store.users().await.map_err(answer::store)?.is_empty();
    service.peopled.store(!nobody, Ordering::Relaxed);
    Ok(nobody)
}

/// Adds a user; `false`: there is one with this address.
pub(crate) async fn add(service: &Service, user: &User, who: &str) -> Result<bool, ApiError> {
    if service.store.password(&user.email).await.map_err(answer::store)?.is_some() {
        return Ok(false);
    }
    service.store.add_user(user).await.map_err(answer::store)?;
    let what = format!("added user {}", user.email);
    service.store.audit(who, &what, service.clock.now()).await.map_err(answer::store)?;
    Ok(true)
}

/// The path of a link by which a user chooses a password, once; `present`: the digest of the one they have.
pub(crate) async fn invite(
    service: &Service,
    user: &User,
    present: Option<&str>,
    who: &str,
) -> Result<Secret, ApiError> {
    let now = service.clock.now();
    let path = service.links.invitation(user, present, now);
    let what = format!("made a link to choose a password for {}", user.email);
    service.store.audit(who, &what, now).await.map_err(answer::store)?;
    Ok(path)
}
