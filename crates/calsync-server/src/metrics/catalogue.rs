//! Every metric there is, with its labels, how many series it may have, and what it means. docs/metrics.md is made from this;
//! what is not here is not told.

/// What a metric is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// Only grows, from the start of the process.
    Counter,
    /// As it is now.
    Gauge,
    /// How many took how long, by these upper bounds in seconds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        }
    }
}

/// Whose figure it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// This instance's own: add them up.
    Instance,
    /// The whole fleet's, told by every instance alike: take one.
    Fleet,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Whose.
    pub scope: Scope,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// So many combinations of labels there are at most; of what is counted in memory, one of them is for what has no place.
    pub most: usize,
    /// What it means.
    pub help: &'static str,
}

impl Metric {
    /// How many series it may have: a histogram has one for each bucket, one for all, their sum and their count.
    pub const fn series(&self) -> usize {
        match self.kind {
            Kind::Counter | Kind::Gauge => self.most,
            Kind::Histogram(bounds) => self.most * (bounds.len() + 3),
        }
    }
}

/// An answer to a provider: the promise is a second, the aim 20 ms.
const ANSWER: Kind =
    Kind::Histogram(&[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0]);
/// Work after it: within a second, unless a provider is slow; tries again come after 1, 5 and 15 minutes.
const WORK: Kind =
    Kind::Histogram(&[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0]);
/// From a change on: the same, and the provider's own time; what was missed is found within hours.
const CHANGE: Kind =
    Kind::Histogram(&[0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0]);
/// A call over the internet.
const CALL: Kind = Kind::Histogram(&[0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]);
/// A wait of our own choice.
const WAIT: Kind = Kind::Histogram(&[0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0]);

macro_rules! metrics {
    ($($id:ident: $name:literal, $kind:expr, $scope:ident, [$($label:literal),*], $most:literal, $help:literal;)*) => {
        $(pub(super) static $id: Metric = Metric {
            name: $name, kind: $kind, scope: Scope::$scope, labels: &[$($label),*], most: $most, help: $help,
        };)*
        /// All of them.
        pub static ALL: &[&Metric] = &[$(&$id),*];
    };
}

use Kind::{Counter, Gauge};

