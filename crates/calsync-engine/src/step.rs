//! One step: claim one user, read the calendars that are due, bring the targets up to date, close the books, and give the
//! user back. The lease is the user's, so that reading one calendar and writing another never race.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::alert::AlertKind;
use calsync_core::calendar::Calendar;
use calsync_core::delivery::Look;
use calsync_core::event::TextPolicy;
use calsync_core::freshness::{Origins, SourceSeen};
use calsync_core::ids::{CalendarId, RunId, UserId};
use calsync_core::notification::{AfterFailure, Served, Worth, after_failure};
use calsync_core::plan::ActionKind;
use calsync_core::ports::{
    Blame, ClaimedUser, DeliveryEnd, ErrorClass, Lease, Looked, NotificationsEnd, ProviderError, RunBegun,
    RunEnd, StoreError, UserState, Wish,
};
use calsync_core::rollout::Rollout;
use calsync_core::rule::Rule;
use calsync_core::run::{Run, RunCounts, RunKind, RunStatus};
use calsync_core::schedule::{self, Intervals};
use calsync_core::subscription::{Showed, Subscription, Verdict};
use calsync_core::time::Ts;
use futures_util::{StreamExt, stream};
use jiff::SignedDuration;
use tracing::{Instrument, debug_span};

use crate::access::Accounts;
use crate::calls::Counted;
use crate::causes::{ReadIn, Readings};
use crate::due::{Retry, account_is_active, active_subscription, last_look_at};
use crate::freshness::StepShowed;
use crate::pull::{PullWork, Pulled};
use crate::report::{CalendarReport, ChannelShowed, StepReport};
use crate::target::TargetDone;
use crate::{Engine, EngineError, trace};

/// Calendars of one user that are read, or targets that are written, at once.
const AT_ONCE: usize = 8;

/// A calendar that was read, or could not be.
struct ReadCalendar {
    calendar: Calendar,
    run: RunId,
    kind: RunKind,
    trigger: &'static str,
    began_at: Ts,
    begun: RunBegun,
    /// Failures in a row of its channel before this run took up what that delivered.
    failures: u32,
    result: Result<Pulled, ProviderError>,
    calls: u32,
    /// It showed nothing, and its provider may tell of a change so long before a listing knows.
    outrun: Option<SignedDuration>,
    looked: Looked,
}

impl ReadCalendar {
    /// Which run it was, and when it began.
    fn read_in(&self) -> ReadIn {
        ReadIn { run: self.run, at: self.began_at }
    }

    /// When what it showed was changed.
    fn origins(&self) -> Option<(CalendarId, Origins)> {
        Some((self.calendar.id, self.result.as_ref().ok()?.origins.clone()))
    }
}

/// What says how calendars are looked at.
struct How<'a> {
    flags: &'a Rollout,
    intervals: &'a Intervals,
}

/// What closing the books of a step rests on.
struct Books<'a> {
    lease: &'a Lease,
    state: &'a UserState,
    flags: &'a Rollout,
}

impl Engine {
    /// Does one step for whoever is due first. `None`: nobody is.
    pub async fn step(&self) -> Result<Option<StepReport>, EngineError> {
        let step = async {
            let now = self.clock.now();
            let until = now.plus(self.config.lease);
            let claim = self.store.claim_due_user(&self.config.owner, now, until);
            match claim.instrument(debug_span!("claim")).await? {
                None => Ok(None),
                Some(claimed) => self.work(claimed).await.map(Some),
            }
        };
        step.instrument(trace::step()).await
    }

    /// Does one step for this user, due or not.
    pub async fn step_user(&self, user: UserId) -> Result<StepReport, EngineError> {
        let now = self.clock.now();
        let until = now.plus(self.config.lease);
        let claimed =
            self.store.claim_user(user, &self.config.owner, now, until).await?.ok_or(EngineError::Busy)?;
        self.work(claimed).instrument(trace::step()).await
    }

    /// Makes calendars due now.
    pub async fn sync_now(&self, calendars: &[CalendarId], wish: Wish) -> Result<(), EngineError> {
        Ok(self.store.raise(calendars, wish, self.clock.now()).await?)
    }

