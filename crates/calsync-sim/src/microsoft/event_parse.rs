//! What a program writes into an event, out of its JSON (microsoft.md §4.3): on a fresh event, or laid over one that
//! stands, where members that are not named keep their value. Read-only and unknown members are dropped without a word.

use serde_json::{Map, Value};

use super::errors::GraphError;
use super::event_json::REMINDER_MINUTES;
use super::event_times::ends;
use super::{extended, pattern};
use crate::cloud::content::{
    Attendee, Content, Reminder, Reminders, Response, Status, Transparency, Visibility,
};
use crate::cloud::outlook::{Away, BodyType};

/// More guests than any event may have.
const ATTENDEES_MAX: usize = 500;

/// Categories of one event.
const CATEGORIES_MAX: usize = 25;

/// The longest `transactionId`.
const TRANSACTION_MAX: usize = 500;

/// The longest subject.
const SUBJECT_MAX: usize = 255;

/// Writable members that the cloud keeps as they come.
const KEPT: [&str; 5] =
    ["importance", "responseRequested", "hideAttendees", "allowNewTimeProposals", "isOnlineMeeting"];

type Object = Map<String, Value>;

/// A fresh event.
pub(super) fn fresh(map: &Object) -> Result<Content, GraphError> {
    let (start, end) = ends(map, None)?;
    let mut content = Content::new("", start, end);
    content.summary = None;
    content.outlook.transaction_id = text(map, "transactionId")?.filter(|t| t.len() <= TRANSACTION_MAX);
    words(map, &mut content)?;
    Ok(content)
}

/// The event with these members laid over it. `transactionId` never changes (§4.2).
pub(super) fn laid_over(map: &Object, known: &Content) -> Result<Content, GraphError> {
    let mut content = known.clone();
    (content.start, content.end) = ends(map, Some(known))?;
    words(map, &mut content)?;
    Ok(content)
}

fn wrong(key: &str) -> GraphError {
    GraphError::invalid(&format!("The value of the property '{key}' is invalid."))
}

fn text(map: &Object, key: &str) -> Result<Option<String>, GraphError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong(key)),
    }
}

fn object<'a>(map: &'a Object, key: &str) -> Result<Option<&'a Object>, GraphError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(inner)) => Ok(Some(inner)),
        Some(_) => Err(wrong(key)),
    }
}

fn flag(map: &Object, key: &str) -> Result<Option<bool>, GraphError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(set)) => Ok(Some(*set)),
        Some(_) => Err(wrong(key)),
    }
}

fn words(map: &Object, content: &mut Content) -> Result<(), GraphError> {
    if map.contains_key("subject") {
        let subject = text(map, "subject")?.filter(|t| !t.is_empty());
        content.summary = subject.map(|t| t.chars().take(SUBJECT_MAX).collect());
    }
    if let Some(body) = object(map, "body")? {
        content.description = text(body, "content")?.filter(|t| !t.is_empty());
        content.outlook.body =
            match text(body, "contentType")?.unwrap_or_default().to_ascii_lowercase().as_str() {
                "html" => BodyType::Html,
                "text" | "" => BodyType::Text,
                _ => return Err(wrong("body")),
            };
    }
    if map.contains_key("location") {
        let location = object(map, "location")?.map(|l| text(l, "displayName")).transpose()?.flatten();
        content.location = location.filter(|t| !t.is_empty());
    }
    if let Some(word) = text(map, "showAs")? {
        show_as(&word, content)?;
    }
    if let Some(word) = text(map, "sensitivity")? {
        content.outlook.personal = word == "personal";
        content.visibility = match word.as_str() {
            "normal" => Visibility::Default,
            "personal" | "private" => Visibility::Private,
            "confidential" => Visibility::Confidential,
            _ => return Err(wrong("sensitivity")),
        };
    }
    if let Some(recurrence) = map.get("recurrence") {
        content.recurrence = match recurrence {
            Value::Null => Vec::new(),
            recurrence => pattern::lines(recurrence, &content.start)?,
        };
    }
    if map.contains_key("attendees") {
        content.attendees = attendees(map, content)?;
    }
    if map.contains_key("categories") {
        content.outlook.categories = categories(map)?;
    }
    reminder(map, content)?;
    extended::read(map, &mut content.private)?;
    for key in KEPT {
        if let Some(value) = map.get(key).filter(|v| !v.is_null()) {
            let fits = if key == "importance" {
                matches!(value.as_str(), Some("low" | "normal" | "high"))
            } else {
                value.is_boolean()
            };
            if !fits {
                return Err(wrong(key));
            }
            content.outlook.kept.insert(key.to_owned(), value.clone());
        }
    }
    Ok(())
}

fn show_as(word: &str, content: &mut Content) -> Result<(), GraphError> {
    let (transparency, status, away) = match word {
        "free" => (Transparency::Transparent, Status::Confirmed, None),
        "tentative" => (Transparency::Opaque, Status::Tentative, None),
        "busy" | "unknown" => (Transparency::Opaque, Status::Confirmed, None),
        "oof" => (Transparency::Opaque, Status::Confirmed, Some(Away::OutOfOffice)),
        "workingElsewhere" => (Transparency::Transparent, Status::Confirmed, Some(Away::WorkingElsewhere)),
        _ => return Err(wrong("showAs")),
    };
    (content.transparency, content.status, content.outlook.away) = (transparency, status, away);
    Ok(())
}

/// `isReminderOn` and `reminderMinutesBeforeStart`.
fn reminder(map: &Object, content: &mut Content) -> Result<(), GraphError> {
    let on = flag(map, "isReminderOn")?;
    let minutes = match map.get("reminderMinutesBeforeStart") {
        None | Some(Value::Null) => None,
        Some(value) => Some(
            value
                .as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .ok_or_else(|| wrong("reminderMinutesBeforeStart"))?,
        ),
    };
    if on == Some(false) {
        content.reminders = Some(Reminders { use_default: false, overrides: Vec::new() });
    } else if on.is_some() || minutes.is_some() {
        let one = Reminder { method: "popup".to_owned(), minutes: minutes.unwrap_or(REMINDER_MINUTES) };
        content.reminders = Some(Reminders { use_default: false, overrides: vec![one] });
    }
    Ok(())
}

fn categories(map: &Object) -> Result<Vec<String>, GraphError> {
    let all = match map.get("categories") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(all)) if all.len() <= CATEGORIES_MAX => all,
        Some(_) => return Err(wrong("categories")),
    };
    all.iter().map(|v| v.as_str().map(str::to_owned).ok_or_else(|| wrong("categories"))).collect()
}

/// The guests; who was there already keeps their answer.
fn attendees(map: &Object, known: &Content) -> Result<Vec<Attendee>, GraphError> {
    let all = match map.get("attendees") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(all)) if all.len() <= ATTENDEES_MAX => all,
        Some(_) => return Err(wrong("attendees")),
    };
    let read = |item: &Value| {
        let item = item.as_object().ok_or_else(|| wrong("attendees"))?;
        let address = object(item, "emailAddress")?.ok_or_else(|| wrong("attendees"))?;
        let email =
            text(address, "address")?.filter(|e| e.contains('@')).ok_or_else(|| wrong("attendees"))?;
        let kind = text(item, "type")?.unwrap_or_default();
        let response = known.attendee(&email).map_or(Response::default(), |a| a.response);
        Ok(Attendee {
            name: text(address, "name")?,
            response,
            optional: kind == "optional",
            resource: kind == "resource",
            email,
            extra: Map::new(),
        })
    };
    all.iter().map(read).collect()
}
