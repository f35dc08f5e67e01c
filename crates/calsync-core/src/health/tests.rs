//! The table of spec §8, each boundary on both sides; several at once; nothing happening at all; and levels that swing.

mod unknown;

use proptest::prelude::*;

use super::*;
use crate::freshness::{Freshness, Standing};
use crate::ids::{CalendarId, RuleId};
use crate::subscription::SubscriptionStatus;
use crate::time::Ts;

/// A quiet day.
fn quiet() -> Stored {
    Stored {
        push_wanted: true,
        subscriptions: SubscriptionMetrics::default(),
        census: vec![],
        notifications: NotificationMetrics::default(),
        waiting: 0,
        calls: vec![],
        overdue: vec![],
        late_jobs: vec![],
        behind: vec![],
    }
}

fn figures(stored: Stored) -> Figures {
    Figures {
        database: Answer::Answers { ms: 1 },
        cache: None,
        disk: None,
        memory: None,
        clock_jumped: None,
        stored: Some(stored),
    }
}

fn silent() -> Answer {
    Answer::Silent { why: "it hangs".to_owned() }
}

fn kinds(report: &Report) -> Vec<&'static str> {
    report.conditions.iter().map(|condition| condition.kind.as_str()).collect()
}

#[track_caller]
fn check(figures: &Figures, level: Level, told: &[&str]) {
    let report = assess(figures);
    assert_eq!((report.level, kinds(&report)), (level, told.to_vec()), "{report:#?}");
}

fn channels(healthy: u64, active: u64, unwatched: u64) -> Stored {
    let subscriptions = SubscriptionMetrics { active, healthy, unwatched, ..SubscriptionMetrics::default() };
    Stored { subscriptions, ..quiet() }
}

fn ended(completed: u64, failed: u64) -> Stored {
    let total = completed + failed + 1_000;
    let notifications =
        NotificationMetrics { total, completed, failed, pending: 1_000, ..Default::default() };
    Stored { notifications, ..quiet() }
}

use Level::{Critical, Degraded, Healthy};

/// goals.md §4 rows 6 and 7: a quiet night and a fresh install are well, and what has just arrived has not failed.
#[test]
fn nothing_happening_is_healthy() {
    check(&figures(quiet()), Healthy, &[]);
    check(&figures(Stored { push_wanted: false, ..channels(0, 0, 9) }), Healthy, &[]);
    check(&figures(ended(0, 0)), Healthy, &[]);
}

#[test]
fn database_and_cache() {
    let well = figures(quiet());
    check(&Figures { database: silent(), stored: None, ..well.clone() }, Critical, &["database_down"]);
    check(&Figures { cache: Some(Answer::Answers { ms: 1 }), ..well.clone() }, Healthy, &[]);
    check(&Figures { cache: Some(silent()), ..well.clone() }, Degraded, &["cache_down"]);
    let both = Figures { database: silent(), cache: Some(silent()), stored: None, ..well };
    check(&both, Critical, &["database_down", "cache_down"]);
}

#[test]
fn shares_of_subscriptions() {
    for (healthy, active, unwatched, level) in [
        (95, 100, 0, Healthy),
        (949, 1_000, 0, Degraded),
        (80, 100, 0, Degraded),
        (799, 1_000, 0, Critical),
        // One that should be there and is not counts as one that does not deliver.
        (95, 95, 5, Healthy),
        (94, 94, 6, Degraded),
        (79, 79, 21, Critical),
        // goals.md §4 row 8: five of ten are half, however much is wrong with them.
        (5, 10, 0, Critical),
        (0, 1, 0, Critical),
        (1_000_000, 1_000_000, 0, Healthy),
    ] {
        check(&figures(channels(healthy, active, unwatched)), level, &[]);
    }
}

#[test]
fn shares_of_notifications() {
    for (completed, failed, level) in [
        (95, 5, Healthy),
        (949, 51, Degraded),
        (90, 10, Degraded),
        (899, 101, Critical),
        (0, 1, Critical),
        (1, 0, Healthy),
    ] {
        let told: &[&str] = if level == Healthy { &[] } else { &["low_success_rate"] };
        check(&figures(ended(completed, failed)), level, told);
    }
}

