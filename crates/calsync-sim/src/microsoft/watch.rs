//! Subscriptions (microsoft.md §8): made after a handshake, renewed in place, reauthorized, listed, removed. What they
//! tell goes through the cloud's channels; what befalls them is told here.

use std::collections::BTreeSet;
use std::sync::Arc;

use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::api::{Call, Success};
use super::errors::GraphError;
use super::event_times::stamp;
use super::ids::{IdForm, read_calendar_id};
use super::scopes::{Need, check};
use crate::cloud::names::CalendarId;
use crate::cloud::watch::{Change, Channel, NotOpened, Provider, Resource, Terms};

/// The longest life that is granted (§8 `expirationDateTime`), in minutes.
const LIVES_MAX: i64 = 10_070;

/// The shortest; anything below is raised to it.
const LIVES_MIN: i64 = 45;

/// The longest `clientState`.
const CLIENT_STATE_MAX: usize = 128;

fn invalid(message: &str) -> GraphError {
    GraphError::new(400, "InvalidRequest", message)
}

fn extension(status: u16, message: &str) -> GraphError {
    GraphError::new(status, "ExtensionError", message)
}

impl Call<'_> {
    /// Everything under `/subscriptions`.
    pub(super) async fn subscriptions(&self, path: &[&str]) -> Result<Success, GraphError> {
        check(&self.access.scopes, Need::Read)?;
        let method = self.request.method.as_str();
        self.face.count_subscription_call(self.account.tenant(), method != "GET")?;
        match (method, path) {
            ("GET", []) => Ok(self.list_subscriptions()),
            ("POST", []) => self.subscribe().await,
            ("GET", [id]) => self.mine(id).map(|c| Success::of(self.subscription(&c, false))),
            ("PATCH", [id]) => self.renew(id).await,
            ("DELETE", [id]) => {
                let channel = self.mine(id)?;
                self.face.cloud.with(|cloud| cloud.stop_channel(&channel.project, &channel.id));
                Ok(Success::empty(204))
            }
            ("POST", [id, "reauthorize"]) => self.mine(id).map(|_| Success::empty(204)),
            _ => Err(GraphError::no_such_resource("subscriptions")),
        }
    }

    /// The live subscription of this program and person with this id.
    fn mine(&self, id: &str) -> Result<Arc<Channel>, GraphError> {
        let found = self.face.cloud.with(|cloud| cloud.watch().find(&self.access.client, id).cloned());
        let mine = |c: &Arc<Channel>| {
            c.provider == Provider::Microsoft && c.person == *self.person() && c.expires > self.now
        };
        found
            .filter(mine)
            .ok_or_else(|| GraphError::new(404, "ResourceNotFound", "The object was not found."))
    }

    /// This program's, of this person, and no others (§8 list).
    fn live(&self) -> Vec<Arc<Channel>> {
        self.face.cloud.with(|cloud| {
            let all = cloud
                .watch()
                .channels()
                .filter(|c| c.provider == Provider::Microsoft && c.expires > self.now);
            all.filter(|c| c.person == *self.person()).cloned().collect()
        })
    }

    fn list_subscriptions(&self) -> Success {
        let own = self.live().into_iter().filter(|c| c.project == self.access.client);
        let all: Vec<Value> = own.map(|c| self.subscription(&c, false)).collect();
        Success::of(json!({"@odata.context": self.context("subscriptions"), "value": all}))
    }

    async fn subscribe(&self) -> Result<Success, GraphError> {
        let body = self.body()?;
        let channel = self.wished(&body)?;
        self.check_room(&channel)?;
        // Both addresses are asked, and only then is there an id (§8.1).
        self.face.prove(&channel.address).await?;
        if let Some(address) = channel.terms.as_ref().and_then(|t| t.lifecycle_address.as_ref()) {
            self.face.prove(address).await?;
        }
        self.check_room(&channel)?;
        let opened = self.face.cloud.with(|cloud| cloud.open_channel(channel, self.now));
        let channel = opened.map_err(|refused| match refused {
            NotOpened::IdTaken => conflict(),
            NotOpened::TooMany => quota(),
        })?;
        Ok(Success::created(self.subscription(&channel, true)))
    }

    /// Refuses what exists already, and what would be one too many.
    fn check_room(&self, channel: &Channel) -> Result<(), GraphError> {
        let live = self.live();
        let changes = |c: &Channel| c.terms.as_ref().map(|t| t.changes.clone());
        let same = |c: &Arc<Channel>| {
            c.project == channel.project && c.resource == channel.resource && changes(c) == changes(channel)
        };
        if live.iter().any(same) {
            return Err(conflict());
        }
        if live.len() >= self.face.config.subscriptions_per_mailbox { Err(quota()) } else { Ok(()) }
    }

    fn wished(&self, body: &Map<String, Value>) -> Result<Channel, GraphError> {
        let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
        let need =
            |key: &str| text(key).ok_or_else(|| invalid(&format!("The property '{key}' is required.")));
        let (change_type, resource) = (need("changeType")?, need("resource")?);
        let changes = changes(change_type)?;
        let expires = self.expiry(need("expirationDateTime")?)?;
        let client_state = text("clientState");
        if client_state.is_some_and(|s| s.chars().count() > CLIENT_STATE_MAX) {
            return Err(invalid("clientState exceeds the maximum length of 128 characters."));
        }
        if body.get("includeResourceData") == Some(&Value::Bool(true)) {
            return Err(invalid("Resource data is not played here."));
        }
        let calendar = self.watched(resource)?;
        Ok(Channel {
            provider: Provider::Microsoft,
            project: self.access.client.clone(),
            id: self.face.fresh_guid(),
            client: self.access.client.as_str().into(),
            person: self.person().clone(),
            resource: Resource::Events(calendar),
            resource_id: resource.to_owned(),
            address: need("notificationUrl")?.to_owned(),
            token: client_state.map(str::to_owned),
            expires,
            event_types: Vec::new(),
            terms: Some(Terms {
                resource: resource.to_owned(),
                changes,
                change_type: change_type.to_owned(),
                lifecycle_address: text("lifecycleNotificationUrl").map(str::to_owned),
                immutable_ids: self.prefer.ids == IdForm::Immutable,
            }),
        })
    }

    /// The calendar that a resource names. Shared ones are not in the caller's own mailbox (§8 shared calendars), and
    /// `me/events` is the default one alone (§8, §10 row 7).
    fn watched(&self, resource: &str) -> Result<CalendarId, GraphError> {
        let unsupported = || invalid(&format!("Resource '{resource}' is not supported for subscriptions."));
        let path = resource.trim_start_matches('/').replace("('", "/").replace("')", "");
        let parts: Vec<&str> = path.split('/').collect();
        let rest = match parts.as_slice() {
            ["me", rest @ ..] => rest,
            ["users", id, rest @ ..]
                if *id == self.who.user_id || id.eq_ignore_ascii_case(self.person().as_str()) =>
            {
                rest
            }
            ["users", ..] => {
                return Err(extension(
                    403,
                    "Operation: Create; Exception: [Status Code: Forbidden; Reason: Access is denied. Check credentials and try again.]",
                ));
            }
            _ => return Err(unsupported()),
        };
        let calendar = match rest {
            ["events"] | ["calendar", "events"] => self.main_calendar(),
            ["calendars", id, "events"] => {
                let (mailbox, calendar) = read_calendar_id(id).ok_or_else(GraphError::malformed_id)?;
                if mailbox == self.who.mailbox { calendar } else { return Err(GraphError::not_found()) }
            }
            _ => return Err(unsupported()),
        };
        if self.face.state().without_mailbox.contains(self.person()) {
            return Err(extension(
                404,
                "Operation: Create; Exception: [Status Code: NotFound; Reason: REST API is not yet supported for this mailbox.]",
            ));
        }
        let owner = self.face.cloud.with(|cloud| self.readable(cloud, &calendar).map(|c| c.owner.clone()))?;
        if owner != *self.person() {
            return Err(extension(
                403,
                "Operation: Create; Exception: [Status Code: Forbidden; Reason: Access is denied. Check credentials and try again.]",
            ));
        }
        Ok(calendar)
    }

    /// When it ends: not beyond the limit, and not too soon (§8).
    fn expiry(&self, text: &str) -> Result<Ts, GraphError> {
        let at: Ts = text.parse().map_err(|_| invalid("expirationDateTime is not a valid date and time."))?;
        if at <= self.now {
            return Err(invalid("Subscription expiration date must be in the future."));
        }
        if at > self.now.plus(SignedDuration::from_mins(LIVES_MAX)) {
            let message = format!("Subscription expiration can only be {LIVES_MAX} minutes in the future.");
            return Err(extension(400, &message));
        }
        Ok(at.max(self.now.plus(SignedDuration::from_mins(LIVES_MIN))))
    }

    /// `PATCH`: a later end, or another address, which is asked as the first one was.
    async fn renew(&self, id: &str) -> Result<Success, GraphError> {
        let channel = self.mine(id)?;
        let body = self.body()?;
        let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
        if body.get("lifecycleNotificationUrl").is_some_and(|v| !v.is_null()) {
            return Err(invalid("lifecycleNotificationUrl cannot be changed."));
        }
        let expires = text("expirationDateTime").map(|t| self.expiry(t)).transpose()?;
        let address = text("notificationUrl");
        if let Some(address) = address {
            self.face.prove(address).await?;
        }
        let amended = self.face.cloud.with(|cloud| {
            cloud.amend_channel(&channel.project, &channel.id, |c| {
                c.expires = expires.unwrap_or(c.expires);
                if let Some(address) = address {
                    address.clone_into(&mut c.address);
                }
            })
        });
        let amended =
            amended.ok_or_else(|| GraphError::new(404, "ResourceNotFound", "The object was not found."))?;
        self.face.state().asked.remove(&amended.id);
        Ok(Success::of(self.subscription(&amended, false)))
    }

    /// A subscription as Graph writes it. Whether reading gives back `clientState` is not known (§8): here it does not.
    fn subscription(&self, channel: &Channel, with_state: bool) -> Value {
        let terms = channel.terms.as_ref();
        json!({
            "@odata.context": self.context("subscriptions/$entity"),
            "id": channel.id,
            "resource": terms.map(|t| t.resource.as_str()),
            "applicationId": channel.client.as_str(),
            "changeType": terms.map(|t| t.change_type.as_str()),
            "clientState": channel.token.as_ref().filter(|_| with_state),
            "notificationUrl": channel.address,
            "lifecycleNotificationUrl": terms.and_then(|t| t.lifecycle_address.as_deref()),
            "expirationDateTime": stamp(channel.expires),
            "creatorId": self.who.oid,
            "includeResourceData": null,
            "latestSupportedTlsVersion": "v1_2",
            "notificationQueryOptions": null,
            "encryptionCertificate": null,
            "encryptionCertificateId": null,
            "notificationUrlAppId": null,
        })
    }
}

fn conflict() -> GraphError {
    GraphError::new(409, "Conflict", "Subscription Id <> already exists for the requested combination")
}

fn quota() -> GraphError {
    GraphError::new(
        403,
        "Forbidden",
        "The maximum number of subscriptions for this mailbox has been reached.",
    )
}

/// `changeType`: some of three words, joined by commas.
fn changes(text: &str) -> Result<BTreeSet<Change>, GraphError> {
    let one = |word: &str| match word.trim() {
        "created" => Ok(Change::Created),
        "updated" => Ok(Change::Updated),
        "deleted" => Ok(Change::Deleted),
        odd => Err(invalid(&format!("The change type '{odd}' is not supported."))),
    };
    text.split(',').map(one).collect()
}
