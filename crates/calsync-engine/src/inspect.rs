//! Looking without touching: what would be done (`plan`), and why an event has or lacks a block (`explain`).

use std::collections::BTreeMap;

use calsync_core::calendar::{Calendar, ListedCalendar};
use calsync_core::ids::{AccountId, CalendarId, UserId};
use calsync_core::plan::{self, Plan, Word};
use calsync_core::ports::{
    Capabilities, ErrorClass, Ids, Listing, ProviderError, Tentativeness, UserState, Wish,
};
use calsync_core::time::{Span, Ts};

use crate::access::Accounts;
use crate::target::TargetData;
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
        Ok(self.plan_all(&state, &accounts).await?.into_iter().map(|(_, plan)| plan).collect())
    }

    /// Each of a user's calendars with what its plan is made from. Each mirror is loaded once.
    pub(crate) async fn plan_all(
        &self,
        state: &UserState,
        accounts: &Accounts,
    ) -> Result<Vec<(TargetData, Plan)>, EngineError> {
        let (mut planned, mut mirrors) = (Vec::new(), BTreeMap::new());
        for target in &state.calendars {
            let capabilities = accounts.of(target).map(|a| a.capabilities()).unwrap_or(OFFLINE);
            let data = self.load_target_among(state, target, &mut mirrors).await?;
            let plan = plan::plan(&data.input(self, state, target, capabilities));
            planned.push((data, plan));
        }
        Ok(planned)
    }

    /// Why the events asked about have or lack blocks.
    pub async fn explain(&self, user: UserId, question: &Question) -> Result<Explanation, EngineError> {
        let state = self.state(user).await?;
        let lines = self
            .plan(user)
            .await?
            .iter()
            .flat_map(Plan::words)
            .map(Line::from)
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
        let theirs = || state.calendars.iter().filter(|c| c.account == account.id);
        if listed.is_empty() && theirs().any(|c| !c.missing) {
            // Everybody has one at least: it is the provider that has lost its memory, and not the person their calendars.
            let words = "the provider lists no calendar at all";
            return Err(ProviderError::new(ErrorClass::Transient, words).into());
        }
        let changes = list_changes(theirs().filter(|c| c.sync_enabled), &listed);
        let now = self.clock.now();
        let listed: Vec<(CalendarId, ListedCalendar)> =
            listed.into_iter().map(|c| (CalendarId(self.ids.uuid(now)), c)).collect();
        self.store.update_calendar_list(account.id, &listed).await?;
        self.alert_listed(&changes).await?;
        self.store.raise(&changes.unlocked, Wish::Full, now).await?;
        Ok(listed.len())
    }

    pub(crate) async fn state(&self, user: UserId) -> Result<UserState, EngineError> {
        self.store.user_state(user).await?.ok_or_else(|| EngineError::NotFound(format!("user {user}")))
    }
}

/// What a new list says of calendars that take part.
#[derive(Default)]
pub(crate) struct ListChanges {
    /// Not listed any more.
    pub(crate) gone: Vec<CalendarId>,
    /// May only be read from now on.
    pub(crate) locked: Vec<CalendarId>,
    /// May be written to again.
    pub(crate) unlocked: Vec<CalendarId>,
}

fn list_changes<'a>(known: impl Iterator<Item = &'a Calendar>, listed: &[ListedCalendar]) -> ListChanges {
    let mut changes = ListChanges::default();
    for calendar in known {
        let now = listed.iter().rfind(|one| one.remote_id == calendar.remote.calendar);
        match (calendar.access.may_write(), now.map(|one| one.access.may_write())) {
            (_, None) => changes.gone.push(calendar.id),
            (true, Some(false)) => changes.locked.push(calendar.id),
            (false, Some(true)) => changes.unlocked.push(calendar.id),
            _ => {}
        }
    }
    changes
}

/// What is assumed of a provider that can't be asked now: enough to plan, nothing is written from it.
pub(crate) const OFFLINE: Capabilities = Capabilities {
    chooses_ids: Ids::Client,
    push: None,
    tentative: Tentativeness::Shown,
    concurrent_calls: 1,
    listing: Listing::Unbounded,
};

impl From<Word> for Line {
    fn from(word: Word) -> Line {
        Line {
            source: word.source,
            target: word.target,
            occurrence: word.occurrence.to_string(),
            span: word.span,
            outcome: word.outcome.as_str(),
            because: word.because,
        }
    }
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
