//! Once in the fleet: a job runs under a lease that is renewed while it works, and a row of the settings says when it
//! last ran, so that of many instances with many clocks one does it, once per interval. It does nothing of the job itself.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use calsync_core::ports::{Clock, Lease, Store, StoreError};
use calsync_core::time::Ts;
use calsync_engine::EngineError;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::service::absence::Absence;

/// How soon a job that failed is tried again, by whichever instance.
pub(super) const AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// Rounds that somebody asks for are at least so far apart, whatever happens.
const SPACING: SignedDuration = SignedDuration::from_secs(10);
/// Clocks of one fleet agree this well.
pub(super) const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);
/// A round that takes longer is given up; what it did stays done.
const ROUND_MAX: Duration = Duration::from_secs(10 * 60);
/// The lease is renewed when this part of it has passed.
const KEEP_PART: u32 = 3;

/// A job.
pub(super) struct Job {
    pub(super) name: &'static str,
    pub(super) every: SignedDuration,
}

impl Job {
    /// Its lease, and the setting that says when it ran.
    fn resource(&self) -> String {
        format!("job:{}", self.name)
    }
}

/// Why a job is to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Why {
    /// Its time has come.
    Scheduled,
    /// There is something for it to do.
    Asked,
    /// A person says so.
    ByHand,
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// It ran.
    Done,
    /// It ran lately, here or elsewhere.
    NotBefore(Ts),
    /// Another instance is at it.
    Taken,
    /// It broke, or the store did. The log says why.
    Failed,
}

/// What came of trying, with what the work answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tried<T> {
    /// It ran.
    Done(T),
    /// It ran lately, here or elsewhere.
    NotBefore(Ts),
    /// Another instance is at it.
    Taken,
}

/// What is kept of a job.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Book {
    #[serde(default)]
    ran_at: Option<Ts>,
    #[serde(default)]
    failed_at: Option<Ts>,
    /// The first failure after the last success.
    #[serde(default)]
    failing_since: Option<Ts>,
    /// The instance that wrote this, for people.
    #[serde(default)]
    by: String,
}

impl Book {
    /// Without what a clock wrote that was ahead of now by more than clocks differ: it is right again, and nobody is to wait until
    /// then.
    fn before(self, now: Ts) -> Book {
        let past = |at: &Ts| *at <= now.plus(CLOCKS_DIFFER);
        Book {
            ran_at: self.ran_at.filter(past),
            failed_at: self.failed_at.filter(past),
            failing_since: self.failing_since.filter(past),
            by: self.by,
        }
    }

    /// When it may run next.
    fn due(&self, why: Why, job: &Job) -> Ts {
        let apart = match why {
            Why::Scheduled => job.every,
            Why::Asked => SPACING,
            // Whoever says so has waited long enough.
            Why::ByHand => return Ts::MIN,
        };
        let after_success = self.ran_at.map_or(Ts::MIN, |at| at.plus(apart));
        // A success forgets the failures before it.
        let failed = self.failed_at.filter(|failed| self.ran_at.is_none_or(|ran| *failed > ran));
        after_success.max(failed.map_or(Ts::MIN, |at| at.plus(AGAIN)))
    }
}

/// What all instances share, and who this one is.
pub(super) struct Fleet<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) clock: &'a dyn Clock,
    /// This instance in leases.
    pub(super) owner: &'a str,
    /// How long a lease lives without being renewed.
    pub(super) lease: SignedDuration,
    /// Whether it is known that the store is away.
    pub(super) absence: &'a Absence,
}

