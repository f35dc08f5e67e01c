//! The table of spec §8, and what stands beside it.

use super::{Answer, Calls, Condition, Figures, Finding, Level, Report, Stored};
use crate::alert::{AlertKind, AlertLevel};
use crate::freshness::{Freshness, Standing};

/// Subscriptions that deliver, of those that should, in per cent (spec §8).
const HEALTHY_SHARE: u64 = 95;
const CRITICAL_SHARE: u64 = 80;
/// Notifications that were served, of those that ended, in per cent (spec §8).
const SUCCESS_SHARE: u64 = 95;
const SUCCESS_CRITICAL: u64 = 90;
/// Notifications that wait too long (spec §8).
const WAITING: u64 = 5;
const WAITING_CRITICAL: u64 = 20;
/// Subscriptions that fail again and again (spec §8).
const FAILING: u64 = 5;
const FAILING_CRITICAL: u64 = 10;
/// Subscriptions that end though they should have been renewed (spec §8).
const LATE: u64 = 5;
/// A disk with less room than this will be full soon; with less than that it is as good as full.
const DISK_LOW: u64 = 512 << 20;
const DISK_FULL: u64 = 64 << 20;
/// Less memory than this share, in per cent, is little.
const MEMORY_LOW: u64 = 5;
/// A clock that was set by less than this hurts nobody, in seconds.
const CLOCK_JUMP: u64 = 60;
/// Fewer calls than this tell nothing about a provider.
const CALLS_MIN: u64 = 5;
/// From this share of failed or refused calls on, in per cent, people are told.
const ERRORS_SHARE: u64 = 50;
const THROTTLED_SHARE: u64 = 10;
const THROTTLED_MIN: u64 = 10;
/// Processing slower than this, on average, is worth a look (spec §8), in milliseconds.
const SLOW_MS: u64 = 5_000;

/// What says that something should have been done by now.
const LATENESS: [AlertKind; 3] = [AlertKind::SyncOverdue, AlertKind::RuleBehind, AlertKind::JobOverdue];
/// What the database tells of besides.
const STORED: [AlertKind; 6] = [
    AlertKind::SubscriptionExpiring,
    AlertKind::SubscriptionFailures,
    AlertKind::LowSuccessRate,
    AlertKind::ProcessingBacklog,
    AlertKind::ProviderErrors,
    AlertKind::ProviderThrottled,
];

/// The same shortly after a standstill, when everything is late and has its chance first: nothing is called late, and nothing that
/// was late is called done.
pub fn assess_settling(figures: &Figures) -> Report {
    let mut figures = figures.clone();
    if let Some(stored) = &mut figures.stored {
        (stored.overdue, stored.behind, stored.late_jobs) = (vec![], vec![], vec![]);
    }
    let mut report = assess(&figures);
    report.unjudged.extend(LATENESS);
    report
}

/// How well it is.
pub fn assess(figures: &Figures) -> Report {
    let mut report = Report {
        level: Level::Healthy,
        findings: vec![],
        conditions: vec![],
        unjudged: vec![],
        recommendations: vec![],
    };
    database(figures, &mut report);
    cache(figures, &mut report);
    host(figures, &mut report);
    if let Some(stored) = &figures.stored {
        subscriptions(stored, &mut report);
        notifications(stored, &mut report);
        work(stored, &mut report);
        rules(stored, &mut report);
        stored.calls.iter().for_each(|calls| provider(calls, &mut report));
    } else {
        report.unjudged.extend(STORED.into_iter().chain(LATENESS));
        if figures.database.is_there() {
            // Its figures alone are missing: too slow, or not to be read by this version.
            let says = "The database answers, and its figures can not be read: the log says why.";
            report.find("figures", Level::Degraded, says.to_owned());
        }
    }
    report.level = report.findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Healthy);
    report
}

impl Report {
    /// Whether anything that sets the level can not be judged now, so that it may be worse than it looks.
    pub fn may_be_worse(&self) -> bool {
        self.unjudged.iter().any(|kind| STORED.contains(kind) || LATENESS.contains(kind))
    }

    fn find(&mut self, check: &'static str, level: Level, says: String) {
        self.findings.push(Finding { check, level, says });
    }

