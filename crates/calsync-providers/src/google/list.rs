//! Listing a calendar's events (google.md §4): masters and exceptions, never expanded; over all of time, so that the window
//! slides without another listing. Follows no page by itself, and takes no answer for complete that does not prove it.

use calsync_core::calendar::Cursor;
use calsync_core::ports::{ChangePage, ErrorClass, ListFrom, ListRequest, NextPage, ProviderError};
use calsync_core::time::Window;

use super::GoogleAccount;
use super::error::Operation;
use super::normalize::{self, Surroundings};
use super::resource::EventsPage;
use crate::items;
use crate::transport::Call;

/// Fingerprint of a listing's parameters (google.md §4 rules 2 and 8). Raise the number when the parameters change.
fn params(page_size: u16) -> String {
    format!("g1 singleEvents=false maxResults={page_size}")
}

impl GoogleAccount {
    pub(super) async fn page_of_changes(
        &self,
        request: ListRequest<'_>,
    ) -> Result<ChangePage, ProviderError> {
        let config = &self.transport.remote.config;
        let params = params(config.page_size);
        let mut url = self.api(&["calendars", request.calendar, "events"])?;
        // `showDeleted` stays away: with `singleEvents=false` cancelled occurrences come anyhow, deltas always tell of
        // deletions, and a first listing would page through years of tombstones (google.md §10 row 3). So do
        // `timeMin` and `timeMax`: they would bound what the token covers.
        url.query_pairs_mut()
            .append_pair("singleEvents", "false")
            .append_pair("maxResults", &config.page_size.to_string());
        if let ListFrom::Cursor(cursor) = request.from {
            if cursor.params != params {
                let detail = "the sync token was taken with other parameters";
                return Err(ProviderError::new(ErrorClass::CursorExpired, detail));
            }
            url.query_pairs_mut().append_pair("syncToken", &cursor.token);
        }
        if let Some(page) = request.page {
            url.query_pairs_mut().append_pair("pageToken", page);
        }
        let reply = self.transport.run(&Call::get(Operation::ListEvents, url)).await?;
        read_page(&reply.body, request, &self.email, params)
    }
}

/// A page as the port wants it.
fn read_page(
    body: &[u8],
    request: ListRequest<'_>,
    email: &str,
    params: String,
) -> Result<ChangePage, ProviderError> {
    let page = parse_page(body)?;
    let zone = page.time_zone.filter(|z| !z.is_empty());
    let around = Surroundings { calendar: request.calendar, email, zone: zone.as_deref() };
    let mut items = Vec::new();
    for raw in page.items.unwrap_or_default() {
        items.push(match normalize::item(raw.get(), &around) {
            Ok(item) => item,
            Err(bad) => match bad.id {
                Some(id) => {
                    tracing::warn!(why = bad.why, "an event can't be read: its blocks stay as they are");
                    items::stand_in(id, bad.why)
                }
                None => {
                    let detail = format!("events.list: an item can't even be named ({})", bad.why);
                    return Err(ProviderError::new(ErrorClass::Invalid, detail));
                }
            },
        });
    }
    let token = |t: Option<String>| t.filter(|t| !t.is_empty());
    let next = match (token(page.next_page_token), token(page.next_sync_token), request.from) {
        (Some(page), _, _) => NextPage::Page(page),
        (None, Some(token), _) => NextPage::Done(Some(Cursor { token, params, covers: Window::ALL })),
        // The token is lost, the changes are not: the next listing is a full one (google.md §4 rule 6).
        (None, None, ListFrom::Cursor(_)) => NextPage::Done(None),
        // A walk that stops early has no token either. To call it complete would delete what it did not show.
        (None, None, ListFrom::Start(_)) => {
            let detail = "events.list: the listing ended without a sync token, so it may not be complete";
            return Err(ProviderError::new(ErrorClass::Transient, detail));
        }
    };
    let access = page.access_role.as_deref().map(normalize::access);
    Ok(ChangePage { items, next, time_zone: zone, access })
}

