//! The command line: what was asked for, one command, its result, and an exit code. Commands parse, call one thing and
//! render; they decide nothing that another face would have to decide again.

pub mod accounts;
pub mod alerts;
pub mod args;
mod backup;
pub mod bench;
pub mod calendars;
pub mod cleanup;
pub mod config;
pub mod connect;
pub mod consent;
pub mod context;
pub mod db;
pub mod demo;
pub mod doctor;
pub mod exit;
pub mod freshness;
pub mod health;
pub mod inspect;
pub mod leaving;
pub mod lookup;
pub mod maintenance;
pub mod migrate;
mod rebuild;
pub mod reset;
pub mod rollout;
pub mod rules;
pub mod runs;
pub mod secrets;
pub mod serve;
pub mod simulate;
pub mod subscriptions;
pub mod sync;
pub mod users;
pub mod validate;
pub mod verify_domain;

use std::future::Future;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use self::args::{Cli, Command};
use self::context::Context;
use self::exit::{Exit, Failure};
use crate::out::{Format, Out};

/// Runs the program on this process's command line.
pub fn main() -> ExitCode {
    // One TLS stack for everything; a second call finds it there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    let out = Out::new(if cli.json { Format::Json } else { Format::Text });
    let ended = run(&cli, out).and_then(arrived);
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            out.error(failure.exit.name(), &failure.message);
            failure.exit.into()
        }
    }
}

/// How a command ended for whoever reads its result: one that did not arrive is none.
fn arrived(exit: Exit) -> Result<Exit, Failure> {
    match crate::out::lost() {
        Some(why) if exit == Exit::Ok => Err(Failure::failed(why)),
        _ => Ok(exit),
    }
}

/// Help and version are results; everything else was mistyped.
fn usage(error: &clap::Error) -> Exit {
    let json = std::env::args_os().any(|arg| arg == "--json");
    if error.exit_code() == 0 {
        crate::out::heed(error.print());
        return arrived(Exit::Ok).unwrap_or_else(|failure| {
            Out::default().error(failure.exit.name(), &failure.message);
            failure.exit
        });
    }
    if json {
        let text = error.render().to_string();
        Out::new(Format::Json).error(Exit::Usage.name(), text.trim_start_matches("error: ").trim_end());
    } else {
        let _ = error.print();
    }
    Exit::Usage
}

