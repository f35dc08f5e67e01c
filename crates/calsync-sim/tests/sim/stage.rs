//! What the tests of the look-alike begin with: people, calendars, and a Google that answers without a network.

use std::sync::Arc;

use calsync_core::time::Ts;
use calsync_sim::clock::SimClock;
use calsync_sim::cloud::calendar::{AccessRole, NewCalendar, Origin};
use calsync_sim::cloud::content::Content;
use calsync_sim::cloud::names::{CalendarId, PersonId};
use calsync_sim::cloud::{Cloud, Limits, SharedCloud};
use calsync_sim::faults::{FaultPlan, Rates};
use calsync_sim::google::{Answer, ApiRequest, GoogleConfig, GoogleFace, OauthClient, Reply, Stage};
use serde_json::{Value, json};

pub(crate) const TOKEN: &str = "a-seeded-token";
pub(crate) const TEAM: &str = "team@group.calendar.google.com";
pub(crate) const HOLIDAYS: &str = "en.austrian#holiday@group.v.calendar.google.com";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:3000/oauth/google/callback";

pub(crate) fn ts(text: &str) -> Ts {
    text.parse().unwrap()
}

pub(crate) fn now() -> Ts {
    ts("2026-11-01T08:00:00Z")
}

/// Ann's second calendar, and holidays that she may read. Ann is there already.
pub(crate) fn stage(cloud: &mut Cloud) {
    let ann = PersonId::from("ann@example.com");
    let provider = cloud.add_person("holidays@example.org", "Holidays", "UTC", now()).unwrap();
    for (id, summary, owner, origin) in
        [(TEAM, "Team", &ann, Origin::People), (HOLIDAYS, "Holidays", &provider, Origin::Generated)]
    {
        let (id, owner) = (CalendarId::from(id), owner.clone());
        let time_zone = "Europe/Vienna".to_owned();
        cloud
            .add_calendar(NewCalendar { id, summary: summary.into(), time_zone, owner, origin }, now())
            .unwrap();
    }
    let holidays = CalendarId::from(HOLIDAYS);
    cloud.share(&holidays, &ann, Some(AccessRole::Reader), now()).unwrap();
    cloud.edit_list(&ann, &holidays, now(), |_| ()).unwrap();
}

/// A Google without a network, whose clock stands still.
pub(crate) struct Google {
    pub(crate) face: GoogleFace,
    pub(crate) clock: SimClock,
    pub(crate) faults: Arc<FaultPlan>,
    pub(crate) cal: CalendarId,
}

impl Google {
    pub(crate) fn new() -> Google {
        Google::with(GoogleConfig::default())
    }

    pub(crate) fn with(mut config: GoogleConfig) -> Google {
        config.clients = ["app", "tester"].map(client).into();
        let (cloud, clock) = (SharedCloud::new(1, Limits::default()), SimClock::still(now()));
        let faults = Arc::new(FaultPlan::new(1, &Rates::new()));
        let ann = cloud.with(|c| c.add_person("ann@example.com", "Ann", "Europe/Vienna", now())).unwrap();
        cloud.with(|c| c.add_person("bob@example.com", "Bob", "Europe/Vienna", now())).unwrap();
        cloud.with(stage);
        let face = GoogleFace::new(cloud, clock.clone(), Arc::clone(&faults), 1, config);
        face.seed_token(&ann, TOKEN);
        Google { face, clock, faults, cal: CalendarId::from("ann@example.com") }
    }

    pub(crate) fn ask(&self, request: &ApiRequest) -> Answer {
        match self.face.reply(request) {
            Reply::Answer(answer) => answer,
            Reply::Dropped => panic!("dropped"),
        }
    }

    /// Asks as Ann.
    pub(crate) fn send(&self, request: ApiRequest) -> (u16, Value) {
        let answer = self.ask(&request.bearer(TOKEN));
        (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
    }

    pub(crate) fn get(&self, target: &str) -> (u16, Value) {
        self.send(ApiRequest::new("GET", &format!("/calendar/v3/{target}")))
    }

    /// Asks and demands 200.
    pub(crate) fn good(&self, target: &str) -> Value {
        let (status, body) = self.get(target);
        assert_eq!(status, 200, "{target}: {body}");
        body
    }

    pub(crate) fn write(&self, method: &str, target: &str, body: &Value) -> (u16, Value) {
        self.send(ApiRequest::new(method, &format!("/calendar/v3/{target}")).json(body))
    }

    pub(crate) fn insert(&self, body: &Value) -> Value {
        let (status, body) = self.write("POST", "calendars/primary/events", body);
        assert_eq!(status, 200, "{body}");
        body
    }

    /// All items of a listing and its sync token, page by page.
    pub(crate) fn walk(&self, query: &str) -> (Vec<Value>, Option<String>) {
        let (mut items, mut token) = (Vec::new(), String::new());
        for _ in 0..200 {
            let page = self.good(&format!("calendars/primary/events?{query}{token}"));
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["nextPageToken"].as_str() {
                Some(next) => token = format!("&pageToken={next}"),
                None => return (items, page["nextSyncToken"].as_str().map(str::to_owned)),
            }
        }
        panic!("the walk does not end");
    }

    /// Acts as Ann, in her main calendar.
    pub(crate) fn person<T>(&self, act: impl FnOnce(&mut Cloud, &CalendarId, Ts) -> T) -> T {
        let now = self.clock.now();
        self.face.cloud().with(|cloud| act(cloud, &self.cal, now))
    }
}

/// A registered program; `tester` is in testing.
pub(crate) fn client(id: &str) -> OauthClient {
    let stage = if id == "tester" { Stage::Testing } else { Stage::InProduction };
    let (id, project) = (id.to_owned(), format!("project-of-{id}"));
    OauthClient { id, secret: "s3cret".into(), redirect_uris: vec![REDIRECT.into()], project, stage }
}

/// The first reason of an error body.
pub(crate) fn reason(body: &Value) -> &str {
    body["error"]["errors"][0]["reason"].as_str().unwrap_or("")
}

/// An hour on a day of November 2026.
pub(crate) fn hour(summary: &str, day: u8) -> Value {
    json!({
        "summary": summary,
        "start": {"dateTime": format!("2026-11-{day:02}T09:00:00Z")},
        "end": {"dateTime": format!("2026-11-{day:02}T10:00:00Z")},
    })
}

/// The same as a typed content.
pub(crate) fn content(summary: &str, day: u8) -> Content {
    let at = |h: u8| ts(&format!("2026-11-{day:02}T{h:02}:00:00Z"));
    Content::timed(summary, at(9), at(10), "Europe/Vienna")
}

/// The names of an object's fields, sorted: their order says nothing.
pub(crate) fn fields(of: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = of.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}
