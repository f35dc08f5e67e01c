//! A level that lasts has consequences (spec §8): each is idempotent, said in the audit log with its reason, and can be switched
//! off. What is owed to a level is kept until it is done, so that a death in the middle leaves it to the next.

use calsync_core::health::{Change, Owed, Response};
use calsync_core::ids::CalendarId;
use calsync_core::ports::StoreError;
use calsync_core::schedule::Intervals;
use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Engine, EngineError};

/// What is owed to the level in force, among the settings.
const OWED: &str = "watch_owed";
/// Push is in doubt, since when: among the settings.
const DOUBT: &str = "push_doubted";
/// A round of maintenance is wanted that begins later than this: among the settings.
const ROUND: &str = "round_wanted";
/// Who does it, in the audit log.
pub const BY_ITSELF: &str = "calendar-sync";
/// How lines of the audit log about levels begin.
const ABOUT: &str = "level: ";
/// Calendars that are brought forward in one transaction.
const PAGE: u32 = 500;

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

/// Push as a whole is in doubt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Doubt {
    since: Ts,
    brought: Brought,
}

/// Who has been brought forward because of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Brought {
    Nobody,
    UpTo(CalendarId),
    Everybody,
}

impl Doubt {
    /// `None`: there is none. Of one that is written otherwise, as before progress was kept, nothing more is known to be left.
    fn read(kept: Option<Value>, now: Ts) -> Option<Doubt> {
        let kept = kept.filter(|kept| !kept.is_null())?;
        let doubt = serde_json::from_value(kept);
        Some(doubt.unwrap_or(Doubt { since: now, brought: Brought::Everybody }))
    }
}

impl Engine {
    /// Whether something is owed to the level in force.
    pub async fn is_owing(&self) -> Result<bool, StoreError> {
        Ok(self.owed().await?.is_some())
    }

    /// Does what is owed to the level in force, from where it was left; what was done. Asking for a round of maintenance is all
    /// that is done about one here: see `round_wanted`. One at a time in the fleet.
    pub async fn respond(&self, allowed: Responses) -> Result<Vec<Response>, EngineError> {
        let mut carried_out = Vec::new();
        let Some((mut kept, mut owed)) = self.owed().await? else { return Ok(carried_out) };
        let Change { from, to } = owed.change;
        if !owed.noted {
            let line = format!("{ABOUT}{from} → {to}: {}", owed.why);
            self.store.audit(BY_ITSELF, &line, self.clock.now()).await?;
            owed.noted = true;
            if !self.pay(&mut kept, &owed).await? {
                return Ok(carried_out);
            }
        }
        while let Some(response) = owed.next() {
            let words = response.words();
            let line = if !allowed.allow(response) {
                Some(format!("{ABOUT}{to}: switched off: {words}"))
            } else if self.carry_out(response).await? {
                carried_out.push(response);
                Some(format!("{ABOUT}{to}: {words}"))
            } else {
                None
            };
            if let Some(line) = line {
                self.store.audit(BY_ITSELF, &line, self.clock.now()).await?;
            }
            owed = owed.done();
            if !self.pay(&mut kept, &owed).await? {
                break;
            }
        }
        Ok(carried_out)
    }

    /// As it is kept, and as it reads. What nobody can read is owed to nobody.
    pub(super) async fn owed(&self) -> Result<Option<(Value, Owed)>, StoreError> {
        let kept = self.store.setting(OWED).await?;
        Ok(kept.and_then(|kept| Some((kept.clone(), serde_json::from_value(kept).ok()?))))
    }

    pub(super) async fn owe(&self, owed: &Owed) -> Result<(), StoreError> {
        self.store.put_setting(OWED, &serde_json::json!(owed)).await
    }

    /// So much is still owed; `false`: the level has changed meanwhile, and asks for something else.
    async fn pay(&self, kept: &mut Value, owed: &Owed) -> Result<bool, StoreError> {
        let left = if owed.is_paid() { Value::Null } else { serde_json::json!(owed) };
        let is_ours = self.store.change_setting(OWED, Some(kept), &left).await?;
        *kept = left;
        Ok(is_ours)
    }

    /// Whether there was anything to do.
    async fn carry_out(&self, response: Response) -> Result<bool, EngineError> {
        match response {
            Response::PollEverybody => Ok(self.poll_everybody().await?),
            Response::RelyOnPush => {
                let doubted = self.push_doubted().await?;
                if doubted {
                    self.store.put_setting(DOUBT, &Value::Null).await?;
                }
                Ok(doubted)
            }
            Response::SuspendFailing => Ok(self.suspend_hopeless().await? > 0),
            Response::Maintain => {
                self.store.put_setting(ROUND, &serde_json::json!(self.clock.now())).await?;
                Ok(true)
            }
        }
    }

    /// Since when a round of maintenance is wanted; one that began later has answered it.
    pub async fn round_wanted(&self) -> Result<Option<Ts>, StoreError> {
        let kept = self.store.setting(ROUND).await?;
        Ok(kept.and_then(|kept| serde_json::from_value(kept).ok()))
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

    /// Everybody is looked at within the interval of failing channels, each at its own moment: all at once would be a flood. It
    /// goes on where it was broken off. Whether there was anybody left.
    async fn poll_everybody(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let seconds = u64::try_from(self.config.intervals.fallback_poll.as_secs()).unwrap_or(1).max(1);
        let mut doubt = match Doubt::read(self.store.setting(DOUBT).await?, now) {
            Some(doubt) => doubt,
            None => {
                let doubt = Doubt { since: now, brought: Brought::Nobody };
                self.store.put_setting(DOUBT, &serde_json::json!(doubt)).await?;
                doubt
            }
        };
        loop {
            let after = match doubt.brought {
                Brought::Everybody => return Ok(false),
                Brought::Nobody => None,
                Brought::UpTo(calendar) => Some(calendar),
            };
            let page = self.store.admissions(after, PAGE).await?;
            let now = self.clock.now();
            let soon = page.iter().map(|one| {
                let wait = i64::try_from(self.ids.below(seconds)).unwrap_or(0);
                (one.calendar, now.plus(SignedDuration::from_secs(wait)))
            });
            self.store.bring_forward(&soon.collect::<Vec<_>>()).await?;
            doubt.brought = page.last().map_or(Brought::Everybody, |last| Brought::UpTo(last.calendar));
            self.store.put_setting(DOUBT, &serde_json::json!(doubt)).await?;
            if doubt.brought == Brought::Everybody {
                return Ok(true);
            }
        }
    }
}
