//! What a person does with their calendars and accounts: let one take part, take it out, remove an account, look now, let a
//! held plan go. One method each for every face, with who did it for the audit log.

use std::collections::BTreeSet;

use calsync_core::calendar::{Account, Calendar, Leaving};
use calsync_core::ids::{AccountId, CalendarId, UserId};
use calsync_core::leaving::Share;
use calsync_core::ports::{UserState, Wish};
use calsync_core::rule::{self, Rule};
use serde::Serialize;

use crate::rules::of;
use crate::{Engine, EngineError};

/// Tries to let a calendar take part while its user's rules change.
const TRIES: usize = 8;

/// What enabling a calendar did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Enabled {
    /// As it was before.
    pub calendar: Calendar,
    /// It took part already: nothing was done.
    pub already: bool,
    /// Rules that were stored for it.
    pub linked: Vec<Rule>,
    /// Rules from or to it that are in force now, implied ones included.
    pub in_force: usize,
}

/// What taking a calendar out did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TakenOut {
    /// It is on its way out, or stands still.
    Now,
    /// It was already, for this reason or for one that does more.
    Already,
}

/// What goes, or stays behind, with an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AccountPreview {
    /// The account.
    pub account: Account,
    /// Its calendars, by id.
    pub calendars: Vec<CalendarId>,
    /// Blocks in its calendars and of its calendars, by where they stand.
    pub shares: Vec<Share>,
}

/// What removing an account did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub enum AccountRemoved {
    /// It is gone, with all that was known of it here.
    Gone,
    /// Its calendars are on their way out first, and so many blocks still stand: ask again when they are gone.
    OnItsWay(usize),
}

/// Whether an account may go while blocks stand that nobody could find afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blocks {
    /// They are removed before it goes.
    RemoveFirst,
    /// Those in its calendars are left there. Those of its calendars in others are removed afterwards, as ever.
    LeaveBehind,
}

impl Engine {
    /// Lets a calendar take part, linked as its user's defaults say. It starts from what its provider shows from now on.
    pub async fn enable_calendar(
        &self,
        (user, calendar): (UserId, CalendarId),
        who: &str,
    ) -> Result<Enabled, EngineError> {
        let enabled = self.enable_calendars(user, &[calendar], who).await?.pop();
        enabled.ok_or_else(|| EngineError::NotFound(format!("calendar {calendar}")))
    }

    /// The same with several at once: nobody looks at one of them before all take part.
    pub async fn enable_calendars(
        &self,
        user: UserId,
        which: &[CalendarId],
        who: &str,
    ) -> Result<Vec<Enabled>, EngineError> {
        for _ in 0..TRIES {
            let state = self.state(user).await?;
            let (mut calendars, mut rules) = (state.calendars.clone(), state.rules.clone());
            for id in which {
                let calendar = calendars.iter_mut().find(|c| c.id == *id);
                let calendar = calendar.ok_or_else(|| EngineError::NotFound(format!("calendar {id}")))?;
                (calendar.sync_enabled, calendar.leaving) = (true, None);
                rules = rule::linked(&rules, &calendars, &state.rule_defaults, *id);
            }
            let after = (rules.as_slice(), calendars.as_slice(), &state.rule_defaults);
            let mut step = rule::step(user, of(&state), after);
            let effective = rule::effective(after.0, after.1, after.2);
            let (put, joins) = (step.put.clone(), step.enabled.clone());
            let enabled = |known: &Calendar| {
                let concerns = |r: &&Rule| r.source == known.id || r.target == known.id;
                Enabled {
                    already: !joins.contains(&known.id),
                    linked: put.iter().filter(concerns).cloned().collect(),
                    in_force: effective.iter().filter(concerns).count(),
                    calendar: known.clone(),
                }
            };
            let known = which.iter().filter_map(|id| state.calendars.iter().find(|c| c.id == *id));
            let enabled: Vec<Enabled> = known.map(enabled).collect();
            if joins.is_empty() {
                return Ok(enabled);
            }
            let news = enabled.iter().filter(|one| !one.already);
            step.audit = news
                .map(|one| format!("enabled calendar {}, with {} rules", one.calendar.id, one.in_force))
                .collect();
            if self.take_over(step, who).await? {
                joins.iter().for_each(|calendar| self.known.forget(*calendar));
                return Ok(enabled);
            }
        }
        Err(EngineError::Busy)
    }

    /// What would go, or be left, if this calendar left: how many blocks where.
    pub async fn preview_leaving(
        &self,
        user: UserId,
        calendar: CalendarId,
    ) -> Result<Vec<Share>, EngineError> {
        self.state_around(user, calendar).await?;
        self.shares(user, &BTreeSet::from([calendar])).await
    }

