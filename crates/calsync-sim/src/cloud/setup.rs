//! What is done to the cloud beside writing events: people and calendars come and go, calendars are shared and listed,
//! tokens age, tombstones are purged, channels open and stop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calsync_core::time::Ts;
use calsync_core::zone;

use super::calendar::{AccessRole, Calendar, ListEntry, NewCalendar, Origin, Person};
use super::log::ChangeLog;
use super::names::{CalendarId, PersonId};
use super::watch::{Channel, Lifecycle, NotOpened, Resource};
use super::{Cloud, CloudError};

impl Cloud {
    /// Somebody new, with a main calendar whose id is their address. Does nothing if they are there already.
    ///
    /// # Errors
    /// `Full`, or `Invalid` if the zone is unknown.
    pub fn add_person(
        &mut self,
        email: &str,
        name: &str,
        zone: &str,
        now: Ts,
    ) -> Result<PersonId, CloudError> {
        let id = PersonId::from(email.to_ascii_lowercase());
        if self.people.contains_key(&id) {
            return Ok(id);
        }
        if self.people.len() >= self.limits.people {
            return Err(CloudError::Full);
        }
        let sub = format!("1{:020}", self.rng.below(100_000_000_000_000_000));
        let (list, list_log) = (BTreeMap::new(), ChangeLog::default());
        self.people.insert(id.clone(), Person { id: id.clone(), sub, name: name.to_owned(), list, list_log });
        let main = NewCalendar {
            id: CalendarId::from(id.as_str()),
            summary: id.to_string(),
            time_zone: zone.to_owned(),
            owner: id.clone(),
            origin: Origin::People,
        };
        match self.add_calendar(main, now) {
            Ok(_) => Ok(id),
            Err(error) => {
                self.people.remove(&id);
                Err(error)
            }
        }
    }

    /// A new calendar, put into its owner's list.
    ///
    /// # Errors
    /// `NoSuchPerson`, `Duplicate`, `Full`, or `Invalid` if the zone is unknown.
    pub fn add_calendar(&mut self, new: NewCalendar, now: Ts) -> Result<CalendarId, CloudError> {
        if !self.people.contains_key(&new.owner) {
            return Err(CloudError::NoSuchPerson);
        }
        if self.calendars.contains_key(&new.id) {
            return Err(CloudError::Duplicate);
        }
        if self.calendars.len() >= self.limits.calendars {
            return Err(CloudError::Full);
        }
        let zone = zone::find(&new.time_zone).ok_or(CloudError::Invalid("Unknown time zone."))?;
        let calendar = Calendar {
            primary: new.id.as_str() == new.owner.as_str(),
            id: new.id.clone(),
            summary: new.summary,
            description: None,
            time_zone: Arc::from(new.time_zone),
            zone,
            owner: new.owner.clone(),
            origin: new.origin,
            deleted: false,
            updated: now,
            version: self.next_version(),
            acl: BTreeMap::new(),
            events: BTreeMap::new(),
            previous: BTreeMap::new(),
            log: ChangeLog::default(),
            uids: BTreeMap::new(),
            purged: BTreeSet::new(),
        };
        self.calendars.insert(new.id.clone(), calendar);
        self.edit_list(&new.owner, &new.id, now, |_| ())?;
        Ok(new.id)
    }

    /// Lets somebody else use a calendar (`None`: no longer). Who may see it changed, so every sync token of the
    /// calendar dies (google.md §4 rule 5). It does not put it into their list: see [`Cloud::edit_list`].
    ///
    /// # Errors
    /// `NoSuchCalendar` or `NoSuchPerson`.
    pub fn share(
        &mut self,
        calendar: &CalendarId,
        with: &PersonId,
        role: Option<AccessRole>,
        now: Ts,
    ) -> Result<(), CloudError> {
        if !self.people.contains_key(with) {
            return Err(CloudError::NoSuchPerson);
        }
        let cal = self.calendars.get_mut(calendar).ok_or(CloudError::NoSuchCalendar)?;
        match role {
            Some(role) => cal.acl.insert(with.clone(), role),
            None => cal.acl.remove(with),
        };
        cal.log.expire();
        self.tell(&Resource::Acl(calendar.clone()), None, now);
        // Who loses a calendar loses it from their list as well.
        let listed = self.people.get(with).is_some_and(|p| p.list.contains_key(calendar));
        if role.is_none() && listed {
            self.edit_entry(with, calendar, now, |entry| entry.deleted = true)?;
        }
        Ok(())
    }

