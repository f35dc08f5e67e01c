//! What a person sees first: their accounts and calendars, how each stands, and how it is kept up to date.

use calsync_core::calendar::{Account, Calendar};
use calsync_core::hold::Hold;
use calsync_core::ids::{CalendarId, UserId};
use calsync_core::overview::State;
use calsync_core::schedule::Method;
use calsync_core::subscription::Subscription;
use serde::Serialize;

use crate::{Engine, EngineError};

/// One account with its calendars.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AccountOverview {
    /// The account.
    pub account: Account,
    /// Its calendars, by name.
    pub calendars: Vec<CalendarOverview>,
}

/// One calendar.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CalendarOverview {
    /// The calendar.
    pub calendar: Calendar,
    /// How it stands.
    pub state: State,
    /// How it is kept up to date.
    pub method: Method,
    /// Its push channel.
    pub subscription: Option<Subscription>,
    /// What holds its plan.
    pub hold: Option<Hold>,
    /// Writes wait for it.
    pub writes_wait: bool,
}

impl Engine {
    /// A user's accounts, the oldest first, each with its calendars.
    pub async fn overview(&self, user: UserId) -> Result<Vec<AccountOverview>, EngineError> {
        let state = self.state(user).await?;
        let (methods, rules) = (self.methods(&state).await?, self.store.freshness(user).await?);
        let now = self.clock.now();
        let one = |calendar: &Calendar, account: &Account| {
            let is_it = |id: CalendarId| id == calendar.id;
            let hold = state.holds.iter().find(|hold| is_it(hold.target)).cloned();
            CalendarOverview {
                state: State::of(calendar, Some(account), &rules, hold.as_ref(), now),
                method: methods.get(&calendar.id).copied().unwrap_or(Method::Polling),
                subscription: state.subscriptions.iter().find(|s| is_it(s.calendar)).cloned(),
                hold,
                writes_wait: state.waiting_writes.iter().any(|(id, _)| is_it(*id)),
                calendar: calendar.clone(),
            }
        };
        let mut accounts: Vec<AccountOverview> = state
            .accounts
            .iter()
            .map(|account| {
                let theirs = state.calendars.iter().filter(|calendar| calendar.account == account.id);
                let mut calendars: Vec<CalendarOverview> = theirs.map(|c| one(c, account)).collect();
                calendars.sort_by(|a, b| {
                    (&a.calendar.name, a.calendar.id).cmp(&(&b.calendar.name, b.calendar.id))
                });
                AccountOverview { account: account.clone(), calendars }
            })
            .collect();
        accounts.sort_by_key(|one| (one.account.created_at, one.account.id));
        Ok(accounts)
    }
}
