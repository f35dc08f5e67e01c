//! How fresh rules are, and what was done by whom.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use calsync_core::freshness::Standing;
use calsync_core::ids::RuleId;
use calsync_core::ports::{AuditLine, RuleRow, RulesOf};
use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::caller::StaffCaller;
use crate::api::pages;
use crate::http::{ApiError, Params};
use crate::service::Service;
use crate::web::answer;

/// Delays are told of the changes within this time.
const DELAYS_OF: SignedDuration = SignedDuration::from_hours(24);

/// Which rules.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedRules {
    /// Those of which nothing is promised; otherwise the others, those behind for the longest time first.
    #[serde(default)]
    unpromised: bool,
    /// Rows of a page; 50, if nothing is said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the page begins: `next` of the page before.
    after: Option<String>,
}

/// How fresh a rule is.
#[derive(Serialize, ToSchema)]
#[schema(as = RuleFreshness)]
pub(super) struct Fresh {
    rule: RuleId,
    user: String,
    /// The name of the calendar whose events are read.
    source: String,
    /// The name of the calendar that blocks are written into.
    target: String,
    standing: Standing,
    /// Since when it stands so.
    since: Ts,
    /// When it was last known to be right.
    right_at: Option<Ts>,
    /// Until when it is trusted, or given time, without another look.
    promised_until: Option<Ts>,
    /// Its promise has passed.
    behind: bool,
    /// Changes of the last 24 hours.
    changes: u64,
    /// Half of them stood after this many milliseconds,
    p50_ms: Option<u64>,
    /// 95 % of them after this many,
    p95_ms: Option<u64>,
    /// and 99 % after this many.
    p99_ms: Option<u64>,
}

/// A page of rules.
#[derive(Serialize, ToSchema)]
#[schema(as = FreshnessPage)]
pub(super) struct FreshPage {
    rules: Vec<Fresh>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// How fresh each rule is
#[utoipa::path(get, path = "/api/v1/monitoring/freshness", tag = "monitoring", params(WantedRules),
    responses((status = 200, description = "A page of rules.", body = FreshPage)))]
pub(super) async fn freshness(
    State(service): State<Arc<Service>>,
    StaffCaller(_): StaffCaller,
    Params(wanted): Params<WantedRules>,
) -> Result<Json<FreshPage>, ApiError> {
    let now = service.clock.now();
    let of = if wanted.unpromised { RulesOf::Unpromised } else { RulesOf::Promised };
    let (after, limit) = (pages::after(wanted.after.as_deref())?, pages::rows(wanted.limit)?);
    let page =
        service.store.rule_page(of, now.minus(DELAYS_OF), after, limit).await.map_err(answer::store)?;
    let (rules, next) = pages::told(page, |row| fresh(row, now));
    Ok(Json(FreshPage { rules, next }))
}

fn fresh(row: RuleRow, now: Ts) -> Fresh {
    let RuleRow { freshness, source, target, user, delays } = row;
    let delays = delays.quantiles();
    Fresh {
        rule: freshness.rule,
        user,
        source,
        target,
        standing: freshness.standing,
        since: freshness.since,
        right_at: freshness.right_at,
        promised_until: freshness.promised_until,
        behind: freshness.is_behind(now),
        changes: delays.changes,
        p50_ms: delays.p50_ms,
        p95_ms: delays.p95_ms,
        p99_ms: delays.p99_ms,
    }
}

/// Which lines of the audit log.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedLines {
    /// Of this person, or `system` for what was done by itself.
    who: Option<String>,
    /// Rows of a page; 50, if nothing is said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the page begins: `next` of the page before.
    after: Option<String>,
}

/// A line of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditLine)]
pub(super) struct Line {
    at: Ts,
    who: String,
    what: String,
}

impl From<AuditLine> for Line {
    fn from(AuditLine { at, who, what }: AuditLine) -> Line {
        Line { at, who, what }
    }
}

/// A page of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub(super) struct LinePage {
    /// The newest first.
    lines: Vec<Line>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// What was done, and by whom
#[utoipa::path(get, path = "/api/v1/monitoring/audit", tag = "monitoring", params(WantedLines),
    responses((status = 200, description = "A page of the log.", body = LinePage)))]
pub(super) async fn audit(
    State(service): State<Arc<Service>>,
    StaffCaller(_): StaffCaller,
    Params(wanted): Params<WantedLines>,
) -> Result<Json<LinePage>, ApiError> {
    let (after, limit) = (pages::after(wanted.after.as_deref())?, pages::rows(wanted.limit)?);
    let page = service.store.audit_page(wanted.who.as_deref(), after, limit).await.map_err(answer::store)?;
    let (lines, next) = pages::told(page, Line::from);
    Ok(Json(LinePage { lines, next }))
}
