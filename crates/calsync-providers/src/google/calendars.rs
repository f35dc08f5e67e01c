//! The calendars of an account (google.md §3, `calendarList.list`), hidden ones included. An answer that is not Google's
//! never passes for an empty list: it would make every calendar look missing.

use calsync_core::calendar::ListedCalendar;
use calsync_core::ports::{ErrorClass, ProviderError};

use super::GoogleAccount;
use super::error::Operation;
use super::normalize;
use super::resource::{CalendarResource, CalendarsPage};
use crate::items;
use crate::transport::Call;

/// Entries asked for per page: Google's cap.
const PAGE_SIZE: &str = "250";
/// Most pages walked. Nobody has 25,000 calendars; a server that repeats itself has.
const PAGES_MAX: usize = 100;

impl GoogleAccount {
    pub(super) async fn all_calendars(&self) -> Result<Vec<ListedCalendar>, ProviderError> {
        let mut calendars = Vec::new();
        let mut page_token = None;
        for _ in 0..PAGES_MAX {
            let mut url = self.api(&["users", "me", "calendarList"])?;
            url.query_pairs_mut()
                .append_pair("maxResults", PAGE_SIZE)
                // A calendar hidden in Google's own list still holds its owner's time.
                .append_pair("showHidden", "true")
                .extend_pairs(page_token.as_deref().map(|token: &str| ("pageToken", token)));
            let reply = self.transport.run(&Call::get(Operation::ListCalendars, url)).await?;
            let page = parse(&reply.body)?;
            calendars.extend(page.items.unwrap_or_default().into_iter().filter_map(listed));
            match page.next_page_token.filter(|token| !token.is_empty()) {
                Some(token) => page_token = Some(token),
                None => return Ok(calendars),
            }
        }
        Err(ProviderError::new(ErrorClass::Invalid, "calendarList.list: the pages do not end"))
    }
}

fn parse(body: &[u8]) -> Result<CalendarsPage, ProviderError> {
    let not_one =
        || ProviderError::new(ErrorClass::Transient, "calendarList.list: the answer is not a calendar list");
    let page: CalendarsPage = items::object(body).ok_or_else(not_one)?;
    match page.kind.as_deref() {
        Some("calendar#calendarList") => Ok(page),
        None if page.items.is_some() || page.next_page_token.is_some() => Ok(page),
        _ => Err(not_one()),
    }
}

fn listed(calendar: CalendarResource) -> Option<ListedCalendar> {
    if calendar.deleted == Some(true) || calendar.id.is_empty() {
        return None;
    }
    let named = |name: Option<String>| name.filter(|n| !n.trim().is_empty());
    let name = named(calendar.summary_override).or_else(|| named(calendar.summary));
    Some(ListedCalendar {
        name: name.unwrap_or_else(|| calendar.id.clone()),
        time_zone: calendar.time_zone.filter(|z| !z.is_empty()).unwrap_or_else(|| "UTC".to_owned()),
        colour: calendar.background_color,
        access: normalize::access(calendar.access_role.as_deref().unwrap_or_default()),
        primary: calendar.primary == Some(true),
        push_unsupported: is_generated(&calendar.id),
        remote_id: calendar.id,
    })
}

/// Holidays, contacts' birthdays, week numbers: Google makes them and never pushes for them (google.md §8).
fn is_generated(id: &str) -> bool {
    id.ends_with("@group.v.calendar.google.com")
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::calendar::Access;

    fn one(json: serde_json::Value) -> Option<ListedCalendar> {
        let body = serde_json::json!({"kind": "calendar#calendarList", "items": [json]}).to_string();
        parse(body.as_bytes()).unwrap().items.unwrap().into_iter().find_map(listed)
    }

    #[test]
    fn entries_are_read_leniently() {
        use serde_json::json;
        let roles = [
            ("owner", Access::Owner),
            ("writer", Access::Write),
            ("writerWithoutPrivateAccess", Access::Write),
            ("reader", Access::Read),
            ("freeBusyReader", Access::FreeBusy),
            ("none", Access::FreeBusy),
            ("somethingNew", Access::Read),
        ];
        for (role, access) in roles {
            assert_eq!(one(json!({"id": "a", "accessRole": role})).unwrap().access, access, "{role}");
        }
        let bare = one(json!({"id": "ann@example.com", "colour": 5, "timeZone": 5})).unwrap();
        assert_eq!(
            (bare.name.as_str(), bare.time_zone.as_str(), bare.primary),
            ("ann@example.com", "UTC", false)
        );
        let named =
            one(json!({"id": "a", "summary": "Work", "summaryOverride": "Mine", "primary": true})).unwrap();
        assert_eq!((named.name.as_str(), named.primary), ("Mine", true));
        assert!(one(json!({"id": "a", "hidden": true})).is_some());
        assert!(one(json!({"id": "a", "deleted": true})).is_none());
    }

    #[test]
    fn generated_calendars_do_not_push() {
        let table = [
            ("en.austrian#holiday@group.v.calendar.google.com", true),
            ("addressbook#contacts@group.v.calendar.google.com", true),
            ("c_abc@group.calendar.google.com", false),
            ("abc@import.calendar.google.com", false),
            ("ann@example.com", false),
        ];
        for (id, generated) in table {
            assert_eq!(one(serde_json::json!({"id": id})).unwrap().push_unsupported, generated, "{id}");
        }
    }

    #[test]
    fn what_is_not_a_list_is_not_an_empty_one() {
        for body in [
            "",
            "{}",
            "[]",
            r#"["calendar#calendarList",[]]"#,
            "<html>",
            r#"{"kind":"calendar#events","items":[]}"#,
            r#"{"items":[{}]}"#,
        ] {
            assert_eq!(parse(body.as_bytes()).err().map(|e| e.class), Some(ErrorClass::Transient), "{body}");
        }
        assert!(parse(br#"{"items":[]}"#).is_ok());
    }
}
