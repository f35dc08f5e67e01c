//! The page that Prometheus reads: its text format, version 0.0.4. Knows no metric, and writes no label that it was not given.

use std::fmt::Write;

use super::catalogue::{Kind, Metric};

/// What the page is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page that grows.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// The page so far.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Names a metric, before its values.
    pub(super) fn head(&mut self, metric: &Metric) {
        let _ = writeln!(self.text, "# HELP {} {}", metric.name, escaped(metric.help, Quotes::Stay));
        let _ = writeln!(self.text, "# TYPE {} {}", metric.name, metric.kind.name());
    }

    /// One value, by the values of its labels in the order of the catalogue.
    pub(super) fn value(&mut self, metric: &Metric, labels: &[&str], value: f64) {
        self.sample(metric, "", labels, None, value);
    }

    /// A metric that has one value now, or one for each of these labels.
    pub(super) fn gauge<'a>(
        &mut self,
        metric: &Metric,
        values: impl IntoIterator<Item = (Vec<&'a str>, f64)>,
    ) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_some() {
            self.head(metric);
        }
        for (labels, value) in values {
            self.value(metric, &labels, value);
        }
    }

    /// A histogram: how many fell into each of its buckets, and what all of them come to.
    pub(super) fn histogram(&mut self, metric: &Metric, labels: &[&str], counts: &[u64], sum: f64) {
        let Kind::Histogram(bounds) = metric.kind else { return };
        let mut all = 0;
        for (at, count) in counts.iter().enumerate() {
            all += count;
            let bound = bounds.get(at).map_or_else(|| "+Inf".to_owned(), f64::to_string);
            self.sample(metric, "_bucket", labels, Some(&bound), number(all));
        }
        self.sample(metric, "_sum", labels, None, sum);
        self.sample(metric, "_count", labels, None, number(all));
    }

    fn sample(&mut self, metric: &Metric, suffix: &str, labels: &[&str], le: Option<&str>, value: f64) {
        let _ = write!(self.text, "{}{suffix}", metric.name);
        let named = metric.labels.iter().copied().zip(labels.iter().copied()).chain(le.map(|le| ("le", le)));
        let mut before = '{';
        for (name, value) in named {
            let _ = write!(self.text, "{before}{name}=\"{}\"", escaped(value, Quotes::Escaped));
            before = ',';
        }
        let _ = writeln!(self.text, "{} {value}", if before == ',' { "}" } else { "" });
    }
}

/// A count as a value. Beyond 2^53 it is not exact, and nobody counts that far.
#[allow(clippy::cast_precision_loss, reason = "that is what the format has")]
pub(super) const fn number(count: u64) -> f64 {
    count as f64
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Stay,
    Escaped,
}

fn escaped(text: &str, quotes: Quotes) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quotes == Quotes::Escaped { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Scope;
    use super::*;

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let counter = Metric {
            name: "made_up_total",
            kind: Kind::Counter,
            scope: Scope::Instance,
            labels: &["one", "other"],
            most: 1,
            help: "Says \"so\"\nand \\.",
        };
        let histogram =
            Metric { name: "took_seconds", kind: Kind::Histogram(&[0.5, 1.0]), labels: &[], ..counter };
        let mut page = Page::default();
        page.head(&counter);
        page.value(&counter, &["a", "b\"\n\\"], 3.0);
        page.head(&histogram);
        page.histogram(&histogram, &[], &[1, 0, 2], 7.25);
        page.gauge(&counter, []);
        let expected = "# HELP made_up_total Says \"so\"\\nand \\\\.\n# TYPE made_up_total counter\n\
                        made_up_total{one=\"a\",other=\"b\\\"\\n\\\\\"} 3\n\
                        # HELP took_seconds Says \"so\"\\nand \\\\.\n# TYPE took_seconds histogram\n\
                        took_seconds_bucket{le=\"0.5\"} 1\ntook_seconds_bucket{le=\"1\"} 1\n\
                        took_seconds_bucket{le=\"+Inf\"} 3\ntook_seconds_sum 7.25\ntook_seconds_count 3\n";
        assert_eq!(page.into_text(), expected);
    }
}
