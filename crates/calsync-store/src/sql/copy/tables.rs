//! What a copy carries: every table with its key and its columns, said once, in the order of references. A test holds this
//! list to the schema of both dialects, so that no later migration adds a column that a copy forgets. Never runs anything.

use super::super::db::Bulk;

/// How a column is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Id,
    Int,
    Text,
    Bytes,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "the statements name it; the test of completeness asks")
    )]
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// A table with the statements of a copy. Pages are read by key, never by counting rows, so that the last page costs what
/// the first did.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The primary key: the first columns of every row.
    pub(super) key: &'static [Column],
    /// What is copied besides.
    pub(super) copied: &'static [Column],
    /// What triggers make on arrival: compared in the end, not copied.
    pub(super) arises: &'static [Column],
    /// What is empty on arrival, and not compared: it says who is at work, and nobody is.
    #[cfg_attr(not(test), allow(dead_code, reason = "it is named for the test of completeness"))]
    pub(super) cleared: &'static [Column],
    /// The first rows ($1: how many), and those after a key ($2 and on). Key, copied and arising columns, in this order.
    pub(super) first: &'static str,
    pub(super) after: &'static str,
    pub(super) count: &'static str,
    pub(super) insert: Bulk,
    pub(super) empty: &'static str,
}

/// Tables that no copy carries: the target has its own version, triggers count subscriptions as they arrive, and people sign
/// in anew.
#[cfg(test)]
pub(super) const NOT_CARRIED: [&str; 5] =
    ["schema_version", "subscription_figures", "sessions", "consents", "spent_sign_ins"];

/// The figures that triggers keep, without the parts that they are split into, which each dialect chooses by itself.
pub(super) const FIGURES: &str = "SELECT provider, status, CAST(sum(subscriptions) AS BIGINT) \
    FROM subscription_figures GROUP BY provider, status HAVING sum(subscriptions) <> 0";
/// The columns of `FIGURES`.
pub(super) const FIGURES_COLUMNS: [Kind; 3] = [Kind::Text, Kind::Text, Kind::Int];
/// The table that they are in.
pub(super) const FIGURES_TABLE: &str = "subscription_figures";

macro_rules! list {
    ($first:ident $(, $more:ident)*) => { concat!(stringify!($first) $(, ", ", stringify!($more))*) };
}

/// As many parameters as there are columns in the key, after the first one.
macro_rules! parameters {
    ($a:ident) => {
        "$2"
    };
    ($a:ident, $b:ident) => {
        "$2, $3"
    };
    ($a:ident, $b:ident, $c:ident) => {
        "$2, $3, $4"
    };
}

macro_rules! columns {
    ($($name:ident $kind:ident),*) => {
        &[$(Column { name: stringify!($name), kind: Kind::$kind }),*]
    };
}

macro_rules! tables {
    ($($table:ident where $which:literal
        key ($($key:ident $key_kind:ident),+)
        copied ($($copied:ident $copied_kind:ident),*)
        arises ($($arises:ident $arises_kind:ident),*)
        cleared ($($cleared:ident $cleared_kind:ident),*);)+) => {
        /// Every table that is carried: what is referred to comes before what refers to it.
        pub(super) static TABLES: &[Table] = &[$(Table {
            name: stringify!($table),
            key: columns!($($key $key_kind),+),
            copied: columns!($($copied $copied_kind),*),
            arises: columns!($($arises $arises_kind),*),
            cleared: columns!($($cleared $cleared_kind),*),
            first: concat!(
                "SELECT ", list!($($key),+ $(, $copied)* $(, $arises)*), " FROM ", stringify!($table),
                " WHERE ", $which, " ORDER BY ", list!($($key),+), " LIMIT $1"
            ),
            after: concat!(
                "SELECT ", list!($($key),+ $(, $copied)* $(, $arises)*), " FROM ", stringify!($table),
                " WHERE ", $which, " AND (", list!($($key),+), ") > (", parameters!($($key),+), ") ORDER BY ",
                list!($($key),+), " LIMIT $1"
            ),
            count: concat!("SELECT count(*) FROM ", stringify!($table), " WHERE ", $which),
            insert: Bulk {
                before: concat!(
                    "INSERT INTO ", stringify!($table), " (", list!($($key),+ $(, $copied)*), ")"
                ),
                after: "",
            },
            empty: concat!("DELETE FROM ", stringify!($table), " WHERE ", $which),
        }),+];
    };
}

