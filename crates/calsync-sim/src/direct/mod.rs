//! The in-process skin: the cloud behind calendar-sync's own provider ports, without HTTP, in virtual time. It speaks in
//! the ports' vocabulary and plays the same faults as the look-alikes, so that millions of days can be lived in minutes.

mod convert;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use calsync_core::block::ObservedBlock;
use calsync_core::calendar::{Access, Account, Cursor, ListedCalendar};
use calsync_core::ids::EventId;
use calsync_core::ports::{
    BlockPut, Capabilities, ChangePage, ErrorClass, Ids as WhoNames, ListFrom, ListRequest, Listing,
    NextPage, ProviderAccount, ProviderDirectory, ProviderError, Push, PutMode, RemoteItem, Renewal,
    Standing, Tentativeness, WatchRequest, Watching,
};
use calsync_core::time::Window;
use jiff::SignedDuration;

use crate::clock::SimClock;
use crate::cloud::calendar::{AccessRole, Origin};
use crate::cloud::journal::{By, Op};
use crate::cloud::names::{CalendarId, ClientId, PersonId};
use crate::cloud::watch::{Channel, NotOpened, Provider, Resource};
use crate::cloud::{CloudError, Guard, Ids, SharedCloud};
use crate::faults::{Fault, FaultPlan};

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
}

impl Direct {
    /// This cloud, at this time, with these faults.
    pub fn new(cloud: SharedCloud, clock: SimClock, faults: Arc<FaultPlan>) -> Direct {
        Direct { cloud, clock, faults, revoked: Arc::default(), hook: Arc::new(|| Ok(())) }
    }

    /// The same, with `hook` called before and after every call takes effect.
    #[must_use]
    pub fn with_hook(&self, hook: Hook) -> Direct {
        Direct { hook, ..self.clone() }
    }

    /// The person takes back the leave to act for them.
    pub fn revoke(&self, email: &str) {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner).insert(email.to_owned());
    }

    /// The person gives it again.
    pub fn grant(&self, email: &str) {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner).remove(email);
    }

    fn is_revoked(&self, email: &str) -> bool {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner).contains(email)
    }
}

#[async_trait]
impl ProviderDirectory for Direct {
    async fn open(&self, account: &Account) -> Result<Arc<dyn ProviderAccount>, ProviderError> {
        Ok(Arc::new(DirectAccount { skin: self.clone(), person: PersonId::from(account.email.as_str()) }))
    }
}

/// One person's account.
struct DirectAccount {
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

impl DirectAccount {
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

    fn page(&self, request: &ListRequest<'_>) -> Result<ChangePage, ProviderError> {
        let faults = &self.skin.faults;
        if request.page.is_some() && faults.strikes(Fault::SyncTokenLost) {
            return Err(error(ErrorClass::CursorExpired, "the token is too old"));
        }
        let size = match (faults.strikes(Fault::EmptyPage), faults.draw(Fault::ShortPage)) {
            (true, _) => 0,
            (_, Some(n)) => 1 + usize::try_from(n % 5).unwrap_or(0),
            _ => PAGE,
        };
        let id = CalendarId::from(request.calendar);
        self.skin.cloud.with(|cloud| {
            let calendar =
                cloud.calendar_for(&id, &self.person, AccessRole::Reader).map_err(|e| from_cloud(&e))?;
            let since = match request.from {
                ListFrom::Start(_) => None,
                ListFrom::Cursor(cursor) => {
                    let number = cursor.token.parse::<u64>().ok().filter(|n| calendar.log().reaches(*n));
                    let lost = number.is_none() || faults.strikes(Fault::SyncTokenLost);
                    Some(
                        number
                            .filter(|_| !lost)
                            .ok_or_else(|| error(ErrorClass::CursorExpired, "the token is too old"))?,
                    )
                }
            };
            let walk = convert::Walk::parse(request.page, calendar.log().last());
            let (mut items, next) = convert::page(calendar, self.person.as_str(), since, &walk, size);
            if faults.strikes(Fault::ExceptionsFirst) {
                items.reverse();
            }
            if faults.strikes(Fault::DuplicateItem) {
                items.extend(items.first().cloned());
            }
            let next = next.map_or_else(
                || {
                    let token = walk.upto.to_string();
                    NextPage::Done(Some(Cursor { token, params: "direct".to_owned(), covers: Window::ALL }))
                },
                NextPage::Page,
            );
            let access = calendar.role(&self.person).map(access);
            Ok(ChangePage { items, next, time_zone: Some(calendar.time_zone.to_string()), access })
        })
    }

