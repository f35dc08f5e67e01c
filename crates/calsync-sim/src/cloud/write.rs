//! The writes that the cloud knows: insert, replace, delete, import, move. Each checks, changes one state, notes the
//! change, tells the channels and the other copies, and says what changed. None is ever half done.

use std::sync::Arc;

use calsync_core::time::Ts;

use super::calendar::Calendar;
use super::content::{Content, EventType, Party};
use super::event::{Event, Kind};
use super::journal::{By, Entry, Op};
use super::names::{CalendarId, EventId};
use super::rules::{check, guests_can_modify, leader, room, writable};
use super::watch::{Change, Resource};
use super::{Cloud, CloudError, series};

/// Which version of an event a writer believes to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Whatever stands there.
    Any,
    /// This one, or nothing is done.
    Version(u64),
}

impl Guard {
    fn check(self, event: &Event) -> Result<(), CloudError> {
        match self {
            Guard::Version(version) if version != event.version => Err(CloudError::Changed),
            _ => Ok(()),
        }
    }
}

/// The names that a writer chooses for a new event; the cloud makes up those that are missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// The id.
    pub id: Option<EventId>,
    /// The iCalendar UID.
    pub ical_uid: Option<String>,
}

/// What a write changed.
#[derive(Debug, Clone)]
pub struct Written {
    /// What stood there before; nothing for a new event.
    pub before: Option<Arc<Event>>,
    /// What stands there now; a tombstone after a deletion.
    pub after: Arc<Event>,
}

/// What an import brings beside the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The UID by which it is known everywhere.
    pub ical_uid: String,
    /// Who leads it; the calendar itself if not said.
    pub organizer: Option<Party>,
    /// What is written in it.
    pub content: Content,
}

impl Cloud {
    /// Makes a new event.
    ///
    /// # Errors
    /// `Duplicate` if the id or the UID was ever used in the calendar (google.md §5), and as for every write.
    pub fn insert(
        &mut self,
        by: &By,
        calendar: &CalendarId,
        ids: Ids,
        content: Content,
        now: Ts,
    ) -> Result<Written, CloudError> {
        let cal = writable(self, by, calendar)?;
        check(&content, cal, None, by.rules)?;
        let organizer = leader(self, cal);
        let event = self.fresh(by, calendar, ids, content, organizer, now)?;
        let after = self.commit(calendar, event, now);
        self.record(by, calendar, Op::Insert, None, &after, now);
        self.spread(calendar, &after, now);
        Ok(Written { before: None, after })
    }

    /// Puts new content into an event, or into one occurrence of a series by its id, which makes it an exception.
    /// `op` says how the writer put it, for the journal.
    ///
    /// # Errors
    /// `Deleted` for a deleted event: coming back to life is unreliable at Google (google.md §5), so it is refused.
    /// `Changed` if the guard does not hold, `NotOrganizer` for a full update of a guest's copy (§6).
    pub fn replace(
        &mut self,
        by: &By,
        calendar: &CalendarId,
        id: &EventId,
        (guard, op): (Guard, Op),
        content: Content,
        now: Ts,
    ) -> Result<Written, CloudError> {
        let cal = writable(self, by, calendar)?;
        let before = series::resolve(cal, id).ok_or(CloudError::NoSuchEvent)?;
        guard.check(&before)?;
        if before.cancelled {
            return Err(CloudError::Deleted);
        }
        if op == Op::Update && !cal.leads(&before) && !guests_can_modify(&before) {
            return Err(CloudError::NotOrganizer);
        }
        check(&content, cal, Some(&before), by.rules)?;
        let event = changed(&before, content, now);
        let re_timed = event.kind == Kind::Series && series::pattern_differs(&before.content, &event.content);
        let after = self.commit(calendar, event, now);
        if re_timed || (before.kind == Kind::Series && after.kind == Kind::Single) {
            self.drop_stray_exceptions(calendar, &after);
        }
        self.record(by, calendar, op, Some(Arc::clone(&before)), &after, now);
        self.spread(calendar, &after, now);
        self.pass_answer_on(calendar, &before, &after, now);
        Ok(Written { before: Some(before), after })
    }

    /// Deletes an event, a whole series, or cancels one occurrence by its id.
    ///
    /// # Errors
    /// `Deleted` the second time (google.md §3), `NoSuchEvent` if there never was one.
    pub fn delete(
        &mut self,
        by: &By,
        calendar: &CalendarId,
        id: &EventId,
        guard: Guard,
        now: Ts,
    ) -> Result<Written, CloudError> {
        let cal = writable(self, by, calendar)?;
        let before = series::resolve(cal, id).ok_or(CloudError::NoSuchEvent)?;
        guard.check(&before)?;
        if before.cancelled {
            return Err(CloudError::Deleted);
        }
        let after = self.bury(calendar, &before, now);
        self.record(by, calendar, Op::Delete, Some(Arc::clone(&before)), &after, now);
        let silent = by.client.is_some() && by.params.get("sendUpdates").is_none_or(|v| v == "none");
        // A program's silent deletion leaves the event on the guests' calendars (google.md §3).
        if !silent {
            self.spread(calendar, &after, now);
        }
        Ok(Written { before: Some(before), after })
    }

