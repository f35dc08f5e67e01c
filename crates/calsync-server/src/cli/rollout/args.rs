//! `rollout …` as a tree: names, options, help texts and examples. No logic.

use clap::{Args, Subcommand};

use crate::cli::args::Toggle;

/// `rollout …`
#[derive(Subcommand, Debug)]
pub enum RolloutCommand {
    /// Show the flags, how many they let in, and who changed them when
    #[command(after_help = "Example:\n  calendar-sync rollout show")]
    Show(ShowArgs),
    /// Change flags; what is not named stays as it is
    ///
    /// In effect at once and everywhere: whoever is let out is polled from then on and its push channel is closed, whoever is
    /// let in gets one. A running service goes on with what this command has begun. Before anybody is let out, it asks.
    #[command(
        after_help = "Example:\n  calendar-sync rollout set --user-percentage 25 --add-early-adopter ada@example.com\n  \
                      calendar-sync rollout set --webhooks off --dry-run"
    )]
    Set(SetArgs),
    /// Change all flags to one of the five presets; early adopters stay named
    ///
    /// 1 off: everybody is polled. 2 early-adopters. 3 tenth: 10 % of the users, and early adopters. 4 most: 75 % of the
    /// users, and early adopters. 5 everybody.
    #[command(
        after_help = "Example:\n  calendar-sync rollout phase 3\n  calendar-sync rollout phase everybody --dry-run"
    )]
    Phase(PhaseArgs),
}

/// `rollout show`
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Changes shown, newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub history: u32,
}

/// `rollout set`
#[derive(Args, Debug)]
pub struct SetArgs {
    /// The global switch
    #[arg(long, value_name = "ON|OFF")]
    pub webhooks: Option<Toggle>,
    /// Share of the calendars that may push, 0 to 100
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub percentage: Option<String>,
    /// Share of the users whose calendars may push, 0 to 100
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub user_percentage: Option<String>,
    /// Let this user in whatever the percentages say; can be repeated
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub add_early_adopter: Vec<String>,
    /// Let the percentages decide about this user again; can be repeated
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub remove_early_adopter: Vec<String>,
    /// How
    #[command(flatten)]
    pub how: How,
}

/// `rollout phase`
#[derive(Args, Debug)]
pub struct PhaseArgs {
    /// Its number (1 to 5) or its name
    pub phase: String,
    /// How
    #[command(flatten)]
    pub how: How,
}

/// How a change is made.
#[derive(Args, Debug)]
pub struct How {
    /// Only tell how many calendars would be let in or out
    #[arg(long)]
    pub dry_run: bool,
    /// Who is written into the audit log [default: the name of the system's user]
    #[arg(long = "as", value_name = "NAME")]
    pub who: Option<String>,
    /// Do not ask before calendars are let out
    #[arg(long)]
    pub yes: bool,
}
