//! Users, accounts, credentials, calendars and settings in memory.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::block::CalendarRef;
use calsync_core::calendar::{Account, AccountStatus, Calendar, Leaving, ListedCalendar, User};
use calsync_core::ids::{AccountId, CalendarId, RuleId, SubscriptionId, UserId};
use calsync_core::ports::{CalendarChange, ConnectAccount, SealedCredentials, StoreError, Switch, UserState};
use calsync_core::rule::{Link, Rule};
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use calsync_core::time::Ts;
use serde_json::Value;

use super::{State, conflict, raise};
use crate::rows::{AT_ONCE, SOMEBODY_ELSES, missing, user_resource};

impl State {
    pub(super) fn add_user(&mut self, user: &User) -> Result<(), StoreError> {
        let taken = self.users.values().any(|u| u.id == user.id || u.email == user.email);
        if taken || user.email != user.email.to_ascii_lowercase() {
            return Err(conflict(
                "a user with this address exists already, or the address is not in lower case",
            ));
        }
        self.users.insert(user.id, user.clone());
        Ok(())
    }

    pub(super) fn add_first_user(&mut self, user: &User, password: &str) -> Result<bool, StoreError> {
        if !self.users.is_empty() {
            return Ok(false);
        }
        self.add_user(user)?;
        self.passwords.insert(user.id, password.to_owned());
        Ok(true)
    }

    pub(super) fn users(&self) -> Result<Vec<User>, StoreError> {
        let mut users: Vec<User> = self.users.values().cloned().collect();
        users.sort_by(|a, b| a.email.cmp(&b.email));
        Ok(users)
    }

    pub(super) fn remove_user(&mut self, user: UserId) -> Result<(), StoreError> {
        let accounts: Vec<AccountId> =
            self.accounts.values().filter(|a| a.user == user).map(|a| a.id).collect();
        accounts.into_iter().for_each(|account| self.drop_account(account));
        self.users.remove(&user);
        self.passwords.remove(&user);
        self.rule_defaults.remove(&user);
        self.end_sessions(user, None)?;
        self.access_tokens.retain(|_, token| token.user != user);
        self.identities.retain(|_, identity| identity.user != user);
        self.leases.remove(&user_resource(user));
        Ok(())
    }

    pub(super) fn user_state(&self, user: UserId) -> Result<Option<UserState>, StoreError> {
        let Some(person) = self.users.get(&user) else { return Ok(None) };
        let calendars: Vec<Calendar> = self.calendars.values().filter(|c| c.user == user).cloned().collect();
        let theirs: BTreeSet<CalendarId> = calendars.iter().map(|c| c.id).collect();
        let mut subscriptions: Vec<Subscription> = self
            .subscriptions
            .values()
            .filter(|s| theirs.contains(&s.calendar) && s.status == SubscriptionStatus::Active)
            .cloned()
            .collect();
        subscriptions.sort_by_key(|s| (s.calendar, s.id));
        let waiting =
            self.outbox.iter().filter(|(target, writes)| theirs.contains(target) && !writes.is_empty());
        let waiting_writes = waiting
            // `None` sorts before every time: one write that may go at once makes the target's answer.
            .map(|(target, writes)| (*target, writes.iter().map(|w| w.not_before).min().flatten()))
            .collect();
        Ok(Some(UserState {
            user: person.clone(),
            accounts: self.accounts.values().filter(|a| a.user == user).cloned().collect(),
            rule_defaults: self.rule_defaults.get(&user).cloned().unwrap_or_default(),
            rules: self.rules.values().filter(|r| r.user == user).cloned().collect(),
            holds: self.holds.values().filter(|h| theirs.contains(&h.target)).cloned().collect(),
            calendars,
            subscriptions,
            waiting_writes,
        }))
    }

