//! What the tests of Graph's look-alike begin with: a Microsoft that answers without a network, Ann at work, Bob at home.

use std::sync::Arc;

use calsync_core::time::Ts;
use calsync_sim::clock::SimClock;
use calsync_sim::cloud::names::{CalendarId, EventId, PersonId};
use calsync_sim::cloud::{Cloud, Limits, SharedCloud};
use calsync_sim::faults::{FaultPlan, Rates};
use calsync_sim::microsoft::{
    Answer, ApiRequest, Audience, MicrosoftConfig, MicrosoftFace, OauthClient, Reply,
};
use futures_util::FutureExt;
use serde_json::{Value, json};

use crate::stage::{HOLIDAYS, TEAM, TOKEN, now, stage};

pub(super) const BOB_TOKEN: &str = "the-token-of-bob";
pub(super) const REDIRECT: &str = "http://127.0.0.1:3000/oauth/microsoft/callback";
pub(super) const PROPERTY: &str = "String {6a0f0c1e-1111-4222-8333-444455556666} Name CalSyncOrigin";

/// A Microsoft without a network, whose clock stands still. Bob's account is a personal one.
pub(super) struct Microsoft {
    pub(super) face: MicrosoftFace,
    pub(super) clock: SimClock,
    pub(super) faults: Arc<FaultPlan>,
    pub(super) ann: PersonId,
    pub(super) bob: PersonId,
}

/// A registered program.
pub(crate) fn program(id: &str, audience: Audience) -> OauthClient {
    let (id, secret) = (id.to_owned(), "s3cret".to_owned());
    OauthClient { id, secret, secret_until: None, redirect_uris: vec![REDIRECT.into()], audience }
}

impl Microsoft {
    pub(super) fn new() -> Microsoft {
        Microsoft::with(MicrosoftConfig::default())
    }

    pub(super) fn with(mut config: MicrosoftConfig) -> Microsoft {
        config.clients.push(program("app", Audience::Everybody));
        let (cloud, clock) = (SharedCloud::new(1, Limits::default()), SimClock::still(now()));
        let faults = Arc::new(FaultPlan::new(1, &Rates::new()));
        let add = |email: &str, name: &str| {
            cloud.with(|c| c.add_person(email, name, "Europe/Vienna", now())).unwrap()
        };
        let (ann, bob) = (add("ann@example.com", "Ann"), add("bob@example.org", "Bob"));
        cloud.with(stage);
        let face = MicrosoftFace::new(cloud, clock.clone(), Arc::clone(&faults), 1, config);
        face.seed_token(&ann, TOKEN);
        face.seed_token(&bob, BOB_TOKEN);
        face.make_personal(&bob);
        Microsoft { face, clock, faults, ann, bob }
    }

    /// Asks something that waits for nobody.
    pub(super) fn reply(&self, request: &ApiRequest) -> Reply {
        self.face.reply(request).now_or_never().expect("waits for nobody")
    }

    pub(super) fn ask(&self, request: &ApiRequest) -> Answer {
        match self.reply(request) {
            Reply::Answer(answer) => answer,
            Reply::Dropped => panic!("dropped"),
        }
    }

