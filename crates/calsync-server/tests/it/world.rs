//! A simulated calendar cloud with people in it, and the program connected to their accounts by the real sign-in.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::Duration;

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::Store;
use calsync_core::time::{Ts, Window};
use calsync_sim::cloud::calendar::{NewCalendar, Origin};
use calsync_sim::cloud::content::Content;
use calsync_sim::cloud::event::Event;
use calsync_sim::cloud::names::{CalendarId, EventId, PersonId};
use calsync_sim::google::push::PushTimes;
use calsync_sim::google::{GoogleConfig, OauthClient, Stage};
use calsync_sim::microsoft::{Audience, MicrosoftConfig, OauthClient as App};
use calsync_sim::oracle::{self, Judgement};
use calsync_sim::{Push, RunningSimulator, SimConfig, Simulator};
use calsync_testbed::port::Port;
use jiff::SignedDuration;
use serde_json::Value;

use crate::channels::now;
use crate::place::{Place, Ran, until};
use crate::web::{client, get};
use crate::wire::Wire;

pub(crate) const CLIENT: &str = "calendar-sync-under-test";
pub(crate) const CLIENT_SECRET: &str = "GOCSPX-client7secret";
pub(crate) const ADA: &str = "ada@example.com";
/// The secret of the app at Microsoft, whose id is the same.
pub(crate) const APP_SECRET: &str = "7pQ8Q~app7secret";
/// How long a change may take to become a block.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// The cloud, and the place of the program.
pub(crate) struct World {
    pub(crate) sim: RunningSimulator,
    /// Between the program and Microsoft's look-alike.
    pub(crate) graph: Wire,
    pub(crate) place: Place,
    /// Port of the loopback address that sign-ins come back to.
    pub(crate) callback: Port,
}

impl World {
    /// An empty cloud; a database that is migrated, with a key, and nobody in it.
    pub(crate) async fn new(seed: u64) -> World {
        World::around(Place::new(), seed).await
    }

    /// The same around a place that is there already.
    pub(crate) async fn around(place: Place, seed: u64) -> World {
        World::where_both(place, seed, |_, _| ()).await
    }

    /// Ada with her main calendar and one called `Work` in a cloud that differs in something; nobody is connected.
    pub(crate) async fn where_google(seed: u64, differs: impl FnOnce(&mut GoogleConfig)) -> World {
        World::where_google_on(Place::new(), seed, differs).await
    }

    /// The same in a place of one's own.
    pub(crate) async fn where_google_on(
        place: Place,
        seed: u64,
        differs: impl FnOnce(&mut GoogleConfig),
    ) -> World {
        let world = World::where_both(place, seed, |google, _| differs(google)).await;
        world.add_ada();
        world
    }

    /// The same with a Microsoft that differs in something.
    pub(crate) async fn where_microsoft(
        place: Place,
        seed: u64,
        differs: impl FnOnce(&mut MicrosoftConfig),
    ) -> World {
        World::where_both(place, seed, |_, microsoft| differs(microsoft)).await
    }

    async fn where_both(
        mut place: Place,
        seed: u64,
        differs: impl FnOnce(&mut GoogleConfig, &mut MicrosoftConfig),
    ) -> World {
        // The command listens on 127.0.0.1 itself.
        let reserved = Port::reserve();
        let callback = reserved.number();
        let client = OauthClient {
            id: CLIENT.to_owned(),
            secret: CLIENT_SECRET.to_owned(),
            redirect_uris: vec![
                format!("http://127.0.0.1:{callback}/callback"),
                place.url("/oauth/google/callback"),
            ],
            project: CLIENT.to_owned(),
            stage: Stage::InProduction,
        };
        let first_wait = Duration::from_millis(100);
        let late = Duration::from_secs(2);
        let times = PushTimes { tries: 8, first_wait, late, ..PushTimes::default() };
        // What a person's programs may ask in a minute: a test lives faster than a person.
        let mut google = GoogleConfig {
            clients: vec![client],
            requests_per_user: 100_000,
            requests_per_project: 1_000_000,
            writes_per_calendar: 100_000,
            ..GoogleConfig::default()
        };
        let app = App {
            id: CLIENT.to_owned(),
            secret: APP_SECRET.to_owned(),
            secret_until: None,
            // There a loopback address must go by its name (docs/providers/microsoft.md).
            redirect_uris: vec![
                format!("http://localhost:{callback}/callback"),
                place.url("/oauth/microsoft/callback"),
            ],
            audience: Audience::Everybody,
        };
        let mut microsoft = MicrosoftConfig { clients: vec![app], ..MicrosoftConfig::default() };
        differs(&mut google, &mut microsoft);
        let config =
            SimConfig { seed, push: Push::On(times), google, microsoft, ..SimConfig::starting_at(now()) };
        let sim = Simulator::start(config).await.unwrap();
        let graph = Wire::to(sim.microsoft_base_url());
        let (base, there) = (sim.google_base_url(), graph.url());
        for (key, value) in [
            ("GOOGLE__CLIENT_ID", CLIENT.to_owned()),
            ("GOOGLE__CLIENT_SECRET", CLIENT_SECRET.to_owned()),
            ("GOOGLE__AUTH_URL", format!("{base}/o/oauth2/v2/auth")),
            ("GOOGLE__TOKEN_URL", format!("{base}/token")),
            ("GOOGLE__REVOKE_URL", format!("{base}/revoke")),
            ("GOOGLE__USERINFO_URL", format!("{base}/v1/userinfo")),
            ("GOOGLE__API_BASE", format!("{base}/calendar/v3")),
            ("MICROSOFT__CLIENT_ID", CLIENT.to_owned()),
            ("MICROSOFT__CLIENT_SECRET", APP_SECRET.to_owned()),
            ("MICROSOFT__AUTHORITY", format!("{there}/")),
            ("MICROSOFT__GRAPH_BASE", format!("{there}/v1.0/")),
        ] {
            place.set(key, value);
        }
        place.run(&["migrate"]).expect(0);
        place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
        World { sim, graph, place, callback: reserved }
    }

