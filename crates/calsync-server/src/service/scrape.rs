//! The page for Prometheus: looks at what only the database knows, once for all who ask within `LIFE`, and hands it to the
//! metrics. While the database is away, nobody waits for it longer than `PATIENCE`.

use std::sync::Arc;
use std::time::Duration;

use calsync_core::health::assess;
use calsync_core::notification::ProcessingStatus;
use calsync_engine::EngineError;
use tokio::time::timeout;

use super::Service;
use crate::metrics::{Fleet, Seen};

/// How old the fleet's figures may be: Prometheus asks every fifteen seconds or more, and there may be many of it.
pub(super) const LIFE: Duration = Duration::from_secs(5);
/// What does not answer within this time does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Notifications in these states are not finished.
const OPEN: [ProcessingStatus; 3] =
    [ProcessingStatus::Pending, ProcessingStatus::Processing, ProcessingStatus::Retrying];

impl Service {
    /// The page, as it is now.
    pub async fn metrics_page(self: &Arc<Service>) -> String {
        let service = self.clone();
        let seen = match self.seen.get(async move { service.see().await }).await {
            Some(seen) => seen,
            // It broke, and said so in the log: the page has the rest.
            None => {
                let figures = self.figures().await;
                Seen { report: assess(&figures), figures, fleet: None }
            }
        };
        self.metrics.page(&seen, &self.store.connections(), self.clock.now())
    }

    async fn see(self: Arc<Service>) -> Seen {
        let figures = self.figures().await;
        let report = assess(&figures);
        let fleet = if figures.stored.is_some() {
            self.metrics.read_fleet();
            match timeout(PATIENCE, self.fleet()).await {
                Ok(Ok(fleet)) => Some(fleet),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the metrics lack what the database knows");
                    None
                }
                Err(_) => None,
            }
        } else {
            None
        };
        Seen { figures, report, fleet }
    }

    async fn fleet(&self) -> Result<Fleet, EngineError> {
        let in_force = self.engine.watch_state().await?.level.level;
        let alerts = self.store.alert_groups().await?;
        let mut oldest = None;
        for status in OPEN {
            let first = self.store.notifications(status, 1).await?.into_iter().next();
            oldest = [oldest, first.map(|one| one.received_at)].into_iter().flatten().min();
        }
        Ok(Fleet { in_force, alerts, oldest })
    }
}
