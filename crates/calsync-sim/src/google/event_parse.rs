//! What a program writes into an event, out of its JSON (google.md §6). Wrong types and senseless times are refused,
//! read-only and unknown fields are dropped without a word, as Google does.

use std::collections::BTreeMap;
use std::sync::Arc;

use calsync_core::time::Ts;
use calsync_core::zone;
use jiff::civil::{Date, DateTime};
use serde_json::{Map, Value};

use super::errors::ApiError;
use crate::cloud::content::{
    Attendee, Content, EventType, Reminder, Reminders, Response, Source, Status, Transparency, Visibility,
    When,
};

/// Bounds of extended properties (§6): longer names are dropped, longer values cut, silently.
const PROPERTY_NAME_MAX: usize = 44;
const PROPERTY_VALUE_MAX: usize = 1_024;
const PROPERTIES_MAX: usize = 300;
const PROPERTIES_BYTES_MAX: usize = 32 * 1_024;

/// Bounds of reminders (§6).
const REMINDERS_MAX: usize = 5;
const REMINDER_MINUTES_MAX: u64 = 40_320;

/// More guests than any event may have.
const ATTENDEES_MAX: usize = 1_000;

/// Recurrence lines of one event.
const LINES_MAX: usize = 200;

/// Writable fields of the discovery document that the cloud keeps as they come.
const KEPT: [&str; 9] = [
    "anyoneCanAddSelf",
    "attachments",
    "birthdayProperties",
    "focusTimeProperties",
    "gadget",
    "guestsCanInviteOthers",
    "guestsCanModify",
    "guestsCanSeeOtherGuests",
    "outOfOfficeProperties",
];

type Object = Map<String, Value>;

/// What the reading of an event depends on beside its JSON.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    /// The calendar's zone: an instant without a zone of its own is meant in it.
    pub(super) calendar_zone: &'a str,
    /// `conferenceDataVersion=1`: without it conference data is silently ignored (§3, write params).
    pub(super) conferences: Feature,
    /// `eventLabelVersion=1`: a label replaces the colour (§3, write params).
    pub(super) labels: Feature,
}

/// Whether the program says that it knows of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feature {
    Known,
    Unknown,
}

/// Reads a whole event.
pub(super) fn content(map: &Object, setting: Setting<'_>) -> Result<Content, ApiError> {
    let start = when(map, "start", "Missing start time.", setting)?;
    let end = when(map, "end", "Missing end time.", setting)?;
    let recurrence = lines(map)?;
    // A series needs a zone to repeat in: an offset does not say which clock (§6 `start`).
    let zoned = |side: &str| map.get(side).and_then(|s| s.get("timeZone")).is_some_and(Value::is_string);
    if !recurrence.is_empty() && !start.is_day() && !zoned("start") {
        return Err(ApiError::required("Missing time zone definition for start time."));
    }
    let mut content = Content::new("", start, end);
    content.recurrence = recurrence;
    content.summary = text(map, "summary")?;
    content.description = text(map, "description")?;
    content.location = text(map, "location")?;
    content.color_id = if setting.labels == Feature::Known { None } else { text(map, "colorId")? };
    content.status =
        word(map, "status", &[("confirmed", Status::Confirmed), ("tentative", Status::Tentative)])?;
    content.transparency = word(
        map,
        "transparency",
        &[("opaque", Transparency::Opaque), ("transparent", Transparency::Transparent)],
    )?;
    content.visibility = word(
        map,
        "visibility",
        &[
            ("default", Visibility::Default),
            ("public", Visibility::Public),
            ("private", Visibility::Private),
            ("confidential", Visibility::Confidential),
        ],
    )?;
    content.event_type = word(map, "eventType", &EVENT_TYPES)?;
    content.attendees = attendees(map)?;
    (content.private, content.shared) = properties(map)?;
    content.reminders = reminders(map)?;
    content.source = source(map)?;
    content.extra = extra(map, setting)?;
    Ok(content)
}

/// All types of events by name.
pub(super) const EVENT_TYPES: [(&str, EventType); 6] = [
    ("default", EventType::Default),
    ("outOfOffice", EventType::OutOfOffice),
    ("focusTime", EventType::FocusTime),
    ("workingLocation", EventType::WorkingLocation),
    ("birthday", EventType::Birthday),
    ("fromGmail", EventType::FromGmail),
];

fn bad(name: &str) -> ApiError {
    ApiError::invalid(&format!("Invalid value for: {name}"))
}

