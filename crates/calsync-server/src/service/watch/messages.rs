//! Messages on their way: each is tried by its own channel, all at once, and what came of it is written down. One that fails
//! holds up no other.

use calsync_core::alert::{Again, Delivery, DeliveryState};
use calsync_core::ports::Clock;
use calsync_engine::EngineError;
use futures_util::{StreamExt, stream};
use jiff::SignedDuration;

use super::step;
use crate::alerting::Channels;
use crate::metrics::{Metrics, Tried};
use crate::service::Service;

/// Messages that are taken up in one go, and tried all at once: channels that hang hold up one look for as long as one of them
/// may take.
const TAKEN: u32 = 64;
/// Whoever takes up a message has it for so long, longer than any try: nobody else sends it, and should we die over it, the next
/// one does.
const OURS: SignedDuration = SignedDuration::from_secs(30);

/// What came of a go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sent {
    pub(super) delivered: u32,
    pub(super) failed: u32,
}

/// Sends what is due.
pub(super) async fn send_due(service: &Service) -> Result<Sent, EngineError> {
    let now = service.clock.now();
    let claimed = step("messages", service.store.claim_deliveries(now, now.plus(OURS), TAKEN)).await?;
    if claimed.unreadable > 0 {
        let messages = claimed.unreadable;
        tracing::warn!(
            messages,
            "messages on their way can not be read here: they wait for a version that can"
        );
    }
    let trying = claimed.deliveries.into_iter().map(|delivery| async move {
        let tried = Teller::of(service).attempt(delivery).await;
        step("what became of a message", service.store.put_delivery(&tried)).await?;
        Ok::<_, EngineError>(tried.state)
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

/// Who tries: what a try needs of the world.
pub(crate) struct Teller<'a> {
    pub(crate) channels: &'a Channels,
    pub(crate) metrics: &'a Metrics,
    pub(crate) clock: &'a dyn Clock,
}

impl<'a> Teller<'a> {
    pub(super) fn of(service: &'a Service) -> Teller<'a> {
        Teller { channels: &service.channels, metrics: &service.metrics, clock: service.clock.as_ref() }
    }

    /// One try.
    pub(super) async fn attempt(&self, delivery: Delivery) -> Delivery {
        let now = || self.clock.now();
        let named = self.channels.all().iter().find(|named| named.name() == delivery.channel);
        let Some(named) = named else {
            // The settings have changed since.
            return delivery.failed("this channel is no longer configured".to_owned(), Again::Never, now());
        };
        let (kind, channel) = (delivery.message.kind.clone(), delivery.channel.clone());
        match named.channel().deliver(&delivery.message).await {
            Ok(()) => {
                self.metrics.told(named.kind(), Tried::Delivered);
                tracing::info!(kind, channel, occasion = ?delivery.message.occasion, "an alert was delivered");
                delivery.delivered(now())
            }
            Err(undelivered) => {
                let tried = delivery.failed(undelivered.reason, undelivered.again, now());
                self.metrics.told(named.kind(), Tried::Failed);
                if tried.state == DeliveryState::Failed {
                    self.metrics.told(named.kind(), Tried::GivenUp);
                }
                let (reason, again) = (tried.error.as_deref().unwrap_or_default(), tried.next_try_at);
                tracing::warn!(kind, channel, reason, next_try_at = ?again, "an alert could not be delivered");
                tried
            }
        }
    }
}
