//! Counters and histograms in memory. Labels are words of the program's own text, so that nothing from outside can become one,
//! and there are never more of them than the catalogue says: beyond that, all count as `other`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::catalogue::{Kind, Metric};
use super::text::{Page, number};

/// What counts when there are too many.
const OTHER: &str = "other";

/// The same thing for each combination of labels.
struct Cells<const N: usize, T> {
    metric: &'static Metric,
    cells: RwLock<BTreeMap<[&'static str; N], Arc<T>>>,
}

impl<const N: usize, T> Cells<N, T> {
    fn new(metric: &'static Metric) -> Cells<N, T> {
        debug_assert_eq!(metric.labels.len(), N, "{}", metric.name);
        Cells { metric, cells: RwLock::default() }
    }

    fn get(&self, labels: [&'static str; N], make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(cell) = self.cells.read().unwrap_or_else(PoisonError::into_inner).get(&labels) {
            return cell.clone();
        }
        let mut cells = self.cells.write().unwrap_or_else(PoisonError::into_inner);
        // The last place is kept for all that have none.
        let full = N > 0 && cells.len() + 1 >= self.metric.most && !cells.contains_key(&labels);
        let labels = if full { [OTHER; N] } else { labels };
        cells.entry(labels).or_insert_with(|| Arc::new(make())).clone()
    }

    fn all(&self) -> Vec<([&'static str; N], Arc<T>)> {
        let cells = self.cells.read().unwrap_or_else(PoisonError::into_inner);
        cells.iter().map(|(labels, cell)| (*labels, cell.clone())).collect()
    }
}

/// Counters.
pub(super) struct Counters<const N: usize>(Cells<N, AtomicU64>);

impl<const N: usize> Counters<N> {
    /// None has counted anything.
    pub(super) fn new(metric: &'static Metric) -> Counters<N> {
        Counters(Cells::new(metric))
    }

    /// Shows this one from the beginning: a rate needs a first value.
    pub(super) fn show(&self, labels: [&'static str; N]) {
        self.add(labels, 0);
    }

    /// Counts.
    pub(super) fn add(&self, labels: [&'static str; N], by: u64) {
        self.0.get(labels, AtomicU64::default).fetch_add(by, Ordering::Relaxed);
    }

    /// What was counted.
    pub(super) fn write(&self, page: &mut Page) {
        page.head(self.0.metric);
        for (labels, count) in self.0.all() {
            page.value(self.0.metric, &labels, number(count.load(Ordering::Relaxed)));
        }
    }
}

/// Histograms of time.
pub(super) struct Histograms<const N: usize>(Cells<N, Timed>);

struct Timed {
    /// One for each bound, and one beyond.
    counts: Box<[AtomicU64]>,
    micros: AtomicU64,
}

impl<const N: usize> Histograms<N> {
    /// Nothing was seen.
    pub(super) fn new(metric: &'static Metric) -> Histograms<N> {
        Histograms(Cells::new(metric))
    }

    /// Shows this one from the beginning.
    pub(super) fn show(&self, labels: [&'static str; N]) {
        self.cell(labels);
    }

    /// Counts one that took so long.
    pub(super) fn observe(&self, labels: [&'static str; N], took: Duration) {
        let cell = self.cell(labels);
        let at = self.bounds().partition_point(|bound| *bound < took.as_secs_f64());
        cell.counts[at].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        cell.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn bounds(&self) -> &'static [f64] {
        match self.0.metric.kind {
            Kind::Histogram(bounds) => bounds,
            Kind::Counter | Kind::Gauge => &[],
        }
    }

    fn cell(&self, labels: [&'static str; N]) -> Arc<Timed> {
        self.0.get(labels, || Timed {
            counts: (0..=self.bounds().len()).map(|_| AtomicU64::new(0)).collect(),
            micros: AtomicU64::new(0),
        })
    }

    /// What was counted.
    pub(super) fn write(&self, page: &mut Page) {
        page.head(self.0.metric);
        for (labels, cell) in self.0.all() {
            let counts: Vec<u64> = cell.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
            let sum = Duration::from_micros(cell.micros.load(Ordering::Relaxed)).as_secs_f64();
            page.histogram(self.0.metric, &labels, &counts, sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{CALLS, RUNS, WAIT_OF_TESTS};
    use super::*;

    fn page(write: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::default();
        write(&mut page);
        page.into_text()
    }

    #[test]
    fn what_has_no_place_counts_as_other() {
        let counters = Counters::new(&CALLS);
        // A program has no more words than it was written with: these are made up, and leak.
        for n in 0..1_000 {
            counters.add(["google", Box::leak(format!("operation {n}").into_boxed_str()), "ok"], 1);
        }
        let text = page(|page| counters.write(page));
        assert_eq!(text.lines().count(), CALLS.most + 2, "{text}");
        let rest =
            format!("{{provider=\"other\",operation=\"other\",outcome=\"other\"}} {}", 1_001 - CALLS.most);
        assert!(text.contains(&rest), "{text}");
    }

    #[test]
    fn what_is_known_beforehand_always_has_a_place() {
        let counters = Counters::new(&RUNS);
        for kind in ["webhook", "polling", "full"] {
            counters.show([kind, "succeeded"]);
            counters.add([kind, "failed"], 2);
        }
        let text = page(|page| counters.write(page));
        assert!(!text.contains("other") && text.lines().count() == RUNS.most - 1 + 2, "{text}");
        assert!(text.contains("{kind=\"polling\",outcome=\"succeeded\"} 0\n"), "{text}");
    }

    #[test]
    fn a_time_falls_into_the_bucket_whose_bound_it_reaches() {
        let seen = Histograms::new(&WAIT_OF_TESTS);
        for millis in [0, 500, 501, 1_000, 60_000] {
            seen.observe([], Duration::from_millis(millis));
        }
        let text = page(|page| seen.write(page));
        let told: Vec<&str> = text.lines().skip(2).filter_map(|line| line.rsplit(' ').next()).collect();
        assert_eq!(told, ["2", "4", "5", "62.001", "5"], "{text}");
    }
}
