//! Making, changing, removing and reading one block, call by call as the adapter does it (microsoft.md §4.2): a create whose
//! outcome is not known is looked for before it is repeated, and its key makes a repeated one harmless while it is
//! remembered.

use std::sync::Arc;

use calsync_core::block::ObservedBlock;
use calsync_core::event::Status;
use calsync_core::ids::EventId;
use calsync_core::ports::{Asked, BlockPut, ErrorClass, ProviderError, PutDone, RemoteEvent, Standing};

use super::convert::{self, key, property};
use super::{Made, MicrosoftDirect};
use crate::cloud::calendar::{AccessRole, Calendar};
use crate::cloud::event::{Event, Kind};
use crate::cloud::journal::{By, Op};
use crate::cloud::names::{CalendarId, EventId as RemoteId};
use crate::cloud::watch::Provider;
use crate::cloud::{Cloud, CloudError, Guard, Ids};
use crate::direct::{Call, error, from_cloud};
use crate::faults::Fault;

/// Tries of one create, each after a look.
const CREATE_TRIES: u32 = 2;
/// New events whose first reading may still fail: no more than this many are remembered.
const LAGGING_MAX: usize = 1_000;

impl MicrosoftDirect {
    /// A write about guests always mails them (§4.1): blocks have none.
    fn by(&self) -> By {
        let mut by = self.caller.by();
        by.rules = Provider::Microsoft;
        by.params.insert("sendUpdates".to_owned(), "all".to_owned());
        by
    }

    /// Makes a block, at most once whatever happens on the way.
    pub(super) fn create(
        &self,
        calendar: &CalendarId,
        chosen: Option<&EventId>,
        put: &BlockPut,
    ) -> Result<PutDone, ProviderError> {
        if chosen.is_some() {
            return Err(error(ErrorClass::Invalid, "Graph chooses the ids of new blocks"));
        }
        if put.asked == Asked::Again
            && let Some(made) = self.made_before(calendar, put)?
        {
            return Ok(PutDone::found(made));
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let failed = match self.create_once(calendar, put) {
                Err(e) if matches!(e.class, ErrorClass::Ambiguous | ErrorClass::Exists) => e,
                done => return done.map(PutDone::written),
            };
            match self.made_before(calendar, put) {
                Ok(Some(made)) => return Ok(PutDone::found(made)),
                Ok(None) if failed.class == ErrorClass::Ambiguous && tries < CREATE_TRIES => {}
                Ok(None) if failed.class == ErrorClass::Exists && put.asked == Asked::Again => {
                    return Err(failed);
                }
                Ok(None) | Err(_) => return Err(ProviderError { class: ErrorClass::Ambiguous, ..failed }),
            }
        }
    }

    fn create_once(&self, calendar: &CalendarId, put: &BlockPut) -> Result<ObservedBlock, ProviderError> {
        self.caller.call(Call::Write, || {
            let content = convert::fresh(&put.content, &put.marker);
            let key = format!("{} {}", self.caller.person, key(&put.marker));
            let (now, faults) = (self.caller.skin.clock.now(), &self.caller.skin.faults);
            let known = self.caller.skin.memory().keys.get(&key).cloned();
            self.caller.skin.cloud.with(|cloud| {
                if let Some(made) = known {
                    let stands = cloud.event(&made.calendar, &made.event).filter(|e| !e.cancelled);
                    match stands {
                        Some(event) if made.content == content => {
                            return self.answer(cloud, &made.calendar, &event);
                        }
                        // How long a key outlives its event is not known (§12).
                        None if !faults.strikes(Fault::KeyKept) => {}
                        _ => return Err(error(ErrorClass::Exists, "the key was used for another event")),
                    }
                }
                let (id, uid) = (cloud.fresh_id(26), cloud.fresh_id(48));
                let ids = Ids { id: Some(id.into()), ical_uid: Some(uid) };
                let made = cloud.insert(&self.by(), calendar, ids, content.clone(), now);
                let made = made.map_err(|e| from_cloud(&e))?.after;
                let answer = self.answer(cloud, calendar, &made);
                self.touch(cloud, calendar, &made);
                let mut memory = self.caller.skin.memory();
                let (calendar, event) = (calendar.clone(), made.id.clone());
                if faults.strikes(Fault::ReplicationLag) && memory.lagging.len() < LAGGING_MAX {
                    memory.lagging.insert((calendar.clone(), event.clone()));
                }
                memory.keys.put(key, Made { calendar, event, content });
                answer
            })
        })
    }

    /// The block that an earlier try made, brought to the content that is wanted now.
    fn made_before(
        &self,
        calendar: &CalendarId,
        put: &BlockPut,
    ) -> Result<Option<ObservedBlock>, ProviderError> {
        let Some(block) = self.find(calendar, put)?.and_then(|found| found.as_block()) else {
            return Ok(None);
        };
        if block.has_guests || block.fingerprint == put.content.fingerprint() {
            return Ok(Some(block));
        }
        self.change(&block.id, block.version.as_deref(), put).map(Some)
    }

