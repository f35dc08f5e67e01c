//! Looking without touching: what would be done (`plan`), and why an event has or lacks a block (`explain`).

use calsync_core::calendar::{Calendar, ListedCalendar};
use calsync_core::hold::Verdict;
use calsync_core::ids::{AccountId, CalendarId, UserId};
use calsync_core::plan::{self, Plan};
use calsync_core::ports::{Capabilities, Ids, Listing, Tentativeness, UserState};
use calsync_core::time::{Span, Ts};

use crate::{Engine, EngineError};

/// What a question is answered with.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Explanation {
    /// One per rule and occurrence asked about.
    pub lines: Vec<Line>,
}

/// One rule's answer for one occurrence.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Line {
    /// Where the event is.
    pub source: CalendarId,
    /// Where its block is, or is not.
    pub target: CalendarId,
    /// Which occurrence.
    pub occurrence: String,
    /// When it is.
    pub span: Option<Span>,
    /// Whether a block stands, will stand, or not.
    pub outcome: &'static str,
    /// Why.
    pub because: String,
}

/// What a question is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// An event, by the provider's id.
    Event(String),
    /// Whatever takes place at this time.
    At(Ts),
}

impl Engine {
    /// What would be done to each of a user's calendars right now, from what is known right now.
    pub async fn plan(&self, user: UserId) -> Result<Vec<Plan>, EngineError> {
        let state = self.state(user).await?;
        let accounts = self.open_accounts(&state.accounts).await?;
        let mut plans = Vec::new();
        for target in &state.calendars {
            let capabilities = accounts.of(target).map(|a| a.capabilities()).unwrap_or(OFFLINE);
            let data = self.load_target(&state, target).await?;
            plans.push(plan::plan(&data.input(self, &state, target, capabilities)));
        }
        Ok(plans)
    }

    /// Why the events asked about have or lack blocks.
    pub async fn explain(&self, user: UserId, question: &Question) -> Result<Explanation, EngineError> {
        let state = self.state(user).await?;
        let lines = self
            .plan(user)
            .await?
            .iter()
            .flat_map(lines)
            .filter(|l| asked(l, question, &state.calendars))
            .collect();
        Ok(Explanation { lines })
    }

    /// Takes over what an account's provider lists. Nothing is deleted, and nothing new is switched on.
    pub async fn refresh_calendars(&self, account: AccountId, user: UserId) -> Result<usize, EngineError> {
        let state = self.state(user).await?;
        let account = state.accounts.iter().find(|a| a.id == account);
        let account = account.ok_or_else(|| EngineError::NotFound("such account".to_owned()))?;
        let session = self.providers.open(account).await?;
        let listed = session.list_calendars().await?;
        let now = self.clock.now();
        let listed: Vec<(CalendarId, ListedCalendar)> =
            listed.into_iter().map(|c| (CalendarId(self.ids.uuid(now)), c)).collect();
        self.store.update_calendar_list(account.id, &listed).await?;
        Ok(listed.len())
    }

    async fn state(&self, user: UserId) -> Result<UserState, EngineError> {
        self.store.user_state(user).await?.ok_or_else(|| EngineError::NotFound(format!("user {user}")))
    }
}

/// What is assumed of a provider that can't be asked now: enough to plan, nothing is written from it.
const OFFLINE: Capabilities = Capabilities {
    chooses_ids: Ids::Client,
    push: None,
    tentative: Tentativeness::Shown,
    concurrent_calls: 1,
    listing: Listing::Unbounded,
};

fn lines(plan: &Plan) -> Vec<Line> {
    let held = match &plan.verdict {
        Verdict::Go => None,
        Verdict::Hold(hold) => Some(format!("held: {}", hold.reason)),
    };
    let kept = plan.kept.iter().map(|k| Line {
        source: k.source,
        target: plan.target,
        occurrence: k.occurrence.to_string(),
        span: Some(k.span),
        outcome: "block",
        because: "it takes this time".to_owned(),
    });
    let actions = plan.actions.iter().map(|a| Line {
        source: a.row.source,
        target: plan.target,
        occurrence: a.row.occurrence.to_string(),
        span: Some(a.row.span),
        outcome: match a.kind {
            plan::ActionKind::Create => "to be created",
            plan::ActionKind::Update => "to be updated",
            plan::ActionKind::Delete => "to be deleted",
            plan::ActionKind::Adopt => "block",
            plan::ActionKind::Forget => "no block",
            plan::ActionKind::Yield => "left alone",
        },
        because: held.clone().unwrap_or_else(|| a.reason.to_string()),
    });
    let skips = plan.skips.iter().map(|s| Line {
        source: s.source,
        target: plan.target,
        occurrence: s.occurrence.to_string(),
        span: s.span,
        outcome: "no block",
        because: s.reason.to_string(),
    });
    kept.chain(actions).chain(skips).collect()
}

fn asked(line: &Line, question: &Question, calendars: &[Calendar]) -> bool {
    match question {
        Question::Event(id) => line.occurrence == *id || line.occurrence.starts_with(&format!("{id}@")),
        Question::At(at) => {
            let zone = calendars.iter().find(|c| c.id == line.source).map(Calendar::zone);
            let zone = zone.unwrap_or(jiff::tz::TimeZone::UTC);
            line.span.is_some_and(|span| {
                let (start, end) = span.instants(&zone);
                start <= *at && *at < end
            })
        }
    }
}
