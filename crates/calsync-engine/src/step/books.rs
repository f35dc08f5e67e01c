//! Closing the books of a step: how each of its runs ended, and what becomes of the notifications that it was to serve.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::alert::AlertKind;
use calsync_core::delivery::Look;
use calsync_core::ids::{CalendarId, NotificationId};
use calsync_core::notification::{AfterFailure, Served, Worth, after_failure};
use calsync_core::plan::ActionKind;
use calsync_core::ports::{
    Blame, DeliveryEnd, ErrorClass, Lease, Looked, NotificationsEnd, ProviderError, RunEnd, UserState,
};
use calsync_core::rollout::Rollout;
use calsync_core::run::{RunCounts, RunStatus};
use calsync_core::schedule;
use calsync_core::subscription::{Showed, Subscription, Verdict};
use calsync_core::time::Ts;
use jiff::SignedDuration;
use tracing::{Instrument, debug_span};

use super::read::ReadCalendar;
use crate::due::{Retry, active_subscription};
use crate::pull::Pulled;
use crate::report::{CalendarReport, ChannelShowed, StepReport};
use crate::target::TargetDone;
use crate::{Engine, EngineError};

/// What closing the books of a step rests on.
pub(super) struct Books<'a> {
    pub(super) lease: &'a Lease,
    pub(super) state: &'a UserState,
    pub(super) flags: &'a Rollout,
}

