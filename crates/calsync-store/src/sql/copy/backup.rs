//! A backup: a copy of one moment, made while services are at work, in one SQLite file that says of itself what it must hold. So
//! whatever befell the file is found out before anything is restored from it.

use calsync_core::ports::StoreError;
use calsync_core::time::Ts;

use super::digest::{Content, Digest, Zero, content};
use super::marker::{self, At};
use super::tables::TABLES;
use super::view::View;
use super::{CopyError, End, Place, Progress, Report, Standing, Watch};
use super::{Phase, carry_over, compare, guard, look_at};

/// A backup that is whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// The moment that it shows.
    pub made_at: Ts,
    /// Rows in it.
    pub rows: u64,
}

/// Why nothing is restored from a file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Damaged {
    /// It can't be read.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// It does not say what it must hold.
    #[error("it is a database of calendar-sync, but no backup: move such a one with `calendar-sync db copy`")]
    NoBackup,
    /// It does not hold that.
    #[error("it is damaged: {} not what was backed up. Nothing was changed; use another backup", named(.0))]
    Differs(Vec<String>),
}

fn named(tables: &[String]) -> String {
    let verb = if tables.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", tables.join(", "))
}

/// Backs everything up into an empty file. Services may go on with their work: none of what they write from now on is in it.
pub async fn backup(from: &Place, to: &Place, now: Ts, watch: &mut Watch<'_>) -> Result<Report, CopyError> {
    guard::version(End::Source, &from.0).await?;
    let view = View::still(&from.0).await.map_err(|error| CopyError::store(End::Source, error))?;
    let (name, standing, _) = look_at(&view, &to.0).await?;
    if standing != Standing::New {
        return Err(CopyError::InUse("it holds a backup already".to_owned()));
    }
    let (report, marker) = carry_over(&view, &to.0, (name, None), now, watch).await?;
    if report.agrees() {
        let holds =
            report.tables.iter().map(|t| (t.table.to_owned(), t.target.rows, t.target.digest.to_string()));
        compare::finish(&to.0, &marker, now, Some(holds.collect()), &[]).await?;
    }
    Ok(report)
}

/// Reads a backup to its end: whether it holds what it says.
pub async fn check(file: &Place, watch: &mut Watch<'_>) -> Result<Sealed, Damaged> {
    let fail = |error| CopyError::store(End::Source, error);
    guard::version(End::Source, &file.0).await?;
    let view = View::Live(&file.0);
    let marker = marker::find(&view).await.map_err(fail)?;
    let Some((At::Finished { at }, Some(holds))) = marker.map(|marker| (marker.at, marker.holds)) else {
        return Err(Damaged::NoBackup);
    };
    let unreadable = || fail(StoreError::Corrupt("what it says of itself can not be read".to_owned()));
    let of = holds.iter().map(|(_, rows, _)| rows).sum();
    let (mut done, mut damaged) = (0, Vec::new());
    for table in TABLES {
        let told = holds.iter().find(|(name, ..)| name == table.name).ok_or_else(unreadable)?;
        let digest = Digest::parse(&told.2).ok_or_else(unreadable)?;
        let seen = |rows| {
            done += rows;
            watch(Progress { phase: Phase::Comparing, table: table.name, done, of })
        };
        let found = content(&view, table, Zero::Kept, seen).await.map_err(fail)?.ok_or(CopyError::Stopped)?;
        if found.content != (Content { rows: told.1, digest }) {
            damaged.push(table.name.to_owned());
        }
    }
    if damaged.is_empty() {
        Ok(Sealed { made_at: Ts::from_micros(at), rows: of })
    } else {
        Err(Damaged::Differs(damaged))
    }
}
