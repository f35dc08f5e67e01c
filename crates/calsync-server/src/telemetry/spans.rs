//! From the spans of the engine to traces: which trace a piece of work belongs to, and what of it is told. Pure but for the
//! ids that are drawn from a seed.
//!
//! The trace is the notification: its UUID is the trace's id, and the id of its receipt's span follows from it. So whoever
//! works on it later, in whichever process, adds to the same trace, and nothing need be stored for it. What serves several
//! belongs to the first, and is linked to the others, each of which leads there by a span of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::otlp::{Kind, Link, Span, SpanId, TraceId, Value};

/// Spans of one piece of work. A first fill of thousands of blocks has more; the rest is counted.
pub(super) const SPANS_MAX: usize = 512;
/// Notifications that one piece of work is linked to.
const LINKS_MAX: usize = 32;
/// The span of a receipt.
const RECEIVE: &str = "receive";
/// What stands in the trace of a notification that was served together with others, and leads to where that was done.
const SERVED: &str = "served elsewhere";

/// Everything that may be told of a span. What is not named here stays here, whatever is written into spans one day.
pub(super) const TOLD: [&str; 16] = [
    "attempt",
    "call",
    "calendar",
    "class",
    "correlation",
    "events",
    "kind",
    "notification",
    "op",
    "outcome",
    "provider",
    "request_id",
    "run",
    "status",
    "step",
    "user",
];

/// A span that is over, before it is known to which trace it belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Ended {
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) name: &'static str,
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) attributes: Vec<(&'static str, Value)>,
}

/// All that happened under one outermost span.
#[derive(Default, Debug)]
pub(super) struct Work {
    notifications: Vec<Uuid>,
    /// A run, or a step without one.
    named: Option<Uuid>,
    spans: Vec<Ended>,
    dropped: u64,
}

impl Work {
    /// It has to do with this notification.
    pub(super) fn serves(&mut self, notification: Uuid) {
        if self.notifications.len() <= LINKS_MAX && !self.notifications.contains(&notification) {
            self.notifications.push(notification);
        }
    }

    /// What it is called where there is no notification.
    pub(super) fn is_named(&mut self, name: Uuid) {
        self.named.get_or_insert(name);
    }

    /// One of its spans is over.
    pub(super) fn add(&mut self, span: Ended) {
        if self.spans.len() < SPANS_MAX || span.parent.is_none() {
            self.spans.push(span);
        } else {
            self.dropped += 1;
        }
    }

    /// Its spans, and how many more there were. Nothing comes of work that found nothing to do, or that is not sampled.
    pub(super) fn finish(self, sample: Sample, ids: &Ids) -> (Vec<Span>, u64) {
        let Some(of) = self.notifications.first().copied().or(self.named) else { return (Vec::new(), 0) };
        let trace = *of.as_bytes();
        if !sample.takes(&trace) {
            return (Vec::new(), 0);
        }
        let is_receipt = self.spans.iter().any(|span| span.parent.is_none() && span.name == RECEIVE);
        let receipt = self.notifications.first().map(|id| receipt_of(*id));
        let Some(outermost) = self.spans.iter().find(|span| span.parent.is_none()).cloned() else {
            return (Vec::new(), self.dropped);
        };
        // The receipt's own span is the one that all others can name.
        let id_of = |id: SpanId| if is_receipt && id == outermost.id { receipt.unwrap_or(id) } else { id };
        let others = self.notifications.iter().skip(1).filter(|id| sample.takes(id.as_bytes()));
        let links: Vec<Link> =
            others.clone().map(|id| Link { trace: *id.as_bytes(), span: receipt_of(*id) }).collect();
        let home = Link { trace, span: id_of(outermost.id) };
        let served = others.map(|id| Span {
            trace: *id.as_bytes(),
            id: ids.next(),
            parent: Some(receipt_of(*id)),
            name: SERVED,
            kind: Kind::Internal,
            began: outermost.began,
            ended: outermost.ended,
            attributes: Vec::new(),
            links: vec![home],
            failed: false,
        });
        let served: Vec<Span> = served.collect();
        let told = self.spans.into_iter().map(|span| {
            let parent = match span.parent {
                Some(parent) => Some(id_of(parent)),
                None if is_receipt => None,
                None => receipt,
            };
            let links = if span.parent.is_none() { links.clone() } else { Vec::new() };
            let failed = span.attributes.iter().any(|(key, _)| *key == "class");
            let (id, kind) = (id_of(span.id), kind(span.name));
            let Ended { name, began, ended, attributes, .. } = span;
            Span { trace, id, parent, name, kind, began, ended, attributes, links, failed }
        });
        (told.chain(served).collect(), self.dropped)
    }
}

fn kind(name: &str) -> Kind {
    match name {
        RECEIVE => Kind::Server,
        "provider_call" => Kind::Client,
        _ => Kind::Internal,
    }
}

/// The span of a notification's receipt: the same for whoever asks.
pub(super) fn receipt_of(notification: Uuid) -> SpanId {
    let digest = Sha256::new().chain_update(b"receipt").chain_update(notification.as_bytes()).finalize();
    let mut id = SpanId::default();
    id.copy_from_slice(&digest[..8]);
    id
}

/// Which share of the traces is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sample {
    pub(super) percent: u8,
}

impl Sample {
    /// By the id's last seven bytes, which are random where the first tell the time: all instances agree (W3C Trace Context,
    /// level 2, "random trace id").
    pub(super) fn takes(self, trace: &TraceId) -> bool {
        let random = trace[9..].iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        u128::from(random) * 100 < u128::from(self.percent) << 56
    }
}

/// Draws ids of spans.
#[derive(Debug)]
pub(super) struct Ids(AtomicU64);

impl Ids {
    /// From a seed that no other process has.
    pub(super) fn from_seed(seed: u64) -> Ids {
        Ids(AtomicU64::new(seed))
    }

    /// The next one: splitmix64, whose steps never meet within one process.
    pub(super) fn next(&self) -> SpanId {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).max(1).to_be_bytes()
    }
}

#[cfg(test)]
mod tests;
