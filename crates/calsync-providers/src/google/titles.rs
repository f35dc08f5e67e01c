//! The titles of what takes place in a window (google.md §4, `singleEvents`), for their owner's eyes: of each item nothing is
//! asked for but what it is called and which occurrence it is. Nothing of it is kept; a bad item costs its own title alone.

use std::collections::BTreeMap;

use calsync_core::block::OccurrenceKey;
use calsync_core::event::Series;
use calsync_core::ports::{Extent, ProviderError, Titles, TitlesRequest};
use calsync_core::title::Title;

use super::GoogleAccount;
use super::error::Operation;
use super::list;
use super::normalize::{self, Surroundings};
use super::resource::EventResource;
use crate::items::event_id;
use crate::patience::Patience;
use crate::transport::Call;

/// Items asked for per page. They are small; Google's cap is 2500.
const PAGE_SIZE: &str = "1000";
/// Most pages walked for one look.
const PAGES_MAX: usize = 4;
/// All that is asked for. Without `kind` an empty page would not prove itself, and without the token the walk would end early
/// (google.md §1). An instance is known by its series and its original start; the form of its id is not documented (§7).
const FIELDS: &str = "kind,timeZone,nextPageToken,items(id,summary,recurringEventId,originalStartTime)";

impl GoogleAccount {
    pub(super) async fn titles(&self, request: TitlesRequest<'_>) -> Result<Titles, ProviderError> {
        let patience = Patience::of(request.patience);
        let mut list = BTreeMap::new();
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut url = self.api(&["calendars", request.calendar, "events"])?;
            url.query_pairs_mut()
                .append_pair("singleEvents", "true")
                .append_pair("timeMin", &request.window.from.to_string())
                .append_pair("timeMax", &request.window.to.to_string())
                .append_pair("maxResults", PAGE_SIZE)
                .append_pair("fields", FIELDS)
                .extend_pairs(token.as_deref().map(|token| ("pageToken", token)));
            let call = Call::get(Operation::ListEvents, url);
            let reply = patience.wait(Operation::ListEvents, self.transport.run(&call)).await?;
            let page = list::parse_page(&reply.body)?;
            let around = Surroundings {
                calendar: request.calendar,
                email: &self.email,
                zone: page.time_zone.as_deref().filter(|zone| !zone.is_empty()),
            };
            list.extend(page.items.iter().flatten().filter_map(|raw| titled(raw.get(), &around)));
            match page.next_page_token.filter(|token| !token.is_empty()) {
                Some(next) => token = Some(next),
                None => return Ok(Titles { list, extent: Extent::Whole }),
            }
        }
        Ok(Titles { list, extent: Extent::Part })
    }
}

/// What an item is called, by the key that the mirror gives it.
fn titled(json: &str, around: &Surroundings<'_>) -> Option<(OccurrenceKey, Title)> {
    let item: EventResource = serde_json::from_str(json).ok()?;
    let title = Title::new(item.summary.as_deref()?)?;
    let id = event_id(item.id.clone())?;
    let key = match normalize::series(&id, &item, around).ok()? {
        Series::Instance { master, original } => OccurrenceKey { event: master, original: Some(original) },
        Series::Single | Series::Master { .. } | Series::Occurrence { .. } => {
            OccurrenceKey { event: id, original: None }
        }
    };
    Some((key, title))
}
