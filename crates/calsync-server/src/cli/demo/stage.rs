//! The stage: cloud, service and people, and the course of a demo.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use calsync_core::calendar::{ProviderKind, User};
use calsync_core::ids::UserId;
use calsync_core::ports::{CalendarChange, IdGen, Switch, Wish};
use calsync_core::secret::Secret;
use calsync_core::time::Window;
use calsync_engine::StepReport;
use calsync_sim::cloud::names::CalendarId as RemoteId;
use calsync_sim::cloud::watch::Provider;
use calsync_sim::faults::{self, Fault, Rates};
use calsync_sim::google::push::PushTimes;
use calsync_sim::google::{GoogleConfig, OauthClient, Stage as ConsentStage};
use calsync_sim::life::Life;
use calsync_sim::microsoft::{self, Audience, MicrosoftConfig};
use calsync_sim::oracle::{self, Judgement};
use calsync_sim::{Push, RunningSimulator, SimConfig, Simulator};

use super::DemoArgs;
use super::instance::{self, Instance};
use super::tell::Story;
use crate::config::{self, DatabaseUrl, Sources};
use crate::http::METRICS_PATH;
use crate::out::Out;
use crate::secrets::{Keyring, SealingKey, identity};
use crate::service::connect::Callback;
use crate::service::{Observer, Service};
use crate::storage;
use crate::system::{SystemClock, SystemRandom};

/// The service's OAuth client at the simulated provider.
const CLIENT: &str = "calendar-sync-demo";
const CLIENT_SECRET: &str = "not-a-secret-in-a-demo";
const REDIRECT: &str = "http://127.0.0.1/callback";
/// Faults per million chances, with `--faults`.
const FAULT_RATE: u32 = 30_000;
/// Between two deeds, in milliseconds: about this long, give or take a half.
const PACE_MS: u64 = 300;
/// One deed in so many is a hand laid on a block.
const MEDDLE_ONE_IN: u64 = 15;

pub(super) type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Everything that runs.
pub(super) struct Stage {
    pub(super) sim: RunningSimulator,
    /// The first instance, by which people are connected.
    pub(super) service: Arc<Service>,
    instances: Vec<Instance>,
    pub(super) began: calsync_core::time::Ts,
    story: Arc<Mutex<Story>>,
    faulty: bool,
    /// Removed with everything in it when the demo ends.
    _directory: tempfile::TempDir,
}

/// Life so far.
pub(super) struct Lived {
    pub(super) life: Life,
    pub(super) deeds: u64,
}

impl Stage {
    /// Starts the cloud and the service, and connects everybody.
    pub(super) async fn set(args: &DemoArgs, out: Out) -> Fallible<Stage> {
        let clock = SystemClock;
        let began = calsync_core::ports::Clock::now(&clock);
        let sim = simulator(args, began).await?;
        let homes = args.provider.into();
        let life = sim.cloud().with(|cloud| Life::begin_at(cloud, args.seed, (2, 3), homes, began))?;
        let directory = tempfile::tempdir()?;
        let file = DatabaseUrl::parse(&format!("sqlite://{}", directory.path().join("demo.db").display()));
        let database = args.database.clone().or(file).ok_or("there is no place for a database")?;
        let story = Arc::new(Mutex::new(Story::new(life, sim.microsoft().clone(), out)));
        let told = story.clone();
        let observer: Observer = Arc::new(move |report: &StepReport| {
            told.lock().unwrap_or_else(PoisonError::into_inner).hear(report);
        });
        let ring = Keyring::new(SealingKey::generate(&SystemRandom), vec![]);
        let token = SystemRandom.token();
        let mut instances = Vec::new();
        for _ in 0..args.instances {
            let port = instance::port().await?;
            let settings = settings(&sim, port.1, &database, args.redis.as_ref(), &token)?;
            if instances.is_empty() {
                refuse_used(&settings).await?;
            }
            instances.push(Instance::start(port, settings, &ring, observer.clone()).await?);
        }
        let service = instances.first().ok_or("there is no instance")?.service.clone();
        let faulty = args.faults;
        let stage = Stage { sim, service, instances, began, story, faulty, _directory: directory };
        stage.connect_everybody().await?;
        Ok(stage)
    }

