//! One deed after the other.

use std::sync::Arc;

use calsync_core::time::Ts;
use jiff::SignedDuration;

use super::fill::{series, some_time, timed};
use super::{Deed, Life, Somebody, Touches};
use crate::cloud::content::{Content, Response, Status, Transparency, When};
use crate::cloud::event::{Event, Kind, Slot};
use crate::cloud::names::CalendarId;
use crate::cloud::watch::Provider;
use crate::cloud::{Cloud, CloudError};

/// What came of an attempt: the event, and what was done in words.
type Done = Result<(Arc<Event>, String), CloudError>;

impl Life {
    /// Somebody does something. `None` when the chosen deed was not possible just now.
    pub fn act(&mut self, cloud: &mut Cloud, now: Ts) -> Option<Deed> {
        let people = self.people.clone();
        let person = self.pick(&people)?.clone();
        self.act_as(cloud, &person, now)
    }

    /// This person does something. `None` when the chosen deed was not possible just now.
    pub fn act_as(&mut self, cloud: &mut Cloud, person: &Somebody, now: Ts) -> Option<Deed> {
        let calendar = self.pick(&person.calendars)?.clone();
        let deed = self.range(0, 20);
        let touches = if deed == 19 { Touches::Nothing } else { Touches::Event };
        let done = match deed {
            0..4 => self.create(cloud, person, &calendar, now),
            4 => self.create_series(cloud, person, &calendar, now),
            5 => self.create_all_day(cloud, &calendar, now),
            6 => self.invite(cloud, person, &calendar, now),
            7 | 8 => self.answer(cloud, person, now),
            9..13 => self.shift(cloud, person, &calendar, now),
            13 => self.cancel(cloud, &calendar, now),
            14 => self.one_occurrence(cloud, person, &calendar, now),
            15 => self.one_occurrence_off(cloud, person, &calendar, now),
            16 => self.edit_series(cloud, person, &calendar, now),
            17 => self.following(cloud, person, &calendar, now),
            18 => self.turn(cloud, &calendar, now),
            _ => self.rename(cloud, &calendar, now),
        };
        let (event, what) = done.ok()?;
        let words = format!("{} {what}", person.name);
        Some(Deed { person: person.email.clone(), calendar, event: event.id.clone(), words, touches })
    }

    /// Somebody lays hands on a block of `client`: moves it, or throws it away. Each block only once.
    pub fn meddle(&mut self, cloud: &mut Cloud, client: &str, now: Ts) -> Option<Deed> {
        let people = self.people.clone();
        let person = self.pick(&people)?.clone();
        let calendar = self.pick(&person.calendars)?.clone();
        let made =
            cloud.journal().entries().filter(|e| e.client.as_str() == client && e.calendar == calendar);
        let made: Vec<_> = made.map(|e| e.event.clone()).collect();
        let id = self.pick(&made)?.clone();
        let standing = cloud.calendar(&calendar)?.stored(&id).filter(|e| !e.cancelled)?.clone();
        if !self.touched.insert((calendar.clone(), id.clone())) {
            return None;
        }
        let words = if self.one_in(2) {
            cloud.cancel_event(&calendar, &id, now).ok()?;
            format!("{} threw a block away", person.name)
        } else {
            let to = later(&standing.content, SignedDuration::from_hours(24))?;
            cloud.reschedule(&calendar, &id, to, now).ok()?;
            format!("{} moved a block", person.name)
        };
        Some(Deed { person: person.email, calendar, event: id, words, touches: Touches::Block })
    }

    fn create(&mut self, cloud: &mut Cloud, person: &Somebody, calendar: &CalendarId, now: Ts) -> Done {
        self.number += 1;
        let event = cloud.create_event(calendar, timed(self, person.zone, now), now)?;
        Ok((event.clone(), format!("made {} for {}", title(&event), when(&event, person.zone))))
    }

    fn create_series(
        &mut self,
        cloud: &mut Cloud,
        person: &Somebody,
        calendar: &CalendarId,
        now: Ts,
    ) -> Done {
        let event = cloud.create_event(calendar, series(self, person.zone, now), now)?;
        let rule = event.content.recurrence.first().cloned().unwrap_or_default();
        Ok((
            event.clone(),
            format!("made the series {} ({})", title(&event), rule.trim_start_matches("RRULE:")),
        ))
    }

    fn create_all_day(&mut self, cloud: &mut Cloud, calendar: &CalendarId, now: Ts) -> Done {
        let day = some_time(self, now).to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
        let end = day.saturating_add(jiff::Span::new().days(self.range(1, 4)));
        let event = cloud.create_event(calendar, Content::all_day("Day off", day, end), now)?;
        Ok((event, format!("took {day} off")))
    }

