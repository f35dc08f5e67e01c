//! Who uses push: the flags in force, what a change would do, and who changed them.

use askama::Template;

use super::{Tab, TabLink, tabs};
use crate::Frame;
use crate::words::When;

/// The flags in force.
#[derive(Template, Debug)]
#[template(path = "monitoring_rollout.html")]
pub struct Rollout {
    /// What stands around it.
    pub frame: Frame,
    /// The global switch.
    pub webhooks: bool,
    /// Of the calendars, in per cent.
    pub percentage: u8,
    /// Of the users, in per cent.
    pub user_percentage: u8,
    /// Who is in whatever the percentages say.
    pub early_adopters: Vec<String>,
    /// The phase that they are, in words.
    pub phase: String,
    /// When and by whom they were changed.
    pub changed: Option<(When, String)>,
    /// Every calendar was gone through with them.
    pub applied: bool,
    /// The presets.
    pub phases: Vec<PhaseLine>,
    /// Changes, the newest first: when, who, what.
    pub history: Vec<(When, String, String)>,
    /// What is wrong with a change that was asked for.
    pub problems: Vec<String>,
}

/// A preset.
#[derive(Debug)]
pub struct PhaseLine {
    /// Its number.
    pub number: u8,
    /// What it means.
    pub words: &'static str,
    /// It is in force.
    pub here: bool,
}

/// How many the flags let in, to be shown when it has been counted.
#[derive(Template, Debug)]
#[template(path = "monitoring_reach.html")]
pub struct Reach {
    /// Of the calendars.
    pub calendars: String,
    /// Of the users.
    pub users: String,
}

/// What a change would do.
#[derive(Template, Debug)]
#[template(path = "monitoring_preview.html")]
pub struct Preview {
    /// What stands around it.
    pub frame: Frame,
    /// What is changed, in words.
    pub what: String,
    /// Calendars that would be let in.
    pub let_in: String,
    /// Calendars that would be let out.
    pub let_out: String,
    /// Somebody would be let out.
    pub some_out: bool,
    /// It changes nothing.
    pub nothing: bool,
    /// How many would be in then.
    pub reach: Reach,
    /// What is sent when it is applied: name and value.
    pub fields: Vec<(&'static str, String)>,
}

impl Rollout {
    fn tabs(&self) -> Vec<TabLink> {
        tabs(Tab::Rollout)
    }
}

impl Preview {
    fn tabs(&self) -> Vec<TabLink> {
        tabs(Tab::Rollout)
    }
}
