//! Every condition that people are told of, with its name, how loud it is, and how many of a kind are spoken of. docs/runbook.md has an entry
//! for each.

use super::AlertLevel;

/// A condition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AlertKind {
    /// The whole system became worse.
    StatusChanged,
    /// The database does not answer.
    DatabaseDown,
    /// Redis is configured and does not answer.
    CacheDown,
    /// The disk is filling up.
    DiskLow,
    /// Memory is running out.
    MemoryLow,
    /// The clock was set, or ran away.
    ClockJumped,
    /// Channels end soon that renewal should have taken.
    SubscriptionExpiring,
    /// Many channels fail.
    SubscriptionFailures,
    /// Too many notifications could not be served.
    LowSuccessRate,
    /// Notifications wait for too long.
    ProcessingBacklog,
    /// A provider answers with errors.
    ProviderErrors,
    /// A provider slows us down.
    ProviderThrottled,
    /// A calendar should have been looked at long ago.
    SyncOverdue,
    /// A rule is not known to be right any more.
    RuleBehind,
    /// A job by the clock has not been done.
    JobOverdue,
    /// A check of the installation fails: a certificate that ends, a sign-in that will, an address that answers no more.
    CheckFailed,
    /// An account must be connected again.
    AccountNeedsReconnect,
    /// A plan is held by the brake.
    DeletionsHeld,
    /// A target takes no writes.
    WritesRefused,
    /// A plan was refused by its audit.
    PlanRefused,
    /// A calendar can't be read, and will not be without somebody's doing.
    CalendarUnreadable,
    /// The provider refuses to list what changed, again and again.
    CursorLost,
    /// A push channel fails again and again.
    SubscriptionFailing,
    /// A push channel was taken out of use.
    SubscriptionSuspended,
}

use AlertKind::{
    AccountNeedsReconnect, CacheDown, CalendarUnreadable, CheckFailed, ClockJumped, CursorLost, DatabaseDown,
    DeletionsHeld, DiskLow, JobOverdue, LowSuccessRate, MemoryLow, PlanRefused, ProcessingBacklog,
    ProviderErrors, ProviderThrottled, RuleBehind, StatusChanged, SubscriptionExpiring, SubscriptionFailing,
    SubscriptionFailures, SubscriptionSuspended, SyncOverdue, WritesRefused,
};

impl AlertKind {
    /// All of them.
    pub const ALL: [AlertKind; 24] = [
        StatusChanged,
        DatabaseDown,
        CacheDown,
        DiskLow,
        MemoryLow,
        ClockJumped,
        SubscriptionExpiring,
        SubscriptionFailures,
        LowSuccessRate,
        ProcessingBacklog,
        ProviderErrors,
        ProviderThrottled,
        SyncOverdue,
        RuleBehind,
        JobOverdue,
        CheckFailed,
        AccountNeedsReconnect,
        DeletionsHeld,
        WritesRefused,
        PlanRefused,
        CalendarUnreadable,
        CursorLost,
        SubscriptionFailing,
        SubscriptionSuspended,
    ];

    /// Its name, in the database, in messages and in the runbook.
    pub const fn as_str(self) -> &'static str {
        match self {
            StatusChanged => "status_changed",
            DatabaseDown => "database_down",
            CacheDown => "cache_down",
            DiskLow => "disk_low",
            MemoryLow => "memory_low",
            ClockJumped => "clock_jumped",
            SubscriptionExpiring => "subscription_expiring",
            SubscriptionFailures => "subscription_failures",
            LowSuccessRate => "low_success_rate",
            ProcessingBacklog => "processing_backlog",
            ProviderErrors => "provider_errors",
            ProviderThrottled => "provider_throttled",
            SyncOverdue => "sync_overdue",
            RuleBehind => "rule_behind",
            JobOverdue => "job_overdue",
            CheckFailed => "check_failed",
            AccountNeedsReconnect => "account_needs_reconnect",
            DeletionsHeld => "deletions_held",
            WritesRefused => "writes_refused",
            PlanRefused => "plan_refused",
            CalendarUnreadable => "calendar_unreadable",
            CursorLost => "cursor_lost",
            SubscriptionFailing => "subscription_failing",
            SubscriptionSuspended => "subscription_suspended",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<AlertKind> {
        AlertKind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// How loud it is (spec §8), where what happened does not say otherwise.
    pub const fn level(self) -> AlertLevel {
        match self {
            DatabaseDown | SubscriptionSuspended => AlertLevel::Critical,
            SubscriptionExpiring | LowSuccessRate | ProcessingBacklog | MemoryLow | StatusChanged
            | CursorLost => AlertLevel::Warning,
            _ => AlertLevel::Error,
        }
    }

    /// Whether it tells of what will break unless somebody does something: that is no news any more once it has, and is told while
    /// all is well.
    pub const fn foretells(self) -> bool {
        matches!(self, CheckFailed | SubscriptionExpiring)
    }

    /// So many of them, in words; `None` where there is never more than one.
    pub const fn many(self) -> Option<&'static str> {
        Some(match self {
            ProviderErrors => "providers answer with errors",
            ProviderThrottled => "providers slow us down",
            SyncOverdue => "calendars should have been looked at long ago",
            RuleBehind => "rules are behind",
            JobOverdue => "jobs have not been done",
            CheckFailed => "checks of the installation fail",
            AccountNeedsReconnect => "accounts must be connected again",
            DeletionsHeld => "calendars are held: too much would be removed",
            WritesRefused => "calendars do not take blocks",
            PlanRefused => "plans were refused by their audit",
            CalendarUnreadable => "calendars can not be read",
            CursorLost => "calendars are read in full each time",
            SubscriptionFailing => "push channels fail again and again; their calendars are polled",
            SubscriptionSuspended => "push channels were taken out of use; their calendars are polled",
            _ => return None,
        })
    }
}
