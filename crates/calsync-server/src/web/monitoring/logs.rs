//! `/monitoring/freshness` and `/monitoring/responses`: how fresh rules are, and what was done and by whom.

use std::sync::Arc;

use axum::extract::State;
use calsync_core::freshness::{DAY, Standing};
use calsync_core::ports::{AuditLine, RuleRow, RulesOf};
use calsync_engine::BY_ITSELF;
use calsync_pages::Place;
use calsync_pages::monitoring::{Choice, Freshness, LogLine, Responses, RuleLine};
use calsync_pages::words::{Times, count, milliseconds, thousands};
use serde::Deserialize;

use super::super::answer::{self, Answer};
use super::super::session::Staff;
use super::super::times;
use super::{address, words};
use crate::http::Params;
use crate::monitoring;
use crate::service::Service;

/// Rules of a page.
const RULES: u32 = 50;
/// Lines of a page.
const LINES: u32 = 100;
/// Which rules can be shown.
const STANDINGS: [(&str, &str); 2] =
    [("", "Those behind first"), ("still", "Those of which nothing is promised")];
/// Whose deeds can be shown.
const WHO: [(&str, &str); 2] = [("", "By itself"), ("all", "By itself and by people")];

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    show: String,
    after: Option<String>,
}

/// `GET /monitoring/freshness`.
pub(super) async fn freshness(
    State(service): State<Arc<Service>>,
    Staff(signed): Staff,
    Params(wanted): Params<Wanted>,
) -> Answer {
    let now = service.clock.now();
    let (show, of) = match wanted.show.as_str() {
        "still" => ("still", RulesOf::Unpromised),
        _ => ("", RulesOf::Promised),
    };
    let after = address::bookmark(wanted.after.as_deref());
    let (page, all) = tokio::try_join!(
        service.store.rule_page(of, now.minus(DAY), after, RULES),
        monitoring::freshness(&service)
    )
    .map_err(answer::store)?;
    let times = times::of(&service, &signed).await;
    let delay = |ms: Option<u64>| ms.map_or_else(|| "–".to_owned(), milliseconds);
    answer::page(&Freshness {
        frame: signed.frame(Place::Monitoring),
        behind: match all.rules_behind {
            0 => "No rule is behind its promise.".to_owned(),
            1 => "One rule is behind its promise.".to_owned(),
            behind => format!("{} are behind their promise.", count(behind, "rule")),
        },
        some_behind: all.rules_behind > 0,
        overall: vec![
            ("Changes, 24 h", thousands(all.delays.changes)),
            ("p50", delay(all.delays.p50_ms)),
            ("p95", delay(all.delays.p95_ms)),
            ("p99", delay(all.delays.p99_ms)),
        ],
        shows: Choice::among(&STANDINGS, show),
        pager: address::pager("/monitoring/freshness", &[("show", show)], after, &page),
        rows: page.rows.into_iter().map(|row| rule(row, &times)).collect(),
    })
}

fn rule(row: RuleRow, times: &Times) -> RuleLine {
    let RuleRow { freshness, source, target, user, delays } = row;
    let behind = freshness.is_behind(times.now);
    let delays = delays.quantiles();
    let delay = |ms: Option<u64>| ms.map_or_else(|| "–".to_owned(), milliseconds);
    RuleLine {
        user,
        source,
        target,
        pill: words::rule(freshness.standing, behind),
        cause: if behind || freshness.standing != Standing::Right {
            freshness.standing.cause().to_owned()
        } else {
            String::new()
        },
        right: times.when_or(freshness.right_at, "never"),
        promised: times.when_or(freshness.promised_until, "nothing is promised"),
        changes: thousands(delays.changes),
        delays: [delay(delays.p50_ms), delay(delays.p95_ms), delay(delays.p99_ms)],
    }
}

/// `GET /monitoring/responses`.
pub(super) async fn responses(
    State(service): State<Arc<Service>>,
    Staff(signed): Staff,
    Params(wanted): Params<Wanted>,
) -> Answer {
    let (show, who) = if wanted.show == "all" { ("all", None) } else { ("", Some(BY_ITSELF)) };
    let after = address::bookmark(wanted.after.as_deref());
    let page = service.store.audit_page(who, after, LINES).await.map_err(answer::store)?;
    let times = times::of(&service, &signed).await;
    let line = |AuditLine { at, who, what }: AuditLine| LogLine { at: times.when(at), who, what };
    answer::page(&Responses {
        frame: signed.frame(Place::Monitoring),
        shows: Choice::among(&WHO, show),
        pager: address::pager("/monitoring/responses", &[("show", show)], after, &page),
        rows: page.rows.into_iter().map(line).collect(),
    })
}