    async fn work(&self, claimed: ClaimedUser) -> Result<StepReport, EngineError> {
        let done = self.work_on(&claimed).await;
        if let Err(EngineError::Store(StoreError::Unavailable(_) | StoreError::Contended(_))) = &done {
            // The database was away for a moment: nobody should have to wait until the lease has run out. After any other
            // failure that wait is what keeps one person's trouble from taking up a worker.
            if let Err(error) = self.store.release(&claimed.lease, &[]).await {
                tracing::debug!(%error, user = %claimed.user, "a lease could not be given back; it runs out");
            }
        }
        done
    }

    /// What came for calendars of accounts that must be connected again is not waited for: connecting reads them anyway. One
    /// person's revoked account must not look like a backlog of all.
    async fn finish_unreadable(&self, state: &UserState) -> Result<(), StoreError> {
        let now = self.clock.now();
        let asked = |c: &Calendar| c.due_at.is_some_and(|at| at <= now) && !account_is_active(state, c);
        if state.calendars.iter().any(asked) {
            self.store.complete_unwanted(now, now).await?;
        }
        Ok(())
    }

    async fn work_on(&self, claimed: &ClaimedUser) -> Result<StepReport, EngineError> {
        let ClaimedUser { user, lease } = claimed;
        let user = *user;
        let missing = || EngineError::NotFound(format!("user {user}"));
        let began_at = self.clock.now();
        let (flags, intervals) = (self.rollout().await?, self.intervals().await?);
        let state = self.store.user_state(user).await?.ok_or_else(missing)?;
        self.finish_unreadable(&state).await?;
        let accounts = self.open_accounts(&state.accounts).await?;
        let how = How { flags: &flags, intervals: &intervals };
        let read = self.read_due(lease, &state, &how, &accounts).await?;
        let state = self.store.user_state(user).await?.ok_or_else(missing)?;
        let origins = read.iter().filter_map(ReadCalendar::origins).collect();
        let readings = read.iter().map(|one| (one.calendar.id, one.read_in())).collect();
        let targets = self.work_targets(lease, &state, &accounts, (&origins, &readings)).await?;
        let seen = read.iter().filter_map(|one| Some((one.calendar.id, self.source_seen(one)?))).collect();
        let showed = StepShowed::new(began_at, seen, &targets);
        let mut report = StepReport {
            user,
            read: Vec::new(),
            blocks: Vec::new(),
            delays: showed.delays(),
            failed_writes: Vec::new(),
            held: targets.iter().filter(|(_, t)| t.held).map(|(id, _)| *id).collect(),
            waiting: 0,
            errors: Vec::new(),
        };
        let stuck: BTreeSet<CalendarId> =
            targets.iter().filter(|(_, t)| t.stuck).map(|(id, _)| *id).collect();
        let retries = self
            .close_books(&Books { lease, state: &state, flags: &flags }, read, targets, &mut report)
            .await?;
        let mut state = self.store.user_state(user).await?.ok_or_else(missing)?;
        if self.finish_leaving(lease, &state).await? {
            state = self.store.user_state(user).await?.ok_or_else(missing)?;
        }
        report.waiting = state.waiting_writes.len() as u64;
        let awaited = self.await_echoes(&mut state, &flags, &showed);
        let next = self.next_due(&state, &flags, &retries, &stuck, &intervals);
        let end = self.step_end(&state, &showed, next, awaited).await?;
        self.store.end_step(lease, &end).instrument(debug_span!("release")).await?;
        if report.read.is_empty() && !(report.blocks.is_empty() && report.failed_writes.is_empty()) {
            trace::names_itself(|| self.ids.uuid(self.clock.now()));
        }
        Ok(report)
    }