fn text(map: &Object, key: &str) -> Result<Option<String>, ApiError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|t| !t.is_empty())),
        Some(_) => Err(bad(key)),
    }
}

fn flag(map: &Object, key: &str) -> Result<bool, ApiError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(set)) => Ok(*set),
        Some(_) => Err(bad(key)),
    }
}

fn word<T: Copy + Default>(map: &Object, key: &str, words: &[(&str, T)]) -> Result<T, ApiError> {
    let Some(word) = text(map, key)? else { return Ok(T::default()) };
    words.iter().find(|(name, _)| *name == word).map(|(_, value)| *value).ok_or_else(|| bad(key))
}

fn object<'a>(map: &'a Object, key: &str) -> Result<Option<&'a Object>, ApiError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(inner)) => Ok(Some(inner)),
        Some(_) => Err(bad(key)),
    }
}

fn array<'a>(map: &'a Object, key: &str, most: usize) -> Result<&'a [Value], ApiError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) if items.len() <= most => Ok(items),
        Some(_) => Err(bad(key)),
    }
}

/// One end: `{date}` or `{dateTime[,timeZone]}`, never both (§6).
fn when(map: &Object, side: &'static str, missing: &str, setting: Setting<'_>) -> Result<When, ApiError> {
    let inner = object(map, side)?.ok_or_else(|| ApiError::required(missing))?;
    let wrong = || ApiError::invalid(&format!("Invalid {side} time."));
    let zone_name = text(inner, "timeZone")?;
    if let Some(name) = &zone_name
        && zone::find(name).is_none()
    {
        return Err(ApiError::invalid(&format!("Invalid time zone definition for {side} time.")));
    }
    match (text(inner, "date")?, text(inner, "dateTime")?) {
        (Some(date), None) if date.len() == 10 => date.parse::<Date>().map(When::Day).map_err(|_| wrong()),
        (None, Some(instant)) => instant_of(&instant, zone_name.as_deref(), setting).ok_or_else(wrong),
        (None, None) => Err(ApiError::required(missing)),
        _ => Err(wrong()),
    }
}

fn instant_of(text: &str, zone_name: Option<&str>, setting: Setting<'_>) -> Option<When> {
    // Fractions of a second are not kept.
    let whole = |at: Ts| Ts::from_secs(at.micros().div_euclid(1_000_000));
    if let Ok(at) = text.parse::<Ts>() {
        let utc = text.ends_with(['Z', 'z']).then_some("UTC");
        return Some(When::at(whole(at), zone_name.or(utc).unwrap_or(setting.calendar_zone)));
    }
    // Without an offset only a zone says which instant it is (§6 `start`).
    let name = zone_name?;
    let zoned = text.parse::<DateTime>().ok()?.to_zoned(zone::find(name)?).ok()?;
    Some(When::At { at: whole(Ts::from_jiff(zoned.timestamp())), zone: Arc::from(name) })
}

fn lines(map: &Object) -> Result<Vec<String>, ApiError> {
    let read = |line: &Value| {
        let line = line.as_str().filter(|l| {
            let upper = l.to_ascii_uppercase();
            ["RRULE", "EXRULE", "RDATE", "EXDATE"]
                .iter()
                .any(|head| upper.strip_prefix(head).is_some_and(|rest| rest.starts_with([':', ';'])))
        });
        line.map(str::to_owned).ok_or_else(|| ApiError::invalid("Invalid recurrence rule."))
    };
    array(map, "recurrence", LINES_MAX)?.iter().map(read).collect()
}

fn attendees(map: &Object) -> Result<Vec<Attendee>, ApiError> {
    let read = |item: &Value| {
        let item = item.as_object().ok_or_else(|| bad("attendees"))?;
        let email = text(item, "email")?.filter(|e| e.contains('@'));
        let responses = [
            ("needsAction", Response::NeedsAction),
            ("declined", Response::Declined),
            ("tentative", Response::Tentative),
            ("accepted", Response::Accepted),
        ];
        let kept = ["comment", "additionalGuests", "id"];
        let extra = item.iter().filter(|(k, v)| kept.contains(&k.as_str()) && !v.is_null());
        Ok(Attendee {
            email: email.ok_or_else(|| ApiError::invalid("Invalid attendee email."))?,
            name: text(item, "displayName")?,
            response: word(item, "responseStatus", &responses)?,
            optional: flag(item, "optional")?,
            resource: flag(item, "resource")?,
            extra: extra.map(|(k, v)| (k.clone(), v.clone())).collect(),
        })
    };
    array(map, "attendees", ATTENDEES_MAX)?.iter().map(read).collect()
}

