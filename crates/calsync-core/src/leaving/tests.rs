//! What leaving would remove, when it is over, and what keeps the rest.

use uuid::Uuid;

use super::*;
use crate::block::{CalendarRef, Fingerprint, OccurrenceKey};
use crate::calendar::{Access, Leaving, ProviderKind};
use crate::ids::{AccountId, CorrelationId, RuleId, UserId};
use crate::time::{Span, Ts};

fn id(n: u128) -> CalendarId {
    CalendarId(Uuid::from_u128(n))
}

fn row(source: u128, target: u128, state: LedgerState) -> LedgerRow {
    LedgerRow {
        correlation: CorrelationId(Uuid::nil()),
        rule: RuleId(Uuid::nil()),
        source: id(source),
        occurrence: OccurrenceKey { event: "e".into(), original: None },
        target: id(target),
        block: None,
        generation: 0,
        state,
        wrote: Fingerprint(1),
        echo: None,
        span: Span::Timed { start: Ts::from_secs(0), end: Ts::from_secs(1) },
        repairs: 0,
        written_at: None,
    }
}

/// A calendar on its way out that was looked at once more.
fn looked_at(leaving: Leaving) -> Calendar {
    Calendar {
        name: "A".into(),
        time_zone: "Europe/Vienna".into(),
        access: Access::Owner,
        leaving: Some(leaving),
        last_full_sync: Some(Ts::from_secs(9)),
        ..Calendar::new(
            id(1),
            AccountId(Uuid::nil()),
            UserId(Uuid::nil()),
            CalendarRef { provider: "google".into(), account: "1".into(), calendar: "a".into() },
        )
    }
}

fn account(status: AccountStatus) -> Account {
    Account {
        id: AccountId(Uuid::nil()),
        user: UserId(Uuid::nil()),
        provider: ProviderKind::Google,
        remote_id: "1".into(),
        email: "ada@example.com".into(),
        status,
        status_detail: None,
        created_at: Ts::from_secs(0),
    }
}

#[test]
fn a_share_counts_what_stands_or_may() {
    use LedgerState::{Creating, Gone, Live, Yielded};
    let ledger = [
        row(1, 2, Live),
        row(1, 2, Creating),
        row(1, 2, Gone),
        row(2, 1, Yielded),
        row(3, 1, Live),
        row(3, 2, Live),
        row(2, 3, Live),
    ];
    let share = |source, target, blocks| Share { source: id(source), target: id(target), blocks };
    assert_eq!(shares(&[id(1)].into(), &ledger), [share(1, 2, 2), share(2, 1, 1), share(3, 1, 1)]);
    // Two that leave together: what stands between them counts once.
    let both = shares(&[id(1), id(2)].into(), &ledger);
    assert_eq!(both.iter().map(|s| s.blocks).sum::<usize>(), 6);
    assert_eq!(shares(&BTreeSet::new(), &ledger), []);
}

#[test]
fn it_is_over_when_it_was_looked_at_and_nothing_is_left() {
    use AccountStatus::{Active, NeedsReconnect};
    let disabled = || looked_at(Leaving::Disabled);
    let unread = || Calendar { last_full_sync: None, ..disabled() };
    let elsewhere = [Share { source: id(2), target: id(3), blocks: 5 }];
    let of_it = [Share { source: id(1), target: id(3), blocks: 1 }];
    let in_it = [Share { source: id(2), target: id(1), blocks: 1 }];
    let table: [(&str, Calendar, AccountStatus, &[Share], bool); 11] = [
        ("nothing is left", disabled(), Active, &[], true),
        ("others' blocks elsewhere", disabled(), Active, &elsewhere, true),
        ("one of it elsewhere", disabled(), Active, &of_it, false),
        ("one in it", disabled(), Active, &in_it, false),
        ("a reset", looked_at(Leaving::Reset), Active, &[], true),
        ("stopped is not on its way out", looked_at(Leaving::Stopped), Active, &[], false),
        ("in use", Calendar { leaving: None, ..disabled() }, Active, &[], false),
        ("not looked at", unread(), Active, &[], false),
        ("can't be looked at", unread(), NeedsReconnect, &[], true),
        ("is not there", Calendar { missing: true, ..unread() }, Active, &[], true),
        ("was never written to", Calendar { access: Access::Read, ..unread() }, Active, &[], true),
    ];
    for (name, calendar, status, left, over) in table {
        assert_eq!(is_over(&calendar, Some(&account(status)), left), over, "{name}");
    }
}

#[test]
fn the_first_thing_to_mend_is_named() {
    use AccountStatus::{Active, Disabled, NeedsReconnect};
    let here = || looked_at(Leaving::Disabled);
    let hold = Hold {
        target: id(1),
        reason: String::new(),
        deletions: 9,
        digest: 1,
        since: Ts::from_secs(0),
        last_agreed_at: Ts::from_secs(0),
        agreed: 0,
        undone: None,
        approved: false,
    };
    let gone = || Calendar { missing: true, ..here() };
    let table = [
        (gone(), NeedsReconnect, Some(&hold), Some("503"), Obstacle::NeedsReconnect),
        (here(), Disabled, None, None, Obstacle::AccountDisabled),
        (gone(), Active, Some(&hold), Some("503"), Obstacle::Missing),
        (looked_at(Leaving::Stopped), Active, None, None, Obstacle::Stopped),
        (Calendar { access: Access::Read, ..here() }, Active, None, Some("403"), Obstacle::ReadOnly),
        (here(), Active, Some(&hold), Some("503"), Obstacle::Provider("503".into())),
        (here(), Active, Some(&hold), None, Obstacle::Held),
        (here(), Active, None, None, Obstacle::UnderWay),
    ];
    for (target, status, hold, error, expected) in table {
        assert_eq!(obstacle(&target, Some(&account(status)), hold, error), expected);
    }
    assert_eq!(obstacle(&here(), None, None, None), Obstacle::NeedsReconnect);
}
