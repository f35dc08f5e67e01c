//! What people are told: what is open, what was, which messages went out, and silences.

use askama::Template;

use super::{Choice, OpenAlert, Pill, Tab, TabLink, tabs};
use crate::Frame;
use crate::words::When;

/// What people are told.
#[derive(Template, Debug)]
#[template(path = "monitoring_alerts.html")]
pub struct Alerts {
    /// What stands around it.
    pub frame: Frame,
    /// What is open, by kind.
    pub open: Vec<OpenAlert>,
    /// Silences in force.
    pub silences: Vec<SilenceLine>,
    /// Kinds that can be silenced.
    pub kinds: Vec<Choice>,
    /// For how long.
    pub lengths: Vec<Choice>,
    /// Messages, the newest first.
    pub deliveries: Vec<DeliveryLine>,
    /// Alerts one by one, the newest first.
    pub history: Vec<AlertLine>,
    /// So many are shown at most.
    pub at_most: usize,
}

/// An alert.
#[derive(Debug)]
pub struct AlertLine {
    /// Which kind.
    pub kind: String,
    /// How loud.
    pub pill: Pill,
    /// What it is about.
    pub subject: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub action: String,
    /// Since when.
    pub since: When,
    /// Until when, if it is over.
    pub until: When,
}

/// A message to somebody.
#[derive(Debug)]
pub struct DeliveryLine {
    /// When it was written.
    pub at: When,
    /// By which way.
    pub channel: String,
    /// Of which kind.
    pub kind: String,
    /// What it says: that it opened, is still so, or is over.
    pub occasion: &'static str,
    /// How far it has come.
    pub pill: Pill,
    /// Tries.
    pub attempts: String,
    /// What went wrong, or when it is tried again.
    pub detail: String,
}

/// A stretch of time in which nobody is told.
#[derive(Debug)]
pub struct SilenceLine {
    /// Its id.
    pub id: String,
    /// Of which kind.
    pub kind: String,
    /// Until when.
    pub until: When,
    /// Who wanted it.
    pub who: String,
    /// Why.
    pub why: String,
}

impl Alerts {
    fn tabs(&self) -> Vec<TabLink> {
        tabs(Tab::Alerts)
    }
}
