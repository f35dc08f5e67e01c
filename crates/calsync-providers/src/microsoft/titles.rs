//! The titles of what takes place in a window (microsoft.md §4.1, `calendarView`), for their owner's eyes: of each item nothing
//! is asked for but its subject; its id comes in any case. Nothing of it is kept; a bad item costs its own title alone.

use std::collections::BTreeMap;

use calsync_core::block::OccurrenceKey;
use calsync_core::ports::{Extent, ProviderError, Titles, TitlesRequest};
use calsync_core::title::Title;

use super::MicrosoftAccount;
use super::error::Operation;
use super::{list, normalize};
use crate::items::event_id;
use crate::patience::Patience;
use crate::transport::Call;

/// Items asked for per page: Graph's own default is 10, and its maximum is not known (§4.1).
const PAGE_SIZE: &str = "100";
/// Most pages walked for one look. Each waits for the one before it.
const PAGES_MAX: usize = 20;

impl MicrosoftAccount {
    pub(super) async fn titles(&self, request: TitlesRequest<'_>) -> Result<Titles, ProviderError> {
        let patience = Patience::of(request.patience);
        let mut list = BTreeMap::new();
        let mut url = self.graph(&["me", "calendars", request.calendar, "calendarView"])?;
        url.set_query(Some(&format!("{}&$select=subject&$top={PAGE_SIZE}", list::range(request.window))));
        for _ in 0..PAGES_MAX {
            let call = Call::get(Operation::CalendarView, url);
            let reply = patience.wait(Operation::CalendarView, self.transport.run(&call)).await?;
            let page = list::parse(&reply, Operation::CalendarView)?;
            list.extend(page.value.iter().flatten().filter_map(|raw| titled(raw.get())));
            match page.next_link.filter(|link| !link.is_empty()) {
                Some(link) => url = self.own_link(&link)?,
                None => return Ok(Titles { list, extent: Extent::Whole }),
            }
        }
        Ok(Titles { list, extent: Extent::Part })
    }
}

/// What an item is called. Occurrences are enumerated, so the id alone is the key that the mirror gives it.
fn titled(json: &str) -> Option<(OccurrenceKey, Title)> {
    let item = normalize::read(json).ok()?;
    let title = Title::new(item.subject.as_deref()?)?;
    Some((OccurrenceKey { event: event_id(item.id)?, original: None }, title))
}
