//! What was aimed at, and whether this run reached it. Nobody fails by it: another machine is another machine.

use serde::Serialize;

use super::report::Line;

/// The numbers of connections that the targets speak of.
const TARGETED: std::ops::RangeInclusive<u16> = 64..=256;
/// PostgreSQL: to the best single-row rate of its own load generator, to a web server that stores nothing; milliseconds.
const TO_PGBENCH: f64 = 1.5;
const TO_CEILING: f64 = 0.4;
const P99_MS: f64 = 40.0;
/// SQLite: to rows committed one by one.
const TO_SINGLE: f64 = 5.0;

/// One target with one number of connections.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Verdict {
    pub(super) target: String,
    pub(super) connections: u16,
    pub(super) seen: f64,
    pub(super) reached: bool,
}

/// Of these lines. A target whose figure is missing has no verdict.
pub(super) fn of(lines: &[Line], on_server: Server) -> Vec<Verdict> {
    lines
        .iter()
        .filter(|line| TARGETED.contains(&line.connections))
        .flat_map(|line| judge(line, on_server))
        .collect()
}

/// Whether the database is a server's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Server {
    Yes,
    No,
}

fn judge(line: &Line, on_server: Server) -> Vec<Verdict> {
    let verdict = |target: String, seen: f64, reached: bool| Verdict {
        target,
        connections: line.connections,
        seen,
        reached,
    };
    let at_least = |what: &str, least: f64, seen: f64| {
        verdict(format!("at least {least} × {what}"), seen, seen >= least)
    };
    if on_server == Server::No {
        return vec![at_least("rows committed one by one", TO_SINGLE, line.to_single_row_commits)];
    }
    let best = line.to_pgbench_best.map(|seen| at_least("the best of pgbench", TO_PGBENCH, seen));
    let rest = [
        at_least("the bare web server", TO_CEILING, line.to_ceiling),
        verdict(format!("p99 below {P99_MS} ms"), line.p99_ms, line.p99_ms < P99_MS),
    ];
    best.into_iter().chain(rest).collect()
}
