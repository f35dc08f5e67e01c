//! The permissions we ask for, and whether we got them (google.md §2.4). People can untick single ones, so what was
//! granted is always compared with what is needed. Pure.

use calsync_core::ports::{ErrorClass, ProviderError};

/// What a person is asked to allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Consent {
    /// Read calendars and write blocks into them.
    #[default]
    ReadAndWrite,
    /// Only read: a source that never gets a block.
    ReadOnly,
}

/// One permission: what is asked for, what it is in words, and every scope that includes it.
struct Need {
    ask: &'static str,
    words: &'static str,
    also: &'static [&'static str],
}

const PREFIX: &str = "https://www.googleapis.com/auth/";

const CALENDAR_LIST: Need = Need {
    ask: "calendar.calendarlist.readonly",
    words: "see the list of your calendars",
    also: &["calendar.calendarlist", "calendar.readonly", "calendar"],
};
const WRITE_EVENTS: Need = Need {
    ask: "calendar.events",
    words: "view and edit events on your calendars",
    also: &["calendar.events.owned", "calendar"],
};
const READ_EVENTS: Need = Need {
    ask: "calendar.events.readonly",
    words: "view events on your calendars",
    also: &[
        "calendar.events",
        "calendar.events.owned",
        "calendar.events.owned.readonly",
        "calendar.readonly",
        "calendar",
    ],
};

impl Consent {
    fn needs(self) -> [&'static Need; 2] {
        match self {
            Consent::ReadAndWrite => [&CALENDAR_LIST, &WRITE_EVENTS],
            Consent::ReadOnly => [&CALENDAR_LIST, &READ_EVENTS],
        }
    }

    /// The scopes to ask for, space-delimited: the least that does it.
    pub fn scope(self) -> String {
        let mut scope = "openid email".to_owned();
        for need in self.needs() {
            scope.push(' ');
            scope.push_str(PREFIX);
            scope.push_str(need.ask);
        }
        scope
    }

    /// Whether `granted` includes all of it; if not, an error that names what was not ticked.
    pub fn check(self, granted: &str) -> Result<(), ProviderError> {
        let granted: Vec<&str> = granted.split_whitespace().filter_map(|s| s.strip_prefix(PREFIX)).collect();
        let has = |need: &Need| granted.iter().any(|g| *g == need.ask || need.also.contains(g));
        let missing: Vec<String> = self
            .needs()
            .into_iter()
            .filter(|need| !has(need))
            .map(|need| format!("\"{}\" ({})", need.words, need.ask))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let detail =
            format!("not allowed: {}. Connect the account again and tick every box", missing.join(" and "));
        Err(ProviderError::new(ErrorClass::Unauthorized, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_ticked_is_named() {
        let scopes = |names: &[&str]| {
            let full: Vec<String> = names.iter().map(|n| format!("{PREFIX}{n}")).collect();
            format!("openid {PREFIX}userinfo.email {}", full.join(" "))
        };
        let both = Consent::ReadAndWrite;
        let table: [(Consent, &[&str], &[&str]); 9] = [
            (both, &["calendar.calendarlist.readonly", "calendar.events"], &[]),
            (both, &["calendar"], &[]),
            (both, &["calendar.events"], &["see the list"]),
            (both, &["calendar.calendarlist.readonly"], &["view and edit"]),
            (both, &["calendar.calendarlist.readonly", "calendar.events.readonly"], &["view and edit"]),
            (both, &[], &["see the list", "view and edit"]),
            (Consent::ReadOnly, &["calendar.readonly"], &[]),
            (Consent::ReadOnly, &["calendar.calendarlist.readonly", "calendar.events"], &[]),
            (Consent::ReadOnly, &["calendar.calendarlist.readonly"], &["view events"]),
        ];
        for (consent, granted, missing) in table {
            let told = consent.check(&scopes(granted)).err();
            assert_eq!(told.is_none(), missing.is_empty(), "{granted:?}");
            for words in missing {
                let told = told.as_ref().unwrap();
                assert_eq!(told.class, ErrorClass::Unauthorized);
                assert!(told.detail.contains(words), "{granted:?}: {}", told.detail);
            }
        }
        for consent in [Consent::ReadAndWrite, Consent::ReadOnly] {
            assert!(consent.check(&consent.scope()).is_ok(), "what we ask for is enough");
        }
    }
}
