//! What the engine asks of the store: one method, one fact, one transaction. No transaction handle leaks, and no
//! method decides anything.
//!
//! Everything that a sync run changes is fenced: it carries the lease, and a store refuses it with
//! `StoreError::LeaseLost` when somebody else has taken the work over meanwhile.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;

use super::{
    Admission, Admit, AuditLine, Bookmark, CalendarChange, ChannelOpened, ClaimedUser, ConnectAccount,
    Enqueue, HealthHour, Lease, NewNotification, NextDue, NotificationMetrics, NotificationQuery,
    NotificationSeen, NotificationSpan, Overdue, Page, Prunable, PullApply, Recent, Recorded, RuleRow,
    RulesOf, RunBegun, RunEnd, SealedCredentials, StepEnd, StoreError, SubscriptionCensus, SubscriptionCount,
    SubscriptionMetrics, SubscriptionQuery, SubscriptionRow, UserState, Wish,
};
use crate::alert::{Alert, Claimed, Delivery, Group, Told};
use crate::calendar::{Account, AccountStatus, Calendar, Leaving, ListedCalendar, ProviderKind, User};
use crate::freshness::{Delays, Freshness, RuleDelay};
use crate::ids::{
    AccessTokenId, AccountId, CalendarId, CorrelationId, NotificationId, RunId, SubscriptionId, UserId,
};
use crate::journal::{Activity, After, Filter, JournalRow, Overwritten};
use crate::ledger::{LedgerRow, Settlement, Write};
use crate::mirror::Mirror;
use crate::notification::{Notification, ProcessingStatus};
use crate::rule::RuleStep;
use crate::run::{CallStats, Run};
use crate::sign_in::elsewhere::Identity;
use crate::sign_in::{AccessToken, Consent, Session, TokenHash};
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::time::Ts;

/// Connections to the database, of one pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connections {
    /// Which pool.
    pub pool: &'static str,
    /// Connections at work.
    pub used: u32,
    /// Open ones that rest.
    pub idle: u32,
    /// How many there may be.
    pub most: u32,
}

/// The store. See `calsync_store::contract` for the suite that every implementation passes.
#[async_trait]
pub trait Store: Send + Sync {
    // --- people, accounts, calendars, rules ---