tables! {
    users where "TRUE" key (id Id) copied (email Text, is_staff Int, password Text, rule_defaults Text, created_at Int)
        arises () cleared ();
    access_tokens where "TRUE" key (id Id) copied (user_id Id, name Text, token_hash Bytes, created_at Int, used_at Int)
        arises () cleared ();
    identities where "TRUE" key (issuer Text, subject Text) copied (user_id Id, since Int) arises () cleared ();
    accounts where "TRUE" key (id Id)
        copied (user_id Id, provider Text, remote_id Text, email Text, status Text, status_detail Text,
            created_at Int, asked_at Int)
        arises () cleared ();
    credentials where "TRUE" key (account_id Id) copied (sealed Bytes, version Int) arises () cleared ();
    calendars where "TRUE" key (id Id)
        copied (account_id Id, user_id Id, remote_id Text, name Text, time_zone Text, colour Text, access Text,
            sync_enabled Int, leaving Text, webhook_enabled Int, fallback_polling_enabled Int, missing Int,
            push_unsupported Int, webhook_last_activity Int, webhook_failure_streak Int,
            last_webhook_failure Int, last_polling_sync Int, last_synced_at Int, last_full_sync Int,
            cursor_token Text, cursor_params Text, cursor_from Int, cursor_to Int, lost_cursors Text, dirty_generation Int,
            synced_generation Int, due_at Int, plan_due Int, full_due Int, open_since Int, push_admitted Int,
            watch_after Int)
        arises (watched Int) cleared ();
    rules where "TRUE" key (id Id) copied (user_id Id, source Id, target Id, options Text) arises () cleared ();
    webhook_subscriptions where "TRUE" key (id Id)
        copied (calendar_id Id, provider Text, subscription_id Text, webhook_url Text, resource_id Text,
            token_hash Bytes, created_at Int, expires_at Int, status Text, last_notification_at Int,
            verified_at Int, last_renewal_at Int, failure_count Int, renew_at Int, close_at Int, heard Int,
            missed Int, missed_streak Int, unannounced_at Int, unannounced Int, provider_metadata Text)
        arises () cleared ();
    webhook_notifications where "TRUE" key (id Id)
        copied (subscription_id Id, notification_id Text, received_at Int, headers Text, payload Text,
            processing_status Text, processing_started_at Int, processing_completed_at Int,
            processing_time_ms Int, error_message Text, retry_count Int, next_retry_at Int, run_id Id,
            calendars_synced Int, events_processed Int, busy_blocks_updated Int)
        arises () cleared ();
    notification_figures where "TRUE" key (minute Int, part Int)
        copied (received Int, completed Int, failed Int, time_ms Int, calendars_synced Int,
            events_processed Int, busy_blocks_updated Int)
        arises () cleared ();
    sync_runs where "TRUE" key (id Id)
        copied (calendar_id Id, user_id Id, kind Text, trigger_text Text, started_at Int, finished_at Int, status Text,
            error Text, events_seen Int, events_created Int, events_updated Int, events_deleted Int,
            blocks_created Int, blocks_updated Int, blocks_deleted Int, provider_calls Int, wrote Int)
        arises () cleared ();
    provider_call_stats where "TRUE" key (minute Int, provider Text)
        copied (calls Int, latency_sum_us Int, latency_max_us Int, quota_used Int) arises () cleared ();
    provider_call_errors where "TRUE" key (minute Int, provider Text, class Text)
        copied (count Int) arises () cleared ();
    alerts where "TRUE" key (seq Int)
        copied (kind Text, subject Text, level Text, message Text, action Text, first_seen Int, last_seen Int,
            resolved_at Int)
        arises () cleared ();
    alert_tellings where "TRUE" key (kind Text) copied (version Int, telling Text) arises () cleared ();
    alert_deliveries where "TRUE" key (id Id)
        copied (channel Text, message Text, state Text, attempts Int, next_try_at Int, error Text, created_at Int,
            finished_at Int)
        arises () cleared ();
    health_hours where "TRUE" key (hour Int) copied (active Int, healthy Int, worst Int) arises () cleared ();
    // Without the mark of the copy itself: see `marker`.
    settings where "name <> 'copy'" key (name Text) copied (value Text) arises () cleared ();
    audit_log where "TRUE" key (seq Int) copied (at Int, who Text, what Text) arises () cleared ();
    mirror_events where "TRUE" key (calendar_id Id, event_id Text) copied (event Text) arises () cleared ();
    mirror_blocks where "TRUE" key (calendar_id Id, event_id Text) copied (block Text) arises () cleared ();
    ledger where "TRUE" key (target Id, correlation Id)
        copied (rule_id Id, source Id, occurrence Text, block Text, generation Int, state Text, wrote Int,
            echo Int, span Text, repairs Int, written_at Int, content Text, texts Text)
        arises () cleared ();
    journal where "TRUE" key (seq Int)
        copied (run_id Id, target Id, correlation Id, source Id, rule_id Id, deed Text, reason Text, block Text,
            content_old Text, texts_old Text, content_new Text, texts_new Text, echo Int, seen_at Int, fetched_at Int,
            written_at Int, verified_at Int)
        arises () cleared ();
    outbox where "TRUE" key (target Id, correlation Id)
        copied (seq Int, op Text, attempts Int, not_before Int, error Text, changed_at Int, cause Text) arises () cleared ();
    holds where "TRUE" key (target Id)
        copied (reason Text, deletions Int, digest Int, since Int, last_agreed_at Int, agreed Int, approved Int,
            undone Id)
        arises () cleared ();
    rule_freshness where "TRUE" key (rule_id Id)
        copied (user_id Id, source Id, target Id, standing Text, since Int, right_at Int, promised_until Int)
        arises () cleared ();
    rule_delays where "TRUE" key (rule_id Id, hour Int, bucket Int) copied (changes Int) arises () cleared ();
    delay_figures where "TRUE" key (hour Int, bucket Int, part Int) copied (changes Int) arises () cleared ();
    // Tokens go along, because they must never be given out twice. Who held a lease is gone.
    leases where "TRUE" key (resource Text) copied (user_id Id, token Int, claimed_at Int, expires_at Int)
        arises () cleared (owner Text);
}

/// Sets the counters of keys past the keys that were copied, on PostgreSQL; SQLite looks at the keys themselves. A counter
/// that has given out its first number stands at it, whatever the key says: it knows no number below one.
pub(crate) const COUNTERS: [&str; 3] = [
    "SELECT setval(pg_get_serial_sequence('journal', 'seq'), greatest(max(seq), 1), coalesce(max(seq), 0) > 0) \
     FROM journal",
    "SELECT setval(pg_get_serial_sequence('alerts', 'seq'), greatest(max(seq), 1), coalesce(max(seq), 0) > 0) \
     FROM alerts",
    "SELECT setval(pg_get_serial_sequence('audit_log', 'seq'), greatest(max(seq), 1), coalesce(max(seq), 0) > 0) \
     FROM audit_log",
];

impl Table {
    /// The columns that are read, in order.
    pub(super) fn read(&self) -> impl Iterator<Item = Kind> {
        self.key.iter().chain(self.copied).chain(self.arises).map(|column| column.kind)
    }

    /// How many of them are written.
    pub(super) const fn written(&self) -> usize {
        self.key.len() + self.copied.len()
    }
}