#[test]
fn what_waits_and_what_fails() {
    for (waiting, level) in [(1, Healthy), (5, Healthy), (6, Degraded), (20, Degraded), (21, Critical)] {
        check(&figures(Stored { waiting, ..quiet() }), level, &["processing_backlog"]);
    }
    for (failing, level, told) in [
        (5, Healthy, &[][..]),
        (6, Degraded, &["subscription_failures"]),
        (10, Degraded, &["subscription_failures"]),
        (11, Critical, &["subscription_failures"]),
    ] {
        let mut stored = channels(1_000, 1_000, 0);
        stored.subscriptions.failing = failing;
        check(&figures(stored), level, told);
    }
    for (late, told) in [(5, &[][..]), (6, &["subscription_expiring"])] {
        let mut stored = channels(1_000, 1_000, 0);
        stored.subscriptions.late = late;
        check(&figures(stored), Healthy, told);
    }
}

#[test]
fn the_machine() {
    let disk = |free| Figures { disk: Some(Disk { free, total: 1 << 40 }), ..figures(quiet()) };
    for (free, level, told) in [
        (512 << 20, Healthy, &[][..]),
        ((512 << 20) - 1, Degraded, &["disk_low"]),
        (64 << 20, Degraded, &["disk_low"]),
        ((64 << 20) - 1, Critical, &["disk_low"]),
        (0, Critical, &["disk_low"]),
    ] {
        check(&disk(free), level, told);
    }
    assert_eq!(assess(&disk(0)).conditions[0].level, AlertLevel::Critical);
    for (available, level, told) in [(5, Healthy, &[][..]), (4, Degraded, &["memory_low"])] {
        let memory = Some(Memory { resident: 1, available, total: 100 });
        check(&Figures { memory, ..figures(quiet()) }, level, told);
    }
    for (jump, level, told) in [
        (59, Healthy, &[][..]),
        (60, Degraded, &["clock_jumped"]),
        (-59, Healthy, &[]),
        (-60, Degraded, &["clock_jumped"]),
    ] {
        check(&Figures { clock_jumped: Some(jump), ..figures(quiet()) }, level, told);
    }
}

#[test]
fn work_and_providers() {
    let overdue =
        Overdue { calendar: CalendarId(uuid::Uuid::nil()), due_at: Ts::from_secs(0), held_by: None };
    let stored = Stored { overdue: vec![overdue.clone(), overdue], ..quiet() };
    check(&figures(stored.clone()), Degraded, &["sync_overdue", "sync_overdue"]);
    assert_eq!(
        assess(&figures(stored.clone())).conditions[0].subject,
        uuid::Uuid::nil().to_string(),
        "it is named"
    );
    let behind = |source: u128, standing| Freshness {
        rule: RuleId(uuid::Uuid::from_u128(7)),
        source: CalendarId(uuid::Uuid::from_u128(source)),
        target: CalendarId(uuid::Uuid::from_u128(9)),
        standing,
        since: Ts::from_secs(0),
        right_at: None,
        promised_until: Some(Ts::from_secs(60)),
    };
    let named = behind(8, Standing::Unread);
    let report = assess(&figures(Stored { behind: vec![named], ..quiet() }));
    assert_eq!((report.level, kinds(&report)), (Healthy, vec!["rule_behind"]));
    let condition = &report.conditions[0];
    assert_eq!(condition.subject, named.rule.to_string());
    for word in [named.source.to_string(), named.target.to_string(), Standing::Unread.cause().to_owned()] {
        assert!(condition.message.contains(&word), "{}", condition.message);
    }
    // Once is enough: nobody looked at its source, and that is said.
    let all = vec![behind(0, Standing::Right), behind(0, Standing::Waiting), behind(8, Standing::Right)];
    let told = ["sync_overdue", "sync_overdue", "rule_behind", "rule_behind"];
    check(&figures(Stored { behind: all, ..stored.clone() }), Degraded, &told);
    let late_jobs = vec![LateJob { name: "maintenance".to_owned(), late_seconds: 7_200 }];
    check(&figures(Stored { late_jobs, ..quiet() }), Healthy, &["job_overdue"]);
    let calls = |lately, lately_failed, lately_throttled| {
        let calls = Calls {
            provider: ProviderKind::Google,
            calls: lately,
            errors: lately_failed,
            average_ms: 1,
            quota_percent: None,
            lately,
            lately_failed,
            lately_throttled,
        };
        figures(Stored { calls: vec![calls], ..quiet() })
    };
    for (figures, told) in [
        (calls(4, 4, 0), &[][..]),
        (calls(5, 2, 0), &[]),
        (calls(6, 3, 0), &["provider_errors"]),
        (calls(5, 5, 0), &["provider_errors"]),
        (calls(100, 0, 9), &[]),
        (calls(100, 0, 10), &["provider_throttled"]),
        (calls(1_000, 0, 99), &[]),
        // Half of a handful is no quota that is used up.
        (calls(10, 0, 9), &[]),
        (calls(0, 0, 0), &[]),
    ] {
        check(&figures, Healthy, told);
    }
}

