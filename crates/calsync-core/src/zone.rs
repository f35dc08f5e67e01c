//! Time zones by name, from the IANA data compiled into the binary. Never asks the host, whose data may be years old
//! and whose own zone must not change what a calendar shows.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::sync::OnceLock;

/// Longest zone name that we look up. IANA's longest is about 32 bytes.
const NAME_MAX: usize = 64;
/// What is UTC without a look, `Z` among it, which IANA has no zone of.
const UTC: [&str; 4] = ["UTC", "Z", "Etc/UTC", "GMT"];

fn database() -> &'static TimeZoneDatabase {
    static DB: OnceLock<TimeZoneDatabase> = OnceLock::new();
    DB.get_or_init(TimeZoneDatabase::bundled)
}

/// The zone of this IANA name, whatever its case.
pub fn find(name: &str) -> Option<TimeZone> {
    if name.len() > NAME_MAX {
        return None;
    }
    if UTC.iter().any(|utc| utc.eq_ignore_ascii_case(name)) {
        return Some(TimeZone::UTC);
    }
    database().get(name).ok()
}

/// The zone of this name, or UTC if there is none: for places where a wrong hour is better than no block at all.
pub fn find_or_utc(name: &str) -> TimeZone {
    find(name).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Ts;

    #[test]
    fn the_bundled_data_knows_the_laws_of_2026() {
        // caldav-ics.md part F: data older than 2026 says 04:00-08:00.
        let noon: Ts = "2026-11-22T12:00:00Z".parse().unwrap();
        let there = noon.to_jiff().to_zoned(find("America/Vancouver").unwrap());
        assert_eq!(there.strftime("%H:%M%:z").to_string(), "05:00-07:00");
    }

    #[test]
    fn a_name_is_the_same_in_any_case() {
        for name in ["UTC", "Z", "Etc/UTC", "GMT", "Europe/Vienna"] {
            assert_eq!(find(&name.to_lowercase()), find(name), "{name}");
            assert!(find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn unknown_names_are_none() {
        assert!(find("Nowhere/Land").is_none());
        assert!(find(&"x".repeat(10_000)).is_none());
        assert!(find("").is_none());
    }
}
