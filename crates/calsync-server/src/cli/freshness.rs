//! `status --rules`: every rule with when it was last known to be right, how long changes take, what is promised, and how it
//! stands. Decides nothing.

use std::sync::Arc;

use calsync_core::freshness::Standing;
use calsync_core::time::Ts;
use calsync_engine::RuleFreshness;
use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::lookup;
use crate::service::Service;

/// `status`
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Every rule: when it was last known to be right, how long changes take, and what keeps it from being right
    #[arg(long)]
    pub rules: bool,
    /// Only this user's, by address or id
    #[arg(long, requires = "rules", value_name = "USER")]
    pub user: Option<String>,
}

#[derive(Serialize)]
struct Row {
    user: String,
    source_name: String,
    target_name: String,
    #[serde(flatten)]
    rule: RuleFreshness,
}

/// Runs it.
pub async fn rules(args: &StatusArgs, context: &Context, service: &Arc<Service>) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    for state in lookup::states(&*context.store, args.user.as_deref()).await? {
        let names = state.names();
        let rules = service.engine.rule_freshness(state.user.id).await?;
        rows.extend(rules.into_iter().map(|rule| Row {
            user: state.user.email.clone(),
            source_name: names.get(rule.freshness.source).to_owned(),
            target_name: names.get(rule.freshness.target).to_owned(),
            rule,
        }));
    }
    let head =
        ["USER", "SOURCE", "TARGET", "STATE", "LAST RIGHT", "PROMISED UNTIL", "CHANGES", "P50", "P95", "P99"];
    context.out.rows(&head, &rows, text, "no rule is in force, or nobody has looked yet");
    Ok(Exit::Ok)
}

fn text(row: &Row) -> Vec<String> {
    let RuleFreshness { freshness, behind, delays } = &row.rule;
    let state = match (behind, freshness.standing) {
        (true, Standing::Right) => "behind".to_owned(),
        (true, standing) => format!("behind: {}", standing.as_str()),
        (false, standing) => standing.as_str().to_owned(),
    };
    let time = |at: Option<Ts>, none: &str| at.map_or_else(|| none.to_owned(), |at| at.to_string());
    vec![
        row.user.clone(),
        row.source_name.clone(),
        row.target_name.clone(),
        state,
        time(freshness.right_at, "never"),
        time(freshness.promised_until, "-"),
        delays.changes.to_string(),
        seconds(delays.p50_ms),
        seconds(delays.p95_ms),
        seconds(delays.p99_ms),
    ]
}

/// Of the last day; nothing where nothing changed.
fn seconds(ms: Option<u64>) -> String {
    ms.map_or_else(|| "-".to_owned(), |ms| format!("{}.{} s", ms / 1_000, ms % 1_000 / 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_told_to_a_tenth() {
        assert_eq!(
            [None, Some(0), Some(1_299), Some(61_000)].map(seconds),
            ["-", "0.0 s", "1.2 s", "61.0 s"]
        );
    }
}
