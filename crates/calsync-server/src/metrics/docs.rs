//! docs/metrics.md, generated from the catalogue. A test holds the file to this text.

use std::fmt::Write;

use super::catalogue::{ALL, Kind, Metric, Scope};

const HEAD: &str = "\
# Metrics

<!-- Generated from crates/calsync-server/src/metrics/catalogue.rs, with the words of docs.rs beside it. -->

Every instance, whatever its roles, answers `GET /metrics` in Prometheus' text format. It wants `monitoring.token` as a bearer
token and has no way round it: Prometheus can send one (`authorization` in its scrape configuration), and an address that is
open to this machine is open to whatever a proxy on this machine hands on. Plain http is taken even where `server.require_https` is
set, as for the probes, because each instance has to be asked by itself and not through the proxy: keep that way inside a
network that you trust.

`deploy/prometheus/` has a scrape configuration and alert rules, `deploy/grafana/calendar-sync.json` a dashboard.

- **Of this instance** are figures that each instance counts for itself in memory, from 0 at its start: `sum` them.
- **Of the fleet** are figures that every instance reads from the database and tells alike: take the `max`. They are read once
  for all who ask within five seconds. While the database is away they are absent; everything else is still answered.
- No label ever holds an id, an address, a path or a name of a person or calendar. The last column says how many series a
  metric can have at most; what would go beyond is counted under `other`.
";

/// The whole document.
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for (scope, title) in [(Scope::Instance, "Of this instance"), (Scope::Fleet, "Of the fleet")] {
        let _ = write!(
            text,
            "\n## {title}\n\n| metric | type | labels | meaning | series |\n|---|---|---|---|---|\n"
        );
        for metric in ALL.iter().filter(|metric| metric.scope == scope) {
            let Metric { name, kind, labels, help, .. } = metric;
            let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
            let _ =
                writeln!(text, "| `{name}` | {} | {labels} | {help} | {} |", kind.name(), metric.series());
        }
    }
    text.push_str("\n## Buckets\n\nUpper bounds, in seconds:\n\n");
    for metric in ALL {
        if let Kind::Histogram(bounds) = metric.kind {
            let bounds = bounds.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "- `{}`: {bounds}", metric.name);
        }
    }
    let all: usize = ALL.iter().map(|metric| metric.series()).sum();
    let _ = write!(text, "\nAll together, an instance has at most {all} series.\n");
    text
}
