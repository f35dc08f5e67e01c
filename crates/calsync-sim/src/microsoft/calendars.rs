//! `/me`, calendars, zones and the translation of ids (microsoft.md §3). It shows what the cloud has and changes nothing.

use serde_json::{Value, json};

use super::Account;
use super::api::{Call, Success};
use super::errors::GraphError;
use super::ids::{IdForm, calendar_id, change_key, event_id, read_event_id};
use super::list_params::{Paging, keep_selected, selected};
use super::scopes::{Need, check};
use crate::cloud::Cloud;
use crate::cloud::calendar::{AccessRole, Calendar, Origin};
use crate::cloud::names::CalendarId;
use crate::windows_zones::{iana_names, windows_name, windows_names};

/// Ids that one call translates (§10 row 6).
const TRANSLATED_MAX: usize = 1_000;

/// Members of a calendar.
const MEMBERS: [&str; 15] = [
    "allowedOnlineMeetingProviders",
    "canEdit",
    "canShare",
    "canViewPrivateItems",
    "changeKey",
    "color",
    "defaultOnlineMeetingProvider",
    "hexColor",
    "id",
    "isDefaultCalendar",
    "isRemovable",
    "isTallyingResponses",
    "name",
    "owner",
    "calendarGroupId",
];

impl Call<'_> {
    /// `GET /me`.
    pub(super) fn me(&self) -> Result<Success, GraphError> {
        check(&self.access.scopes, Need::User)?;
        let known = [
            "displayName",
            "givenName",
            "id",
            "jobTitle",
            "mail",
            "mobilePhone",
            "surname",
            "userPrincipalName",
        ];
        let select = selected(self.request, &known, "microsoft.graph.user")?;
        // A personal account's `mail` may be null (§3): then the principal name is all there is.
        let mail = match self.account {
            Account::Work(_) => json!(self.person().as_str()),
            Account::Personal => Value::Null,
        };
        let mut me = json!({
            "@odata.context": self.context("users/$entity"),
            "businessPhones": [],
            "displayName": self.who.name,
            "givenName": self.who.name,
            "jobTitle": null,
            "mail": mail,
            "mobilePhone": null,
            "officeLocation": null,
            "preferredLanguage": null,
            "surname": null,
            "userPrincipalName": self.person().as_str(),
            "id": self.who.user_id,
        });
        keep_selected(&mut me, select.as_deref());
        Ok(Success::of(me))
    }

    /// `GET /me/calendars`: those in the person's list, shared ones as well (§3).
    pub(super) fn calendars(&self) -> Result<Success, GraphError> {
        let paging = Paging::read(self.request, &self.prefer)?;
        let select = selected(self.request, &MEMBERS, "microsoft.graph.calendar")?;
        let all: Vec<Value> = self.face.cloud.with(|cloud| {
            let person = cloud.person(self.person()).ok_or_else(GraphError::no_mailbox)?;
            let listed = person.list().iter().filter(|(_, entry)| !entry.deleted);
            let shown =
                listed.filter_map(|(id, _)| cloud.calendar(id).map(|c| self.calendar_shown(cloud, c)));
            Ok::<_, GraphError>(shown.collect())
        })?;
        let mut body = paging.page(self, all, &format!("users('{}')/calendars", self.who.user_id));
        for item in body["value"].as_array_mut().into_iter().flatten() {
            keep_selected(item, select.as_deref());
        }
        Ok(Success::of(body))
    }

    /// `GET /me/calendar` and `/me/calendars/{id}`.
    pub(super) fn calendar(&self, id: &CalendarId) -> Result<Success, GraphError> {
        let select = selected(self.request, &MEMBERS, "microsoft.graph.calendar")?;
        let mut body = self.face.cloud.with(|cloud| {
            let calendar = self.readable(cloud, id)?;
            Ok::<_, GraphError>(self.calendar_shown(cloud, calendar))
        })?;
        body["@odata.context"] =
            self.context(&format!("users('{}')/calendars/$entity", self.who.user_id)).into();
        keep_selected(&mut body, select.as_deref());
        Ok(Success::of(body))
    }

    fn calendar_shown(&self, cloud: &Cloud, calendar: &Calendar) -> Value {
        let role = calendar.role(self.person()).unwrap_or(AccessRole::FreeBusyReader);
        let mine = calendar.owner == *self.person();
        let main = calendar.primary && mine;
        let owner = cloud.person(&calendar.owner).map_or_else(String::new, |p| p.name.clone());
        let meetings = match self.account {
            Account::Work(_) => json!(["teamsForBusiness"]),
            Account::Personal => json!([]),
        };
        json!({
            "id": calendar_id(&self.who.mailbox, &calendar.id),
            "name": if main { "Calendar".to_owned() } else { calendar.summary.clone() },
            "color": "auto",
            "hexColor": "",
            "changeKey": change_key(calendar.version),
            "canShare": mine && calendar.origin == Origin::People,
            "canViewPrivateItems": role >= AccessRole::Writer,
            "canEdit": role >= AccessRole::WriterWithoutPrivateAccess && calendar.origin == Origin::People,
            "isDefaultCalendar": main,
            "isRemovable": !main,
            "isTallyingResponses": main,
            "allowedOnlineMeetingProviders": meetings,
            "defaultOnlineMeetingProvider": if meetings == json!([]) { "unknown" } else { "teamsForBusiness" },
            "owner": {"name": owner, "address": calendar.owner.as_str()},
        })
    }

    /// `GET /me/mailboxSettings`.
    pub(super) fn mailbox_settings(&self) -> Result<Success, GraphError> {
        check(&self.access.scopes, Need::Settings)?;
        let zone =
            self.face.cloud.with(|c| c.calendar(&self.main_calendar()).map(|c| c.time_zone.to_string()));
        let zone = zone.ok_or_else(GraphError::no_mailbox)?;
        let zone = windows_name(&zone).map_or(zone.clone(), str::to_owned);
        Ok(Success::of(json!({
            "@odata.context": self.context(&format!("users('{}')/mailboxSettings", self.who.user_id)),
            "timeZone": zone,
            "dateFormat": "yyyy-MM-dd",
            "timeFormat": "HH:mm",
        })))
    }

    /// `GET /me/outlook/supportedTimeZones[(TimeZoneStandard=…)]`.
    pub(super) fn zones(&self, what: &str) -> Result<Success, GraphError> {
        check(&self.access.scopes, Need::User)?;
        let name = |name: &str| json!({"alias": name, "displayName": name});
        let all: Vec<Value> = match what {
            "supportedTimeZones" => windows_names().map(name).collect(),
            other if other.starts_with("supportedTimeZones(") && other.contains("'Iana'") => {
                iana_names().map(name).collect()
            }
            other if other.starts_with("supportedTimeZones(") => windows_names().map(name).collect(),
            other => return Err(GraphError::no_such_resource(other)),
        };
        Ok(Success::of(
            json!({"@odata.context": self.context("Collection(timeZoneInformation)"), "value": all}),
        ))
    }

    /// `POST /me/translateExchangeIds` (§10 row 6).
    pub(super) fn translate(&self) -> Result<Success, GraphError> {
        let body = self.body()?;
        let form = |key: &str| match body.get(key).and_then(Value::as_str) {
            Some("restId") => Ok(IdForm::Default),
            Some("restImmutableEntryId") => Ok(IdForm::Immutable),
            _ => Err(GraphError::bad_request("The id type is not supported.")),
        };
        let (_, target) = (form("sourceIdType")?, form("targetIdType")?);
        let ids = body.get("inputIds").and_then(Value::as_array).ok_or_else(GraphError::unreadable)?;
        if ids.len() > TRANSLATED_MAX {
            return Err(GraphError::bad_request("At most 1000 ids can be translated."));
        }
        let translated = self.face.cloud.with(|cloud| {
            let one = |id: &Value| {
                let id = id.as_str().unwrap_or("");
                match self.found(cloud, None, id).ok().filter(|_| read_event_id(id).is_some()) {
                    Some((calendar, event)) => {
                        json!({"sourceId": id, "targetId": event_id(target, &self.who.mailbox, &calendar, &event.id)})
                    }
                    None => json!({"sourceId": id, "errorDetails": {"code": "ErrorItemNotFound", "message": "The id is not known."}}),
                }
            };
            ids.iter().map(one).collect::<Vec<_>>()
        });
        let context = self.context("Collection(microsoft.graph.convertIdResult)");
        Ok(Success::of(json!({"@odata.context": context, "value": translated})))
    }
}
