//! The permissions we ask for, and whether we got them (microsoft.md §1). None of them needs an administrator's consent by
//! itself; an organisation may still demand it. Pure.

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

impl Consent {
    /// The scopes to ask for, space-delimited: the least that does it. Without `offline_access` there is no lasting grant.
    pub fn scope(self) -> String {
        format!("openid email profile offline_access User.Read {}", self.calendars())
    }

    fn calendars(self) -> &'static str {
        match self {
            Consent::ReadAndWrite => "Calendars.ReadWrite",
            Consent::ReadOnly => "Calendars.Read",
        }
    }

    /// Whether `granted` includes the calendars. Entries may carry Graph's address before their name, in any case;
    /// `offline_access` is not echoed (microsoft.md §1).
    pub fn check(self, granted: &str) -> Result<(), ProviderError> {
        let bare = |scope: &str| scope.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let granted: Vec<String> = granted.split_whitespace().map(bare).collect();
        let enough: &[&str] = match self {
            Consent::ReadAndWrite => &["calendars.readwrite"],
            Consent::ReadOnly => &["calendars.read", "calendars.readwrite"],
        };
        if granted.iter().any(|g| enough.contains(&g.as_str())) {
            return Ok(());
        }
        let detail = format!(
            "Microsoft did not grant {}: connect the account again and accept, or ask the organisation's administrator",
            self.calendars()
        );
        Err(ProviderError::new(ErrorClass::Unauthorized, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_granted_is_compared_leniently() {
        let (both, read) = (Consent::ReadAndWrite, Consent::ReadOnly);
        let table = [
            (both, "User.Read Calendars.ReadWrite", true),
            (
                both,
                "https://graph.microsoft.com/User.Read https://graph.microsoft.com/Calendars.ReadWrite",
                true,
            ),
            (both, "calendars.readwrite", true),
            (both, "Calendars.Read User.Read", false),
            (both, "", false),
            (both, "Calendars.ReadWrite.Shared", false),
            (read, "Calendars.Read", true),
            (read, "Calendars.ReadWrite", true),
            (read, "Calendars.ReadBasic", false),
        ];
        for (consent, granted, enough) in table {
            assert_eq!(consent.check(granted).is_ok(), enough, "{consent:?} {granted}");
        }
        for consent in [both, read] {
            assert!(consent.check(&consent.scope()).is_ok(), "what we ask for is enough");
            assert!(consent.scope().contains("offline_access"));
        }
    }
}
