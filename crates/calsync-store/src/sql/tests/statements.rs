//! What is asked often, said once for both dialects: each statement with values to ask it with, and the indexes that it
//! must go by.

use super::super::db::Bulk;
use super::super::{
    alerts, calendars, figures, freshness, journal, leases, listings, lite, lookups, notifications, pg,
    receipts, rollout, runs, settle,
};
use super::super::{people, subscriptions, walk};

/// Its text.
pub(super) enum Text {
    /// The same in both.
    Both(&'static str),
    /// As SQLite is asked, and as PostgreSQL is.
    Each(&'static str, &'static str),
    /// Over rows of values: as many columns as there are values.
    Rows(&'static Bulk),
    /// A function of PostgreSQL: the statements in it, which are asked one after the other.
    Function(&'static str),
}

/// A value, as PostgreSQL spells it: its type, and how it comes from the number of a row (`n`).
pub(super) type Value = (&'static str, &'static str);

/// A statement that is asked often.
pub(super) struct Often {
    pub(super) name: &'static str,
    pub(super) text: Text,
    pub(super) values: &'static [Value],
    /// Indexes by which it must go: both dialects call them so, except for those of keys.
    pub(super) by: &'static [&'static str],
}

const CALENDAR: Value = ("uuid", "('30000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid");
const USER: Value = ("uuid", "('10000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid");
const RULE: Value = ("uuid", "('70000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid");
const CHANNEL: Value = ("uuid", "('40000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid");
const NOTIFICATION: Value = ("uuid", "('50000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid");
const RUN: Value = ("uuid", "('60000000-0000-0000-0000-000000000001')::uuid");
const RUN_OF_ROW: Value = ("uuid", "('60000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid");
const CORRELATION: Value = CALENDAR;
/// After most of what the tables hold, and before what is due.
const NOW: Value = ("bigint", "1000500");
const LIMIT: Value = ("bigint", "100");
const COUNT: Value = ("bigint", "1");
const TEXT: Value = ("text", "'x' || n");
const FRESH: Value = ("uuid", "gen_random_uuid()");

const fn often(
    name: &'static str,
    text: Text,
    values: &'static [Value],
    by: &'static [&'static str],
) -> Often {
    Often { name, text, values, by }
}

/// All of them.
pub(super) const OFTEN: &[Often] = &[
    often(
        "receive",
        Text::Function("receive"),
        &[FRESH, CALENDAR, CHANNEL, TEXT, NOW, TEXT, TEXT, ("bigint", "n % 2"), ("part", "3")],
        &["calendars_pkey"],
    ),
    often(
        "find",
        Text::Rows(&lookups::FIND),
        &[COUNT, CALENDAR, ("text", "'google'"), ("text", "'channel-' || n")],
        &["webhook_subscriptions_calendar"],
    ),
    often("is due", Text::Both(leases::IS_DUE), &[NOW], &["calendars_due"]),
    often(
        "claim due",
        Text::Each(lite::CLAIM_DUE, pg::CLAIM_DUE),
        &[NOW, ("text", "'worker'"), NOW],
        &["calendars_due"],
    ),
    often("next due", Text::Both(leases::NEXT_DUE), &[], &["calendars_due"]),
    often("rules of a user", Text::Both(freshness::OF_USER), &[USER], &["rule_freshness_"]),
    often("rules behind", Text::Both(freshness::BEHIND), &[NOW, LIMIT], &["rule_freshness_promised"]),
    often("count behind", Text::Both(freshness::COUNT_BEHIND), &[NOW], &["rule_freshness_promised"]),
    often("delays of a user", Text::Both(freshness::DELAYS_OF_USER), &[USER, NOW], &["rule_freshness_"]),
    often(
        "put freshness",
        Text::Rows(&freshness::PUT),
        &[RULE, CALENDAR, CALENDAR, ("text", "'right'"), NOW, NOW, NOW],
        &[],
    ),
    often("freshness gone", Text::Rows(&freshness::GONE), &[RULE], &[]),
    often("forget delays", Text::Rows(&freshness::FORGET), &[RULE, NOW], &[]),
    often("add delays", Text::Rows(&freshness::ADD), &[RULE, NOW, COUNT, COUNT], &[]),
    often("await", Text::Rows(&freshness::AWAIT), &[CHANNEL, NOW], &[]),
    often("due writes", Text::Both(walk::DUE_WRITES), &[CALENDAR, NOW, LIMIT], &["outbox_order"]),
    often(
        "renewing",
        Text::Both(subscriptions::TO_RENEW),
        &[NOW, LIMIT],
        &["webhook_subscriptions_renew_at"],
    ),
    often("asked later", Text::Both(people::ASKED_LATER), &[NOW], &["accounts_asked_at"]),
    often("accounts to ask", Text::Both(people::TO_ASK), &[NOW, LIMIT], &["accounts_asked_at"]),
    often("closing", Text::Both(subscriptions::TO_CLOSE), &[NOW, LIMIT], &["webhook_subscriptions_close_at"]),
    often(
        "next at a channel",
        Text::Both(subscriptions::NEXT_DUE),
        &[],
        &["webhook_subscriptions_renew_at", "webhook_subscriptions_close_at", "calendars_unwatched"],
    ),
    often("admissions", Text::Both(rollout::AFTER), &[LIMIT, CALENDAR], &[]),
    often("admit", Text::Rows(&rollout::ADMIT), &[CALENDAR, COUNT, NOW], &[]),
    often("retire", Text::Rows(&rollout::RETIRE), &[CALENDAR, NOW], &[]),
    often("silent", Text::Both(subscriptions::SILENT), &[NOW, LIMIT], &["webhook_subscriptions_alive_at"]),
    often("failing", Text::Both(subscriptions::FAILING), &[COUNT, LIMIT], &["webhook_subscriptions_failing"]),
    often("unwatched", Text::Both(subscriptions::UNWATCHED), &[NOW, LIMIT], &["calendars_unwatched"]),
    often(
        "subscription figures",
        Text::Both(subscriptions::METRICS),
        &[NOW, NOW, NOW, COUNT, NOW, COUNT, LIMIT],
        &["webhook_subscriptions_active_end", "webhook_subscriptions_failing"],
    ),
    often(
        "figures of subscriptions that nobody reads",
        Text::Both(subscriptions::IDLE),
        &[NOW, NOW, NOW, COUNT, NOW, COUNT],
        &["accounts_idle", "calendars_missing"],
    ),
    often(
        "notification figures",
        Text::Both(notifications::METRICS),
        &[("bigint", "19950 * 60000000::bigint")],
        &["notification_figures"],
    ),
    often(
        "notification spans",
        Text::Both(notifications::SPANS),
        &[("bigint", "19950 * 60000000::bigint"), ("bigint", "3600000000::bigint")],
        &["notification_figures"],
    ),
    often(
        "health spans",
        Text::Both(figures::SPANS),
        &[("bigint", "9900 * 3600000000::bigint"), ("bigint", "14400000000::bigint")],
        &["health_hours"],
    ),
    often("subscriptions", Text::Both(listings::ALL), &[CHANNEL, LIMIT], &[]),
    often("ended subscriptions", Text::Both(listings::EXPIRED), &[CHANNEL, LIMIT], &[]),
    often(
        "refused subscriptions",
        Text::Both(listings::FAILED),
        &[CHANNEL, LIMIT],
        &["webhook_subscriptions_history"],
    ),
    often(
        "suspended subscriptions",
        Text::Both(listings::SUSPENDED),
        &[CHANNEL, LIMIT],
        &["webhook_subscriptions_history"],
    ),
    often(
        "subscriptions of a person",
        Text::Both(listings::OF_PERSON),
        &[CHANNEL, LIMIT, USER],
        &["calendars_account"],
    ),
    often(
        "failing subscriptions",
        Text::Both(listings::FAILING),
        &[COUNT, CHANNEL, LIMIT, COUNT],
        &["webhook_subscriptions_failing"],
    ),
    often(
        "ending subscriptions",
        Text::Both(listings::ENDING),
        &[COUNT, CHANNEL, LIMIT, NOW],
        &["webhook_subscriptions_active_end"],
    ),
    often(
        "silent subscriptions",
        Text::Both(listings::SILENT),
        &[COUNT, CHANNEL, LIMIT, NOW],
        &["webhook_subscriptions_alive_at"],
    ),
    often(
        "notifications",
        Text::Both(listings::RECEIVED),
        &[NOW, NOTIFICATION, LIMIT],
        &["webhook_notifications_received_at"],
    ),
    often(
        "notifications in a state",
        Text::Both(listings::PENDING),
        &[NOW, NOTIFICATION, LIMIT],
        &["webhook_notifications_status_received_at"],
    ),
    often(
        "notifications of a channel",
        Text::Both(listings::RECEIVED_OF_CHANNEL),
        &[NOW, NOTIFICATION, LIMIT, CHANNEL],
        &["webhook_notifications_subscription_received_at"],
    ),
    often("rules", Text::Both(listings::PROMISED), &[NOW, RULE, LIMIT], &["rule_freshness_promised"]),
    often(
        "rules without a promise",
        Text::Both(listings::UNPROMISED),
        &[RULE, LIMIT],
        &["rule_freshness_unpromised"],
    ),
    often("delays of rules", Text::Rows(&listings::DELAYS), &[RULE, COUNT], &[]),
    often("audit log", Text::Both(listings::AUDIT), &[NOW, LIMIT], &[]),
    often("overdue", Text::Both(leases::OVERDUE), &[NOW, NOW, LIMIT], &["calendars_due"]),
    often("recent", Text::Both(notifications::RECENT), &[NOW, LIMIT], &["webhook_notifications_received_at"]),
    often("claim deliveries", Text::Both(alerts::CLAIM), &[NOW, NOW, LIMIT], &["alert_deliveries_due"]),
    often("alert groups", Text::Both(alerts::GROUPS), &[], &["alerts_one_open"]),
    often(
        "retries",
        Text::Both(notifications::RETRIES),
        &[NOW, LIMIT],
        &["webhook_notifications_next_retry_at"],
    ),
    often("expiring", Text::Both(subscriptions::EXPIRING), &[NOW], &["webhook_subscriptions_active_end"]),
    often("ended", Text::Both(subscriptions::ENDED), &[NOW, LIMIT], &["webhook_subscriptions_active_end"]),
    often(
        "expire",
        Text::Rows(&subscriptions::EXPIRE),
        &[CALENDAR, NOW],
        &["webhook_subscriptions_one_active"],
    ),
    often(
        "backlog",
        Text::Both(notifications::BACKLOG),
        &[NOW],
        &["webhook_notifications_status_received_at"],
    ),
    often(
        "pick",
        Text::Both(runs::PICK),
        &[CALENDAR, NOW, RUN],
        &["webhook_notifications_subscription_received_at"],
    ),
    often(
        "complete",
        Text::Both(runs::COMPLETE),
        &[CALENDAR, RUN, NOW, COUNT, COUNT, COUNT, NOW, NOW],
        &["webhook_notifications_subscription_received_at"],
    ),
    often("mark", Text::Rows(&receipts::MARK), &[CHANNEL, NOW], &[]),
    often("raise", Text::Rows(&calendars::RAISE), &[CALENDAR, NOW, COUNT, COUNT], &[]),
    often("next", Text::Rows(&leases::NEXT), &[CALENDAR, COUNT, NOW], &[]),
    often(
        "stored",
        Text::Rows(&settle::STORED),
        &[CALENDAR, CORRELATION, TEXT, COUNT, COUNT, TEXT, COUNT, NOW, TEXT, TEXT],
        &[],
    ),
    often(
        "note",
        Text::Rows(&journal::NOTE),
        &[
            CALENDAR,
            CORRELATION,
            RUN,
            RULE,
            ("text", "'changed'"),
            TEXT,
            TEXT,
            TEXT,
            TEXT,
            COUNT,
            NOW,
            NOW,
            NOW,
        ],
        &[],
    ),
    often("shown", Text::Rows(&journal::SHOWN), &[CALENDAR, TEXT, COUNT, NOW], &["journal_unverified"]),
    often("shown to be gone", Text::Rows(&journal::GONE), &[CALENDAR, TEXT, NOW], &["journal_unverified"]),
    often("not shown", Text::Both(journal::ABSENT), &[CALENDAR, NOW, NOW], &["journal_unverified"]),
    often("rows of a run", Text::Both(journal::ROWS), &[RUN, LIMIT], &["journal_run"]),
    often("the last of a block", Text::Both(journal::LAST), &[CALENDAR, CALENDAR], &["journal_block"]),
    often("later rows", Text::Both(journal::LATER), &[RUN, LIMIT], &["journal_run", "journal_block"]),
    often("rows counted", Text::Rows(&journal::COUNTS), &[RUN_OF_ROW], &["journal_run"]),
    often(
        "runs that wrote",
        Text::Both(journal::WROTE_RUNS),
        &[USER, COUNT, NOW, RUN, LIMIT, CALENDAR],
        &["sync_runs_wrote"],
    ),
    often("copied", Text::Both(journal::FORGET_COPIED[0]), &[CALENDAR, CALENDAR], &["journal_texts"]),
    often("copied and standing", Text::Both(journal::FORGET_COPIED[1]), &[CALENDAR, CALENDAR], &[]),
    often("removed", Text::Rows(&settle::REMOVED), &[CALENDAR, CORRELATION, TEXT], &[]),
    often("postponed", Text::Rows(&settle::POSTPONED), &[CALENDAR, CORRELATION, COUNT, NOW, TEXT], &[]),
    often("done", Text::Rows(&settle::DONE), &[CALENDAR, CORRELATION], &[]),
    often("blocks gone", Text::Rows(&walk::BLOCKS_GONE), &[CALENDAR, TEXT], &[]),
    often("plan due", Text::Rows(&walk::PLAN_DUE), &[CALENDAR, NOW], &[]),
    often(
        "fail",
        Text::Rows(&runs::FAIL),
        &[NOTIFICATION, RUN, ("text", "'failed'"), ("bigint", "NULL"), NOW, TEXT],
        &[],
    ),
    often("count", Text::Rows(&runs::COUNT), &[CHANNEL, COUNT], &[]),
];