    /// Asks with a token.
    pub(super) fn send_as(&self, token: &str, request: ApiRequest) -> (u16, Value) {
        let answer = self.ask(&request.bearer(token));
        (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
    }

    /// Asks as Ann.
    pub(super) fn send(&self, request: ApiRequest) -> (u16, Value) {
        self.send_as(TOKEN, request)
    }

    pub(super) fn get(&self, target: &str) -> (u16, Value) {
        self.send(get(target))
    }

    /// Asks and demands 200.
    pub(super) fn good(&self, target: &str) -> Value {
        let (status, body) = self.get(target);
        assert_eq!(status, 200, "{target}: {body}");
        body
    }

    pub(super) fn write(&self, method: &str, target: &str, body: &Value) -> (u16, Value) {
        self.send(ApiRequest::new(method, &format!("/v1.0/{target}")).json(body))
    }

    /// Makes an event in Ann's default calendar.
    pub(super) fn create(&self, body: &Value) -> Value {
        let (status, body) = self.write("POST", "me/events", body);
        assert_eq!(status, 201, "{body}");
        body
    }

    /// The ids of Ann's calendars by name.
    pub(super) fn calendar(&self, name: &str) -> String {
        let all = self.good("me/calendars");
        let found = all["value"].as_array().unwrap().iter().find(|c| c["name"] == name).unwrap();
        found["id"].as_str().unwrap().to_owned()
    }

    /// Acts as Ann, in her default calendar.
    pub(super) fn person<T>(&self, act: impl FnOnce(&mut Cloud, &CalendarId, Ts) -> T) -> T {
        let now = self.clock.now();
        self.face.cloud().with(|cloud| act(cloud, &main_of(&self.ann), now))
    }

    /// Ann's id of an event in her default calendar.
    pub(super) fn id(&self, event: &EventId) -> String {
        self.face.event_id_for(&self.ann, &main_of(&self.ann), event)
    }

    /// One round of a delta: all its items, how many pages they came on, and the link to the next round. `prefer` is
    /// sent with every page.
    pub(super) fn round(&self, start: &str, prefer: &str) -> Round {
        let (mut items, mut pages, mut target) = (Vec::new(), Vec::new(), start.to_owned());
        for _ in 0..200 {
            let request = ApiRequest::new("GET", path_of(&target)).header("prefer", prefer);
            let (status, page) = self.send(request);
            assert_eq!(status, 200, "{target}: {page}");
            let value = page["value"].as_array().unwrap().clone();
            pages.push(value.len());
            items.extend(value);
            match (page["@odata.nextLink"].as_str(), page["@odata.deltaLink"].as_str()) {
                (Some(next), None) => next.clone_into(&mut target),
                (None, Some(link)) => return Round { items, pages, link: link.to_owned() },
                other => panic!("exactly one link: {other:?}"),
            }
        }
        panic!("the round does not end");
    }
}

/// A round of a delta.
pub(super) struct Round {
    pub(super) items: Vec<Value>,
    pub(super) pages: Vec<usize>,
    pub(super) link: String,
}

impl Round {
    /// What each item is: its type, or `removed`.
    pub(super) fn kinds(&self) -> Vec<&str> {
        self.items.iter().map(kind).collect()
    }
}

pub(super) fn kind(item: &Value) -> &str {
    if item["@removed"].is_object() { "removed" } else { item["type"].as_str().unwrap() }
}

pub(super) fn main_of(person: &PersonId) -> CalendarId {
    CalendarId::from(person.as_str())
}

pub(super) fn get(target: &str) -> ApiRequest {
    ApiRequest::new("GET", &format!("/v1.0/{target}"))
}

/// A link's path and query.
pub(super) fn path_of(link: &str) -> &str {
    let at = link.find("/v1.0/").unwrap();
    &link[at..]
}

/// November 2026 in Ann's default calendar.
pub(super) const NOVEMBER: &str =
    "/v1.0/me/calendarView/delta?startDateTime=2026-11-01T00:00:00Z&endDateTime=2026-12-01T00:00:00Z";

/// The code of an error body, whose envelope must be whole.
pub(super) fn code(body: &Value) -> &str {
    let error = &body["error"];
    assert!(error["message"].is_string() && error["innerError"]["request-id"].is_string(), "{body}");
    error["code"].as_str().unwrap()
}

pub(super) fn id(event: &Value) -> &str {
    event["id"].as_str().unwrap()
}

/// An hour on a day of November 2026.
pub(super) fn hour(subject: &str, day: u8) -> Value {
    json!({
        "subject": subject,
        "start": {"dateTime": format!("2026-11-{day:02}T09:00:00"), "timeZone": "UTC"},
        "end": {"dateTime": format!("2026-11-{day:02}T10:00:00"), "timeZone": "UTC"},
    })
}

/// The same with more members.
pub(super) fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// The names of the other calendars on the stage, for tests that need one.
pub(super) const OTHERS: [&str; 2] = [TEAM, HOLIDAYS];
