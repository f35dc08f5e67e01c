//! One process of a fleet: it has an address and roles for good, and lives again and again. Remembers what all of its
//! lives said.

use std::net::SocketAddr;
use std::time::Duration;

use crate::place::{PATIENCE, Place, Serving, until};

/// How long a process may take to stop in order.
const STOPS: Duration = Duration::from_secs(30);

/// What it says when it is up.
const SERVES: &str = "calendar-sync serves";

/// A process of the fleet.
pub(crate) struct Instance {
    pub(crate) address: SocketAddr,
    roles: &'static str,
    running: Option<Serving>,
    said: String,
}

impl Instance {
    /// One that does not run yet. Without roles it plays all of them.
    pub(crate) fn new(address: SocketAddr, roles: &'static str) -> Instance {
        Instance { address, roles, running: None, said: String::new() }
    }

    /// Whether it takes notifications.
    pub(crate) fn is_web(&self) -> bool {
        self.roles.is_empty() || self.roles.contains("web")
    }

    /// Whether it works on calendars.
    pub(crate) fn is_worker(&self) -> bool {
        self.roles.is_empty() || self.roles.contains("worker")
    }

    /// Starts it.
    pub(crate) async fn start(&mut self, place: &Place) {
        assert!(self.running.is_none(), "it runs already");
        let mut args = vec!["serve"];
        if !self.roles.is_empty() {
            args.extend(["--role", self.roles]);
        }
        let mut command = place.command(&args);
        command.env("CALENDAR_SYNC__SERVER__BIND", self.address.to_string());
        let mut serving = place.start(command);
        serving.listens(self.address).await;
        // It listens before it has opened its database, and is deaf to SIGTERM until then.
        until("it serves", PATIENCE, async || serving.log().contains(SERVES).then_some(())).await;
        self.running = Some(serving);
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        let serving = self.running.take().expect("it runs");
        self.said.push_str(&serving.log());
        serving.kill();
    }

    /// Stops it as a service manager does.
    pub(crate) async fn stop(&mut self) {
        let mut serving = self.running.take().expect("it runs");
        serving.ask_to_stop();
        let ended = serving.ended(STOPS).await;
        let log = serving.log();
        self.said.push_str(&log);
        assert_eq!(ended.code(), Some(0), "{log}");
        for late in ["still at work", "still under way", "did not take leave"] {
            assert!(!log.contains(late), "{late}: {log}");
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        self.running.as_ref().expect("it runs").signal(name);
    }

    /// What this life has said so far.
    pub(crate) fn says(&self) -> String {
        self.running.as_ref().map(Serving::log).unwrap_or_default()
    }

    /// What all lives said.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.said, self.says())
    }
}
