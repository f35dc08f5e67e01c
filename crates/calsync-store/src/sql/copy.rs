//! Moving house: everything of one database is carried to another, of whichever dialect, and compared in the end. What
//! is sealed stays sealed, blocks keep their names, and leases their tokens. Never changes the source, and never touches a target that
//! holds anything but a part of this very copy.

use std::ops::ControlFlow;

use calsync_core::ports::StoreError;
use calsync_core::time::Ts;

use super::connect;
use super::db::Db;
use super::lite::Missing;
use super::migrate;
use view::View;

mod backup;
mod carry;
mod compare;
mod digest;
mod guard;
mod marker;
mod rows;
mod tables;
#[cfg(all(test, feature = "contract"))]
mod tests;
mod view;

pub use backup::{Damaged, Sealed, backup, check};
pub use compare::{Compared, Report};
pub use digest::{Content, Digest};
pub(super) use marker::refuse_unfinished;
pub(super) use tables::COUNTERS;

const SETTING: &str = "SELECT value FROM settings WHERE name = $1";
/// Connections to a server that a copy needs at most.
const CONNECTIONS: u32 = 2;

/// As of calendars that were never read (`calsync_core::plan`).
const READ_ANEW: [&str; 1] = ["UPDATE calendars SET last_full_sync = NULL, full_due = 1, due_at = $1 \
    WHERE sync_enabled = 1 OR leaving IS NOT NULL"];

/// Which of the two databases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It is read.
    Source,
    /// It is written.
    Target,
}

/// Why nothing was copied, or not everything.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CopyError {
    /// A database does not do what it should.
    #[error("{}: {error}", end.name())]
    Store {
        /// Which.
        end: End,
        /// What it says.
        error: StoreError,
    },
    /// Columns may be missing on one side.
    #[error("{} has schema version {found}, this program copies version {known}: {}", end.name(), if found > known {
        "use the newest calendar-sync that has worked on it"
    } else {
        "run `calendar-sync migrate` on it first"
    })]
    Version {
        /// Whose.
        end: End,
        /// Found there.
        found: i64,
        /// Known to this program.
        known: i64,
    },
    /// Somebody works on it.
    #[error("a service is at work on {} (it holds the lease {lease}): stop every `calendar-sync serve` on it first; one \
        that was killed gives it up at {until}", end.name())]
    Alive {
        /// On which.
        end: End,
        /// What is held.
        lease: String,
        /// Until when.
        until: Ts,
    },
    /// The target is somebody else's.
    #[error("the target is in use: {0}. Nothing was changed; name an empty database")]
    InUse(String),
    /// Both URLs lead to one database.
    #[error("source and target are the same database")]
    Same,
    /// A row does not fit.
    #[error(
        "a row of {table} does not fit into the target: {words}. If a service changed the source meanwhile, stop \
        it, and copy into an empty database; what is there of this copy can be thrown away"
    )]
    Misfit {
        /// Whose row.
        table: &'static str,
        /// Why.
        words: String,
    },
    /// Whoever watched did not want to go on.
    #[error("it was stopped; what was copied stays, and the same command goes on from there")]
    Stopped,
}

impl End {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            End::Source => "the source",
            End::Target => "the target",
        }
    }
}

impl CopyError {
    fn store(end: End, error: StoreError) -> CopyError {
        CopyError::Store { end, error }
    }
}

/// What is being done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Rows are written to the target.
    Copying,
    /// Both sides are read.
    Comparing,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// With which table.
    pub table: &'static str,
    /// Rows that are done, those of an earlier try included.
    pub done: u64,
    /// Rows that there are to do.
    pub of: u64,
}

/// Is told of every page, after it was committed, and says whether to go on.
pub type Watch<'a> = dyn FnMut(Progress) -> ControlFlow<()> + Send + 'a;

/// What a target holds, seen from a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Nothing.
    New,
    /// A part of its rows.
    Unfinished {
        /// How many.
        rows: u64,
    },
    /// All of it, since then.
    Finished {
        /// When both agreed.
        at: Ts,
    },
}

/// What there is to copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prospect {
    /// Rows of each table of the source.
    pub tables: Vec<(&'static str, u64)>,
    /// What the target holds.
    pub target: Standing,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It had been done before, at this time; nothing was changed.
    Already(Ts),
    /// Everything is there, and was compared.
    Copied(Report),
}

/// A database to copy from or to.
pub struct Place(Db);

impl Place {
    /// A source: a database that is up to date.
    pub async fn source(url: &str) -> Result<Place, CopyError> {
        let fail = |error| CopyError::store(End::Source, error);
        let db = connect(url, Missing::Refuse, CONNECTIONS).await.map_err(fail)?;
        migrate::check(&db).await.map_err(fail)?;
        refuse_unfinished(&db).await.map_err(fail)?;
        Ok(Place(db))
    }

