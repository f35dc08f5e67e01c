//! Runs in SQL: what a run serves, and what becomes of it.

use std::collections::BTreeSet;

use calsync_core::ids::{CalendarId, NotificationId, SubscriptionId};
use calsync_core::notification::{AfterFailure, Served};
use calsync_core::ports::{
    Blame, DeliveryEnd, Lease, Looked, NotificationsEnd, RunBegun, RunEnd, StoreError,
};
use calsync_core::run::{Run, RunKind, RunStatus};
use calsync_core::subscription::VERIFIED_APART;
use calsync_core::time::Ts;

use super::SqlStore;
use super::columns::{self, select};
use super::db::{Bulk, Held, Tx};
use super::leases::fence;
use super::notifications;
use super::people::say;
use super::receipts::mark;
use super::value::{Row, Val, vals};
use crate::rows::{Picked, begun, missing};
use crate::tally::{Tallies, minute};

/// Along what its subscriptions brought since something is open. Nobody else holds the lease: what is `processing` was left by a dead worker.
pub(super) const PICK: &str = "UPDATE webhook_notifications SET processing_status = 'processing', processing_started_at = $2, \
    next_retry_at = NULL, run_id = $3 \
    WHERE subscription_id IN (SELECT id FROM webhook_subscriptions WHERE calendar_id = $1) \
    AND received_at >= (SELECT open_since FROM calendars WHERE id = $1) AND processing_completed_at IS NULL \
    AND (next_retry_at IS NULL OR next_retry_at <= $2) RETURNING received_at, id, retry_count, payload, subscription_id";

/// What the run was given (of its unfinished ones, those without a time for another try), and whatever else was told
/// before it began: it has read all of that.
pub(super) const COMPLETE: &str = "UPDATE webhook_notifications SET processing_status = 'completed', \
    processing_started_at = $7, processing_completed_at = $3, error_message = NULL, next_retry_at = NULL, run_id = $2, \
    processing_time_ms = CASE WHEN $3 > received_at THEN ($3 - received_at) / 1000 ELSE 0 END, \
    calendars_synced = $4, events_processed = $5, busy_blocks_updated = $6 \
    WHERE subscription_id IN (SELECT id FROM webhook_subscriptions WHERE calendar_id = $1) \
    AND received_at >= (SELECT open_since FROM calendars WHERE id = $1) \
    AND processing_completed_at IS NULL AND (received_at < $8 OR (run_id = $2 AND next_retry_at IS NULL)) \
    RETURNING subscription_id, received_at, processing_time_ms";

pub(super) const FAIL: Bulk = Bulk {
    before: "UPDATE webhook_notifications SET retry_count = retry_count + 1, processing_status = v.column3, \
             next_retry_at = v.column4, processing_completed_at = v.column5, error_message = v.column6 FROM (",
    after: ") AS v WHERE webhook_notifications.id = v.column1 AND webhook_notifications.run_id = v.column2 \
            AND webhook_notifications.processing_status = 'processing' \
            RETURNING subscription_id, received_at, webhook_notifications.processing_status",
};

/// Subscription, and 1 to count a failure or 0 to clear them: what is left then are its misses in a row.
pub(super) const COUNT: Bulk = Bulk {
    before: "UPDATE webhook_subscriptions SET \
             failure_count = CASE WHEN v.column2 = 1 THEN failure_count + 1 ELSE missed_streak END FROM (",
    after: ") AS v WHERE webhook_subscriptions.id = v.column1 AND (v.column2 = 1 OR failure_count <> missed_streak)",
};

/// What a run showed of a channel.
const DELIVERY: &str = "UPDATE webhook_subscriptions SET renew_at = coalesce($2, renew_at), heard = $3, missed = $4, missed_streak = $5, \
    unannounced_at = $6, unannounced = $7 WHERE id = $1";

/// A reading that worked shows that its channel's silence was no failure, unless it found what the channel had not told.
const VERIFIED: &str = "UPDATE webhook_subscriptions SET verified_at = $2 \
    WHERE calendar_id = $1 AND status = 'active' AND missed_streak = 0 AND unannounced_at IS NULL AND (verified_at IS NULL OR verified_at < $3)";

const END_CALENDAR: &str = "UPDATE calendars SET \
    last_synced_at = coalesce($2, last_synced_at), last_polling_sync = coalesce($3, last_polling_sync), \
    synced_generation = CASE WHEN $4 > synced_generation THEN $4 ELSE synced_generation END WHERE id = $1";

