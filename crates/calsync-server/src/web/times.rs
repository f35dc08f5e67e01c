//! In whose time a page is written: that of the calendars of whoever reads it. It never keeps a page waiting for long: a page
//! without its reader's zone is better than none.

use std::time::Duration;

use calsync_pages::words::Times;
use jiff::tz::TimeZone;
use tokio::time::timeout;

use super::home;
use super::session::Signed;
use crate::service::Service;

/// A database that has not said by then where somebody lives is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Times as this person reads them: in UTC where they have no calendar, or while the database does not answer.
pub(super) async fn of(service: &Service, signed: &Signed) -> Times {
    let asked = timeout(PATIENCE, service.store.user_state(signed.user.id)).await;
    let calendars = match asked {
        Ok(Ok(Some(state))) => state.calendars,
        _ => Vec::new(),
    };
    Times::new(service.clock.now(), home::zone(calendars.iter()))
}

/// The name of a zone, for who reads it.
pub(super) fn name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}