    fn tell(&mut self, kind: AlertKind, message: String, action: &str) {
        self.tell_of(kind, String::new(), kind.level(), message, action);
    }

    fn tell_of(
        &mut self,
        kind: AlertKind,
        subject: String,
        level: AlertLevel,
        message: String,
        action: &str,
    ) {
        let action = action.to_owned();
        self.conditions.push(Condition { kind, subject, level, message, action });
    }
}

fn database(figures: &Figures, report: &mut Report) {
    match &figures.database {
        Answer::Answers { ms } => {
            report.find("database", Level::Healthy, format!("It answers within {ms} ms."))
        }
        Answer::Silent { why } => {
            report.find("database", Level::Critical, format!("It does not answer: {why}."));
            report.tell(
                AlertKind::DatabaseDown,
                format!("The database does not answer: {why}. Providers are told to send again later; nothing is synced."),
                "Start the database, bring its file back, or free its disk. calendar-sync goes on by itself; what was acknowledged is kept.",
            );
        }
    }
}

fn cache(figures: &Figures, report: &mut Report) {
    match &figures.cache {
        None => {}
        Some(Answer::Answers { ms }) => {
            report.find("cache", Level::Healthy, format!("It answers within {ms} ms."));
        }
        Some(Answer::Silent { why }) => {
            report.find("cache", Level::Degraded, format!("It does not answer: {why}."));
            report.tell(
                AlertKind::CacheDown,
                format!("Redis does not answer: {why}. Each instance keeps its own limits meanwhile."),
                "Start Redis, or look at redis.url. Nothing is lost while it is away.",
            );
        }
    }
}

fn host(figures: &Figures, report: &mut Report) {
    let unknown =
        [(AlertKind::DiskLow, figures.disk.is_none()), (AlertKind::MemoryLow, figures.memory.is_none())];
    report.unjudged.extend(unknown.into_iter().filter(|(_, unknown)| *unknown).map(|(kind, _)| kind));
    if let Some(disk) = figures.disk {
        let mib = disk.free >> 20;
        let level = worse_below(disk.free, DISK_LOW, DISK_FULL);
        report.find("disk", level, format!("{mib} MiB are free."));
        if level > Level::Healthy {
            let loud = if level == Level::Critical { AlertLevel::Critical } else { AlertLevel::Error };
            let message = format!("Only {mib} MiB are free on the disk of the data directory.");
            let action = "Free some room, or move the data to a larger disk: a full disk stops all syncing.";
            report.tell_of(AlertKind::DiskLow, String::new(), loud, message, action);
        }
    }
    if let Some(memory) = figures.memory {
        let little = memory.available.saturating_mul(100) < memory.total.saturating_mul(MEMORY_LOW);
        let mib = memory.available >> 20;
        let level = if little { Level::Degraded } else { Level::Healthy };
        report.find("memory", level, format!("{mib} MiB are available."));
        if little {
            let ours = memory.resident >> 20;
            report.tell(
                AlertKind::MemoryLow,
                format!("Only {mib} MiB of memory are available; calendar-sync takes up {ours} MiB."),
                "See what else runs there, or give it more: the system ends processes when there is none left.",
            );
        }
    }
    if let Some(jump) = figures.clock_jumped.filter(|jump| jump.unsigned_abs() >= CLOCK_JUMP) {
        let way = if jump > 0 { "forward" } else { "back" };
        report.find("clock", Level::Degraded, format!("It was set {way} by {} s.", jump.unsigned_abs()));
        report.tell(
            AlertKind::ClockJumped,
            format!("The clock of this machine was set {way} by {} s.", jump.unsigned_abs()),
            "See that the time is kept by NTP. Due times were taken from the clock; calendars catch up by themselves.",
        );
    }
}