#[test]
fn everything_at_once_is_all_told() {
    let mut stored = channels(10, 100, 0);
    stored.subscriptions.failing = 50;
    stored.subscriptions.late = 50;
    stored.waiting = 21;
    stored.notifications =
        NotificationMetrics { completed: 1, failed: 9, average_ms: 5_001, ..Default::default() };
    let all = Figures { cache: Some(silent()), disk: Some(Disk { free: 0, total: 1 }), ..figures(stored) };
    let told = [
        "cache_down",
        "disk_low",
        "subscription_failures",
        "subscription_expiring",
        "low_success_rate",
        "processing_backlog",
    ];
    check(&all, Critical, &told);
    let report = assess(&all);
    assert!(report.conditions.iter().all(|c| !c.message.is_empty() && !c.action.is_empty()));
    assert!(report.recommendations.iter().any(|words| words.contains("5 s on average")), "{report:?}");
}

#[test]
fn one_is_told_as_one() {
    for (unwatched, words) in [
        (1, "1 calendar could have a push channel and has none"),
        (2, "2 calendars could have a push channel and have none"),
    ] {
        let report = assess(&figures(channels(100, 100, unwatched)));
        assert!(report.recommendations.iter().any(|said| said.starts_with(words)), "{report:?}");
    }
    for (waiting, words) in [
        (1, "1 notification has waited for more than 5 minutes."),
        (7, "7 notifications have waited for more than 5 minutes."),
    ] {
        let report = assess(&figures(Stored { waiting, ..quiet() }));
        let told: Vec<&str> = report.findings.iter().map(|finding| finding.says.as_str()).collect();
        assert!(told.contains(&words), "{told:?}");
    }
}

#[test]
fn what_could_be_better_is_said() {
    let said = |stored: Stored| assess(&figures(stored)).recommendations.len();
    assert_eq!(said(quiet()), 0);
    let slow = |average_ms| {
        let notifications = NotificationMetrics { completed: 1, average_ms, ..Default::default() };
        Stored { notifications, ..quiet() }
    };
    assert_eq!((said(slow(5_000)), said(slow(5_001))), (0, 1));
    assert_eq!(said(channels(99, 99, 1)), 1);
    assert_eq!(said(Stored { push_wanted: false, ..channels(99, 99, 1) }), 0, "nobody wants one");
    let out_of_use = |active: u64, count: u64| {
        let one = |status, count| SubscriptionCensus { provider: ProviderKind::Google, status, count };
        let census = vec![one(SubscriptionStatus::Active, active), one(SubscriptionStatus::Expired, count)];
        Stored { census, ..channels(active, active, 0) }
    };
    for (active, count, recommended) in [(1, 1_000, 0), (1, 1_001, 1), (200, 2_000, 0), (200, 2_001, 1)] {
        assert_eq!(said(out_of_use(active, count)), recommended, "{count} beside {active}");
    }
}

fn at(secs: i64) -> Ts {
    Ts::from_secs(1_000_000 + secs)
}

/// The levels in force, when these are seen at these seconds.
fn lived(seen: &[(i64, Level)]) -> Vec<(i64, Level)> {
    let (mut known, mut changes) = (Damped::well(at(0)), vec![]);
    for (secs, level) in seen {
        let (next, change) = damp(&known, *level, at(*secs));
        if let Some(change) = change {
            assert_eq!(change.from, known.level);
            changes.push((*secs, change.to));
        }
        known = next;
    }
    changes
}

#[test]
fn worse_soon_and_better_later() {
    let critical = |from: i64, to: i64| (from..to).step_by(5).map(|s| (s, Critical)).collect::<Vec<_>>();
    let healthy = |from: i64, to: i64| (from..to).step_by(5).map(|s| (s, Healthy)).collect::<Vec<_>>();
    assert_eq!(lived(&critical(10, 25)), [], "a moment is nothing");
    assert_eq!(lived(&critical(10, 30)), [(25, Critical)], "within half a minute");
    let there_and_back = [critical(10, 100), healthy(100, 400)].concat();
    assert_eq!(lived(&there_and_back), [(25, Critical), (220, Healthy)]);
    // On the way down through degraded it is critical as soon as it would have been.
    let through = [vec![(10, Degraded), (15, Degraded), (20, Critical)], critical(25, 30)].concat();
    assert_eq!(lived(&through), [(25, Critical)]);
    // What was seen the other way does not count.
    let across =
        [vec![(0, Degraded), (15, Degraded)], healthy(300, 410), vec![(410, Critical)], healthy(415, 520)];
    assert_eq!(lived(&across.concat()), [(15, Degraded)]);
    // From critical to degraded is better, too.
    let halfway = [critical(10, 100), (100..300).step_by(5).map(|s| (s, Degraded)).collect()].concat();
    assert_eq!(lived(&halfway), [(25, Critical), (220, Degraded)]);
}

