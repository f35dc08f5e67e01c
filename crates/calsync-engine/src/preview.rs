//! What changes of rules would do before they are made: which blocks would come, change and go where, and how long that takes.
//! Calendars that were never read are read for it, into memory. Nothing is written anywhere.

mod live;

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::calendar::{Calendar, ProviderKind};
use calsync_core::ids::{AccountId, CalendarId, UserId};
use calsync_core::plan::{self, Plan};
use calsync_core::ports::UserState;
use calsync_core::preview::{TargetPreview, Writer, writing_time};
use calsync_core::rule::{self, RuleChanges};
use jiff::SignedDuration;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Accounts;
use crate::inspect::OFFLINE;
use crate::rules::{RulesError, of};
use crate::{Engine, EngineError};

/// How far back calls are looked at for how long they take.
const CALLS_SINCE: SignedDuration = SignedDuration::from_hours(1);

/// What somebody thinks of doing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Thought {
    /// Changes of rules.
    pub changes: RuleChanges,
    /// Calendars that are to take part, linked as the defaults say.
    pub enable: Vec<CalendarId>,
}

/// What it would do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct RulesPreview {
    /// The calendars whose blocks would be planned again.
    pub targets: Vec<TargetPreview>,
    /// Calendars that were read for this.
    pub read: Vec<CalendarId>,
    /// Calendars of which too little is known: what follows from them is missing here.
    pub unread: Vec<Unread>,
    /// How long the writing would take within what the providers allow.
    #[schema(value_type = String, format = Duration)]
    pub writing: SignedDuration,
}

/// A calendar that could not be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Unread {
    /// Which.
    pub calendar: CalendarId,
    /// Why, in words.
    pub because: String,
}

/// What was thought of, planned.
pub(crate) struct Planned {
    then: UserState,
    accounts: Accounts,
    read: Vec<CalendarId>,
    pub(crate) unread: Vec<Unread>,
    pub(crate) plans: Vec<Plan>,
}

impl Engine {
    /// What these changes would do. Judged like the changes themselves: what would be refused is refused here.
    pub async fn preview_rules(&self, user: UserId, thought: &Thought) -> Result<RulesPreview, RulesError> {
        let Planned { then, accounts, read, unread, plans } = self.planned(user, thought).await?;
        let targets: Vec<TargetPreview> = plans.iter().map(TargetPreview::of).collect();
        let writing = self.writing_of(&then, &targets, &accounts).await?;
        Ok(RulesPreview { targets, read, unread, writing })
    }

    /// The plans that would be made then, from what the calendars show now.
    pub(crate) async fn planned(&self, user: UserId, thought: &Thought) -> Result<Planned, RulesError> {
        let state = self.state(user).await?;
        let mut then = after(&state, thought)?;
        let step = rule::step(user, of(&state), of(&then));
        let accounts = self.open_accounts(&state.accounts).await?;
        let rules = then.rules_in_force();
        let mut targets: BTreeSet<CalendarId> = step.plan.clone();
        // Texts that were not kept until now are needed now.
        targets.extend(rules.iter().filter(|r| step.list.contains(&r.source)).map(|r| r.target));
        // One that stood still keeps its rules, and is read anew.
        let joins = |id: CalendarId| {
            let takes_part = |calendars: &[Calendar]| calendars.iter().any(|c| c.id == id && c.sync_enabled);
            takes_part(&then.calendars) && !takes_part(&state.calendars)
        };
        targets.extend(rules.iter().filter(|r| joins(r.source) || joins(r.target)).map(|r| r.target));
        let sources = rules.iter().filter(|r| targets.contains(&r.target)).map(|r| r.source);
        let needed: BTreeSet<CalendarId> = targets.iter().copied().chain(sources).collect();
        let unknown = |c: &&Calendar| c.last_full_sync.is_none() || step.list.contains(&c.id);
        let to_read: Vec<Calendar> =
            then.calendars.iter().filter(|c| needed.contains(&c.id)).filter(unknown).cloned().collect();
        let looked = self.read_live(&to_read, &rules, &accounts).await?;
        looked.show(&mut then);
        let mut plans = Vec::new();
        for target in then.calendars.iter().filter(|c| targets.contains(&c.id)) {
            let capabilities = accounts.of(target).map_or(OFFLINE, |a| a.capabilities());
            let data = self.load_target(&then, target).await?.seen_anew(&looked.mirrors);
            plans.push(plan::plan(&data.input(self, &then, target, capabilities)));
        }
        let read = looked.mirrors.into_keys().collect();
        Ok(Planned { then, accounts, read, unread: looked.unread, plans })
    }

    async fn writing_of(
        &self,
        state: &UserState,
        previews: &[TargetPreview],
        accounts: &Accounts,
    ) -> Result<SignedDuration, EngineError> {
        let (mut writes, mut writers) = (BTreeMap::new(), BTreeMap::new());
        let calls = self.call_times().await?;
        for preview in previews {
            let Some(target) = state.calendars.iter().find(|c| c.id == preview.target) else { continue };
            let account: AccountId = target.account;
            writes.insert((account, target.id), preview.writes);
            let kind = state.accounts.iter().find(|a| a.id == account).map(|a| a.provider);
            let call = kind.and_then(|kind| calls.get(&kind)).copied().unwrap_or_default();
            if let Ok(session) = accounts.of(target) {
                writers.insert(account, Writer { pace: session.pace(), call });
            }
        }
        Ok(writing_time(&writes, &writers))
    }

    /// How long a call took lately, by provider.
    async fn call_times(&self) -> Result<BTreeMap<ProviderKind, SignedDuration>, EngineError> {
        let mut sums: BTreeMap<ProviderKind, (u64, u64)> = BTreeMap::new();
        for row in self.store.call_stats(self.clock.now().minus(CALLS_SINCE)).await? {
            let sum = sums.entry(row.provider).or_default();
            *sum = (sum.0 + row.calls, sum.1 + row.latency_sum_us);
        }
        let mean = |(calls, micros): (u64, u64)| {
            let micros = i64::try_from(micros / calls.max(1)).unwrap_or(i64::MAX);
            SignedDuration::from_micros(micros)
        };
        Ok(sums.into_iter().map(|(kind, sum)| (kind, mean(sum))).collect())
    }
}

/// What would be known of the user once it is done.
fn after(state: &UserState, thought: &Thought) -> Result<UserState, RulesError> {
    let mut then = state.clone();
    for wanted in &thought.enable {
        let Some(calendar) = then.calendars.iter_mut().find(|c| c.id == *wanted) else {
            return Err(EngineError::NotFound(format!("calendar {wanted}")).into());
        };
        if !calendar.sync_enabled {
            // It starts from what its provider shows then.
            (calendar.sync_enabled, calendar.leaving) = (true, None);
            (calendar.last_full_sync, calendar.cursor) = (None, None);
        }
        then.rules = rule::linked(&then.rules, &then.calendars, &then.rule_defaults, *wanted);
    }
    then.rules = rule::decide(state.user.id, of(&then), &thought.changes)?.rules;
    Ok(then)
}