    fn invite(&mut self, cloud: &mut Cloud, person: &Somebody, calendar: &CalendarId, now: Ts) -> Done {
        let people = self.people.clone();
        let guest = self.pick(&people).ok_or(CloudError::NoSuchPerson)?;
        let address = self.address(guest);
        let content = timed(self, person.zone, now).inviting(address.as_str());
        // Outlook lets nobody be a guest of their own: there an organizer has no answer to give.
        let owner = cloud.calendar(calendar).map(|c| &c.owner);
        if owner == Some(&address) && person.accounts.contains(&(Provider::Microsoft, address)) {
            return Err(CloudError::Invalid("one's own guest"));
        }
        let event = cloud.create_event(calendar, content, now)?;
        Ok((event.clone(), format!("invited {} to {}", guest.name, title(&event))))
    }

    fn answer(&mut self, cloud: &mut Cloud, person: &Somebody, now: Ts) -> Done {
        let address = self.address(person);
        let main = CalendarId::from(address.as_str());
        let invited = |e: &Arc<Event>| e.series().is_none() && e.content.attendee(address.as_str()).is_some();
        let event = self.find(cloud, &main, invited)?;
        let answers = [Response::Accepted, Response::Declined, Response::Tentative];
        let answer = *self.pick(&answers).ok_or(CloudError::NoSuchEvent)?;
        let event = cloud.respond(&address, &event.id, answer, now)?;
        let verb = match answer {
            Response::Declined => "declined",
            Response::Tentative => "said perhaps to",
            _ => "accepted",
        };
        Ok((event.clone(), format!("{verb} {}", title(&event))))
    }

    fn shift(&mut self, cloud: &mut Cloud, person: &Somebody, calendar: &CalendarId, now: Ts) -> Done {
        let event = self.find(cloud, calendar, |e| e.kind == Kind::Single)?;
        let to = self.new_time(&event.content, now)?;
        let event = cloud.reschedule(calendar, &event.id, to, now)?;
        Ok((event.clone(), format!("moved {} to {}", title(&event), when(&event, person.zone))))
    }

    fn cancel(&mut self, cloud: &mut Cloud, calendar: &CalendarId, now: Ts) -> Done {
        let event = self.find(cloud, calendar, |e| e.series().is_none())?;
        let words = format!("cancelled {}", title(&event));
        Ok((cloud.cancel_event(calendar, &event.id, now)?, words))
    }

    fn one_occurrence(
        &mut self,
        cloud: &mut Cloud,
        person: &Somebody,
        calendar: &CalendarId,
        now: Ts,
    ) -> Done {
        let (master, slot) = self.occurrence(cloud, calendar, now)?;
        let to = later(&master.occurrence(slot).content, SignedDuration::from_hours(self.range(1, 30)));
        let event =
            cloud.move_occurrence(calendar, (&master.id, slot), to.ok_or(CloudError::EmptyRange)?, now)?;
        Ok((event.clone(), format!("moved one {} to {}", title(&event), when(&event, person.zone))))
    }

    fn one_occurrence_off(
        &mut self,
        cloud: &mut Cloud,
        person: &Somebody,
        calendar: &CalendarId,
        now: Ts,
    ) -> Done {
        let (master, slot) = self.occurrence(cloud, calendar, now)?;
        let event = cloud.cancel_occurrence(calendar, &master.id, slot, now)?;
        Ok((
            event,
            format!("cancelled one {} ({})", title(&master), when(&master.occurrence(slot), person.zone)),
        ))
    }

    fn edit_series(&mut self, cloud: &mut Cloud, person: &Somebody, calendar: &CalendarId, now: Ts) -> Done {
        let event = self.find(cloud, calendar, |e| e.kind == Kind::Series)?;
        let by = SignedDuration::from_mins(15 * self.range(1, 12));
        let to = later(&event.content, by).ok_or(CloudError::EmptyRange)?;
        let event = cloud.reschedule(calendar, &event.id, to, now)?;
        Ok((event.clone(), format!("moved the series {} to {}", title(&event), when(&event, person.zone))))
    }

    fn following(&mut self, cloud: &mut Cloud, person: &Somebody, calendar: &CalendarId, now: Ts) -> Done {
        let (master, slot) = self.occurrence(cloud, calendar, now)?;
        let by = SignedDuration::from_mins(15 * self.range(1, 12));
        let to = later(&master.occurrence(slot).content, by).ok_or(CloudError::EmptyRange)?;
        let event = cloud.edit_following(calendar, (&master.id, slot), now, |content| {
            (content.start, content.end) = to;
        })?;
        Ok((
            event.clone(),
            format!("moved this and every following {} to {}", title(&event), when(&event, person.zone)),
        ))
    }

