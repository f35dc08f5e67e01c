//! `serve`, and what it shares with every command that needs the whole service: settings, keys, store, identity.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use calsync_core::ports::{Store, StoreError};
use tokio_util::sync::CancellationToken;

use super::args::ServeArgs;
use super::context::{self, Context};
use super::exit::{Exit, Failure};
use crate::config::{DatabaseSettings, Settings};
use crate::http::{self, NotListening};
use crate::out::Out;
use crate::secrets::first_run::{self, Missing};
use crate::secrets::identity;
use crate::service::{NotSetUp, Observer, Role, Roles, Service};
use crate::storage::{self, Migrate, NoStore};
use crate::system::{SystemClock, SystemRandom};
use crate::systemd::{self, Word};
use crate::telemetry::logging::{self, Console};

/// How long `serve` waits for a database server that can't be reached. After a power cut both start at the same time, and
/// a service manager gives up for good on what fails five times in ten seconds (systemd's StartLimitBurst); after this
/// time it should know that something is wrong.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);
/// Between the first two tries; twice as long between each further pair, up to the longest.
const DATABASE_AGAIN: Duration = Duration::from_millis(500);
const DATABASE_AGAIN_MAX: Duration = Duration::from_secs(5);

impl From<NotSetUp> for Failure {
    fn from(error: NotSetUp) -> Failure {
        match &error {
            // A file that a setting names, or what only this machine can tell of a setting.
            NotSetUp::Channels(_) => Failure::new(Exit::Config, error.to_string()),
            NotSetUp::Providers(_) => Failure::failed(error.to_string()),
        }
    }
}

/// Runs the service until it is told to stop.
pub fn run(args: &ServeArgs, config: Option<&Path>, out: Out) -> Result<Exit, Failure> {
    let handed = systemd::listener().map_err(NotListening::Handed)?;
    let roles = Roles::named(&args.roles);
    let loaded = context::load(config, out)?;
    let Settings { log, traces, .. } = &loaded.settings;
    let mut log = logging::start_traced(log, traces, Console::Stdout, Arc::new(SystemClock), &SystemRandom)?;
    on_threads(async {
        // The port first: it is the likeliest thing to be wrong, and nothing has been touched yet.
        let listener = match handed {
            Some(socket) => http::adopt(socket)?,
            None => http::bind(loaded.settings.server.bind).await?,
        };
        let address = listener.local_addr().map_err(|e| Failure::failed(e.to_string()))?;
        let store = open_patiently(&loaded.settings.database).await?;
        let service = assemble(&loaded.settings, store, Missing::Create, Arc::new(|_| ()), out).await?;
        // Whoever reads that it serves, or gets an answer, may ask it to stop.
        let asked_to_stop = stop_signal();
        let public = service.settings.server.public_url.as_ref().map(ToString::to_string);
        let instance = &service.owner;
        tracing::info!(%address, public, %roles, instance, "calendar-sync serves");
        if loaded.settings.database.url.is_server() || roles != Roles::all() {
            log.name(instance);
        }
        match &service.settings.server.public_url {
            None => {
                tracing::info!("server.public_url is not set: providers cannot push, so calendars are polled")
            }
            Some(url) if url.scheme() != "https" => tracing::warn!(
                "server.public_url is not https, and providers push to https alone: put a proxy with TLS in front and \
                 name its address (a simulated provider on this machine does not mind)"
            ),
            Some(_) => {}
        }
        if roles.has(Role::Web) {
            greet(&service, address, out).await?;
        }
        let stopped = CancellationToken::new();
        let traces = tokio::spawn(log.send_traces(instance, stopped.clone()));
        systemd::tell(Word::Ready);
        let stop = async {
            asked_to_stop.await;
            systemd::tell(Word::Stopping);
        };
        let served = service.run_as(&roles, listener, stop).await;
        stopped.cancel();
        // It ends within a bound of time, whatever became of it.
        let _ = traces.await;
        served.map_err(|e| Failure::failed(format!("the web server broke: {e}")))?;
        tracing::info!("calendar-sync has stopped");
        Ok(Exit::Ok)
    })?
}