#[test]
fn what_swings_every_minute_changes_seldom() {
    let minute = |n: i64| if n % 2 == 0 { Critical } else { Healthy };
    let day: Vec<_> = (0..86_400).step_by(10).map(|s| (s, minute(s / 60))).collect();
    assert_eq!(lived(&day), [(20, Critical)], "it stays worse for as long as it swings");
    let quarter = |n: i64| if n % 2 == 0 { Critical } else { Healthy };
    let day: Vec<_> = (0..86_400).step_by(10).map(|s| (s, quarter(s / 900))).collect();
    assert!(lived(&day).len() <= 8, "{:?}", lived(&day));
}

/// How long it was well for before that is believed, after it became worse at these seconds, each for a minute.
fn believed_after(worse: &[i64]) -> i64 {
    let looks = (0..worse.last().unwrap() + 8_000).step_by(5);
    let level = |s: i64| if worse.iter().any(|at| (*at..at + 60).contains(&s)) { Critical } else { Healthy };
    let seen: Vec<_> = looks.map(|s| (s, level(s))).collect();
    let (at, level) = *lived(&seen).last().unwrap();
    assert_eq!(level, Healthy);
    at - worse.last().unwrap() - 60
}

#[test]
fn swings_are_forgotten_after_two_hours() {
    assert_eq!(believed_after(&[0]), 120);
    assert_eq!(believed_after(&[0, 3_000]), 240);
    assert_eq!(believed_after(&[0, 3_000, 6_000]), 480);
    assert_eq!(believed_after(&[0, 3_000, 6_000, 20_000]), 120, "that was long ago");
}

#[test]
fn a_clock_that_was_ahead_holds_nothing_up() {
    let known = Damped { since: at(999_999), better_at: Some(at(999_999)), ..Damped::well(at(0)) };
    let known = Damped { seen: Some((Critical, at(999_999))), ..known };
    let (known, change) = damp(&known, Critical, at(0));
    assert_eq!(change, None);
    assert_eq!(damp(&known, Critical, at(20)).1, Some(Change { from: Healthy, to: Critical }));
}

#[test]
fn each_level_has_its_responses() {
    assert_eq!(responses(Critical), [Response::PollEverybody, Response::SuspendFailing]);
    assert_eq!(responses(Degraded), [Response::Maintain]);
    assert_eq!(responses(Healthy), [Response::RelyOnPush]);
}

proptest! {
    /// Whatever is seen: what lasts comes into force, and nothing comes into force that was not seen.
    #[test]
    fn what_lasts_is_in_force(
        seen in prop::collection::vec((0_u8..3, 1_i64..600), 1..100),
        last in 0_u8..3,
    ) {
        let level = |n| [Healthy, Degraded, Critical][usize::from(n)];
        let (mut known, mut now) = (Damped::well(at(0)), 0);
        for (n, stretch) in seen {
            let (next, change) = damp(&known, level(n), at(now));
            prop_assert!(change.is_none_or(|change| change.to == level(n) && change.from == known.level));
            (known, now) = (next, now + stretch);
        }
        for _ in 0..=361 {
            known = damp(&known, level(last), at(now)).0;
            now += 10;
        }
        prop_assert_eq!(known.level, level(last), "after an hour");
    }

    /// More that is wrong never makes it look better.
    #[test]
    fn worse_figures_are_never_better(
        healthy in 0_u64..200, more in 0_u64..50, failed in 0_u64..50, waiting in 0_u64..30, failing in 0_u64..15,
    ) {
        let of = |healthy, failed, waiting, failing| {
            let mut stored = channels(healthy, 200, 0);
            stored.notifications = NotificationMetrics { completed: 100, failed, ..Default::default() };
            stored.subscriptions.failing = failing;
            assess(&figures(Stored { waiting, ..stored })).level
        };
        let now = of(healthy, failed, waiting, failing);
        prop_assert!(of(healthy.saturating_sub(more), failed, waiting, failing) >= now);
        prop_assert!(of(healthy, failed + more, waiting, failing) >= now);
        prop_assert!(of(healthy, failed, waiting + more, failing) >= now);
        prop_assert!(of(healthy, failed, waiting, failing + more) >= now);
    }
}
