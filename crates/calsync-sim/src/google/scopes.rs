//! Which scope opens which method (google.md §2.4). It decides by the table alone; roles in a calendar come after it.

use super::errors::ApiError;
use super::oauth::{PREFIX, Scopes};

/// What a method needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// calendarList.list, .get and .watch, settings.
    List,
    /// calendars.get.
    Calendar,
    /// events.list, .get, .instances and .watch.
    Events,
    /// Everything that writes events.
    Writing,
    /// freebusy.query.
    FreeBusy,
    /// colors.get.
    Any,
}

/// How much of what was asked for a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Times without words, in every calendar.
    TimesOnly,
    /// Everything, in calendars that the person owns.
    Owned,
    /// Everything.
    All,
}

/// How far these scopes reach for this need.
pub(super) fn reach(scopes: &Scopes, need: Need) -> Result<Reach, ApiError> {
    let of = |scope: &str| {
        let name = scope.strip_prefix(PREFIX)?;
        let all = match need {
            Need::List => {
                &["calendar", "calendar.readonly", "calendar.calendarlist", "calendar.calendarlist.readonly"]
                    [..]
            }
            Need::Calendar => &[
                "calendar",
                "calendar.readonly",
                "calendar.calendars",
                "calendar.calendars.readonly",
                "calendar.app.created",
            ],
            Need::Events => &["calendar", "calendar.readonly", "calendar.events", "calendar.events.readonly"],
            Need::Writing => &["calendar", "calendar.events"],
            Need::FreeBusy => {
                &["calendar", "calendar.readonly", "calendar.events.freebusy", "calendar.freebusy"]
            }
            Need::Any => return name.starts_with("calendar").then_some(Reach::All),
        };
        let owned = match need {
            Need::Events => &["calendar.events.owned", "calendar.events.owned.readonly"][..],
            Need::Writing => &["calendar.events.owned"],
            _ => &[],
        };
        if all.contains(&name) {
            Some(Reach::All)
        } else if owned.contains(&name) {
            Some(Reach::Owned)
        } else if need == Need::Events && name == "calendar.events.freebusy" {
            Some(Reach::TimesOnly)
        } else {
            None
        }
    };
    scopes.iter().filter_map(|scope| of(scope)).max().ok_or_else(ApiError::scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_section_2_4() {
        let reach = |scope: &str, need| super::reach(&Scopes::from([format!("{PREFIX}{scope}")]), need).ok();
        for (scope, list, calendar, events, writing, free_busy) in [
            ("calendar", 3, 3, 3, 3, 3),
            ("calendar.readonly", 3, 3, 3, 0, 3),
            ("calendar.events", 0, 0, 3, 3, 0),
            ("calendar.events.owned", 0, 0, 2, 2, 0),
            ("calendar.events.readonly", 0, 0, 3, 0, 0),
            ("calendar.events.owned.readonly", 0, 0, 2, 0, 0),
            ("calendar.events.freebusy", 0, 0, 1, 0, 3),
            ("calendar.freebusy", 0, 0, 0, 0, 3),
            ("calendar.calendarlist.readonly", 3, 0, 0, 0, 0),
            ("calendar.calendars.readonly", 0, 3, 0, 0, 0),
            ("userinfo.email", 0, 0, 0, 0, 0),
        ] {
            let level = |need| reach(scope, need).map_or(0, |r| r as u8 + 1);
            let needs = [Need::List, Need::Calendar, Need::Events, Need::Writing, Need::FreeBusy];
            assert_eq!(needs.map(level), [list, calendar, events, writing, free_busy], "{scope}");
        }
    }
}