fn subscriptions(stored: &Stored, report: &mut Report) {
    let metrics = &stored.subscriptions;
    let wanted = stored.channels_wanted();
    let level = worse_share(metrics.healthy, wanted, HEALTHY_SHARE, CRITICAL_SHARE);
    let says = match percent(metrics.healthy, wanted) {
        None => "None are wanted.".to_owned(),
        Some(share) => format!("{} of {wanted} deliver ({share} %).", metrics.healthy),
    };
    report.find("subscriptions", level, says);
    let failing = metrics.failing;
    let level = worse_above(failing, FAILING, FAILING_CRITICAL);
    let says = counted(failing, "fails again and again.", "fail again and again.");
    report.find("failing_subscriptions", level, says);
    if failing > FAILING {
        report.tell(
            AlertKind::SubscriptionFailures,
            format!("{failing} push channels have failed five times in a row or more. Their calendars are polled."),
            "calendar-sync manage-subscriptions health names them and why; calendar-sync doctor looks at the webhook address.",
        );
    }
    if metrics.late > LATE {
        report.tell(
            AlertKind::SubscriptionExpiring,
            format!("{} push channels end within hours and could not be renewed.", metrics.late),
            "See in the log why renewing fails, then: calendar-sync subscription-maintenance.",
        );
    }
    let inactive: u64 = stored.census.iter().map(|one| one.count).sum::<u64>().saturating_sub(metrics.active);
    if stored.push_wanted && metrics.unwatched > 0 {
        let unwatched = counted(
            metrics.unwatched,
            "calendar could have a push channel and has none",
            "calendars could have a push channel and have none",
        );
        let words = format!("{unwatched}: calendar-sync manage-subscriptions create.");
        report.recommendations.push(words);
    }
    if inactive > metrics.active.saturating_mul(10).max(1_000) {
        let words = format!("{inactive} subscriptions are out of use: calendar-sync cleanup-webhook-data.");
        report.recommendations.push(words);
    }
}

/// A number with what it counts and does.
fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

fn notifications(stored: &Stored, report: &mut Report) {
    let metrics = &stored.notifications;
    let ended = metrics.completed + metrics.failed;
    let level = worse_share(metrics.completed, ended, SUCCESS_SHARE, SUCCESS_CRITICAL);
    let share = percent(metrics.completed, ended);
    let says = match share {
        None => "None has ended in the last 24 hours.".to_owned(),
        Some(share) => format!("{} of {ended} were served ({share} %).", metrics.completed),
    };
    report.find("success_rate", level, says);
    if level > Level::Healthy {
        report.tell(
            AlertKind::LowSuccessRate,
            format!(
                "{} of {ended} notifications of the last 24 hours could not be served ({} % could).",
                metrics.failed,
                share.unwrap_or(0)
            ),
            "The log says why each could not be; most often an account or a calendar has an alert of its own: calendar-sync alerts list.",
        );
    }
    let waiting = stored.waiting;
    let says = counted(
        waiting,
        "notification has waited for more than 5 minutes.",
        "notifications have waited for more than 5 minutes.",
    );
    report.find("processing", worse_above(waiting, WAITING, WAITING_CRITICAL), says.clone());
    if waiting > 0 {
        report.tell(
            AlertKind::ProcessingBacklog,
            says,
            "See whether workers run (calendar-sync status) and whether the provider answers.",
        );
    }
    if metrics.average_ms > SLOW_MS {
        let words = format!(
            "Serving a notification takes {} s on average: more sync.workers, or another instance, may help.",
            metrics.average_ms / 1_000
        );
        report.recommendations.push(words);
    }
}

fn work(stored: &Stored, report: &mut Report) {
    let level = if stored.overdue.is_empty() { Level::Healthy } else { Level::Degraded };
    let says = match stored.overdue.len() {
        0 => "Every calendar is looked at in time.".to_owned(),
        1 => "1 calendar or more should have been looked at minutes ago.".to_owned(),
        some => format!("{some} calendars or more should have been looked at minutes ago."),
    };
    report.find("work", level, says);
    for one in &stored.overdue {
        let who = match &one.held_by {
            Some(owner) => format!("{owner} is at work on its user"),
            None => "nobody has taken it up".to_owned(),
        };
        let message = format!("Calendar {} was to be looked at by {}, and {who}.", one.calendar, one.due_at);
        let action = "See whether workers run and what they do: calendar-sync status, and the log of the one that is named.";
        let kind = AlertKind::SyncOverdue;
        report.tell_of(kind, one.calendar.to_string(), kind.level(), message, action);
    }
    for job in &stored.late_jobs {
        let message =
            format!("The job {:?} should have been done {} minutes ago.", job.name, job.late_seconds / 60);
        let action = "See that an instance plays the role of the scheduler, or that your timers run.";
        let kind = AlertKind::JobOverdue;
        report.tell_of(kind, job.name.clone(), kind.level(), message, action);
    }
}

