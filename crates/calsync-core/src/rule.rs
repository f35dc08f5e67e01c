//! Rules: one source calendar → one target calendar, with its options. Without rules of their own, a user's
//! sync-enabled calendars all block each other.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::block::Visibility;
use crate::calendar::Calendar;
use crate::event::TextPolicy;
use crate::ids::{CalendarId, RuleId, UserId};

/// Title of a block unless the rule says otherwise.
pub const DEFAULT_TITLE: &str = "Busy";
/// How often a block that a person moved or deleted is put back before we give way, so that two tools never fight
/// forever. The count starts again when the source event changes.
pub const DEFAULT_REPAIRS_MAX: u8 = 3;
/// Longest buffer before or after an event, in minutes. Within it, an event whose block still matters is never forgotten.
pub const BUFFER_MINUTES_MAX: u16 = 24 * 60;

/// One source calendar → one target calendar.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tampered {
    /// It is put back, up to `DEFAULT_REPAIRS_MAX` times.
    #[default]
    PutBack,
    /// It is left as the person made it.
    Leave,
}

/// Hours of the week in one zone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    #[error("the title template uses {{title}}, but copy_title is off")]
    TitleWithoutCopy,
    /// A buffer longer than a day.
    #[error("a buffer can be at most {BUFFER_MINUTES_MAX} minutes")]
    Buffer,
}

impl Rule {
    /// Everything that is wrong with it, all at once.
    pub fn problems(&self, source: &Calendar, target: &Calendar) -> Vec<RuleProblem> {
        let options = &self.options;
        let hours_bad = options.working_hours.as_ref().is_some_and(|h| {
            crate::zone::find(&h.zone).is_none()
                || h.days.is_empty()
                || h.days.iter().any(|d| !(1..=7).contains(d))
                || h.from_minute >= h.to_minute
                || h.to_minute > 1440
        });
        [
            (self.source == self.target, RuleProblem::SourceIsTarget),
            (source.user != target.user || source.user != self.user, RuleProblem::ForeignCalendar),
            (!target.access.may_write(), RuleProblem::ReadOnlyTarget),
            (hours_bad, RuleProblem::WorkingHours),
            (options.title.contains("{title}") && !options.copy_title, RuleProblem::TitleWithoutCopy),
            (
                options.buffer_before_minutes.max(options.buffer_after_minutes) > BUFFER_MINUTES_MAX,
                RuleProblem::Buffer,
            ),
        ]
        .into_iter()
        .filter_map(|(bad, problem)| bad.then_some(problem))
        .collect()
    }
}

/// The rules in force for one user: the stored ones, or, if there are none, a mesh of all sync-enabled calendars.
/// Rules from or to a calendar that is not sync-enabled are off: their blocks are removed. One that was stopped keeps its
/// rules: nothing is known of it, so nothing is done by them.
pub fn effective(stored: &[Rule], calendars: &[Calendar]) -> Vec<Rule> {
    let in_force = |c: &Calendar| c.takes_part() || c.is_stopped();
    let on = |id: CalendarId| calendars.iter().find(|c| c.id == id).is_some_and(in_force);
    if !stored.is_empty() {
        return stored
            .iter()
            .filter(|r| r.options.enabled && on(r.source) && on(r.target))
            .cloned()
            .collect();
    }
    let mut mesh = Vec::new();
    for source in calendars.iter().filter(|c| in_force(c)) {
        for target in calendars.iter().filter(|c| in_force(c) && c.access.may_write()) {
            if source.id != target.id && source.remote != target.remote {
                mesh.push(Rule {
                    id: implied_id(source.id, target.id),
                    user: source.user,
                    source: source.id,
                    target: target.id,
                    options: RuleOptions::default(),
                });
            }
        }
    }
    mesh
}

/// The id of a rule that nobody stored: derived from its ends, so that it is the same in every run.
fn implied_id(source: CalendarId, target: CalendarId) -> RuleId {
    use sha2::{Digest, Sha256};
    let digest = Sha256::new().chain_update(source.0).chain_update(target.0).finalize();
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    RuleId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests;
