//! Push channels: which there are, how well they deliver, and what can be done with one.

use askama::Template;

use super::{Choice, Pager, Pill, Tab, TabLink, tabs};
use crate::Frame;
use crate::words::When;

/// Push channels.
#[derive(Template, Debug)]
#[template(path = "monitoring_subscriptions.html")]
pub struct Subscriptions {
    /// What stands around it.
    pub frame: Frame,
    /// Which can be shown.
    pub shows: Vec<Choice>,
    /// Providers that can be chosen.
    pub providers: Vec<Choice>,
    /// Whose, as it was typed.
    pub person: String,
    /// Why nobody's are shown, if so.
    pub nobody: Option<String>,
    /// Those of this page.
    pub rows: Vec<SubscriptionLine>,
    /// The other pages.
    pub pager: Pager,
}

/// A push channel.
#[derive(Debug)]
pub struct SubscriptionLine {
    /// Its id.
    pub id: String,
    /// Its calendar's id.
    pub calendar_id: String,
    /// Its calendar's name.
    pub calendar: String,
    /// Whose it is.
    pub user: String,
    /// Its provider.
    pub provider: &'static str,
    /// Its state.
    pub pill: Pill,
    /// What is wrong with it, if anything.
    pub trouble: String,
    /// Of the changes lately, told of.
    pub delivered: String,
    /// Failures in a row.
    pub failures: String,
    /// When it last delivered.
    pub last: When,
    /// When it ends, or ended.
    pub ends: When,
    /// It is in use.
    pub is_active: bool,
    /// It can be put into use again.
    pub can_revive: bool,
}

impl Subscriptions {
    fn tabs(&self) -> Vec<TabLink> {
        tabs(Tab::Subscriptions)
    }
}
