//! `backup` and `restore`: an installation into one file while it is at work, and back, onto either kind of database. Never overwrites
//! a file or a database, and never puts the sealing key anywhere.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use calsync_core::ports::{Clock, StoreError};
use calsync_store::copy::{self, CopyError, Damaged, Outcome, Place, Report, Sealed};
use clap::Args;
use serde_json::json;

use super::context;
use super::db::{Watcher, check as check_places, url};
use super::exit::{Exit, Failure};
use crate::config::{DatabaseUrl, Settings};
use crate::out::Out;
use crate::secrets::first_run::{self, Missing, key_path};
use crate::secrets::identity;
use crate::storage;
use crate::system::{SystemClock, SystemRandom};

/// `backup`
#[derive(Args, Debug)]
pub struct BackupArgs {
    /// The file to make; there must be none of this name
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// `restore`
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// A file that `backup` made
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// URL of the empty database to fill, or @ and a file that holds it [default: the configured one]
    #[arg(long, value_name = "URL|@FILE")]
    pub to: Option<String>,
    /// Only read the backup to its end, and tell whether it is whole and these keys open it
    #[arg(long, conflicts_with = "to")]
    pub check: bool,
}

/// Runs `backup`.
pub(super) fn run(args: &BackupArgs, config: Option<&Path>, out: Out) -> Result<Exit, Failure> {
    let settings = context::load(config, out)?.settings;
    let file = &args.file;
    if file.exists() {
        let message = format!("there is a {} already: name another file", file.display());
        return Err(Failure::new(Exit::Usage, message));
    }
    let folder = folder_of(file);
    if !folder.is_dir() {
        let message = format!("the directory {} does not exist: make it first", folder.display());
        return Err(Failure::new(Exit::Usage, message));
    }
    super::block_on(async {
        tokio::select! {
            done = back_up(&settings, file, out) => done,
            () = super::serve::stop_signal() => Err(CopyError::Stopped.into()),
        }
    })?
}

async fn back_up(settings: &Settings, file: &Path, out: Out) -> Result<Exit, Failure> {
    let (began, from) = (Instant::now(), &settings.database.url);
    storage::present(&settings.database)?;
    let source = Place::source(from.expose()).await?;
    // Nobody takes a half-written file for a backup: it has this name until it is whole.
    let draft = beside(file, ".part");
    let made = write(&source, &draft, out).await;
    source.close().await;
    let (report, moment) = made.inspect_err(|_| sweep(&draft))?;
    let length = publish(&draft, file).map_err(|error| {
        sweep(&draft);
        Failure::failed(format!("{} could not be written: {error}", file.display()))
    })?;
    let key = match from.file().map(|database| key_path(&database)).filter(|key| key.exists()) {
        Some(key) => format!("the sealing key ({})", key.display()),
        None => "the sealing key".to_owned(),
    };
    let seconds = began.elapsed().as_secs_f64();
    let text = format!(
        "{} holds all {} rows of {from} as of {moment} ({length} bytes, {seconds:.1} s), read back and compared\n\
         secrets in it stay sealed: keep {key} too, and keep it apart from the backup",
        file.display(),
        report.copied,
    );
    let value = json!({"file": file.display().to_string(), "rows": report.copied, "bytes": length,
        "as_of": moment.to_string(), "from": from.to_string()});
    out.result(&text, &value);
    Ok(Exit::Ok)
}

async fn write(source: &Place, draft: &Path, out: Out) -> Result<(Report, calsync_core::time::Ts), Failure> {
    sweep(draft);
    storage::make_private(draft).map_err(Failure::failed)?;
    let target = Place::target(&format!("sqlite://{}", draft.display())).await?;
    let (mut watcher, now) = (Watcher::of_people(out), SystemClock.now());
    let done = copy::backup(source, &target, now, &mut |progress| {
        watcher.show(progress);
        ControlFlow::Continue(())
    })
    .await;
    watcher.finish();
    let closed = target.close_as_one_file().await;
    let report = done?;
    closed?;
    if report.agrees() {
        Ok((report, now))
    } else {
        Err(Failure::failed(
            "what was written is not what was read: the disk may be failing; nothing was kept",
        ))
    }
}

/// The file gets its name once it is on the disk; how long it is.
fn publish(draft: &Path, file: &Path) -> std::io::Result<u64> {
    let written = File::open(draft)?;
    written.sync_all()?;
    // Unlike a renaming, a link takes no other file's place.
    match std::fs::hard_link(draft, file) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => std::fs::rename(draft, file)?,
        linked => {
            linked?;
            std::fs::remove_file(draft)?;
        }
    }
    File::open(folder_of(file))?.sync_all()?;
    Ok(written.metadata()?.len())
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Removes what an earlier try left.
fn sweep(draft: &Path) {
    for end in ["", "-wal", "-shm", "-journal"] {
        let _ = std::fs::remove_file(beside(draft, end));
    }
}

