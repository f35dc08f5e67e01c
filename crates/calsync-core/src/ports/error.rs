//! What a store answers when it can not do what it is asked.

/// What can go wrong in a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else holds the lease now: stop, and write nothing more.
    #[error("the lease on {0} was taken over by another worker")]
    LeaseLost(String),
    /// Another transaction stood in the way, and nothing was written. Stores try again by themselves; who gets this may.
    #[error("the database is busy: {0}")]
    Contended(String),
    /// A constraint says no: it exists already, or what it refers to does not.
    #[error("{0}")]
    Conflict(String),
    /// The database does not answer, is locked, full or read-only. Nothing was written.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The database was made by a newer version of this program.
    #[error(
        "the database has schema version {found}, this program knows up to {known}: run a newer calendar-sync"
    )]
    NewerSchema {
        /// Found in the database.
        found: i64,
        /// Known to this program.
        known: i64,
    },
    /// What was read makes no sense.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
}
