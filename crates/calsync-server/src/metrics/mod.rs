//! Figures for Prometheus. What this instance does is counted in memory as it happens, at the edges (web server, workers, calls
//! to providers, messages to people): neither core nor engine knows of it. What the whole fleet comes to is read from the
//! database when somebody asks, once for all who ask within a few seconds. Nothing from outside (an id, an address, a path)
//! is ever a label.

pub mod catalogue;
pub mod docs;
mod family;
mod fleet;
mod process;
mod text;
mod tried;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use calsync_core::calendar::ProviderKind;
use calsync_core::plan::ActionKind;
use calsync_core::ports::{Connections, ErrorClass};
use calsync_core::run::RunKind;
use calsync_core::time::Ts;
use calsync_engine::{CalendarReport, ChannelShowed, StepReport};
use calsync_providers::stats::{CallOutcome, CallWatch, HeldBack};

use catalogue as all;
use family::{Counters, Histograms};
pub use fleet::{Fleet, Seen};
pub use text::CONTENT_TYPE;
use text::{Page, number};
pub use tried::{Outcome, Stepped, Tried};

/// Providers that push, or are called.
const PROVIDERS: [ProviderKind; 2] = [ProviderKind::Google, ProviderKind::Microsoft];

/// What one instance counts.
pub struct Metrics {
    requests: Counters<2>,
    request_seconds: Histograms<1>,
    receipts: Counters<2>,
    receipt_seconds: Histograms<1>,
    processing: Histograms<0>,
    change_to_block: Histograms<0>,
    runs: Counters<2>,
    blocks: Counters<1>,
    verdicts: Counters<1>,
    calls: Counters<3>,
    call_seconds: Histograms<2>,
    held_back: Histograms<2>,
    steps: Counters<1>,
    deliveries: Counters<2>,
    fleet_readings: Counters<0>,
    workers: AtomicU64,
    workers_busy: AtomicU64,
    watch_held: AtomicU64,
}

impl Metrics {
    /// Nothing has happened. What is sure to be asked for shows from the beginning, as 0.
    pub fn new() -> Metrics {
        let metrics = Metrics {
            requests: Counters::new(&all::REQUESTS),
            request_seconds: Histograms::new(&all::REQUEST_SECONDS),
            receipts: Counters::new(&all::RECEIPTS),
            receipt_seconds: Histograms::new(&all::RECEIPT_SECONDS),
            processing: Histograms::new(&all::PROCESSING),
            change_to_block: Histograms::new(&all::CHANGE_TO_BLOCK),
            runs: Counters::new(&all::RUNS),
            blocks: Counters::new(&all::BLOCKS),
            verdicts: Counters::new(&all::VERDICTS),
            calls: Counters::new(&all::CALLS),
            call_seconds: Histograms::new(&all::CALL_SECONDS),
            held_back: Histograms::new(&all::HELD_BACK),
            steps: Counters::new(&all::STEPS),
            deliveries: Counters::new(&all::ALERT_DELIVERIES),
            fleet_readings: Counters::new(&all::FLEET_READINGS),
            workers: AtomicU64::new(0),
            workers_busy: AtomicU64::new(0),
            watch_held: AtomicU64::new(0),
        };
        metrics.show();
        metrics
    }

    fn show(&self) {
        for provider in PROVIDERS.map(ProviderKind::as_str) {
            for receipt in Outcome::ALL {
                self.receipts.show([provider, receipt.as_str()]);
            }
            self.receipt_seconds.show([provider]);
            for held in [HeldBack::Waited, HeldBack::SentBack] {
                self.held_back.show([provider, held_back(held)]);
            }
        }
        for kind in [RunKind::Webhook, RunKind::Polling, RunKind::Full] {
            for outcome in ["succeeded", "failed"] {
                self.runs.show([kind.as_str(), outcome]);
            }
        }
        for action in ["created", "updated", "deleted"] {
            self.blocks.show([action]);
        }
        for outcome in ["told", "missed"] {
            self.verdicts.show([outcome]);
        }
        for stepped in Stepped::ALL {
            self.steps.show([stepped.as_str()]);
        }
        for channel in ["email", "slack", "webhook", "pager"] {
            for tried in Tried::ALL {
                self.deliveries.show([channel, tried.as_str()]);
            }
        }
        self.processing.show([]);
        self.change_to_block.show([]);
        self.fleet_readings.show([]);
    }

    /// A request was answered. `route` and `code` are words of ours.
    pub fn request(&self, route: &'static str, code: &'static str, took: Duration) {
        self.requests.add([route, code], 1);
        self.request_seconds.observe([route], took);
    }

    /// A delivery was answered.
    pub fn receipt(&self, provider: ProviderKind, receipt: Outcome, took: Duration) {
        self.receipts.add([provider.as_str(), receipt.as_str()], 1);
        if matches!(receipt, Outcome::Accepted | Outcome::Duplicate) {
            self.receipt_seconds.observe([provider.as_str()], took);
        }
    }

    /// A worker ended a step.
    pub fn stepped(&self, stepped: Stepped) {
        self.steps.add([stepped.as_str()], 1);
    }