    /// Makes a private copy of somebody's event, or refreshes the one with the same UID (google.md §5).
    ///
    /// # Errors
    /// `Duplicate` if the UID belongs to a deleted event, and as for every write.
    pub fn import(
        &mut self,
        by: &By,
        calendar: &CalendarId,
        import: Imported,
        now: Ts,
    ) -> Result<Written, CloudError> {
        let cal = writable(self, by, calendar)?;
        check(&import.content, cal, None, by.rules)?;
        if import.content.event_type != EventType::Default {
            return Err(CloudError::Invalid("Only events of the default type can be imported."));
        }
        let organizer = import.organizer.clone().unwrap_or_else(|| leader(self, cal));
        let known = cal.by_uid(&import.ical_uid).cloned();
        let event = match &known {
            Some(known) if known.cancelled => return Err(CloudError::Duplicate),
            Some(known) => Event { organizer, ..changed(known, import.content, now) },
            None => {
                let ids = Ids { id: None, ical_uid: Some(import.ical_uid) };
                self.fresh(by, calendar, ids, import.content, organizer, now)?
            }
        };
        let after = self.commit(calendar, event, now);
        self.record(by, calendar, Op::Import, known.clone(), &after, now);
        Ok(Written { before: known, after })
    }

    /// Takes a single event or a series to another calendar, which leads it from then on. The source keeps a
    /// tombstone (google.md §3 events.move). Returns what stands at the destination.
    ///
    /// # Errors
    /// `Invalid` for other than default-type events and for occurrences, `Duplicate` if the id stands there already.
    pub fn move_event(
        &mut self,
        by: &By,
        (from, to): (&CalendarId, &CalendarId),
        id: &EventId,
        guard: Guard,
        now: Ts,
    ) -> Result<Written, CloudError> {
        let source = writable(self, by, from)?;
        let before = Arc::clone(source.stored(id).ok_or(CloudError::NoSuchEvent)?);
        guard.check(&before)?;
        if before.cancelled {
            return Err(CloudError::Deleted);
        }
        if before.series().is_some() {
            return Err(CloudError::Invalid("The organizer of a single occurrence cannot be changed."));
        }
        if before.content.event_type != EventType::Default {
            return Err(CloudError::Invalid("Only events of the default type can be moved."));
        }
        if !source.leads(&before) {
            return Err(CloudError::NotOrganizer);
        }
        let target = writable(self, by, to)?;
        if from == to {
            return Err(CloudError::Invalid("The event is in this calendar already."));
        }
        let organizer = leader(self, target);
        if target.is_taken(id) || target.by_uid(&before.ical_uid).is_some() {
            return Err(CloudError::Duplicate);
        }
        room(target, self.limits.events_per_calendar)?;
        let exceptions: Vec<_> = source.exceptions(id).cloned().collect();
        let gone = self.bury(from, &before, now);
        self.record(by, from, Op::MoveOut, Some(Arc::clone(&before)), &gone, now);
        let moved = Event { organizer: organizer.clone(), updated: now, ..(*before).clone() };
        let after = self.commit(to, moved, now);
        for exception in exceptions {
            self.commit(to, Event { organizer: organizer.clone(), ..(*exception).clone() }, now);
        }
        self.record(by, to, Op::MoveIn, None, &after, now);
        Ok(Written { before: Some(before), after })
    }

    /// Changes nothing in an event but its version, as servers do by themselves (microsoft.md §4.2 `changeKey`).
    ///
    /// # Errors
    /// `NoSuchEvent` if nothing live of this id is stored.
    pub fn touch(&mut self, calendar: &CalendarId, id: &EventId, now: Ts) -> Result<Arc<Event>, CloudError> {
        let cal = self.calendars.get(calendar).ok_or(CloudError::NoSuchCalendar)?;
        let event = cal.stored(id).filter(|e| !e.cancelled).ok_or(CloudError::NoSuchEvent)?;
        let event = Event { updated: now, ..(**event).clone() };
        Ok(self.commit(calendar, event, now))
    }

