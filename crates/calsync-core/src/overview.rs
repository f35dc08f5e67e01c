//! How a calendar stands, for its owner: one state out of everything that is known, the gravest first. Pure.

use serde::Serialize;
use utoipa::ToSchema;

use crate::calendar::{Account, AccountStatus, Calendar, Leaving};
use crate::freshness::{Freshness, Standing};
use crate::hold::Hold;
use crate::ids::RunId;
use crate::time::Ts;

/// How a calendar stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
#[schema(as = CalendarState)]
pub enum State {
    /// It takes no part.
    Off,
    /// It takes no part any more, and blocks are on their way out.
    GoingOff,
    /// Its owner stopped it: all stays as it is.
    Stopped,
    /// Its account must be connected again.
    NeedsReconnect,
    /// Its owner switched its account off.
    AccountDisabled,
    /// Its provider no longer lists it.
    Missing,
    /// Its plan is held by the brake.
    Held {
        /// Why.
        reason: String,
        /// Since when.
        since: Ts,
        /// Somebody approved it: it goes on with the next look.
        approved: bool,
        /// How many blocks its plan would remove.
        deletions: u32,
        /// The run that was undone, where that is why: with an approval the rules go on.
        #[serde(skip_serializing_if = "Option::is_none")]
        undone: Option<RunId>,
    },
    /// It was never read to its end.
    New,
    /// It takes part, and there is nobody to keep in step with.
    Alone,
    /// Some of its rules are not right, or not known to be.
    Behind {
        /// How the gravest of them stands.
        standing: Standing,
        /// Since when.
        since: Ts,
    },
    /// Blocks are on their way.
    CatchingUp {
        /// How the gravest of its rules stands.
        standing: Standing,
        /// Since when.
        since: Ts,
    },
    /// All that follows from it stands, and all that should stand in it.
    InStep {
        /// Since when it is known to be so without a break.
        since: Ts,
        /// When that was last seen.
        seen: Option<Ts>,
    },
}

impl State {
    /// Of a calendar with these rules from and to it.
    pub fn of(
        calendar: &Calendar,
        account: Option<&Account>,
        rules: &[Freshness],
        hold: Option<&Hold>,
        now: Ts,
    ) -> State {
        match calendar.leaving {
            Some(Leaving::Stopped) => return State::Stopped,
            Some(Leaving::Disabled | Leaving::Reset) => return State::GoingOff,
            None if !calendar.sync_enabled => return State::Off,
            None => {}
        }
        match account.map(|account| account.status) {
            Some(AccountStatus::NeedsReconnect) => return State::NeedsReconnect,
            Some(AccountStatus::Disabled) => return State::AccountDisabled,
            Some(AccountStatus::Active) | None => {}
        }
        if calendar.missing {
            return State::Missing;
        }
        if let Some(hold) = hold {
            return State::Held {
                reason: hold.reason.clone(),
                since: hold.since,
                approved: hold.approved,
                deletions: hold.deletions,
                undone: hold.undone,
            };
        }
        if calendar.last_synced_at.is_none() {
            return State::New;
        }
        let concerns = |rule: &&Freshness| rule.source == calendar.id || rule.target == calendar.id;
        let rules: Vec<&Freshness> = rules.iter().filter(concerns).collect();
        let gravest = rules.iter().filter(|rule| needs_a_word(rule, now)).max_by_key(|rule| rule.standing);
        if let Some(rule) = gravest {
            let (standing, since) = (rule.standing, rule.since);
            return if rule.is_behind(now) || !standing.promises() {
                State::Behind { standing, since }
            } else {
                State::CatchingUp { standing, since }
            };
        }
        // The other end is paused: its own calendar says so.
        let right = || rules.iter().filter(|rule| rule.standing == Standing::Right);
        match right().map(|rule| rule.since).max() {
            Some(since) => State::InStep { since, seen: right().filter_map(|rule| rule.right_at).min() },
            None => State::Alone,
        }
    }

    /// Whether somebody has to do something about it.
    pub const fn wants_somebody(&self) -> bool {
        matches!(
            self,
            State::NeedsReconnect
                | State::Missing
                | State::Held { approved: false, .. }
                | State::Behind { .. }
        )
    }
}

