//! Sync runs and provider call statistics: the rows that say what happened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::calendar::ProviderKind;
use crate::ids::{CalendarId, RunId};
use crate::time::Ts;

/// The three kinds of sync run (spec §1), and one that only writes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// Asked for by a notification.
    Webhook,
    /// Asked for by the clock.
    Polling,
    /// A full listing.
    Full,
    /// Nothing was read: what was known already was written.
    Write,
}

impl RunKind {
    /// Its name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            RunKind::Webhook => "webhook",
            RunKind::Polling => "polling",
            RunKind::Full => "full",
            RunKind::Write => "write",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<RunKind> {
        use RunKind::{Full, Polling, Webhook, Write};
        [Webhook, Polling, Full, Write].into_iter().find(|k| k.as_str() == name)
    }
}

/// What a run counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RunCounts {
    /// Events the listing showed.
    pub events_seen: u32,
    /// Events new to the mirror.
    pub events_created: u32,
    /// Events that changed.
    pub events_updated: u32,
    /// Events that went.
    pub events_deleted: u32,
    /// Blocks made.
    pub blocks_created: u32,
    /// Blocks changed.
    pub blocks_updated: u32,
    /// Blocks removed.
    pub blocks_deleted: u32,
    /// Calls to the provider.
    pub provider_calls: u32,
}

impl RunCounts {
    /// Blocks touched in any way.
    pub fn blocks(&self) -> u32 {
        self.blocks_created + self.blocks_updated + self.blocks_deleted
    }
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum RunStatus {
    /// It is still going, or its worker died.
    Running,
    /// All of it worked.
    Succeeded,
    /// It did not.
    Failed {
        /// What went wrong, in words for a person; never a title, never a secret.
        error: String,
    },
}

/// One row of the run log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The calendar it looked at.
    pub calendar: CalendarId,
    /// Of which kind.
    pub kind: RunKind,
    /// What asked for it, in words.
    pub trigger: String,
    /// When it began.
    pub started_at: Ts,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<Ts>,
    /// How.
    pub status: RunStatus,
    /// What it counted.
    pub counts: RunCounts,
}

/// Calls to one provider in one minute, as one instance counted them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CallStats {
    /// Which provider.
    pub provider: ProviderKind,
    /// The minute, as its first instant.
    pub minute: Ts,
    /// Calls made.
    pub calls: u64,
    /// Failed ones by class.
    pub errors: BTreeMap<String, u64>,
    /// Sum of their latencies, in microseconds.
    pub latency_sum_us: u64,
    /// The longest, in microseconds.
    pub latency_max_us: u64,
    /// Quota units used.
    pub quota_used: u64,
}