    /// What a reading says of its calendar as a source; nothing, where it was spared.
    fn source_seen(&self, one: &ReadCalendar) -> Option<SourceSeen> {
        let now = self.clock.now();
        match &one.result {
            Ok(_) => (one.looked == Looked::Read).then_some(SourceSeen::Read(one.began_at)),
            Err(error) => {
                let retry = schedule::after_error(error, one.calendar.webhook_failure_streak + 1, now);
                Some(if retry.is_none() { SourceSeen::Unreadable } else { SourceSeen::Failed })
            }
        }
    }

    async fn read_due(
        &self,
        lease: &Lease,
        state: &UserState,
        how: &How<'_>,
        accounts: &Accounts,
    ) -> Result<Vec<ReadCalendar>, EngineError> {
        let now = self.clock.now();
        let rules = state.rules_in_force();
        let recheck = self.sources_to_recheck(state, &rules, now);
        let due = state.calendars.iter().filter_map(|calendar| {
            let active = active_subscription(state, how.flags, calendar.id);
            let usable = account_is_active(state, calendar);
            let kind = schedule::reading(calendar, active, how.intervals, now);
            let kind = if recheck.contains(&calendar.id) { Some(RunKind::Full) } else { kind };
            let last_look = last_look_at(state, calendar, now).is_some_and(|at| at <= now);
            let kind = kind.or(last_look.then_some(RunKind::Full));
            kind.filter(|_| {
                usable && calendar.due_at.is_some_and(|at| at <= now) || recheck.contains(&calendar.id)
            })
            .map(|kind| (calendar, kind, active.map_or(0, |channel| channel.failure_count)))
        });
        let rules = &rules;
        let reading = due.map(|(calendar, kind, failures)| async move {
            let read = self.read_one(lease, calendar, kind, rules, accounts).await?;
            Ok::<_, EngineError>(ReadCalendar { failures, ..read })
        });
        let mut read = Vec::new();
        let mut results = stream::iter(reading.collect::<Vec<_>>()).buffered(AT_ONCE);
        while let Some(result) = results.next().await {
            read.push(result?);
        }
        Ok(read)
    }

    async fn read_one(
        &self,
        lease: &Lease,
        calendar: &Calendar,
        kind: RunKind,
        rules: &[Rule],
        accounts: &Accounts,
    ) -> Result<ReadCalendar, EngineError> {
        let now = self.clock.now();
        let run = Run {
            id: RunId(self.ids.uuid(now)),
            calendar: calendar.id,
            kind,
            trigger: trigger(calendar, kind).to_owned(),
            started_at: now,
            finished_at: None,
            status: RunStatus::Running,
            counts: RunCounts::default(),
        };
        let span = trace::run(run.id, calendar.id, kind);
        self.read_in(&run, lease, calendar, rules, accounts).instrument(span).await
    }

    async fn read_in(
        &self,
        run: &Run,
        lease: &Lease,
        calendar: &Calendar,
        rules: &[Rule],
        accounts: &Accounts,
    ) -> Result<ReadCalendar, EngineError> {
        let begun = self.store.begin_run(lease, run).instrument(debug_span!("begin")).await?;
        trace::serves(&begun.notifications);
        let from_here: Vec<&Rule> = rules.iter().filter(|r| r.source == calendar.id).collect();
        let targets: Vec<CalendarId> = from_here.iter().map(|r| r.target).collect();
        let texts = from_here.iter().fold(TextPolicy::default(), |all, r| all.or(r.options.text_policy()));
        let told = &begun.told;
        let work = PullWork { calendar, full: run.kind == RunKind::Full, texts, targets: &targets, told };
        let (mut looked, mut outruns) = (Looked::Read, None);
        let (result, calls) = match accounts.of(calendar) {
            Err(error) => (Err(error), 0),
            Ok(account)
                if run.kind == RunKind::Webhook
                    && self.knows_all(calendar, &begun, account.as_ref()).await? =>
            {
                looked = Looked::Spared;
                (Ok(Pulled::default()), 0)
            }
            Ok(account) => {
                outruns = account.capabilities().push.and_then(|push| push.outruns_listing);
                let account = Counted::new(account);
                let result = match self.pull(lease, &work, &account).instrument(debug_span!("pull")).await {
                    Ok(pulled) => Ok(pulled),
                    Err(EngineError::Provider(error)) => Err(error),
                    Err(other) => return Err(other),
                };
                (result, account.take_calls())
            }
        };
        let shows_nothing = result.as_ref().is_ok_and(|read| read.counts.events_seen == 0);
        let outrun = outruns.filter(|_| shows_nothing);
        Ok(ReadCalendar {
            calendar: calendar.clone(),
            run: run.id,
            kind: run.kind,
            trigger: trigger(calendar, run.kind),
            began_at: run.started_at,
            begun,
            failures: 0,
            result,
            calls,
            outrun,
            looked,
        })
    }

