//! events.watch, calendarList.watch, settings.watch and channels.stop (google.md §8). A channel leads to an address of
//! this machine or nowhere: any other is refused here, before anything could be sent to it.

use calsync_core::time::Ts;
use data_encoding::BASE64URL_NOPAD;
use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::api::{Call, Success};
use super::errors::ApiError;
use super::ids::is_channel_id;
use super::list_params::{LISTING, event_type};
use super::push::resource_uri;
use super::scopes::Need;
use crate::cloud::calendar::Origin;
use crate::cloud::content::EventType;
use crate::cloud::watch::{Channel, NotOpened, Provider, Resource};
use crate::loopback_http::loopback;

/// How long a channel lives if nobody says (§8 `params.ttl`).
const TTL_DEFAULT: i64 = 604_800;

/// The longest token (§8 `token`).
const TOKEN_MAX: usize = 256;

impl Call<'_> {
    /// events.watch. Only `eventTypes` filters what is told (§8).
    pub(super) fn watch_events(&self, calendar: &str) -> Result<Success, ApiError> {
        self.only(&LISTING)?;
        let types: Vec<EventType> =
            self.request.params("eventTypes").map(event_type).collect::<Result<_, _>>()?;
        let id = self.face.cloud.with(|cloud| {
            let (cal, _) = self.readable(cloud, calendar)?;
            if cal.origin == Origin::Generated {
                return Err(ApiError::push_not_supported());
            }
            Ok(cal.id.clone())
        })?;
        self.watch(Resource::Events(id), types)
    }

    /// calendarList.watch.
    pub(super) fn watch_list(&self) -> Result<Success, ApiError> {
        self.reach(Need::List)?;
        self.watch(Resource::CalendarList(self.person().clone()), Vec::new())
    }

    /// settings.watch.
    pub(super) fn watch_settings(&self) -> Result<Success, ApiError> {
        self.reach(Need::List)?;
        self.watch(Resource::Settings(self.person().clone()), Vec::new())
    }

    fn watch(&self, resource: Resource, event_types: Vec<EventType>) -> Result<Success, ApiError> {
        let body = self.body()?;
        let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
        let id = text("id").filter(|id| is_channel_id(id));
        let id = id.ok_or_else(|| ApiError::push("push.channelIdInvalid", 400, "Invalid channel id."))?;
        if !matches!(text("type"), Some("web_hook" | "webhook")) {
            return Err(ApiError::invalid("Unknown channel type."));
        }
        let address = text("address").ok_or_else(|| ApiError::required("Missing address."))?;
        checked_address(address)?;
        let token = text("token").map(str::to_owned);
        if token.as_ref().is_some_and(|t| t.len() > TOKEN_MAX) {
            return Err(ApiError::invalid("Channel token is longer than 256 characters."));
        }
        let expires = self.expiry(&body, id)?;
        let resource_id = Sha256::digest(format!("{resource:?}").as_bytes());
        let channel = Channel {
            provider: Provider::Google,
            project: self.who.project.clone(),
            id: id.to_owned(),
            client: self.who.client.as_str().into(),
            person: self.person().clone(),
            resource_id: BASE64URL_NOPAD.encode(&resource_id[..20]),
            resource,
            address: address.to_owned(),
            token,
            expires,
            event_types,
            terms: None,
        };
        let opened = self.face.cloud.with(|cloud| cloud.open_channel(channel, self.now));
        let channel = opened.map_err(|refused| match refused {
            NotOpened::IdTaken => {
                ApiError::push("channelIdNotUnique", 400, &format!("Channel id {id} not unique"))
            }
            NotOpened::TooMany => ApiError::usage_limits(),
        })?;
        // `type` and `address` are not echoed; the expiry comes as text, whatever the guide shows (§8).
        let mut answer = json!({
            "kind": "api#channel",
            "id": channel.id,
            "resourceId": channel.resource_id,
            "resourceUri": resource_uri(&channel.resource),
            "expiration": channel.expires.millis().to_string(),
        });
        if let Some(token) = &channel.token {
            answer["token"] = json!(token);
        }
        Ok(Success::of(answer))
    }

    /// When the channel ends: the more restrictive of request and limit wins (§8, maximum).
    fn expiry(&self, body: &Map<String, Value>, id: &str) -> Result<Ts, ApiError> {
        let wrong = || ApiError::invalid(&format!("Invalid ttl value for channel {id}"));
        let number = |value: &Value| match value {
            Value::String(text) => text.parse::<i64>().ok(),
            other => other.as_i64(),
        };
        let mut expires = self.now.plus(self.face.config.channel_lives_most);
        let ttl = body.get("params").and_then(|p| p.get("ttl"));
        let asked = body.get("expiration");
        if let Some(asked) = asked {
            let millis = number(asked).ok_or_else(wrong)?;
            expires = expires.min(Ts::from_micros(millis.saturating_mul(1_000)));
        }
        if ttl.is_some() || asked.is_none() {
            let secs = ttl.map_or(Some(TTL_DEFAULT), number).filter(|s| *s > 0).ok_or_else(wrong)?;
            expires = expires.min(self.now.plus(SignedDuration::from_secs(secs)));
        }
        if expires <= self.now { Err(wrong()) } else { Ok(expires) }
    }

    /// channels.stop: by the same person and the same program (§8), else 404.
    pub(super) fn stop(&self) -> Result<Success, ApiError> {
        self.only(&[])?;
        self.reach(Need::Any)?;
        let body = self.body()?;
        let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
        let (id, resource_id) = match (text("id"), text("resourceId")) {
            (Some(id), Some(resource_id)) => (id, resource_id),
            (None, _) => return Err(ApiError::required("Missing channel id.")),
            (_, None) => return Err(ApiError::required("Missing resource id.")),
        };
        let project = self.who.project.as_str();
        self.face.cloud.with(|cloud| {
            let mine = cloud.watch().find(project, id).is_some_and(|channel| {
                channel.resource_id == resource_id
                    && channel.person == *self.person()
                    && channel.client.as_str() == self.who.client
                    && channel.expires > self.now
            });
            match mine.then(|| cloud.stop_channel(project, id)).flatten() {
                Some(_) => Ok(Success::empty()),
                None => Err(ApiError::no_channel(id, project)),
            }
        })
    }
}

/// Refuses whatever is not an address of this machine. Google takes only https; a simulator takes http, because here
/// nothing leaves the machine.
fn checked_address(address: &str) -> Result<(), ApiError> {
    let unauthorized = || {
        let message = format!("Unauthorized WebHook callback channel: {address}");
        ApiError::push("push.webhookUrlUnauthorized", 401, &message)
    };
    let url = url::Url::parse(address).map_err(|_| unauthorized())?;
    match (url.scheme(), loopback(&url)) {
        ("http", Some(_)) => Ok(()),
        ("http", None) => {
            Err(ApiError::push("push.webhookUrlNotHttps", 400, "WebHook callback must be HTTPS"))
        }
        _ => Err(unauthorized()),
    }
}
