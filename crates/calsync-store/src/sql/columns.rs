//! Columns and how a row of them becomes a noun: each list stands beside the function that reads it in that order.

use calsync_core::alert::Alert;
use calsync_core::block::{BlockContent, CalendarRef, Fingerprint};
use calsync_core::calendar::{Account, Calendar, Cursor, User};
use calsync_core::delivery::{Delivery, Unannounced};
use calsync_core::hold::Hold;
use calsync_core::ids::{CalendarId, EventId};
use calsync_core::journal::{Copied, JournalRow, Receipt};
use calsync_core::ledger::{LedgerRow, Write};
use calsync_core::notification::{Notification, Served};
use calsync_core::ports::StoreError;
use calsync_core::rule::Rule;
use calsync_core::run::{Run, RunCounts, RunStatus};
use calsync_core::subscription::Subscription;
use calsync_core::time::Window;

use super::value::{Row, Val};

/// `SELECT`, the columns of a noun, and the rest, as one constant text.
macro_rules! select {
    ($columns:ident, $rest:literal) => {
        concat!("SELECT ", $crate::sql::columns::$columns!(), " ", $rest)
    };
}
pub(super) use select;

macro_rules! user_columns {
    () => {
        "id, email, is_staff, created_at"
    };
}
pub(super) use user_columns;

pub(super) fn user(r: &mut Row) -> Result<User, StoreError> {
    Ok(User { id: r.id()?, email: r.text()?, is_staff: r.flag()?, created_at: r.ts()? })
}

macro_rules! account_columns {
    () => {
        "id, user_id, provider, remote_id, email, status, status_detail, created_at"
    };
}
pub(super) use account_columns;

pub(super) fn account(mut r: Row) -> Result<Account, StoreError> {
    Ok(Account {
        id: r.id()?,
        user: r.id()?,
        provider: r.word()?,
        remote_id: r.text()?,
        email: r.text()?,
        status: r.word()?,
        status_detail: r.opt_text()?,
        created_at: r.ts()?,
    })
}

/// Of `calendars c JOIN accounts a`.
macro_rules! calendar_columns {
    () => {
        "c.id, c.account_id, c.user_id, a.provider, a.remote_id, c.remote_id, c.name, c.time_zone, c.colour, c.access, \
         c.sync_enabled, c.leaving, c.webhook_enabled, c.fallback_polling_enabled, c.missing, c.push_unsupported, \
         c.webhook_last_activity, c.webhook_failure_streak, c.last_webhook_failure, c.last_polling_sync, \
         c.last_synced_at, c.last_full_sync, c.cursor_token, c.cursor_params, c.cursor_from, c.cursor_to, \
         c.dirty_generation, c.synced_generation, c.due_at, c.plan_due, c.full_due, c.watch_after, c.push_admitted, \
         c.lost_cursors"
    };
}
pub(super) use calendar_columns;

pub(super) fn calendar(mut r: Row) -> Result<Calendar, StoreError> {
    Ok(Calendar {
        id: r.id()?,
        account: r.id()?,
        user: r.id()?,
        remote: CalendarRef { provider: r.text()?, account: r.text()?, calendar: r.text()? },
        name: r.text()?,
        time_zone: r.text()?,
        colour: r.opt_text()?,
        access: r.word()?,
        sync_enabled: r.flag()?,
        leaving: r.opt_word()?,
        webhook_enabled: r.flag()?,
        fallback_polling_enabled: r.flag()?,
        missing: r.flag()?,
        push_unsupported: r.flag()?,
        webhook_last_activity: r.opt_ts()?,
        webhook_failure_streak: r.num()?,
        last_webhook_failure: r.opt_ts()?,
        last_polling_sync: r.opt_ts()?,
        last_synced_at: r.opt_ts()?,
        last_full_sync: r.opt_ts()?,
        cursor: cursor(&mut r)?,
        dirty_generation: r.int()?,
        synced_generation: r.int()?,
        due_at: r.opt_ts()?,
        plan_due: r.flag()?,
        full_due: r.flag()?,
        watch_after: r.ts()?,
        push_admitted: r.flag()?,
        cursor_losses: r.json()?,
    })
}

fn cursor(r: &mut Row) -> Result<Option<Cursor>, StoreError> {
    let (token, params, from, to) = (r.opt_text()?, r.opt_text()?, r.opt_ts()?, r.opt_ts()?);
    let parts = token.zip(params).zip(from.zip(to));
    Ok(parts.map(|((token, params), (from, to))| Cursor { token, params, covers: Window { from, to } }))
}

