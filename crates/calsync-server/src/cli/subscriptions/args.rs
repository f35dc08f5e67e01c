//! `manage-subscriptions …` as a tree: names, options, help texts and examples. No logic.

use clap::{Args, Subcommand};

/// `manage-subscriptions …`
#[derive(Subcommand, Debug)]
pub enum SubscriptionsCommand {
    /// Open push channels where there is none and one is wanted
    ///
    /// Revives suspended ones, and does not wait until they are tried again by themselves. A calendar named with --calendar is
    /// tried even if its provider said that it can't push for it.
    #[command(after_help = "Example:\n  calendar-sync manage-subscriptions create --calendar Work")]
    Create(Which),
    /// Renew channels: those that are due, or those named
    #[command(after_help = "Example:\n  calendar-sync manage-subscriptions renew --user ada@example.com")]
    Renew(RenewArgs),
    /// Write down what has ended, and close at the providers what is of no more use
    #[command(after_help = "Example:\n  calendar-sync manage-subscriptions cleanup --dry-run")]
    Cleanup(Which),
    /// Show each channel, how its calendar is kept up to date, and whether something is wrong
    ///
    /// Exits with 0 if nothing is wrong and with 1 if something is. A calendar that is polled because that is meant so (kept
    /// out by the rollout, switched off, not supported by its provider) is not wrong.
    #[command(after_help = "Example:\n  calendar-sync manage-subscriptions health --json")]
    Health(Whose),
    /// Show figures: channels by provider and status, notifications of the last day, provider calls of the last hour
    #[command(after_help = "Example:\n  calendar-sync manage-subscriptions metrics")]
    Metrics(Whose),
}

/// Of which calendars.
#[derive(Args, Debug)]
pub struct Whose {
    /// Only this calendar (id, or name if only one is called so)
    #[arg(long, value_name = "CALENDAR")]
    pub calendar: Option<String>,
    /// Only this user's (e-mail address or id)
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
}

/// Of which calendars, and whether to do it.
#[derive(Args, Debug)]
pub struct Which {
    /// Of which
    #[command(flatten)]
    pub whose: Whose,
    /// Only tell what would be done
    #[arg(long)]
    pub dry_run: bool,
}

/// `manage-subscriptions renew`
#[derive(Args, Debug)]
pub struct RenewArgs {
    /// Of which
    #[command(flatten)]
    pub which: Which,
    /// All of them now, due or not
    #[arg(long)]
    pub all: bool,
}
