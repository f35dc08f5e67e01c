//! What a step says of how fresh its user's rules are, gathered and handed over as the step ends. What follows from it is decided
//! in `core::freshness`.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::calendar::Calendar;
use calsync_core::delivery::Unannounced;
use calsync_core::freshness::{
    self, DAY, Delay, Delays, Freshness, Origins, Pace, Quantiles, Seen, SourceSeen, TargetSeen,
};
use calsync_core::ids::{CalendarId, CorrelationId, RuleId, UserId};
use calsync_core::ports::{Awaited, NextDue, StepEnd, StoreError, UserState};
use calsync_core::rollout::Rollout;
use calsync_core::rule::Rule;
use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde::Serialize;

use crate::Engine;
use crate::causes::Readings;
use crate::due::{account_is_active, active_subscription};
use crate::target::TargetDone;

/// When the changes happened that a plan answers, and which runs showed them.
pub(crate) struct News<'a> {
    /// As this step's readings showed them.
    pub(crate) origins: &'a BTreeMap<CalendarId, Origins>,
    /// What was read in this step.
    pub(crate) readings: &'a Readings,
    /// Of writes that were dropped and are planned anew.
    pub(crate) carried: BTreeMap<CorrelationId, Ts>,
}

/// What a step did to one target.
struct Tried {
    blocks: usize,
    refused: bool,
    wrote_from: Option<Ts>,
}

/// What a step showed.
pub(crate) struct StepShowed {
    began_at: Ts,
    sources: BTreeMap<CalendarId, SourceSeen>,
    targets: BTreeMap<CalendarId, Tried>,
    delays: Vec<Delay>,
}

/// What people may know of a rule's freshness.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RuleFreshness {
    /// How it stands.
    #[serde(flatten)]
    pub freshness: Freshness,
    /// Whether its promise has passed.
    pub behind: bool,
    /// How long its changes of the last day took.
    pub delays: Quantiles,
}

impl StepShowed {
    /// `sources`: those that were looked at.
    pub(crate) fn new(
        began_at: Ts,
        sources: BTreeMap<CalendarId, SourceSeen>,
        targets: &[(CalendarId, TargetDone)],
    ) -> StepShowed {
        let tried = |done: &TargetDone| Tried {
            blocks: done.blocks.len(),
            refused: done.refused,
            wrote_from: done.wrote_from,
        };
        StepShowed {
            began_at,
            sources,
            targets: targets.iter().map(|(id, done)| (*id, tried(done))).collect(),
            delays: targets.iter().flat_map(|(_, done)| done.delays.iter().copied()).collect(),
        }
    }

    /// How long the changes took whose blocks were written.
    pub(crate) fn delays(&self) -> Vec<SignedDuration> {
        self.delays.iter().map(|delay| delay.written_at.since(delay.happened_at)).collect()
    }

    fn seen(&self, state: &UserState, rule: &Rule, next: &BTreeMap<CalendarId, Option<Ts>>) -> Seen {
        let usable = |id: CalendarId| {
            let found = state.calendars.iter().find(|c| c.id == id);
            found.filter(|c| !c.missing && !c.is_stopped() && account_is_active(state, c))
        };
        let both = usable(rule.source).zip(usable(rule.target));
        Seen {
            rule: rule.id,
            source: rule.source,
            target: rule.target,
            calendars: both.map(|(source, target)| (self.source(source), self.target(state, target))),
            next_look: next.get(&rule.source).copied().flatten(),
        }
    }

    fn source(&self, source: &Calendar) -> SourceSeen {
        let never_looked =
            SourceSeen::NotLooked(source.last_synced_at.filter(|_| source.last_full_sync.is_some()));
        self.sources.get(&source.id).copied().unwrap_or(never_looked)
    }