    pub(super) fn connect_account(
        &mut self,
        connect: &ConnectAccount,
        now: Ts,
    ) -> Result<AccountId, StoreError> {
        let new = &connect.account;
        if !self.users.contains_key(&new.user) {
            return Err(missing("user"));
        }
        let same = |a: &&Account| (a.provider, &a.remote_id) == (new.provider, &new.remote_id);
        let id = match self.accounts.values().find(same).cloned() {
            Some(known) if known.user != new.user => return Err(conflict(SOMEBODY_ELSES)),
            Some(known) => {
                let account = Account {
                    email: new.email.clone(),
                    status: AccountStatus::Active,
                    status_detail: None,
                    ..known
                };
                self.accounts.insert(account.id, account.clone());
                account.id
            }
            None if self.accounts.contains_key(&new.id) => {
                return Err(conflict("another account has this id already"));
            }
            None => {
                let account = Account { status: AccountStatus::Active, status_detail: None, ..new.clone() };
                self.accounts.insert(new.id, account);
                new.id
            }
        };
        // A worker that still holds the old credentials must not be able to put them back.
        let version = match self.credentials.get(&id) {
            Some(old) => connect.credentials.version.max(old.version + 1),
            None => connect.credentials.version,
        };
        self.credentials.insert(id, SealedCredentials { version, ..connect.credentials.clone() });
        for calendar in self.calendars.values_mut().filter(|c| c.account == id) {
            calendar.watch_after = Ts::from_secs(0);
            calendar.push_unsupported = false;
            raise(calendar, now);
        }
        Ok(id)
    }

    pub(super) fn credentials(&self, account: AccountId) -> Result<Option<SealedCredentials>, StoreError> {
        Ok(self.credentials.get(&account).cloned())
    }

