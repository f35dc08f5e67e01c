//! The calendars of an account (microsoft.md §3), those shared into it included. An answer that is not Graph's never passes
//! for an empty list: it would make every calendar look missing.

use calsync_core::calendar::{Access, ListedCalendar};
use calsync_core::ports::{ErrorClass, ProviderError};

use super::MicrosoftAccount;
use super::error::Operation;
use super::list;
use super::resource::CalendarResource;
use crate::items::same_address;
use crate::transport::Call;

/// Entries asked for per page.
const PAGE_SIZE: &str = "100";
/// Most pages walked. Nobody has 10,000 calendars; a server that repeats itself has.
const PAGES_MAX: usize = 100;

impl MicrosoftAccount {
    pub(super) async fn all_calendars(&self) -> Result<Vec<ListedCalendar>, ProviderError> {
        let mut calendars = Vec::new();
        let mut url = self.graph(&["me", "calendars"])?;
        url.set_query(Some(&format!("$top={PAGE_SIZE}")));
        for _ in 0..PAGES_MAX {
            let reply = self.transport.run(&Call::get(Operation::ListCalendars, url)).await?;
            let page = list::parse(&reply, Operation::ListCalendars)?;
            for raw in page.value.iter().flatten() {
                let calendar: CalendarResource = serde_json::from_str(raw.get()).map_err(|_| {
                    // Half a list would make the other half look missing.
                    ProviderError::new(ErrorClass::Invalid, "calendars.list: an entry can't be read")
                })?;
                calendars.extend(listed(calendar, &self.email));
            }
            match page.next_link.filter(|link| !link.is_empty()) {
                Some(link) => url = self.own_link(&link)?,
                None => return Ok(calendars),
            }
        }
        Err(ProviderError::new(ErrorClass::Invalid, "calendars.list: the pages do not end"))
    }
}

fn listed(calendar: CalendarResource, email: &str) -> Option<ListedCalendar> {
    if calendar.id.is_empty() {
        return None;
    }
    let owner = calendar.owner.and_then(|owner| owner.address).filter(|address| !address.is_empty());
    let another = owner.is_some_and(|address| !same_address(&address, email));
    let may_share = calendar.can_share == Some(true);
    let access = match (calendar.can_edit, may_share) {
        (Some(true), true) => Access::Owner,
        (Some(true), false) => Access::Write,
        _ => Access::Read,
    };
    let named = calendar.name.filter(|name| !name.trim().is_empty());
    Some(ListedCalendar {
        name: named.unwrap_or_else(|| "Calendar".to_owned()),
        // Graph's calendars have none of their own, and the person's needs a permission we do not ask for.
        time_zone: "UTC".to_owned(),
        colour: calendar.hex_color.filter(|colour| !colour.is_empty()),
        access,
        primary: calendar.is_default_calendar == Some(true),
        // One of another person's that was shared into this mailbox: a subscription needs the owner's own sign-in (§8,
        // "Shared/delegated calendars"). The owner's address alone is no proof: people have several.
        push_unsupported: another && !may_share,
        remote_id: calendar.id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(json: serde_json::Value) -> Option<ListedCalendar> {
        listed(serde_json::from_value(json).unwrap(), "ann@example.com")
    }

    #[test]
    fn what_may_be_done_with_a_calendar() {
        let mine = json!({"name": "Ann", "address": "Ann@example.com"});
        let hers = json!({"name": "Bea", "address": "bea@example.com"});
        let table = [
            (json!({"id": "A", "canEdit": true, "canShare": true, "owner": mine}), Access::Owner, false),
            (json!({"id": "A", "canEdit": true, "canShare": false, "owner": hers}), Access::Write, true),
            (json!({"id": "A", "canEdit": false, "canShare": false, "owner": hers}), Access::Read, true),
            // Known under another address: whether it pushes is found out by asking.
            (json!({"id": "A", "canEdit": true, "canShare": true, "owner": hers}), Access::Owner, false),
            (json!({"id": "A", "canEdit": false, "canShare": false, "owner": mine}), Access::Read, false),
            (json!({"id": "A", "canEdit": "yes", "owner": 5}), Access::Read, false),
        ];
        for (calendar, access, push_unsupported) in table {
            let listed = one(calendar.clone()).unwrap();
            assert_eq!((listed.access, listed.push_unsupported), (access, push_unsupported), "{calendar}");
        }
        let full =
            one(json!({"id": "A", "name": "Work", "hexColor": "", "isDefaultCalendar": true})).unwrap();
        assert_eq!((full.name.as_str(), full.colour, full.primary), ("Work", None, true));
        assert_eq!(one(json!({"id": "A", "name": " "})).unwrap().name, "Calendar");
        assert_eq!(one(json!({"id": ""})), None);
    }
}
