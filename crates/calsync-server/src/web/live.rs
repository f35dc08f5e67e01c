//! Telling open pages that something changed: server-sent events without content, whereupon a page asks for itself again. So
//! what a page shows is decided in one place. What happens in other processes is looked for now and then.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use calsync_core::ids::UserId;
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::session::Signed;
use crate::http::ApiError;
use crate::service::Service;

/// Open pages at once, in one process.
const LISTENERS_MAX: usize = 1_000;
/// Changes that a slow listener may fall behind; then it is told without looking whose they were.
const BEHIND_MAX: usize = 256;
/// A page is told at most so often.
const APART: Duration = Duration::from_secs(2);
/// A page asks again so often, whether it was told of something or not: another process may have done it, and "5 minutes ago"
/// becomes six.
const AT_LEAST_EVERY: Duration = Duration::from_secs(15);

/// Who changed, for whoever listens.
#[derive(Debug)]
pub struct Live {
    changes: Sender<UserId>,
    places: Arc<Semaphore>,
    over: CancellationToken,
}

impl Default for Live {
    fn default() -> Self {
        let (changes, over) = (Sender::new(BEHIND_MAX), CancellationToken::new());
        Live { changes, places: Arc::new(Semaphore::new(LISTENERS_MAX)), over }
    }
}

impl Live {
    /// Something of this person's changed.
    pub(crate) fn changed(&self, user: UserId) {
        // Nobody listens: nothing is lost.
        let _ = self.changes.send(user);
    }

    /// The process is about to stop: nobody listens any longer.
    pub(crate) fn end(&self) {
        self.over.cancel();
    }
}

/// One open page.
struct Listener {
    user: UserId,
    changes: Receiver<UserId>,
    over: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// Waits until the page should look again; `None` when it is over.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Listener)> {
        let over = self.over.clone();
        over.run_until_cancelled(async {
            sleep(APART).await;
            let _ = tokio::time::timeout(AT_LEAST_EVERY, self.theirs()).await;
        })
        .await?;
        // Browsers pass on no event without data.
        Some((Ok(Event::default().event("changed").data("now")), self))
    }

    async fn theirs(&mut self) {
        loop {
            match self.changes.recv().await {
                Ok(user) if user != self.user => {}
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => return std::future::pending().await,
            }
        }
    }
}

/// `GET /live`.
pub(super) async fn events(State(service): State<Arc<Service>>, signed: Signed) -> Response {
    let Ok(place) = service.live.places.clone().try_acquire_owned() else {
        return ApiError::unavailable("too many pages are open", 60).into_response();
    };
    let listener = Listener {
        user: signed.user.id,
        changes: service.live.changes.subscribe(),
        over: service.live.over.clone(),
        _place: place,
    };
    Sse::new(stream::unfold(listener, Listener::next)).keep_alive(KeepAlive::default()).into_response()
}
