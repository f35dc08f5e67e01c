//! What providers delivered: a list, and one of them with all that is known of it.

use askama::Template;

use super::{Choice, Pager, Pill, Tab, TabLink, tabs};
use crate::Frame;
use crate::words::When;

/// What providers delivered.
#[derive(Template, Debug)]
#[template(path = "monitoring_notifications.html")]
pub struct Notifications {
    /// What stands around it.
    pub frame: Frame,
    /// States that can be chosen.
    pub states: Vec<Choice>,
    /// Providers that can be chosen.
    pub providers: Vec<Choice>,
    /// A calendar's id, as it was typed.
    pub calendar: String,
    /// The zone in which times are shown and typed.
    pub zone: String,
    /// Received then or later, as it was typed.
    pub from: String,
    /// Received before, as it was typed.
    pub to: String,
    /// What of that can not be read.
    pub problem: Option<String>,
    /// Those of this page.
    pub rows: Vec<NotificationLine>,
    /// The other pages.
    pub pager: Pager,
}

/// A notification in a list.
#[derive(Debug)]
pub struct NotificationLine {
    /// Its id.
    pub id: String,
    /// When it was received.
    pub received: When,
    /// From which provider.
    pub provider: &'static str,
    /// Of which calendar.
    pub calendar: String,
    /// How far it has come.
    pub pill: Pill,
    /// How long it took.
    pub took: String,
    /// What went wrong.
    pub error: String,
}

/// A notification.
#[derive(Template, Debug)]
#[template(path = "monitoring_notification.html")]
pub struct NotificationPage {
    /// What stands around it.
    pub frame: Frame,
    /// Its id.
    pub id: String,
    /// The provider's id of it.
    pub notification_id: String,
    /// From which provider.
    pub provider: &'static str,
    /// The calendar's id.
    pub calendar_id: String,
    /// The calendar's name.
    pub calendar: String,
    /// Whose it is.
    pub user: String,
    /// The push channel's id.
    pub subscription: String,
    /// How far it has come.
    pub pill: Pill,
    /// What happened to it, the oldest first: what, and when.
    pub history: Vec<(&'static str, When)>,
    /// How long it took.
    pub took: String,
    /// Failed tries.
    pub failures: String,
    /// What came of it, as far as it is known: name and figure.
    pub counts: Vec<(&'static str, String)>,
    /// The run that served it.
    pub run: String,
    /// What went wrong last.
    pub error: Option<String>,
    /// Its headers, without secrets.
    pub headers: String,
    /// Its body, without secrets.
    pub payload: String,
    /// It can be replayed.
    pub can_replay: bool,
}

impl Notifications {
    fn tabs(&self) -> Vec<TabLink> {
        tabs(Tab::Notifications)
    }
}

impl NotificationPage {
    fn tabs(&self) -> Vec<TabLink> {
        tabs(Tab::Notifications)
    }
}