fn run(cli: &Cli, out: Out) -> Result<Exit, Failure> {
    let config = cli.config.as_deref();
    match &cli.command {
        Command::Serve(args) => serve::run(args, config, out),
        Command::Demo(args) => serve::threaded(demo::run(args.clone(), out)),
        Command::Simulate(args) => serve::threaded(simulate::run(args.clone(), out)),
        Command::SyncCalendars(args) => {
            serve::on_service(config, out, async |context, service| sync::run(args, &context, &service).await)
        }
        Command::Plan(of) => serve::on_service(config, out, async |context, service| {
            inspect::plan(of.user.as_deref(), &context, &service).await
        }),
        Command::Explain(args) => serve::on_service(config, out, async |context, service| {
            inspect::explain(args, &context, &service).await
        }),
        Command::Runs { command } => serve::on_service(config, out, async |context, service| {
            runs::run(command, &context, &service).await
        }),
        Command::Approve(which) => {
            on_store(config, out, async |context| inspect::approve(which, &context).await)
        }
        Command::Accounts { command: accounts::args::AccountsCommand::Connect(args) } => {
            serve::on_service(config, out, async |context, service| {
                connect::run(args, &context, &service).await
            })
        }
        Command::Accounts { command: accounts::args::AccountsCommand::Remove(args) } => {
            serve::on_service(config, out, async |context, service| {
                accounts::remove(args, &context, &service).await
            })
        }
        Command::Rollout { command } => serve::on_service(config, out, async |context, service| {
            rollout::run(command, &context, &service).await
        }),
        Command::ManageSubscriptions { command } => {
            serve::on_service(config, out, async |context, service| {
                subscriptions::run(command, &context, &service).await
            })
        }
        Command::SubscriptionMaintenance(args) => serve::on_service(config, out, async |context, service| {
            maintenance::run(args, &context, &service).await
        }),
        Command::CleanupWebhookData(args) => {
            on_store(config, out, async |context| cleanup::run(args, &context).await)
        }
        Command::WebhookHealthCheck(args) => {
            let asked = serve::on_service(config, out, async |context, service| {
                health::check(args, &context, &service).await
            });
            match asked {
                Err(failure) if failure.exit == Exit::DatabaseAway => {
                    health::without(args, config, out, &failure)
                }
                other => other,
            }
        }
        Command::Status(args) => serve::on_service(config, out, async |context, service| {
            if args.rules {
                freshness::rules(args, &context, &service).await
            } else {
                health::status(&context, &service).await
            }
        }),
        Command::Alerts { command } => serve::on_service(config, out, async |context, service| {
            alerts::run(command, &context, &service).await
        }),
        Command::Bench(command) => bench::run(command, out),
        Command::Config { command } => config::run(command, config, out),
        Command::Doctor(args) => doctor::run(args, config, out),
        Command::ValidateDeployment(args) if args.before => validate::before(config, out),
        Command::ValidateDeployment(args) => serve::on_service(config, out, async |context, service| {
            validate::after(args, &context, &service).await
        }),
        Command::VerifyGoogleDomain(args) => {
            on_store(config, out, async |context| verify_domain::run(args, &context).await)
        }
        Command::Completions { shell } => Ok(completions(*shell, out)),
        Command::Secrets { command: args::SecretsCommand::Generate { out: path } } => {
            secrets::generate(path.as_deref(), out)
        }
        Command::Secrets { command } => {
            on_store(config, out, async |context| secrets::run(command, &context).await)
        }
        Command::Migrate => migrate::run(config, out),
        Command::Db(command) => db::run(command, out),
        Command::Backup(args) => backup::run(args, config, out),
        Command::Restore(args) => backup::restore(args, config, out),
        Command::Rebuild(args) => serve::on_service(config, out, async |context, service| {
            rebuild::run(args, &context, &service).await
        }),
        Command::Users { command } => {
            on_store(config, out, async |context| users::run(command, &context).await)
        }
        Command::Accounts { command: accounts::args::AccountsCommand::List(of) } => {
            on_store(config, out, async |context| accounts::list(of, &context).await)
        }
        Command::Calendars { command: args::CalendarsCommand::List(of) } => {
            on_store(config, out, async |context| calendars::list(of, &context).await)
        }
        Command::Calendars { command: args::CalendarsCommand::Enable(args) } if args.dry_run => {
            serve::on_service(config, out, async |context, service| {
                calendars::would_enable(&args.which, &context, &service).await
            })
        }
        Command::Calendars { command: args::CalendarsCommand::Enable(args) } => {
            on_store(config, out, async |context| calendars::enable(&args.which, &context).await)
        }
        Command::Calendars { command: args::CalendarsCommand::Disable(args) } => {
            serve::on_service(config, out, async |context, service| {
                calendars::disable(args, &context, &service).await
            })
        }
        Command::Reset(args) => serve::on_service(config, out, async |context, service| {
            reset::run(args, &context, &service).await
        }),
        Command::Rules { command: rules::args::RulesCommand::Set(set) } if set.dry_run => {
            serve::on_service(config, out, async |context, service| {
                rules::would(set, &context, &service).await
            })
        }
        Command::Rules { command } => {
            on_store(config, out, async |context| rules::run(command, &context).await)
        }
    }
}

/// Runs a command on the configured store, and closes the store whatever became of it.
fn on_store(
    config: Option<&std::path::Path>,
    out: Out,
    command: impl AsyncFnOnce(Context) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let loaded = context::load(config, out)?;
    let _log = crate::telemetry::logging::start(
        &quiet(&loaded.settings.log),
        crate::telemetry::logging::Console::Stderr,
    )?;
    block_on(async {
        let store = crate::storage::open(&loaded.settings.database, crate::storage::Migrate::Check).await?;
        let result = command(Context::new(out, loaded, store.clone())).await;
        store.close().await;
        result
    })?
}

/// Of the log, commands show this. A certificate that nobody trusts is told by whoever met it.
const QUIET: &str = "warn,rustls_platform_verifier=off";

/// Commands answer by their result: of the log they show warnings, and they leave the service's files alone.
fn quiet(log: &crate::config::LogSettings) -> crate::config::LogSettings {
    crate::config::LogSettings { level: QUIET.to_owned(), directory: None, ..log.clone() }
}

/// Runs to the end what a command waits for.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("the system gives no resources to run in: {e}")))?;
    Ok(runtime.block_on(future))
}

fn completions(shell: clap_complete::Shell, out: Out) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "calendar-sync", &mut script);
    out.raw(&String::from_utf8_lossy(&script));
    Exit::Ok
}
