//! The command line as a tree: names, options, help texts and examples. No logic.

use std::path::PathBuf;

use calsync_core::calendar::ProviderKind;
use calsync_core::ids::RuleId;
use calsync_sim::life::Homes;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::exit::EXIT_CODES;
use super::rules::HoursArg;
use crate::service::Role;

/// Keeps a person's calendars in step: an event in one calendar blocks its time in the others.
#[derive(Parser, Debug)]
#[command(name = "calendar-sync", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// The configuration file [default: calendar-sync.toml here, else in /etc/calendar-sync]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print results (and errors) as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the service: web server, workers and jobs
    ///
    /// Without a public URL nothing can push to it, and it polls. It makes the database and the sealing key on its first
    /// run, and stops on Ctrl-C or SIGTERM after finishing what it accepted. Any number of instances can share a database on a
    /// PostgreSQL server; each does everything, unless it is given roles.
    #[command(
        after_help = "Example:\n  WEBHOOK_BASE_URL=https://sync.example.com calendar-sync serve\n  calendar-sync serve --role worker,scheduler"
    )]
    Serve(ServeArgs),
    /// Show the whole service at work, with a simulated calendar cloud and nothing else
    Demo(super::demo::DemoArgs),
    /// Run the simulated calendar cloud alone, for testing any calendar client
    Simulate(super::simulate::SimulateArgs),
    /// Look at calendars now, and bring the others in step
    #[command(
        after_help = "Example:\n  calendar-sync sync-calendars --mode full --calendar Work\n  calendar-sync sync-calendars --dry-run"
    )]
    SyncCalendars(SyncArgs),
    /// Show what would be done right now, and do nothing
    #[command(after_help = "Example:\n  calendar-sync plan --user ada@example.com")]
    Plan(OfUser),
    /// Tell why an event has or lacks a block in each other calendar
    #[command(after_help = "Example:\n  calendar-sync explain 2026-11-24T14:00:00Z --user ada@example.com")]
    Explain(ExplainArgs),
    /// Let a held plan go ahead: what it would remove is really gone
    #[command(after_help = "Example:\n  calendar-sync approve Private")]
    Approve(OneCalendar),
    /// Check, show and document the configuration
    #[command(after_help = "Example:\n  calendar-sync config check")]
    Config {
        /// What to do.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Make sealing keys, and change them
    #[command(after_help = "Example:\n  calendar-sync secrets status")]
    Secrets {
        /// What to do.
        #[command(subcommand)]
        command: SecretsCommand,
    },
    /// Make the database, or bring it up to date
    ///
    /// Safe to run at any time and from several machines at once. `serve` does it too.
    #[command(
        after_help = "Example:\n  DATABASE_URL=sqlite:///var/lib/calendar-sync/calendar-sync.db calendar-sync migrate"
    )]
    Migrate,
    /// Move the database to another place
    #[command(
        subcommand,
        after_help = "Example:\n  calendar-sync db copy --from sqlite://calendar-sync.db --to @new-database-url"
    )]
    Db(super::db::DbCommand),
    /// The people whose calendars are kept in step
    #[command(after_help = "Example:\n  calendar-sync users add ada@example.com --staff")]
    Users {
        /// What to do.
        #[command(subcommand)]
        command: UsersCommand,
    },
    /// Their accounts at calendar providers
    #[command(after_help = "Example:\n  calendar-sync accounts list")]
    Accounts {
        /// What to do.
        #[command(subcommand)]
        command: AccountsCommand,
    },
    /// The calendars of their accounts
    #[command(after_help = "Example:\n  calendar-sync calendars enable Work")]
    Calendars {
        /// What to do.
        #[command(subcommand)]
        command: CalendarsCommand,
    },
    /// Stop everything, clean one calendar, or take back all that was ever written
    ///
    /// Only blocks that calendar-sync made are ever removed. Shows first what would be, and asks. It can be broken off at any
    /// point: the running service goes on, and so does the same command, repeated. Accounts and rules stay.
    #[command(
        after_help = "Example:\n  calendar-sync reset --calendar Work\n  calendar-sync reset --complete --user ada@example.com --dry-run"
    )]
    Reset(ResetArgs),
    /// Which calendar blocks which, and how
    ///
    /// Without rules of their own, all of a user's enabled calendars block each other.
    #[command(after_help = "Example:\n  calendar-sync rules set Work Private --title Busy --skip-all-day on")]
    Rules {
        /// What to do.
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Who uses push: the rollout flags
    ///
    /// A calendar uses push if the global switch is on and its user is an early adopter, or both percentages let it in.
    /// Whoever is out is polled.
    #[command(after_help = "Example:\n  calendar-sync rollout phase 3")]
    Rollout {
        /// What to do.
        #[command(subcommand)]
        command: super::rollout::args::RolloutCommand,
    },
    /// Open, renew, clean up and look at push channels by hand
    ///
    /// A running service does all of it by itself; this is for whoever does not want to wait, or wants to know.
    #[command(after_help = "Example:\n  calendar-sync manage-subscriptions health --user ada@example.com")]
    ManageSubscriptions {
        /// What to do.
        #[command(subcommand)]
        command: super::subscriptions::args::SubscriptionsCommand,
    },
    /// Do one round of maintenance on all push channels
    ///
    /// The scheduler of `serve` does it every 30 minutes and whenever something is due; from cron, this does the same. Where
    /// another instance is at it, it says so and exits with 0.
    #[command(after_help = "Example:\n  calendar-sync subscription-maintenance --dry-run")]
    SubscriptionMaintenance(super::maintenance::MaintenanceArgs),
    /// Delete what is over and old: finished notifications, subscriptions out of use, runs, figures
    ///
    /// The scheduler of `serve` does it every week. Nothing that is in use or unfinished ever goes; the audit log and
    /// resolved alerts are kept for a year at least.
    #[command(after_help = "Example:\n  calendar-sync cleanup-webhook-data --days 30 --dry-run")]
    CleanupWebhookData(super::cleanup::CleanupArgs),
    /// Measure speed, calls and memory on this machine, against what the machine can do
    #[command(subcommand, after_help = "Example:\n  calendar-sync bench receipt --seconds 2 --rounds 3")]
    Bench(super::bench::BenchCommand),
    /// Look at this installation, and tell what stands in its way and what to do
    ///
    /// Looks at the configuration, the database and its directory, the sealing key, Redis, the providers, the clock, and
    /// at this service through its public address. Changes nothing. A warning is no failure.
    #[command(
        after_help = "Example:\n  calendar-sync doctor\n\nExit status 0 when nothing failed, 1 when something did."
    )]
    Doctor,
    /// Serve the file by which Google lets you prove that a domain is yours, and test that it can be reached
    ///
    /// Google gives you a file called google….html (Search Console, method "HTML file"). It is checked and stored, and every
    /// running instance serves it at once. Then it is looked at, and the health route too, through the domain by https,
    /// step by step. A step that fails says what to do; what was stored stays, and the command can be repeated.
    #[command(
        after_help = "Example:\n  calendar-sync verify-google-domain --domain sync.example.com --verification-file google1234567890abcdef.html\n  calendar-sync verify-google-domain --remove\n\nExit status 0 when every step went well, 1 when one did not."
    )]
    VerifyGoogleDomain(VerifyDomainArgs),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  calendar-sync completions bash > /etc/bash_completion.d/calendar-sync"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// `serve`
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// What this instance does; everything if not given. In every role it answers /webhooks/health/
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
    pub roles: Vec<Role>,
}