/// Where people go; and as long as there is nobody, the link that makes the first of them. It is printed and not logged: who
/// has it may come in.
async fn greet(service: &Service, address: SocketAddr, out: Out) -> Result<(), Failure> {
    let here = || {
        format!(
            "http://{}:{}",
            if address.ip().is_loopback() { "localhost" } else { "ADDRESS" },
            address.port()
        )
    };
    let public =
        service.settings.server.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    let base = public.unwrap_or_else(here);
    if service.store.users().await?.is_empty() {
        let link = service.links.first(service.clock.now());
        out.note(&format!(
            "Nobody uses this service yet. Open this link in a browser to become its first user (it holds for 24 hours, and \
             once):\n\n  {base}{}\n",
            link.expose()
        ));
    } else {
        out.note(&format!("Open {base}/ in a browser."));
    }
    Ok(())
}

/// Opens the store; waits for a server that can't be reached, but not for ever. What is wrong is said at the first try.
async fn open_patiently(settings: &DatabaseSettings) -> Result<Arc<dyn Store>, NoStore> {
    let (began, mut pause) = (Instant::now(), DATABASE_AGAIN);
    loop {
        let error = match storage::open(settings, Migrate::Run).await {
            Err(NoStore::Store(error @ StoreError::Unavailable(_))) => error,
            done => return done,
        };
        if !settings.url.is_server() || began.elapsed() + pause > DATABASE_PATIENCE {
            return Err(error.into());
        }
        let seconds = DATABASE_PATIENCE.saturating_sub(began.elapsed()).as_secs();
        tracing::warn!(%error, "waiting for the database, for {seconds} s more");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(DATABASE_AGAIN_MAX);
    }
}

/// Runs a command on the whole service, which does nothing by itself meanwhile.
pub fn on_service(
    config: Option<&Path>,
    out: Out,
    command: impl AsyncFnOnce(Context, Arc<Service>) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let loaded = context::load(config, out)?;
    let _log = logging::start(&super::quiet(&loaded.settings.log), Console::Stderr)?;
    on_threads(async {
        let store = storage::open(&loaded.settings.database, Migrate::Check).await?;
        let service =
            assemble(&loaded.settings, store.clone(), Missing::Refuse, Arc::new(|_| ()), out).await?;
        let result = command(Context::new(out, loaded, store.clone()), service.clone()).await;
        service.flush_statistics().await;
        store.close().await;
        result
    })?
}

/// Puts the service together from settings and store.
pub(super) async fn assemble(
    settings: &Settings,
    store: Arc<dyn Store>,
    missing: Missing,
    observer: Observer,
    out: Out,
) -> Result<Arc<Service>, Failure> {
    let sealed_before = identity::sealed(store.as_ref()).await?.is_some();
    let missing = if sealed_before { Missing::Lost } else { missing };
    let keys = first_run::keyring(settings, missing, &SystemRandom)?;
    for notice in &keys.notices {
        out.note(notice);
    }
    let identity = identity::load(store.as_ref(), &keys.ring, &SystemRandom).await?;
    let service = Service::new(settings.clone(), store, identity, keys.ring, observer)?;
    service.take_up_clients().await?;
    Ok(service)
}

/// Runs something that ends with an exit code of its own.
pub fn threaded(run: impl Future<Output = ExitCode>) -> Result<Exit, Failure> {
    let code = on_threads(run)?;
    Ok(if code == ExitCode::SUCCESS { Exit::Ok } else { Exit::Failed })
}

fn on_threads<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("the system gives no resources to run in: {e}")))?;
    Ok(runtime.block_on(future))
}

/// Ctrl-C, or SIGTERM from a service manager: heard from this call on, also before the future is looked at. Until then either ends
/// the process at once.
pub(super) fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let heard = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    async move {
        match heard {
            [Ok(mut terminate), Ok(mut interrupt)] => tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            },
            [Err(error), _] | [_, Err(error)] => {
                tracing::warn!(%error, "SIGTERM cannot be heard; Ctrl-C still stops the service");
                let _ = tokio::signal::ctrl_c().await;
            }
        }
    }
}