    /// Stores what all instances have counted of calls.
    pub(super) async fn count_calls(&self) {
        for instance in &self.instances {
            instance.service.flush_statistics().await;
        }
    }

    fn story<T>(&self, act: impl FnOnce(&mut Story) -> T) -> T {
        act(&mut self.story.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Each person becomes a user, signs in at the provider by the real OAuth flow, and switches all calendars on.
    async fn connect_everybody(&self) -> Fallible<()> {
        let people = self.story(|s| s.life.people.clone());
        let now = self.service.clock.now();
        for person in people {
            let user = UserId(SystemRandom.uuid(now));
            let email = person.email.to_string();
            self.service
                .store
                .add_user(&User { id: user, email: email.clone(), is_staff: false, created_at: now })
                .await?;
            for (provider, address) in &person.accounts {
                self.sign_in(user, *provider, address.as_str()).await?;
            }
            let state = self.service.store.user_state(user).await?.ok_or("the user is gone")?;
            for calendar in state.calendars {
                let account = state.accounts.iter().find(|a| a.id == calendar.account);
                let provider = account.ok_or("a calendar has no account")?.provider;
                let on = CalendarChange::SyncEnabled(Switch::On);
                self.service.store.change_calendar(calendar.id, on, now).await?;
                self.story(|s| s.meet(&person, provider, &calendar));
            }
        }
        self.service.wake();
        self.service.engine.maintain_subscriptions().await?;
        self.service.wake();
        Ok(())
    }

    async fn sign_in(&self, user: UserId, at: Provider, email: &str) -> Fallible<()> {
        let provider = match at {
            Provider::Google => ProviderKind::Google,
            Provider::Microsoft => ProviderKind::Microsoft,
        };
        let begun = self.service.provider(provider)?.authorize(REDIRECT, Some(email));
        let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let answer = browser.get(begun.url.clone()).send().await?;
        let back =
            answer.headers().get("location").and_then(|v| v.to_str().ok()).ok_or("no redirect back")?;
        let back = url::Url::parse(back)?;
        let code = back.query_pairs().find(|(k, _)| k == "code").ok_or("no code came back")?.1.into_owned();
        let code = Secret::new(code);
        let callback = Callback { code: &code, verifier: &begun.verifier, redirect_uri: REDIRECT };
        self.service.connect(provider, user, None, &callback).await?;
        Ok(())
    }

    /// Says what runs where.
    pub(super) fn introduce(&self, out: Out) {
        let people = self.story(|s| {
            let name = |p: &calsync_sim::life::Somebody| {
                let homes = p.accounts.iter().map(|(at, _)| at.name()).collect::<Vec<_>>().join(" and ");
                format!("{} ({}, {} calendars at {homes})", p.name, p.zone, p.calendars.len())
            };
            s.life.people.iter().map(name).collect::<Vec<_>>().join(" and ")
        });
        let faults = if self.faulty { " It has bad days." } else { "" };
        let at = |i: &Instance| format!("http://{}/webhooks/health/", i.address);
        let services = self.instances.iter().map(at).collect::<Vec<_>>().join("\n                  ");
        let metrics = self.instances.iter().map(|i| format!("http://{}{METRICS_PATH}", i.address));
        let metrics = metrics.collect::<Vec<_>>().join("\n                  ");
        let token = self.service.settings.monitoring.token.as_ref().map_or("", Secret::expose);
        self.tell(
            out,
            &format!(
                "calendar-sync demo: everything runs on this machine.\n  service         {services}\n  \
             metrics         {metrics}\n                  with the bearer token {token}\n  \
             calendar cloud  {} (simulated Google Calendar)\n                  {} (simulated Microsoft Graph).{faults}\n  \
             people          {people}\n",
                self.sim.google_base_url(),
                self.sim.microsoft_base_url(),
            ),
        );
    }

    fn tell(&self, out: Out, text: &str) {
        if out.format == crate::out::Format::Text {
            out.line(text);
        }
    }

    /// Lets life happen until the time is over or somebody presses Ctrl-C.
    pub(super) async fn live(&self, args: &DemoArgs, _out: Out) -> Lived {
        // The first fill comes first: who starts with a move should see the block move.
        self.wait_until_quiet(Duration::from_secs(20)).await;
        self.story(Story::filled);
        if self.faulty {
            self.sim.faults().switch_on();
        }
        let began = Instant::now();
        let mut deeds = 0;
        let mut dice = calsync_sim::rng::Rng::new(args.seed ^ 0x0000_ace5);
        let ctrl_c = tokio::signal::ctrl_c();
        tokio::pin!(ctrl_c);
        while args.length.is_none_or(|length| began.elapsed() < length) {
            let now = self.sim.clock().now();
            let meddles = dice.below(MEDDLE_ONE_IN) == 0;
            self.story(|story| {
                let deed = self.sim.cloud().with(|cloud| {
                    if meddles { story.life.meddle(cloud, CLIENT, now) } else { story.life.act(cloud, now) }
                });
                if let Some(deed) = deed {
                    deeds += 1;
                    story.note(deed);
                }
            });
            let pause = Duration::from_millis(PACE_MS / 2 + dice.below(PACE_MS));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = &mut ctrl_c => break,
            }
        }
        self.sim.faults().switch_off();
        Lived { life: self.story(|s| s.life.clone()), deeds }
    }

    /// Waits until nothing is on its way, then asks the oracle, until it agrees or the time is over.
    pub(super) async fn settle(&self, lived: &mut Lived, most: Duration, step: Duration) -> Judgement {
        let began = Instant::now();
        if self.faulty {
            // A lost notification would be found by the next probe or the daily listing; nobody wants to wait for that.
            self.wait_until_quiet(Duration::from_secs(10)).await;
            self.read_everything().await;
        }
        loop {
            self.wait_until_quiet(most.saturating_sub(began.elapsed())).await;
            let judgement = self.judge(&lived.life);
            if judgement.is_good() || began.elapsed() >= most {
                self.story(Story::finish);
                return judgement;
            }
            tokio::time::sleep(step).await;
        }
    }

    async fn read_everything(&self) {
        let mut all = Vec::new();
        for user in self.service.store.users().await.unwrap_or_default() {
            if let Ok(Some(state)) = self.service.store.user_state(user.id).await {
                all.extend(state.calendars.iter().map(|c| c.id));
            }
        }
        if self.service.engine.sync_now(&all, Wish::Full).await.is_ok() {
            self.service.wake();
        }
    }

    /// Waits until no notice is on its way and no calendar is due within the next moment.
    async fn wait_until_quiet(&self, most: Duration) {
        let began = Instant::now();
        let mut quiet = 0;
        while quiet < 4 && began.elapsed() < most {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let notices = self.sim.cloud().with(|cloud| cloud.watch().waiting());
            let soon = self.service.clock.now().plus(jiff::SignedDuration::from_millis(500));
            let due = self.service.store.next_due().await.ok().flatten().is_some_and(|at| at <= soon);
            quiet = if notices == 0 && !due { quiet + 1 } else { 0 };
        }
    }

    fn judge(&self, life: &Life) -> Judgement {
        let sync = &self.service.settings.sync;
        let window =
            Window::sliding(self.service.clock.now(), sync.window_past_days, sync.window_future_days);
        let mesh: Vec<(RemoteId, RemoteId)> = life.mesh();
        self.sim.cloud().with(|cloud| oracle::judge(cloud, CLIENT, &mesh, &window))
    }

    /// What was heard of the service's steps.
    pub(super) fn heard<T>(&self, ask: impl FnOnce(&Story) -> T) -> T {
        self.story(|s| ask(s))
    }

    /// Stops everything.
    pub(super) async fn end(self) {
        for instance in self.instances {
            instance.end().await;
        }
        self.sim.shutdown().await;
    }
}

async fn simulator(args: &DemoArgs, now: calsync_core::time::Ts) -> Fallible<RunningSimulator> {
    let client = OauthClient {
        id: CLIENT.to_owned(),
        secret: CLIENT_SECRET.to_owned(),
        redirect_uris: vec![REDIRECT.to_owned()],
        project: CLIENT.to_owned(),
        stage: ConsentStage::InProduction,
    };
    let times = PushTimes {
        late: Duration::from_secs(2),
        first_wait: Duration::from_millis(200),
        ..PushTimes::default()
    };
    let mut rates: Rates = if args.faults { faults::every_fault(FAULT_RATE) } else { Rates::new() };
    // A throttled client waits for as long as it is told, half a minute at least: a demo has no time for many of these.
    for throttling in [Fault::TooManyRequests, Fault::RateLimited] {
        rates.entry(throttling).and_modify(|rate| *rate /= 10);
    }
    let google = GoogleConfig { clients: vec![client], ..GoogleConfig::default() };
    let program = microsoft::OauthClient {
        id: CLIENT.to_owned(),
        secret: CLIENT_SECRET.to_owned(),
        secret_until: None,
        redirect_uris: vec![REDIRECT.to_owned()],
        audience: Audience::Everybody,
    };
    let microsoft = MicrosoftConfig { clients: vec![program], ..MicrosoftConfig::default() };
    let config = SimConfig {
        seed: args.seed,
        push: Push::On(times),
        faults: rates,
        google,
        microsoft,
        ..SimConfig::starting_at(now)
    };
    let sim = Simulator::start(config).await?;
    sim.faults().switch_off();
    Ok(sim)
}

/// A demo puts people into the database, and its key is thrown away: it must be nobody's.
async fn refuse_used(settings: &config::Settings) -> Fallible<()> {
    let store = storage::open(&settings.database, storage::Migrate::Run).await?;
    let used = !store.users().await?.is_empty() || identity::sealed(store.as_ref()).await?.is_some();
    store.close().await;
    if used { Err("the database is in use: name an empty one".into()) } else { Ok(()) }
}

/// The service's settings: everything at the simulator, nothing outside this machine.
fn settings(
    sim: &RunningSimulator,
    address: SocketAddr,
    database: &DatabaseUrl,
    redis: Option<&Secret>,
    token: &Secret,
) -> Fallible<config::Settings> {
    let (base, graph) = (sim.google_base_url(), sim.microsoft_base_url());
    let values = [
        ("SERVER__BIND", address.to_string()),
        ("SERVER__PUBLIC_URL", format!("http://{address}")),
        ("DATABASE__URL", database.expose().to_owned()),
        ("GOOGLE__CLIENT_ID", CLIENT.to_owned()),
        ("GOOGLE__CLIENT_SECRET", CLIENT_SECRET.to_owned()),
        ("GOOGLE__AUTH_URL", format!("{base}/o/oauth2/v2/auth")),
        ("GOOGLE__TOKEN_URL", format!("{base}/token")),
        ("GOOGLE__REVOKE_URL", format!("{base}/revoke")),
        ("GOOGLE__USERINFO_URL", format!("{base}/v1/userinfo")),
        ("GOOGLE__API_BASE", format!("{base}/calendar/v3")),
        ("MICROSOFT__CLIENT_ID", CLIENT.to_owned()),
        ("MICROSOFT__CLIENT_SECRET", CLIENT_SECRET.to_owned()),
        ("MICROSOFT__AUTHORITY", graph.clone()),
        ("MICROSOFT__GRAPH_BASE", format!("{graph}/v1.0")),
        ("MONITORING__TOKEN", token.expose().to_owned()),
        ("SYNC__HOLD_RECHECK_SECONDS", "1".to_owned()),
        // As much as the simulated providers take: a demo lives weeks in seconds.
        ("GOOGLE__WRITES_PER_MINUTE", "600".to_owned()),
        ("MICROSOFT__WRITES_PER_MINUTE", "600".to_owned()),
    ];
    let redis = redis.map(|url| ("REDIS__URL", url.expose().to_owned()));
    let named = values.into_iter().chain(redis).map(|(key, value)| (format!("CALENDAR_SYNC__{key}"), value));
    Ok(config::load(&Sources::new(None, named))?.settings)
}
