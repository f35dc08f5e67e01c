//! Rollout flags at work: read by every instance every few seconds, changed by whoever may, and gone through for all
//! calendars when they changed. Who is in is decided by `core::rollout`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use calsync_core::calendar::{Calendar, User};
use calsync_core::ids::CalendarId;
use calsync_core::ports::{Admission, Admit, AuditLine, StoreError, Switch};
use calsync_core::rollout::Rollout;
use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Engine, EngineError};

/// The flags in force, among the settings.
const FLAGS: &str = "rollout";
/// The flags that all calendars were last gone through with.
const APPLIED: &str = "rollout.applied";
/// How old the flags may be that an instance goes by.
const FRESH: SignedDuration = SignedDuration::from_secs(2);
/// Calendars gone through in one transaction.
const PAGE: u32 = 500;
/// Tries at changing flags that somebody else changes at the same moment.
const TRIES: u32 = 10;
/// How lines of the audit log about flags begin.
const ABOUT: &str = "rollout: ";

/// Flags as stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Stored {
    flags: Rollout,
    changed_at: Ts,
    changed_by: String,
}

/// The flags, and where they come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RolloutReport {
    /// The flags in force.
    pub flags: Rollout,
    /// When and by whom they were changed; `None`: they are those of the configuration.
    pub changed: Option<(Ts, String)>,
    /// Every calendar was gone through with them.
    pub applied: bool,
    /// The last changes, newest first.
    pub history: Vec<AuditLine>,
}

/// How many the flags let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
#[schema(as = RolloutReach)]
pub struct Reach {
    /// All calendars, enabled or not.
    pub calendars: u64,
    /// Those that may push.
    pub calendars_admitted: u64,
    /// Users with calendars.
    pub users: u64,
    /// Those of them with a calendar that may push.
    pub users_admitted: u64,
}

/// What a change would do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = RolloutPreview)]
pub struct Preview {
    /// The flags in force.
    pub before: Rollout,
    /// The flags after it.
    pub after: Rollout,
    /// Calendars that would be let in.
    pub let_in: u64,
    /// Calendars that would be let out.
    pub let_out: u64,
    /// How many would be in then.
    pub reach: Reach,
}

/// Something that was read a moment ago.
pub(crate) struct Known<T>(Mutex<Option<(Ts, T)>>);

impl<T> Default for Known<T> {
    fn default() -> Known<T> {
        Known(Mutex::new(None))
    }
}

impl<T: Clone> Known<T> {
    /// It, if it is at most two seconds old.
    pub(crate) fn fresh(&self, now: Ts) -> Option<T> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        known
            .filter(|(at, _)| (SignedDuration::ZERO..FRESH).contains(&now.since(*at)))
            .map(|(_, known)| known)
    }

    pub(crate) fn put(&self, at: Ts, new: &T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, new.clone()));
    }
}

impl Engine {
    /// The flags in force, as they were at most two seconds ago.
    pub(crate) async fn rollout(&self) -> Result<Rollout, StoreError> {
        match self.flags.fresh(self.clock.now()) {
            Some(flags) => Ok(flags),
            None => self.flags_now().await,
        }
    }

    /// The flags, who changed them, and how far they are gone through.
    pub async fn rollout_report(&self, lines: u32) -> Result<RolloutReport, EngineError> {
        let stored = self.stored_flags().await?;
        let changed = stored.as_ref().map(|s| (s.changed_at, s.changed_by.clone()));
        let flags = stored.map_or_else(|| self.config.rollout.clone(), |s| s.flags);
        let applied = self.applied().await?.is_of(&flags);
        let history = self.store.audited(ABOUT, lines).await?;
        Ok(RolloutReport { flags, changed, applied, history })
    }

