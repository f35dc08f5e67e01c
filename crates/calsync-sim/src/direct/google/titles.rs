//! The titles of a window, as the adapter of Google asks for them: series expanded, each instance known by its original start.

use calsync_core::block::OccurrenceKey;
use calsync_core::ids::EventId;
use calsync_core::ports::{Extent, ProviderError, Titles, TitlesRequest};
use calsync_core::title::Title;

use super::GoogleDirect;
use crate::cloud::calendar::AccessRole;
use crate::cloud::event::{Event, Kind};
use crate::cloud::names::CalendarId;
use crate::direct::from_cloud;

impl GoogleDirect {
    pub(super) fn titles(&self, request: &TitlesRequest<'_>) -> Result<Titles, ProviderError> {
        let id = CalendarId::from(request.calendar);
        self.caller.skin.cloud.with(|cloud| {
            let calendar = cloud
                .calendar_for(&id, &self.caller.person, AccessRole::Reader)
                .map_err(|e| from_cloud(&e))?;
            let mut found = Vec::new();
            for event in calendar.live() {
                match event.kind {
                    Kind::Single if event.touches(&request.window, &calendar.zone) => {
                        found.push(event.clone())
                    }
                    Kind::Single | Kind::Exception { .. } => {}
                    Kind::Series => {
                        let made = cloud.occurrences(&id, &event.id, &request.window, usize::MAX);
                        found.extend(made.map_err(|e| from_cloud(&e))?.into_iter().filter(|e| !e.cancelled));
                    }
                }
            }
            let list = found.iter().filter_map(|event| titled(event)).collect();
            Ok(Titles { list, extent: Extent::Whole })
        })
    }
}

fn titled(event: &Event) -> Option<(OccurrenceKey, Title)> {
    let title = Title::new(event.content.summary.as_deref()?)?;
    let key = match &event.kind {
        Kind::Exception { series, slot } => {
            OccurrenceKey { event: EventId(series.to_string()), original: Some(*slot) }
        }
        Kind::Single | Kind::Series => OccurrenceKey { event: EventId(event.id.to_string()), original: None },
    };
    Some((key, title))
}
