//! When each begins to be told.

use super::*;
use crate::checks::Outcome;

const NOW: Ts = Ts::from_secs(1_800_000_000);

fn days(n: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * n)
}

fn grant(email: &str, ends: Option<Ts>) -> Grant {
    Grant {
        email: email.to_owned(),
        provider: ProviderKind::Google,
        status: AccountStatus::Active,
        lacks: None,
        ends,
    }
}

#[test]
fn a_certificate_is_told_of_once_its_renewal_is_late() {
    // How long it lives, how much of that is left, and whether that is told.
    for (life, left, outcome) in [
        (90, 30, Outcome::Ok),
        (90, 23, Outcome::Ok),
        (90, 20, Outcome::Warning),
        (90, 0, Outcome::Warning),
        (6, 2, Outcome::Ok),
        (6, 1, Outcome::Warning),
        (397, 40, Outcome::Ok),
        (397, 20, Outcome::Warning),
    ] {
        let until = NOW.plus(days(left));
        let check = certificate(&Ok(Some(Life { from: until.minus(days(life)), until })), NOW);
        assert_eq!(check.outcome, outcome, "{life} {left} {check:?}");
    }
    let until = NOW.plus(days(3));
    let check = certificate(&Ok(Some(Life { from: until.minus(days(90)), until })), NOW);
    assert!(check.detail.contains("Mon 18 Jan 2027, in 3 days"), "{check:?}");
    assert_eq!(certificate(&Ok(None), NOW).outcome, Outcome::Failed);
    assert_eq!(certificate(&Err(Unreached::Stranger), NOW).outcome, Outcome::Failed);
}

#[test]
fn sign_ins_that_end_by_themselves_are_dated() {
    let ends = |n| Some(NOW.plus(days(n)));
    assert_eq!(consents(&[grant("ada@example.com", None)], NOW).outcome, Outcome::Ok);
    let one = consents(&[grant("ada@example.com", ends(6)), grant("bob@example.com", None)], NOW);
    assert_eq!(one.outcome, Outcome::Warning);
    assert_eq!(one.detail, "1 sign-in ends by itself: ada@example.com on Thu 21 Jan 2027 (in 6 days)");
    assert!(one.remedy.unwrap().contains("In production"));
    let many: Vec<_> = (1..=5).rev().map(|n| grant(&format!("u{n}@example.com"), ends(n))).collect();
    let many = consents(&many, NOW).detail;
    assert!(
        many.starts_with("5 sign-ins end by themselves: u1@example.com on") && many.ends_with("; and 2 more"),
        "{many}"
    );
    let lost = Grant { status: AccountStatus::NeedsReconnect, ..grant("ada@example.com", ends(1)) };
    assert_eq!(consents(std::slice::from_ref(&lost), NOW).outcome, Outcome::Ok, "that one has ended");
    assert!(accounts(&[lost]).detail.contains("1 account must be connected again: ada@example.com"));
    assert_eq!(accounts(&[grant("ada@example.com", None)]).outcome, Outcome::Ok);
}

#[test]
fn what_was_not_allowed_is_named() {
    assert_eq!(scopes(&[grant("ada@example.com", None)]).outcome, Outcome::Ok);
    let lacks = Some("not allowed: \"view and edit events on your calendars\"".to_owned());
    let check = scopes(&[Grant { lacks, ..grant("ada@example.com", None) }, grant("bob@example.com", None)]);
    assert_eq!(check.outcome, Outcome::Warning);
    assert!(check.detail.contains("ada@example.com: not allowed: \"view and edit"), "{check:?}");
}

#[test]
fn zone_data_ages_and_a_disk_fills_up() {
    let at = |year: i64| Ts::from_secs((year - 1970) * 31_557_600);
    for (release, year, outcome) in [
        (Some("2026e"), 2027, Outcome::Ok),
        (Some("2026a"), 2027, Outcome::Ok),
        (Some("2026e"), 2028, Outcome::Warning),
        (Some("?"), 2027, Outcome::Warning),
        (None, 2027, Outcome::Warning),
    ] {
        assert_eq!(zones(release, at(year)).outcome, outcome, "{release:?} in {year}");
    }
    assert_eq!(disk("/data", Some(100 << 20)).outcome, Outcome::Failed);
    assert_eq!(disk("/data", Some(900 << 20)).outcome, Outcome::Ok);
    assert_eq!(disk("/data", None).outcome, Outcome::Skipped);
}

#[test]
fn one_day_is_one_day() {
    assert_eq!([days_of(0), days_of(1), days_of(2)], ["0 days", "1 day", "2 days"]);
}
