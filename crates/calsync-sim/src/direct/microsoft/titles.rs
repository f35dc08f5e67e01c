//! The titles of a window, as the adapter of Microsoft asks for them: series expanded, each occurrence known by its own id.

use calsync_core::block::OccurrenceKey;
use calsync_core::ids::EventId;
use calsync_core::ports::{Extent, ProviderError, Titles, TitlesRequest};
use calsync_core::title::Title;
use jiff::tz::TimeZone;

use super::MicrosoftDirect;
use crate::cloud::calendar::AccessRole;
use crate::cloud::event::Kind;
use crate::cloud::names::CalendarId;
use crate::direct::from_cloud;
use crate::microsoft::rows::taking_place;

impl MicrosoftDirect {
    pub(super) fn titles(&self, request: &TitlesRequest<'_>) -> Result<Titles, ProviderError> {
        let id = CalendarId::from(request.calendar);
        self.caller.skin.cloud.with(|cloud| {
            let calendar = cloud
                .calendar_for(&id, &self.caller.person, AccessRole::Reader)
                .map_err(|e| from_cloud(&e))?;
            let mut found = Vec::new();
            for event in calendar.live() {
                match event.kind {
                    // The service matches whole days in UTC, wherever the person is (microsoft.md §4.3).
                    Kind::Single if event.touches(&request.window, &TimeZone::UTC) => {
                        found.push(event.clone())
                    }
                    Kind::Single | Kind::Exception { .. } => {}
                    Kind::Series => {
                        let made = taking_place(cloud, calendar, event, &request.window);
                        found.extend(made.map_err(|e| from_cloud(&e))?);
                    }
                }
            }
            let key = |id: &str| OccurrenceKey { event: EventId(id.to_owned()), original: None };
            let titled = found.iter().filter_map(|event| {
                Some((key(event.id.as_str()), Title::new(event.content.summary.as_deref()?)?))
            });
            Ok(Titles { list: titled.collect(), extent: Extent::Whole })
        })
    }
}