    fn put(&self, calendar: &str, put: &BlockPut) -> Result<ObservedBlock, ProviderError> {
        let (id, now, by) = (CalendarId::from(calendar), self.skin.clock.now(), self.by());
        let content = convert::content(&put.content, &put.marker);
        let written = self.skin.cloud.with(|cloud| match &put.mode {
            PutMode::Create(chosen) => {
                let ids = Ids { id: chosen.as_ref().map(|e| e.as_str().into()), ical_uid: None };
                cloud.insert(&by, &id, ids, content, now)
            }
            PutMode::Update { id: event, version } => {
                let guard =
                    version.as_deref().and_then(|v| v.parse().ok()).map_or(Guard::Any, Guard::Version);
                cloud.replace(&by, &id, &event.as_str().into(), (guard, Op::Update), content, now)
            }
        });
        let written = written.map_err(|e| from_cloud(&e))?;
        let remote = convert::remote(&written.after, calendar, self.person.as_str());
        remote
            .as_block()
            .ok_or_else(|| error(ErrorClass::Ambiguous, "the provider answered something unreadable"))
    }
}

fn access(role: AccessRole) -> Access {
    match role {
        AccessRole::FreeBusyReader => Access::FreeBusy,
        AccessRole::Writer => Access::Write,
        AccessRole::Owner => Access::Owner,
        _ => Access::Read,
    }
}

#[async_trait]
impl ProviderAccount for DirectAccount {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            chooses_ids: WhoNames::Client,
            push: Some(Push { life: SignedDuration::from_hours(7 * 24), renewal: Renewal::Replace }),
            tentative: Tentativeness::Shown,
            concurrent_calls: 4,
            listing: Listing::Unbounded,
        }
    }

    async fn list_calendars(&self) -> Result<Vec<ListedCalendar>, ProviderError> {
        self.call(Call::Read, || {
            self.skin.cloud.with(|cloud| {
                let person =
                    cloud.person(&self.person).ok_or_else(|| from_cloud(&CloudError::NoSuchPerson))?;
                let listed = person.list().iter().filter(|(_, entry)| !entry.deleted);
                let one = |id: &CalendarId| {
                    let calendar = cloud.calendar(id)?;
                    Some(ListedCalendar {
                        remote_id: id.to_string(),
                        name: calendar.summary.clone(),
                        time_zone: calendar.time_zone.to_string(),
                        colour: None,
                        access: calendar.role(&self.person).map(access)?,
                        primary: calendar.primary,
                        push_unsupported: calendar.origin == Origin::Generated,
                    })
                };
                Ok(listed.filter_map(|(id, _)| one(id)).collect())
            })
        })
    }

    async fn list_changes(&self, request: ListRequest<'_>) -> Result<ChangePage, ProviderError> {
        self.call(Call::Read, || self.page(&request))
    }

    async fn put_block(&self, calendar: &str, put: &BlockPut) -> Result<ObservedBlock, ProviderError> {
        self.call(Call::Write, || self.put(calendar, put))
    }

    async fn delete_block(
        &self,
        calendar: &str,
        id: &EventId,
        version: Option<&str>,
    ) -> Result<(), ProviderError> {
        self.call(Call::Write, || {
            let guard = version.and_then(|v| v.parse().ok()).map_or(Guard::Any, Guard::Version);
            let (calendar, event, now) =
                (CalendarId::from(calendar), id.as_str().into(), self.skin.clock.now());
            let gone = self.skin.cloud.with(|cloud| cloud.delete(&self.by(), &calendar, &event, guard, now));
            match gone {
                Ok(_) | Err(CloudError::Deleted | CloudError::NoSuchEvent) => Ok(()),
                Err(e) => Err(from_cloud(&e)),
            }
        })
    }

    async fn get_block(&self, calendar: &str, id: &EventId) -> Result<Standing, ProviderError> {
        self.call(Call::Read, || {
            if self.skin.faults.strikes(Fault::ReplicationLag) {
                return Ok(Standing::Nothing);
            }
            let found = self.skin.cloud.with(|cloud| cloud.event(&calendar.into(), &id.as_str().into()));
            Ok(match found {
                None => Standing::Nothing,
                Some(event) if event.cancelled => Standing::Deleted,
                Some(event) => {
                    Standing::Present(Box::new(convert::remote(&event, calendar, self.person.as_str())))
                }
            })
        })
    }

    async fn watch(&self, request: &WatchRequest) -> Result<Watching, ProviderError> {
        self.call(Call::Write, || {
            let calendar = CalendarId::from(request.calendar.as_str());
            let now = self.skin.clock.now();
            let expires = now.plus(request.life);
            let channel = Channel {
                provider: Provider::Google,
                project: CLIENT.to_owned(),
                id: request.channel.clone(),
                client: ClientId::from(CLIENT),
                person: self.person.clone(),
                resource: Resource::Events(calendar.clone()),
                resource_id: format!("events-of-{calendar}"),
                address: request.url.clone(),
                token: Some(request.token.expose().to_owned()),
                expires,
                event_types: Vec::new(),
                terms: None,
            };
            self.skin.cloud.with(|cloud| {
                let generated = cloud.calendar(&calendar).is_some_and(|c| c.origin == Origin::Generated);
                if generated {
                    return Err(error(ErrorClass::Unsupported, "push is not supported for this calendar"));
                }
                let opened = cloud.open_channel(channel, now).map_err(|e| match e {
                    NotOpened::IdTaken => error(ErrorClass::Invalid, "the channel id was used before"),
                    NotOpened::TooMany => error(ErrorClass::RateLimited, "too many channels"),
                })?;
                Ok(Watching {
                    channel: opened.id.clone(),
                    resource: opened.resource_id.clone(),
                    expires_at: opened.expires,
                })
            })
        })
    }

    async fn stop(&self, channel: &str, _resource: &str) -> Result<(), ProviderError> {
        self.call(Call::Write, || {
            self.skin.cloud.with(|cloud| cloud.stop_channel(CLIENT, channel));
            Ok(())
        })
    }
}

/// What a page of items is made from; kept here so that `convert` needs no port but its vocabulary.
pub(crate) type Items = Vec<RemoteItem>;
