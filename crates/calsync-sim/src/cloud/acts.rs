//! What a person does by their own hand: the words a test or the demo uses. Everything ends in the writes that
//! programs use too; nothing here is journalled as a program's.

use std::sync::Arc;

use calsync_core::time::Ts;

use super::calendar::AccessRole;
use super::content::{Content, Response, When};
use super::event::{Event, Kind, Slot};
use super::invite::set_answer;
use super::journal::{By, Op};
use super::names::{CalendarId, EventId, PersonId};
use super::{Cloud, CloudError, Guard, Ids, series};

/// How a guest answers.
pub type Answer = Response;

impl Cloud {
    /// A new event in a calendar, by the hand of the calendar's owner.
    ///
    /// # Errors
    /// As [`Cloud::insert`].
    pub fn create_event(
        &mut self,
        calendar: &CalendarId,
        content: Content,
        now: Ts,
    ) -> Result<Arc<Event>, CloudError> {
        let by = self.owner_of(calendar)?;
        Ok(self.insert(&by, calendar, Ids::default(), content, now)?.after)
    }

    /// Changes an event, a whole series by its master's id, or one occurrence by its own id.
    ///
    /// # Errors
    /// As [`Cloud::replace`].
    pub fn edit_event(
        &mut self,
        calendar: &CalendarId,
        id: &EventId,
        now: Ts,
        edit: impl FnOnce(&mut Content),
    ) -> Result<Arc<Event>, CloudError> {
        let by = self.owner_of(calendar)?;
        let mut content = self.event(calendar, id).ok_or(CloudError::NoSuchEvent)?.content.clone();
        edit(&mut content);
        Ok(self.replace(&by, calendar, id, (Guard::Any, Op::Patch), content, now)?.after)
    }

    /// Puts an event to another time: a single one, a whole series by its master's id, or one occurrence by its own
    /// id.
    ///
    /// # Errors
    /// As [`Cloud::replace`].
    pub fn reschedule(
        &mut self,
        calendar: &CalendarId,
        id: &EventId,
        (start, end): (When, When),
        now: Ts,
    ) -> Result<Arc<Event>, CloudError> {
        self.edit_event(calendar, id, now, |content| (content.start, content.end) = (start, end))
    }

    /// Puts one occurrence of a series to another time.
    ///
    /// # Errors
    /// As [`Cloud::replace`]; `NoSuchEvent` if the series has no such occurrence.
    pub fn move_occurrence(
        &mut self,
        calendar: &CalendarId,
        (series, slot): (&EventId, Slot),
        to: (When, When),
        now: Ts,
    ) -> Result<Arc<Event>, CloudError> {
        self.reschedule(calendar, &Event::occurrence_id(series, slot), to, now)
    }

    /// Deletes an event or a whole series.
    ///
    /// # Errors
    /// As [`Cloud::delete`].
    pub fn cancel_event(
        &mut self,
        calendar: &CalendarId,
        id: &EventId,
        now: Ts,
    ) -> Result<Arc<Event>, CloudError> {
        let by = self.owner_of(calendar)?;
        Ok(self.delete(&by, calendar, id, Guard::Any, now)?.after)
    }

    /// Cancels one occurrence of a series.
    ///
    /// # Errors
    /// As [`Cloud::delete`]; `NoSuchEvent` if the series has no such occurrence.
    pub fn cancel_occurrence(
        &mut self,
        calendar: &CalendarId,
        series: &EventId,
        slot: Slot,
        now: Ts,
    ) -> Result<Arc<Event>, CloudError> {
        self.cancel_event(calendar, &Event::occurrence_id(series, slot), now)
    }