    /// Changes the flags, on every instance within seconds. `what` says what was changed, for the audit log.
    pub async fn change_rollout(
        &self,
        who: &str,
        what: &str,
        change: impl Fn(&Rollout) -> Rollout,
    ) -> Result<Rollout, EngineError> {
        for _ in 0..TRIES {
            let old = self.store.setting(FLAGS).await?;
            // What nobody can read is put right by this.
            let known = read(old.as_ref()).ok().flatten();
            let before = known.map_or_else(|| self.config.rollout.clone(), |s| s.flags);
            let flags = change(&before);
            let now = self.clock.now();
            let stored = Stored { flags: flags.clone(), changed_at: now, changed_by: who.to_owned() };
            // First of all: should the change be taken back before all were gone through, they are gone through again.
            let pending = Applied::Pending { since: self.ids.uuid(now) };
            self.store.put_setting(APPLIED, &serde_json::json!(pending)).await?;
            if self.store.change_setting(FLAGS, old.as_ref(), &serde_json::json!(stored)).await? {
                self.store.audit(who, &format!("{ABOUT}{what}"), now).await?;
                self.flags.put(now, &flags);
                return Ok(flags);
            }
        }
        Err(StoreError::Contended("the rollout flags are being changed by somebody else".to_owned()).into())
    }

    /// What a change to the flags would do to whom, as far as it goes now. `told` hears of every calendar looked at.
    pub async fn preview_rollout(
        &self,
        change: impl Fn(&Rollout) -> Rollout,
        told: impl Fn(u64) + Send,
    ) -> Result<Preview, EngineError> {
        let before = self.flags_now().await?;
        let after = change(&before);
        let mut preview = Preview { let_in: 0, let_out: 0, reach: Reach::default(), before, after };
        let (mut seen, mut users, mut admitted) = (None, BTreeSet::new(), BTreeSet::new());
        loop {
            let page = self.store.admissions(seen, PAGE).await?;
            let Some(last) = page.last() else { break };
            seen = Some(last.calendar);
            for one in &page {
                let was = preview.before.admits(one.calendar, &one.user);
                let is = preview.after.admits(one.calendar, &one.user);
                preview.let_in += u64::from(is && !was);
                preview.let_out += u64::from(was && !is);
                preview.reach.calendars += 1;
                preview.reach.calendars_admitted += u64::from(is);
                users.insert(one.user.id);
                if is {
                    admitted.insert(one.user.id);
                }
            }
            told(page.len() as u64);
        }
        preview.reach.users = users.len() as u64;
        preview.reach.users_admitted = admitted.len() as u64;
        Ok(preview)
    }

    /// Whether calendars have yet to be gone through with the flags in force.
    pub async fn rollout_is_due(&self) -> Result<bool, EngineError> {
        let flags = self.flags_now().await?;
        Ok(!self.applied().await?.is_of(&flags))
    }

    /// Goes through all calendars if the flags have changed: whoever is out now is polled within the polling interval, each at
    /// its own moment, and its channel is to be closed. Broken off, it begins again.
    pub async fn apply_rollout(&self) -> Result<u64, EngineError> {
        self.apply_rollout_telling(|_| ()).await
    }

    /// The same; `told` hears of every calendar gone through.
    pub async fn apply_rollout_telling(&self, told: impl Fn(u64) + Send) -> Result<u64, EngineError> {
        let mut changed = 0;
        for _ in 0..TRIES {
            let mark = self.store.setting(APPLIED).await?;
            let flags = self.flags_now().await?;
            if Applied::read(mark.as_ref()).is_of(&flags) {
                return Ok(changed);
            }
            changed += self.go_through(&flags, &told).await?;
            let done = serde_json::json!(Applied::Flags(flags));
            // Changed meanwhile: once more, with what is in force now.
            if self.store.change_setting(APPLIED, mark.as_ref(), &done).await? {
                return Ok(changed);
            }
        }
        Ok(changed)
    }