/// Runs `restore`.
pub(super) fn restore(args: &RestoreArgs, config: Option<&Path>, out: Out) -> Result<Exit, Failure> {
    let settings = context::load(config, out)?.settings;
    let to = match &args.to {
        Some(text) => url("--to", text)?,
        None => settings.database.url.clone(),
    };
    if !args.file.is_file() {
        let message = format!("there is no file {}", args.file.display());
        return Err(Failure::new(Exit::NotFound, message));
    }
    let backup = format!("sqlite://{}", args.file.display());
    let from = DatabaseUrl::parse(&backup)
        .ok_or_else(|| Failure::new(Exit::Usage, format!("{} is no name of a file", args.file.display())))?;
    check_places(&from, &to)?;
    super::block_on(async {
        tokio::select! {
            done = bring_back(&settings, (&from, &to), args.check, out) => done,
            () = super::serve::stop_signal() => Err(CopyError::Stopped.into()),
        }
    })?
}

async fn bring_back(
    settings: &Settings,
    (from, to): (&DatabaseUrl, &DatabaseUrl),
    only_check: bool,
    out: Out,
) -> Result<Exit, Failure> {
    let began = Instant::now();
    let backup = Place::backup(from.expose()).await.map_err(|error| of_backup(from, error.into()))?;
    let done = async {
        let mut watcher = Watcher::of_people(out);
        let whole = copy::check(&backup, &mut |progress| {
            watcher.show(progress);
            ControlFlow::Continue(())
        })
        .await;
        watcher.finish();
        let whole = whole.map_err(|error| of_backup(from, error))?;
        fits(settings, &backup).await?;
        if only_check {
            let Sealed { made_at, rows } = whole;
            let text =
                format!("{from} is whole: {rows} rows as of {made_at}, and the configured keys open it");
            out.result(&text, &json!({"whole": true, "rows": rows, "as_of": made_at.to_string()}));
            return Ok(Exit::Ok);
        }
        fill(&backup, &whole, (from, to), began, out).await
    };
    let done = done.await;
    backup.close().await;
    done
}

/// Whether the configured keys open what is sealed in it. Found out before anything is written: credentials that nobody can open
/// look restored, and are not.
async fn fits(settings: &Settings, backup: &Place) -> Result<(), Failure> {
    let Some(stored) = backup.setting(identity::SETTING).await? else { return Ok(()) };
    let keys = first_run::keyring(settings, Missing::Lost, &SystemRandom)?;
    identity::open(stored, &keys.ring).map(drop).map_err(|error| {
        let message =
            format!("the backup is sealed, and these keys do not open it: {error}. Nothing was changed");
        Failure::new(Exit::Config, message)
    })
}

async fn fill(
    backup: &Place,
    whole: &Sealed,
    (from, to): (&DatabaseUrl, &DatabaseUrl),
    began: Instant,
    out: Out,
) -> Result<Exit, Failure> {
    if let Some(file) = to.file() {
        storage::make_private(&file).map_err(Failure::failed)?;
    }
    let target = Place::target(to.expose()).await?;
    let mut watcher = Watcher::of_people(out);
    let done = copy::restore(backup, &target, SystemClock.now(), &mut |progress| {
        watcher.show(progress);
        ControlFlow::Continue(())
    })
    .await;
    watcher.finish();
    target.close().await;
    if done.is_err() && watcher.has_seen() {
        out.note("what was restored stays; once that is put right, the same command goes on from there");
    }
    let moment = whole.made_at;
    let rows = match done? {
        Outcome::Already(at) => {
            let text = format!("{to} was restored from {from} at {at} already: nothing was changed");
            out.result(&text, &json!({"restored": false, "already": at.to_string()}));
            return Ok(Exit::Ok);
        }
        Outcome::Copied(Report { copied, before, ref tables, .. }) => {
            if let Some(differs) = tables.iter().find(|table| !table.agrees()) {
                let message =
                    format!("{to} does not hold what was written to it ({}): do not use it", differs.table);
                return Err(Failure::failed(message));
            }
            copied + before
        }
    };
    let took = began.elapsed().as_secs_f64();
    let text = format!(
        "{to} holds all {rows} rows as of {moment}, compared with the backup ({took:.1} s)\n\
         next: start `calendar-sync serve` with database.url set to it; people sign in anew. What happened in the calendars since \
         {moment} is read again: blocks that were made since are found and taken over"
    );
    out.result(
        &text,
        &json!({"restored": true, "rows": rows, "as_of": moment.to_string(), "to": to.to_string()}),
    );
    Ok(Exit::Ok)
}

/// What a backup that can not be used means.
fn of_backup(from: &DatabaseUrl, error: Damaged) -> Failure {
    let file = from.file().map_or_else(String::new, |file| file.display().to_string());
    match error {
        Damaged::Copy(CopyError::Store { error: StoreError::Corrupt(detail), .. }) => {
            let message =
                format!("{file} is damaged or cut off: use another backup; nothing was changed ({detail})");
            Failure::new(Exit::Failed, message)
        }
        Damaged::Copy(CopyError::Store { error: StoreError::NewerSchema { found, known }, .. }) => {
            let message = format!(
                "{file} was made by a newer calendar-sync (schema {found}, this one knows {known}): restore it with that version"
            );
            Failure::new(Exit::Database, message)
        }
        Damaged::Copy(CopyError::Stopped) => CopyError::Stopped.into(),
        error => Failure::failed(format!("{file}: {error}")),
    }
}
