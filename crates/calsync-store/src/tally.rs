//! Figures of notifications by the minute of their receipt: what both stores keep, so that they count alike. Pure.

use std::collections::BTreeMap;

use calsync_core::notification::{ProcessingStatus, Served};
use calsync_core::ports::{NotificationMetrics, NotificationSpan};
use calsync_core::time::Ts;
use jiff::SignedDuration;

/// In microseconds.
const MINUTE: i64 = 60_000_000;

/// A width in microseconds: a minute at least.
pub(crate) fn micros(width: SignedDuration) -> i64 {
    i64::try_from(width.as_micros()).unwrap_or(i64::MAX).max(MINUTE)
}

/// The beginning of the stretch of so many microseconds that an instant is in.
pub(crate) fn begins(at: Ts, width: i64) -> Ts {
    let micros = at.micros();
    Ts::from_micros(micros.saturating_sub(micros.rem_euclid(width)))
}

/// The beginning of the minute that an instant is in.
pub(crate) fn minute(at: Ts) -> Ts {
    begins(at, MINUTE)
}

/// What is to be added to the figures of minutes.
pub(crate) type Tallies = BTreeMap<Ts, Tally>;

/// The figures of one minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) received: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    /// Processing time of the completed ones.
    pub(crate) time_ms: u64,
    pub(crate) calendars_synced: u64,
    pub(crate) events_processed: u64,
    pub(crate) busy_blocks_updated: u64,
}

impl Tally {
    /// One was received; a confirmation is finished as it arrives.
    pub(crate) fn received(&mut self, is_finished: Finished) {
        self.received += 1;
        self.completed += u64::from(is_finished == Finished::AtOnce);
    }

    /// One that was received in this minute is completed.
    pub(crate) fn completed(&mut self, took_ms: i64, served: Served) {
        self.completed += 1;
        self.time_ms += u64::try_from(took_ms).unwrap_or(0);
        self.calendars_synced += u64::from(served.calendars_synced);
        self.events_processed += u64::from(served.events_processed);
        self.busy_blocks_updated += u64::from(served.busy_blocks_updated);
    }

    /// One that counted like this is open again.
    pub(crate) fn take_back(&mut self, status: ProcessingStatus, took_ms: i64, served: Served) {
        match status {
            ProcessingStatus::Completed => {
                let mut was = Tally::default();
                was.completed(took_ms, served);
                self.completed = self.completed.saturating_sub(was.completed);
                self.time_ms = self.time_ms.saturating_sub(was.time_ms);
                self.calendars_synced = self.calendars_synced.saturating_sub(was.calendars_synced);
                self.events_processed = self.events_processed.saturating_sub(was.events_processed);
                self.busy_blocks_updated = self.busy_blocks_updated.saturating_sub(was.busy_blocks_updated);
            }
            ProcessingStatus::Failed => self.failed = self.failed.saturating_sub(1),
            _ => {}
        }
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        self.received += other.received;
        self.completed += other.completed;
        self.failed += other.failed;
        self.time_ms += other.time_ms;
        self.calendars_synced += other.calendars_synced;
        self.events_processed += other.events_processed;
        self.busy_blocks_updated += other.busy_blocks_updated;
    }

    /// Those of a stretch of time: what is open of them is what nobody has finished.
    pub(crate) fn of_span(&self, from: Ts) -> NotificationSpan {
        let open = self.received.saturating_sub(self.completed + self.failed);
        NotificationSpan { from, metrics: self.metrics(open) }
    }

    /// As the port tells it.
    pub(crate) fn metrics(&self, pending: u64) -> NotificationMetrics {
        NotificationMetrics {
            total: self.received,
            completed: self.completed,
            failed: self.failed,
            pending,
            // Nothing completed yet is no time, not a division by zero.
            average_ms: self.time_ms.checked_div(self.completed).unwrap_or(0),
            calendars_synced: self.calendars_synced,
            events_processed: self.events_processed,
            busy_blocks_updated: self.busy_blocks_updated,
        }
    }
}

/// When a notification is finished.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Finished {
    /// As it arrives.
    AtOnce,
    /// When a run has served it.
    Later,
}