    /// What a step did.
    pub fn step(&self, report: &StepReport) {
        self.stepped(Stepped::Done);
        for run in &report.read {
            self.run(run);
        }
        for delay in &report.delays {
            self.change_to_block.observe([], Duration::try_from(*delay).unwrap_or_default());
        }
        for action in report.blocks.iter().filter_map(|block| written(block.kind)) {
            self.blocks.add([action], 1);
        }
    }

    fn run(&self, run: &CalendarReport) {
        let outcome = if run.error.is_none() { "succeeded" } else { "failed" };
        self.runs.add([run.kind.as_str(), outcome], 1);
        match run.showed {
            ChannelShowed::Nothing => {}
            ChannelShowed::Told => self.verdicts.add(["told"], 1),
            ChannelShowed::Missed => self.verdicts.add(["missed"], 1),
        }
        for received in &run.answered {
            self.processing.observe([], between(*received, run.ended_at));
        }
    }

    /// A message to somebody was tried. `channel` is the kind of channel.
    pub fn told(&self, channel: &'static str, tried: Tried) {
        self.deliveries.add([channel, tried.as_str()], 1);
    }

    /// So many workers there are.
    pub fn has_workers(&self, workers: usize) {
        self.workers.store(u64::try_from(workers).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A worker is at a step until this is dropped.
    pub fn busy(&self) -> Busy<'_> {
        self.workers_busy.fetch_add(1, Ordering::Relaxed);
        Busy(&self.workers_busy)
    }

    /// This instance has the watch.
    pub fn took_watch(&self) {
        self.watch_held.store(1, Ordering::Relaxed);
    }

    /// It has it no more.
    pub fn left_watch(&self) {
        self.watch_held.store(0, Ordering::Relaxed);
    }

    /// The fleet's figures were read from the database.
    pub fn read_fleet(&self) {
        self.fleet_readings.add([], 1);
    }

    /// The page, as it is now.
    pub fn page(&self, seen: &Seen, connections: &[Connections], now: Ts) -> String {
        let mut page = Page::default();
        page.gauge(&all::BUILD_INFO, [(vec![env!("CARGO_PKG_VERSION")], 1.0)]);
        self.requests.write(&mut page);
        self.request_seconds.write(&mut page);
        self.receipts.write(&mut page);
        self.receipt_seconds.write(&mut page);
        self.processing.write(&mut page);
        self.change_to_block.write(&mut page);
        self.runs.write(&mut page);
        self.blocks.write(&mut page);
        self.verdicts.write(&mut page);
        self.calls.write(&mut page);
        self.call_seconds.write(&mut page);
        self.held_back.write(&mut page);
        self.steps.write(&mut page);
        self.deliveries.write(&mut page);
        let gauges = [
            (&all::WORKERS, &self.workers),
            (&all::WORKERS_BUSY, &self.workers_busy),
            (&all::WATCH_HELD, &self.watch_held),
        ];
        for (metric, value) in gauges {
            page.gauge(metric, [(vec![], number(value.load(Ordering::Relaxed)))]);
        }
        self.fleet_readings.write(&mut page);
        let state = |pool: &Connections| {
            let Connections { pool, used, idle, .. } = *pool;
            [(vec![pool, "used"], f64::from(used)), (vec![pool, "idle"], f64::from(idle))]
        };
        page.gauge(&all::CONNECTIONS, connections.iter().flat_map(state));
        let most = connections.iter().map(|pool| (vec![pool.pool], f64::from(pool.most)));
        page.gauge(&all::CONNECTIONS_MAX, most);
        fleet::write(&mut page, seen, now);
        process::write(&mut page);
        page.into_text()
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl CallWatch for Metrics {
    fn called(&self, provider: ProviderKind, call: &CallOutcome) {
        let outcome = call.error.map_or("ok", ErrorClass::as_str);
        self.calls.add([provider.as_str(), call.operation, outcome], 1);
        self.call_seconds.observe([provider.as_str(), call.operation], call.latency);
    }

    fn held_back(&self, provider: ProviderKind, waited: Duration, held: HeldBack) {
        self.held_back.observe([provider.as_str(), held_back(held)], waited);
    }
}

/// A worker at a step.
#[derive(Debug)]
pub struct Busy<'a>(&'a AtomicU64);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Clocks differ: what seems to have taken less than nothing took nothing.
fn between(from: Ts, to: Ts) -> Duration {
    Duration::try_from(to.since(from)).unwrap_or(Duration::ZERO)
}

const fn held_back(held: HeldBack) -> &'static str {
    match held {
        HeldBack::Waited => "waited",
        HeldBack::SentBack => "sent_back",
    }
}

/// What was written at a provider; nothing, where only our books changed.
const fn written(kind: ActionKind) -> Option<&'static str> {
    match kind {
        ActionKind::Create => Some("created"),
        ActionKind::Update => Some("updated"),
        ActionKind::Delete => Some("deleted"),
        ActionKind::Adopt | ActionKind::Forget | ActionKind::Yield => None,
    }
}

#[cfg(test)]
mod tests;