    /// Changes a series from the occurrence at `slot` on: the old series ends before it, and a new one with a new id
    /// begins there, without the old one's exceptions (google.md §7). Returns the new series.
    ///
    /// # Errors
    /// `NoSuchEvent` if there is no such live series or occurrence, and as [`Cloud::replace`].
    pub fn edit_following(
        &mut self,
        calendar: &CalendarId,
        (id, slot): (&EventId, Slot),
        now: Ts,
        edit: impl FnOnce(&mut Content),
    ) -> Result<Arc<Event>, CloudError> {
        let by = self.owner_of(calendar)?;
        let cal = self.calendars.get(calendar).ok_or(CloudError::NoSuchCalendar)?;
        let master = Arc::clone(cal.live_series(id).ok_or(CloudError::NoSuchEvent)?);
        if !series::generates(&master, slot, &cal.zone) {
            return Err(CloudError::NoSuchEvent);
        }
        let split = series::split(&master, slot, &cal.zone)?;
        let mut following = Content { recurrence: split.following, ..master.occurrence(slot).content };
        edit(&mut following);
        let new_id = EventId::from(self.rng.letters(26));
        let ids = Ids { id: Some(new_id), ical_uid: None };
        if split.earlier.is_empty() {
            // From the first occurrence on is the whole series: the old one goes.
            let new = self.insert(&by, calendar, ids, following, now)?.after;
            self.delete(&by, calendar, id, Guard::Any, now)?;
            return Ok(new);
        }
        let new = self.insert(&by, calendar, ids, following, now)?.after;
        let earlier = Content { recurrence: split.earlier, ..master.content.clone() };
        self.replace(&by, calendar, id, (Guard::Any, Op::Update), earlier, now)?;
        Ok(new)
    }

    /// Answers an invitation in the person's main calendar: an event, a whole series, or one occurrence by its id.
    /// The leading calendar and the other guests learn of it.
    ///
    /// # Errors
    /// `NoSuchEvent`, or `Forbidden` if the person is not among the guests.
    pub fn respond(
        &mut self,
        person: &PersonId,
        id: &EventId,
        answer: Answer,
        now: Ts,
    ) -> Result<Arc<Event>, CloudError> {
        let calendar = CalendarId::from(person.as_str());
        self.calendar_for(&calendar, person, AccessRole::Owner)?;
        let event = self.event(&calendar, id).filter(|e| !e.cancelled).ok_or(CloudError::NoSuchEvent)?;
        if event.content.attendee(person.as_str()).is_none() {
            return Err(CloudError::Forbidden);
        }
        let mut content = event.content.clone();
        if !set_answer(&mut content, person, answer) {
            return Ok(event);
        }
        let after = self.commit(&calendar, Event { content, updated: now, ..(*event).clone() }, now);
        let leads = self.calendars.get(&calendar).is_some_and(|cal| cal.leads(&after));
        if leads {
            self.spread(&calendar, &after, now);
        } else {
            self.carry_answer(&after, person, answer, now);
        }
        Ok(after)
    }

    /// Takes an event to another calendar of the same owner.
    ///
    /// # Errors
    /// As [`Cloud::move_event`].
    pub fn move_to_calendar(
        &mut self,
        from: &CalendarId,
        to: &CalendarId,
        id: &EventId,
        now: Ts,
    ) -> Result<Arc<Event>, CloudError> {
        let by = self.owner_of(from)?;
        Ok(self.move_event(&by, (from, to), id, Guard::Any, now)?.after)
    }

    /// Brings a deleted single event, or a cancelled occurrence, back as it was: people can, from their bin.
    ///
    /// # Errors
    /// `NoSuchEvent` if there is nothing deleted of this id, or if it was a series.
    pub fn restore(
        &mut self,
        calendar: &CalendarId,
        id: &EventId,
        now: Ts,
    ) -> Result<Arc<Event>, CloudError> {
        let event = self.event(calendar, id).filter(|e| e.cancelled && e.kind != Kind::Series);
        let event = event.ok_or(CloudError::NoSuchEvent)?;
        Ok(self.commit(calendar, Event { cancelled: false, updated: now, ..(*event).clone() }, now))
    }

    fn owner_of(&self, calendar: &CalendarId) -> Result<By, CloudError> {
        let cal = self.calendars.get(calendar).ok_or(CloudError::NoSuchCalendar)?;
        Ok(By::person(cal.owner.as_str()))
    }
}