/// `config …`
#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Name everything that is wrong with the configuration, at once
    #[command(
        after_help = "Example:\n  calendar-sync config check --config /etc/calendar-sync/calendar-sync.toml"
    )]
    Check,
    /// Print the settings in force and where each comes from, without the secrets
    #[command(after_help = "Example:\n  calendar-sync config show --json")]
    Show,
    /// Print the reference of all settings
    #[command(after_help = "Example:\n  calendar-sync config docs > docs/configuration.md")]
    Docs,
}

/// `secrets …`
#[derive(Subcommand, Debug)]
pub enum SecretsCommand {
    /// Make a new sealing key
    #[command(after_help = "Example:\n  calendar-sync secrets generate --out /etc/calendar-sync/sealing.key")]
    Generate {
        /// Write it into this new file, for its owner alone, instead of printing it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Seal everything again with the current key
    ///
    /// To change keys: make a new one, set it as secrets.key with the old one in secrets.previous_keys, restart `serve`,
    /// run this, and take the old key out again. It can be repeated, and broken off at any point.
    #[command(after_help = "Example:\n  calendar-sync secrets rotate")]
    Rotate,
    /// Tell which key sealed what, and what cannot be opened
    #[command(after_help = "Example:\n  calendar-sync secrets status --json")]
    Status,
}

/// `users …`
#[derive(Subcommand, Debug)]
pub enum UsersCommand {
    /// Add a user
    #[command(after_help = "Example:\n  calendar-sync users add ada@example.com")]
    Add {
        /// E-mail address
        email: String,
        /// May see the monitoring
        #[arg(long)]
        staff: bool,
    },
    /// List the users
    #[command(after_help = "Example:\n  calendar-sync users list")]
    List,
    /// Remove a user with all accounts, calendars and rules that are kept here
    ///
    /// Refuses while blocks stand in their calendars: disable the calendars first, and let that be synchronised.
    #[command(after_help = "Example:\n  calendar-sync users remove ada@example.com --yes")]
    Remove {
        /// E-mail address or id
        user: String,
        /// Really do it
        #[arg(long)]
        yes: bool,
        /// Also while blocks stand in their calendars, which nobody can find afterwards
        #[arg(long)]
        leave_blocks: bool,
    },
}

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

/// `verify-google-domain`
#[derive(Args, Debug)]
pub struct VerifyDomainArgs {
    /// The domain under which this service is reached, such as sync.example.com
    #[arg(long, value_parser = crate::verification::steps::domain, required_unless_present = "remove")]
    pub domain: Option<String>,
    /// The file that Google gave you
    #[arg(long, value_name = "FILE", required_unless_present = "remove")]
    pub verification_file: Option<PathBuf>,
    /// Check the file and whether the domain leads here; store nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Stop serving the file that is stored
    #[arg(long, conflicts_with_all = ["domain", "verification_file"])]
    pub remove: bool,
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

/// Where invented people have their calendars.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Providers {
    /// All at Google
    Google,
    /// All at Microsoft
    Microsoft,
    /// By turns at Google and at Microsoft
    Both,
}

impl From<Providers> for Homes {
    fn from(providers: Providers) -> Homes {
        match providers {
            Providers::Google => Homes::One(calsync_sim::cloud::watch::Provider::Google),
            Providers::Microsoft => Homes::One(calsync_sim::cloud::watch::Provider::Microsoft),
            Providers::Both => Homes::Both,
        }
    }
}

/// `sync-calendars`
#[derive(Args, Debug)]
pub struct SyncArgs {
    /// How thoroughly
    #[arg(long, default_value = "webhook-fallback")]
    pub mode: SyncMode,
    /// Only this calendar (id, or name if only one is called so)
    #[arg(long, value_name = "CALENDAR")]
    pub calendar: Option<String>,
    /// Only tell which calendars, and how each is kept up to date now
    #[arg(long)]
    pub dry_run: bool,
}

/// How thoroughly to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum SyncMode {
    /// What changed, in calendars that no healthy push channel watches
    WebhookFallback,
    /// What changed, in all calendars
    PollingOnly,
    /// Everything, in all calendars
    Full,
}

