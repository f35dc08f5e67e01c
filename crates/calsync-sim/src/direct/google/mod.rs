//! The skin that behaves as the adapter of Google does: sync tokens over all of time, ids of our own choosing, channels that
//! are replaced.

mod convert;
mod titles;

use async_trait::async_trait;
use calsync_core::block::ObservedBlock;
use calsync_core::calendar::{Access, Cursor, ListedCalendar};
use calsync_core::ids::EventId;
use calsync_core::ports::{
    BlockPut, Capabilities, ChangePage, ErrorClass, Ids as WhoNames, ListFrom, ListRequest, Listing,
    NextPage, ProviderAccount, ProviderError, Push, PutDone, PutMode, Renewal, Standing, Tells,
    Tentativeness, Titles, TitlesRequest, WatchRequest, Watching,
};
use calsync_core::time::Window;
use jiff::SignedDuration;

use super::{CLIENT, Call, Caller, PAGE, error, from_cloud, not_opened};
use crate::cloud::calendar::{AccessRole, Origin};
use crate::cloud::journal::Op;
use crate::cloud::names::{CalendarId, ClientId};
use crate::cloud::watch::{Channel, Provider, Resource};
use crate::cloud::{CloudError, Guard, Ids};
use crate::faults::Fault;

/// One person's account.
pub(super) struct GoogleDirect {
    caller: Caller,
}

impl GoogleDirect {
    pub(super) fn new(caller: Caller) -> GoogleDirect {
        GoogleDirect { caller }
    }

    fn page(&self, request: &ListRequest<'_>) -> Result<ChangePage, ProviderError> {
        let faults = &self.caller.skin.faults;
        if request.page.is_some() && faults.strikes(Fault::SyncTokenLost) {
            return Err(error(ErrorClass::CursorExpired, "the token is too old"));
        }
        let size = match (faults.strikes(Fault::EmptyPage), faults.draw(Fault::ShortPage)) {
            (true, _) => 0,
            (_, Some(n)) => 1 + usize::try_from(n % 5).unwrap_or(0),
            _ => PAGE,
        };
        let id = CalendarId::from(request.calendar);
        self.caller.skin.cloud.with(|cloud| {
            let calendar = cloud
                .calendar_for(&id, &self.caller.person, AccessRole::Reader)
                .map_err(|e| from_cloud(&e))?;
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
            let (mut items, next) = convert::page(calendar, self.caller.person.as_str(), since, &walk, size);
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
            let access = calendar.role(&self.caller.person).map(access);
            Ok(ChangePage { items, next, time_zone: Some(calendar.time_zone.to_string()), access })
        })
    }

    fn put(&self, calendar: &str, put: &BlockPut) -> Result<ObservedBlock, ProviderError> {
        let (id, now, by) = (CalendarId::from(calendar), self.caller.skin.clock.now(), self.caller.by());
        let content = convert::content(&put.content, &put.marker);
        let written = self.caller.skin.cloud.with(|cloud| match &put.mode {
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
        let remote = convert::remote(&written.after, calendar, self.caller.person.as_str());
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
impl ProviderAccount for GoogleDirect {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            chooses_ids: WhoNames::Client,
            push: Some(Push {
                life: SignedDuration::from_hours(7 * 24),
                renewal: Renewal::Replace,
                outruns_listing: None,
                tells: Tells::Something,
            }),
            tentative: Tentativeness::Shown,
            concurrent_calls: 4,
            listing: Listing::Unbounded,
        }
    }

    async fn list_calendars(&self) -> Result<Vec<ListedCalendar>, ProviderError> {
        self.caller.calendars(|calendar| {
            Some(ListedCalendar {
                remote_id: calendar.id.to_string(),
                name: calendar.summary.clone(),
                time_zone: calendar.time_zone.to_string(),
                colour: None,
                access: calendar.role(&self.caller.person).map(access)?,
                primary: calendar.primary,
                push_unsupported: calendar.origin == Origin::Generated,
            })
        })
    }

    async fn list_changes(&self, request: ListRequest<'_>) -> Result<ChangePage, ProviderError> {
        self.caller.call(Call::Read, || self.page(&request))
    }

    async fn put_block(&self, calendar: &str, put: &BlockPut) -> Result<PutDone, ProviderError> {
        self.caller.call(Call::Write, || self.put(calendar, put)).map(PutDone::written)
    }

    async fn delete_block(
        &self,
        calendar: &str,
        id: &EventId,
        version: Option<&str>,
    ) -> Result<(), ProviderError> {
        self.caller.call(Call::Write, || {
            let guard = version.and_then(|v| v.parse().ok()).map_or(Guard::Any, Guard::Version);
            let (calendar, event, now) =
                (CalendarId::from(calendar), id.as_str().into(), self.caller.skin.clock.now());
            let gone = self
                .caller
                .skin
                .cloud
                .with(|cloud| cloud.delete(&self.caller.by(), &calendar, &event, guard, now));
            match gone {
                Ok(_) | Err(CloudError::Deleted | CloudError::NoSuchEvent) => Ok(()),
                Err(e) => Err(from_cloud(&e)),
            }
        })
    }

    async fn get_block(&self, calendar: &str, id: &EventId) -> Result<Standing, ProviderError> {
        self.caller.call(Call::Read, || {
            if self.caller.skin.faults.strikes(Fault::ReplicationLag) {
                return Ok(Standing::Nothing);
            }
            let found =
                self.caller.skin.cloud.with(|cloud| cloud.event(&calendar.into(), &id.as_str().into()));
            Ok(match found {
                None => Standing::Nothing,
                Some(event) if event.cancelled => Standing::Deleted,
                Some(event) => Standing::Present(Box::new(convert::remote(
                    &event,
                    calendar,
                    self.caller.person.as_str(),
                ))),
            })
        })
    }

    async fn list_titles(&self, request: TitlesRequest<'_>) -> Result<Titles, ProviderError> {
        self.caller.call(Call::Read, || self.titles(&request))
    }

    async fn watch(&self, request: &WatchRequest) -> Result<Watching, ProviderError> {
        self.caller.call(Call::Write, || {
            let calendar = CalendarId::from(request.calendar.as_str());
            let now = self.caller.skin.clock.now();
            let expires = now.plus(request.life);
            let channel = Channel {
                provider: Provider::Google,
                project: CLIENT.to_owned(),
                id: request.channel.clone(),
                client: ClientId::from(CLIENT),
                person: self.caller.person.clone(),
                resource: Resource::Events(calendar.clone()),
                resource_id: format!("events-of-{calendar}"),
                address: request.url.clone(),
                token: Some(request.token.expose().to_owned()),
                expires,
                event_types: Vec::new(),
                terms: None,
            };
            self.caller.skin.cloud.with(|cloud| {
                let generated = cloud.calendar(&calendar).is_some_and(|c| c.origin == Origin::Generated);
                if generated {
                    return Err(error(ErrorClass::Unsupported, "push is not supported for this calendar"));
                }
                let opened = cloud.open_channel(channel, now).map_err(not_opened)?;
                Ok(Watching {
                    channel: opened.id.clone(),
                    resource: opened.resource_id.clone(),
                    expires_at: opened.expires,
                })
            })
        })
    }

    async fn stop(&self, channel: &str, _resource: &str) -> Result<(), ProviderError> {
        self.caller.call(Call::Write, || {
            self.caller.skin.cloud.with(|cloud| cloud.stop_channel(CLIENT, channel));
            Ok(())
        })
    }
}
