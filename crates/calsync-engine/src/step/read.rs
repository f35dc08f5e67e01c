//! Reading the calendars of a user that are due, each in a run of its own.

use calsync_core::calendar::Calendar;
use calsync_core::echo::Told;
use calsync_core::event::TextPolicy;
use calsync_core::freshness::{Origins, SourceSeen};
use calsync_core::ids::{CalendarId, RunId};
use calsync_core::ports::{Lease, Looked, ProviderError, RunBegun, UserState};
use calsync_core::rollout::Rollout;
use calsync_core::rule::Rule;
use calsync_core::run::{Run, RunCounts, RunKind, RunStatus};
use calsync_core::schedule::{self, Intervals};
use calsync_core::time::Ts;
use futures_util::{StreamExt, stream};
use jiff::SignedDuration;
use tracing::{Instrument, debug_span};

use super::AT_ONCE;
use crate::access::Accounts;
use crate::calls::Counted;
use crate::causes::ReadIn;
use crate::due::{account_is_active, active_subscription, last_look_at};
use crate::pull::{PullWork, Pulled};
use crate::{Engine, EngineError, trace};

/// A calendar that was read, or could not be.
pub(super) struct ReadCalendar {
    pub(super) calendar: Calendar,
    pub(super) run: RunId,
    pub(super) kind: RunKind,
    pub(super) trigger: &'static str,
    pub(super) began_at: Ts,
    pub(super) begun: RunBegun,
    /// Failures in a row of its channel before this run took up what that delivered.
    pub(super) failures: u32,
    pub(super) result: Result<Pulled, ProviderError>,
    pub(super) calls: u32,
    /// It showed nothing, and its provider may tell of a change so long before a listing knows.
    pub(super) outrun: Option<SignedDuration>,
    pub(super) looked: Looked,
}

impl ReadCalendar {
    /// Which run it was, and when it began.
    pub(super) fn read_in(&self) -> ReadIn {
        ReadIn { run: self.run, at: self.began_at }
    }

    /// When what it showed was changed.
    pub(super) fn origins(&self) -> Option<(CalendarId, Origins)> {
        Some((self.calendar.id, self.result.as_ref().ok()?.origins.clone()))
    }
}

/// What says how calendars are looked at.
pub(super) struct How<'a> {
    pub(super) flags: &'a Rollout,
    pub(super) intervals: &'a Intervals,
}

impl Engine {
    /// What a reading says of its calendar as a source; nothing, where it was spared.
    pub(super) fn source_seen(&self, one: &ReadCalendar) -> Option<SourceSeen> {
        let now = self.clock.now();
        match &one.result {
            Ok(_) => (one.looked == Looked::Read).then_some(SourceSeen::Read(one.began_at)),
            Err(error) => {
                let retry = schedule::after_error(error, one.calendar.webhook_failure_streak + 1, now);
                Some(if retry.is_none() { SourceSeen::Unreadable } else { SourceSeen::Failed })
            }
        }
    }

    /// Reads whatever is due, several at once.
    pub(super) async fn read_due(
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
        let named = Told::last(begun.payloads.iter().filter_map(Told::read));
        let full = run.kind == RunKind::Full;
        let work = PullWork { calendar, full, texts, targets: &targets, told, named: &named };
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
        let lags = |read: &Pulled| read.lags || read.counts.events_seen == 0;
        let outrun = outruns.filter(|_| result.as_ref().is_ok_and(lags));
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