    fn fresh(
        &mut self,
        by: &By,
        calendar: &CalendarId,
        ids: Ids,
        content: Content,
        organizer: Party,
        now: Ts,
    ) -> Result<Event, CloudError> {
        // Google's own ids have 26 letters; a clash is next to impossible, and the check below refuses it.
        let id = ids.id.unwrap_or_else(|| EventId::from(self.rng.letters(26)));
        let cal = self.calendars.get(calendar).ok_or(CloudError::NoSuchCalendar)?;
        let ical_uid: Arc<str> = ids.ical_uid.map_or_else(|| format!("{id}@google.com").into(), Into::into);
        if cal.is_taken(&id) || cal.uids.contains_key(&ical_uid) {
            return Err(CloudError::Duplicate);
        }
        room(cal, self.limits.events_per_calendar)?;
        let name = self.people.get(&by.person).map(|p| p.name.clone());
        Ok(Event {
            id,
            kind: if content.recurrence.is_empty() { Kind::Single } else { Kind::Series },
            cancelled: false,
            content,
            ical_uid,
            sequence: 0,
            created: now,
            updated: now,
            version: 0,
            organizer,
            creator: Party { email: by.person.to_string(), name },
        })
    }

    /// Writes a checked event down and tells who watches.
    pub(super) fn commit(&mut self, calendar: &CalendarId, event: Event, now: Ts) -> Arc<Event> {
        let event = Arc::new(Event { version: self.next_version(), ..event });
        let mut change = if event.cancelled { Change::Deleted } else { Change::Created };
        if let Some(cal) = self.calendars.get_mut(calendar) {
            cal.log.note(&event.id);
            cal.updated = now;
            if event.series().is_none() {
                cal.uids.insert(Arc::clone(&event.ical_uid), event.id.clone());
            }
            if let Some(old) = cal.events.insert(event.id.clone(), Arc::clone(&event)) {
                if !old.cancelled && !event.cancelled {
                    change = Change::Updated;
                }
                cal.previous.insert(old.id.clone(), old);
            }
        }
        self.tell(&Resource::Events(calendar.clone()), Some((change, &event)), now);
        event
    }

    /// Deletes without asking. A deleted series takes its exceptions with it, without a word about each of them
    /// (google.md §7, series delete).
    pub(super) fn bury(&mut self, calendar: &CalendarId, event: &Event, now: Ts) -> Arc<Event> {
        if event.kind == Kind::Series
            && let Some(cal) = self.calendars.get_mut(calendar)
        {
            let ids: Vec<_> = cal.exceptions(&event.id).map(|e| e.id.clone()).collect();
            forget(cal, &ids);
        }
        self.commit(calendar, Event { cancelled: true, updated: now, ..event.clone() }, now)
    }

    /// Drops stored exceptions whose slot the series no longer has: silently, as Google does (google.md §7).
    fn drop_stray_exceptions(&mut self, calendar: &CalendarId, master: &Event) {
        let Some(cal) = self.calendars.get_mut(calendar) else { return };
        let stray: Vec<_> = cal
            .exceptions(&master.id)
            .filter(|e| e.slot().is_none_or(|slot| !series::generates(master, slot, &cal.zone)))
            .map(|e| e.id.clone())
            .collect();
        forget(cal, &stray);
    }

    fn record(
        &mut self,
        by: &By,
        calendar: &CalendarId,
        op: Op,
        before: Option<Arc<Event>>,
        after: &Arc<Event>,
        now: Ts,
    ) {
        let Some(client) = &by.client else { return };
        let entry = Entry {
            at: now,
            client: client.clone(),
            person: by.person.clone(),
            calendar: calendar.clone(),
            event: after.id.clone(),
            op,
            before,
            after: Arc::clone(after),
            params: by.params.clone(),
        };
        self.journal.push(entry, self.limits.journal);
    }
}

/// The event with other content: a new time is a new revision; reminders alone are not a change (google.md §6).
fn changed(before: &Event, content: Content, now: Ts) -> Event {
    let old = &before.content;
    let re_timed =
        old.start != content.start || old.end != content.end || old.recurrence != content.recurrence;
    let only_reminders =
        *old == Content { reminders: old.reminders.clone(), ..content.clone() } && *old != content;
    let kind = match &before.kind {
        Kind::Exception { .. } => before.kind.clone(),
        _ if content.recurrence.is_empty() => Kind::Single,
        _ => Kind::Series,
    };
    Event {
        kind,
        content,
        sequence: before.sequence + u32::from(re_timed),
        updated: if only_reminders { before.updated } else { now },
        ..before.clone()
    }
}

/// Takes exceptions out as if they had never been.
fn forget(calendar: &mut Calendar, ids: &[EventId]) {
    for id in ids {
        calendar.events.remove(id);
        calendar.previous.remove(id);
        calendar.log.forget(id);
    }
}
