//! Who has to do with an event, as Graph writes it (microsoft.md §4.3): organizer, guests, one's own answer. It shows what
//! the cloud holds, seen from one copy of the event.

use serde_json::{Value, json};

use super::event_json::View;
use super::event_times::stamp;
use crate::cloud::content::{Attendee, Response};
use crate::cloud::event::Event;

/// The time of an answer that was never given (§4.3 `responseStatus`).
const NEVER: &str = "0001-01-01T00:00:00Z";

impl View<'_> {
    /// The organizer's own copy leaves him out, an invitee's names him (§4.3 `isOrganizer`).
    pub(super) fn attendees(&self, event: &Event) -> Value {
        let is_organizer = |a: &&Attendee| a.email.eq_ignore_ascii_case(&event.organizer.email);
        let all = &event.content.attendees;
        let mut out: Vec<Value> = all.iter().filter(|a| !is_organizer(a)).map(attendee).collect();
        if !self.calendar.leads(event) && !all.is_empty() {
            let name = event.organizer.name.clone();
            let organizer = Attendee { email: event.organizer.email.clone(), name, ..Attendee::default() };
            let mut shown = attendee(&organizer);
            shown["status"]["response"] = "none".into();
            out.insert(0, shown);
        }
        Value::Array(out)
    }

    pub(super) fn response(&self, event: &Event, leads: bool) -> Value {
        let own = event.content.attendee(self.call.person().as_str()).map(|a| a.response);
        let word = match own {
            _ if leads => "organizer",
            None => "none",
            Some(Response::NeedsAction) => "notResponded",
            Some(answer) => response(answer),
        };
        let time =
            if leads || own == Some(Response::NeedsAction) { NEVER.to_owned() } else { stamp(event.updated) };
        json!({"response": word, "time": time})
    }

    /// A secondary calendar leads nothing here: its owner does.
    pub(super) fn organizer(&self, event: &Event) -> Value {
        let of_calendar = !self.calendar.primary && self.calendar.leads(event);
        let (address, name) = if of_calendar {
            let owner = self.cloud.person(&self.calendar.owner).map(|p| p.name.clone());
            (self.calendar.owner.to_string(), owner)
        } else {
            (event.organizer.email.clone(), event.organizer.name.clone())
        };
        json!({"emailAddress": {"name": name.unwrap_or_else(|| address.clone()), "address": address}})
    }
}

fn attendee(attendee: &Attendee) -> Value {
    let kind = match (attendee.resource, attendee.optional) {
        (true, _) => "resource",
        (_, true) => "optional",
        _ => "required",
    };
    let name = attendee.name.as_deref().unwrap_or(&attendee.email);
    json!({
        "type": kind,
        "status": {"response": response(attendee.response), "time": NEVER},
        "emailAddress": {"name": name, "address": attendee.email},
    })
}

fn response(response: Response) -> &'static str {
    match response {
        Response::NeedsAction => "none",
        Response::Declined => "declined",
        Response::Tentative => "tentativelyAccepted",
        Response::Accepted => "accepted",
    }
}