    pub(super) fn replace_credentials(
        &mut self,
        account: AccountId,
        expected: i64,
        new: &SealedCredentials,
    ) -> Result<bool, StoreError> {
        match self.credentials.get_mut(&account) {
            Some(known) if known.version == expected => {
                *known = new.clone();
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    pub(super) fn all_credentials(&self) -> Result<Vec<(AccountId, SealedCredentials)>, StoreError> {
        Ok(self.credentials.iter().map(|(id, sealed)| (*id, sealed.clone())).collect())
    }

    pub(super) fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let mut all: Vec<Account> = self.accounts.values().cloned().collect();
        all.sort_by(|a, b| (&a.email, a.id).cmp(&(&b.email, b.id)));
        Ok(all)
    }

    pub(super) fn accounts_to_ask(
        &mut self,
        before: Ts,
        after: Ts,
        limit: u32,
    ) -> Result<Vec<(AccountId, UserId)>, StoreError> {
        self.asked.retain(|_, at| *at <= after);
        let asked = |a: &Account| self.asked.get(&a.id).copied().unwrap_or(Ts::from_secs(0));
        let active = self.accounts.values().filter(|a| a.status == AccountStatus::Active);
        let mut due: Vec<_> = active.map(|a| (asked(a), a.id, a.user)).filter(|d| d.0 < before).collect();
        due.sort_unstable();
        Ok(due.into_iter().take(limit as usize).map(|(_, account, user)| (account, user)).collect())
    }

    pub(super) fn note_asked(&mut self, account: AccountId, at: Ts) -> Result<(), StoreError> {
        if self.accounts.contains_key(&account) {
            self.asked.insert(account, at);
        }
        Ok(())
    }

    pub(super) fn set_account_status(
        &mut self,
        account: AccountId,
        status: AccountStatus,
        detail: Option<&str>,
    ) -> Result<(), StoreError> {
        let account = self.accounts.get_mut(&account).ok_or_else(|| missing("account"))?;
        account.status = status;
        account.status_detail = detail.map(str::to_owned);
        Ok(())
    }

    pub(super) fn remove_account(&mut self, account: AccountId) -> Result<(), StoreError> {
        let Some(user) = self.accounts.get(&account).map(|a| a.user) else { return Ok(()) };
        let has_rules = |rules: &BTreeMap<RuleId, Rule>| rules.values().any(|rule| rule.user == user);
        let had_rules = has_rules(&self.rules);
        self.drop_account(account);
        if had_rules && !has_rules(&self.rules) {
            // Whoever had chosen what goes where has not chosen that everything goes everywhere.
            self.rule_defaults.entry(user).or_default().link = Link::None;
        }
        // Blocks that stand for its events must go from the other calendars.
        self.calendars.values_mut().filter(|c| c.user == user && c.sync_enabled).for_each(|c| {
            c.plan_due = true;
            raise(c, AT_ONCE);
        });
        Ok(())
    }

    fn drop_account(&mut self, account: AccountId) {
        self.accounts.remove(&account);
        self.credentials.remove(&account);
        self.asked.remove(&account);
        let gone: BTreeSet<CalendarId> =
            self.calendars.values().filter(|c| c.account == account).map(|c| c.id).collect();
        self.calendars.retain(|id, _| !gone.contains(id));
        self.rules.retain(|_, r| !gone.contains(&r.source) && !gone.contains(&r.target));
        self.subscriptions.retain(|_, s| !gone.contains(&s.calendar));
        let kept = &self.subscriptions;
        self.notifications.retain(|_, n| kept.contains_key(&n.subscription));
        self.deliveries.retain(|(subscription, _), _| kept.contains_key(subscription));
        self.forget_copied(|source, target| gone.contains(&source) || gone.contains(&target));
        self.journal.retain(|_, noted| !gone.contains(&noted.row().target));
        self.contents.retain(|(target, _), _| !gone.contains(target));
        self.mirrors.retain(|id, _| !gone.contains(id));
        self.ledger.retain(|target, _| !gone.contains(target));
        self.outbox.retain(|target, _| !gone.contains(target));
        self.holds.retain(|target, _| !gone.contains(target));
        self.runs.retain(|_, r| !gone.contains(&r.calendar));
        self.freshness.retain(|_, f| !gone.contains(&f.source) && !gone.contains(&f.target));
        let kept = &self.freshness;
        self.rule_delays.retain(|(rule, ..), _| kept.contains_key(rule));
    }

    pub(super) fn update_calendar_list(
        &mut self,
        account: AccountId,
        listed: &[(CalendarId, ListedCalendar)],
    ) -> Result<(), StoreError> {
        let account = self.accounts.get(&account).cloned().ok_or_else(|| missing("account"))?;
        let listed: BTreeMap<&str, &(CalendarId, ListedCalendar)> =
            listed.iter().map(|item| (item.1.remote_id.as_str(), item)).collect();
        let known: BTreeMap<String, CalendarId> = self
            .calendars
            .values()
            .filter(|c| c.account == account.id)
            .map(|c| (c.remote.calendar.clone(), c.id))
            .collect();
        let new = || listed.iter().filter(|(remote, _)| !known.contains_key(**remote)).map(|(_, item)| *item);
        let ids: BTreeSet<CalendarId> = new().map(|(id, _)| *id).collect();
        if ids.len() < new().count() || ids.iter().any(|id| self.calendars.contains_key(id)) {
            return Err(conflict("another calendar has this id already"));
        }
        for (id, item) in new() {
            self.calendars.insert(*id, new_calendar(*id, &account, item));
        }
        for (remote, id) in &known {
            let calendar = self.calendar_mut(*id)?;
            match listed.get(remote.as_str()) {
                Some((_, item)) => take_over(calendar, item),
                None => calendar.missing = true,
            }
        }
        Ok(())
    }

    pub(super) fn calendar(&self, calendar: CalendarId) -> Result<Option<Calendar>, StoreError> {
        Ok(self.calendars.get(&calendar).cloned())
    }

    pub(super) fn change_calendar(
        &mut self,
        id: CalendarId,
        change: CalendarChange,
        now: Ts,
    ) -> Result<(), StoreError> {
        let calendar = self.calendar_mut(id)?;
        match change {
            CalendarChange::SyncEnabled(Switch::On) => self.join(id, now)?,
            CalendarChange::SyncEnabled(Switch::Off) => self.leave(id, Leaving::Disabled, now)?,
            CalendarChange::Leave(why) => self.leave(id, why, now)?,
            CalendarChange::WebhookEnabled(switch) => {
                calendar.webhook_enabled = switch.is_on();
                if switch.is_on() {
                    watchable(calendar);
                }
                raise(calendar, now);
                if !switch.is_on() {
                    retire(&mut self.subscriptions, id, now);
                }
            }
            // From now on it is polled: whoever is at work on it must not go by what it saw before.
            CalendarChange::PushUnsupported => {
                calendar.push_unsupported = true;
                raise(calendar, now);
            }
        }
        Ok(())
    }

    /// All calendars of a user that take part are planned again.
    pub(super) fn plan_all(&mut self, user: UserId, now: Ts) {
        for calendar in self.calendars.values_mut().filter(|c| c.user == user && c.sync_enabled) {
            calendar.plan_due = true;
            raise(calendar, now);
        }
    }

    pub(super) fn setting(&self, name: &str) -> Result<Option<Value>, StoreError> {
        Ok(self.settings.get(name).cloned())
    }

    pub(super) fn init_setting(&mut self, name: &str, value: &Value) -> Result<Value, StoreError> {
        Ok(self.settings.entry(name.to_owned()).or_insert_with(|| value.clone()).clone())
    }

    pub(super) fn put_setting(&mut self, name: &str, value: &Value) -> Result<(), StoreError> {
        self.settings.insert(name.to_owned(), value.clone());
        Ok(())
    }

    pub(super) fn change_setting(
        &mut self,
        name: &str,
        expected: Option<&Value>,
        new: &Value,
    ) -> Result<bool, StoreError> {
        let as_expected = self.settings.get(name) == expected;
        if as_expected {
            self.settings.insert(name.to_owned(), new.clone());
        }
        Ok(as_expected)
    }
}

/// Somebody wants it now: what was tried before counts no more.
pub(super) fn watchable(calendar: &mut Calendar) {
    calendar.push_unsupported = false;
    calendar.watch_after = Ts::from_secs(0);
}

/// Nobody needs its channels any more: they are out of use at once, and closed at the provider as soon as that can be done.
pub(super) fn retire(all: &mut BTreeMap<SubscriptionId, Subscription>, of: CalendarId, now: Ts) {
    for channel in all.values_mut() {
        if channel.calendar == of && channel.status == SubscriptionStatus::Active {
            (channel.status, channel.close_at) = (SubscriptionStatus::Suspended, Some(now));
        }
    }
}

fn take_over(calendar: &mut Calendar, listed: &ListedCalendar) {
    calendar.name = listed.name.clone();
    calendar.time_zone = listed.time_zone.clone();
    calendar.colour = listed.colour.clone();
    calendar.access = listed.access;
    calendar.push_unsupported |= listed.push_unsupported;
    // What changed while it was away was not told to anybody.
    if calendar.missing {
        calendar.missing = false;
        calendar.full_due = true;
        raise(calendar, AT_ONCE);
    }
}

fn new_calendar(id: CalendarId, account: &Account, listed: &ListedCalendar) -> Calendar {
    Calendar {
        name: listed.name.clone(),
        time_zone: listed.time_zone.clone(),
        colour: listed.colour.clone(),
        access: listed.access,
        push_unsupported: listed.push_unsupported,
        ..Calendar::new(
            id,
            account.id,
            account.user,
            CalendarRef {
                provider: account.provider.as_str().to_owned(),
                account: account.remote_id.clone(),
                calendar: listed.remote_id.clone(),
            },
        )
    }
}