fn needs_a_word(rule: &Freshness, now: Ts) -> bool {
    match rule.standing {
        Standing::Right => rule.is_behind(now),
        // Told where it is: at the calendar that is held, or whose account ended.
        Standing::Paused | Standing::Held => false,
        Standing::Filling
        | Standing::Waiting
        | Standing::Unread
        | Standing::Refused
        | Standing::Unreadable => true,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::block::CalendarRef;
    use crate::calendar::ProviderKind;
    use crate::ids::{AccountId, CalendarId, RuleId, UserId};

    fn at(secs: i64) -> Ts {
        Ts::from_secs(secs)
    }

    fn calendar(change: impl Fn(&mut Calendar)) -> Calendar {
        let remote =
            CalendarRef { provider: "google".into(), account: "ada".into(), calendar: "work".into() };
        let [id, account, user] = [1, 2, 3].map(Uuid::from_u128);
        let mut calendar = Calendar::new(CalendarId(id), AccountId(account), UserId(user), remote);
        calendar.sync_enabled = true;
        calendar.last_synced_at = Some(at(90));
        change(&mut calendar);
        calendar
    }

    fn account(status: AccountStatus) -> Account {
        Account {
            id: AccountId(Uuid::from_u128(2)),
            user: UserId(Uuid::from_u128(3)),
            provider: ProviderKind::Google,
            remote_id: "1".into(),
            email: "ada@example.com".into(),
            status,
            status_detail: None,
            created_at: at(0),
        }
    }

    fn rule(standing: Standing, since: i64, promised_until: Option<i64>) -> Freshness {
        let [rule, source, target] = [9, 1, 4].map(Uuid::from_u128);
        Freshness {
            rule: RuleId(rule),
            source: CalendarId(source),
            target: CalendarId(target),
            standing,
            since: at(since),
            right_at: Some(at(95)),
            promised_until: promised_until.map(at),
        }
    }

    fn hold() -> Hold {
        Hold {
            target: CalendarId(Uuid::from_u128(1)),
            reason: "30 of 40".into(),
            deletions: 30,
            digest: 1,
            since: at(50),
            last_agreed_at: at(50),
            agreed: 0,
            approved: false,
            undone: None,
        }
    }

    #[test]
    fn the_gravest_thing_is_told() {
        use AccountStatus::{Active, NeedsReconnect};
        let fine = calendar(|_| ());
        let state = |c: &Calendar, status, rules: &[Freshness], hold: Option<&Hold>| {
            State::of(c, Some(&account(status)), rules, hold, at(100))
        };
        let right = rule(Standing::Right, 60, Some(200));
        let in_step = State::InStep { since: at(60), seen: Some(at(95)) };
        assert_eq!(state(&fine, Active, &[right], None), in_step);
        assert_eq!(state(&fine, Active, &[right, rule(Standing::Paused, 70, None)], None), in_step);
        assert_eq!(state(&fine, Active, &[], None), State::Alone);
        assert_eq!(state(&fine, NeedsReconnect, &[right], Some(&hold())), State::NeedsReconnect);
        let held = State::Held {
            reason: "30 of 40".into(),
            since: at(50),
            approved: false,
            deletions: hold().deletions,
            undone: None,
        };
        assert_eq!(state(&fine, Active, &[rule(Standing::Held, 50, None)], Some(&hold())), held);
        let filling = rule(Standing::Filling, 80, Some(200));
        assert_eq!(
            state(&fine, Active, &[right, filling], None),
            State::CatchingUp { standing: Standing::Filling, since: at(80) }
        );
        for (standing, until) in [
            (Standing::Waiting, Some(99)),
            (Standing::Right, Some(99)),
            (Standing::Refused, None),
            (Standing::Unreadable, None),
        ] {
            let behind = State::Behind { standing, since: at(80) };
            assert_eq!(state(&fine, Active, &[right, rule(standing, 80, until)], None), behind);
            assert!(behind.wants_somebody());
        }
        assert_eq!(state(&calendar(|c| c.last_synced_at = None), Active, &[], None), State::New);
        assert_eq!(state(&calendar(|c| c.missing = true), Active, &[right], None), State::Missing);
        assert_eq!(state(&calendar(|c| c.sync_enabled = false), NeedsReconnect, &[], None), State::Off);
        let leaving = |why| calendar(move |c| (c.sync_enabled, c.leaving) = (false, Some(why)));
        assert_eq!(state(&leaving(Leaving::Stopped), Active, &[right], None), State::Stopped);
        assert_eq!(state(&leaving(Leaving::Reset), Active, &[right], None), State::GoingOff);
    }
}
