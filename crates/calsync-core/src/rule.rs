//! Rules: one source calendar → one target calendar, with its options. Without rules of their own, a user's
//! sync-enabled calendars all block each other.

mod change;
mod defaults;
mod force;
mod step;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::block::Visibility;
use crate::calendar::Calendar;
use crate::event::TextPolicy;
use crate::ids::{CalendarId, RuleId, UserId};

pub use change::{
    Cell, CellPrint, CellProblem, Refusal, RuleChange, RuleChanges, RuleTo, RulesAfter, Unasked, cells,
    decide,
};
pub use defaults::{Link, RuleDefaults, linked};
pub use force::{derived_id, effective, implied};
pub use step::{RuleStep, RulesSeen, step};

/// Title of a block unless the rule says otherwise.
pub const DEFAULT_TITLE: &str = "Busy";
/// How often a block that a person moved or deleted is put back before we give way, so that two tools never fight
/// forever. The count starts again when the source event changes.
pub const DEFAULT_REPAIRS_MAX: u8 = 3;
/// Longest buffer before or after an event, in minutes. Within it, an event whose block still matters is never forgotten.
pub const BUFFER_MINUTES_MAX: u16 = 24 * 60;
/// Longest title of blocks, in characters.
pub const TITLE_MAX: usize = 200;

/// Rules that are changed in one go: all of a hundred calendars.
pub const CHANGES_MAX: usize = 10_000;

/// One source calendar → one target calendar.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Whose it is.
    pub user: UserId,
    /// Where events are read.
    pub source: CalendarId,
    /// Where blocks are written.
    pub target: CalendarId,
    /// How.
    pub options: RuleOptions,
}

/// How a rule turns events into blocks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RuleOptions {
    /// Off: its blocks are removed.
    pub enabled: bool,
    /// Title of the blocks. `{title}` stands for the event's title, and only where `copy_title` is on.
    pub title: String,
    /// The block carries the event's title.
    pub copy_title: bool,
    /// The block carries the event's description.
    pub copy_description: bool,
    /// The block carries the event's location.
    pub copy_location: bool,
    /// Who may see the block's details.
    pub visibility: Visibility,
    /// The provider's colour or category for the blocks.
    pub colour: Option<String>,
    /// All-day events make no block.
    pub skip_all_day: bool,
    /// Shorter events make no block.
    pub min_minutes: u32,
    /// Only events that touch these hours make a block.
    pub working_hours: Option<WorkingHours>,
    /// Minutes blocked before an event.
    pub buffer_before_minutes: u16,
    /// Minutes blocked after an event.
    pub buffer_after_minutes: u16,
    /// What a tentative or unanswered event becomes.
    pub tentative: Tentative,
    /// What happens to a block that a person moved or deleted.
    pub tampered: Tampered,
}

impl Default for RuleOptions {
    fn default() -> Self {
        RuleOptions {
            enabled: true,
            title: DEFAULT_TITLE.to_owned(),
            copy_title: false,
            copy_description: false,
            copy_location: false,
            visibility: Visibility::Private,
            colour: None,
            skip_all_day: false,
            min_minutes: 0,
            working_hours: None,
            buffer_before_minutes: 0,
            buffer_after_minutes: 0,
            tentative: Tentative::AsTentative,
            tampered: Tampered::PutBack,
        }
    }
}

impl RuleOptions {
    /// The times blocked before and after an event.
    pub fn buffers(&self) -> (SignedDuration, SignedDuration) {
        let minutes = |m: u16| SignedDuration::from_mins(i64::from(m.min(BUFFER_MINUTES_MAX)));
        (minutes(self.buffer_before_minutes), minutes(self.buffer_after_minutes))
    }

    /// Which texts the source's events must be stored with for this rule.
    pub fn text_policy(&self) -> TextPolicy {
        TextPolicy {
            title: self.enabled && self.copy_title,
            description: self.enabled && self.copy_description,
            location: self.enabled && self.copy_location,
        }
    }
}

/// What a tentative event becomes.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Tentative {
    /// A tentative block where the target can show one, else a busy one.
    #[default]
    AsTentative,
    /// A busy block.
    AsBusy,
    /// No block.
    Skip,
}

/// What happens to a block that a person moved or deleted.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Tampered {
    /// It is put back, up to `DEFAULT_REPAIRS_MAX` times.
    #[default]
    PutBack,
    /// It is left as the person made it.
    Leave,
}

