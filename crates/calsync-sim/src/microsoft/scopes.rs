//! Which scope opens which call (microsoft.md §1). It decides by the table alone; rights in a calendar come after it.

use super::errors::GraphError;
use super::oauth::Scopes;

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// `/me` and the list of zones.
    User,
    /// Reading calendars and events, and subscriptions to them.
    Read,
    /// Writing events.
    Write,
    /// `/me/mailboxSettings`.
    Settings,
}

/// Every scope that may be asked for, in its own spelling.
pub(super) const KNOWN: [&str; 11] = [
    "openid",
    "email",
    "profile",
    "offline_access",
    "User.Read",
    "Calendars.ReadBasic",
    "Calendars.Read",
    "Calendars.ReadWrite",
    "Calendars.Read.Shared",
    "Calendars.ReadWrite.Shared",
    "MailboxSettings.Read",
];

/// Scopes that tell who somebody is or keep a program going, and open nothing at Graph.
pub(super) const OF_OPENID: [&str; 4] = ["openid", "email", "profile", "offline_access"];

/// Refuses unless one of these scopes opens what is needed.
pub(super) fn check(scopes: &Scopes, need: Need) -> Result<(), GraphError> {
    let opens: &[&str] = match need {
        Need::User => &["User.Read"],
        Need::Read => &[
            "Calendars.Read",
            "Calendars.ReadWrite",
            "Calendars.Read.Shared",
            "Calendars.ReadWrite.Shared",
            "Calendars.ReadBasic",
        ],
        Need::Write => &["Calendars.ReadWrite", "Calendars.ReadWrite.Shared"],
        Need::Settings => &["MailboxSettings.Read"],
    };
    if opens.iter().any(|scope| scopes.contains(*scope)) { Ok(()) } else { Err(GraphError::denied()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_section_1() {
        let opens = |scope: &str| {
            let scopes = Scopes::from([scope.to_owned()]);
            [Need::User, Need::Read, Need::Write, Need::Settings].map(|need| check(&scopes, need).is_ok())
        };
        for (scope, want) in [
            ("User.Read", [true, false, false, false]),
            ("Calendars.Read", [false, true, false, false]),
            ("Calendars.ReadWrite", [false, true, true, false]),
            ("MailboxSettings.Read", [false, false, false, true]),
            ("openid", [false; 4]),
        ] {
            assert_eq!(opens(scope), want, "{scope}");
        }
    }
}
