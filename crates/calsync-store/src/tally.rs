//! Figures of notifications by the minute of their receipt: what both stores keep, so that they count alike. Pure.

use std::collections::BTreeMap;

use calsync_core::notification::Served;
use calsync_core::ports::{NotificationHour, NotificationMetrics};
use calsync_core::time::Ts;

const MINUTE: i64 = 60_000_000;
/// In microseconds.
pub(crate) const HOUR: i64 = 60 * MINUTE;

/// The beginning of the hour that an instant is in.
pub(crate) fn hour(at: Ts) -> Ts {
    let micros = at.micros();
    Ts::from_micros(micros.saturating_sub(micros.rem_euclid(HOUR)))
}

/// The beginning of the minute that an instant is in.
pub(crate) fn minute(at: Ts) -> Ts {
    let micros = at.micros();
    Ts::from_micros(micros.saturating_sub(micros.rem_euclid(MINUTE)))
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

    pub(crate) fn add(&mut self, other: &Tally) {
        self.received += other.received;
        self.completed += other.completed;
        self.failed += other.failed;
        self.time_ms += other.time_ms;
        self.calendars_synced += other.calendars_synced;
        self.events_processed += other.events_processed;
        self.busy_blocks_updated += other.busy_blocks_updated;
    }

    /// Those of an hour: what is open of them is what nobody has finished.
    pub(crate) fn of_hour(&self, hour: Ts) -> NotificationHour {
        let open = self.received.saturating_sub(self.completed + self.failed);
        NotificationHour { hour, metrics: self.metrics(open) }
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