    /// Ada with her main calendar and one called `Work`; both connected and switched on.
    pub(crate) async fn with_ada(seed: u64) -> (World, CalendarId, CalendarId) {
        let world = World::new(seed).await;
        let (main, work) = world.add_ada();
        world.sign_in(ADA).await;
        world.enable_all();
        (world, main, work)
    }

    /// Ada with both of her calendars, at the provider alone.
    pub(crate) fn add_ada(&self) -> (CalendarId, CalendarId) {
        let (main, work) = (CalendarId::from(ADA), CalendarId::from("work@group.calendar.google.com"));
        self.sim.cloud().with(|cloud| {
            let ada = cloud.add_person(ADA, "Ada", "Europe/Vienna", now()).unwrap();
            cloud.add_calendar(calendar(&work, "Work", &ada), now()).unwrap();
        });
        (main, work)
    }

    /// Signs somebody in as a browser would: `accounts connect` prints a link, which is followed, and comes back.
    pub(crate) async fn sign_in(&self, email: &str) -> Value {
        self.place.run(&["users", "add", email]).expect(0);
        self.connect(email).await
    }

    /// The same for a user who is there already.
    pub(crate) async fn connect(&self, email: &str) -> Value {
        self.connect_at(ProviderKind::Google, email, email).await.expect(0).json()
    }