pub(super) fn parse_page(body: &[u8]) -> Result<EventsPage<'_>, ProviderError> {
    let not_one =
        || ProviderError::new(ErrorClass::Transient, "events.list: the answer is not a list of events");
    let page: EventsPage<'_> = items::object(body).ok_or_else(not_one)?;
    let told = page.items.is_some() || page.next_page_token.is_some() || page.next_sync_token.is_some();
    match page.kind.as_deref() {
        Some("calendar#events") => Ok(page),
        None if told => Ok(page),
        // Something that is JSON, but not Google's: it must not pass for an empty calendar.
        _ => Err(not_one()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::ports::RemoteItem;

    fn read(body: &str, from: ListFrom<'_>) -> Result<ChangePage, ProviderError> {
        let request = ListRequest { calendar: "ann@example.com", from, page: None };
        read_page(body.as_bytes(), request, "ann@example.com", params(2_500))
    }

    fn start() -> ListFrom<'static> {
        ListFrom::Start(Window::ALL)
    }

    #[test]
    fn a_page_says_what_follows() {
        let cursor = Cursor { token: "t0".into(), params: params(2_500), covers: Window::ALL };
        let done = |t: &str| Ok(NextPage::Done(Some(Cursor { token: t.into(), ..cursor.clone() })));
        let table = [
            (r#"{"items":[],"nextPageToken":"p2"}"#, start(), Ok(NextPage::Page("p2".into()))),
            (r#"{"kind":"calendar#events","nextPageToken":"p2"}"#, start(), Ok(NextPage::Page("p2".into()))),
            (r#"{"nextSyncToken":"t1"}"#, start(), done("t1")),
            (r#"{"nextSyncToken":"t1","nextPageToken":""}"#, start(), done("t1")),
            (r#"{"nextSyncToken":"t1","items":null}"#, ListFrom::Cursor(&cursor), done("t1")),
            (r#"{"kind":"calendar#events"}"#, ListFrom::Cursor(&cursor), Ok(NextPage::Done(None))),
            (r#"{"kind":"calendar#events","items":[]}"#, start(), Err(ErrorClass::Transient)),
            ("{}", ListFrom::Cursor(&cursor), Err(ErrorClass::Transient)),
            (
                r#"{"kind":"calendar#calendarList","items":[]}"#,
                ListFrom::Cursor(&cursor),
                Err(ErrorClass::Transient),
            ),
            ("", start(), Err(ErrorClass::Transient)),
            ("<html>", start(), Err(ErrorClass::Transient)),
            (r#"["calendar#events",[],null,"t1"]"#, start(), Err(ErrorClass::Transient)),
            (r#"{"items":[{"id":"a"#, start(), Err(ErrorClass::Transient)),
        ];
        for (body, from, expected) in table {
            assert_eq!(read(body, from).map(|p| p.next).map_err(|e| e.class), expected, "{body}");
        }
    }

    #[test]
    fn a_bad_item_costs_neither_the_page_nor_a_block() {
        let good = r#"{"id":"a","start":{"date":"2026-11-02"},"end":{"date":"2026-11-03"}}"#;
        let bad = r#"{"id":"b","start":{"date":"tomorrow"}}"#;
        let page = read(&format!(r#"{{"items":[{bad},{good}],"nextSyncToken":"t"}}"#), start()).unwrap();
        let ids: Vec<_> = page.items.iter().map(|i| matches!(i, RemoteItem::Present(_))).collect();
        assert_eq!(ids, [true, true]);
        let nameless = read(r#"{"items":[{"summary":"canary"}],"nextSyncToken":"t"}"#, start()).unwrap_err();
        assert_eq!(nameless.class, ErrorClass::Invalid);
        assert!(!nameless.detail.contains("canary"));
    }
}
