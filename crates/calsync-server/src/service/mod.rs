//! The running service: workers that step the engine, jobs that keep it going, and the web server in front. It starts
//! and stops things; it decides nothing about a calendar.

mod absence;
pub mod cleanup;
pub(crate) mod clients;
pub mod connect;
pub mod directory;
mod elsewhere;
mod jobs;
mod providers;
mod reach;
mod roles;
mod running;
mod scrape;
mod vitals;
mod watch;
mod workers;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use calsync_core::block::Identity;
use calsync_core::ports::{Clock, IdGen, Store};
use calsync_core::schedule::Intervals;
use calsync_engine::{Engine, EngineConfig, EngineError, StepReport};
use calsync_providers::stats::CallRecorder;
use jiff::SignedDuration;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alerting::{Channels, NoChannels};
use crate::cache::Fresh;
use crate::config::{RateLimitSettings, Settings};
use crate::http::{self, Limiter, Shelf};
use crate::metrics::{Metrics, Seen};
use crate::oidc::Oidc;
use crate::redis::Link;
use crate::secrets::Keyring;
use crate::system::{Random, SystemClock, SystemRandom};
use crate::web::{Links, Live, Passwords, Watchers};
use absence::Absence;
use directory::Directory;
pub use jobs::Round;
use providers::NoClient;
pub use roles::{Role, Roles};
use running::kept_alive;
pub use vitals::Vitals;
pub(crate) use vitals::data_directory;
pub use watch::Look;
pub(crate) use watch::{Teller, Word};

