//! What the watch and the dashboard ask of the database, beside the same figures by plain counts of all rows.

use std::sync::Arc;
use std::time::Instant;

use calsync_core::alert::{Alert, AlertKind};
use calsync_core::health::{BACKLOG_AGE, DAY};
use calsync_core::ports::{Clock, Store};
use calsync_engine::Engine;
use calsync_store::SqlStore;
use calsync_store::scale::{Population, Question};
use jiff::SignedDuration;

use super::super::report::Line;
use super::super::timing::{self, timed};
use crate::cli::exit::Failure;
use crate::system::SystemClock;

/// Counting everything takes long: so often it is done.
const COUNTED: u32 = 2;
/// As the dashboard shows them.
const RECENT: u32 = 10;
const HOURS: SignedDuration = SignedDuration::from_hours(23);
/// As many calendars as the watch names.
const OVERDUE: u32 = 20;

/// Asks everything of this.
pub(super) async fn ask(
    store: &Arc<SqlStore>,
    engine: &Engine,
    p: &Population,
    times: u32,
    lines: &mut Vec<Line>,
) -> Result<(), Failure> {
    trouble(store, p).await?;
    let now = SystemClock.now();
    let oracle = async |question| store.full_scan(question, now).await;

    let (timing, census) = timed(times, async |_| Ok(store.census().await?)).await?;
    let told = census.iter().map(|one| one.count).sum();
    let counted = oracle(Question::Subscriptions).await?;
    lines.push(Line::of("subscriptions by status", timing, vec![("all", told, counted)]));

    let (timing, told) = timed(times, async |_| Ok(store.overdue(now, now, OVERDUE).await?.len())).await?;
    let counted = oracle(Question::Overdue(now)).await?.min(u64::from(OVERDUE));
    lines.push(Line::of("overdue calendars", timing, vec![("rows", told as u64, counted)]));

    let (timing, groups) = timed(times, async |_| Ok(store.alert_groups().await?)).await?;
    let told = groups.iter().map(|group| group.count).sum();
    lines.push(Line::of("open alerts by kind", timing, vec![("alerts", told, p.troubled)]));

    let since = now.minus(HOURS);
    let (timing, hours) =
        timed(times, async |_| Ok(store.notification_spans(since, SignedDuration::from_hours(1)).await?))
            .await?;
    let told = hours.iter().map(|hour| hour.metrics.total).sum();
    let whole = hours.iter().map(|hour| hour.from).min().unwrap_or(since);
    let counted = oracle(Question::Received(whole)).await?;
    lines.push(Line::of("notifications by the hour", timing, vec![("received", told, counted)]));

    let hour = now.minus(SignedDuration::from_hours(1));
    let (timing, told) = timed(times, async |_| Ok(store.recent(hour, RECENT).await?.len())).await?;
    let counted = oracle(Question::Received(hour)).await?.min(u64::from(RECENT));
    lines.push(Line::of("newest notifications", timing, vec![("rows", told as u64, counted)]));

    whole_document(store, engine, times, lines).await
}

/// Channels that people were told of.
async fn trouble(store: &SqlStore, p: &Population) -> Result<(), Failure> {
    let now = SystemClock.now();
    for number in 0..p.troubled {
        let words = format!("The push channel of calendar {number} has failed 5 times in a row.");
        let kind = AlertKind::SubscriptionFailing;
        store.open_alert(&Alert::seen(kind, number.to_string(), words, String::new(), now)).await?;
    }
    Ok(())
}

/// All figures that a look takes, and all of them counted.
async fn whole_document(
    store: &SqlStore,
    engine: &Engine,
    times: u32,
    lines: &mut Vec<Line>,
) -> Result<(), Failure> {
    let (timing, told) =
        timed(times, async |_| Ok(engine.health_figures(|_| None, Vec::new()).await?)).await?;
    let now = SystemClock.now();
    let (day, late) = (now.minus(DAY), now.minus(BACKLOG_AGE));
    let questions = [
        Question::Active,
        Question::Healthy,
        Question::Ending,
        Question::Failing,
        Question::Unwatched,
        Question::Subscriptions,
        Question::Received(day),
        Question::Completed(day),
        Question::Failed(day),
        Question::Pending(day),
        Question::Milliseconds(day),
        Question::Backlog(late),
        Question::Overdue(late),
    ];
    let (mut took, mut counted) = (Vec::new(), Vec::new());
    for _ in 0..=COUNTED {
        let began = Instant::now();
        counted.clear();
        for question in questions {
            counted.push(store.full_scan(question, now).await?);
        }
        took.push(timing::micros(began));
    }
    let compared = vec![
        ("active", told.subscriptions.active, counted[0]),
        ("healthy", told.subscriptions.healthy, counted[1]),
        ("failing", told.subscriptions.failing, counted[3]),
        ("unwatched", told.subscriptions.unwatched, counted[4]),
        ("waiting", told.waiting, counted[11]),
    ];
    lines.push(Line::of("all figures of a look", timing, compared));
    let first = took.remove(0);
    lines.push(Line::of("the same by counting rows", timing::of(first, took), Vec::new()));
    Ok(())
}
