//! The simulator as one thing to start: a cloud, the look-alikes of Google and Microsoft on a loopback port each, and the
//! delivery of their notifications. It listens on loopback only.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use calsync_core::time::Ts;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::SimClock;
use crate::cloud::names::{CalendarId, PersonId};
use crate::cloud::{CloudError, Limits, SharedCloud};
use crate::faults::{FaultPlan, Rates};
use crate::google::push::{PushCounts, PushTimes};
use crate::google::{GoogleConfig, GoogleFace, push};
use crate::http;
use crate::microsoft::push as microsoft_push;
use crate::microsoft::{MicrosoftConfig, MicrosoftFace};

/// How long requests under way may take to end.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// Whether notifications are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// To the webhooks that programs name, if those are on this machine.
    On(PushTimes),
    /// They stay in the cloud's outbox, for whoever takes them there.
    Off,
}

/// What to start.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// The port of Google's look-alike; nothing: any free one.
    pub google_port: Option<u16>,
    /// The port of Microsoft's look-alike; nothing: any free one.
    pub microsoft_port: Option<u16>,
    /// From this everything that looks like chance is made.
    pub seed: u64,
    /// The cloud's time.
    pub clock: SimClock,
    /// Whether notifications are delivered.
    pub push: Push,
    /// What goes wrong, and how often.
    pub faults: Rates,
    /// How much the cloud may hold.
    pub limits: Limits,
    /// Google's clients, quotas and life times.
    pub google: GoogleConfig,
    /// Microsoft's programs, limits and life times.
    pub microsoft: MicrosoftConfig,
    /// The zone of seeded people's calendars.
    pub time_zone: String,
}

impl SimConfig {
    /// A simulator without faults whose clock shows `now` and runs on from there.
    pub fn starting_at(now: Ts) -> SimConfig {
        SimConfig {
            google_port: None,
            microsoft_port: None,
            seed: 1,
            clock: SimClock::running(now),
            push: Push::On(PushTimes::default()),
            faults: Rates::new(),
            limits: Limits::default(),
            google: GoogleConfig::default(),
            microsoft: MicrosoftConfig::default(),
            time_zone: "Europe/Vienna".to_owned(),
        }
    }
}

/// Why it did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken, or not ours to take.
    #[error("cannot listen on port {port}: {source}")]
    Port {
        /// Which.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
}

/// A simulator to be started.
#[derive(Debug)]
pub struct Simulator;

impl Simulator {
    /// Starts it. It runs until [`RunningSimulator::shutdown`], or until dropped.
    ///
    /// # Errors
    /// If the port cannot be listened on.
    pub async fn start(config: SimConfig) -> Result<RunningSimulator, StartError> {
        let (google_listener, google_address) = listen(config.google_port).await?;
        let (microsoft_listener, microsoft_address) = listen(config.microsoft_port).await?;
        let (seed, clock) = (config.seed, config.clock);
        let cloud = SharedCloud::new(seed, config.limits);
        let faults = Arc::new(FaultPlan::new(seed, &config.faults));
        let google = GoogleFace::new(cloud.clone(), clock.clone(), Arc::clone(&faults), seed, config.google);
        let microsoft =
            MicrosoftFace::new(cloud.clone(), clock.clone(), Arc::clone(&faults), seed, config.microsoft);
        let (google, microsoft) = (Arc::new(google), Arc::new(microsoft));
        let (stop, stopped) = watch::channel(false);
        let (counts, microsoft_counts) = (Arc::new(PushCounts::default()), Arc::new(PushCounts::default()));
        let mut tasks = vec![
            tokio::spawn(serve(google_listener, http::router(Arc::clone(&google)), stopped.clone())),
            tokio::spawn(serve(microsoft_listener, http::router(Arc::clone(&microsoft)), stopped.clone())),
        ];
        if let Push::On(times) = config.push {
            let (google, counts) = (Arc::clone(&google), Arc::clone(&counts));
            tasks.push(tokio::spawn(push::run(google, times, counts, stopped.clone())));
            let (microsoft, counts) = (Arc::clone(&microsoft), Arc::clone(&microsoft_counts));
            tasks.push(tokio::spawn(microsoft_push::run(microsoft, times, counts, stopped)));
        }
        let time_zone = config.time_zone;
        let (google_side, microsoft_side) = (
            Side { address: google_address, face: google, counts },
            Side { address: microsoft_address, face: microsoft, counts: microsoft_counts },
        );
        Ok(RunningSimulator {
            google: google_side,
            microsoft: microsoft_side,
            cloud,
            faults,
            clock,
            time_zone,
            stop,
            tasks,
        })
    }
}

