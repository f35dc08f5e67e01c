//! How well it is, for whoever may ask: `/webhooks/health/` for the public (levels only: no names, and no counts that tell an
//! outsider about users), `/livez` and `/readyz` for orchestrators.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use calsync_core::health::{Level, Report, assess};
use serde::Serialize;

use crate::service::Service;

/// What an outsider may know.
#[derive(PartialEq, Eq, Debug, Serialize)]
struct Public {
    status: Level,
    checks: BTreeMap<&'static str, Level>,
}

/// `GET /webhooks/health/`: 503 when it is critical.
pub(super) async fn health(State(service): State<Arc<Service>>) -> Response {
    let report = assess(&service.figures().await);
    let code = if report.level == Level::Critical { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(public(&report))).into_response()
}

/// `GET /livez`: this process answers. Whoever restarts what does not must not restart it because a database is away.
pub(super) async fn live() -> Json<serde_json::Value> {
    Json(serde_json::json!({"status": "alive"}))
}

/// `GET /readyz`: requests may be sent here. Not while the database is away: nothing could be accepted.
pub(super) async fn ready(State(service): State<Arc<Service>>) -> Response {
    let ready = service.figures().await.database.is_there();
    let (code, status) =
        if ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    (code, Json(serde_json::json!({"status": status}))).into_response()
}

fn public(report: &Report) -> Public {
    let checks = report.findings.iter().map(|finding| (finding.check, finding.level)).collect();
    Public { status: report.level, checks }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::health::{Answer, Figures};

    #[test]
    fn outsiders_are_told_levels_and_nothing_else() {
        let figures = Figures {
            database: Answer::Silent { why: "secret host".to_owned() },
            cache: Some(Answer::Answers { ms: 4_711 }),
            disk: None,
            memory: None,
            clock_jumped: None,
            stored: None,
        };
        let told = serde_json::to_value(public(&assess(&figures))).unwrap();
        let expected = serde_json::json!({
            "status": "critical", "checks": {"database": "critical", "cache": "healthy"},
        });
        assert_eq!(told, expected);
    }
}
