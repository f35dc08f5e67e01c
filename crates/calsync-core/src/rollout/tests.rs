//! Who is in, and that nobody who is in ever falls out by letting more in.

use proptest::prelude::*;

use super::*;
use crate::ids::UserId;
use crate::time::Ts;

fn user(n: u128) -> User {
    let id = UserId(Uuid::from_u128(n));
    User { id, email: format!("user{n}@example.com"), is_staff: false, created_at: Ts::from_secs(0) }
}

fn calendar(n: u128) -> CalendarId {
    CalendarId(Uuid::from_u128(n))
}

fn percent(n: u8) -> Percent {
    Percent::try_from(n).unwrap()
}

fn flags(calendars: u8, users: u8) -> Rollout {
    Rollout {
        rollout_percentage: percent(calendars),
        user_rollout_percentage: percent(users),
        ..Rollout::default()
    }
}

#[test]
fn the_share_admitted_is_the_percentage() {
    for asked in [0, 1, 10, 33, 50, 75, 99, 100] {
        let of_calendars = (0..100_000).filter(|n| flags(asked, 100).admits(calendar(*n), &user(1))).count();
        let of_users = (0..100_000).filter(|n| flags(100, asked).admits(calendar(1), &user(*n))).count();
        for admitted in [of_calendars, of_users] {
            let off = admitted.abs_diff(usize::from(asked) * 1_000);
            assert!(off < 1_000, "{asked} %: {admitted} of 100,000");
        }
    }
    assert!((0..1_000).all(|n| flags(100, 100).admits(calendar(n), &user(n))));
    assert!(!(0..1_000).any(|n| flags(0, 100).admits(calendar(n), &user(n))));
}

proptest! {
    #[test]
    fn growing_a_percentage_never_drops_anyone(
        c in any::<u128>(), u in any::<u128>(), a in 0u8..=100, b in 0u8..=100, more_a in 0u8..=100, more_b in 0u8..=100,
    ) {
        let before = flags(a, b).admits(calendar(c), &user(u));
        let after = flags(a.max(more_a), b.max(more_b)).admits(calendar(c), &user(u));
        prop_assert!(!before || after);
    }
}

/// Written down once: other versions must find everybody in the same bucket.
#[test]
fn buckets_are_for_ever() {
    let id = |text: &str| Uuid::parse_str(text).unwrap();
    let found: Vec<u64> = [
        bucket("calendar", id("01920000-0000-7000-8000-000000000000")),
        bucket("user", id("01920000-0000-7000-8000-000000000000")),
        bucket("user", id("01920000-0000-7000-8000-000000000001")),
    ]
    .into();
    assert_eq!(found, [1902, 3632, 8907]);
}

#[test]
fn early_adopters_are_in_unless_all_is_off() {
    let named: BTreeSet<String> = ["user7@example.com".to_owned()].into();
    let in_phase = |phase: Phase, n| phase.of(&named).admits(calendar(n), &user(n));
    assert!(!in_phase(Phase::Off, 7));
    assert!(in_phase(Phase::EarlyAdopters, 7) && !in_phase(Phase::EarlyAdopters, 8));
    assert!(Phase::ALL.into_iter().skip(1).all(|phase| in_phase(phase, 7)));
    assert!(in_phase(Phase::Everybody, 8));
}

#[test]
fn phases_let_in_what_their_names_say() {
    for (phase, share) in Phase::ALL.into_iter().zip([0, 0, 10_000, 75_000, 100_000]) {
        let flags = phase.of(&BTreeSet::new());
        assert_eq!(flags.phase(), Some(phase));
        assert_eq!(Phase::numbered(phase.number()), Some(phase));
        let admitted = (0..100_000).filter(|n| flags.admits(calendar(n + 1), &user(*n))).count();
        assert!(admitted.abs_diff(share) < 1_000, "{phase:?}: {admitted}");
    }
    assert_eq!(flags(50, 50).phase(), None);
    assert_eq!((Phase::numbered(0), Phase::numbered(6)), (None, None));
}

#[test]
fn what_is_no_percentage_or_address_is_refused() {
    assert_eq!(Percent::try_from(101), Err("101 is no percentage: 0 to 100".to_owned()));
    assert!(serde_json::from_str::<Percent>("101").is_err());
    for good in ["ada@example.com", " Ada.L+x@Mail.Example.COM ", "a@localhost"] {
        assert_eq!(address(good), Ok(good.trim().to_lowercase()), "{good}");
    }
    for bad in [
        "",
        "ada",
        "@example.com",
        "ada@",
        "ada@@example.com",
        "a b@example.com",
        "ada@example..com",
        "Ada <ada@example.com>",
        "ada@example.com,bob@example.com",
    ] {
        assert!(address(bad).is_err(), "{bad}");
    }
    assert!(address(&format!("{}@example.com", "a".repeat(250))).is_err());
}