impl SqlStore {
    pub(super) async fn begin_run(&self, lease: &Lease, run: &Run) -> Result<RunBegun, StoreError> {
        let mut tx = self.db.begin().await?;
        fence(&mut tx, lease).await?;
        let seen =
            tx.one("SELECT dirty_generation FROM calendars WHERE id = $1", vals![run.calendar]).await?;
        let seen_generation = seen.ok_or_else(|| missing("calendar"))?.int()?;
        insert_run(&mut tx, run).await?;
        let picked = tx.all(PICK, vals![run.calendar, run.started_at, run.id]).await?;
        let picked = picked
            .into_iter()
            .map(|mut row| Ok(((row.ts()?, row.id()?, row.num()?, row.json()?), row.id()?)))
            .collect::<Result<Vec<(Picked, SubscriptionId)>, StoreError>>()?;
        mark(&mut tx, picked.iter().map(|((at, ..), subscription)| (*subscription, *at))).await?;
        tx.commit().await?;
        Ok(begun(seen_generation, picked.into_iter().map(|(picked, _)| picked).collect()))
    }

    pub(super) async fn end_run(&self, lease: &Lease, end: &RunEnd) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        fence(&mut tx, lease).await?;
        // Receipts for it wait until this is over: none is missed between what is completed and what is said of the rest.
        tx.lock("SELECT id FROM calendars WHERE id = $1", vals![end.calendar]).await?;
        let (kind, began_at) = update_run(&mut tx, end).await?;
        if let Some(DeliveryEnd { subscription, delivery, renew_at }) = end.delivery {
            // Before failures are cleared: its misses stay.
            let mut values = vals![subscription, renew_at];
            values.extend(columns::delivery_values(&delivery));
            tx.exec(DELIVERY, values).await?;
        }
        let tallies = match &end.notifications {
            NotificationsEnd::Completed(served) => complete(&mut tx, end, began_at, *served).await?,
            NotificationsEnd::Failed { items, blame } => fail(&mut tx, end, items, *blame).await?,
        };
        let read = end.status == RunStatus::Succeeded && end.looked == Looked::Read;
        if read {
            tx.exec(VERIFIED, vals![end.calendar, end.at, end.at.minus(VERIFIED_APART)]).await?;
        }
        let synced = read.then_some(end.at);
        let polled = (kind == RunKind::Polling).then_some(end.at);
        let ended = vals![end.calendar, synced, polled, end.served_generation];
        if tx.exec(END_CALENDAR, ended).await? == 0 {
            return Err(missing("calendar"));
        }
        notifications::add(&mut tx, end.run.0.as_bytes()[15] % notifications::PARTS, &tallies).await?;
        tx.commit().await
    }

    pub(super) async fn runs(
        &self,
        calendar: Option<CalendarId>,
        limit: u32,
    ) -> Result<Vec<Run>, StoreError> {
        const ALL: &str = select!(run_columns, "FROM sync_runs ORDER BY started_at DESC, id DESC LIMIT $1");
        const ONE: &str = select!(
            run_columns,
            "FROM sync_runs WHERE calendar_id = $2 ORDER BY started_at DESC, id DESC LIMIT $1"
        );
        let rows = match calendar {
            None => self.db.all(ALL, vals![limit]).await?,
            Some(calendar) => self.db.all(ONE, vals![limit, calendar]).await?,
        };
        rows.into_iter().map(columns::run).collect()
    }
}

fn status_values(status: &RunStatus) -> (Val, Val) {
    match status {
        RunStatus::Running => (Val::from("running"), Val::Text(None)),
        RunStatus::Succeeded => (Val::from("succeeded"), Val::Text(None)),
        RunStatus::Failed { error } => (Val::from("failed"), Val::from(error.as_str())),
    }
}

fn error_of(status: &RunStatus) -> Option<&str> {
    match status {
        RunStatus::Failed { error } => Some(error),
        RunStatus::Running | RunStatus::Succeeded => None,
    }
}

pub(super) async fn insert_run(tx: &mut Tx, run: &Run) -> Result<(), StoreError> {
    let (status, error) = status_values(&run.status);
    let c = run.counts;
    tx.exec(
        "INSERT INTO sync_runs (id, calendar_id, user_id, kind, trigger_text, started_at, finished_at, status, error, \
         events_seen, events_created, events_updated, events_deleted, blocks_created, blocks_updated, blocks_deleted, \
         provider_calls) SELECT $1, $2, c.user_id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16 \
         FROM calendars c WHERE c.id = $2",
        vec![
            run.id.into(),
            run.calendar.into(),
            run.kind.as_str().into(),
            run.trigger.as_str().into(),
            run.started_at.into(),
            run.finished_at.into(),
            status,
            error,
            c.events_seen.into(),
            c.events_created.into(),
            c.events_updated.into(),
            c.events_deleted.into(),
            c.blocks_created.into(),
            c.blocks_updated.into(),
            c.blocks_deleted.into(),
            c.provider_calls.into(),
        ],
    )
    .await
    .map(drop)
    .map_err(|e| say(e, "another run has this id already"))
}

