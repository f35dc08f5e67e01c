//! The push channels of somebody who is removed: closed at the provider while it is still known which they are. A provider that
//! can't be asked keeps nobody from being removed; what stays open is told.

use std::sync::Arc;

use calsync_core::calendar::Leaving;
use calsync_core::ports::UserState;
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use calsync_core::time::Ts;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::serve;
use crate::out::counted;
use crate::secrets::first_run::Missing;

/// What became of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct Ended {
    /// Closed at the provider, or unknown there.
    closed: usize,
    /// Not closed.
    left: usize,
    /// When the last of those ends by itself.
    left_until: Option<Ts>,
}

impl Ended {
    fn of(before: &[Subscription], after: &[Subscription]) -> Ended {
        Ended {
            closed: before.len().saturating_sub(after.len()),
            left: after.len(),
            left_until: after.iter().map(|channel| channel.expires_at).max(),
        }
    }

    /// To be put behind what was removed.
    pub(super) fn words(&self) -> String {
        let mut text = String::new();
        if self.closed > 0 {
            text.push_str(&format!("; {} closed", counted(self.closed as u64, "push channel")));
        }
        if let Some(until) = self.left_until {
            text.push_str(&format!(
                "; {} could not be closed: what comes by them is refused, and they end by themselves by {until}",
                counted(self.left as u64, "push channel")
            ));
        }
        text
    }
}

/// Closes them.
pub(super) async fn close(context: &Context, state: &UserState) -> Result<Ended, Failure> {
    let before = standing(context, state).await?;
    if before.is_empty() {
        return Ok(Ended::default());
    }
    let assembled = serve::assemble(
        &context.settings,
        context.store.clone(),
        Missing::Refuse,
        Arc::new(|_| ()),
        context.out,
    );
    // Whoever has lost the keys can still remove people.
    let service = match assembled.await {
        Ok(service) => service,
        Err(failure) => {
            context.out.note(&format!("warning: no provider can be asked: {}", failure.message));
            return Ok(Ended::of(&before, &before));
        }
    };
    let now = context.now();
    // Those that waited for another try have it now.
    for channel in before.iter().filter(|channel| channel.close_at.is_some()) {
        context.store.put_closing(channel.id, Some(now)).await?;
    }
    let has = |calendar| before.iter().any(|channel| channel.calendar == calendar);
    // Stopped, so that a running service opens none meanwhile, and touches no block that is to stay.
    for calendar in state.calendars.iter().filter(|c| c.takes_part() || has(c.id)) {
        service.engine.take_out(calendar, Leaving::Stopped).await?;
    }
    service.flush_statistics().await;
    Ok(Ended::of(&before, &standing(context, state).await?))
}

/// Those that deliver, as far as it is known here: in use, or out of use and not closed yet.
async fn standing(context: &Context, state: &UserState) -> Result<Vec<Subscription>, Failure> {
    let now = context.now();
    let mut standing = Vec::new();
    for calendar in &state.calendars {
        let all = context.store.subscriptions(calendar.id).await?;
        standing.extend(all.into_iter().filter(|channel| stands(channel, now)));
    }
    Ok(standing)
}

fn stands(channel: &Subscription, now: Ts) -> bool {
    let open = channel.status == SubscriptionStatus::Active || channel.close_at.is_some();
    open && !channel.is_expired(now) && !channel.resource_id.is_empty()
}