/// Hours of the week in one zone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkingHours {
    /// IANA name of the zone.
    pub zone: String,
    /// Days, Monday = 1 … Sunday = 7.
    pub days: Vec<u8>,
    /// First minute of the day, 0..1440.
    pub from_minute: u16,
    /// First minute after, 1..=1440; greater than `from_minute`.
    pub to_minute: u16,
}

/// What is wrong with a rule that somebody asks for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RuleProblem {
    /// A calendar cannot block itself.
    #[error("a calendar cannot block itself: choose another target")]
    SourceIsTarget,
    /// The two calendars belong to different users.
    #[error("both calendars of a rule must belong to the same user")]
    ForeignCalendar,
    /// The target does not let us write.
    #[error("the target calendar is read-only for this account: choose one it may write to")]
    ReadOnlyTarget,
    /// Working hours that are none.
    #[error(
        "working hours need a known IANA time zone, days 1 (Monday) to 7, and 0 <= from < to <= 1440 minutes"
    )]
    WorkingHours,
    /// `{title}` without leave to copy titles.
    #[error("the title holds {{title}}, but the event's title is not copied (copy_title is off)")]
    TitleWithoutCopy,
    /// Blocks without a title.
    #[error("a block needs a title: “Busy” says least")]
    NoTitle,
    /// One that no calendar would show.
    #[error("a title can have at most {TITLE_MAX} characters")]
    TitleTooLong,
    /// What stands for nothing.
    #[error("{{title}} is the only placeholder that a title can hold")]
    UnknownPlaceholder,
    /// A buffer longer than a day.
    #[error("a buffer can be at most {BUFFER_MINUTES_MAX} minutes")]
    Buffer,
    /// A calendar that is not there.
    #[error("one of the two calendars is not there (any more)")]
    UnknownCalendar,
    /// Nothing to remove.
    #[error("there is no rule between these calendars")]
    NoSuchRule,
    /// One cell, two words.
    #[error("this rule is changed twice at once")]
    Twice,
    /// Without any rule all enabled calendars block each other.
    #[error("this is the last rule: without it all enabled calendars block each other again")]
    LastRule,
    /// More than anybody's calendars have.
    #[error("at most {CHANGES_MAX} rules can be changed at once")]
    TooMany,
}

impl RuleOptions {
    /// Everything that is wrong with them, whatever the calendars.
    pub fn problems(&self) -> Vec<RuleProblem> {
        let hours_bad = self.working_hours.as_ref().is_some_and(|h| {
            crate::zone::find(&h.zone).is_none()
                || h.days.is_empty()
                || h.days.iter().any(|d| !(1..=7).contains(d))
                || h.from_minute >= h.to_minute
                || h.to_minute > 1440
        });
        only([
            (hours_bad, RuleProblem::WorkingHours),
            (self.title.trim().is_empty(), RuleProblem::NoTitle),
            (self.title.chars().count() > TITLE_MAX, RuleProblem::TitleTooLong),
            (holds_unknown(&self.title), RuleProblem::UnknownPlaceholder),
            (self.title.contains("{title}") && !self.copy_title, RuleProblem::TitleWithoutCopy),
            (
                self.buffer_before_minutes.max(self.buffer_after_minutes) > BUFFER_MINUTES_MAX,
                RuleProblem::Buffer,
            ),
        ])
    }
}

impl Rule {
    /// Everything that is wrong with it, all at once.
    pub fn problems(&self, source: &Calendar, target: &Calendar) -> Vec<RuleProblem> {
        let mut found = only([
            (self.source == self.target, RuleProblem::SourceIsTarget),
            (source.user != target.user || source.user != self.user, RuleProblem::ForeignCalendar),
            (!target.access.may_write(), RuleProblem::ReadOnlyTarget),
        ]);
        found.extend(self.options.problems());
        found
    }

    /// What it is between.
    pub fn ends(&self) -> (CalendarId, CalendarId) {
        (self.source, self.target)
    }
}

/// Whether a title holds a word in braces that stands for nothing.
fn holds_unknown(title: &str) -> bool {
    let words = title.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(word, _)| word));
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
    words.into_iter().any(|word| is_word(word) && word != "title")
}

fn only<const N: usize>(found: [(bool, RuleProblem); N]) -> Vec<RuleProblem> {
    found.into_iter().filter_map(|(bad, problem)| bad.then_some(problem)).collect()
}

#[cfg(test)]
mod tests;
