//! How fresh rules are, and what was done and by whom: two long lists.

use askama::Template;

use super::{Choice, Pager, Pill, Tab, TabLink, tabs};
use crate::Frame;
use crate::words::When;

/// How fresh rules are.
#[derive(Template, Debug)]
#[template(path = "monitoring_freshness.html")]
pub struct Freshness {
    /// What stands around it.
    pub frame: Frame,
    /// Rules behind their promise, in words.
    pub behind: String,
    /// Some are.
    pub some_behind: bool,
    /// How long the changes of all rules took in the last day: name and figure.
    pub overall: Vec<(&'static str, String)>,
    /// Which can be shown: address, words, whether it is this.
    pub shows: Vec<Choice>,
    /// Those of this page.
    pub rows: Vec<RuleLine>,
    /// The other pages.
    pub pager: Pager,
}

/// A rule.
#[derive(Debug)]
pub struct RuleLine {
    /// Whose it is.
    pub user: String,
    /// Where its events are.
    pub source: String,
    /// Where its blocks are.
    pub target: String,
    /// How it stands.
    pub pill: Pill,
    /// Why, where it is behind or stands still.
    pub cause: String,
    /// When it was last known to be right.
    pub right: When,
    /// Until when it is trusted.
    pub promised: When,
    /// Changes of the last day.
    pub changes: String,
    /// The delays that half, nineteen of twenty and all but one in a hundred stayed within.
    pub delays: [String; 3],
}

/// What was done, and by whom.
#[derive(Template, Debug)]
#[template(path = "monitoring_responses.html")]
pub struct Responses {
    /// What stands around it.
    pub frame: Frame,
    /// Whose deeds can be shown.
    pub shows: Vec<Choice>,
    /// Those of this page.
    pub rows: Vec<LogLine>,
    /// The other pages.
    pub pager: Pager,
}

/// A deed.
#[derive(Debug)]
pub struct LogLine {
    /// When.
    pub at: When,
    /// By whom.
    pub who: String,
    /// What.
    pub what: String,
}

impl Freshness {
    fn tabs(&self) -> Vec<TabLink> {
        tabs(Tab::Freshness)
    }
}

impl Responses {
    fn tabs(&self) -> Vec<TabLink> {
        tabs(Tab::Responses)
    }
}
