//! One step: claim one user, read the calendars that are due, bring the targets up to date, close the books, and give the
//! user back. The lease is the user's, so that reading one calendar and writing another never race.

mod books;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::calendar::Calendar;
use calsync_core::freshness::Origins;
use calsync_core::ids::{CalendarId, UserId};
use calsync_core::ports::{ClaimedUser, Lease, StoreError, UserState, Wish};
use futures_util::{StreamExt, stream};
use tracing::{Instrument, debug_span};

use crate::access::Accounts;
use crate::calls::Counted;
use crate::causes::Readings;
use crate::due::account_is_active;
use crate::freshness::StepShowed;
use crate::report::StepReport;
use crate::target::TargetDone;
use crate::{Engine, EngineError, trace};
use books::Books;
use read::{How, ReadCalendar};

/// Calendars of one user that are read, mirrors that are loaded, or targets that are written, at once.
pub(crate) const AT_ONCE: usize = 8;

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
            held: targets.iter().filter_map(|(_, t)| t.held.clone()).collect(),
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
        let due: Vec<&Calendar> = due.collect();
        let planned: Vec<&Calendar> = due.iter().copied().filter(|target| target.plan_due).collect();
        let mirrors = self.mirrors_for(state, &planned).await;
        let working = due.into_iter().map(|target| {
            let mirrors = mirrors.clone();
            async move {
                match accounts.of(target) {
                    Err(error) => {
                        let (error, stuck) = (Some(error.to_string()), true);
                        (target, Ok(TargetDone { error, stuck, ..TargetDone::default() }), 0)
                    }
                    Ok(account) => {
                        let account = Counted::new(account);
                        let done = self.work_target(lease, state, target, &account, mirrors, showed).await;
                        (target, done, account.take_calls())
                    }
                }
            }
        });
        let working: Vec<_> = working.collect();
        // Each target has its own hold on them, which ends with its first plan: they are large, and writing is slow.
        drop(mirrors);
        let results: Vec<_> = stream::iter(working).buffered(AT_ONCE).collect().await;
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
}
