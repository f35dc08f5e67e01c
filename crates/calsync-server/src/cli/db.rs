//! `db copy`: moves a whole installation to another database. Reads two URLs, calls the copy, and shows how far it is
//! and how it ended. Never shows a password, and never starts or stops a service.

use std::ops::ControlFlow;
use std::path::Path;

use calsync_core::ports::{Clock, StoreError};
use calsync_store::copy::{self, CopyError, Outcome, Place, Prospect, Report, Standing};
use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::{Exit, Failure};
use crate::config::DatabaseUrl;
use crate::out::{Format, Out};
use crate::secrets::first_run::key_path;
use crate::system::SystemClock;

mod show;

pub(super) use show::Watcher;

/// `db …`
#[derive(Subcommand, Debug)]
pub enum DbCommand {
    /// Move everything to another database, such as from SQLite to a PostgreSQL server
    ///
    /// Stop every `serve` first. The target has to be empty; it gets its tables by this. Broken off at any point, the same
    /// command goes on where it was. In the end both sides are read again and compared, table by table; the source is
    /// never changed. What is sealed stays sealed: the service needs the same sealing key as before.
    #[command(
        after_help = "Example:\n  calendar-sync db copy --from sqlite:///var/lib/calendar-sync/calendar-sync.db --to @/etc/calendar-sync/new-database-url\n\n\
        Exit status 0 only if everything is there and both sides agree."
    )]
    Copy(CopyArgs),
}

/// `db copy`
#[derive(Args, Debug)]
pub struct CopyArgs {
    /// URL of the database to read; or @ and a file that holds the URL, which keeps a password out of the process list
    #[arg(long, value_name = "URL|@FILE")]
    pub from: String,
    /// URL of the empty database to fill; or @ and a file that holds the URL
    #[arg(long, value_name = "URL|@FILE")]
    pub to: String,
    /// Show what would be copied, and copy nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs it.
pub fn run(command: &DbCommand, out: Out) -> Result<Exit, Failure> {
    let DbCommand::Copy(args) = command;
    let (from, to) = (url("--from", &args.from)?, url("--to", &args.to)?);
    check(&from, &to)?;
    super::block_on(async {
        // Dropped half-way, it leaves nothing half-written: each page is a transaction.
        tokio::select! {
            done = work(args, &from, &to, out) => done,
            () = super::serve::stop_signal() => Err(CopyError::Stopped.into()),
        }
    })?
}

async fn work(args: &CopyArgs, from: &DatabaseUrl, to: &DatabaseUrl, out: Out) -> Result<Exit, Failure> {
    let source = Place::source(from.expose()).await?;
    let done = if args.dry_run {
        would_copy(&source, from, to, out).await
    } else {
        copy_all(&source, from, to, out).await
    };
    source.close().await;
    done
}

async fn would_copy(source: &Place, from: &DatabaseUrl, to: &DatabaseUrl, out: Out) -> Result<Exit, Failure> {
    // Looking must not make a file.
    let is_there = to.file().is_none_or(|file| file.exists());
    let target = if is_there { Some(Place::target(to.expose()).await?) } else { None };
    let prospect = copy::look(source, target.as_ref(), SystemClock.now()).await;
    if let Some(target) = target {
        target.close().await;
    }
    show::prospect(&prospect?, from, to, out);
    Ok(Exit::Ok)
}

async fn copy_all(source: &Place, from: &DatabaseUrl, to: &DatabaseUrl, out: Out) -> Result<Exit, Failure> {
    if let Some(file) = to.file() {
        crate::storage::make_private(&file).map_err(Failure::failed)?;
    }
    let target = Place::target(to.expose()).await?;
    let mut watcher = Watcher::new(out);
    let done = copy::copy(source, &target, SystemClock.now(), &mut |progress| {
        watcher.show(progress);
        ControlFlow::Continue(())
    })
    .await;
    watcher.finish();
    target.close().await;
    if done.is_err() && watcher.has_seen() {
        out.note("what was copied stays; once that is put right, the same command goes on from there");
    }
    match done? {
        Outcome::Already(at) => {
            let text = format!(
                "{to} holds a finished copy of {from} since {at}: nothing was changed. To copy again, name an empty database"
            );
            let value = json!({"outcome": "already", "finished_at": at.to_string(), "from": from.to_string(), "to": to.to_string()});
            out.result(&text, &value);
            Ok(Exit::Ok)
        }
        Outcome::Copied(report) => {
            show::report(&report, from, to, out);
            Ok(if report.agrees() { Exit::Ok } else { Exit::Failed })
        }
    }
}

/// The URL that an argument gives, itself or by a file.
pub(super) fn url(option: &str, text: &str) -> Result<DatabaseUrl, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    let text = match text.strip_prefix('@') {
        None => text.to_owned(),
        Some(file) => std::fs::read_to_string(file)
            .map_err(|e| usage(format!("{option}: cannot read {file}: {e}")))?
            .trim()
            .to_owned(),
    };
    DatabaseUrl::parse(&text).ok_or_else(|| {
        let shown = if DatabaseUrl::may_repeat(&text) { format!("{text:?} ") } else { "this ".to_owned() };
        usage(format!(
            "{option}: {shown}is not the URL of a database: write `sqlite://` and a path, or \
             `postgres://USER:PASSWORD@HOST:5432/DATABASE` with special characters percent-encoded"
        ))
    })
}

/// What can be told without asking either database.
pub(super) fn check(from: &DatabaseUrl, to: &DatabaseUrl) -> Result<(), Failure> {
    let same = || Failure::new(Exit::Usage, format!("--from and --to name the same database, {from}"));
    if from.expose() == to.expose() {
        return Err(same());
    }
    if let Some(file) = from.file().filter(|file| !file.exists()) {
        return Err(Failure::new(
            Exit::Database,
            format!("there is no database at {}: check --from", file.display()),
        ));
    }
    let Some(file) = to.file() else { return Ok(()) };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let folder = folder.display();
        return Err(Failure::new(
            Exit::Database,
            format!("the directory {folder} does not exist: make it, or check --to"),
        ));
    }
    let real = |path: &Path| path.canonicalize().ok();
    match (from.file().and_then(|path| real(&path)), real(&file)) {
        (Some(one), Some(other)) if one == other => Err(same()),
        _ => Ok(()),
    }
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Failure {
        let exit = match &error {
            CopyError::Store { error: StoreError::Conflict(_) | StoreError::LeaseLost(_), .. } => {
                Exit::Failed
            }
            CopyError::Store { .. } | CopyError::Version { .. } => Exit::Database,
            CopyError::Same => Exit::Usage,
            CopyError::Alive { .. } | CopyError::InUse(_) | CopyError::Misfit { .. } | CopyError::Stopped => {
                Exit::Failed
            }
        };
        Failure::new(exit, error.to_string())
    }
}