macro_rules! rule_columns {
    () => {
        "id, user_id, source, target, options"
    };
}
pub(super) use rule_columns;

pub(super) fn rule(mut r: Row) -> Result<Rule, StoreError> {
    Ok(Rule { id: r.id()?, user: r.id()?, source: r.id()?, target: r.id()?, options: r.json()? })
}

macro_rules! subscription_columns {
    () => {
        "s.id, s.calendar_id, s.provider, s.subscription_id, s.webhook_url, s.resource_id, s.token_hash, s.created_at, \
         s.expires_at, s.status, s.last_notification_at, s.verified_at, s.last_renewal_at, s.failure_count, \
         s.renew_at, s.close_at, s.heard, s.missed, s.missed_streak, s.unannounced_at, s.unannounced, s.provider_metadata"
    };
}
pub(super) use subscription_columns;

pub(super) fn subscription(mut r: Row) -> Result<Subscription, StoreError> {
    Ok(Subscription {
        id: r.id()?,
        calendar: r.id()?,
        provider: r.word()?,
        remote_id: r.text()?,
        webhook_url: r.text()?,
        resource_id: r.text()?,
        token_hash: r.bytes()?,
        created_at: r.ts()?,
        expires_at: r.ts()?,
        status: r.word()?,
        last_notification_at: r.opt_ts()?,
        verified_at: r.opt_ts()?,
        last_renewal_at: r.opt_ts()?,
        failure_count: r.num()?,
        renew_at: r.ts()?,
        close_at: r.opt_ts()?,
        delivery: delivery(&mut r)?,
        provider_metadata: r.json()?,
    })
}

fn delivery(r: &mut Row) -> Result<Delivery, StoreError> {
    let (heard, missed, missed_streak) = (r.num()?, r.num()?, r.num()?);
    let (found_at, changes) = (r.opt_ts()?, r.num()?);
    let unannounced = found_at.map(|found_at| Unannounced { found_at, changes });
    Ok(Delivery { heard, missed, missed_streak, unannounced })
}

/// In the order of their columns.
pub(super) fn delivery_values(of: &Delivery) -> [Val; 5] {
    [
        of.heard.into(),
        of.missed.into(),
        of.missed_streak.into(),
        of.unannounced.map(|open| open.found_at).into(),
        of.unannounced.map_or(0, |open| open.changes).into(),
    ]
}

macro_rules! notification_columns {
    () => {
        "id, subscription_id, notification_id, received_at, headers, payload, processing_status, \
         processing_started_at, processing_completed_at, processing_time_ms, error_message, retry_count, \
         next_retry_at, run_id, calendars_synced, events_processed, busy_blocks_updated"
    };
    (of n) => {
        "n.id, n.subscription_id, n.notification_id, n.received_at, n.headers, n.payload, n.processing_status, \
         n.processing_started_at, n.processing_completed_at, n.processing_time_ms, n.error_message, n.retry_count, \
         n.next_retry_at, n.run_id, n.calendars_synced, n.events_processed, n.busy_blocks_updated"
    };
}
pub(super) use notification_columns;

pub(super) fn notification(mut r: Row) -> Result<Notification, StoreError> {
    Ok(Notification {
        id: r.id()?,
        subscription: r.id()?,
        notification_id: r.text()?,
        received_at: r.ts()?,
        headers: r.json()?,
        payload: r.json()?,
        status: r.word()?,
        processing_started_at: r.opt_ts()?,
        processing_completed_at: r.opt_ts()?,
        processing_time_ms: r.opt_int()?,
        error_message: r.opt_text()?,
        retry_count: r.num()?,
        next_retry_at: r.opt_ts()?,
        run: r.opt_id()?,
        served: Served {
            calendars_synced: r.num()?,
            events_processed: r.num()?,
            busy_blocks_updated: r.num()?,
        },
    })
}

macro_rules! run_columns {
    () => {
        "id, calendar_id, kind, trigger_text, started_at, finished_at, status, error, events_seen, events_created, \
         events_updated, events_deleted, blocks_created, blocks_updated, blocks_deleted, provider_calls"
    };
}
pub(super) use run_columns;

pub(super) fn run(mut r: Row) -> Result<Run, StoreError> {
    Ok(Run {
        id: r.id()?,
        calendar: r.id()?,
        kind: r.word()?,
        trigger: r.text()?,
        started_at: r.ts()?,
        finished_at: r.opt_ts()?,
        status: run_status(&mut r)?,
        counts: RunCounts {
            events_seen: r.num()?,
            events_created: r.num()?,
            events_updated: r.num()?,
            events_deleted: r.num()?,
            blocks_created: r.num()?,
            blocks_updated: r.num()?,
            blocks_deleted: r.num()?,
            provider_calls: r.num()?,
        },
    })
}

