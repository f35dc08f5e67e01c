//! calendarList, calendars, settings and colors (google.md §3). It shows what the cloud has and changes nothing.

use serde_json::{Value, json};

use super::api::{Call, Success};
use super::errors::ApiError;
use super::event_json::{role_name, stamp};
use super::ids::{etag, version_of};
use super::list_params::{flag, size};
use super::list_walk::{Place, SyncPoint};
use super::scopes::Need;
use crate::cloud::Cloud;
use crate::cloud::calendar::{AccessRole, ListEntry, Person};
use crate::cloud::names::CalendarId;
use crate::faults::Fault;
use crate::pages::{Key, Page};
use crate::sealed::fingerprint;

/// Page sizes of lists that are not of events.
const SIZE_DEFAULT: usize = 100;
const SIZE_MAX: usize = 250;

/// Colours by number, of calendars and of events alike.
const COLORS: [&str; 11] = [
    "#8c9eff", "#5fd39a", "#c09be0", "#ff8a80", "#f7d35c", "#ffb26b", "#5ec5d6", "#c9ced6", "#5479e0",
    "#4faa55", "#d9383a",
];

impl Call<'_> {
    /// calendarList.list.
    pub(super) fn calendar_list(&self) -> Result<Success, ApiError> {
        self.only(&[
            "maxResults",
            "minAccessRole",
            "pageToken",
            "showDeleted",
            "showHidden",
            "showOwnOrganizationOnly",
            "syncToken",
        ])?;
        self.reach(Need::List)?;
        let request = self.request;
        let least = request.param("minAccessRole").map(role_of).transpose()?;
        let sync_token = request.param("syncToken");
        if sync_token.is_some() {
            // Deleted and hidden entries are always told in a delta; these filters are illegal with it (§3).
            for name in ["minAccessRole", "showOwnOrganizationOnly"] {
                if request.param(name).is_some() {
                    return Err(ApiError::invalid_parameter(name, "Not allowed together with syncToken."));
                }
            }
            for name in ["showDeleted", "showHidden"] {
                if request.param(name) == Some("false") {
                    return Err(ApiError::invalid_parameter(name, "Sync token requires these entries."));
                }
            }
        }
        let (deleted_too, hidden_too) = (flag(request, "showDeleted")?, flag(request, "showHidden")?);
        let size = size(request, SIZE_DEFAULT, SIZE_MAX)?;
        let token_mark = fingerprint(&format!("list {}", self.person()));
        let walk_mark = fingerprint(&format!(
            "list {} {least:?} {deleted_too} {hidden_too} {sync_token:?}",
            self.person()
        ));
        self.face.cloud.with(|cloud| {
            let person = cloud.person(self.person()).ok_or_else(ApiError::not_found)?;
            let log = person.list_log();
            let since =
                sync_token.map(|token| SyncPoint::of_token(token, &token_mark)).transpose()?.map(|p| p.at);
            let lost = since.is_some() && self.face.faults.strikes(Fault::SyncTokenLost);
            let place = Place::of_token(request, &walk_mark)?;
            let place = place.unwrap_or_else(|| Place::start(&walk_mark, since, log.last()));
            if lost || !log.reaches(place.upto) || since.is_some_and(|n| !log.reaches(n)) {
                return Err(ApiError::full_sync_required());
            }
            let shown = |id: &CalendarId, entry: &ListEntry| {
                let role = cloud.calendar(id).and_then(|c| c.role(self.person()));
                place.since.is_some()
                    || ((deleted_too || !entry.deleted)
                        && (hidden_too || !entry.hidden)
                        && least.is_none_or(|least| role.is_some_and(|role| role >= least)))
            };
            let numbered = |id: &CalendarId| log.number_of(id).unwrap_or(0);
            let all = person.list().iter().filter(|(id, entry)| {
                let n = numbered(id);
                place.since.is_none_or(|since| n > since && n <= place.upto) && shown(id, entry)
            });
            let all = all.map(|(id, entry)| (Key(0, id.to_string()), (id, entry)));
            let page = Page::cut(all.filter(|(key, _)| place.is_before(key)), size);
            let items: Vec<Value> =
                page.items.iter().map(|(id, entry)| self.entry(cloud, person, id, entry)).collect();
            let mut body = json!({"kind": "calendar#calendarList", "etag": format!("\"p4{}0\"", log.last())});
            if !items.is_empty() {
                body["items"] = Value::Array(items);
            }
            match page.next {
                Some(key) => body["nextPageToken"] = Value::from(Place { after: Some(key), ..place }.token()),
                None => {
                    body["nextSyncToken"] = Value::from(SyncPoint { of: token_mark, at: place.upto }.token())
                }
            }
            Ok(Success::of(body))
        })
    }

    /// calendarList.get.
    pub(super) fn calendar_list_get(&self, id: &str) -> Result<Success, ApiError> {
        self.only(&[])?;
        self.reach(Need::List)?;
        let id = self.calendar_id(id);
        self.face.cloud.with(|cloud| {
            let person = cloud.person(self.person()).ok_or_else(ApiError::not_found)?;
            let entry =
                person.list().get(&id).filter(|entry| !entry.deleted).ok_or_else(ApiError::not_found)?;
            Ok(Success::of(self.entry(cloud, person, &id, entry)))
        })
    }

    fn entry(&self, cloud: &Cloud, person: &Person, id: &CalendarId, entry: &ListEntry) -> Value {
        let mut out =
            json!({"kind": "calendar#calendarListEntry", "etag": etag(entry.version), "id": id.as_str()});
        let calendar = cloud.calendar(id);
        let Some((calendar, role)) =
            calendar.and_then(|c| Some((c, c.role(&person.id)?))).filter(|_| !entry.deleted)
        else {
            out["deleted"] = json!(true);
            return out;
        };
        let color = entry.color_id.clone().unwrap_or_else(|| "9".to_owned());
        let number = color.parse::<usize>().unwrap_or(9).clamp(1, COLORS.len());
        out["summary"] = json!(calendar.summary);
        out["timeZone"] = json!(&*calendar.time_zone);
        out["colorId"] = json!(color);
        out["backgroundColor"] = json!(COLORS[number - 1]);
        out["foregroundColor"] = json!("#000000");
        out["accessRole"] = json!(role_name(role));
        out["defaultReminders"] =
            if calendar.primary { json!([{"method": "popup", "minutes": 10}]) } else { json!([]) };
        out["conferenceProperties"] = json!({"allowedConferenceSolutionTypes": ["hangoutsMeet"]});
        for (key, text) in
            [("description", &calendar.description), ("summaryOverride", &entry.summary_override)]
        {
            if let Some(text) = text {
                out[key] = json!(text);
            }
        }
        let main = calendar.primary && calendar.owner == person.id;
        for (key, _) in
            [("primary", main), ("hidden", entry.hidden), ("selected", entry.selected)].iter().filter(|f| f.1)
        {
            out[*key] = json!(true);
        }
        if !calendar.primary {
            out["dataOwner"] = json!(calendar.owner.as_str());
        }
        out
    }

    /// calendars.get.
    pub(super) fn calendar_get(&self, id: &str) -> Result<Success, ApiError> {
        self.only(&[])?;
        self.reach(Need::Calendar)?;
        let id = self.calendar_id(id);
        self.face.cloud.with(|cloud| {
            let calendar = cloud.calendar_for(&id, self.person(), AccessRole::FreeBusyReader)?;
            let known = self.request.headers.get("if-none-match").and_then(|v| version_of(v));
            if known == Some(calendar.version) {
                return Ok(Success { status: 304, body: None, etag: Some(etag(calendar.version)) });
            }
            let mut out = json!({
                "kind": "calendar#calendar",
                "etag": etag(calendar.version),
                "id": calendar.id.as_str(),
                "summary": calendar.summary,
                "timeZone": &*calendar.time_zone,
                "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
            });
            if !calendar.primary {
                out["dataOwner"] = json!(calendar.owner.as_str());
            }
            Ok(Success::of(out))
        })
    }

    /// settings.list: the few that a calendar program asks for.
    pub(super) fn settings(&self) -> Result<Success, ApiError> {
        self.only(&["maxResults", "pageToken", "syncToken"])?;
        self.reach(Need::List)?;
        let items: Vec<Value> = self.all_settings()?;
        let token = SyncPoint { of: fingerprint(&format!("settings {}", self.person())), at: 0 }.token();
        Ok(Success::of(json!({
            "kind": "calendar#settings", "etag": "\"p10\"", "items": items, "nextSyncToken": token,
        })))
    }

    /// settings.get.
    pub(super) fn setting(&self, id: &str) -> Result<Success, ApiError> {
        self.only(&[])?;
        self.reach(Need::List)?;
        let found = self.all_settings()?.into_iter().find(|s| s["id"] == id);
        found.map(Success::of).ok_or_else(ApiError::not_found)
    }

    fn all_settings(&self) -> Result<Vec<Value>, ApiError> {
        let zone = self.face.cloud.with(|cloud| {
            cloud.calendar(&CalendarId::from(self.person().as_str())).map(|c| c.time_zone.to_string())
        });
        let zone = zone.ok_or_else(ApiError::not_found)?;
        let all =
            [("timezone", zone.as_str()), ("locale", "en"), ("format24HourTime", "true"), ("weekStart", "1")];
        Ok(all
            .map(|(id, value)| json!({"kind": "calendar#setting", "etag": "\"0\"", "id": id, "value": value}))
            .into())
    }

    /// colors.get.
    pub(super) fn colors(&self) -> Result<Success, ApiError> {
        self.only(&[])?;
        self.reach(Need::Any)?;
        let all = COLORS.iter().zip(1..).map(|(color, n): (_, u32)| {
            (n.to_string(), json!({"background": color, "foreground": "#1d1d1d"}))
        });
        let all: serde_json::Map<String, Value> = all.collect();
        let updated = stamp(calsync_core::time::Ts::from_secs(1_700_000_000));
        Ok(Success::of(json!({"kind": "calendar#colors", "updated": updated, "calendar": all, "event": all})))
    }
}

fn role_of(name: &str) -> Result<AccessRole, ApiError> {
    let all = [
        AccessRole::FreeBusyReader,
        AccessRole::Reader,
        AccessRole::WriterWithoutPrivateAccess,
        AccessRole::Writer,
        AccessRole::Owner,
    ];
    let found = all.into_iter().find(|role| role_name(*role) == name);
    found.ok_or_else(|| ApiError::invalid_parameter("minAccessRole", &format!("Invalid value '{name}'.")))
}
