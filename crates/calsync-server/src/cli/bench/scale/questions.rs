//! What the service asks its database while it runs, each question timed and its answer compared with a count of every
//! row.

mod watch;

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use calsync_core::block::Identity;
use calsync_core::calendar::ProviderKind;
use calsync_core::ports::{Clock, IdGen, Store};
use calsync_core::subscription::{FAILING_FROM, SILENCE_LIMIT};
use calsync_store::SqlStore;
use calsync_store::scale::{self, Population, Question};
use jiff::SignedDuration;
use tower::ServiceExt as _;

use super::super::failed;
use super::report::Line;
use super::timing::{self, timed};
use crate::cli::exit::Failure;
use crate::config::{self, Sources};
use crate::http;
use crate::secrets::{Keyring, SealingKey};
use crate::service::Service;
use crate::system::{SystemClock, SystemRandom};

/// So many times as many subscriptions are looked up as other questions are asked.
const LOOKUPS_EACH: u32 = 40;
/// Longer than any list here.
const LIMIT: u32 = 10_000;
/// What the health document calls late, and how many make it critical.
const LATE: SignedDuration = SignedDuration::from_mins(5);
const LATE_CRITICAL: u64 = 20;
/// How long a claimed person is held.
const HELD: SignedDuration = SignedDuration::from_mins(1);
/// The document is short.
const DOCUMENT_MAX: usize = 64 * 1024;

/// Asks everything.
pub(super) async fn ask(store: &Arc<SqlStore>, p: &Population, times: u32) -> Result<Vec<Line>, Failure> {
    let mut lines = vec![lookups(store, p, times * LOOKUPS_EACH).await?];
    lists(store, times, &mut lines).await?;
    figures(store, times, &mut lines).await?;
    lines.push(claims(store, times).await?);
    lines.push(health(store, times).await?);
    watch::ask(store, &quiet(store)?.engine, p, times, &mut lines).await?;
    lines.push(metrics(store, times).await?);
    Ok(lines)
}

async fn lookups(store: &SqlStore, p: &Population, times: u32) -> Result<Line, Failure> {
    let (timing, found) = timed(times, async |_| {
        let number = SystemRandom.below(p.subscriptions);
        let channel = scale::channel(number);
        let found = store.find_subscription(scale::calendar(number), ProviderKind::Google, &channel).await?;
        Ok(found.is_some_and(|found| found.remote_id == channel))
    })
    .await?;
    Ok(Line::of("subscription by its channel", timing, vec![("found", u64::from(found), 1)]))
}

async fn lists(store: &SqlStore, times: u32, lines: &mut Vec<Line>) -> Result<(), Failure> {
    let now = SystemClock.now();
    let oracle = async |question| store.full_scan(question, now).await;
    let silence = now.minus(SILENCE_LIMIT);
    let mut add = |name, timing, told: usize, counted| {
        lines.push(Line::of(name, timing, vec![("rows", told as u64, counted)]));
    };
    let (timing, told) =
        timed(times, async |_| Ok(store.subscriptions_to_renew(now, LIMIT).await?.len())).await?;
    add("needing renewal", timing, told, oracle(Question::ToRenew).await?);
    let (timing, told) =
        timed(times, async |_| Ok(store.subscriptions_silent(silence, LIMIT).await?.len())).await?;
    add("silent", timing, told, oracle(Question::Silent).await?);
    let (timing, told) =
        timed(times, async |_| Ok(store.subscriptions_failing(FAILING_FROM, LIMIT).await?.len())).await?;
    add("failing", timing, told, oracle(Question::Failing).await?);
    let (timing, told) =
        timed(times, async |_| Ok(store.unwatched_calendars(now, LIMIT).await?.len())).await?;
    add("unwatched calendars", timing, told, oracle(Question::Unwatched).await?);
    let (timing, told) = timed(times, async |_| Ok(store.retries_due(now, LIMIT).await?.len())).await?;
    add("retries that are due", timing, told, oracle(Question::Retries).await?);
    Ok(())
}