fn run_status(r: &mut Row) -> Result<RunStatus, StoreError> {
    let (status, error) = (r.text()?, r.opt_text()?);
    match (status.as_str(), error) {
        ("running", None) => Ok(RunStatus::Running),
        ("succeeded", None) => Ok(RunStatus::Succeeded),
        ("failed", Some(error)) => Ok(RunStatus::Failed { error }),
        _ => Err(StoreError::Corrupt(format!("a run is in the state {status:?}"))),
    }
}

macro_rules! ledger_columns {
    () => {
        "correlation, rule_id, source, occurrence, target, block, generation, state, wrote, echo, span, repairs, \
         written_at"
    };
}
pub(super) use ledger_columns;

pub(super) fn ledger_row(mut r: Row) -> Result<LedgerRow, StoreError> {
    Ok(LedgerRow {
        correlation: r.id()?,
        rule: r.id()?,
        source: r.id()?,
        occurrence: r.json()?,
        target: r.id()?,
        block: r.opt_text()?.map(EventId),
        generation: r.num()?,
        state: r.word()?,
        wrote: Fingerprint(r.bits()?),
        echo: r.opt_bits()?.map(Fingerprint),
        span: r.json()?,
        repairs: r.num()?,
        written_at: r.opt_ts()?,
    })
}

macro_rules! write_columns {
    () => {
        "correlation, op, attempts, not_before, error, changed_at, cause"
    };
}
pub(super) use write_columns;

pub(super) fn write(target: CalendarId, mut r: Row) -> Result<Write, StoreError> {
    Ok(Write {
        correlation: r.id()?,
        target,
        op: r.json()?,
        attempts: r.num()?,
        not_before: r.opt_ts()?,
        error: r.opt_text()?,
        changed_at: r.opt_ts()?,
        cause: r.opt_json()?,
    })
}

macro_rules! journal_columns {
    () => {
        "seq, run_id, target, correlation, source, rule_id, deed, reason, block, content_old, texts_old, content_new, \
         texts_new, echo, seen_at, fetched_at, written_at, verified_at"
    };
}
pub(super) use journal_columns;

pub(super) fn journal_row(mut r: Row) -> Result<JournalRow, StoreError> {
    Ok(JournalRow {
        seq: r.int()?,
        run: r.id()?,
        target: r.id()?,
        correlation: r.id()?,
        source: r.id()?,
        rule: r.id()?,
        deed: r.word()?,
        reason: r.word()?,
        block: EventId(r.text()?),
        before: content(&mut r)?,
        after: content(&mut r)?,
        echo: r.opt_bits()?.map(Fingerprint),
        receipt: Receipt {
            seen_at: r.opt_ts()?,
            fetched_at: r.opt_ts()?,
            written_at: r.ts()?,
            verified_at: r.opt_ts()?,
        },
    })
}

/// A content, and beside it what was copied.
fn content(r: &mut Row) -> Result<Option<BlockContent>, StoreError> {
    let (content, copied) = (r.opt_json::<BlockContent>()?, r.opt_json::<Copied>()?);
    Ok(content.map(|content| match copied {
        Some(copied) => copied.put_back(content),
        None => content,
    }))
}

macro_rules! hold_columns {
    () => {
        "target, reason, deletions, digest, since, last_agreed_at, agreed, approved, undone"
    };
}
pub(super) use hold_columns;

pub(super) fn hold(mut r: Row) -> Result<Hold, StoreError> {
    Ok(Hold {
        target: r.id()?,
        reason: r.text()?,
        deletions: r.num()?,
        digest: r.bits()?,
        since: r.ts()?,
        last_agreed_at: r.ts()?,
        agreed: r.num()?,
        approved: r.flag()?,
        undone: r.opt_id()?,
    })
}

macro_rules! alert_columns {
    () => {
        "kind, subject, level, message, action, first_seen, last_seen, resolved_at"
    };
}
pub(super) use alert_columns;

pub(super) fn alert(mut r: Row) -> Result<Alert, StoreError> {
    Ok(Alert {
        kind: r.text()?,
        subject: r.text()?,
        level: r.word()?,
        message: r.text()?,
        action: r.text()?,
        first_seen: r.ts()?,
        last_seen: r.ts()?,
        resolved_at: r.opt_ts()?,
    })
}
