//! `calendars disable` and `reset` as people type them. No logic.

use clap::Args;

use crate::cli::args::OneCalendar;

/// `calendars disable`
#[derive(Args, Debug)]
pub struct DisableArgs {
    /// Which one.
    #[command(flatten)]
    pub which: OneCalendar,
    /// How.
    #[command(flatten)]
    pub how: LeavingArgs,
}

/// How calendars are taken out.
#[derive(Args, Clone, Copy, Debug)]
pub struct LeavingArgs {
    /// Really do it, without being asked
    #[arg(long)]
    pub yes: bool,
    /// Only show what would be removed
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Leave the removing to the running service
    #[arg(long)]
    pub no_wait: bool,
}

/// `reset`
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("reset").required(true))]
pub struct ResetArgs {
    /// Stop: nothing is read or written any more, and all blocks stay as they are, until calendars are enabled again
    #[arg(long, group = "reset")]
    pub soft: bool,
    /// Clean this calendar (id, or name if only one is called so): its blocks and those in it go, and it is left disabled
    #[arg(long, group = "reset", value_name = "CALENDAR")]
    pub calendar: Option<String>,
    /// Take back everything: all blocks go, and all that is known of the calendars, which are left disabled
    #[arg(long, group = "reset")]
    pub complete: bool,
    /// Only this user's calendars (e-mail address or id) [default: everybody's]
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// How.
    #[command(flatten)]
    pub how: LeavingArgs,
}