async fn figures(store: &SqlStore, times: u32, lines: &mut Vec<Line>) -> Result<(), Failure> {
    let now = SystemClock.now();
    let oracle = async |question| store.full_scan(question, now).await;
    let late = now.minus(LATE);
    let (timing, told) = timed(times, async |_| Ok(store.backlog(late).await?)).await?;
    lines.push(Line::of("backlog", timing, vec![("rows", told, oracle(Question::Backlog(late)).await?)]));

    let day = now.minus(SignedDuration::from_hours(24));
    let (timing, told) = timed(times, async |_| Ok(store.notification_metrics(day).await?)).await?;
    let completed = oracle(Question::Completed(day)).await?;
    let mean = oracle(Question::Milliseconds(day)).await?.checked_div(completed).unwrap_or(0);
    let compared = vec![
        ("received", told.total, oracle(Question::Received(day)).await?),
        ("completed", told.completed, completed),
        ("failed", told.failed, oracle(Question::Failed(day)).await?),
        ("pending", told.pending, oracle(Question::Pending(day)).await?),
        ("average ms", told.average_ms, mean),
    ];
    lines.push(Line::of("notifications of 24 hours", timing, compared));

    let (timing, told) = timed(times, async |_| Ok(store.subscription_metrics(now).await?)).await?;
    let compared = vec![
        ("active", told.active, oracle(Question::Active).await?),
        ("healthy", told.healthy, oracle(Question::Healthy).await?),
        ("expiring", told.expiring, oracle(Question::Ending).await?),
        ("failing", told.failing, oracle(Question::Failing).await?),
    ];
    lines.push(Line::of("subscriptions in figures", timing, compared));

    let (timing, told) = timed(times, async |_| Ok(store.next_due().await?)).await?;
    let told = told.and_then(|at| u64::try_from(at.micros()).ok()).unwrap_or(0);
    lines.push(Line::of("next that is due", timing, vec![("at", told, oracle(Question::NextDue).await?)]));
    Ok(())
}

/// A person is claimed and given back, over and over.
async fn claims(store: &SqlStore, times: u32) -> Result<Line, Failure> {
    let (timing, claimed) = timed(times, async |_| {
        let now = SystemClock.now();
        let Some(claimed) = store.claim_due_user("bench", now, now.plus(HELD)).await? else { return Ok(0) };
        store.release(&claimed.lease, &[]).await?;
        Ok(1)
    })
    .await?;
    Ok(Line::of("somebody claimed and released", timing, vec![("claimed", claimed, 1)]))
}

/// The page for Prometheus, each time by a service that has not been scraped before.
async fn metrics(store: &Arc<SqlStore>, times: u32) -> Result<Line, Failure> {
    let (mut took, mut page) = (Vec::new(), String::new());
    for _ in 0..=times {
        let service = quiet(store)?;
        let began = Instant::now();
        page = service.metrics_page().await;
        took.push(timing::micros(began));
    }
    let told = |name: &str| page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    let overdue = told("calendar_sync_notifications_overdue ").unwrap_or(u64::MAX);
    let now = SystemClock.now();
    let late = store.full_scan(Question::Backlog(now.minus(LATE)), now).await?;
    let first = took.remove(0);
    Ok(Line::of("metrics page", timing::of(first, took), vec![("overdue", overdue, late)]))
}

/// A service that does nothing by itself, and has not asked for anything yet.
fn quiet(store: &Arc<SqlStore>) -> Result<Arc<Service>, Failure> {
    let ring = Keyring::new(SealingKey::generate(&SystemRandom), vec![]);
    let settings = config::load(&Sources::new(None, []))?.settings;
    Ok(Service::new(settings, store.clone(), Identity::new([1; 32]), ring, Arc::new(|_| ()))?)
}

/// The document as the web server makes it, each time by a service that has not asked before.
async fn health(store: &Arc<SqlStore>, times: u32) -> Result<Line, Failure> {
    let mut took = Vec::new();
    let mut critical = false;
    for _ in 0..=times {
        let service = quiet(store)?;
        let request = Request::get("/webhooks/health").body(Body::empty()).map_err(failed)?;
        let routes = http::routes(service);
        let began = Instant::now();
        let answer = routes.oneshot(request).await.map_err(failed)?;
        let document = to_bytes(answer.into_body(), DOCUMENT_MAX).await.map_err(failed)?;
        took.push(timing::micros(began));
        let document: serde_json::Value = serde_json::from_slice(&document).map_err(failed)?;
        critical = document["checks"]["processing"] == "critical";
    }
    let now = SystemClock.now();
    let late = store.full_scan(Question::Backlog(now.minus(LATE)), now).await?;
    let compared = vec![("critical", u64::from(critical), u64::from(late > LATE_CRITICAL))];
    let first = took.remove(0);
    Ok(Line::of("health document", timing::of(first, took), compared))
}