type Properties = BTreeMap<String, String>;

fn properties(map: &Object) -> Result<(Properties, Properties), ApiError> {
    let Some(inner) = object(map, "extendedProperties")? else { return Ok(Default::default()) };
    let side = |key: &str| {
        let mut out = Properties::new();
        for (name, value) in object(inner, key)?.into_iter().flatten() {
            let value = match value {
                Value::Null => continue,
                Value::String(value) => value,
                _ => return Err(bad("extendedProperties")),
            };
            if name.chars().count() <= PROPERTY_NAME_MAX {
                out.insert(name.clone(), value.chars().take(PROPERTY_VALUE_MAX).collect());
            }
        }
        Ok(out)
    };
    let (private, shared) = (side("private")?, side("shared")?);
    let bytes: usize = private.iter().chain(&shared).map(|(k, v)| k.len() + v.len()).sum();
    if private.len() + shared.len() > PROPERTIES_MAX || bytes > PROPERTIES_BYTES_MAX {
        return Err(ApiError::invalid("Too many extended properties."));
    }
    Ok((private, shared))
}

fn reminders(map: &Object) -> Result<Option<Reminders>, ApiError> {
    let Some(inner) = object(map, "reminders")? else { return Ok(None) };
    let use_default = flag(inner, "useDefault")?;
    let read = |item: &Value| {
        let item = item.as_object().ok_or_else(|| bad("reminders"))?;
        let method =
            text(item, "method")?.filter(|m| m == "email" || m == "popup").ok_or_else(|| bad("reminders"))?;
        let minutes = item.get("minutes").and_then(Value::as_u64).filter(|m| *m <= REMINDER_MINUTES_MAX);
        let minutes = minutes.and_then(|m| u32::try_from(m).ok()).ok_or_else(|| bad("reminders"))?;
        Ok::<_, ApiError>(Reminder { method, minutes })
    };
    let overrides: Vec<Reminder> =
        array(inner, "overrides", REMINDERS_MAX)?.iter().map(read).collect::<Result<_, _>>()?;
    if use_default && !overrides.is_empty() {
        return Err(ApiError::invalid(
            "Cannot specify both default reminders and overrides at the same time.",
        ));
    }
    Ok((!use_default).then_some(Reminders { use_default, overrides }))
}

fn source(map: &Object) -> Result<Option<Source>, ApiError> {
    let Some(inner) = object(map, "source")? else { return Ok(None) };
    let url = text(inner, "url")?.filter(|u| u.starts_with("http://") || u.starts_with("https://"));
    let url = url.ok_or_else(|| ApiError::invalid("The source url is invalid."))?;
    Ok(Some(Source { title: text(inner, "title")?.unwrap_or_default(), url }))
}

fn extra(map: &Object, setting: Setting<'_>) -> Result<Object, ApiError> {
    let mut out = Object::new();
    for (key, value) in map {
        let kept = KEPT.contains(&key.as_str())
            || key == "workingLocationProperties"
            || (key == "conferenceData" && setting.conferences == Feature::Known)
            || (key == "eventLabelId" && setting.labels == Feature::Known);
        // Default values are left out of answers (§1, omitted values).
        let default = match key.as_str() {
            "guestsCanInviteOthers" | "guestsCanSeeOtherGuests" => *value == Value::Bool(flag_or(map, key)?),
            "guestsCanModify" | "anyoneCanAddSelf" => !flag(map, key)?,
            _ => value.is_null(),
        };
        if kept && !default {
            out.insert(key.clone(), value.clone());
        }
    }
    Ok(out)
}

/// True, the default of these fields, after a check of their type.
fn flag_or(map: &Object, key: &str) -> Result<bool, ApiError> {
    flag(map, key).map(|_| true)
}

/// Lays a patch over an event: named fields only, arrays replaced whole, `null` clears (§3 events.patch).
pub(super) fn merge(into: &mut Value, patch: &Value) {
    let (Value::Object(old), Value::Object(new)) = (&mut *into, patch) else {
        *into = patch.clone();
        return;
    };
    for (key, value) in new {
        match value {
            Value::Null => drop(old.remove(key)),
            Value::Object(_) => {
                merge(old.entry(key.as_str()).or_insert_with(|| Value::Object(Object::new())), value)
            }
            _ => drop(old.insert(key.clone(), value.clone())),
        }
    }
}
