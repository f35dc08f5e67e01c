//! Messages on their way: each is tried by its own channel, all at once, and what came of it is written down. One that fails
//! holds up no other.

use calsync_core::alert::{Again, Delivery, DeliveryState};
use calsync_core::ports::StoreError;
use futures_util::{StreamExt, stream};

use crate::metrics::Tried;
use crate::service::Service;

/// Messages that are taken up in one go, and tried all at once: channels that hang hold up one look for as long as one of them
/// may take, and never so long that another instance takes the watch and sends them too.
const TAKEN: u32 = 64;

/// What came of a go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sent {
    pub(super) delivered: u32,
    pub(super) failed: u32,
}

/// Sends what is due.
pub(super) async fn send_due(service: &Service) -> Result<Sent, StoreError> {
    let due = service.store.deliveries_due(service.clock.now(), TAKEN).await?;
    let trying = due.into_iter().map(|delivery| async move {
        let tried = attempt(service, delivery).await;
        service.store.put_delivery(&tried).await?;
        Ok::<_, StoreError>(tried.state)
    });
    let mut trying = stream::iter(trying.collect::<Vec<_>>()).buffer_unordered(TAKEN as usize);
    let (mut sent, mut broken) = (Sent::default(), None);
    // To the end: what was sent must be written down, or it is sent again.
    while let Some(tried) = trying.next().await {
        match tried {
            Ok(DeliveryState::Delivered) => sent.delivered += 1,
            Ok(DeliveryState::Pending | DeliveryState::Failed) => sent.failed += 1,
            Err(error) => broken = Some(error),
        }
    }
    broken.map_or(Ok(sent), Err)
}

/// One try.
pub(super) async fn attempt(service: &Service, delivery: Delivery) -> Delivery {
    let now = || service.clock.now();
    let named = service.channels.all().iter().find(|named| named.name() == delivery.channel);
    let Some(named) = named else {
        // The settings have changed since.
        return delivery.failed("this channel is no longer configured".to_owned(), Again::Never, now());
    };
    let (kind, channel) = (delivery.message.kind.clone(), delivery.channel.clone());
    match named.channel().deliver(&delivery.message).await {
        Ok(()) => {
            service.metrics.told(named.kind(), Tried::Delivered);
            tracing::info!(kind, channel, occasion = ?delivery.message.occasion, "an alert was delivered");
            delivery.delivered(now())
        }
        Err(undelivered) => {
            service.metrics.told(named.kind(), Tried::Failed);
            let tried = delivery.failed(undelivered.reason, undelivered.again, now());
            let (reason, again) = (tried.error.as_deref().unwrap_or_default(), tried.next_try_at);
            tracing::warn!(kind, channel, reason, next_try_at = ?again, "an alert could not be delivered");
            tried
        }
    }
}