/// `explain`
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The event's id at its provider, or a time such as 2026-11-24T14:00:00Z
    pub what: String,
    /// Look only among this user's calendars (e-mail address or id)
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
}

/// `calendars …`
#[derive(Subcommand, Debug)]
pub enum CalendarsCommand {
    /// List the calendars
    #[command(after_help = "Example:\n  calendar-sync calendars list --user ada@example.com")]
    List(OfUser),
    /// Let a calendar take part
    #[command(after_help = "Example:\n  calendar-sync calendars enable Work")]
    Enable(OneCalendar),
    /// Take a calendar out: its blocks go from the others, and the others' blocks from it
    ///
    /// Shows first what it would remove, and asks. What can't be removed now is removed later, by the running service.
    #[command(after_help = "Example:\n  calendar-sync calendars disable Work --dry-run")]
    Disable(DisableArgs),
}

/// Whose.
#[derive(Args, Debug)]
pub struct OfUser {
    /// Only this user's (e-mail address or id)
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
}

/// Which calendar.
#[derive(Args, Debug)]
pub struct OneCalendar {
    /// The calendar's id, or its name if only one is called so
    pub calendar: String,
    /// Look only among this user's calendars (e-mail address or id)
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
}

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

/// On or off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Toggle {
    On,
    Off,
}

impl Toggle {
    /// Whether it is on.
    pub const fn is_on(self) -> bool {
        matches!(self, Toggle::On)
    }
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
