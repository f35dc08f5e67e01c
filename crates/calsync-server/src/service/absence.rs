//! That the database is away is told once, by whoever finds it first. What then fails every few seconds, in every worker and
//! every job, fails for that same reason: an hour of it would bury what was written before.

use std::sync::atomic::{AtomicBool, Ordering};

use calsync_core::ports::StoreError;
use calsync_engine::EngineError;

/// Whether it is known that the database is away.
#[derive(Debug)]
pub(super) struct Absence(AtomicBool);

impl Absence {
    /// Nothing is known of one.
    pub(super) const fn none() -> Absence {
        Absence(AtomicBool::new(false))
    }

    /// Whether a failure is worth a line of its own: it is no consequence of what was told already.
    pub(super) fn is_news(&self, error: &EngineError) -> bool {
        let is_away = matches!(error, EngineError::Store(StoreError::Unavailable(_)));
        !is_away || !self.0.swap(true, Ordering::Relaxed)
    }

    /// It answers. Whether it was away until now.
    pub(super) fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absence_is_told_once_and_what_else_fails_meanwhile_each_time() {
        let absence = Absence::none();
        let away = || EngineError::Store(StoreError::Unavailable("nobody answers".to_owned()));
        let other = || EngineError::Store(StoreError::Corrupt("a row is odd".to_owned()));
        assert!(!absence.is_over());
        let told = [away(), away(), other(), away(), other()].map(|error| absence.is_news(&error));
        assert_eq!(told, [true, false, true, false, true]);
        assert_eq!([absence.is_over(), absence.is_over()], [true, false]);
        assert!(absence.is_news(&away()));
    }
}
