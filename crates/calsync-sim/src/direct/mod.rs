//! The in-process skin: the cloud behind calendar-sync's own provider ports, without HTTP, in virtual time. It speaks in
//! the ports' vocabulary and plays the same faults as the look-alikes, so that millions of days can be lived in minutes.

mod google;
mod microsoft;
mod notices;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use calsync_core::calendar::{Account, ListedCalendar, ProviderKind};
use calsync_core::ports::{ErrorClass, ProviderAccount, ProviderDirectory, ProviderError};
use jiff::SignedDuration;

use crate::clock::SimClock;
use crate::cloud::calendar::Calendar;
use crate::cloud::journal::By;
use crate::cloud::names::{CalendarId, PersonId};
use crate::cloud::watch::NotOpened;
use crate::cloud::{CloudError, SharedCloud};
use crate::faults::{Fault, FaultPlan};
use crate::microsoft::Vanished;

/// Name of the program in the cloud's journal.
pub const CLIENT: &str = "calendar-sync";
/// Items of a page, unless a fault makes it shorter.
const PAGE: usize = 50;

/// What happens around a call, before or after the provider acted: a test's way in.
pub type Hook = Arc<dyn Fn() -> Result<(), ProviderError> + Send + Sync>;

/// The cloud as a directory of accounts.
#[derive(Clone)]
pub struct Direct {
    cloud: SharedCloud,
    clock: SimClock,
    faults: Arc<FaultPlan>,
    revoked: Arc<Mutex<BTreeSet<String>>>,
    hook: Hook,
    vanished: Vanished,
    memory: Arc<Mutex<microsoft::Memory>>,
}

impl Direct {
    /// This cloud, at this time, with these faults.
    pub fn new(cloud: SharedCloud, clock: SimClock, faults: Arc<FaultPlan>) -> Direct {
        let (revoked, hook, memory) = (Arc::default(), Arc::new(|| Ok(())), Arc::default());
        Direct { cloud, clock, faults, revoked, hook, vanished: Vanished::Silent, memory }
    }

    /// The same, with `hook` called before and after every call takes effect.
    #[must_use]
    pub fn with_hook(&self, hook: Hook) -> Direct {
        Direct { hook, ..self.clone() }
    }

    /// The same, with this said by Microsoft's deltas of occurrences that no longer take place.
    #[must_use]
    pub fn with_vanished(&self, vanished: Vanished) -> Direct {
        Direct { vanished, ..self.clone() }
    }

    /// The person takes back the leave to act for them.
    pub fn revoke(&self, email: &str) {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner).insert(email.to_owned());
    }

    /// The person gives it again.
    pub fn grant(&self, email: &str) {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner).remove(email);
    }

    /// What Microsoft's side remembers beside the cloud.
    fn memory(&self) -> MutexGuard<'_, microsoft::Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_revoked(&self, email: &str) -> bool {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner).contains(email)
    }
}

#[async_trait]
impl ProviderDirectory for Direct {
    async fn open(&self, account: &Account) -> Result<Arc<dyn ProviderAccount>, ProviderError> {
        let caller = Caller { skin: self.clone(), person: PersonId::from(account.email.as_str()) };
        match account.provider {
            ProviderKind::Google => Ok(Arc::new(google::GoogleDirect::new(caller))),
            ProviderKind::Microsoft => Ok(Arc::new(microsoft::MicrosoftDirect::new(caller))),
            ProviderKind::Apple => Err(error(ErrorClass::Misconfigured, "this provider is not played here")),
        }
    }
}

/// Who calls, and through what.
struct Caller {
    skin: Direct,
    person: PersonId,
}

/// Whether a call changes something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Read,
    Write,
}

fn error(class: ErrorClass, detail: &str) -> ProviderError {
    ProviderError::new(class, detail)
}

fn from_cloud(cause: &CloudError) -> ProviderError {
    let class = match cause {
        CloudError::NoSuchPerson
        | CloudError::NoSuchCalendar
        | CloudError::NoSuchEvent
        | CloudError::Deleted => ErrorClass::Gone,
        CloudError::Forbidden | CloudError::NotOrganizer | CloudError::Full => ErrorClass::Permanent,
        CloudError::Duplicate => ErrorClass::Exists,
        CloudError::Changed => ErrorClass::Conflict,
        CloudError::EmptyRange | CloudError::Invalid(_) => ErrorClass::Invalid,
    };
    error(class, &cause.to_string())
}

impl Caller {
    fn by(&self) -> By {
        let mut by = By::client(self.person.as_str(), CLIENT);
        by.params.insert("sendUpdates".to_owned(), "none".to_owned());
        by
    }

    /// One call: the faults before it, what it does, and the faults after it.
    fn call<T>(
        &self,
        kind: Call,
        act: impl FnOnce() -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        (self.skin.hook)()?;
        if self.skin.is_revoked(self.person.as_str()) {
            return Err(error(ErrorClass::Unauthorized, "the person took back their leave"));
        }
        let faults = &self.skin.faults;
        if faults.strikes(Fault::TooManyRequests) || faults.strikes(Fault::RateLimited) {
            let mut limited = error(ErrorClass::RateLimited, "too many requests");
            limited.retry_after = Some(SignedDuration::from_secs(7));
            return Err(limited);
        }
        if faults.strikes(Fault::ErrorBefore) || faults.strikes(Fault::DropBefore) {
            let class = if kind == Call::Write { ErrorClass::Ambiguous } else { ErrorClass::Transient };
            return Err(error(class, "the provider failed"));
        }
        let done = act();
        (self.skin.hook)()?;
        if kind == Call::Write
            && (faults.strikes(Fault::ErrorAfterWrite) || faults.strikes(Fault::DropAfterWrite))
        {
            return Err(error(ErrorClass::Ambiguous, "the connection broke"));
        }
        done
    }

    /// The calendars in the person's list, as `shown` tells of each.
    fn calendars(
        &self,
        shown: impl Fn(&Calendar) -> Option<ListedCalendar>,
    ) -> Result<Vec<ListedCalendar>, ProviderError> {
        self.call(Call::Read, || {
            self.skin.cloud.with(|cloud| {
                let person =
                    cloud.person(&self.person).ok_or_else(|| from_cloud(&CloudError::NoSuchPerson))?;
                let listed = person.list().iter().filter(|(_, entry)| !entry.deleted);
                let one = |id: &CalendarId| cloud.calendar(id).and_then(&shown);
                Ok(listed.filter_map(|(id, _)| one(id)).collect())
            })
        })
    }
}

fn not_opened(why: NotOpened) -> ProviderError {
    match why {
        NotOpened::IdTaken => error(ErrorClass::Invalid, "the channel id was used before"),
        NotOpened::TooMany => error(ErrorClass::RateLimited, "too many channels"),
    }
}
