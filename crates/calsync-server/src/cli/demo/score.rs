//! What the demo comes to, in figures.

use std::time::Duration;

use calsync_sim::oracle::Judgement;
use serde::Serialize;

use super::stage::{Lived, Stage};
use crate::out::Out;

/// Listings that polling every 15 minutes costs one calendar in a day.
const POLLS_PER_DAY: u64 = 24 * 4;

/// The figures.
#[derive(Serialize)]
pub(super) struct Score {
    changes: u64,
    blocks_created: u64,
    blocks_updated: u64,
    blocks_deleted: u64,
    mismatches: usize,
    duplicates: u64,
    foreign_events_touched: u64,
    webhooks_received: u64,
    sync_runs: u64,
    provider_calls: u64,
    polling_calls_equivalent: u64,
    p50_ms: u64,
    p99_ms: u64,
}

impl Score {
    pub(super) async fn of(stage: &Stage, lived: &Lived, judgement: &Judgement) -> Score {
        let store = &stage.service.store;
        let (tally, mut latencies) = stage.heard(|s| (s.tally, s.latencies.clone()));
        latencies.sort_unstable();
        stage.count_calls().await;
        let since = stage.began.minus(jiff::SignedDuration::from_mins(1));
        let calls = store.call_stats(since).await.unwrap_or_default();
        let received = store.notification_metrics(since).await.unwrap_or_default();
        let writes = tally.created + tally.updated + tally.deleted;
        let calendars: usize = lived.life.people.iter().map(|p| p.calendars.len()).sum();
        Score {
            changes: lived.deeds,
            blocks_created: tally.created,
            blocks_updated: tally.updated,
            blocks_deleted: tally.deleted,
            mismatches: judgement.mismatches.len(),
            duplicates: judgement.duplicates,
            foreign_events_touched: judgement.foreign_events_touched,
            webhooks_received: received.total,
            sync_runs: tally.runs,
            provider_calls: calls.iter().map(|s| s.calls).sum(),
            polling_calls_equivalent: calendars as u64 * POLLS_PER_DAY + writes,
            p50_ms: percentile(&latencies, 50),
            p99_ms: percentile(&latencies, 99),
        }
    }

    /// In words.
    pub(super) fn tell(&self, judgement: &Judgement, out: Out) {
        out.line(&format!(
            "\n{} changes became {} blocks made, {} moved, {} removed; half of them within {} ms, 99 % within {} ms.\n\
             {} webhooks, {} runs, {} calls to the provider.",
            self.changes,
            self.blocks_created,
            self.blocks_updated,
            self.blocks_deleted,
            self.p50_ms,
            self.p99_ms,
            self.webhooks_received,
            self.sync_runs,
            self.provider_calls,
        ));
        if judgement.is_good() {
            out.line(&format!(
                "The oracle agrees: {} blocks stand, each where it should, none twice.",
                judgement.blocks
            ));
            return;
        }
        out.line(&format!(
            "The oracle does NOT agree: {} mismatches, {} duplicates, {} foreign events touched.",
            self.mismatches, self.duplicates, self.foreign_events_touched
        ));
        for mismatch in judgement.mismatches.iter().take(super::TOLD_MAX) {
            out.line(&format!("  {mismatch}"));
        }
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> u64 {
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(at).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
