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
    /// What is not named stays as it is, or as the user's defaults say. Whoever has no rules yet has implied ones between
    /// all enabled calendars: they are stored as they are before the first change, unless --only is given.
    #[command(
        after_help = "Example:\n  calendar-sync rules set Work Private --copy-title on --title \"Work: {title}\" --working-hours \"Europe/Vienna mon-fri 08:00-18:00\""
    )]
    Set(Box<SetRule>),
    /// Remove a rule, stored or implied
    #[command(after_help = "Example:\n  calendar-sync rules remove 01920000-0000-7000-8000-000000000000")]
    Remove {
        /// The rule's id
        rule: RuleId,
        /// Also if it is the user's last one, after which all enabled calendars block each other again
        #[arg(long)]
        yes: bool,
    },
    /// What new rules and newly enabled calendars begin with
    #[command(after_help = "Example:\n  calendar-sync rules defaults show")]
    Defaults {
        /// What to do.
        #[command(subcommand)]
        command: DefaultsCommand,
    },
}

/// `rules defaults …`
#[derive(Subcommand, Debug)]
pub enum DefaultsCommand {
    /// Show them
    #[command(after_help = "Example:\n  calendar-sync rules defaults show --user ada@example.com")]
    Show(OfUser),
    /// Change them; rules that are in force stay as they are
    #[command(
        after_help = "Example:\n  calendar-sync rules defaults set --user ada@example.com --new-calendars none --skip-all-day on"
    )]
    Set(Box<SetDefaults>),
}

/// `rules defaults set`
#[derive(Args, Debug)]
pub struct SetDefaults {
    /// Whose (e-mail address or id); needed where there are several users
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// What a newly enabled calendar is linked with
    #[arg(long, value_name = "WHICH")]
    pub new_calendars: Option<LinkArg>,
    /// How.
    #[command(flatten)]
    pub options: OptionArgs,
}

/// What a newly enabled calendar is linked with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LinkArg {
    /// All other enabled calendars, in both directions
    All,
    /// None
    None,
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
    /// End the implied rules instead of storing them: from then on only stored rules count
    #[arg(long)]
    pub only: bool,
    /// Only show what it would do to which blocks
    #[arg(long)]
    pub dry_run: bool,
    /// How.
    #[command(flatten)]
    pub options: OptionArgs,
}

/// The options of a rule. What is not named stays as it is.
#[derive(Args, Debug)]
pub struct OptionArgs {
    /// Off: its blocks are removed, the rule stays
    #[arg(long, value_name = "ON|OFF")]
    pub enabled: Option<Toggle>,
    /// Title of the blocks, at most 200 characters; {title} stands for the event's, with --copy-title on
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
