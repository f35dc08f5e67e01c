//! Which call a path is (microsoft.md §2, §3, §4.1): OData's spellings are undone, the mailbox and the calendar are found,
//! and the scopes are asked. What the call does is elsewhere.

use super::api::{Call, Success};
use super::errors::GraphError;
use super::scopes::{Need, check};

/// The path with OData's two other spellings undone: `calendars('ID')` and `delta()` (§2, §7).
fn plain(path: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    for part in path {
        let part = part.strip_prefix("microsoft.graph.").unwrap_or(part);
        match part.split_once("('").and_then(|(name, rest)| Some((name, rest.strip_suffix("')")?))) {
            Some((name, id)) => out.extend([name.to_owned(), id.replace("''", "'")]),
            None => out.push(part.strip_suffix("()").unwrap_or(part).to_owned()),
        }
    }
    out
}

impl Call<'_> {
    pub(super) async fn dispatch(&self, path: &[&str]) -> Result<Success, GraphError> {
        let path = plain(path);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["subscriptions", rest @ ..] => self.subscriptions(rest).await,
            ["me", rest @ ..] => self.of_mailbox(rest),
            ["users", id, rest @ ..] if self.is_me(id) => self.of_mailbox(rest),
            ["users", ..] => Err(GraphError::denied()),
            _ => Err(GraphError::no_such_resource(path.first().unwrap_or(&""))),
        }
    }

    fn is_me(&self, id: &str) -> bool {
        id == self.who.user_id || id.eq_ignore_ascii_case(self.person().as_str())
    }

    /// What lies in the caller's mailbox.
    fn of_mailbox(&self, path: &[&str]) -> Result<Success, GraphError> {
        let method = self.request.method.as_str();
        match (method, path) {
            ("GET", []) => return self.me(),
            ("GET", ["outlook", zones]) => return self.zones(zones),
            ("GET", ["mailboxSettings"]) => return self.mailbox_settings(),
            _ => {}
        }
        if self.face.state().without_mailbox.contains(self.person()) {
            return Err(GraphError::no_mailbox());
        }
        check(&self.access.scopes, if method == "GET" { Need::Read } else { Need::Write })?;
        // The default calendar has three names; the others have one (§3).
        let (calendar, rest) = match path {
            ["calendars", id, rest @ ..] => (Some(self.calendar_of(id)?), rest),
            ["calendar", rest @ ..] => (Some(self.main_calendar()), rest),
            ["calendars"] | ["translateExchangeIds"] => (None, path),
            ["events" | "calendarView", ..] => (None, path),
            _ => return Err(GraphError::no_such_resource(path.first().unwrap_or(&""))),
        };
        let inside = calendar.clone().unwrap_or_else(|| self.main_calendar());
        match (method, rest) {
            ("GET", ["calendars"]) => self.calendars(),
            ("POST", ["translateExchangeIds"]) => self.translate(),
            ("GET", []) => self.calendar(&inside),
            ("GET", ["events"]) => self.events(&inside),
            ("POST", ["events"]) => self.create(&inside),
            ("GET", ["events", "delta"]) => Err(GraphError::bad_request(
                "Change tracking is not supported against 'microsoft.graph.event'.",
            )),
            ("GET", ["calendarView"]) => self.calendar_view(&inside),
            ("GET", ["calendarView", "delta"]) => self.delta(&inside),
            ("GET", ["events", id]) => self.event(calendar.as_ref(), id),
            ("PATCH", ["events", id]) => self.patch(calendar.as_ref(), id),
            ("DELETE", ["events", id]) => self.delete(calendar.as_ref(), id),
            ("GET", ["events", id, "instances"]) => self.instances(calendar.as_ref(), id),
            ("POST", ["events", id, answer @ ("accept" | "tentativelyAccept" | "decline" | "cancel")]) => {
                self.respond(calendar.as_ref(), id, answer)
            }
            _ => Err(GraphError::new(
                405,
                "Request_BadRequest",
                "Specified HTTP method is not allowed for the request target.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odata_spellings_are_undone() {
        assert_eq!(
            plain(&["me", "calendars('A=')", "calendarView", "delta()"]),
            ["me", "calendars", "A=", "calendarView", "delta"]
        );
        assert_eq!(plain(&["calendarView", "microsoft.graph.delta()"]), ["calendarView", "delta"]);
        assert_eq!(
            plain(&["outlook", "supportedTimeZones(TimeZoneStandard=x)"]),
            ["outlook", "supportedTimeZones(TimeZoneStandard=x)"]
        );
    }
}
