//! `rules` as people type it. No logic.

use calsync_core::ids::RuleId;
use clap::{Args, Subcommand, ValueEnum};

use super::HoursArg;
use crate::cli::args::{OfUser, Toggle};

/// `rules …`
#[derive(Subcommand, Debug)]
pub enum RulesCommand {
    /// List the rules, the implied ones included
    #[command(after_help = "Example:\n  calendar-sync rules list --user ada@example.com")]
    List(OfUser),
    /// Add a rule, or change the one between these calendars
    ///
    /// What is not named stays as it is, or as the default is. A user's first rule ends the blocking of all calendars by
    /// all others: from then on only rules count.
    #[command(
        after_help = "Example:\n  calendar-sync rules set Work Private --copy-title on --title \"Work: {title}\" --working-hours \"Europe/Vienna mon-fri 08:00-18:00\""
    )]
    Set(Box<SetRule>),
    /// Remove a rule
    #[command(after_help = "Example:\n  calendar-sync rules remove 01920000-0000-7000-8000-000000000000")]
    Remove {
        /// The rule's id
        rule: RuleId,
        /// Also if it is the user's last one, after which all enabled calendars block each other again
        #[arg(long)]
        yes: bool,
    },
}

/// `rules set`
#[derive(Args, Debug)]
pub struct SetRule {
    /// Calendar whose events block: id, or name if only one is called so
    pub source: String,
    /// Calendar that gets the blocks: id, or name if only one is called so
    pub target: String,
    /// Look only among this user's calendars (e-mail address or id)
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Off: its blocks are removed, the rule stays
    #[arg(long, value_name = "ON|OFF")]
    pub enabled: Option<Toggle>,
    /// Title of the blocks; {title} stands for the event's, with --copy-title on
    #[arg(long)]
    pub title: Option<String>,
    /// The event's title may be copied
    #[arg(long, value_name = "ON|OFF")]
    pub copy_title: Option<Toggle>,
    /// The event's description is copied
    #[arg(long, value_name = "ON|OFF")]
    pub copy_description: Option<Toggle>,
    /// The event's location is copied
    #[arg(long, value_name = "ON|OFF")]
    pub copy_location: Option<Toggle>,
    /// Who may see a block's details
    #[arg(long)]
    pub visibility: Option<VisibilityArg>,
    /// The provider's colour or category of the blocks; `none` for the calendar's own
    #[arg(long)]
    pub colour: Option<String>,
    /// All-day events make no block
    #[arg(long, value_name = "ON|OFF")]
    pub skip_all_day: Option<Toggle>,
    /// Shorter events make no block
    #[arg(long, value_name = "MINUTES")]
    pub min_minutes: Option<u32>,
    /// Only events that touch these hours make a block: "ZONE DAYS FROM-TO", or `off`
    #[arg(long, value_name = "HOURS")]
    pub working_hours: Option<HoursArg>,
    /// Minutes blocked before an event as well
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u16).range(0..=1440))]
    pub buffer_before: Option<u16>,
    /// Minutes blocked after an event as well
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u16).range(0..=1440))]
    pub buffer_after: Option<u16>,
    /// What a tentative event becomes
    #[arg(long)]
    pub tentative: Option<TentativeArg>,
    /// What happens to a block that a person moved or deleted
    #[arg(long)]
    pub tampered: Option<TamperedArg>,
}

/// Who may see a block's details.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum VisibilityArg {
    /// Only the owner
    Private,
    /// Whoever the calendar is shared with
    Calendar,
}

/// What a tentative event becomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum TentativeArg {
    /// A tentative block where the target can show one
    AsTentative,
    /// A busy block
    AsBusy,
    /// No block
    Skip,
}

/// What happens to a block that a person changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum TamperedArg {
    /// It is put back, a few times
    PutBack,
    /// It stays as the person made it
    Leave,
}
