//! What can go wrong in a use case.

use calsync_core::ids::CalendarId;
use calsync_core::notification::Distrust;
use calsync_core::plan::Violation;
use calsync_core::ports::{ProviderError, StoreError};

/// What can go wrong in a use case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A provider failed.
    #[error("{0}")]
    Provider(#[from] ProviderError),
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// Somebody else is at work on it right now.
    #[error("another worker is at work on this right now: try again in a moment")]
    Busy,
    /// A plan failed its audit: nothing was written.
    #[error("the plan for calendar {calendar} was refused by its audit: {violation}")]
    PlanRefused {
        /// Whose plan.
        calendar: CalendarId,
        /// The first objection.
        violation: Violation,
    },
}

/// Why a delivery is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No subscription of that calendar and provider.
    #[error("there is no subscription here")]
    Unknown,
    /// The claim is not believed. Why stays in the log.
    #[error("the notification is not authentic")]
    Distrusted(Distrust),
    /// The store failed: the provider should try again.
    #[error(transparent)]
    Store(#[from] StoreError),
}