/// No level: what the system does when it is worse off helps none of them, and a provider's outage is no reason to ask more of it.
fn rules(stored: &Stored, report: &mut Report) {
    // Whoever is told that a calendar was not looked at knows why.
    let told = |one: &&Freshness| {
        let late = stored.overdue.iter().any(|overdue| overdue.calendar == one.source);
        late && one.standing == Standing::Right
    };
    let behind: Vec<&Freshness> = stored.behind.iter().filter(|one| !told(one)).collect();
    let says = match stored.behind.len() {
        0 => "Every rule is known to be right, or will be in time.".to_owned(),
        1 => "1 rule or more is behind its promise.".to_owned(),
        some => format!("{some} rules or more are behind their promise."),
    };
    report.find("rules", Level::Healthy, says);
    for one in behind {
        let (source, target, cause) = (one.source, one.target, one.standing.cause());
        let since = match one.right_at {
            Some(at) => format!("have not been known to be right since {at}"),
            None => format!("have never been known to be right, since {}", one.since),
        };
        let message = format!("The blocks of calendar {source} in calendar {target} {since}: {cause}.");
        let action = "calendar-sync status --rules lists every rule, and the log of the two calendars says what fails. It goes on by itself.";
        let kind = AlertKind::RuleBehind;
        report.tell_of(kind, one.rule.to_string(), kind.level(), message, action);
    }
}

fn provider(calls: &Calls, report: &mut Report) {
    let name = calls.provider.as_str();
    let share_of = |part: u64| part.saturating_mul(100) / calls.lately.max(1);
    if calls.lately >= CALLS_MIN && share_of(calls.lately_failed) >= ERRORS_SHARE {
        let message = format!("{} of the last {} calls to {name} failed.", calls.lately_failed, calls.lately);
        let action = "See whether the provider has an outage, and whether this machine can reach it. Calls are tried again by themselves.";
        let kind = AlertKind::ProviderErrors;
        report.tell_of(kind, name.to_owned(), kind.level(), message, action);
    }
    if calls.lately_throttled >= THROTTLED_MIN && share_of(calls.lately_throttled) >= THROTTLED_SHARE {
        let message = format!(
            "{name} refused {} of the last {} calls as too many.",
            calls.lately_throttled, calls.lately
        );
        let action = "Changes arrive later, none is lost. If it lasts: ask the provider for more quota, or lower writes_per_minute.";
        let kind = AlertKind::ProviderThrottled;
        report.tell_of(kind, name.to_owned(), kind.level(), message, action);
    }
}

/// Well up to `well`, degraded up to `bad`, critical beyond.
fn worse_above(figure: u64, well: u64, bad: u64) -> Level {
    match figure {
        _ if figure <= well => Level::Healthy,
        _ if figure <= bad => Level::Degraded,
        _ => Level::Critical,
    }
}

/// Well from `well` on, degraded from `bad` on, critical below.
fn worse_below(figure: u64, well: u64, bad: u64) -> Level {
    match figure {
        _ if figure >= well => Level::Healthy,
        _ if figure >= bad => Level::Degraded,
        _ => Level::Critical,
    }
}

/// The same of a share in per cent. Of nothing, nothing has failed.
fn worse_share(part: u64, whole: u64, well: u64, bad: u64) -> Level {
    let at_least = |share: u64| u128::from(part) * 100 >= u128::from(share) * u128::from(whole);
    match whole {
        0 => Level::Healthy,
        _ if at_least(well) => Level::Healthy,
        _ if at_least(bad) => Level::Degraded,
        _ => Level::Critical,
    }
}

/// In whole per cent, rounded down: nothing looks better than it is.
fn percent(part: u64, whole: u64) -> Option<u64> {
    let share = (u128::from(part) * 100).checked_div(u128::from(whole))?;
    u64::try_from(share).ok()
}
