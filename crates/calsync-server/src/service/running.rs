//! Running: starts what the roles ask for, keeps it alive, and stops it in order. Knows nothing of what the tasks do.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::roles::{Role, Roles};
use super::{Service, clients, elsewhere, jobs, reach, watch, workers};
use crate::http::{self, Edge};

/// Rest before a task that broke is started again.
const PAUSE_AFTER_PANIC: Duration = Duration::from_secs(1);

impl Service {
    /// Does everything until `stop`: then takes no more requests, finishes what was accepted, and closes the store.
    pub async fn run(
        self: &Arc<Service>,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        self.run_as(&Roles::all(), listener, stop).await
    }

    /// The same in these roles. Health is answered in each of them, so that probes work.
    pub async fn run_as(
        self: &Arc<Service>,
        roles: &Roles,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let stopping = CancellationToken::new();
        let tasks = TaskTracker::new();
        if roles.has(Role::Worker) {
            self.metrics.has_workers(self.settings.sync.workers);
            for _ in 0..self.settings.sync.workers {
                self.keep(&tasks, &stopping, "worker", workers::work);
            }
        }
        if roles.has(Role::Scheduler) {
            self.keep(&tasks, &stopping, "maintenance", jobs::maintain);
            self.keep(&tasks, &stopping, "discovery", jobs::discover);
            self.keep(&tasks, &stopping, "cleanup", jobs::clean_up);
            self.keep(&tasks, &stopping, "examination", jobs::examine);
            self.keep(&tasks, &stopping, "watch", watch::watch);
            self.keep(&tasks, &stopping, "responses", jobs::respond);
        }
        if roles.has(Role::Web) {
            self.keep(&tasks, &stopping, "reach", reach::watch);
        }
        if roles.has(Role::Worker) || roles.has(Role::Scheduler) {
            self.keep(&tasks, &stopping, "listening", elsewhere::listen);
            self.keep(&tasks, &stopping, "passing on", elsewhere::pass_on);
            self.keep(&tasks, &stopping, "statistics", jobs::count);
        }
        self.keep(&tasks, &stopping, "clients", clients::follow);
        self.keep_redis(&tasks, &stopping);
        tasks.close();
        let grace = self.settings.server.shutdown;
        let routes = if roles.has(Role::Web) { http::routes } else { http::probes };
        let edge = Edge::new(&self.settings.server).counted_by(self.metrics.clone());
        let app = http::app(edge, routes(self.clone()));
        let (engine, told_of_stop) = (self.engine.clone(), self.clone());
        // Workers hear of it with the web server, not after it: both have the same time to finish.
        let told = stopping.clone();
        let stop = async move {
            stop.await;
            engine.end_soon();
            told_of_stop.live.end();
            told.cancel();
        };
        let told = stopping.clone();
        let mut time_over = tokio::spawn(async move {
            told.cancelled().await;
            tokio::time::sleep(grace).await;
        });
        let served = http::serve(listener, app, stop, grace).await;
        stopping.cancel();
        tokio::select! {
            () = tasks.wait() => time_over.abort(),
            _ = &mut time_over => {
                // Their leases run out; what they had not finished is taken over.
                tracing::warn!(
                    seconds = grace.as_secs(),
                    "workers were still at work when the time to stop was over"
                );
            }
        }
        self.flush_statistics().await;
        self.store.close().await;
        served
    }

    /// Starts one of its tasks, and again whenever it breaks.
    fn keep<F>(
        self: &Arc<Service>,
        tasks: &TaskTracker,
        stopping: &CancellationToken,
        name: &'static str,
        task: impl Fn(Arc<Service>, CancellationToken) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let (service, told) = (self.clone(), stopping.clone());
        tasks.spawn(kept_alive(name, stopping.clone(), move || task(service.clone(), told.clone())));
    }
}

/// Starts a task again that ended before it was told to: a panic over one person's data must not stop everybody's.
pub(super) async fn kept_alive<F>(
    name: &'static str,
    stopping: CancellationToken,
    start: impl Fn() -> F + Send,
) where
    F: Future<Output = ()> + Send + 'static,
{
    while !stopping.is_cancelled() {
        if let Err(broken) = tokio::spawn(start()).await {
            tracing::error!(task = name, %broken, "a task broke; it is started again");
            tokio::time::sleep(PAUSE_AFTER_PANIC).await;
        }
    }
}
