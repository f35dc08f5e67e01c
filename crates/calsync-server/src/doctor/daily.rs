//! The same examination every day, by itself, of an installation that nobody looks at: which of its findings people are told of.
//! Pure, but for the examination.

use std::time::Duration;

use calsync_core::alert::AlertLevel;
use calsync_core::ports::Clock;
use calsync_engine::Found;

use crate::checks::{Check, Findings, Outcome};
use crate::config::Settings;
use crate::out::{Format, Out};

/// What is found amiss is looked at again after so long: a network that blinks is nobody's business.
const AGAIN: Duration = Duration::from_secs(30);
/// What has alerts of its own, which are quicker.
const TOLD_ELSEWHERE: [&str; 4] = ["database", "redis", "disk", "accounts"];
/// What comes by itself. Other warnings are of settings that somebody chose.
const LAPSES: [&str; 5] = ["certificate", "clock", "consents", "scopes", "time zones"];

/// What can't be looked at while something else fails.
const RESTS_ON: [(&str, &[&str]); 9] = [
    ("sealing key", &["database"]),
    ("consents", &["database", "sealing key"]),
    ("scopes", &["database", "sealing key"]),
    ("clock", &["google", "microsoft", OUTGOING]),
    ("google", &[OUTGOING]),
    ("microsoft", &[OUTGOING]),
    ("reachable", &[OUTGOING]),
    ("certificate", &["reachable", OUTGOING]),
    ("handshake", &["reachable", OUTGOING]),
];
/// Without it nothing is looked at over the network.
pub(super) const OUTGOING: &str = "outgoing calls";

/// What is wrong, and still is after a while; and what could not be judged.
pub(crate) async fn examine(settings: &Settings, clock: &dyn Clock) -> (Vec<Found>, Vec<&'static str>) {
    let checks = once(settings, clock).await;
    let first = told(&checks);
    if first.is_empty() {
        return (first, unjudged(&checks));
    }
    tokio::time::sleep(AGAIN).await;
    let checks = once(settings, clock).await;
    let mut again = told(&checks);
    again.retain(|found| first.iter().any(|before| before.subject == found.subject));
    (again, unjudged(&checks))
}

/// What nobody can tell by these checks, as it was not looked at: whether it is over, least of all.
pub(crate) fn unjudged(checks: &[Check]) -> Vec<&'static str> {
    let fails =
        |name: &str| checks.iter().any(|check| check.name == name && check.outcome == Outcome::Failed);
    let judged = |name| checks.iter().any(|check| check.name == name && check.outcome != Outcome::Skipped);
    let rests = RESTS_ON.iter().filter(|(name, on)| !judged(*name) && on.iter().any(|on| fails(on)));
    rests.map(|(name, _)| *name).collect()
}

async fn once(settings: &Settings, clock: &dyn Clock) -> Vec<Check> {
    let mut findings = Findings::new(Out::new(Format::Json));
    super::examine(settings, clock, &mut findings).await;
    findings.into_checks()
}

/// What people are told of these checks.
pub(crate) fn told(checks: &[Check]) -> Vec<Found> {
    let level = |check: &Check| match check.outcome {
        Outcome::Failed => Some(AlertLevel::Error),
        Outcome::Warning if LAPSES.contains(&check.name) => Some(AlertLevel::Warning),
        Outcome::Warning | Outcome::Skipped | Outcome::Ok => None,
    };
    let news = checks.iter().filter(|check| !TOLD_ELSEWHERE.contains(&check.name));
    let found = news.filter_map(|check| {
        Some(Found {
            subject: check.name.to_owned(),
            level: level(check)?,
            message: format!("{}: {}.", check.name, check.detail),
            action: format!(
                "{}. `calendar-sync doctor` looks again.",
                check.remedy.as_deref().unwrap_or("See docs/operations.md")
            ),
        })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rests_on_something_that_fails_is_not_over() {
        let slow = [Check::ok("database", "answers"), Check::failed("database", "slow", "look")];
        assert_eq!(unjudged(&slow), ["sealing key", "consents", "scopes"]);
        let away =
            [Check::failed("database", "gone", "start it"), Check::skipped("sealing key", "no database")];
        assert_eq!(unjudged(&away), ["sealing key", "consents", "scopes"]);
        let silent = Check::failed("reachable", "silent", "start it");
        assert_eq!(unjudged(std::slice::from_ref(&silent)), ["certificate", "handshake"]);
        // Looked at all the same.
        assert_eq!(unjudged(&[silent, Check::ok("certificate", "believed")]), ["handshake"]);
        let half =
            [Check::failed("google", "silent", ""), Check::ok("microsoft", ""), Check::ok("clock", "")];
        assert_eq!(unjudged(&half), Vec::<&str>::new());
        assert_eq!(unjudged(&half[..2]), ["clock"]);
        let cut_off = [Check::failed(OUTGOING, "no authorities", "install them")];
        assert_eq!(
            unjudged(&cut_off),
            ["clock", "google", "microsoft", "reachable", "certificate", "handshake"]
        );
        assert!(unjudged(&[Check::ok("database", ""), Check::warning("sealing key", "", "")]).is_empty());
    }

    #[test]
    fn what_somebody_chose_is_no_alert_and_what_lapses_is() {
        let all = [
            Check::ok("configuration", "sound"),
            Check::warning("public address", "it is not set", "set it"),
            Check::failed("database", "gone", "start it"),
            Check::warning("certificate", "it ends soon", "renew it"),
            Check::failed("handshake", "it is altered", "mend the proxy"),
            Check::skipped("redis", "none"),
        ];
        let told: Vec<_> = told(&all).into_iter().map(|found| (found.subject, found.level)).collect();
        assert_eq!(
            told,
            [("certificate".to_owned(), AlertLevel::Warning), ("handshake".to_owned(), AlertLevel::Error)]
        );
    }
}