    /// Works on every target that wants planning or has writes waiting. A plan that its audit refuses stops that target
    /// alone.
    async fn work_targets(
        &self,
        lease: &Lease,
        state: &UserState,
        accounts: &Accounts,
        showed: (&BTreeMap<CalendarId, Origins>, &Readings),
    ) -> Result<Vec<(CalendarId, TargetDone)>, EngineError> {
        let now = self.clock.now();
        let due = state.calendars.iter().filter(|calendar| {
            let writes = state.waiting_writes.iter().find(|(id, _)| *id == calendar.id);
            let ripe = writes.is_some_and(|(_, not_before)| not_before.is_none_or(|at| at <= now));
            let writable = !calendar.missing && !calendar.is_stopped() && account_is_active(state, calendar);
            writable && (calendar.plan_due || ripe)
        });
        let working = due.map(|target| async move {
            match accounts.of(target) {
                Err(error) => {
                    let (error, stuck) = (Some(error.to_string()), true);
                    (target, Ok(TargetDone { error, stuck, ..TargetDone::default() }), 0)
                }
                Ok(account) => {
                    let account = Counted::new(account);
                    let done = self.work_target(lease, state, target, &account, showed).await;
                    (target, done, account.take_calls())
                }
            }
        });
        let results: Vec<_> = stream::iter(working.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await;
        let mut targets = Vec::new();
        for (target, done, calls) in results {
            let done = done?;
            let account = state.accounts.iter().find(|a| a.id == target.account);
            if let (Some(error), Some(account)) = (&done.account_error, account) {
                self.note_account_error(account, error).await?;
            }
            targets.push((target.id, TargetDone { calls, ..done }));
        }
        Ok(targets)
    }

    /// Ends the runs. Blocks are booked to the run of the calendar whose time they hold, else to that of the calendar
    /// they stand in. Returns when the calendars that were not served are tried again.
    async fn close_books(
        &self,
        books: &Books<'_>,
        read: Vec<ReadCalendar>,
        targets: Vec<(CalendarId, TargetDone)>,
        report: &mut StepReport,
    ) -> Result<BTreeMap<CalendarId, Retry>, EngineError> {
        let read_ids: BTreeSet<CalendarId> = read.iter().map(|r| r.calendar.id).collect();
        let mut booked: BTreeMap<CalendarId, RunCounts> = BTreeMap::new();
        let mut failed_targets: BTreeMap<CalendarId, String> = BTreeMap::new();
        for (target, done) in targets {
            for block in &done.blocks {
                let to = if read_ids.contains(&block.source) { block.source } else { target };
                book(booked.entry(to).or_default(), block.kind);
            }
            let first = done.blocks.first().map_or(target, |b| b.source);
            let to = if read_ids.contains(&first) { first } else { target };
            booked.entry(to).or_default().provider_calls += done.calls;
            if let Some(error) = done.error {
                report.errors.push(error.clone());
                failed_targets.insert(target, error);
            }
            report.blocks.extend(done.blocks);
            report.failed_writes.extend(done.failed);
        }
        let rules = books.state.rules_in_force();
        let mut retries = BTreeMap::new();
        for one in read {
            let mut counts = booked.remove(&one.calendar.id).unwrap_or_default();
            counts.provider_calls += one.calls;
            let target_error = rules
                .iter()
                .filter(|r| r.source == one.calendar.id)
                .find_map(|r| failed_targets.get(&r.target));
            let retry = self.end_one(books, &one, counts, target_error, report).await?;
            if let Some(at) = retry {
                retries.insert(one.calendar.id, Retry { seen_generation: one.begun.seen_generation, at });
            }
        }
        Ok(retries)
    }

    /// Ends one run. `Some(when)`: the calendar was not served, and is tried again then, or never by itself.
    async fn end_one(
        &self,
        books: &Books<'_>,
        one: &ReadCalendar,
        mut counts: RunCounts,
        target_error: Option<&String>,
        report: &mut StepReport,
    ) -> Result<Option<Option<Ts>>, EngineError> {
        let now = self.clock.now();
        let Books { lease, state, flags } = *books;
        let channel = active_subscription(state, flags, one.calendar.id);
        let failures = |worth| {
            let each = one.begun.notifications.iter();
            each.map(|(id, before)| (*id, after_failure(*before, worth, now))).collect::<Vec<_>>()
        };
        let (status, notifications, retry) = match &one.result {
            Ok(read) => {
                counts = merge(counts, &read.counts);
                if one.calendar.webhook_failure_streak > 0 {
                    self.resolve(AlertKind::CalendarUnreadable, one.calendar.id).await?;
                }
                let served = Served {
                    calendars_synced: u32::from(one.looked == Looked::Read),
                    events_processed: counts.events_seen,
                    busy_blocks_updated: counts.blocks(),
                };
                match target_error {
                    None => {
                        // So long after the last push it is looked at once more, whatever comes in between.
                        let heard = channel.and_then(|s| s.last_notification_at);
                        let again =
                            heard.zip(one.outrun).map(|(at, wait)| at.plus(wait)).filter(|at| *at > now);
                        (RunStatus::Succeeded, NotificationsEnd::Completed(served), again.map(Some))
                    }
                    Some(error) => {
                        let items = failures(Worth::Retrying);
                        // Whoever is polled has no notification to be tried again: it waits as long as between two polls.
                        let later = now.plus(self.config.intervals.poll);
                        let again = items.iter().filter_map(|(_, after)| retry_at(*after)).min();
                        let retry = Some(again.unwrap_or(later));
                        let end = NotificationsEnd::Failed { items, blame: Blame::Target };
                        (RunStatus::Failed { error: error.clone() }, end, retry.map(Some))
                    }
                }
            }
            Err(error) => {
                if let Some(account) = state.accounts.iter().find(|a| a.id == one.calendar.account) {
                    self.note_account_error(account, error).await?;
                }
                let retry = schedule::after_error(error, one.calendar.webhook_failure_streak + 1, now);
                let worth = if retry.is_some() { Worth::Retrying } else { Worth::GivingUp };
                report.errors.push(format!("{}: {error}", one.calendar.id));
                let owners = matches!(error.class, ErrorClass::Unauthorized | ErrorClass::Misconfigured);
                if retry.is_none() && !owners {
                    self.alert_unreadable(&one.calendar, error).await?;
                }
                // A dead grant or a wrong client is no fault of this calendar or its channel.
                let blame = if owners { Blame::Target } else { Blame::Calendar };
                let end = NotificationsEnd::Failed { items: failures(worth), blame };
                let retry = retry.or_else(|| self.retry_hopeless(error, now));
                (RunStatus::Failed { error: error.to_string() }, end, Some(retry))
            }
        };
        // What is to be tried again stays dirty, or nobody would look again.
        let served = one.result.is_ok() && retry.is_none();
        let served_generation = served.then_some(one.begun.seen_generation);
        let showed = match (&one.result, &notifications) {
            (Ok(read), _) => Some(Showed::Look(look(one, read, channel))),
            (Err(_), NotificationsEnd::Failed { blame: Blame::Calendar, .. }) => Some(Showed::Failure),
            (Err(_), _) => None,
        };
        let verdict = channel.zip(showed).map(|(channel, showed)| (channel, channel.after_run(showed, now)));
        if let Some((channel, verdict)) = verdict {
            self.heed_verdict(channel, one.failures.max(channel.failure_count), &verdict).await?;
        }
        report.read.push(CalendarReport {
            run: one.run,
            calendar: one.calendar.id,
            kind: one.kind,
            trigger: one.trigger,
            counts,
            answered: match &notifications {
                NotificationsEnd::Completed(_) => one.begun.told.clone(),
                NotificationsEnd::Failed { .. } => Vec::new(),
            },
            showed: channel_showed(one, channel.zip(verdict.as_ref().map(|(_, verdict)| verdict))),
            notifications: one.begun.notifications.iter().map(|(id, _)| *id).collect(),
            ended_at: now,
            took: now.since(one.began_at),
            error: match &status {
                RunStatus::Failed { error } => Some(error.clone()),
                RunStatus::Running | RunStatus::Succeeded => None,
            },
        });
        let end = RunEnd {
            run: one.run,
            calendar: one.calendar.id,
            at: now,
            status,
            counts,
            notifications,
            looked: one.looked,
            served_generation,
            delivery: verdict.and_then(|(channel, verdict)| delivery_end(channel, &verdict)),
        };
        self.store.end_run(lease, &end).instrument(debug_span!("end", run = %one.run)).await?;
        Ok(retry)
    }
}

/// What a reading saw that a channel should have told of.
fn look<'a>(one: &'a ReadCalendar, read: &Pulled, channel: Option<&Subscription>) -> Look<'a> {
    Look {
        began_at: one.began_at,
        // Deliveries that told nothing new are answered without a reading.
        since: one
            .calendar
            .last_synced_at
            .map(|at| one.calendar.webhook_last_activity.map_or(at, |told| told.max(at))),
        told: &one.begun.told,
        heard_at: channel.and_then(|s| s.last_notification_at),
        changes: read.changes,
    }
}