    /// The event that was made under this put's key: the marker finds it, the key proves it.
    fn find(&self, calendar: &CalendarId, put: &BlockPut) -> Result<Option<RemoteEvent>, ProviderError> {
        let marked: Vec<RemoteId> = self.caller.call(Call::Read, || {
            Ok(self.caller.skin.cloud.with(|cloud| {
                let live = cloud.live_events(calendar).into_iter().filter(|e| e.series().is_none());
                let marked = live.filter(|e| e.content.private.get(&property()) == Some(&put.marker.0));
                marked.map(|e| e.id.clone()).collect()
            }))
        })?;
        let mut proven = None;
        for id in marked {
            let Some((remote, found_key)) = self.look(&id)? else { continue };
            if found_key == Some(key(&put.marker)) && remote.event.status != Status::Cancelled {
                proven = Some(remote);
            }
        }
        Ok(proven)
    }

    /// What stands is changed, whichever calendar of the mailbox it was moved to (§10 row 6).
    pub(super) fn change(
        &self,
        id: &EventId,
        version: Option<&str>,
        put: &BlockPut,
    ) -> Result<ObservedBlock, ProviderError> {
        self.caller.call(Call::Write, || {
            let now = self.caller.skin.clock.now();
            self.caller.skin.cloud.with(|cloud| {
                let (calendar, event) = self.found(cloud, id)?;
                let content = convert::laid_over(&put.content, &put.marker, &event.content);
                let how = (guard(version)?, Op::Patch);
                let done = cloud.replace(&self.by(), &calendar, &event.id, how, content, now);
                let changed = done.map_err(|e| from_cloud(&e))?.after;
                let answer = self.answer(cloud, &calendar, &changed);
                self.touch(cloud, &calendar, &changed);
                answer
            })
        })
    }

    /// Already gone is success, the second time as well (§10 row 14).
    pub(super) fn delete(&self, id: &EventId, version: Option<&str>) -> Result<(), ProviderError> {
        self.caller.call(Call::Write, || {
            let now = self.caller.skin.clock.now();
            self.caller.skin.cloud.with(|cloud| {
                let Ok((calendar, event)) = self.found(cloud, id) else { return Ok(()) };
                let gone = cloud.delete(&self.by(), &calendar, &event.id, guard(version)?, now);
                gone.map(drop).map_err(|e| from_cloud(&e))
            })
        })
    }

    /// What stands under an id. What was deleted is simply not there.
    pub(super) fn get(&self, id: &EventId) -> Result<Standing, ProviderError> {
        Ok(match self.look(&RemoteId::from(id.as_str()))? {
            None => Standing::Nothing,
            Some((remote, _)) if remote.event.status == Status::Cancelled => Standing::Deleted,
            Some((remote, _)) => Standing::Present(Box::new(remote)),
        })
    }

    /// An event with its marker, and the key it was made under. The first reading of a new one may not find it.
    fn look(&self, id: &RemoteId) -> Result<Option<(RemoteEvent, Option<String>)>, ProviderError> {
        self.caller.call(Call::Read, || {
            self.caller.skin.cloud.with(|cloud| {
                let Ok((calendar, event)) = self.found(cloud, &EventId(id.to_string())) else {
                    return Ok(None);
                };
                if self.caller.skin.memory().lagging.remove(&(calendar.clone(), id.clone())) {
                    return Ok(None);
                }
                let found = self.calendar(cloud, &calendar)?;
                let remote = convert::remote(&event, found, &self.caller.person, convert::Asked::Properties);
                Ok(Some((remote, event.content.outlook.transaction_id.clone())))
            })
        })
    }

    /// The live event of this id in any calendar of the mailbox.
    fn found(&self, cloud: &Cloud, id: &EventId) -> Result<(CalendarId, Arc<Event>), ProviderError> {
        let id = RemoteId::from(id.as_str());
        let live = |calendar: &CalendarId| {
            let cal = self.calendar(cloud, calendar).ok()?;
            let event = cloud.event(&cal.id, &id).filter(|e| !e.cancelled && e.kind != Kind::Series)?;
            Some((cal.id.clone(), event))
        };
        let found = cloud.person(&self.caller.person).and_then(|p| p.list().keys().find_map(live));
        found.ok_or_else(|| from_cloud(&CloudError::NoSuchEvent))
    }

    fn calendar<'a>(&self, cloud: &'a Cloud, id: &CalendarId) -> Result<&'a Calendar, ProviderError> {
        cloud.calendar_for(id, &self.caller.person, AccessRole::Reader).map_err(|e| from_cloud(&e))
    }

    /// The answer to a write: what stands now. Properties are not echoed (§5), the key is.
    fn answer(
        &self,
        cloud: &Cloud,
        calendar: &CalendarId,
        event: &Event,
    ) -> Result<ObservedBlock, ProviderError> {
        let calendar = self.calendar(cloud, calendar)?;
        convert::remote(event, calendar, &self.caller.person, convert::Asked::Nothing)
            .as_block()
            .ok_or_else(|| error(ErrorClass::Ambiguous, "done, but the answer is not the block"))
    }

    /// The server may touch what was written, right after it (§4.2 `changeKey`).
    fn touch(&self, cloud: &mut Cloud, calendar: &CalendarId, event: &Event) {
        if self.caller.skin.faults.strikes(Fault::ServerTouch) {
            // What was just written stands.
            let _ = cloud.touch(calendar, &event.id, self.caller.skin.clock.now());
        }
    }
}

fn guard(version: Option<&str>) -> Result<Guard, ProviderError> {
    match version.map(str::parse) {
        None => Ok(Guard::Any),
        Some(Ok(number)) => Ok(Guard::Version(number)),
        // No etag of ours looks like this, so it is not the one that stands.
        Some(Err(_)) => Err(from_cloud(&CloudError::Changed)),
    }
}