    /// Adds a user; a second one with the same address is a conflict.
    async fn add_user(&self, user: &User) -> Result<(), StoreError>;
    /// All users, by address.
    async fn users(&self) -> Result<Vec<User>, StoreError>;
    /// Adds the first user of all, staff or not, with the hash of their password; `false` if there is a user already.
    async fn add_first_user(&self, user: &User, password: &str) -> Result<bool, StoreError>;
    /// Removes a user with everything that is theirs here (nothing at any provider).
    async fn remove_user(&self, user: UserId) -> Result<(), StoreError>;
    /// Everything about one user but mirrors and ledgers.
    async fn user_state(&self, user: UserId) -> Result<Option<UserState>, StoreError>;
    /// Connects an account, or connects it again (`active`, new credentials, its calendars dirty at `now`). Returns its id.
    async fn connect_account(&self, connect: &ConnectAccount, now: Ts) -> Result<AccountId, StoreError>;
    /// One account's credentials.
    async fn credentials(&self, account: AccountId) -> Result<Option<SealedCredentials>, StoreError>;
    /// Replaces credentials, if they are still of version `expected`; `false` if not.
    async fn replace_credentials(
        &self,
        account: AccountId,
        expected: i64,
        new: &SealedCredentials,
    ) -> Result<bool, StoreError>;
    /// All credentials, for key rotation.
    async fn all_credentials(&self) -> Result<Vec<(AccountId, SealedCredentials)>, StoreError>;
    /// Sets an account's state and what a person must do.
    async fn set_account_status(
        &self,
        account: AccountId,
        status: AccountStatus,
        detail: Option<&str>,
    ) -> Result<(), StoreError>;
    /// All accounts, by address.
    async fn accounts(&self) -> Result<Vec<Account>, StoreError>;
    /// Active accounts that were not asked for their calendars since `before`, the longest waiting first. What is noted of a time
    /// later than `after` is of a clock that was wrong, and forgotten.
    async fn accounts_to_ask(
        &self,
        before: Ts,
        after: Ts,
        limit: u32,
    ) -> Result<Vec<(AccountId, UserId)>, StoreError>;
    /// An account is asked for its calendars: its next turn is later than that of those that were not.
    async fn note_asked(&self, account: AccountId, at: Ts) -> Result<(), StoreError>;
    /// Removes an account with its calendars (nothing at the provider).
    async fn remove_account(&self, account: AccountId) -> Result<(), StoreError>;
    /// Takes over what the provider lists: new calendars are added under the ids given (not sync-enabled), known ones get
    /// their name, zone, colour and access, ones no longer listed become `missing`. Nothing is deleted.
    async fn update_calendar_list(
        &self,
        account: AccountId,
        listed: &[(CalendarId, ListedCalendar)],
    ) -> Result<(), StoreError>;
    /// One calendar.
    async fn calendar(&self, calendar: CalendarId) -> Result<Option<Calendar>, StoreError>;
    /// Changes a switch; the user's calendars are planned again. One that is switched off or on is forgotten, and whoever
    /// holds its user's lease loses it: what they have read is.
    async fn change_calendar(
        &self,
        calendar: CalendarId,
        change: CalendarChange,
        now: Ts,
    ) -> Result<(), StoreError>;
    /// Takes over a change of a user's rules (one per source and target) with its lines for the audit log, if what it was made
    /// from is still so; `false` if not, and then nothing is changed. Of two who change the same thing neither is lost. Which
    /// calendars are planned again or listed in full is part of the step.
    async fn change_rules(&self, step: &RuleStep, now: Ts) -> Result<bool, StoreError>;

    // --- signing in ---

    /// The user with this address, and the hash of their password, if they have one.
    async fn password(&self, email: &str) -> Result<Option<(User, Option<String>)>, StoreError>;
    /// Sets the hash of a user's password and ends all their sessions but one.
    async fn set_password(
        &self,
        user: UserId,
        hash: &str,
        keep: Option<&TokenHash>,
    ) -> Result<(), StoreError>;
    /// A browser has signed in.
    async fn put_session(&self, session: &Session) -> Result<(), StoreError>;
    /// A session and its user, whatever it is worth.
    async fn session(&self, key: &TokenHash) -> Result<Option<(Session, User)>, StoreError>;
    /// It was used.
    async fn see_session(&self, key: &TokenHash, now: Ts) -> Result<(), StoreError>;
    /// A user's sessions, the last used first.
    async fn sessions(&self, user: UserId) -> Result<Vec<Session>, StoreError>;
    /// It has signed out.
    async fn end_session(&self, key: &TokenHash) -> Result<(), StoreError>;
    /// All of a user's sessions but one end; how many did.
    async fn end_sessions(&self, user: UserId, keep: Option<&TokenHash>) -> Result<u64, StoreError>;
    /// A sign-in at a provider's page begins.
    async fn put_consent(&self, consent: &Consent) -> Result<(), StoreError>;
    /// It is answered: nobody gets it a second time.
    async fn take_consent(&self, key: &TokenHash) -> Result<Option<Consent>, StoreError>;
    /// A sign-in at the organisation's own provider is answered; `false` if it was before.
    async fn spend_sign_in(&self, key: &TokenHash, begun: Ts) -> Result<bool, StoreError>;
    /// The user who came by this identity before.
    async fn identified(&self, issuer: &str, subject: &str) -> Result<Option<User>, StoreError>;
    /// A user comes by an identity. `false`, and nothing is changed, if it is another user's, or they have another one of that
    /// issuer.
    async fn identify(&self, identity: &Identity) -> Result<bool, StoreError>;
    /// A user's identities, by issuer.
    async fn identities(&self, user: UserId) -> Result<Vec<Identity>, StoreError>;
    /// Forgets a user's identities; how many.
    async fn forget_identities(&self, user: UserId) -> Result<u64, StoreError>;
    /// Adds an access token.
    async fn put_access_token(&self, token: &AccessToken) -> Result<(), StoreError>;
    /// An access token and its user.
    async fn access_token(&self, key: &TokenHash) -> Result<Option<(AccessToken, User)>, StoreError>;
    /// It was used.
    async fn see_access_token(&self, id: AccessTokenId, now: Ts) -> Result<(), StoreError>;
    /// A user's access tokens, oldest first.
    async fn access_tokens(&self, user: UserId) -> Result<Vec<AccessToken>, StoreError>;
    /// Removes one of a user's access tokens; `false` if it is not theirs.
    async fn remove_access_token(&self, user: UserId, id: AccessTokenId) -> Result<bool, StoreError>;
    /// Forgets sessions that were last used, or made, before, and sign-ins that were begun before; how many.
    async fn forget_sign_ins(&self, seen: Ts, created: Ts, begun: Ts) -> Result<u64, StoreError>;

