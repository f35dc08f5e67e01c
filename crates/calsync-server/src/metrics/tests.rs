//! What the page tells of what happened.

use std::path::Path;

use calsync_core::alert::{AlertLevel, Group};
use calsync_core::health::{Answer, Figures, Level, assess};
use calsync_core::ids::{CalendarId, RunId, UserId};
use calsync_core::run::RunCounts;
use jiff::SignedDuration;
use uuid::Uuid;

use super::*;

fn figures() -> Figures {
    Figures {
        database: Answer::Silent { why: "it is away".to_owned() },
        stored: None,
        cache: None,
        disk: None,
        memory: None,
        clock_jumped: None,
    }
}

fn page(metrics: &Metrics, fleet: Option<Fleet>, now: i64) -> String {
    let report = assess(&figures());
    metrics.page(&Seen { figures: figures(), report, fleet }, &[], Ts::from_secs(now))
}

#[track_caller]
fn shows(page: &str, line: &str) {
    assert!(page.lines().any(|one| one == line), "no {line} in {page}");
}

#[test]
fn without_a_database_it_tells_what_it_has() {
    let metrics = Metrics::new();
    metrics.receipt(ProviderKind::Google, Outcome::Failed, Duration::from_millis(3));
    let page = page(&metrics, None, 0);
    shows(&page, "calendar_sync_database_up 0");
    shows(&page, "calendar_sync_health_level 2");
    shows(&page, "calendar_sync_receipts_total{provider=\"google\",outcome=\"failed\"} 1");
    shows(&page, "calendar_sync_receipt_duration_seconds_count{provider=\"google\"} 0");
    for absent in ["notifications_pending", "subscriptions", "alerts_open", "level_in_force", "cache_up"] {
        assert!(!page.contains(&format!("calendar_sync_{absent}")), "{absent}");
    }
}

#[test]
fn a_run_is_told_with_its_delays() {
    let metrics = Metrics::new();
    let run = |error: Option<&str>, showed, answered| CalendarReport {
        run: RunId(Uuid::from_u128(3)),
        calendar: CalendarId(Uuid::from_u128(1)),
        kind: RunKind::Webhook,
        trigger: "notification",
        counts: RunCounts::default(),
        error: error.map(str::to_owned),
        took: SignedDuration::from_secs(1),
        answered,
        showed,
        ended_at: Ts::from_secs(100),
        notifications: vec![],
    };
    let at = Ts::from_secs;
    let report = StepReport {
        user: UserId(Uuid::from_u128(2)),
        read: vec![
            // A clock that is behind gives no negative time.
            run(None, ChannelShowed::Told, vec![at(98), at(101)]),
            run(Some("it broke"), ChannelShowed::Missed, vec![]),
        ],
        blocks: vec![],
        delays: vec![SignedDuration::from_secs(3), SignedDuration::from_secs(-1)],
        failed_writes: vec![],
        held: vec![],
        waiting: 0,
        errors: vec![],
    };
    metrics.step(&report);
    let page = page(&metrics, None, 0);
    shows(&page, "calendar_sync_sync_runs_total{kind=\"webhook\",outcome=\"failed\"} 1");
    shows(&page, "calendar_sync_channel_verdicts_total{outcome=\"told\"} 1");
    shows(&page, "calendar_sync_channel_verdicts_total{outcome=\"missed\"} 1");
    shows(&page, "calendar_sync_notification_processing_seconds_sum 2");
    shows(&page, "calendar_sync_notification_processing_seconds_count 2");
    shows(&page, "calendar_sync_change_to_block_seconds_sum 3");
    shows(&page, "calendar_sync_change_to_block_seconds_count 2");
    shows(&page, "calendar_sync_steps_total{outcome=\"done\"} 1");
}

#[test]
fn alerts_are_told_by_kind_and_level_and_never_by_what_they_are_about() {
    let group = |kind: &str, level, count| Group {
        kind: kind.to_owned(),
        count,
        level,
        first_seen: Ts::from_secs(0),
        subject: "ada@example.com".to_owned(),
        message: "something about ada@example.com".to_owned(),
        action: String::new(),
    };
    let fleet = Fleet {
        in_force: Level::Degraded,
        alerts: vec![
            group("database_down", AlertLevel::Critical, 1),
            group("disk_low", AlertLevel::Critical, 2),
            group("of a later version", AlertLevel::Critical, 3),
        ],
        oldest: Some(Ts::from_secs(40)),
    };
    let page = page(&Metrics::new(), Some(fleet), 100);
    shows(&page, "calendar_sync_alerts_open{kind=\"database_down\",level=\"critical\"} 1");
    shows(&page, "calendar_sync_alerts_open{kind=\"disk_low\",level=\"critical\"} 2");
    shows(&page, "calendar_sync_alerts_open{kind=\"disk_low\",level=\"error\"} 0");
    shows(&page, "calendar_sync_notifications_oldest_pending_seconds 60");
    shows(&page, "calendar_sync_health_level_in_force 1");
    assert!(!page.contains("ada@example.com") && !page.contains("later version"), "{page}");
}

#[test]
fn calls_and_waits_are_told_by_provider_and_operation() {
    let metrics = Metrics::new();
    let call = |error| CallOutcome {
        operation: "events.list",
        at: Ts::from_secs(1),
        latency: Duration::from_millis(40),
        error,
        units: 1,
    };
    metrics.called(ProviderKind::Google, &call(None));
    metrics.called(ProviderKind::Google, &call(Some(ErrorClass::RateLimited)));
    metrics.held_back(ProviderKind::Google, Duration::from_millis(300), HeldBack::Waited);
    let page = page(&metrics, None, 0);
    let of = "provider=\"google\",operation=\"events.list\"";
    shows(&page, &format!("calendar_sync_provider_calls_total{{{of},outcome=\"ok\"}} 1"));
    shows(&page, &format!("calendar_sync_provider_calls_total{{{of},outcome=\"rate_limited\"}} 1"));
    shows(&page, &format!("calendar_sync_provider_call_duration_seconds_bucket{{{of},le=\"0.05\"}} 2"));
    shows(&page, "calendar_sync_rate_limit_wait_seconds_sum{provider=\"google\",outcome=\"waited\"} 0.3");
}

#[test]
fn the_document_is_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let (wanted, found) = (docs::markdown(), std::fs::read_to_string(&path).unwrap_or_default());
    if wanted != found {
        let new = std::env::temp_dir().join("calendar-sync-metrics.md");
        std::fs::write(&new, &wanted).unwrap();
        panic!("docs/metrics.md is not what the catalogue says: take over {}", new.display());
    }
}
