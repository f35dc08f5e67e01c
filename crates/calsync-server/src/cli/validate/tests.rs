//! What each finding means.

use calsync_core::health::Finding;

use super::*;

fn is(check: &Check, outcome: Outcome, words: &str) {
    assert_eq!(check.outcome, outcome, "{check:?}");
    assert!(check.text().contains(words), "{words:?} in {check:?}");
}

#[test]
fn a_database_may_be_empty_old_or_current_but_not_newer() {
    let known = SqlStore::schema_version();
    is(&judge_migration(&Ok(0)), Outcome::Ok, "the schema can be made");
    is(&judge_migration(&Ok(known)), Outcome::Ok, "current");
    is(&judge_migration(&Ok(known + 1)), Outcome::Ok, "current");
    let newer = Err(StoreError::NewerSchema { found: 9, known });
    is(&judge_migration(&newer), Outcome::Failed, "newer calendar-sync");
    is(&judge_migration(&Err(StoreError::Unavailable("gone".to_owned()))), Outcome::Failed, "gone");
}

#[test]
fn before_the_first_start_nothing_stands_behind_the_proxy() {
    let base = "https://sync.example.com";
    is(&standing(base, &Err(Unreached::Status(502)))[0], Outcome::Warning, "nothing behind it");
    is(&standing(base, &Err(Unreached::Status(404)))[0], Outcome::Failed, "404");
    let health = |status: &str| Ok(Health { status: status.to_owned(), unwell: vec!["database".to_owned()] });
    is(&standing(base, &health("critical"))[0], Outcome::Failed, "database");
    is(&standing(base, &health("degraded"))[1], Outcome::Ok, "degraded");
}

#[test]
fn a_level_that_is_critical_fails_and_says_why() {
    let report = |level| Report {
        level,
        findings: vec![Finding { check: "database", level, says: "It does not answer.".to_owned() }],
        conditions: vec![],
        unjudged: vec![],
        recommendations: vec![],
    };
    let after = Duration::from_secs(3);
    is(&judge_level(&report(Level::Healthy), after)[0], Outcome::Ok, "healthy after 3 s");
    is(&judge_level(&report(Level::Degraded), after)[0], Outcome::Warning, "database: It does not answer");
    let critical = judge_level(&report(Level::Critical), after);
    is(&critical[0], Outcome::Failed, "critical after 3 s");
    is(&critical[1], Outcome::Failed, "It does not answer");
}