    // --- settings ---

    /// A value by name.
    async fn setting(&self, name: &str) -> Result<Option<serde_json::Value>, StoreError>;
    /// Sets a value only if there is none; returns the one that is there now.
    async fn init_setting(
        &self,
        name: &str,
        value: &serde_json::Value,
    ) -> Result<serde_json::Value, StoreError>;
    /// Sets a value.
    async fn put_setting(&self, name: &str, value: &serde_json::Value) -> Result<(), StoreError>;
    /// Sets a value if what is there is still `expected`; `false` if not. Of two who change the same thing neither is lost.
    async fn change_setting(
        &self,
        name: &str,
        expected: Option<&serde_json::Value>,
        new: &serde_json::Value,
    ) -> Result<bool, StoreError>;

    // --- receipt ---

    /// The subscription of this calendar and provider that has this channel id, else the newest other one, else none.
    async fn find_subscription(
        &self,
        calendar: CalendarId,
        provider: ProviderKind,
        channel: &str,
    ) -> Result<Option<Subscription>, StoreError>;
    /// Stores a delivery, durably: the notification and, if it wants a sync, the calendar's raised generation and due time.
    /// A confirmation marks its subscription at once (`last_notification_at`, failures cleared); what wants a sync marks it
    /// when a run takes it up. A duplicate changes nothing.
    async fn record_notification(&self, new: NewNotification) -> Result<Recorded, StoreError>;

    // --- the walk of a sync ---

