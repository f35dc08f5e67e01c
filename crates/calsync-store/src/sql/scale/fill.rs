//! Writes the population, a named number of rows in each transaction.

use std::ops::Range;

use calsync_core::ports::StoreError;
use calsync_core::time::Ts;

use super::super::SqlStore;
use super::super::db::Db;
use super::Population;

/// Rows of one transaction.
const STEP: u64 = 100_000;
/// Calendars of one user.
const EACH: u64 = 4;
const HOUR: i64 = 3_600_000_000;
/// Notifications are spread over so many hours.
const HOURS: i64 = 36;
/// What a provider's delivery leaves.
const HEADERS: &str = r#"{"x-goog-resource-state":"exists"}"#;

/// Rows one by one would keep rewriting the same few figures: they are counted at once instead, and the triggers are back
/// before anything changes.
const UNTENDED: &str = "ALTER TABLE webhook_subscriptions DISABLE TRIGGER subscription_counted";
const TENDED: &str = "INSERT INTO subscription_figures (provider, status, part, subscriptions) \
    SELECT provider, status, 0, count(*) FROM webhook_subscriptions GROUP BY 1, 2; \
    ALTER TABLE webhook_subscriptions ENABLE TRIGGER subscription_counted";

impl SqlStore {
    /// Fills an empty database.
    pub async fn populate(&self, p: &Population) -> Result<(), StoreError> {
        let calendars = p.subscriptions + p.troubled;
        // Where triggers are not left to it.
        let watched = if matches!(&*self.db, Db::Pg(_)) { p.subscriptions } else { 0 };
        self.in_steps(0..calendars.div_ceil(EACH), || people(p.now)).await?;
        self.in_steps(0..calendars, || vec![calendars_of(p, watched)]).await?;
        if matches!(&*self.db, Db::Pg(_)) {
            self.script(&[UNTENDED.to_owned()], (0, 0)).await?;
        }
        self.in_steps(0..p.subscriptions, || subscriptions(p)).await?;
        if matches!(&*self.db, Db::Pg(_)) {
            self.script(&[TENDED.to_owned()], (0, 0)).await?;
        }
        self.in_steps(0..p.notifications, || vec![notifications(p)]).await?;
        self.script(&[figures()], (0, 0)).await
    }

    /// Notifications of these numbers, as `populate` makes them: to fill again what was emptied. Figures are not kept.
    pub async fn notifications_again(&self, p: &Population, numbers: Range<u64>) -> Result<(), StoreError> {
        self.in_steps(numbers, || vec![notifications(p)]).await
    }

    async fn in_steps(
        &self,
        numbers: Range<u64>,
        statements: impl Fn() -> Vec<String>,
    ) -> Result<(), StoreError> {
        let mut first = numbers.start;
        while first < numbers.end {
            let last = (first + STEP).min(numbers.end) - 1;
            self.script(&statements(), (first, last)).await?;
            first = last + 1;
        }
        Ok(())
    }
}

fn people(now: Ts) -> Vec<String> {
    let now = now.micros();
    vec![
        format!(
            "INSERT INTO users (id, email, is_staff, created_at) \
             SELECT {{id: n}}, 'user' || n || '@example.com', 0, {now} FROM {{n}} AS g"
        ),
        format!(
            "INSERT INTO accounts (id, user_id, provider, remote_id, email, status, created_at) \
             SELECT {{id: n}}, {{id: n}}, 'google', 'user' || n, 'user' || n || '@example.com', 'active', {now} \
             FROM {{n}} AS g"
        ),
        format!(
            "INSERT INTO leases (resource, user_id, owner, token, claimed_at, expires_at) \
             SELECT 'user:00000000-0000-0000-0000-' || substr(CAST(1000000000000 + n AS TEXT), 2), \
             {{id: n}}, NULL, 0, {now}, {now} FROM {{n}} AS g"
        ),
    ]
}

/// The first have a subscription each; those beyond have none, and should: opening one has failed. Some are due.
fn calendars_of(p: &Population, watched: u64) -> String {
    let (now, due, opened) = (p.now.micros(), p.troubled * EACH, p.subscriptions);
    format!(
        "INSERT INTO calendars (id, account_id, user_id, remote_id, name, time_zone, access, sync_enabled, \
         watched, watch_after, due_at) \
         SELECT {{id: n}}, {{id: n / {EACH}}}, {{id: n / {EACH}}}, 'calendar-' || n || '@group.calendar.google.com', \
         'Calendar ' || n, 'Europe/Vienna', 'owner', 1, CASE WHEN n < {watched} THEN 1 ELSE 0 END, \
         CASE WHEN n < {opened} THEN 0 ELSE {now} - {HOUR} END, \
         CASE WHEN n < {due} THEN {now} - 1000000 - n ELSE {now} + {HOUR} + n END FROM {{n}} AS g"
    )
}

