//! What was done to which calendar when: runs with how much each wrote, and of one run every write with its receipt, and whether it can
//! still be undone. Everybody sees their own alone.

use std::collections::BTreeMap;

use calsync_core::ids::{CorrelationId, RunId, UserId};
use calsync_core::journal::{Activity, After, Filter, JournalRow, PAGE_MAX, ROWS_MAX};
use calsync_core::run::Run;
use calsync_core::undo::WhyNot;
use serde::Serialize;
use utoipa::ToSchema;

use crate::undo::{self, Undoing};
use crate::{Engine, EngineError};

/// A page of runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ActivityPage {
    /// The newest first.
    pub runs: Vec<Activity>,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<After>,
}

/// One run, and every write of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct RunDetail {
    /// The run.
    pub run: Run,
    /// What it wrote, in the order in which it was settled.
    pub rows: Vec<RunRow>,
    /// How many blocks can still be put back as they were.
    pub undoable: usize,
    /// What that does to each: the preview of an undo tells it to programs.
    #[serde(skip)]
    pub undoing: Vec<Undoing>,
}

/// One write.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct RunRow {
    /// What was written, when, and why.
    #[serde(flatten)]
    pub row: JournalRow,
    /// Whether that can be undone.
    pub undo: Undoable,
}

/// Whether something can be undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "undo")]
pub enum Undoable {
    /// It can.
    Possible,
    /// It stands as it stood before.
    Already,
    /// It can not.
    No(WhyNot),
}

impl Engine {
    /// Runs of a user, the newest first, at most `limit` and never more than `PAGE_MAX`.
    pub async fn activity(
        &self,
        filter: &Filter,
        after: Option<After>,
        limit: u32,
    ) -> Result<ActivityPage, EngineError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let mut runs = self.store.activity(filter, after, limit + 1).await?;
        let more = runs.len() > limit as usize;
        runs.truncate(limit as usize);
        let last = runs.last().filter(|_| more);
        let next = last.map(|last| After { started_at: last.run.started_at, run: last.run.id });
        Ok(ActivityPage { runs, next })
    }

    /// One run of this user, with every write.
    pub async fn run(&self, user: UserId, run: RunId) -> Result<RunDetail, EngineError> {
        let (state, run) = self.run_of(user, run).await?;
        let rows = self.store.journal(run.id, ROWS_MAX).await?;
        let undo = self.undo_of(&state, &run, &rows).await?;
        let mut answers: BTreeMap<CorrelationId, Undoable> = BTreeMap::new();
        for one in undo.iter().map(|(_, undo)| undo) {
            answers.extend(one.actions.iter().map(|a| (a.row.correlation, Undoable::Possible)));
            answers.extend(one.already.iter().map(|id| (*id, Undoable::Already)));
            answers.extend(one.not.iter().map(|not| (not.correlation, Undoable::No(not.why))));
        }
        let undoing = undo::blocks(&undo);
        let with = |row: JournalRow| {
            let undo = answers.get(&row.correlation).copied();
            RunRow { undo: undo.unwrap_or(Undoable::No(WhyNot::CalendarOff)), row }
        };
        Ok(RunDetail { run, rows: rows.into_iter().map(with).collect(), undoable: undoing.len(), undoing })
    }
}
