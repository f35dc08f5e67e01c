//! The command line as a tree: names, options, help texts and examples. No logic.

use std::path::PathBuf;

use calsync_sim::life::Homes;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::exit::EXIT_CODES;
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
    /// What was done to which calendar when, and taking a run back
    #[command(after_help = "Example:\n  calendar-sync runs list --calendar Private")]
    Runs {
        /// What to do.
        #[command(subcommand)]
        command: super::runs::RunsCommand,
    },
    /// Let a held plan go ahead: what it would remove is really gone, or what was undone may follow the rules again
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
    /// Put everything into one file, while the service runs
    ///
    /// Whichever database it is: the file holds one moment of it, was read back and compared, and is for its owner alone. Secrets
    /// in it stay sealed; the sealing key is not in it.
    #[command(after_help = "Example:\n  calendar-sync backup /var/backups/calendar-sync-2026-11-23.backup")]
    Backup(super::backup::BackupArgs),
    /// Fill an empty database from a backup
    ///
    /// First the backup is read to its end: one that is damaged, newer, or sealed with other keys is refused, and nothing is
    /// changed. Then everything is written, and both sides are compared. Broken off, the same command goes on where it was.
    #[command(
        after_help = "Example:\n  calendar-sync restore /var/backups/calendar-sync-2026-11-23.backup\n  calendar-sync restore a.backup --check"
    )]
    Restore(super::backup::RestoreArgs),
    /// After the loss of the whole database: find which calendars took part, and let them in again
    ///
    /// First add the users, connect their accounts, and set rules if they were not the default; the sealing key must be the old one.
    /// Blocks are known again by the marks that they carry: nothing is doubled and nothing removed. Shows first what the next pass
    /// would write, and goes on only if that is nothing.
    #[command(
        after_help = "Example:\n  calendar-sync rebuild --dry-run\n  calendar-sync rebuild --user ada@example.com --yes"
    )]
    Rebuild(super::rebuild::RebuildArgs),
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
        command: super::accounts::args::AccountsCommand,
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
    Reset(super::leaving::args::ResetArgs),
    /// Which calendar blocks which, and how
    ///
    /// Without rules of their own, all of a user's enabled calendars block each other.
    #[command(after_help = "Example:\n  calendar-sync rules set Work Private --title Busy --skip-all-day on")]
    Rules {
        /// What to do.
        #[command(subcommand)]
        command: super::rules::args::RulesCommand,
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
    /// Tell how well it is: exit status 0 healthy, 1 degraded, 2 critical
    ///
    /// A running service looks every few seconds by itself; from cron, with --send-alerts, this does what it does once. Where
    /// a running service has the watch, it says so and only tells the level.
    #[command(after_help = "Example:\n  calendar-sync webhook-health-check --send-alerts")]
    WebhookHealthCheck(super::health::HealthArgs),
    /// What is going on: level, findings, advice, and what is open; or how fresh each rule is
    #[command(
        after_help = "Example:\n  calendar-sync status\n  calendar-sync status --rules --user ada@example.com"
    )]
    Status(super::freshness::StatusArgs),
    /// What is wrong, who was told, and who is not to be
    #[command(after_help = "Example:\n  calendar-sync alerts test")]
    Alerts {
        /// What to do.
        #[command(subcommand)]
        command: super::alerts::AlertsCommand,
    },
    /// Measure speed, calls and memory on this machine, against what the machine can do
    #[command(subcommand, after_help = "Example:\n  calendar-sync bench receipt --seconds 2 --rounds 3")]
    Bench(super::bench::BenchCommand),
    /// Look at this installation, and tell what stands in its way and what to do
    ///
    /// Looks at the configuration, the database and its directory, the sealing key, Redis, the providers, the clock, and
    /// at this service through its public address. Changes nothing. A warning is no failure.
    #[command(
        after_help = "Example:\n  calendar-sync doctor\n  calendar-sync doctor --send-alerts\n\nExit status 0 when nothing failed, 1 when something did."
    )]
    Doctor(super::doctor::DoctorArgs),
    /// Before an upgrade or a first start: may this version be put to work here? And after it: does it work?
    ///
    /// Before: configuration, keys, whether the database can be brought up to date (each missing step is tried and taken back), whether
    /// every alert channel answers, the public address with its certificate, and that what runs now is not critical. After: the level
    /// once it has settled, the database, and a signed notification of our own, in through the public address and through a worker to
    /// the end of a run. Nothing is changed in any calendar.
    #[command(
        after_help = "Example:\n  calendar-sync validate-deployment --before\n  calendar-sync validate-deployment --after --wait 120\n\nExit status 0 when nothing failed, 1 when something did."
    )]
    ValidateDeployment(super::validate::ValidateArgs),
    /// Serve the file by which Google lets you prove that a domain is yours, and test that it can be reached
    ///
    /// Google gives you a file called google….html (Search Console, method "HTML file"). It is checked and stored, and every
    /// running instance serves it at once. Then it is looked at, and the health route too, through the domain by https,
    /// step by step. A step that fails says what to do; what was stored stays, and the command can be repeated.
    #[command(
        after_help = "Example:\n  calendar-sync verify-google-domain --domain sync.example.com --verification-file google1234567890abcdef.html\n  calendar-sync verify-google-domain --remove\n\nExit status 0 when every step went well, 1 when one did not."
    )]
    VerifyGoogleDomain(super::verify_domain::VerifyDomainArgs),
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
    /// Make a link by which a user chooses a password for the web pages
    ///
    /// It holds for seven days, and until it was used. Whoever has it can sign in as that user: hand it over in private.
    #[command(after_help = "Example:\n  calendar-sync users invite ada@example.com")]
    Invite {
        /// E-mail address or id
        user: String,
    },
    /// Forget whom a user is at the organisation's own sign-in
    ///
    /// For somebody who got a new identity there: the next time they are known by their address once more. All their browsers
    /// are signed out.
    #[command(after_help = "Example:\n  calendar-sync users unlink ada@example.com")]
    Unlink {
        /// E-mail address or id
        user: String,
    },
    /// Remove a user with all accounts, calendars and rules that are kept here
    ///
    /// Refuses while blocks stand in their calendars: disable the calendars first, and let that be synchronised. Push channels
    /// are closed at the provider first; those that can't be are told, with the time at which they end by themselves.
    #[command(after_help = "Example:\n  calendar-sync users remove ada@example.com --yes")]
    Remove {
        /// E-mail address or id
        user: String,
        /// Really do it, without being asked
        #[arg(long)]
        yes: bool,
        /// Only show what would be removed
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
        /// Also while blocks stand in their calendars, which nobody can find afterwards
        #[arg(long)]
        leave_blocks: bool,
    },
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
    ///
    /// Its rules with the others are what `rules defaults` says, unless it has some already.
    #[command(after_help = "Example:\n  calendar-sync calendars enable Work --dry-run")]
    Enable(EnableArgs),
    /// Take a calendar out: its blocks go from the others, and the others' blocks from it
    ///
    /// Shows first what it would remove, and asks. What can't be removed now is removed later, by the running service.
    #[command(after_help = "Example:\n  calendar-sync calendars disable Work --dry-run")]
    Disable(super::leaving::args::DisableArgs),
}

/// `calendars enable`
#[derive(Args, Debug)]
pub struct EnableArgs {
    /// Which one.
    #[command(flatten)]
    pub which: OneCalendar,
    /// Only show which blocks would be written where: reads the calendar for it
    #[arg(long)]
    pub dry_run: bool,
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