impl Fleet<'_> {
    /// Does `work` if its time has come and nobody else is at it. What breaks goes to the log.
    pub(super) async fn once<T: Debug>(
        &self,
        job: &Job,
        why: Why,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Outcome {
        match self.try_once(job, why, work).await {
            Ok(Tried::Done(_)) => Outcome::Done,
            Ok(Tried::NotBefore(at)) => Outcome::NotBefore(at),
            Ok(Tried::Taken) => Outcome::Taken,
            Err(error) => {
                if self.absence.is_news(&error) {
                    tracing::warn!(job = job.name, %error, "a job could not be finished; it is tried again");
                }
                Outcome::Failed
            }
        }
    }

    /// The same, for whoever wants to know what came of it.
    pub(super) async fn try_once<T: Debug>(
        &self,
        job: &Job,
        why: Why,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<Tried<T>, EngineError> {
        // Mostly it is not due, and nobody needs a lease to learn that.
        if let Some(at) = self.not_before(job, why).await? {
            return Ok(Tried::NotBefore(at));
        }
        let now = self.clock.now();
        let lease = self.store.claim_lease(&job.resource(), self.owner, now, now.plus(self.lease)).await?;
        let Some(lease) = lease else { return Ok(Tried::Taken) };
        // Whoever held the lease a moment ago may have done it.
        let outcome = match self.not_before(job, why).await {
            Ok(Some(at)) => Ok(Tried::NotBefore(at)),
            Ok(None) => self.run(job, why, &lease, work).await.map(Tried::Done),
            Err(error) => Err(error.into()),
        };
        // After a failure as well: the next try must not find it taken by this one.
        match self.store.release(&lease, &[]).await {
            Err(error) if outcome.is_ok() => Err(error.into()),
            _ => outcome,
        }
    }

    async fn run<T: Debug>(
        &self,
        job: &Job,
        why: Why,
        lease: &Lease,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let began = self.clock.now();
        let done = tokio::select! {
            done = work => done,
            lost = self.keep(lease) => Err(lost.into()),
            () = tokio::time::sleep(ROUND_MAX) => {
                let words = format!("it was given up after {} s", ROUND_MAX.as_secs());
                Err(StoreError::Contended(words).into())
            }
        };
        let mut book = self.book(job).await.unwrap_or_default();
        // Who was stopped for long may have been replaced: then the other one keeps the book.
        self.store.renew_lease(lease, self.clock.now().plus(self.lease)).await?;
        match &done {
            Ok(_) => (book.ran_at, book.failing_since) = (Some(began), None),
            Err(_) => {
                book.failed_at = Some(began);
                book.failing_since.get_or_insert(began);
            }
        }
        book.by = self.owner.to_owned();
        self.store.put_setting(&job.resource(), &serde_json::json!(book)).await?;
        let done = done?;
        let ms = u64::try_from(self.clock.now().since(began).as_millis()).unwrap_or(0);
        tracing::info!(job = job.name, because = ?why, ?done, ms, "a job was done for the fleet");
        Ok(done)
    }

    /// Renews the lease for as long as it is asked to; ends when somebody else has it.
    async fn keep(&self, lease: &Lease) -> StoreError {
        let pause =
            Duration::try_from(self.lease / KEEP_PART.cast_signed()).unwrap_or(Duration::from_secs(1));
        loop {
            tokio::time::sleep(pause).await;
            let renewed = self.store.renew_lease(lease, self.clock.now().plus(self.lease)).await;
            match renewed {
                Err(lost @ StoreError::LeaseLost(_)) => return lost,
                // It may come back in time; if not, the book is not written either.
                Err(error) => tracing::debug!(%error, "a lease could not be renewed"),
                Ok(_) => {}
            }
        }
    }

    /// When a job last ran, wherever.
    pub(super) async fn ran_at(&self, job: &Job) -> Result<Option<Ts>, StoreError> {
        Ok(self.book(job).await?.ran_at)
    }

    /// Since when it is to be done again: since it was done, or since it was first tried in vain.
    pub(super) async fn waits_since(&self, job: &Job) -> Result<Option<Ts>, StoreError> {
        let book = self.book(job).await?;
        Ok(book.ran_at.or(book.failing_since))
    }

    async fn not_before(&self, job: &Job, why: Why) -> Result<Option<Ts>, StoreError> {
        let due = self.book(job).await?.due(why, job);
        Ok(Some(due).filter(|at| *at > self.clock.now()))
    }

    /// What is kept of it. What nobody can read says nothing: then it runs, and is written anew.
    async fn book(&self, job: &Job) -> Result<Book, StoreError> {
        let kept = self.store.setting(&job.resource()).await?;
        let book: Book = kept.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
        Ok(book.before(self.clock.now()))
    }
}

#[cfg(test)]
mod tests;
