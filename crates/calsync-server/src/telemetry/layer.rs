//! Takes the spans of our own crates as they come and go, and hands the work that is done on to whoever sends it. It waits for
//! nobody: what does not fit into the bounded queue is counted. It knows no provider and no calendar; of the fields of a
//! span it keeps those that are on a list.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use calsync_core::ports::Clock;
use tokio::sync::Notify;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

use super::otlp::{Span, Value};
use super::spans::{Ended, Ids, Sample, TOLD, Work};

/// Spans that wait to be sent, some 600 bytes each.
pub(super) const QUEUE: usize = 4_096;
/// From so many on they are sent at once.
pub(super) const BATCH: usize = 512;

/// Spans on their way out.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<VecDeque<Span>>,
    /// Spans that nobody will see.
    lost: AtomicU64,
    /// A batch is there.
    pub(super) ready: Notify,
}

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Span>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of a piece of work or nothing of it.
    pub(super) fn put(&self, spans: Vec<Span>) {
        let mut waiting = self.waiting();
        if waiting.len() + spans.len() > QUEUE {
            self.lose(spans.len() as u64);
            return;
        }
        waiting.extend(spans);
        if waiting.len() >= BATCH {
            self.ready.notify_one();
        }
    }

    /// The oldest.
    pub(super) fn take(&self) -> Vec<Span> {
        let mut waiting = self.waiting();
        let count = waiting.len().min(BATCH);
        waiting.drain(..count).collect()
    }

    pub(super) fn lose(&self, spans: u64) {
        self.lost.fetch_add(spans, Ordering::Relaxed);
    }

    /// How many were lost since this was last asked.
    pub(super) fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

/// The layer.
pub(super) struct TraceLayer {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Ids,
    pub(super) sample: Sample,
    pub(super) outbox: Arc<Outbox>,
}

/// What is looked at: spans, and those of our own crates alone.
pub(super) fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("calsync_")
}

/// A span that is not over.
struct Open {
    ended: Ended,
    since: Instant,
    work: Arc<Mutex<Work>>,
}

impl Open {
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TraceLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let above = span.parent().and_then(|parent| {
            let extensions = parent.extensions();
            extensions.get::<Open>().map(|open| (open.ended.id, open.work.clone()))
        });
        let (parent, work) = above.unzip();
        let began = u64::try_from(self.clock.now().micros()).unwrap_or(0).saturating_mul(1_000);
        let name = attributes.metadata().name();
        let ended = Ended { id: self.ids.next(), parent, name, began, ended: began, attributes: Vec::new() };
        let mut open = Open { ended, since: Instant::now(), work: work.unwrap_or_default() };
        attributes.record(&mut Reader(&mut open));
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            values.record(&mut Reader(open));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        let Open { mut ended, since, work } = open;
        ended.ended = ended.began + u64::try_from(since.elapsed().as_nanos()).unwrap_or(0);
        let is_outermost = ended.parent.is_none();
        let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
        work.add(ended);
        if is_outermost {
            let (spans, dropped) = std::mem::take(&mut *work).finish(self.sample, &self.ids);
            drop(work);
            self.outbox.lose(dropped);
            if !spans.is_empty() {
                self.outbox.put(spans);
            }
        }
    }
}

/// Reads the fields of a span.
struct Reader<'a>(&'a mut Open);

impl Reader<'_> {
    fn keep(&mut self, field: &Field, value: Value) {
        let attributes = &mut self.0.ended.attributes;
        let known = attributes.iter().any(|(key, _)| *key == field.name());
        if TOLD.contains(&field.name()) && !known {
            attributes.push((field.name(), value));
        }
    }
}

impl Visit for Reader<'_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, Value::Number(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, Value::Number(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, Value::Text(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        match (field.name(), text.parse::<Uuid>()) {
            ("notification", Ok(id)) => self.0.work().serves(id),
            ("run" | "step", Ok(id)) => self.0.work().is_named(id),
            _ => {}
        }
        self.keep(field, Value::Text(text));
    }
}

#[cfg(test)]
mod tests {
    use super::super::otlp::{Kind, SpanId};
    use super::*;

    fn span(n: u8) -> Span {
        let (name, kind) = ("x", Kind::Internal);
        let (attributes, links) = (Vec::new(), Vec::new());
        let (trace, id) = ([n; 16], SpanId::default());
        Span { trace, id, parent: None, name, kind, began: 0, ended: 0, attributes, links, failed: false }
    }

    #[test]
    fn the_queue_is_bounded_and_counts_what_it_does_not_take() {
        let outbox = Outbox::default();
        for _ in 0..QUEUE / 2 + 7 {
            outbox.put(vec![span(1), span(2)]);
        }
        assert_eq!((outbox.take_lost(), outbox.take_lost()), (14, 0));
        assert_eq!(outbox.take().len(), BATCH);
        outbox.put(vec![span(1)]);
        assert_eq!(outbox.take_lost(), 0, "there is room again");
    }
}
