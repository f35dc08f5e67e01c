//! How it is now: the level and its findings, what is open, figures, charts, providers, jobs, and this instance.

use askama::Template;

use super::{Pill, Tab, TabLink, tabs};
use crate::Frame;
use crate::chart::Chart;
use crate::words::When;

/// Stretches of time that charts are shown of: as an address names them, and as people do.
pub const RANGES: [(&str, &str); 3] = [("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days")];

/// How it is now.
#[derive(Template, Debug)]
#[template(path = "monitoring.html")]
pub struct Overview {
    /// What stands around it.
    pub frame: Frame,
    /// The level that the system acts on.
    pub level: Pill,
    /// Since when.
    pub since: When,
    /// What is seen now, where that is another one.
    pub seen: Option<Pill>,
    /// When it was looked at.
    pub checked: When,
    /// Every check.
    pub findings: Vec<Finding>,
    /// What is open, by kind.
    pub alerts: Vec<OpenAlert>,
    /// What could be better.
    pub recommendations: Vec<String>,
    /// Key figures; none, where the database does not tell them.
    pub figures: Vec<Figure>,
    /// Charts of which time there are.
    pub range: Range,
    /// The charts; none, where the database does not tell them.
    pub charts: Vec<Chart>,
    /// Calls to providers in the last hour.
    pub calls: Vec<Call>,
    /// Jobs that should have been done: which, and how late they are.
    pub late_jobs: Vec<(String, String)>,
    /// What this instance runs on.
    pub machine: Vec<Fact>,
}

/// One of `RANGES`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range(usize);

impl Range {
    /// The one that an address names, else the first.
    pub fn named(name: Option<&str>) -> Range {
        Range(RANGES.iter().position(|(known, _)| Some(*known) == name).unwrap_or(0))
    }

    /// Its place in `RANGES`.
    pub const fn place(self) -> usize {
        self.0
    }

    /// As an address names it.
    pub const fn name(self) -> &'static str {
        RANGES[self.0].0
    }
}

/// A check, and how it came out.
#[derive(Debug)]
pub struct Finding {
    /// What was checked.
    pub check: String,
    /// How it came out.
    pub pill: Pill,
    /// Why.
    pub says: String,
}

/// What is open of one kind.
#[derive(Debug)]
pub struct OpenAlert {
    /// Which kind.
    pub kind: String,
    /// How loud.
    pub pill: Pill,
    /// How many.
    pub count: String,
    /// Since when.
    pub since: When,
    /// What happened.
    pub message: String,
    /// What to do.
    pub action: String,
}

/// A figure with its name.
#[derive(Debug)]
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// The figure.
    pub value: String,
    /// What else is to be said of it.
    pub beside: String,
}

/// Calls to one provider.
#[derive(Debug)]
pub struct Call {
    /// Which.
    pub provider: &'static str,
    /// How many.
    pub calls: String,
    /// Failed ones among them.
    pub errors: String,
    /// Some failed.
    pub some_failed: bool,
    /// Mean time.
    pub average: String,
    /// Share of what is allowed, in the busiest minute.
    pub quota: String,
}

/// Something that is so.
#[derive(Debug)]
pub struct Fact {
    /// What.
    pub name: &'static str,
    /// How it is.
    pub says: String,
    /// A word on it, where it is not well.
    pub pill: Option<Pill>,
}

impl Overview {
    fn tabs(&self) -> Vec<TabLink> {
        tabs(Tab::Overview)
    }

    /// Address, name, whether it is this one.
    fn ranges(&self) -> Vec<(&'static str, &'static str, bool)> {
        RANGES.iter().enumerate().map(|(n, (name, words))| (*name, *words, n == self.range.0)).collect()
    }

    /// What is taken out of a new answer beside the figures: a table that somebody has opened stays open.
    fn drawn(&self) -> String {
        let ids = self.charts.iter().map(|chart| format!("#chart-{0}, #rows-{0}", chart.name));
        ids.collect::<Vec<_>>().join(", ")
    }
}