    /// Makes calendars dirty and due at `now`; `Full` also asks for a full listing.
    async fn raise(&self, calendars: &[CalendarId], wish: Wish, now: Ts) -> Result<(), StoreError>;
    /// A user with a calendar that is due and whom nobody holds; the longest due first.
    async fn claim_due_user(
        &self,
        owner: &str,
        now: Ts,
        until: Ts,
    ) -> Result<Option<ClaimedUser>, StoreError>;
    /// The lease on one user, due or not; `None` while somebody else holds it.
    async fn claim_user(
        &self,
        user: UserId,
        owner: &str,
        now: Ts,
        until: Ts,
    ) -> Result<Option<ClaimedUser>, StoreError>;
    /// Brings the due times of calendars that take part forward to these; nothing is put off.
    async fn bring_forward(&self, calendars: &[(CalendarId, Ts)]) -> Result<(), StoreError>;
    /// Takes a lease on any other thing; `None` while somebody else holds it.
    async fn claim_lease(
        &self,
        resource: &str,
        owner: &str,
        now: Ts,
        until: Ts,
    ) -> Result<Option<Lease>, StoreError>;
    /// Prolongs a lease that is still ours.
    async fn renew_lease(&self, lease: &Lease, until: Ts) -> Result<Lease, StoreError>;
    /// Gives a lease back, telling when its calendars are due next.
    async fn release(&self, lease: &Lease, next: &[NextDue]) -> Result<(), StoreError>;
    /// Gives a user's lease back at the end of a step, with what the step showed of their rules. Of a rule that something was
    /// added to, delays of more than a day before are forgotten.
    async fn end_step(&self, lease: &Lease, end: &StepEnd) -> Result<(), StoreError>;
    /// The earliest time at which some calendar is due.
    async fn next_due(&self) -> Result<Option<Ts>, StoreError>;
    /// Our picture of a calendar. Shared, so that a store which holds it already need not copy it: whoever asks only looks.
    async fn mirror(&self, calendar: CalendarId) -> Result<Arc<Mirror>, StoreError>;
    /// What we wrote into a calendar, by correlation. Shared like the mirror.
    async fn ledger(&self, target: CalendarId) -> Result<Arc<Vec<LedgerRow>>, StoreError>;
    /// A run begins: its row is written, and all of the calendar's notifications that are pending, due for another try, or
    /// left `processing` by a dead worker become `processing` for it. Subscriptions that delivered what was pending are marked
    /// (`last_notification_at`, failures cleared).
    async fn begin_run(&self, lease: &Lease, run: &Run) -> Result<RunBegun, StoreError>;
    /// Takes over what a listing showed, atomically with the cursor; the targets become `plan_due`.
    async fn apply_pull(&self, lease: &Lease, pull: &PullApply) -> Result<(), StoreError>;
    /// Takes over a plan; the target is no longer `plan_due`, unless it was made dirty after `seen_generation`.
    async fn enqueue(&self, lease: &Lease, enqueue: &Enqueue) -> Result<(), StoreError>;
    /// Takes over plans for several targets, all or none.
    async fn enqueue_all(&self, lease: &Lease, plans: &[Enqueue]) -> Result<(), StoreError>;
    /// The writes waiting for a target, as they were enqueued, at most `limit`, without those that must wait beyond `now`.
    async fn due_writes(&self, target: CalendarId, now: Ts, limit: u32) -> Result<Vec<Write>, StoreError>;
    /// How many writes wait for a target.
    async fn waiting_writes(&self, target: CalendarId) -> Result<u64, StoreError>;
    /// Takes over what became of writes, all in one transaction.
    async fn settle(&self, lease: &Lease, settlements: &[Settlement]) -> Result<(), StoreError>;
    /// A run ends.
    async fn end_run(&self, lease: &Lease, end: &RunEnd) -> Result<(), StoreError>;
    /// Finishes notifications received before `before` on calendars that take no part and that nobody reads any more: nothing
    /// will ever come of them. How many.
    async fn complete_unwanted(&self, before: Ts, now: Ts) -> Result<u64, StoreError>;
    /// A calendar's way out has come to its end: what its last look showed is forgotten, and nothing is under way any more.
    /// After a reset, all else that is known of it is forgotten too: blocks, ledger rows (but never one that stands, in it or
    /// of it), writes, hold, runs, notifications. Nothing happens if it left for another reason than this, or is back.
    async fn finish_leaving(
        &self,
        lease: &Lease,
        calendar: CalendarId,
        why: Leaving,
    ) -> Result<(), StoreError>;
    /// Approves the open hold of a target, which is planned again; `false` if there is none.
    async fn approve_hold(&self, target: CalendarId, now: Ts) -> Result<bool, StoreError>;

    // --- subscriptions ---