    /// A file that is only read: a backup.
    pub async fn backup(url: &str) -> Result<Place, CopyError> {
        let fail = |error| CopyError::store(End::Source, error);
        let db = connect(url, Missing::OnlyRead, CONNECTIONS).await.map_err(fail)?;
        migrate::check(&db).await.map_err(fail)?;
        Ok(Place(db))
    }

    /// A setting that is kept in it.
    pub async fn setting(&self, name: &str) -> Result<Option<serde_json::Value>, CopyError> {
        let fail = |error| CopyError::store(End::Source, error);
        let row = self.0.one(SETTING, super::value::vals![name]).await.map_err(fail)?;
        row.map(|mut row| row.json()).transpose().map_err(fail)
    }

    /// A target, which a copy brings up to date; a file is made if there is none.
    pub async fn target(url: &str) -> Result<Place, CopyError> {
        let db = connect(url, Missing::Create, CONNECTIONS).await;
        db.map(Place).map_err(|error| CopyError::store(End::Target, error))
    }

    /// Lets go of it. What stood beside its file is in the file then.
    pub async fn close_as_one_file(&self) -> Result<(), CopyError> {
        self.0.close_as_one_file().await.map_err(|error| CopyError::store(End::Target, error))
    }

    /// Lets go of it.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

/// What `copy` would do, without doing it. No target: one that is not there yet.
pub async fn look(from: &Place, to: Option<&Place>, now: Ts) -> Result<Prospect, CopyError> {
    let fail = |error| CopyError::store(End::Source, error);
    guard::version(End::Source, &from.0).await?;
    guard::at_rest(End::Source, &from.0, now).await?;
    let view = View::Live(&from.0);
    let source = guard::source_of(&view).await.map_err(fail)?;
    let target = match to {
        Some(to) => guard::standing(&to.0, &source).await?.0,
        None => Standing::New,
    };
    Ok(Prospect { tables: rows::counts(&view).await.map_err(fail)?, target })
}

/// Copies everything, or what an earlier try left, and compares both sides. Needs the source to be at rest: what is
/// written there meanwhile is found out in the end, and makes the copy worthless.
pub async fn copy(from: &Place, to: &Place, now: Ts, watch: &mut Watch<'_>) -> Result<Outcome, CopyError> {
    bring(from, to, &[], now, watch).await
}

/// Copies a backup. It is of an earlier moment: what had been seen until then proves nothing any more, so each calendar is read to
/// its end before anything is planned from it or for it. Else a block that was made since would be made once more.
pub async fn restore(from: &Place, to: &Place, now: Ts, watch: &mut Watch<'_>) -> Result<Outcome, CopyError> {
    bring(from, to, &READ_ANEW, now, watch).await
}

async fn bring(
    from: &Place,
    to: &Place,
    and_then: &[&'static str],
    now: Ts,
    watch: &mut Watch<'_>,
) -> Result<Outcome, CopyError> {
    guard::version(End::Source, &from.0).await?;
    let source = View::Live(&from.0);
    // Before anything is changed there, its schema included.
    let (name, standing, found) = look_at(&source, &to.0).await?;
    if let Standing::Finished { at } = standing {
        return Ok(Outcome::Already(at));
    }
    guard::at_rest(End::Source, &from.0, now).await?;
    let (report, marker) = carry_over(&source, &to.0, (name, found), now, watch).await?;
    guard::at_rest(End::Source, &from.0, now).await?;
    if report.agrees() {
        compare::finish(&to.0, &marker, now, None, and_then).await?;
    }
    Ok(Outcome::Copied(report))
}

/// Which installation is copied, and what of it is there.
async fn look_at(from: &View<'_>, to: &Db) -> Result<(String, Standing, Option<marker::Marker>), CopyError> {
    let name = guard::source_of(from).await.map_err(|error| CopyError::store(End::Source, error))?;
    let (standing, found) = guard::standing(to, &name).await?;
    Ok((name, standing, found))
}

/// Brings the target up to date, copies what it lacks, and compares.
async fn carry_over(
    from: &View<'_>,
    to: &Db,
    (source, found): (String, Option<marker::Marker>),
    now: Ts,
    watch: &mut Watch<'_>,
) -> Result<(Report, marker::Marker), CopyError> {
    migrate::run(to).await.map_err(|error| CopyError::store(End::Target, error))?;
    guard::version(End::Target, to).await?;
    guard::at_rest(End::Target, to, now).await?;
    let new = marker::Marker { source, began_at: now.micros(), rows: 0, at: marker::At::Begun, holds: None };
    let marker = carry::begin(from, to, found, new).await?;
    let before = marker.rows;
    let counts = rows::counts(from).await.map_err(|error| CopyError::store(End::Source, error))?;
    let of = counts.iter().map(|(_, rows)| rows).sum();
    let marker = carry::all(from, to, marker, of, watch).await?;
    let mut report = compare::sides(from, to, of, watch).await?;
    report.copied = marker.rows - before;
    report.before = before;
    Ok((report, marker))
}
