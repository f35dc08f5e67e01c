//! A level that lasts has consequences (spec §8): each is idempotent, said in the audit log with its reason, and can be switched
//! off.

use calsync_core::alert::{Alert, AlertKind, AlertLevel};
use calsync_core::health::{Change, Damped, Level, Report, Response, damp, responses};
use calsync_core::ports::StoreError;
use calsync_core::schedule::Intervals;
use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::{Engine, EngineError};

/// The level in force, among the settings.
const STATE: &str = "watch";
/// Push is in doubt, since when: among the settings.
const DOUBT: &str = "push_doubted";
/// Who does it, in the audit log.
const WHO: &str = "calendar-sync";
/// How lines of the audit log about levels begin.
const ABOUT: &str = "level: ";
/// Calendars that are brought forward in one transaction.
const PAGE: u32 = 500;

/// What is kept from one look to the next, by whichever instance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WatchState {
    /// The level in force.
    pub level: Damped,
}

/// Which responses are switched on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Responses {
    /// `PollEverybody`.
    pub poll_everybody: bool,
    /// `SuspendFailing`.
    pub suspend_failing: bool,
    /// `Maintain`.
    pub maintain: bool,
}

impl Responses {
    const fn allow(self, response: Response) -> bool {
        match response {
            Response::PollEverybody => self.poll_everybody,
            Response::SuspendFailing => self.suspend_failing,
            Response::Maintain => self.maintain,
            // Only takes back what the first one did.
            Response::RelyOnPush => true,
        }
    }
}

impl Engine {
    /// The level in force, as it was left by whoever looked last.
    pub async fn watch_state(&self) -> Result<WatchState, StoreError> {
        let kept = self.store.setting(STATE).await?;
        // What nobody can read says nothing: it is found out anew.
        let known = kept.and_then(|kept| serde_json::from_value(kept).ok());
        Ok(known.unwrap_or(WatchState { level: Damped::well(self.clock.now()) }))
    }

    /// Takes a look into account, and does what a change of level asks for. What that was.
    pub async fn act_on(&self, report: &Report, allowed: Responses) -> Result<Option<Change>, EngineError> {
        let now = self.clock.now();
        let known = self.watch_state().await?.level;
        let (level, change) = damp(&known, report.level, now);
        if let Some(change) = change {
            // First what is done: should we die over it, the next one does it again.
            self.respond(change, report, allowed, now).await?;
        }
        if level != known {
            self.store.put_setting(STATE, &serde_json::json!(WatchState { level })).await?;
        }
        Ok(change)
    }

    async fn respond(
        &self,
        change: Change,
        report: &Report,
        allowed: Responses,
        now: Ts,
    ) -> Result<(), EngineError> {
        let why = because(report);
        let Change { from, to } = change;
        tracing::warn!(%from, %to, why, "the level has changed");
        self.store.audit(WHO, &format!("{ABOUT}{from} → {to}: {why}"), now).await?;
        self.tell_level(to, &why, now).await?;
        for response in responses(to) {
            let words = response.words();
            if !allowed.allow(*response) {
                self.store.audit(WHO, &format!("{ABOUT}{to}: switched off: {words}"), now).await?;
                continue;
            }
            if self.carry_out(*response, now).await? {
                self.store.audit(WHO, &format!("{ABOUT}{to}: {words}"), now).await?;
            }
        }
        Ok(())
    }

    async fn tell_level(&self, to: Level, why: &str, now: Ts) -> Result<(), StoreError> {
        let kind = AlertKind::StatusChanged;
        let level = match to {
            Level::Healthy => return self.store.resolve_alert(kind.as_str(), "", now).await.map(drop),
            Level::Degraded => AlertLevel::Warning,
            Level::Critical => AlertLevel::Critical,
        };
        let message = format!("calendar-sync is {to}: {why}");
        let action = "calendar-sync status says what is wrong, and the runbook (docs/runbook.md) what to do.";
        let seen = Alert::seen(kind, "", message, action.to_owned(), now);
        self.store.open_alert(&Alert { level, ..seen }).await.map(drop)
    }

    /// Whether there was anything to do.
    async fn carry_out(&self, response: Response, now: Ts) -> Result<bool, EngineError> {
        match response {
            Response::PollEverybody => {
                if self.push_doubted().await? {
                    return Ok(false);
                }
                self.store.put_setting(DOUBT, &serde_json::json!(now)).await?;
                self.bring_everybody_forward(now).await?;
                Ok(true)
            }
            Response::RelyOnPush => {
                let doubted = self.push_doubted().await?;
                if doubted {
                    self.store.put_setting(DOUBT, &serde_json::Value::Null).await?;
                }
                Ok(doubted)
            }
            Response::SuspendFailing => Ok(self.suspend_hopeless().await? > 0),
            Response::Maintain => {
                self.maintain_subscriptions().await?;
                Ok(true)
            }
        }
    }

    /// How often calendars are looked at now: while push as a whole is in doubt, also where it is relied on. As it was at most
    /// two seconds ago.
    pub(crate) async fn intervals(&self) -> Result<Intervals, StoreError> {
        let (now, usual) = (self.clock.now(), self.config.intervals);
        let doubted = match self.doubt.fresh(now) {
            Some(doubted) => doubted,
            None => {
                let doubted = self.push_doubted().await?;
                self.doubt.put(now, &doubted);
                doubted
            }
        };
        Ok(Intervals { beside_push: doubted.then_some(usual.fallback_poll), ..usual })
    }

    /// Whether push as a whole is in doubt: then calendars are polled beside it.
    pub async fn push_doubted(&self) -> Result<bool, StoreError> {
        Ok(self.store.setting(DOUBT).await?.is_some_and(|since| !since.is_null()))
    }

    /// Everybody is looked at within the interval of failing channels, each at its own moment: all at once would be a flood.
    async fn bring_everybody_forward(&self, now: Ts) -> Result<(), StoreError> {
        let seconds = u64::try_from(self.config.intervals.fallback_poll.as_secs()).unwrap_or(1).max(1);
        let mut after = None;
        loop {
            let page = self.store.admissions(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.calendar);
            let soon = page.iter().map(|one| {
                let wait = i64::try_from(self.ids.below(seconds)).unwrap_or(0);
                (one.calendar, now.plus(SignedDuration::from_secs(wait)))
            });
            self.store.bring_forward(&soon.collect::<Vec<_>>()).await?;
        }
    }
}

/// What makes it no better than it is.
fn because(report: &Report) -> String {
    let worst = report
        .findings
        .iter()
        .filter(|finding| finding.level == report.level && report.level > Level::Healthy);
    let words: Vec<String> = worst.map(|finding| format!("{}: {}", finding.check, finding.says)).collect();
    if words.is_empty() { "all is well again".to_owned() } else { words.join(" ") }
}