impl Engine {
    /// Ends the runs. Blocks are booked to the run of the calendar whose time they hold, else to that of the calendar
    /// they stand in. Returns when the calendars that were not served are tried again.
    pub(super) async fn close_books(
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

    /// Ends one run. `Some(when)`: the calendar stays due, and is looked at again then, or never by itself.
    async fn end_one(
        &self,
        books: &Books<'_>,
        one: &ReadCalendar,
        counts: RunCounts,
        target_error: Option<&String>,
        report: &mut StepReport,
    ) -> Result<Option<Option<Ts>>, EngineError> {
        let now = self.clock.now();
        let Books { lease, state, flags } = *books;
        let channel = active_subscription(state, flags, one.calendar.id);
        let counts = one.result.as_ref().map_or(counts, |read| merge(counts, &read.counts));
        let ended = match (&one.result, target_error) {
            (Ok(_), None) => served(one, &counts, channel, now),
            (Ok(_), Some(error)) => not_written(one, error, self.config.intervals.poll, now),
            (Err(error), _) => unread(one, error, self.config.intervals.full, now),
        };
        self.tell_of_reading(state, one, ended.hopeless).await?;
        if let Err(error) = &one.result {
            report.errors.push(format!("{}: {error}", one.calendar.id));
        }
        // What is to be tried again stays dirty, or nobody would look again.
        let is_served = one.result.is_ok() && ended.again.is_none();
        let verdict = channel.zip(showed(one, &ended.notifications, channel));
        let verdict = verdict.map(|(channel, showed)| (channel, channel.after_run(showed, now)));
        if let Some((channel, verdict)) = verdict {
            self.heed_verdict(channel, one.failures.max(channel.failure_count), &verdict).await?;
        }
        report.read.push(CalendarReport {
            run: one.run,
            calendar: one.calendar.id,
            kind: one.kind,
            trigger: one.trigger,
            counts,
            answered: match &ended.notifications {
                NotificationsEnd::Completed(_) => one.begun.told.clone(),
                NotificationsEnd::Failed { .. } => Vec::new(),
            },
            showed: channel_showed(one, channel.zip(verdict.as_ref().map(|(_, verdict)| verdict))),
            notifications: one.begun.notifications.iter().map(|(id, _)| *id).collect(),
            ended_at: now,
            took: now.since(one.began_at),
            error: match &ended.status {
                RunStatus::Failed { error } => Some(error.clone()),
                RunStatus::Running | RunStatus::Succeeded => None,
            },
        });
        let end = RunEnd {
            run: one.run,
            calendar: one.calendar.id,
            at: now,
            status: ended.status,
            counts,
            notifications: ended.notifications,
            looked: one.looked,
            served_generation: is_served.then_some(one.begun.seen_generation),
            delivery: verdict.and_then(|(channel, verdict)| delivery_end(channel, &verdict)),
        };
        self.store.end_run(lease, &end).instrument(debug_span!("end", run = %one.run)).await?;
        Ok(ended.again)
    }

    /// Lets people know what a reading says of its account and its calendar, or that it is over.
    async fn tell_of_reading(
        &self,
        state: &UserState,
        one: &ReadCalendar,
        hopeless: bool,
    ) -> Result<(), EngineError> {
        let Err(error) = &one.result else {
            if one.calendar.webhook_failure_streak > 0 {
                self.resolve(AlertKind::CalendarUnreadable, one.calendar.id).await?;
            }
            return Ok(());
        };
        if let Some(account) = state.accounts.iter().find(|a| a.id == one.calendar.account) {
            self.note_account_error(account, error).await?;
        }
        if hopeless {
            self.alert_unreadable(&one.calendar, error).await?;
        }
        Ok(())
    }
}

/// How a run ended.
struct Ended {
    status: RunStatus,
    notifications: NotificationsEnd,
    /// `Some`: the calendar stays due, and is looked at again then, or never by itself.
    again: Option<Option<Ts>>,
    /// No further try can mend it, nor anything that the account's owner or the operator is told of already.
    hopeless: bool,
}

/// The calendar was read, or known without it, and nothing that it asks for has failed.
fn served(one: &ReadCalendar, counts: &RunCounts, channel: Option<&Subscription>, now: Ts) -> Ended {
    // So long after the last push it is looked at once more, whatever comes in between.
    let heard = channel.and_then(|channel| channel.last_notification_at);
    let again = heard.zip(one.outrun).map(|(at, wait)| at.plus(wait)).filter(|at| *at > now);
    let served = Served {
        calendars_synced: u32::from(one.looked == Looked::Read),
        events_processed: counts.events_seen,
        busy_blocks_updated: counts.blocks(),
    };
    Ended {
        status: RunStatus::Succeeded,
        notifications: NotificationsEnd::Completed(served),
        again: again.map(Some),
        hopeless: false,
    }
}

/// The calendar was read; a target of its events could not be brought up to date.
fn not_written(one: &ReadCalendar, error: &str, poll: SignedDuration, now: Ts) -> Ended {
    let items = after_failures(one, Worth::Retrying, now);
    // Whoever is polled has no notification to be tried again: it waits as long as between two polls.
    let again =
        items.iter().filter_map(|(_, after)| retry_at(*after)).min().unwrap_or_else(|| now.plus(poll));
    Ended {
        status: RunStatus::Failed { error: error.to_owned() },
        notifications: NotificationsEnd::Failed { items, blame: Blame::Target },
        again: Some(Some(again)),
        hopeless: false,
    }
}

/// The calendar could not be read.
fn unread(one: &ReadCalendar, error: &ProviderError, full: SignedDuration, now: Ts) -> Ended {
    let retry = schedule::after_error(error, one.calendar.webhook_failure_streak + 1, now);
    let worth = if retry.is_some() { Worth::Retrying } else { Worth::GivingUp };
    // A dead grant or a wrong client is no fault of this calendar or its channel.
    let owners = matches!(error.class, ErrorClass::Unauthorized | ErrorClass::Misconfigured);
    let blame = if owners { Blame::Target } else { Blame::Calendar };
    // A calendar that no retry can mend may come back, so it is asked now and then; a dead grant only its owner can mend,
    // so it is not.
    let now_and_then = (error.class != ErrorClass::Unauthorized).then(|| now.plus(full));
    Ended {
        status: RunStatus::Failed { error: error.to_string() },
        notifications: NotificationsEnd::Failed { items: after_failures(one, worth, now), blame },
        again: Some(retry.or(now_and_then)),
        hopeless: retry.is_none() && !owners,
    }
}

/// What becomes of each notification that a run which failed was to serve.
fn after_failures(one: &ReadCalendar, worth: Worth, now: Ts) -> Vec<(NotificationId, AfterFailure)> {
    let each = one.begun.notifications.iter();
    each.map(|(id, before)| (*id, after_failure(*before, worth, now))).collect()
}

/// What a run says of the channel; nothing, where it is none of the calendar's fault that it was not read.
fn showed<'a>(
    one: &'a ReadCalendar,
    notifications: &NotificationsEnd,
    channel: Option<&Subscription>,
) -> Option<Showed<'a>> {
    match (&one.result, notifications) {
        (Ok(read), _) => Some(Showed::Look(look(one, read, channel))),
        (Err(_), NotificationsEnd::Failed { blame: Blame::Calendar, .. }) => Some(Showed::Failure),
        (Err(_), _) => None,
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