    fn target(&self, state: &UserState, target: &Calendar) -> TargetSeen {
        let tried = self.targets.get(&target.id);
        let waiting = state.waiting_writes.iter().find(|(id, _)| *id == target.id);
        // Whatever else was written there: what is left has failed, and its time is running.
        let put_off = waiting.and_then(|(_, from)| *from).is_some_and(|from| from > self.began_at);
        match tried {
            _ if state.holds.iter().any(|hold| hold.target == target.id) => TargetSeen::Held,
            _ if !target.plan_due && waiting.is_none() => TargetSeen::Done,
            None => TargetSeen::NotTried,
            Some(tried) if tried.refused => TargetSeen::Refused,
            Some(tried) if tried.blocks > 0 && !put_off => TargetSeen::Moving,
            Some(_) => TargetSeen::Waiting,
        }
    }
}

impl Engine {
    /// Every write of ours should be told of by the channel of the calendar that it went to: from now on that is awaited, as
    /// of a change that a look found first.
    pub(crate) fn await_echoes(
        &self,
        state: &mut UserState,
        flags: &Rollout,
        showed: &StepShowed,
    ) -> Vec<Awaited> {
        let mut awaited = Vec::new();
        for (target, tried) in &showed.targets {
            let channel = active_subscription(state, flags, *target);
            let open = channel.zip(tried.wrote_from).filter(|(channel, from)| {
                // The row is there before the channel is: it stands since the provider's answer.
                let opened = channel.last_renewal_at.unwrap_or(channel.created_at);
                opened <= *from && channel.delivery.unannounced.is_none()
            });
            awaited.extend(open.map(|(channel, since)| Awaited { subscription: channel.id, since }));
        }
        for Awaited { subscription, since } in &awaited {
            let known = state.subscriptions.iter_mut().filter(|s| s.id == *subscription);
            known.for_each(|s| s.delivery.unannounced = Some(Unannounced { found_at: *since, changes: 1 }));
        }
        awaited
    }

    /// What is to be kept of a step.
    pub(crate) async fn step_end(
        &self,
        state: &UserState,
        showed: &StepShowed,
        next: Vec<NextDue>,
        awaited: Vec<Awaited>,
    ) -> Result<StepEnd, StoreError> {
        let known = self.store.freshness(state.user.id).await?;
        let known: BTreeMap<RuleId, Freshness> = known.into_iter().map(|f| (f.rule, f)).collect();
        let now = self.clock.now();
        let pace = Pace { now, took: now.since(showed.began_at), promise: self.config.promise };
        let due: BTreeMap<CalendarId, Option<Ts>> = next.iter().map(|n| (n.calendar, n.due_at)).collect();
        let in_force = state.rules_in_force();
        let after = in_force.iter().map(|rule| {
            let known = known.get(&rule.id);
            (known, freshness::after_step(known, &showed.seen(state, rule, &due), &pace))
        });
        let rules = after.filter(|(known, after)| after.is_news(*known)).map(|(_, after)| after).collect();
        let kept: BTreeSet<RuleId> = in_force.iter().map(|rule| rule.id).collect();
        let gone = known.into_keys().filter(|rule| !kept.contains(rule)).collect();
        Ok(StepEnd { next, rules, gone, delays: freshness::tally(&showed.delays), awaited })
    }

    /// How fresh a user's rules are, by rule.
    pub async fn rule_freshness(&self, user: UserId) -> Result<Vec<RuleFreshness>, StoreError> {
        let now = self.clock.now();
        let mut delays: BTreeMap<RuleId, Delays> = BTreeMap::new();
        for one in self.store.rule_delays(user, now.minus(DAY)).await? {
            delays.entry(one.rule).or_default().add(one.bucket, one.count);
        }
        let rules = self.store.freshness(user).await?.into_iter().map(|freshness| RuleFreshness {
            freshness,
            behind: freshness.is_behind(now),
            delays: delays.get(&freshness.rule).map(Delays::quantiles).unwrap_or_default(),
        });
        Ok(rules.collect())
    }
}
