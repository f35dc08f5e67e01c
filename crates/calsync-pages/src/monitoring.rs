//! The staff's pages of monitoring: how the whole system is, what it did, and what can be done about it. Each page is a struct
//! of what it shows; nothing here decides what is well.

mod alerts;
mod logs;
mod notifications;
mod overview;
mod rollout;
mod subscriptions;

pub use alerts::{AlertLine, Alerts, DeliveryLine, SilenceLine};
pub use logs::{Freshness, LogLine, Responses, RuleLine};
pub use notifications::{NotificationLine, NotificationPage, Notifications};
pub use overview::{Call, Fact, Figure, Finding, OpenAlert, Overview, RANGES, Range};
pub use rollout::{PhaseLine, Preview, Reach, Rollout};
pub use subscriptions::{SubscriptionLine, Subscriptions};

use crate::Tone;

/// How well something is, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pill {
    /// How it is meant.
    pub tone: Tone,
    /// The word.
    pub word: &'static str,
}

impl Pill {
    /// A word in this tone.
    pub const fn new(tone: Tone, word: &'static str) -> Pill {
        Pill { tone, word }
    }
}

/// One of several that can be chosen.
#[derive(Clone, Debug)]
pub struct Choice {
    /// As an address names it.
    pub value: String,
    /// As people do.
    pub words: String,
    /// It is chosen.
    pub chosen: bool,
}

impl Choice {
    /// Choices of these names and words, the one with this name chosen.
    pub fn among(all: &[(&str, &str)], chosen: &str) -> Vec<Choice> {
        let choice = |(value, words): &(&str, &str)| Choice {
            value: (*value).to_owned(),
            words: (*words).to_owned(),
            chosen: *value == chosen,
        };
        all.iter().map(choice).collect()
    }
}

/// The ways between the pages of a listing.
#[derive(Clone, Debug, Default)]
pub struct Pager {
    /// The address of this page.
    pub here: String,
    /// The address of the first page, where this is another one.
    pub first: Option<String>,
    /// The address of the next page, if there is one.
    pub next: Option<String>,
}

/// Pages of monitoring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tab {
    /// How it is now.
    Overview,
    /// Push channels.
    Subscriptions,
    /// What was delivered.
    Notifications,
    /// How fresh rules are.
    Freshness,
    /// What people are told.
    Alerts,
    /// Who uses push.
    Rollout,
    /// What was done by itself.
    Responses,
}

/// A tab, as the template shows it.
pub(crate) struct TabLink {
    pub(crate) href: &'static str,
    pub(crate) name: &'static str,
    pub(crate) here: bool,
}

const TABS: [(Tab, &str, &str); 7] = [
    (Tab::Overview, "/monitoring", "Now"),
    (Tab::Subscriptions, "/monitoring/subscriptions", "Subscriptions"),
    (Tab::Notifications, "/monitoring/notifications", "Notifications"),
    (Tab::Freshness, "/monitoring/freshness", "Freshness"),
    (Tab::Alerts, "/monitoring/alerts", "Alerts"),
    (Tab::Rollout, "/monitoring/rollout", "Rollout"),
    (Tab::Responses, "/monitoring/responses", "Responses"),
];

pub(crate) fn tabs(here: Tab) -> Vec<TabLink> {
    TABS.iter().map(|(tab, href, name)| TabLink { href, name, here: *tab == here }).collect()
}