/// Why there is no service although the settings hold together.
#[derive(Debug, thiserror::Error)]
pub enum NotSetUp {
    /// Providers.
    #[error(transparent)]
    Providers(#[from] NoClient),
    /// The ways in which people are told.
    #[error(transparent)]
    Channels(#[from] NoChannels),
}

/// Told of every step that did something.
pub type Observer = Arc<dyn Fn(&StepReport) + Send + Sync>;

/// Renewals under way at once that a provider asked for: it may ask for thousands in one minute.
const RENEWALS_AT_ONCE: usize = 4;

/// Failed sign-ins that one client address, and one name, may have: enough for somebody who forgot, and too few for guessing.
const SIGN_INS: RateLimitSettings =
    RateLimitSettings { max_requests: 10, window: SignedDuration::from_mins(10) };

/// Everything that the web server, the workers and the commands share.
pub struct Service {
    /// Settings in force.
    pub settings: Settings,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The engine.
    pub engine: Engine,
    /// The providers.
    pub directory: Arc<Directory>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Failed authentications per client.
    pub limiter: Limiter,
    /// What instances share, where Redis is configured.
    pub redis: Option<Arc<Link>>,
    /// Failed sign-ins, per client and per name.
    pub sign_ins: Limiter,
    /// Passwords.
    pub passwords: Passwords,
    /// Links that let somebody in once.
    pub links: Links,
    /// The organisation's own sign-in, where there is one.
    pub oidc: Option<Oidc>,
    /// Open pages.
    pub live: Live,
    /// Who of the staff looked at monitoring lately.
    pub watchers: Watchers,
    /// The keys that seal what is stored.
    pub ring: Keyring,
    /// How well it is, as was seen a moment ago.
    pub vitals: Vitals,
    /// What this instance counts.
    pub metrics: Arc<Metrics>,
    /// What was seen of the fleet for the metrics, a moment ago.
    seen: Fresh<Seen>,
    /// Google's verification file, as it was seen last.
    pub shelf: Shelf,
    /// The ways in which people are told.
    pub channels: Channels,
    /// Calls to providers, until they are stored.
    pub recorder: Arc<CallRecorder>,
    /// This instance in leases: no other has the same name, and it has another one after a restart.
    pub owner: String,
    /// Whether it is known that the database is away.
    absence: Absence,
    /// Channels that are renewed just now because their provider asked for it.
    pub renewals: Arc<Semaphore>,
    /// Somebody is known to use this service.
    pub(crate) peopled: AtomicBool,
    clients: clients::Seen,
    observer: Observer,
    wake: Notify,
    /// Another instance may have made work.
    heard: Notify,
    /// Channels may be missing: somebody should see to it before the next round.
    tend: Notify,
    /// Another instance may have made them missing: somebody should look.
    look: Notify,
}

impl Service {
    /// Puts it together. Nothing runs yet.
    pub fn new(
        settings: Settings,
        store: Arc<dyn Store>,
        identity: Identity,
        ring: Keyring,
        observer: Observer,
    ) -> Result<Arc<Service>, NotSetUp> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ids: Arc<dyn IdGen> = Arc::new(SystemRandom);
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let metrics = Arc::new(Metrics::new());
        let recorder = Arc::new(CallRecorder::watched_by(metrics.clone()));
        let providers = providers::configured(&settings, &clock, &recorder)?;
        let directory = Arc::new(Directory::new(store.clone(), ring.clone(), random, providers));
        let config = engine_config(&settings, ids.as_ref(), clock.as_ref());
        let owner = config.owner.clone();
        let engine = Engine::new(store.clone(), directory.clone(), clock.clone(), ids, identity, config);
        let redis = settings.redis.address.clone().map(|at| Arc::new(Link::new(at, http::probe())));
        let limiter = Limiter::new("webhooks", &settings.rate_limit, redis.clone());
        let sign_ins = Limiter::new("sign_ins", &SIGN_INS, redis.clone());
        let channels = Channels::from_settings(&settings)?;
        let oidc = settings.oidc.clone().map(Oidc::new).transpose().map_err(NoClient::from)?;
        let vitals = Vitals::new(vitals::data_directory(&settings));
        Ok(Arc::new(Service {
            settings,
            store,
            engine,
            directory,
            clock,
            limiter,
            sign_ins,
            passwords: Passwords::default(),
            links: Links::new(ring.clone()),
            oidc,
            live: Live::default(),
            watchers: Watchers::default(),
            ring,
            redis,
            vitals,
            metrics,
            seen: Fresh::new(scrape::LIFE),
            shelf: Shelf::new(),
            channels,
            recorder,
            owner,
            peopled: AtomicBool::new(false),
            absence: Absence::none(),
            renewals: Arc::new(Semaphore::new(RENEWALS_AT_ONCE)),
            clients: clients::Seen::default(),
            observer,
            wake: Notify::new(),
            heard: Notify::new(),
            tend: Notify::new(),
            look: Notify::new(),
        }))
    }

    /// There is work: a nudge that carries no data.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// A calendar may have lost its channel: somebody sees to it soon.
    pub fn tend(&self) {
        self.tend.notify_one();
    }

    /// There may be work for everybody.
    fn wake_all(&self) {
        self.wake.notify_waiters();
        // Whoever was about to rest hears of it too.
        self.wake.notify_one();
    }

    /// Stores what was counted of provider calls.
    pub async fn flush_statistics(&self) {
        jobs::flush_statistics(self).await;
    }

    /// Does a round of maintenance now, under the lease that the scheduler's has.
    pub async fn maintain_now(&self) -> Result<Round, EngineError> {
        jobs::maintain_now(self).await
    }

    /// Keeps the connection to Redis, where one is configured. Its keeper tells the log whether it is there.
    fn keep_redis(self: &Arc<Service>, tasks: &TaskTracker, stopping: &CancellationToken) {
        let Some(redis) = self.redis.clone() else {
            tracing::info!(
                "redis.url is not set: the limit on failed authentications is held in this process"
            );
            return;
        };
        let told = stopping.clone();
        tasks.spawn(kept_alive("redis", stopping.clone(), move || {
            let (redis, told) = (redis.clone(), told.clone());
            async move {
                told.run_until_cancelled(crate::redis::keep(redis, Arc::new(SystemRandom))).await;
            }
        }));
    }
}

fn engine_config(settings: &Settings, ids: &dyn IdGen, clock: &dyn Clock) -> EngineConfig {
    let sync = &settings.sync;
    let public = settings.server.public_url.as_ref();
    EngineConfig {
        owner: ids.uuid(clock.now()).to_string(),
        window_past_days: sync.window_past_days,
        window_future_days: sync.window_future_days,
        intervals: Intervals {
            poll: sync.poll,
            fallback_poll: sync.fallback_poll,
            full: sync.full_sync,
            ..Intervals::default()
        },
        hold_recheck: sync.hold_recheck,
        promise: sync.promise,
        lease: sync.lease,
        public_url: public.map(|url| url.as_str().trim_end_matches('/').to_owned()),
        rollout: settings.webhooks.rollout.clone(),
    }
}