    fn turn(&mut self, cloud: &mut Cloud, calendar: &CalendarId, now: Ts) -> Done {
        let event = self.find(cloud, calendar, |e| e.series().is_none())?;
        let what = self.range(0, 3);
        let event = cloud.edit_event(calendar, &event.id, now, |content| match what {
            0 => content.transparency = flip(content.transparency),
            1 => content.status = Status::Tentative,
            _ => content.status = Status::Confirmed,
        })?;
        let free = event.content.transparency == Transparency::Transparent;
        let how = match (free, event.content.status) {
            (true, _) => "free",
            (_, Status::Tentative) => "tentative",
            _ => "busy",
        };
        Ok((event.clone(), format!("showed {} as {how}", title(&event))))
    }

    fn rename(&mut self, cloud: &mut Cloud, calendar: &CalendarId, now: Ts) -> Done {
        let event = self.find(cloud, calendar, |e| e.series().is_none())?;
        self.number += 1;
        let (old, new) = (title(&event), format!("Secret plan {}", self.number));
        let event = cloud.edit_event(calendar, &event.id, now, |content| content.summary = Some(new))?;
        Ok((event.clone(), format!("renamed {old} to {}", title(&event))))
    }

    /// One of the calendar's own events that fits, blocks left alone.
    fn find(
        &mut self,
        cloud: &Cloud,
        calendar: &CalendarId,
        fits: impl Fn(&Arc<Event>) -> bool,
    ) -> Result<Arc<Event>, CloudError> {
        let events = cloud.live_events(calendar);
        let fitting: Vec<_> =
            events.into_iter().filter(|e| fits(e) && e.content.private.is_empty()).collect();
        self.pick(&fitting).cloned().ok_or(CloudError::NoSuchEvent)
    }

    /// A coming occurrence of one of the calendar's series, not yet touched.
    fn occurrence(
        &mut self,
        cloud: &Cloud,
        calendar: &CalendarId,
        now: Ts,
    ) -> Result<(Arc<Event>, Slot), CloudError> {
        let master = self.find(cloud, calendar, |e| e.kind == Kind::Series)?;
        let window =
            calsync_core::time::Window { from: now, to: now.plus(SignedDuration::from_hours(24 * 60)) };
        let coming = cloud.occurrences(calendar, &master.id, &window, 40)?;
        let slots: Vec<Slot> = coming.iter().filter(|e| !e.cancelled).filter_map(|e| e.slot()).collect();
        let slot = *self.pick(&slots).ok_or(CloudError::NoSuchEvent)?;
        Ok((master, slot))
    }

    fn new_time(&mut self, content: &Content, now: Ts) -> Result<(When, When), CloudError> {
        match (&content.start, &content.end) {
            (When::At { at: start, zone }, When::At { at: end, .. }) => {
                let at = some_time(self, now);
                Ok((When::at(at, zone), When::at(at.plus(end.since(*start)), zone)))
            }
            _ => later(content, SignedDuration::from_hours(24 * self.range(1, 5)))
                .ok_or(CloudError::EmptyRange),
        }
    }
}

fn flip(transparency: Transparency) -> Transparency {
    match transparency {
        Transparency::Opaque => Transparency::Transparent,
        Transparency::Transparent => Transparency::Opaque,
    }
}

/// The same length, this much later; whole days by whole days.
fn later(content: &Content, by: SignedDuration) -> Option<(When, When)> {
    match (&content.start, &content.end) {
        (When::At { at: start, zone }, When::At { at: end, .. }) => {
            Some((When::at(start.plus(by), zone), When::at(end.plus(by), zone)))
        }
        (When::Day(start), When::Day(end)) => {
            let days = jiff::Span::new().days(by.as_hours() / 24 + 1);
            Some((When::Day(start.saturating_add(days)), When::Day(end.saturating_add(days))))
        }
        _ => None,
    }
}

fn title(event: &Event) -> String {
    format!("\"{}\"", event.content.summary.as_deref().unwrap_or("(no title)"))
}

/// The start on the person's own wall, such as `Tue 14:00`.
fn when(event: &Event, zone: &str) -> String {
    match &event.content.start {
        When::Day(date) => date.strftime("%a %-d %b").to_string(),
        When::At { at, .. } => at
            .to_jiff()
            .to_zoned(calsync_core::zone::find_or_utc(zone))
            .strftime("%a %-d %b %H:%M")
            .to_string(),
    }
}