    /// Puts a calendar into somebody's list, or changes how it stands there: `edit` gets the entry, a fresh one the
    /// first time. A change of the calendar's own name or of rights makes no entry (google.md §3).
    ///
    /// # Errors
    /// `NoSuchPerson`, or `NoSuchCalendar` if they may not see it.
    pub fn edit_list(
        &mut self,
        person: &PersonId,
        calendar: &CalendarId,
        now: Ts,
        edit: impl FnOnce(&mut ListEntry),
    ) -> Result<(), CloudError> {
        self.calendar_for(calendar, person, AccessRole::FreeBusyReader)?;
        self.edit_entry(person, calendar, now, edit)
    }

    /// Deletes a calendar with everything in it: its events simply stop, everybody's list shows it as deleted, and
    /// its channels fall silent (google.md §10 row 8).
    ///
    /// # Errors
    /// `NoSuchCalendar`, or `Forbidden` for a main calendar.
    pub fn delete_calendar(&mut self, calendar: &CalendarId, now: Ts) -> Result<(), CloudError> {
        let cal = self.calendars.get_mut(calendar).ok_or(CloudError::NoSuchCalendar)?;
        if cal.primary {
            return Err(CloudError::Forbidden);
        }
        cal.deleted = true;
        cal.log.expire();
        let listed = self.people.values().filter(|p| p.list.contains_key(calendar));
        for person in listed.map(|p| p.id.clone()).collect::<Vec<_>>() {
            self.edit_entry(&person, calendar, now, |entry| entry.deleted = true)?;
        }
        Ok(())
    }

    /// Renames a calendar. No list entry changes by that.
    ///
    /// # Errors
    /// `NoSuchCalendar`.
    pub fn rename_calendar(&mut self, calendar: &CalendarId, summary: &str) -> Result<(), CloudError> {
        let version = self.next_version();
        let cal = self.calendars.get_mut(calendar).ok_or(CloudError::NoSuchCalendar)?;
        (cal.summary, cal.version) = (summary.to_owned(), version);
        Ok(())
    }

    /// Makes every sync token that was given out for this calendar useless.
    pub fn expire_sync_tokens(&mut self, calendar: &CalendarId) {
        if let Some(cal) = self.calendars.get_mut(calendar) {
            cal.log.expire();
        }
    }

    /// Makes every sync token of this person's calendar list useless.
    pub fn expire_list_tokens(&mut self, person: &PersonId) {
        if let Some(person) = self.people.get_mut(person) {
            person.list_log.expire();
        }
    }

    /// Forgets tombstones older than `before`, as Google does some day. Whoever has not heard of them by then cannot
    /// be told any more, so sync tokens die as well. Ids and UIDs stay taken (google.md §5). Returns how many went.
    pub fn purge(&mut self, calendar: &CalendarId, before: Ts) -> usize {
        let Some(cal) = self.calendars.get_mut(calendar) else { return 0 };
        let old = cal.events.values().filter(|e| e.is_tombstone() && e.updated < before);
        let ids: Vec<_> = old.map(|e| e.id.clone()).collect();
        for id in &ids {
            cal.events.remove(id);
            cal.previous.remove(id);
            cal.log.forget(id);
            cal.purged.insert(id.clone());
        }
        if !ids.is_empty() {
            cal.log.expire();
        }
        ids.len()
    }

    /// Opens a channel; its first notice says so.
    ///
    /// # Errors
    /// See [`NotOpened`].
    pub fn open_channel(&mut self, channel: Channel, now: Ts) -> Result<Arc<Channel>, NotOpened> {
        let limits = self.watch_limits();
        self.watch.open(channel, now, limits)
    }

    /// Changes an open channel, if there is such a channel: to end later, or to lead elsewhere.
    pub fn amend_channel(
        &mut self,
        project: &str,
        id: &str,
        edit: impl FnOnce(&mut Channel),
    ) -> Option<Arc<Channel>> {
        self.watch.amend(project, id, edit)
    }

    /// Tells a channel something about itself.
    pub fn tell_channel(&mut self, channel: &Arc<Channel>, what: Lifecycle, now: Ts) {
        let limits = self.watch_limits();
        self.watch.tell_of(channel, what, now, limits);
    }

    /// Stops a channel; `None` if there is none.
    pub fn stop_channel(&mut self, project: &str, id: &str) -> Option<Arc<Channel>> {
        self.watch.stop(project, id)
    }

    fn edit_entry(
        &mut self,
        person: &PersonId,
        calendar: &CalendarId,
        now: Ts,
        edit: impl FnOnce(&mut ListEntry),
    ) -> Result<(), CloudError> {
        let version = self.next_version();
        let who = self.people.get_mut(person).ok_or(CloudError::NoSuchPerson)?;
        let entry = who.list.entry(calendar.clone()).or_insert_with(|| ListEntry {
            hidden: false,
            deleted: false,
            selected: true,
            summary_override: None,
            color_id: None,
            version,
        });
        edit(entry);
        entry.version = version;
        who.list_log.note(calendar);
        self.tell(&Resource::CalendarList(person.clone()), None, now);
        Ok(())
    }
}
