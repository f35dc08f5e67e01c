//! `accounts` as people type it, and where their accounts can be.

use std::path::PathBuf;

use calsync_core::calendar::ProviderKind;
use clap::{Args, Subcommand, ValueEnum};

use crate::cli::args::OfUser;

/// `accounts …`
#[derive(Subcommand, Debug)]
pub enum AccountsCommand {
    /// Connect an account at Google or Microsoft, or connect it again
    ///
    /// Prints a link to open in a browser on this machine and waits for it to come back to a loopback address. On a
    /// machine without a browser, give a refresh token in a file instead.
    #[command(after_help = "Example:\n  calendar-sync accounts connect ada@example.com\n  \
                             calendar-sync accounts connect ada@example.com --provider microsoft")]
    Connect(ConnectArgs),
    /// List the accounts and what their owners must do, if anything
    #[command(after_help = "Example:\n  calendar-sync accounts list --user ada@example.com")]
    List(OfUser),
    /// Remove an account: its calendars leave, their blocks go, and then it is forgotten
    ///
    /// Shows first what would go, and asks. While blocks still stand, it stays: the running service removes them, and the
    /// same command, repeated, finishes it. The grant at the provider is yours to withdraw there.
    #[command(after_help = "Example:\n  calendar-sync accounts remove ada@example.com --dry-run")]
    Remove(RemoveArgs),
}

/// `accounts remove`
#[derive(Args, Debug)]
pub struct RemoveArgs {
    /// The account's id, or its address if only one has it
    pub account: String,
    /// Look only among this user's accounts (e-mail address or id)
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Really do it, without being asked
    #[arg(long)]
    pub yes: bool,
    /// Only show what would go
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Forget it at once, and leave the blocks in its calendars where they stand: nobody can find them afterwards
    #[arg(long)]
    pub leave_blocks: bool,
}

/// Port that sign-ins come back to, unless another one is named.
pub const CALLBACK_PORT: u16 = 8765;

/// `accounts connect`
#[derive(Args, Debug)]
pub struct ConnectArgs {
    /// Whose account it becomes (e-mail address or id of the user)
    pub user: String,
    /// Where the account is
    #[arg(long, value_name = "PROVIDER", default_value = "google")]
    pub provider: OauthProvider,
    /// Port of the loopback address to come back to
    #[arg(long, default_value_t = CALLBACK_PORT)]
    pub port: u16,
    /// Address at the provider to suggest
    #[arg(long, value_name = "ADDRESS")]
    pub login_hint: Option<String>,
    /// Take the refresh token in this file instead of asking in a browser
    #[arg(long, value_name = "FILE")]
    pub refresh_token_file: Option<PathBuf>,
}

/// Where people sign in with OAuth.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum OauthProvider {
    /// Google Calendar
    Google,
    /// Microsoft 365 and Outlook.com
    Microsoft,
}

impl OauthProvider {
    /// Its name to people.
    pub const fn name(self) -> &'static str {
        match self {
            OauthProvider::Google => "Google",
            OauthProvider::Microsoft => "Microsoft",
        }
    }

    /// How this machine is called there: RFC 8252 §8.3 advises against names, and Microsoft's portal takes plain http for
    /// no other (docs/providers/microsoft.md).
    pub const fn loopback(self) -> &'static str {
        match self {
            OauthProvider::Google => "127.0.0.1",
            OauthProvider::Microsoft => "localhost",
        }
    }
}

impl From<OauthProvider> for ProviderKind {
    fn from(provider: OauthProvider) -> ProviderKind {
        match provider {
            OauthProvider::Google => ProviderKind::Google,
            OauthProvider::Microsoft => ProviderKind::Microsoft,
        }
    }
}
