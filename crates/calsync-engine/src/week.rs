//! A person's week: what is known of each of their calendars, and the titles asked for live. Titles go into the answer and
//! nowhere else; whatever keeps them away costs the titles of that one calendar, and no more time than somebody waits.

use std::collections::BTreeMap;

use calsync_core::calendar::Calendar;
use calsync_core::ids::{AccountId, UserId};
use calsync_core::plan::Plan;
use calsync_core::ports::{ProviderError, Titles, TitlesRequest, UserState};
use calsync_core::time::Window;
use calsync_core::week::{self, Days, Lane, Titling, Words};
use futures_util::future::join_all;
use jiff::SignedDuration;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Accounts;
use crate::target::TargetData;
use crate::{Engine, EngineError};

/// How long a page waits for the titles of a calendar. All calendars are asked at once.
const PATIENCE: SignedDuration = SignedDuration::from_secs(3);
/// Most calendars asked for titles at once.
const ASKED_MAX: usize = 50;

/// Who looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Viewer {
    /// The person whose calendars they are: titles are asked for.
    Owner,
    /// Somebody else, such as an operator: no title is ever asked for.
    Another,
}

/// A person's days.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Week {
    /// The first day.
    pub from: Date,
    /// How many.
    pub days: u8,
    /// The zone in which these are days.
    pub zone: String,
    /// From the first midnight to the last.
    pub window: Window,
    /// The part of it for which blocks are kept right. What is outside may lack events, too.
    pub covered: Option<Window>,
    /// Each calendar: by account, the oldest first, then by name.
    pub lanes: Vec<Lane>,
}

impl Engine {
    /// A user's calendars on these days.
    pub async fn week(&self, user: UserId, days: &Days, viewer: Viewer) -> Result<Week, EngineError> {
        let state = self.state(user).await?;
        let accounts = self.open_accounts(&state.accounts).await?;
        let planned = self.plan_all(&state, &accounts).await?;
        let mut lanes = self.lanes(&state, &planned, days);
        if viewer == Viewer::Owner {
            self.entitle(&state, &accounts, &mut lanes, days).await;
        }
        Ok(Week {
            from: days.first(),
            days: days.count(),
            zone: days.zone_name().to_owned(),
            window: days.window(),
            covered: week::covered(days, self.window()),
            lanes,
        })
    }

    fn lanes(&self, state: &UserState, planned: &[(TargetData, Plan)], days: &Days) -> Vec<Lane> {
        let words = Words::of(planned.iter().map(|(_, plan)| plan));
        let (rules, names) = (state.rules_in_force(), state.names());
        let mut lanes: Vec<Lane> = planned
            .iter()
            .filter_map(|(data, plan)| {
                let calendar = state.calendars.iter().find(|calendar| calendar.id == plan.target)?;
                Some(Lane::of(&data.lane(calendar, &names, &rules), &words, days))
            })
            .collect();
        let since: BTreeMap<AccountId, _> = state.accounts.iter().map(|a| (a.id, a.created_at)).collect();
        lanes.sort_by(|a, b| {
            let key = |lane: &Lane| (since.get(&lane.account).copied(), lane.account);
            (key(a), &a.name, a.calendar).cmp(&(key(b), &b.name, b.calendar))
        });
        lanes
    }

    /// Asks for titles where there is something to have one, all at once.
    async fn entitle(&self, state: &UserState, accounts: &Accounts, lanes: &mut [Lane], days: &Days) {
        let wants = |lane: &&mut Lane| lane.takes_part && !lane.events.is_empty();
        let (mut wanting, mut asked) = (lanes.iter_mut().filter(wants), Vec::new());
        for lane in wanting.by_ref().take(ASKED_MAX) {
            let calendar = state.calendars.iter().find(|calendar| calendar.id == lane.calendar);
            asked.push(async move {
                let Some(calendar) = calendar else { return };
                match titles(accounts, calendar, days).await {
                    Ok(told) => lane.entitle(told),
                    Err(error) => lane.titles = Titling::Missing { why: error.to_string() },
                }
            });
        }
        join_all(asked).await;
        for lane in wanting {
            let why = format!("titles are asked for in at most {ASKED_MAX} calendars at once");
            lane.titles = Titling::Missing { why };
        }
    }
}

async fn titles(accounts: &Accounts, calendar: &Calendar, days: &Days) -> Result<Titles, ProviderError> {
    let request =
        TitlesRequest { calendar: &calendar.remote.calendar, window: days.reach(), patience: PATIENCE };
    accounts.of(calendar)?.list_titles(request).await
}
