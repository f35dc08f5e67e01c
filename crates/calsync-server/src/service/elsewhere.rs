//! Hears that another instance or a command may have made work, and passes it on to those who do it. Carries no data, and
//! may miss something: workers look by themselves as well, seldom.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Service;

/// Rest after the store could not tell.
const AGAIN: Duration = Duration::from_secs(2);
/// What is heard within this time is passed on once: a busy fleet must not keep everybody asking.
const APART: Duration = Duration::from_millis(50);

/// Listens until told to stop. Takes in whatever comes, at any pace: nothing may pile up at the server.
pub(super) async fn listen(service: Arc<Service>, stopping: CancellationToken) {
    let mut deaf = false;
    loop {
        let heard = tokio::select! {
            () = stopping.cancelled() => return,
            heard = service.store.work_elsewhere() => heard,
        };
        if let Err(error) = &heard {
            if !deaf {
                tracing::warn!(%error, "other instances can't be heard for now; work of theirs is found by looking");
            }
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        } else if deaf {
            tracing::info!("other instances can be heard again");
        }
        deaf = heard.is_err();
        // After an error as well: nobody knows what was missed.
        service.heard.notify_one();
    }
}

/// Passes on what was heard, until told to stop: to every worker that rests, because it may be work for all of them, and
/// to whoever looks after push channels.
pub(super) async fn pass_on(service: Arc<Service>, stopping: CancellationToken) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = service.heard.notified() => {}
        }
        service.wake_all();
        service.look.notify_one();
        tokio::time::sleep(APART).await;
    }
}
