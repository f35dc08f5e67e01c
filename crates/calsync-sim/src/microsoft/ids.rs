//! Names on Graph's wire: ids of calendars and events, change keys, etags, GUIDs. All of them are made by the server
//! and opaque to everybody else (microsoft.md §2); what was not made here is refused.

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use crate::cloud::names::{CalendarId, EventId};
use crate::sealed::{seal, unseal};

/// How an item is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdForm {
    /// By its folder: the id changes when the item moves.
    Default,
    /// For good (§10 row 6).
    Immutable,
}

/// What an event's id stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ItemName {
    /// Whose mailbox it is in.
    pub(super) mailbox: String,
    /// In which calendar; an immutable id does not say.
    pub(super) calendar: Option<CalendarId>,
    /// Which event.
    pub(super) event: EventId,
}

const DEFAULT: &str = "AAMk";
const IMMUTABLE: &str = "AAkA";
const FOLDER: &str = "AAMkF";

/// The id of an event, as one of this mailbox sees it.
pub(super) fn event_id(form: IdForm, mailbox: &str, calendar: &CalendarId, event: &EventId) -> String {
    match form {
        // Default ids may end in `=`, which a path must carry encoded (§2).
        IdForm::Default => format!("{DEFAULT}{}=", seal(&(mailbox, calendar.as_str(), event.as_str()))),
        IdForm::Immutable => format!("{IMMUTABLE}{}", seal(&(mailbox, event.as_str()))),
    }
}

/// What an event's id of either form stands for.
pub(super) fn read_event_id(id: &str) -> Option<ItemName> {
    if let Some(token) = id.strip_prefix(IMMUTABLE) {
        let (mailbox, event) = unseal::<(String, String)>(token)?;
        return Some(ItemName { mailbox, calendar: None, event: event.into() });
    }
    let token = id.strip_prefix(DEFAULT)?.strip_suffix('=')?;
    let (mailbox, calendar, event) = unseal::<(String, String, String)>(token)?;
    Some(ItemName { mailbox, calendar: Some(calendar.into()), event: event.into() })
}

/// The id of a calendar. Calendars are folders: immutable ids do not concern them (§3 calendar ids).
pub(super) fn calendar_id(mailbox: &str, calendar: &CalendarId) -> String {
    format!("{FOLDER}{}", seal(&(mailbox, calendar.as_str(), "calendar")))
}

/// The mailbox and the calendar that a calendar's id stands for.
pub(super) fn read_calendar_id(id: &str) -> Option<(String, CalendarId)> {
    let (mailbox, calendar, kind) = unseal::<(String, String, String)>(id.strip_prefix(FOLDER)?)?;
    (kind == "calendar").then(|| (mailbox, calendar.into()))
}

/// The change key of a version.
pub(super) fn change_key(version: u64) -> String {
    let mut bytes = vec![0x0f, 0, 0, 0, 0x16, 0, 0, 0];
    bytes.extend(version.to_be_bytes());
    bytes.extend([0, 0]);
    BASE64.encode(&bytes)
}

/// `W/"{changeKey}"` (§4.2).
pub(super) fn etag(version: u64) -> String {
    format!("W/\"{}\"", change_key(version))
}

/// The etag of a stub: of another form, so that nobody takes the one for the other (§4.2).
pub(super) fn stub_etag(version: u64) -> String {
    let mut bytes = vec![0x0f, 0];
    bytes.extend(version.to_be_bytes());
    format!("W/\"{}\"", BASE64.encode(&bytes))
}

/// The version that an etag of a full event stands for.
pub(super) fn version_of(etag: &str) -> Option<u64> {
    let key = etag.trim().trim_start_matches("W/").trim_matches('"');
    let bytes = BASE64.decode(key.as_bytes()).ok()?;
    let version = bytes.get(8..16)?.try_into().ok().map(u64::from_be_bytes)?;
    (change_key(version) == key).then_some(version)
}

/// A GUID made from a text.
pub(super) fn guid(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_and_differ_by_form() {
        let (calendar, event) = (CalendarId::from("ann@example.com"), EventId::from("abc_20261102T090000Z"));
        let default = event_id(IdForm::Default, "1", &calendar, &event);
        let immutable = event_id(IdForm::Immutable, "1", &calendar, &event);
        let name = read_event_id(&default).unwrap();
        assert_eq!((name.calendar.as_ref(), &name.event), (Some(&calendar), &event));
        assert_eq!(
            read_event_id(&immutable).unwrap(),
            ItemName { mailbox: "1".into(), calendar: None, event }
        );
        let folder = calendar_id("1", &calendar);
        assert_eq!(read_calendar_id(&folder), Some(("1".into(), calendar)));
        for bad in ["", "AAMk", "AAMkAAAA=", &default[1..], &default.to_lowercase(), &folder] {
            assert_eq!(read_event_id(bad), None, "{bad}");
        }
        assert_eq!(read_calendar_id(&default), None);
    }

    #[test]
    fn etags_come_back_but_not_those_of_stubs() {
        assert_eq!(version_of(&etag(77)), Some(77));
        assert_eq!(version_of(&change_key(77)), Some(77));
        assert_eq!(version_of(&stub_etag(77)), None);
        assert_eq!(version_of("\"junk\""), None);
    }

    #[test]
    fn guids_are_guids() {
        assert_eq!(guid("a").len(), 36);
        assert_ne!(guid("a"), guid("b"));
    }
}