    /// Takes a calendar out for this reason. One that is on its way out already stays on it; a reset does what a disabling
    /// does, and more: it does not become less.
    pub async fn leave_calendar(
        &self,
        (user, calendar): (UserId, CalendarId),
        why: Leaving,
        who: &str,
    ) -> Result<TakenOut, EngineError> {
        let (_, known) = self.state_around(user, calendar).await?;
        let done_with = !known.sync_enabled && known.leaving.is_none() && why == Leaving::Disabled;
        let less = why == Leaving::Disabled && known.leaving == Some(Leaving::Reset);
        if done_with || less || known.leaving == Some(why) {
            return Ok(TakenOut::Already);
        }
        self.take_out(&known, why).await?;
        let did = match why {
            Leaving::Disabled => "disabled",
            Leaving::Reset => "reset",
            Leaving::Stopped => "stopped",
        };
        self.store.audit(who, &format!("{did} calendar {calendar}"), self.clock.now()).await?;
        Ok(TakenOut::Now)
    }

    /// What removing an account would concern.
    pub async fn preview_account(
        &self,
        user: UserId,
        account: AccountId,
    ) -> Result<AccountPreview, EngineError> {
        let state = self.state(user).await?;
        let known = state.accounts.iter().find(|a| a.id == account).cloned();
        let account = known.ok_or_else(|| EngineError::NotFound(format!("account {account}")))?;
        let theirs = state.calendars.iter().filter(|c| c.account == account.id);
        let calendars: Vec<CalendarId> = theirs.map(|c| c.id).collect();
        let shares = self.shares(user, &calendars.iter().copied().collect()).await?;
        Ok(AccountPreview { account, calendars, shares })
    }

    /// Removes an account. Its calendars leave first, so that no block stays behind that nobody could find; while some still
    /// stand, the account stays too, and this is asked again.
    pub async fn remove_account(
        &self,
        (user, account): (UserId, AccountId),
        blocks: Blocks,
        who: &str,
    ) -> Result<AccountRemoved, EngineError> {
        let preview = self.preview_account(user, account).await?;
        for calendar in &preview.calendars {
            self.leave_calendar((user, *calendar), Leaving::Disabled, who).await?;
        }
        let left: usize = preview.shares.iter().map(|share| share.blocks).sum();
        let state = self.state(user).await?;
        let open = |c: &&Calendar| preview.calendars.contains(&c.id) && c.is_on_its_way_out();
        if blocks == Blocks::RemoveFirst && (left > 0 || state.calendars.iter().any(|c| open(&c))) {
            return Ok(AccountRemoved::OnItsWay(left));
        }
        self.store.remove_account(account).await?;
        let line = format!("removed account {account} of user {user}; {left} blocks stood");
        self.store.audit(who, &line, self.clock.now()).await?;
        Ok(AccountRemoved::Gone)
    }

    /// Looks at these calendars of one user now, or at all that take part; which.
    pub async fn look_now(
        &self,
        user: UserId,
        (which, wish): (Option<&BTreeSet<CalendarId>>, Wish),
        who: &str,
    ) -> Result<Vec<CalendarId>, EngineError> {
        let state = self.state(user).await?;
        let asked = |c: &&Calendar| which.is_none_or(|which| which.contains(&c.id));
        let takes_part = |c: &&Calendar| c.sync_enabled && !c.missing;
        let chosen: Vec<CalendarId> =
            state.calendars.iter().filter(asked).filter(takes_part).map(|c| c.id).collect();
        if chosen.is_empty() {
            return Ok(chosen);
        }
        self.sync_now(&chosen, wish).await?;
        let how = if wish == Wish::Full { "in full" } else { "for changes" };
        let line = format!("asked to look at {} calendars of user {user} {how}", chosen.len());
        self.store.audit(who, &line, self.clock.now()).await?;
        Ok(chosen)
    }

    /// Lets the held plan of a calendar go ahead; `false` if none is held.
    pub async fn approve_hold(
        &self,
        (user, calendar): (UserId, CalendarId),
        who: &str,
    ) -> Result<bool, EngineError> {
        self.state_around(user, calendar).await?;
        let now = self.clock.now();
        let approved = self.store.approve_hold(calendar, now).await?;
        if approved {
            self.store.audit(who, &format!("approved the held plan of calendar {calendar}"), now).await?;
        }
        Ok(approved)
    }

    /// All that is known of a user, and one of their calendars; nobody else's is found.
    async fn state_around(
        &self,
        user: UserId,
        calendar: CalendarId,
    ) -> Result<(UserState, Calendar), EngineError> {
        let state = self.state(user).await?;
        let known = state.calendars.iter().find(|c| c.id == calendar).cloned();
        let known = known.ok_or_else(|| EngineError::NotFound(format!("calendar {calendar}")))?;
        Ok((state, known))
    }
}
