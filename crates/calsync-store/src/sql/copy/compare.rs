//! The end of a copy: both sides are read again, table by table, and told beside each other. Changes nothing but the mark, when
//! all agree.

use std::ops::ControlFlow;

use calsync_core::ports::StoreError;
use calsync_core::time::Ts;

use super::super::db::Db;
use super::super::value::vals;
use super::digest::{Content, Zero, content, figures};
use super::marker::{self, At, Marker};
use super::tables::{FIGURES_TABLE, TABLES};
use super::view::View;
use super::{CopyError, End, Phase, Progress, Watch};

/// A table on both sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compared {
    /// Which.
    pub table: &'static str,
    /// There.
    pub source: Content,
    /// Here.
    pub target: Content,
}

impl Compared {
    /// Whether both hold the same.
    pub fn agrees(&self) -> bool {
        self.source == self.target
    }
}

/// What was copied, and what both sides hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Rows that were copied now.
    pub copied: u64,
    /// Rows that an earlier try had copied.
    pub before: u64,
    /// Texts with a character zero, which PostgreSQL cannot store: U+FFFD stands there instead.
    pub zeros: u64,
    /// Every table.
    pub tables: Vec<Compared>,
}

impl Report {
    /// Whether everything is there as it was.
    pub fn agrees(&self) -> bool {
        self.tables.iter().all(Compared::agrees)
    }
}

/// Reads both sides.
pub(super) async fn sides(
    from: &View<'_>,
    to: &Db,
    of: u64,
    watch: &mut Watch<'_>,
) -> Result<Report, CopyError> {
    let zero = if matches!(to, Db::Pg(_)) { Zero::Replaced } else { Zero::Kept };
    let to = &View::Live(to);
    let mut report = Report::default();
    let mut done = 0;
    for table in TABLES {
        let mut read = async |end, side: &View<'_>| -> Result<_, CopyError> {
            let seen = |rows| -> ControlFlow<()> {
                done += rows;
                if rows == 0 {
                    return ControlFlow::Continue(());
                }
                watch(Progress { phase: Phase::Comparing, table: table.name, done, of: 2 * of })
            };
            let read = content(side, table, zero, seen).await.map_err(|e| CopyError::store(end, e))?;
            read.ok_or(CopyError::Stopped)
        };
        let source = read(End::Source, from).await?;
        let target = read(End::Target, to).await?;
        report.zeros += if zero == Zero::Replaced { source.zeros } else { 0 };
        report.tables.push(Compared { table: table.name, source: source.content, target: target.content });
    }
    let fail = |end| move |error: StoreError| CopyError::store(end, error);
    report.tables.push(Compared {
        table: FIGURES_TABLE,
        source: figures(from).await.map_err(fail(End::Source))?,
        target: figures(to).await.map_err(fail(End::Target))?,
    });
    Ok(report)
}

/// Writes down that all agrees: from now on the target is a database like any other. `holds`: what a backup says of itself.
/// `and_then`: what is changed in it at the same moment, given the time.
pub(super) async fn finish(
    to: &Db,
    marker: &Marker,
    now: Ts,
    holds: Option<Vec<(String, u64, String)>>,
    and_then: &[&'static str],
) -> Result<(), CopyError> {
    let fail = |error| CopyError::store(End::Target, error);
    let finished = Marker { at: At::Finished { at: now.micros() }, holds, ..marker.clone() };
    let mut tx = to.begin().await.map_err(fail)?;
    marker::replace(&mut tx, Some(marker), &finished).await.map_err(fail)?;
    for statement in and_then {
        tx.exec(statement, vals![now]).await.map_err(fail)?;
    }
    tx.commit().await.map_err(fail)
}