/// Each kind of trouble has numbers of its own, so that nothing is troubled twice.
fn subscriptions(p: &Population) -> Vec<String> {
    let (now, t) = (p.now.micros(), p.troubled);
    let from = |kind: u64| (kind * t, (kind + 1) * t);
    let (ended, expiring, silent, failing) = (from(0), from(1), from(2), from(3));
    let is = |(first, end): (u64, u64)| format!("n >= {first} AND n < {end}");
    let columns = "id, calendar_id, provider, subscription_id, webhook_url, resource_id, token_hash, created_at, \
                   expires_at, renew_at, status, last_notification_at, verified_at, failure_count, provider_metadata";
    let hash = "CAST('00000000000000000000000000000000' AS {bytes})";
    vec![
        format!(
            "INSERT INTO webhook_subscriptions ({columns}) SELECT {{id: n}}, {{id: n}}, 'google', 'channel-' || n, \
             'https://sync.example.com/webhooks/google/' || n || '/', 'resource-' || n, {hash}, {now} - 72 * {HOUR}, \
             CASE WHEN {} THEN {now} - {HOUR} WHEN {} THEN {now} + 2 * {HOUR} ELSE {now} + 48 * {HOUR} + n END, \
             CASE WHEN {} THEN {now} - {HOUR} ELSE {now} + 24 * {HOUR} + n END, 'active', \
             CASE WHEN {} THEN {now} - 8 * {HOUR} ELSE {now} - 3 * {HOUR} + n % 10000000 END, \
             CASE WHEN {} THEN NULL ELSE {now} - {HOUR} END, CASE WHEN {} THEN 5 + n % 4 ELSE 0 END, '{{}}' FROM {{n}} AS g",
            is(ended),
            is(expiring),
            // What has ended needs renewal too.
            is((ended.0, expiring.1)),
            is(silent),
            is(silent),
            is(failing),
        ),
        // What was before, of every second one.
        format!(
            "INSERT INTO webhook_subscriptions ({columns}) SELECT {{id: n + 500000000}}, {{id: n}}, 'google', \
             'past-' || n, 'https://sync.example.com/webhooks/google/' || n || '/', 'resource-' || n, {hash}, \
             {now} - 240 * {HOUR}, {now} - 72 * {HOUR} - n, {now} - 96 * {HOUR}, 'expired', {now} - 73 * {HOUR}, NULL, 0, '{{}}' \
             FROM {{n}} AS g WHERE n % 2 = 0"
        ),
    ]
}

/// The newest first. All are completed but a few: so many wait for longer than they should, as many are to be tried again,
/// as many have failed.
fn notifications(p: &Population) -> String {
    let (now, t, subscriptions) = (p.now.micros(), p.troubled, p.subscriptions.max(1));
    let apart = (HOURS * HOUR) / i64::try_from(p.notifications.max(1)).unwrap_or(i64::MAX);
    let late = |n: &str| format!("{now} - 10 * 60000000 - {n} * {apart}");
    format!(
        "INSERT INTO webhook_notifications (id, subscription_id, notification_id, received_at, headers, payload, \
         processing_status, processing_completed_at, processing_time_ms, retry_count, next_retry_at, calendars_synced, \
         events_processed, busy_blocks_updated) \
         SELECT {{id: n}}, {{id: n % {subscriptions}}}, CAST(n AS TEXT), {at}, '{HEADERS}', 'null', \
         CASE WHEN n < {t} THEN 'pending' WHEN n < 2 * {t} THEN 'retrying' WHEN n < 3 * {t} THEN 'failed' \
         ELSE 'completed' END, CASE WHEN n < 2 * {t} THEN NULL ELSE {at} + 700000 END, \
         CASE WHEN n < 3 * {t} THEN NULL ELSE 500 + n % 300 END, CASE WHEN n >= {t} AND n < 3 * {t} THEN 2 ELSE 0 END, \
         CASE WHEN n >= {t} AND n < 2 * {t} THEN {now} - 1 - n ELSE NULL END, \
         CASE WHEN n < 3 * {t} THEN 0 ELSE 1 END, CASE WHEN n < 3 * {t} THEN 0 ELSE n % 4 END, \
         CASE WHEN n < 3 * {t} THEN 0 ELSE n % 3 END FROM {{n}} AS g",
        at = late("n"),
    )
}

/// What the service would have kept while they came.
fn figures() -> String {
    "INSERT INTO notification_figures (minute, part, received, completed, failed, time_ms, calendars_synced, \
     events_processed, busy_blocks_updated) \
     SELECT received_at - received_at % 60000000, 0, count(*), \
     sum(CASE WHEN processing_status = 'completed' THEN 1 ELSE 0 END), \
     sum(CASE WHEN processing_status = 'failed' THEN 1 ELSE 0 END), coalesce(sum(processing_time_ms), 0), \
     sum(calendars_synced), sum(events_processed), sum(busy_blocks_updated) FROM webhook_notifications GROUP BY 1"
        .to_owned()
}