async fn listen(port: Option<u16>) -> Result<(TcpListener, SocketAddr), StartError> {
    let port = port.unwrap_or(0);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.map_err(|source| StartError::Port { port, source })?;
    let address = listener.local_addr().map_err(|source| StartError::Port { port, source })?;
    Ok((listener, address))
}

async fn serve(listener: TcpListener, router: Router, mut ends: watch::Receiver<bool>) {
    let until = async move {
        let _ = ends.wait_for(|stop| *stop).await;
    };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until).await {
        tracing::error!(%error, "the look-alike has stopped");
    }
}

/// One provider's look-alike.
#[derive(Debug)]
struct Side<F> {
    address: SocketAddr,
    face: Arc<F>,
    counts: Arc<PushCounts>,
}

/// A simulator that runs.
#[derive(Debug)]
pub struct RunningSimulator {
    google: Side<GoogleFace>,
    microsoft: Side<MicrosoftFace>,
    cloud: SharedCloud,
    faults: Arc<FaultPlan>,
    clock: SimClock,
    time_zone: String,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl RunningSimulator {
    /// Where Google's look-alike is: `http://127.0.0.1:PORT`. Below it stand `/calendar/v3/`, `/o/oauth2/v2/auth`,
    /// `/token`, `/revoke`, `/tokeninfo`, `/v1/userinfo` and `/batch/calendar/v3`.
    pub fn google_base_url(&self) -> String {
        format!("http://{}", self.google.address)
    }

    /// Where Microsoft's look-alike is: `http://127.0.0.1:PORT`. Below it stand `/v1.0/` and
    /// `/{tenant}/oauth2/v2.0/authorize` and `/token`.
    pub fn microsoft_base_url(&self) -> String {
        format!("http://{}", self.microsoft.address)
    }

    /// The cloud, to act as its people.
    pub fn cloud(&self) -> &SharedCloud {
        &self.cloud
    }

    /// Google's side, to end tokens, revoke grants and the like.
    pub fn google(&self) -> &Arc<GoogleFace> {
        &self.google.face
    }

    /// Microsoft's side, to end sessions, tell subscriptions what befell them and the like.
    pub fn microsoft(&self) -> &Arc<MicrosoftFace> {
        &self.microsoft.face
    }

    /// What goes wrong.
    pub fn faults(&self) -> &FaultPlan {
        &self.faults
    }

    /// The cloud's time.
    pub fn clock(&self) -> &SimClock {
        &self.clock
    }

    /// What became of Google's notifications.
    pub fn push_counts(&self) -> &PushCounts {
        &self.google.counts
    }

    /// What became of Microsoft's notifications.
    pub fn microsoft_push_counts(&self) -> &PushCounts {
        &self.microsoft.counts
    }

    /// Somebody new (or known) with a main calendar and a bearer token of the caller's choosing that holds at both
    /// providers until revoked. Returns the ids of their calendars.
    ///
    /// # Errors
    /// If the cloud is full or its zone is unknown.
    pub fn seed_person(&self, email: &str, token: &str) -> Result<Vec<CalendarId>, CloudError> {
        let name = email.split('@').next().unwrap_or(email);
        let now = self.clock.now();
        let id: PersonId = self.cloud.with(|cloud| cloud.add_person(email, name, &self.time_zone, now))?;
        self.google.face.seed_token(&id, token);
        self.microsoft.face.seed_token(&id, token);
        Ok(self
            .cloud
            .with(|cloud| cloud.person(&id).map(|p| p.list().keys().cloned().collect()).unwrap_or_default()))
    }

    /// Stops listening and delivering, and waits until both have ended.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        for mut task in self.tasks.drain(..) {
            // A client that never ends its request must not keep us.
            if tokio::time::timeout(SHUTDOWN_PATIENCE, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

impl Drop for RunningSimulator {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        for task in &self.tasks {
            task.abort();
        }
    }
}