metrics! {
    BUILD_INFO: "calendar_sync_build_info", Gauge, Instance, ["version"], 1,
        "1, with the version of the program.";
    REQUESTS: "calendar_sync_http_requests_total", Counter, Instance, ["route", "code"], 200,
        "Requests answered, by route as it is declared and by status code.";
    REQUEST_SECONDS: "calendar_sync_http_request_duration_seconds", ANSWER, Instance, ["route"], 12,
        "Time from the head of a request to the head of its answer.";
    RECEIPTS: "calendar_sync_receipts_total", Counter, Instance, ["provider", "outcome"], 15,
        "Deliveries of providers: accepted (on disk), duplicate, handshake, refused (not believed), malformed, limited (429) or failed (any 5xx).";
    RECEIPT_SECONDS: "calendar_sync_receipt_duration_seconds", ANSWER, Instance, ["provider"], 3,
        "Time until the answer to a delivery that was accepted, or was a duplicate.";
    PROCESSING: "calendar_sync_notification_processing_seconds", WORK, Instance, [], 1,
        "Time from the receipt of a notification until every block that it led to was written.";
    CHANGE_TO_BLOCK: "calendar_sync_change_to_block_seconds", CHANGE, Instance, [], 1,
        "Time from a change, by the provider's clock, until a block that answers it was written or removed; first fillings do not count.";
    RUNS: "calendar_sync_sync_runs_total", Counter, Instance, ["kind", "outcome"], 7,
        "Readings of a calendar with all that followed: webhook, polling or full; succeeded or failed.";
    BLOCKS: "calendar_sync_blocks_written_total", Counter, Instance, ["action"], 4,
        "Busy blocks created, updated and deleted at providers.";
    VERDICTS: "calendar_sync_channel_verdicts_total", Counter, Instance, ["outcome"], 3,
        "Runs that found changes in a calendar with a push channel: the channel had told of them, or missed them. Told by all is the delivery ratio.";
    CALLS: "calendar_sync_provider_calls_total", Counter, Instance, ["provider", "operation", "outcome"], 256,
        "Calls to providers: ok, or the class of the error.";
    CALL_SECONDS: "calendar_sync_provider_call_duration_seconds", CALL, Instance, ["provider", "operation"], 32,
        "Time that calls to providers took.";
    HELD_BACK: "calendar_sync_rate_limit_wait_seconds", WAIT, Instance, ["provider", "outcome"], 5,
        "Time that our own limits held a call back: it waited and was made, or was sent_back to come again later.";
    STEPS: "calendar_sync_steps_total", Counter, Instance, ["outcome"], 4,
        "Steps of workers, each for one user: done, failed (the store, mostly; taken up again) or lease_lost (taken over by another worker).";
    WORKERS: "calendar_sync_workers", Gauge, Instance, [], 1,
        "Workers of this instance.";
    WORKERS_BUSY: "calendar_sync_workers_busy", Gauge, Instance, [], 1,
        "Workers at a step: each holds the lease of the user it works on.";
    WATCH_HELD: "calendar_sync_watch_held", Gauge, Instance, [], 1,
        "1 on the instance that has the lease on watching the fleet's health.";
    ALERT_DELIVERIES: "calendar_sync_alert_deliveries_total", Counter, Instance, ["channel", "outcome"], 13,
        "Tries to tell people of alerts, by kind of channel (email, slack, webhook, pager): delivered or failed; given_up counts the messages whose last try failed.";
    DATABASE_UP: "calendar_sync_database_up", Gauge, Instance, [], 1,
        "1 if the database answers this instance.";
    DATABASE_SECONDS: "calendar_sync_database_answer_seconds", Gauge, Instance, [], 1,
        "Time that the database took to answer when it was asked last; absent while it is away.";
    CACHE_UP: "calendar_sync_cache_up", Gauge, Instance, [], 1,
        "1 if Redis answers this instance; absent where none is configured.";
    CONNECTIONS: "calendar_sync_database_connections", Gauge, Instance, ["pool", "state"], 4,
        "Open connections to the database: used or idle.";
    CONNECTIONS_MAX: "calendar_sync_database_connections_max", Gauge, Instance, ["pool"], 2,
        "Connections that a pool may open.";
    DISK_FREE: "calendar_sync_disk_free_bytes", Gauge, Instance, [], 1,
        "Free room on the disk of the data directory.";
    DISK_TOTAL: "calendar_sync_disk_size_bytes", Gauge, Instance, [], 1,
        "Size of that disk.";
    MEMORY_FREE: "calendar_sync_memory_available_bytes", Gauge, Instance, [], 1,
        "Memory still there for this process: the machine's, or its control group's.";
    FLEET_READINGS: "calendar_sync_fleet_readings_total", Counter, Instance, [], 1,
        "Times that the figures of the fleet were read from the database for this page: scrapes within a few seconds share one.";
    LEVEL: "calendar_sync_health_level", Gauge, Fleet, [], 1,
        "How well the whole system is, as seen now: 0 healthy, 1 degraded, 2 critical. While the database is away, each instance says so for itself.";
    LEVEL_IN_FORCE: "calendar_sync_health_level_in_force", Gauge, Fleet, [], 1,
        "The level that the system acts on, which follows with a delay.";
    CHECKS: "calendar_sync_health_check_level", Gauge, Fleet, ["check"], 24,
        "The level of each check that the health document lists.";
    PENDING: "calendar_sync_notifications_pending", Gauge, Fleet, [], 1,
        "Notifications received and neither completed nor given up.";
    OVERDUE: "calendar_sync_notifications_overdue", Gauge, Fleet, [], 1,
        "Those of them that have waited for more than five minutes.";
    OLDEST: "calendar_sync_notifications_oldest_pending_seconds", Gauge, Fleet, [], 1,
        "How long the oldest of them has waited; 0 if there is none.";
    DAY: "calendar_sync_notifications_last_day", Gauge, Fleet, ["status"], 2,
        "Notifications of the last 24 hours that were completed, and that failed for good.";
    SUBSCRIPTIONS: "calendar_sync_subscriptions", Gauge, Fleet, ["provider", "status"], 12,
        "Push channels by provider and status.";
    SUBSCRIPTIONS_HEALTHY: "calendar_sync_subscriptions_healthy", Gauge, Fleet, [], 1,
        "Active push channels that are not silent for too long.";
    SUBSCRIPTIONS_FAILING: "calendar_sync_subscriptions_failing", Gauge, Fleet, [], 1,
        "Active push channels with five failures in a row or more.";
    SUBSCRIPTIONS_EXPIRING: "calendar_sync_subscriptions_expiring", Gauge, Fleet, [], 1,
        "Active push channels that end within 24 hours.";
    UNWATCHED: "calendar_sync_calendars_unwatched", Gauge, Fleet, [], 1,
        "Calendars that should have a push channel and have none.";
    QUOTA: "calendar_sync_provider_quota_used_ratio", Gauge, Fleet, ["provider"], 3,
        "The busiest minute of the last hour, as a part of what the provider allows in one; absent where it does not limit us as a whole.";
    ALERTS: "calendar_sync_alerts_open", Gauge, Fleet, ["kind", "level"], 92,
        "Open alerts by kind, at the level of the loudest.";
    CPU: "process_cpu_seconds_total", Counter, Instance, [], 1,
        "Processor time of this process.";
    RESIDENT: "process_resident_memory_bytes", Gauge, Instance, [], 1,
        "Memory that this process takes up.";
    FILES: "process_open_fds", Gauge, Instance, [], 1,
        "Files and sockets that this process has open.";
    FILES_MAX: "process_max_fds", Gauge, Instance, [], 1,
        "How many it may have open.";
    STARTED: "process_start_time_seconds", Gauge, Instance, [], 1,
        "When this process started, in seconds since 1970.";
}

/// A histogram with few buckets.
#[cfg(test)]
pub(super) static WAIT_OF_TESTS: Metric =
    Metric { name: "waited_seconds", kind: Kind::Histogram(&[0.5, 1.0]), labels: &[], most: 1, ..HELD_BACK };

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_as_prometheus_wants_them_and_few() {
        let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len(), "a name twice");
        for metric in ALL {
            let name = metric.name;
            assert!(name.starts_with("calendar_sync_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
            assert!(metric.help.ends_with('.') && metric.most >= 1, "{name}");
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(name.ends_with("_seconds") && bounds.is_sorted(), "{name}");
            }
        }
        let series: usize = ALL.iter().map(|metric| metric.series()).sum();
        assert!(series <= 1_500, "an instance may have {series} series");
    }
}