    /// Writes down what the flags say of each calendar; ends early when they are changed.
    async fn go_through(&self, flags: &Rollout, told: &(impl Fn(u64) + Send)) -> Result<u64, EngineError> {
        let (mut after, mut changed) = (None, 0);
        loop {
            let page = self.store.admissions(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(changed) };
            after = Some(last.calendar);
            let admits: Vec<Admit> = page.iter().filter_map(|one| self.readmit(flags, one)).collect();
            if !admits.is_empty() {
                if self.flags_now().await? != *flags {
                    return Ok(changed);
                }
                changed += admits.len() as u64;
                self.store.admit(&admits, self.clock.now()).await?;
                admits.iter().for_each(|one| self.known.forget(one.calendar));
            }
            told(page.len() as u64);
        }
    }

    /// The flags do not let this calendar push: that is written down, wherever it was overlooked.
    pub(crate) async fn keep_out(&self, calendar: CalendarId) -> Result<(), StoreError> {
        let now = self.clock.now();
        let out = Admit { calendar, push: Switch::Off, due_by: now.plus(self.config.intervals.poll) };
        self.store.admit(&[out], now).await?;
        self.known.forget(calendar);
        Ok(())
    }

    /// Whether a calendar may push.
    pub(crate) async fn admits(&self, calendar: &Calendar, user: &User) -> Result<bool, StoreError> {
        Ok(self.rollout().await?.admits(calendar.id, user))
    }

    /// What is to be changed about this one, if anything.
    fn readmit(&self, flags: &Rollout, one: &Admission) -> Option<Admit> {
        let admitted = flags.admits(one.calendar, &one.user);
        if admitted == one.admitted {
            return None;
        }
        // Everybody at once would be a flood of calls.
        let seconds = u64::try_from(self.config.intervals.poll.as_secs()).unwrap_or(1).max(1);
        let wait = i64::try_from(self.ids.below(seconds)).unwrap_or(0);
        let due_by = self.clock.now().plus(SignedDuration::from_secs(wait));
        let push = if admitted { Switch::On } else { Switch::Off };
        Some(Admit { calendar: one.calendar, push, due_by })
    }

    async fn stored_flags(&self) -> Result<Option<Stored>, StoreError> {
        read(self.store.setting(FLAGS).await?.as_ref())
    }

    /// The flags in force this very moment. Flags that nobody can read must not stop everybody's calendars: then those of the
    /// configuration are, until somebody changes them.
    async fn flags_now(&self) -> Result<Rollout, StoreError> {
        let flags = match self.stored_flags().await {
            Ok(stored) => stored.map_or_else(|| self.config.rollout.clone(), |s| s.flags),
            Err(StoreError::Corrupt(why)) => {
                tracing::error!(
                    why,
                    "the flags of the configuration are in force: set them anew with `rollout set`"
                );
                self.config.rollout.clone()
            }
            Err(error) => return Err(error),
        };
        self.flags.put(self.clock.now(), &flags);
        Ok(flags)
    }

    async fn applied(&self) -> Result<Applied, StoreError> {
        Ok(Applied::read(self.store.setting(APPLIED).await?.as_ref()))
    }
}

/// How far calendars are gone through.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Applied {
    /// All of them, with these flags.
    Flags(Rollout),
    /// The flags were changed since; each change leaves another mark.
    Pending { since: uuid::Uuid },
}

impl Applied {
    /// Calendars are made as if everybody was let in. What nobody can read says nothing.
    fn read(value: Option<&serde_json::Value>) -> Applied {
        let Some(value) = value else { return Applied::Flags(Rollout::default()) };
        Applied::deserialize(value).unwrap_or(Applied::Pending { since: uuid::Uuid::nil() })
    }

    fn is_of(&self, flags: &Rollout) -> bool {
        matches!(self, Applied::Flags(applied) if applied == flags)
    }
}

fn read(value: Option<&serde_json::Value>) -> Result<Option<Stored>, StoreError> {
    let unreadable = |e: serde_json::Error| StoreError::Corrupt(format!("the rollout flags: {e}"));
    value.map(|value| Stored::deserialize(value).map_err(unreadable)).transpose()
}