async fn update_run(tx: &mut Tx, end: &RunEnd) -> Result<(RunKind, Ts), StoreError> {
    let (status, error) = status_values(&end.status);
    let c = end.counts;
    let row = tx
        .one(
            "UPDATE sync_runs SET finished_at = $2, status = $3, error = $4, events_seen = $5, events_created = $6, \
             events_updated = $7, events_deleted = $8, blocks_created = $9, blocks_updated = $10, \
             blocks_deleted = $11, provider_calls = $12 WHERE id = $1 RETURNING kind, started_at",
            vec![
                end.run.into(),
                end.at.into(),
                status,
                error,
                c.events_seen.into(),
                c.events_created.into(),
                c.events_updated.into(),
                c.events_deleted.into(),
                c.blocks_created.into(),
                c.blocks_updated.into(),
                c.blocks_deleted.into(),
                c.provider_calls.into(),
            ],
        )
        .await?;
    let mut row = row.ok_or_else(|| missing("run"))?;
    Ok((row.word()?, row.ts()?))
}

fn ids(rows: Vec<Row>) -> Result<BTreeSet<SubscriptionId>, StoreError> {
    rows.into_iter().map(|mut row| row.id()).collect()
}

async fn complete(tx: &mut Tx, end: &RunEnd, began_at: Ts, served: Served) -> Result<Tallies, StoreError> {
    // What it did not read it does not answer.
    let answered_before = if end.looked == Looked::Read { began_at } else { Ts::MIN };
    let Served { calendars_synced, events_processed, busy_blocks_updated } = served;
    let counts = vals![
        end.calendar,
        end.run,
        end.at,
        calendars_synced,
        events_processed,
        busy_blocks_updated,
        began_at,
        answered_before
    ];
    let (mut theirs, mut tallies) = (BTreeSet::new(), Tallies::new());
    for mut row in tx.all(COMPLETE, counts).await? {
        theirs.insert(row.id()?);
        tallies.entry(minute(row.ts()?)).or_default().completed(row.int()?, served);
    }
    let active_at = (!theirs.is_empty()).then_some(end.at);
    count_failures(tx, end.calendar, theirs, 0).await?;
    tx.exec(
        "UPDATE calendars SET webhook_failure_streak = 0, \
         webhook_last_activity = coalesce($2, webhook_last_activity), \
         open_since = CASE WHEN open_since < $3 THEN $3 ELSE open_since END WHERE id = $1",
        vals![end.calendar, active_at, answered_before],
    )
    .await?;
    Ok(tallies)
}

async fn fail(
    tx: &mut Tx,
    end: &RunEnd,
    items: &[(NotificationId, AfterFailure)],
    blame: Blame,
) -> Result<Tallies, StoreError> {
    let error = error_of(&end.status);
    let rows = items.iter().map(|(id, after)| match after {
        AfterFailure::RetryAt(at) => vals![*id, end.run, "retrying", *at, Val::Int(None), error],
        AfterFailure::Failed => vals![*id, end.run, "failed", Val::Int(None), end.at, error],
    });
    let (mut theirs, mut tallies) = (BTreeSet::new(), Tallies::new());
    for mut row in tx.bulk_returning(&FAIL, rows.collect()).await? {
        theirs.insert(row.id()?);
        let (received_at, status) = (row.ts()?, row.text()?);
        tallies.entry(minute(received_at)).or_default().failed += u64::from(status == "failed");
    }
    if blame == Blame::Target {
        return Ok(tallies);
    }
    count_failures(tx, end.calendar, theirs, 1).await?;
    tx.exec(
        "UPDATE calendars SET webhook_failure_streak = webhook_failure_streak + 1, last_webhook_failure = $2 \
         WHERE id = $1",
        vals![end.calendar, end.at],
    )
    .await?;
    Ok(tallies)
}

/// Changes the counters of the calendar's active subscriptions, and of those that delivered what was served.
async fn count_failures(
    tx: &mut Tx,
    calendar: CalendarId,
    mut concerned: BTreeSet<SubscriptionId>,
    failures: i64,
) -> Result<(), StoreError> {
    let sql = "SELECT id FROM webhook_subscriptions WHERE calendar_id = $1 AND status = 'active'";
    concerned.append(&mut ids(tx.all(sql, vals![calendar]).await?)?);
    let rows = concerned.into_iter().map(|id| vals![id, failures]).collect();
    tx.bulk_in_order(&COUNT, Held::Subscriptions, rows).await.map(drop)
}