/// For statistics: whether the channel had told of what was found.
fn channel_showed(one: &ReadCalendar, judged: Option<(&Subscription, &Verdict)>) -> ChannelShowed {
    match judged {
        Some((before, after)) if after.delivery.missed_streak > before.delivery.missed_streak => {
            ChannelShowed::Missed
        }
        Some(_) if !one.begun.told.is_empty() && one.result.as_ref().is_ok_and(|read| read.changes > 0) => {
            ChannelShowed::Told
        }
        _ => ChannelShowed::Nothing,
    }
}

/// What is to be stored of a verdict; `None`: nothing new.
fn delivery_end(channel: &Subscription, verdict: &Verdict) -> Option<DeliveryEnd> {
    let Verdict { delivery, renew_at, .. } = *verdict;
    let renew_at = Some(renew_at).filter(|at| *at != channel.renew_at);
    let news = delivery != channel.delivery || renew_at.is_some();
    news.then_some(DeliveryEnd { subscription: channel.id, delivery, renew_at })
}

fn retry_at(after: AfterFailure) -> Option<Ts> {
    match after {
        AfterFailure::RetryAt(at) => Some(at),
        AfterFailure::Failed => None,
    }
}

fn trigger(calendar: &Calendar, kind: RunKind) -> &'static str {
    match kind {
        RunKind::Full if calendar.is_on_its_way_out() => "last look at a calendar that leaves",
        RunKind::Full if calendar.last_full_sync.is_none() => "first reading",
        RunKind::Full if calendar.full_due => "full reading asked for",
        RunKind::Full => "daily full reading",
        RunKind::Webhook => "notification",
        RunKind::Polling => "poll",
        RunKind::Write => "planned again",
    }
}

fn book(counts: &mut RunCounts, kind: ActionKind) {
    match kind {
        ActionKind::Create => counts.blocks_created += 1,
        ActionKind::Update => counts.blocks_updated += 1,
        ActionKind::Delete => counts.blocks_deleted += 1,
        ActionKind::Adopt | ActionKind::Forget | ActionKind::Yield => {}
    }
}

fn merge(blocks: RunCounts, read: &RunCounts) -> RunCounts {
    RunCounts {
        events_seen: read.events_seen,
        events_created: read.events_created,
        events_updated: read.events_updated,
        events_deleted: read.events_deleted,
        ..blocks
    }
}