    /// Puts a new subscription in use before the provider is asked: active, and the one it replaces becomes `expired`, in
    /// one transaction. The replaced one is to be closed at the latest when the new one ends.
    async fn begin_subscription(
        &self,
        new: &Subscription,
        replaces: Option<SubscriptionId>,
    ) -> Result<(), StoreError>;
    /// The provider opened it, or prolonged it: it is active, its failures are its misses in a row, and the one it replaces
    /// is to be closed.
    async fn confirm_subscription(&self, opened: &ChannelOpened<'_>) -> Result<(), StoreError>;
    /// The provider refused it: it becomes `failed`, and the one it was to replace is active again if it has not ended.
    async fn abandon_subscription(
        &self,
        id: SubscriptionId,
        replaced: Option<SubscriptionId>,
        now: Ts,
    ) -> Result<(), StoreError>;
    /// Sets a subscription's state, and when its channel is to be closed at the provider, if it is.
    async fn set_subscription_status(
        &self,
        id: SubscriptionId,
        status: SubscriptionStatus,
        close_at: Option<Ts>,
    ) -> Result<(), StoreError>;
    /// The ids of a channel became known at `now` that is out of use and of which the provider's answer never arrived: it is to
    /// be closed. When it ends nobody knows: at the latest at `expires_at`. `false`: it is in use, or was known.
    async fn learn_channel(
        &self,
        id: SubscriptionId,
        remote_id: &str,
        resource: &str,
        expires_at: Ts,
        now: Ts,
    ) -> Result<bool, StoreError>;
    /// All subscriptions of a calendar, newest first.
    async fn subscriptions(&self, calendar: CalendarId) -> Result<Vec<Subscription>, StoreError>;
    /// Active ones to be seen to by `now`, the longest due first.
    async fn subscriptions_to_renew(&self, now: Ts, limit: u32) -> Result<Vec<Subscription>, StoreError>;
    /// Sees to it later.
    async fn postpone_renewal(&self, id: SubscriptionId, until: Ts) -> Result<(), StoreError>;
    /// Those whose channels are to be closed by `now`, the longest due first.
    async fn subscriptions_to_close(&self, now: Ts, limit: u32) -> Result<Vec<Subscription>, StoreError>;
    /// Its channel is closed (`None`), or is to be closed then.
    async fn put_closing(&self, id: SubscriptionId, close_at: Option<Ts>) -> Result<(), StoreError>;
    /// Active ones that delivered nothing since `since`.
    async fn subscriptions_silent(&self, since: Ts, limit: u32) -> Result<Vec<Subscription>, StoreError>;
    /// Active ones with at least this many failures in a row.
    async fn subscriptions_failing(&self, at_least: u32, limit: u32)
    -> Result<Vec<Subscription>, StoreError>;
    /// Calendars that could be watched and are not, the longest waiting first: sync-enabled, webhook-enabled, admitted, account
    /// active, no active subscription, and not to be left alone beyond `now`.
    async fn unwatched_calendars(&self, now: Ts, limit: u32) -> Result<Vec<Calendar>, StoreError>;
    /// No channel is opened for it before.
    async fn postpone_opening(&self, calendar: CalendarId, until: Ts) -> Result<(), StoreError>;
    /// When a channel is next to be seen to: opened, renewed, closed or found to have ended.
    async fn next_channel_due(&self) -> Result<Option<Ts>, StoreError>;
    /// Active ones whose end has come, the longest ended first.
    async fn subscriptions_ended(&self, now: Ts, limit: u32) -> Result<Vec<Subscription>, StoreError>;
    /// How many there are of each provider and status, and what they told of and missed. It reads them all.
    async fn subscription_counts(&self) -> Result<Vec<SubscriptionCount>, StoreError>;
    /// Makes every active subscription past its end `expired`; how many.
    async fn expire_subscriptions(&self, now: Ts) -> Result<u64, StoreError>;
    /// Calendars by id, from the one after `after` on.
    async fn admissions(&self, after: Option<CalendarId>, limit: u32) -> Result<Vec<Admission>, StoreError>;
    /// Takes over what the rollout flags say. Of a calendar that may not push any more, the active subscriptions are
    /// suspended and to be closed, and it is due by `due_by`.
    async fn admit(&self, calendars: &[Admit], now: Ts) -> Result<(), StoreError>;

    // --- freshness ---

    /// What is known of a user's rules, by rule.
    async fn freshness(&self, user: UserId) -> Result<Vec<Freshness>, StoreError>;
    /// Rules whose promise has passed, the longest ago first.
    async fn rules_behind(&self, now: Ts, limit: u32) -> Result<Vec<Freshness>, StoreError>;
    /// How many there are.
    async fn count_behind(&self, now: Ts) -> Result<u64, StoreError>;
    /// Delays of a user's rules, from the hour `since` on, by hour, bucket and rule.
    async fn rule_delays(&self, user: UserId, since: Ts) -> Result<Vec<RuleDelay>, StoreError>;
    /// Delays of all rules together, from the hour `since` on.
    async fn delays(&self, since: Ts) -> Result<Delays, StoreError>;

    // --- figures and logs ---

    /// Notifications in a state, oldest first.
    async fn notifications(
        &self,
        status: ProcessingStatus,
        limit: u32,
    ) -> Result<Vec<Notification>, StoreError>;
    /// Notifications whose time for another try has come, the longest due first.
    async fn retries_due(&self, now: Ts, limit: u32) -> Result<Vec<Notification>, StoreError>;
    /// Notifications received before `before` that nobody has finished.
    async fn backlog(&self, before: Ts) -> Result<u64, StoreError>;
    /// Notification figures since the beginning of the minute that `since` is in. What was received counts, even if it is
    /// removed since; pending is what is there.
    async fn notification_metrics(&self, since: Ts) -> Result<NotificationMetrics, StoreError>;
    /// Subscription figures.
    async fn subscription_metrics(&self, now: Ts) -> Result<SubscriptionMetrics, StoreError>;
    /// How many subscriptions there are, by provider and status.
    async fn census(&self) -> Result<Vec<SubscriptionCensus>, StoreError>;
    /// Notification figures by stretches of this width (whole minutes, counted from 1970), from the one that `since` is in;
    /// those without any are left out.
    async fn notification_spans(
        &self,
        since: Ts,
        width: SignedDuration,
    ) -> Result<Vec<NotificationSpan>, StoreError>;
    /// The newest notifications received at `since` or later, newest first.
    async fn recent(&self, since: Ts, limit: u32) -> Result<Vec<Recent>, StoreError>;
    /// Notes how it is in an hour; the worst of the hour stays.
    async fn put_health_hour(&self, hour: &HealthHour) -> Result<(), StoreError>;
    /// How it was at its worst in stretches of this width (whole hours, counted from 1970), from the one that `since` is in: the
    /// fewest subscriptions, and the worst level.
    async fn health_spans(&self, since: Ts, width: SignedDuration) -> Result<Vec<HealthHour>, StoreError>;
    /// Subscriptions for people, page by page.
    async fn subscription_page(&self, query: &SubscriptionQuery)
    -> Result<Page<SubscriptionRow>, StoreError>;
    /// Notifications for people, page by page.
    async fn notification_page(&self, query: &NotificationQuery) -> Result<Page<Recent>, StoreError>;
    /// One notification with all that is known of it.
    async fn notification(&self, id: NotificationId) -> Result<Option<NotificationSeen>, StoreError>;
    /// Makes a notification pending again that is finished, or waits for another try, and its calendar dirty and due; which
    /// calendar. `None`: it is gone, or somebody is at work on it. Figures count it as if nobody had finished it.
    async fn replay_notification(
        &self,
        id: NotificationId,
        now: Ts,
    ) -> Result<Option<CalendarId>, StoreError>;
    /// Rules for people, page by page, with their delays from the hour `since` on.
    async fn rule_page(
        &self,
        of: RulesOf,
        since: Ts,
        after: Option<Bookmark>,
        limit: u32,
    ) -> Result<Page<RuleRow>, StoreError>;
    /// The audit log, the newest first, page by page; of one who did it, or of all.
    async fn audit_page(
        &self,
        who: Option<&str>,
        after: Option<Bookmark>,
        limit: u32,
    ) -> Result<Page<AuditLine>, StoreError>;
    /// Calendars that were due before `before` and have not been given back since, the longest due first.
    async fn overdue(&self, before: Ts, now: Ts, limit: u32) -> Result<Vec<Overdue>, StoreError>;
    /// The newest runs, of one calendar or of all.
    async fn runs(&self, calendar: Option<CalendarId>, limit: u32) -> Result<Vec<Run>, StoreError>;
    /// One run.
    async fn run(&self, run: RunId) -> Result<Option<Run>, StoreError>;
    /// What a run wrote, in the order in which it was settled, at most `limit`.
    async fn journal(&self, run: RunId, limit: u32) -> Result<Vec<JournalRow>, StoreError>;
    /// The last that was written of a block.
    async fn last_write(
        &self,
        target: CalendarId,
        correlation: CorrelationId,
    ) -> Result<Option<JournalRow>, StoreError>;
    /// Which of a run's blocks other runs wrote after it, the latest last.
    async fn overwritten(&self, run: RunId, limit: u32) -> Result<Vec<Overwritten>, StoreError>;
    /// Runs of a user, the newest first, from the one after `after` on, with how much each wrote.
    async fn activity(
        &self,
        filter: &Filter,
        after: Option<After>,
        limit: u32,
    ) -> Result<Vec<Activity>, StoreError>;
    /// Adds call counts to those of their minutes.
    async fn add_call_stats(&self, stats: &[CallStats]) -> Result<(), StoreError>;
    /// Call counts since `since`, by provider and minute.
    async fn call_stats(&self, since: Ts) -> Result<Vec<CallStats>, StoreError>;
    /// Opens an alert, or marks the open one of its kind and subject as seen again; whether it is new.
    async fn open_alert(&self, alert: &Alert) -> Result<bool, StoreError>;
    /// Resolves the open alert of this kind and subject; whether there was one.
    async fn resolve_alert(&self, kind: &str, subject: &str, now: Ts) -> Result<bool, StoreError>;
    /// Open alerts, newest first.
    async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError>;
    /// The newest alerts, open or not, newest first.
    async fn alerts(&self, limit: u32) -> Result<Vec<Alert>, StoreError>;
    /// Open alerts by kind.
    async fn alert_groups(&self) -> Result<Vec<Group>, StoreError>;
    /// What people were told of each kind, and how often that changed.
    async fn tellings(&self) -> Result<Vec<Told>, StoreError>;
    /// Takes over what people are told from now on, with the messages about it, if it has changed as often as `Told` says.
    async fn tell(&self, told: &Told, deliveries: &[Delivery]) -> Result<bool, StoreError>;
    /// Takes up deliveries whose time has come, the longest due first: nobody else gets them before `until`, unless they are put
    /// back for sooner.
    async fn claim_deliveries(&self, now: Ts, until: Ts, limit: u32) -> Result<Claimed, StoreError>;
    /// What became of a delivery; one that is over stays so.
    async fn put_delivery(&self, delivery: &Delivery) -> Result<(), StoreError>;
    /// The newest deliveries, newest first.
    async fn deliveries(&self, limit: u32) -> Result<Vec<Delivery>, StoreError>;
    /// Deletes rows that ended before `before`, the oldest first, at most `limit`; how many. Never what is still in use.
    async fn prune(&self, what: Prunable, before: Ts, limit: u32) -> Result<u64, StoreError>;
    /// How many rows `prune` would delete before `before`, where all that precede `what` in `Prunable::ALL` have gone first.
    async fn prunable(&self, what: Prunable, before: Ts) -> Result<u64, StoreError>;
    /// Adds a line to the audit log.
    async fn audit(&self, who: &str, what: &str, at: Ts) -> Result<(), StoreError>;
    /// The newest lines of the audit log, newest first; those that begin with `about`.
    async fn audited(&self, about: &str, limit: u32) -> Result<Vec<AuditLine>, StoreError>;
    /// Returns when another instance or command may have made work for this one's workers; never, where none can.
    async fn work_elsewhere(&self) -> Result<(), StoreError>;
    /// Answers if the database does.
    async fn ping(&self) -> Result<(), StoreError>;
    /// Its connections now, by pool; nothing, where there are none.
    fn connections(&self) -> Vec<Connections> {
        Vec::new()
    }
    /// Finishes what was accepted and closes.
    async fn close(&self);
}
