//! Guests' copies: what the calendar that leads an event tells the main calendars of its guests. It touches nobody
//! whose address is not an account of this cloud, and sends no mail.

use std::collections::BTreeMap;
use std::sync::Arc;

use calsync_core::time::Ts;

use super::Cloud;
use super::content::{Content, Response};
use super::event::Event;
use super::names::{CalendarId, PersonId};

/// Replies of larger parties are not passed on (google.md §6 `attendees`), nor are copies here.
const GUESTS_MAX: usize = 200;

impl Cloud {
    /// Brings the copies on the guests' main calendars up to what the leading calendar says. Does nothing if
    /// `calendar` holds a guest's copy itself.
    pub(super) fn spread(&mut self, calendar: &CalendarId, event: &Arc<Event>, now: Ts) {
        let leads = self.calendars.get(calendar).is_some_and(|cal| cal.leads(event));
        if !leads || event.content.attendees.is_empty() || event.content.attendees.len() > GUESTS_MAX {
            return;
        }
        for guest in &event.content.attendees {
            let to = CalendarId::from(guest.email.to_ascii_lowercase());
            if to != *calendar && self.people.contains_key(to.as_str()) {
                self.copy_to(&to, event, now);
            }
        }
    }

    /// What a guest answered goes to the calendar that leads the event, and from there to all copies.
    pub(super) fn carry_answer(&mut self, copy: &Event, guest: &PersonId, answer: Response, now: Ts) {
        let leading = CalendarId::from(copy.organizer.email.to_ascii_lowercase());
        let Some(event) = self.event(&leading, &copy.id).filter(|e| !e.cancelled) else { return };
        let mut content = event.content.clone();
        if !set_answer(&mut content, guest, answer) {
            return;
        }
        let after = self.commit(&leading, Event { content, updated: now, ..(*event).clone() }, now);
        self.spread(&leading, &after, now);
    }

    /// If a guest's copy was changed and the guest's own answer with it, the organizer learns of the answer.
    pub(super) fn pass_answer_on(&mut self, calendar: &CalendarId, before: &Event, after: &Event, now: Ts) {
        let own = |event: &Event| event.content.attendee(calendar.as_str()).map(|a| a.response);
        let leads = self.calendars.get(calendar).is_none_or(|cal| cal.leads(after));
        if let Some(answer) = own(after).filter(|answer| !leads && own(before) != Some(*answer)) {
            self.carry_answer(after, &PersonId::from(calendar.as_str()), answer, now);
        }
    }

    fn copy_to(&mut self, to: &CalendarId, event: &Arc<Event>, now: Ts) {
        let known = self.calendars.get(to).and_then(|cal| cal.stored(&event.id)).cloned();
        match known {
            // Somebody who deleted their copy is not invited again by every edit.
            Some(known) if known.cancelled => {}
            Some(known) if event.cancelled => {
                self.bury(to, &known, now);
            }
            // The same already: an answer that came back to its own copy ends here.
            Some(known) if own_marks(&event.content, &known.content) == known.content => {}
            Some(known) => {
                let content = own_marks(&event.content, &known.content);
                let (kind, sequence) = (event.kind.clone(), event.sequence);
                self.commit(to, Event { content, kind, sequence, updated: now, ..(*known).clone() }, now);
            }
            None if event.cancelled && event.series().is_none() => {}
            None => {
                let bare = Content {
                    private: BTreeMap::new(),
                    reminders: None,
                    color_id: None,
                    ..event.content.clone()
                };
                self.commit(
                    to,
                    Event { content: bare, created: now, updated: now, ..(**event).clone() },
                    now,
                );
            }
        }
    }
}

/// The leading copy's content with what belongs to the guest's copy alone (google.md §6: private properties,
/// reminders; and the colour).
fn own_marks(leading: &Content, own: &Content) -> Content {
    Content {
        private: own.private.clone(),
        reminders: own.reminders.clone(),
        color_id: own.color_id.clone(),
        transparency: own.transparency,
        visibility: own.visibility,
        ..leading.clone()
    }
}

/// Sets the guest's answer. False if they are not invited or had answered so already.
pub(super) fn set_answer(content: &mut Content, guest: &PersonId, answer: Response) -> bool {
    let found = content.attendees.iter_mut().find(|a| a.email.eq_ignore_ascii_case(guest.as_str()));
    match found {
        Some(attendee) if attendee.response != answer => {
            attendee.response = answer;
            true
        }
        _ => false,
    }
}
