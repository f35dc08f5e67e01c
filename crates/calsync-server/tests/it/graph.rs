//! What Microsoft Graph posts to the service, as the test makes it: bodies of items, and handshakes.

use calsync_core::calendar::ProviderKind;
use serde_json::{Value, json};

use crate::channels::{Channel, TOKEN, seed_at, stored_of};
use crate::place::{Place, Serving};
use crate::web::{self, Answer};

/// The path of a calendar that nobody has.
pub(crate) const NOWHERE: &str = "/webhooks/microsoft/0192a5b0-0000-7000-8000-000000000000";

/// A place with so many calendars at Microsoft, each with a subscription, and the program that takes what comes for them.
/// Nobody works on what it took.
pub(crate) async fn taking(count: usize) -> (Place, Vec<Channel>, Serving) {
    let place = Place::new();
    let channels = seed_at(&place, ProviderKind::Microsoft, count).await;
    let serving = serve_web(&place).await;
    (place, channels, serving)
}

/// The program that only takes notifications.
pub(crate) async fn serve_web(place: &Place) -> Serving {
    let mut serving = place.start(place.command(&["serve", "--role", "web"]));
    serving.answers(place).await;
    serving
}

impl Channel {
    /// An item that tells of a change of this event, which made it what this etag stands for.
    pub(crate) fn item(&self, event: &str, etag: &str) -> Value {
        let resource = format!("Users/u1/Events/{event}");
        json!({
            "subscriptionId": self.channel,
            "subscriptionExpirationDateTime": "2026-11-29T00:00:00+00:00",
            "changeType": "updated",
            "resource": resource,
            "clientState": TOKEN,
            "tenantId": "t1",
            "resourceData": {
                "@odata.type": "#Microsoft.Graph.Event",
                "@odata.id": resource,
                "@odata.etag": format!("W/\"{etag}\""),
                "id": event,
            },
        })
    }

    /// An item that tells what befell the subscription itself.
    pub(crate) fn lifecycle(&self, what: &str) -> Value {
        json!({
            "subscriptionId": self.channel,
            "subscriptionExpirationDateTime": "2026-11-29T00:00:00Z",
            "tenantId": "t1",
            "clientState": TOKEN,
            "lifecycleEvent": what,
        })
    }

    /// Posts these items to where its notifications go.
    pub(crate) async fn tell(&self, place: &Place, items: &[Value]) -> Answer {
        post(place, &self.path(), json!({"value": items}).to_string()).await
    }

    /// The events of the items that are stored for it, in order.
    pub(crate) async fn events(&self, place: &Place) -> Vec<String> {
        let all = stored_of(place, self).await;
        let event = |payload: &Value| payload["event"].as_str().unwrap_or("-").to_owned();
        let mut events: Vec<String> = all.iter().map(|n| event(&n.payload)).collect();
        events.sort_unstable();
        events
    }
}

/// The same item with another value of a member; `Null` takes it away.
pub(crate) fn with(mut item: Value, member: &str, value: impl Into<Value>) -> Value {
    let members = item.as_object_mut().unwrap();
    match value.into() {
        Value::Null => members.remove(member),
        value => members.insert(member.to_owned(), value),
    };
    item
}

/// Posts a body as Graph does.
pub(crate) async fn post(place: &Place, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request =
        web::client().post(place.url(path)).header("Content-Type", "application/json; charset=utf-8");
    web::read(request.body(body).send().await.unwrap()).await
}

/// Asks whether anybody is there, with the query as it stands here.
pub(crate) async fn shake(place: &Place, method: &str, path: &str, query: &str) -> Answer {
    let request = web::client().request(method.parse().unwrap(), place.url(&format!("{path}?{query}")));
    web::read(request.header("Content-Type", "text/plain; charset=utf-8").send().await.unwrap()).await
}