    /// Lets a user sign in to an account of theirs, and tells what came of it.
    pub(crate) async fn connect_at(&self, provider: ProviderKind, user: &str, email: &str) -> Ran {
        let port = self.callback.number().to_string();
        let mut command = self.place.command(&["accounts", "connect", user, "--json", "--port", &port]);
        command.args(["--provider", provider.as_str(), "--login-hint", email]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let (mut said, mut link) = (String::new(), None);
        while link.is_none() && stderr.read_line(&mut said).unwrap() > 0 {
            link = said.lines().last().filter(|line| line.starts_with("http")).map(str::to_owned);
        }
        let link = link.unwrap_or_else(|| panic!("no link was printed: {said}"));
        let answer = client().get(&link).send().await.unwrap();
        assert_eq!(answer.status(), 302, "the look-alike sends people back");
        let back = answer.headers()["location"].to_str().unwrap().to_owned();
        let page = get(&back).await;
        let mut err = String::new();
        stderr.read_to_string(&mut err).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = if output.status.success() { "Connected" } else { "Not connected" };
        assert!(page.status == 200 && page.body.starts_with(said), "{page:?} {err}");
        let out = String::from_utf8(output.stdout).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), out, err }
    }

    /// A refresh token, got by a program of somebody else's at the same client.
    pub(crate) async fn refresh_token(&self, email: &str) -> String {
        let redirect = format!("http://127.0.0.1:{}/callback", self.callback.number());
        let base = self.sim.google_base_url();
        let scope = "openid email https://www.googleapis.com/auth/calendar.events \
                     https://www.googleapis.com/auth/calendar.calendarlist.readonly";
        let asked = client()
            .get(format!("{base}/o/oauth2/v2/auth"))
            .query(&[
                ("client_id", CLIENT),
                ("redirect_uri", &redirect),
                ("response_type", "code"),
                ("scope", scope),
                ("access_type", "offline"),
                ("prompt", "consent"),
                ("login_hint", email),
            ])
            .send()
            .await
            .unwrap();
        let back = url::Url::parse(asked.headers()["location"].to_str().unwrap()).unwrap();
        let code = back.query_pairs().find(|(k, _)| k == "code").unwrap().1.into_owned();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("client_id", CLIENT),
            ("client_secret", CLIENT_SECRET),
            ("redirect_uri", &redirect),
        ];
        let tokens = client().post(format!("{base}/token")).form(&form).send().await.unwrap();
        let tokens: Value = tokens.json().await.unwrap();
        tokens["refresh_token"].as_str().unwrap().to_owned()
    }

    /// Switches every calendar on.
    pub(crate) fn enable_all(&self) {
        let list = self.place.run(&["calendars", "list", "--json"]).expect(0).json();
        for calendar in list.as_array().unwrap() {
            self.place.run(&["calendars", "enable", calendar["id"].as_str().unwrap()]).expect(0);
        }
    }

    /// This service's id of a calendar.
    pub(crate) fn id_of(&self, remote: &CalendarId) -> String {
        self.id_of_remote(remote.as_str())
    }

    /// The same by the id that its provider shows.
    pub(crate) fn id_of_remote(&self, remote: &str) -> String {
        let list = self.place.run(&["calendars", "list", "--json"]).expect(0).json();
        let found = list.as_array().unwrap().iter().find(|c| c["remote_id"] == remote);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// Somebody makes an event.
    pub(crate) fn make(&self, calendar: &CalendarId, content: Content) -> EventId {
        let made = self.sim.cloud().with(|cloud| cloud.create_event(calendar, content, now()));
        made.unwrap().id.clone()
    }

    /// Blocks that stand in a calendar: what the program made there and nobody removed.
    pub(crate) fn blocks(&self, calendar: &CalendarId) -> Vec<std::sync::Arc<Event>> {
        self.sim.cloud().with(|cloud| {
            let made: std::collections::BTreeSet<EventId> = cloud
                .journal()
                .entries()
                .filter(|e| e.client.as_str() == CLIENT && e.calendar == *calendar)
                .map(|e| e.event.clone())
                .collect();
            cloud.live_events(calendar).into_iter().filter(|e| made.contains(&e.id)).collect()
        })
    }

    /// Writes that the program made so far.
    pub(crate) fn writes(&self) -> usize {
        self.sim
            .cloud()
            .with(|cloud| cloud.journal().entries().filter(|e| e.client.as_str() == CLIENT).count())
    }

    /// What this program did to the calendars, in words, from this write on.
    pub(crate) fn written_since(&self, writes: usize) -> Vec<String> {
        let told =
            |e: &calsync_sim::cloud::journal::Entry| format!("{:?} {} in {}", e.op, e.event, e.calendar);
        self.sim.cloud().with(|cloud| {
            let ours = cloud.journal().entries().filter(|e| e.client.as_str() == CLIENT);
            ours.skip(writes).map(told).collect()
        })
    }

    /// Waits until so many blocks stand in a calendar.
    pub(crate) async fn wait_for_blocks(&self, calendar: &CalendarId, count: usize, most: Duration) {
        until(&format!("{count} blocks in {calendar}"), most, async || {
            (self.blocks(calendar).len() == count).then_some(())
        })
        .await;
    }

    /// Waits until both calendars are watched: channels are open at the cloud, and the program knows it.
    pub(crate) async fn wait_for_channels(&self, count: usize) {
        until("push channels are open", Duration::from_secs(20), async || {
            let open = self.sim.cloud().with(|cloud| cloud.watch().channels().count());
            let known = self.place.look(async |s| s.subscription_metrics(now()).await.unwrap().active).await;
            (open == count && known == count as u64).then_some(())
        })
        .await;
    }

    /// The oracle's word.
    pub(crate) fn judge(&self, pairs: &[(CalendarId, CalendarId)]) -> Judgement {
        self.judge_within(pairs, 90)
    }

    /// The same, where blocks are kept for so many days ahead.
    pub(crate) fn judge_within(&self, pairs: &[(CalendarId, CalendarId)], days: u16) -> Judgement {
        let window = Window::sliding(now(), 1, days);
        self.sim.cloud().with(|cloud| oracle::judge(cloud, CLIENT, pairs, &window))
    }

    /// Nothing is to be done any more, says `plan`.
    pub(crate) fn plan_is_empty(&self) {
        let plan = self.place.run(&["plan", "--json"]).expect(0).json();
        assert_eq!(
            (&plan["actions"], &plan["held"]),
            (&serde_json::json!([]), &serde_json::json!([])),
            "{plan}"
        );
    }
}

/// A calendar of somebody's.
pub(crate) fn calendar(id: &CalendarId, summary: &str, owner: &PersonId) -> NewCalendar {
    NewCalendar {
        id: id.clone(),
        summary: summary.to_owned(),
        time_zone: "Europe/Vienna".to_owned(),
        owner: owner.clone(),
        origin: Origin::People,
    }
}

/// An hour, so many hours from now.
pub(crate) fn hour(title: &str, hours: i64) -> Content {
    let start = in_hours(hours);
    Content::timed(title, start, start.plus(SignedDuration::from_hours(1)), "Europe/Vienna")
}

/// The beginning of the hour that is so many hours from now.
pub(crate) fn in_hours(hours: i64) -> Ts {
    let micros = 3_600_000_000;
    Ts::from_micros(now().micros() / micros * micros).plus(SignedDuration::from_hours(hours))
}
