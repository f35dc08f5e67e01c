//! A scripted Graph with an account at it, and answers in the shapes that the contract records.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use calsync_core::calendar::{Account, Cursor, ProviderKind};
use calsync_core::ports::{
    ChangePage, ListFrom, ListRequest, NextPage, ProviderAccount, ProviderError, RemoteEvent, RemoteItem,
};
use calsync_core::secret::Secret;
use calsync_core::time::Window;
use calsync_providers::microsoft::{Microsoft, MicrosoftAccount, MicrosoftConfig};
use calsync_providers::stats::CallRecorder;
use serde_json::{Value, json};

use crate::rig::{
    Answer, CANARY, Counted, Keeper, NOW, Script, StoppedClock, answer, client, credentials, stage,
};

/// An id as Graph makes them: long, with case, and with what must be encoded.
pub(crate) const CALENDAR: &str = "AAMkAGI2TGuLAAA=";
/// The same as one segment of a path.
pub(crate) const CALENDAR_SEGMENT: &str = "AAMkAGI2TGuLAAA%3D";

pub(crate) struct Rig {
    pub(crate) script: Arc<Script>,
    pub(crate) base: String,
    pub(crate) microsoft: Arc<Microsoft>,
    pub(crate) account: Arc<MicrosoftAccount>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) clock: Arc<StoppedClock>,
}

impl std::ops::Deref for Rig {
    type Target = Script;
    fn deref(&self) -> &Script {
        &self.script
    }
}

impl Rig {
    pub(crate) async fn new() -> Rig {
        Rig::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut MicrosoftConfig)) -> Rig {
        let (script, base) = stage().await;
        let mut config = MicrosoftConfig::new("client-1", Secret::new(format!("client-{CANARY}")));
        config.authority = base.parse().unwrap();
        config.graph_base = format!("{base}/v1.0/").parse().unwrap();
        config.timeout = Duration::from_secs(5);
        change(&mut config);
        let clock = Arc::new(StoppedClock(AtomicI64::new(NOW.micros())));
        let recorder = Arc::new(CallRecorder::new());
        let ids = Arc::new(Counted::default());
        let microsoft = Arc::new(Microsoft::new(config, client(), clock.clone(), ids, recorder));
        let keeper = Arc::new(Keeper::default());
        let account = Arc::new(microsoft.account(&person(), credentials(), keeper.clone()));
        Rig { script, base, microsoft, account, keeper, clock }
    }

    /// A link to a page of this Graph, in the form that it gives (microsoft.md §2).
    pub(crate) fn link(&self, token: &str) -> String {
        format!("{}/v1.0/me/calendars('{CALENDAR}')/calendarView/delta?{token}", self.base)
    }

    /// The last page of a round.
    pub(crate) fn last_page(&self, items: Value) -> Answer {
        answer(200, json!({"value": items, "@odata.deltaLink": self.link("$deltatoken=d1")}))
    }

    /// A page that another follows.
    pub(crate) fn page(&self, items: Value, next: &str) -> Answer {
        answer(200, json!({"value": items, "@odata.nextLink": self.link(&format!("$skiptoken={next}"))}))
    }

    /// One whole round, as the engine walks it.
    pub(crate) async fn round(&self, from: ListFrom<'_>) -> Result<(Vec<RemoteItem>, Cursor), ProviderError> {
        let mut items = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..100 {
            let request = ListRequest { calendar: CALENDAR, from, page: page.as_deref() };
            let ChangePage { items: more, next, .. } = self.account.list_changes(request).await?;
            items.extend(more);
            match next {
                NextPage::Page(next) => {
                    assert_ne!(
                        Some(&next),
                        page.as_ref(),
                        "the engine takes a repeated name for an endless walk"
                    );
                    page = Some(next);
                }
                NextPage::Done(cursor) => return Ok((items, cursor.expect("a cursor"))),
            }
        }
        panic!("the walk does not end");
    }

    pub(crate) async fn full(&self) -> Vec<RemoteItem> {
        self.round(ListFrom::Start(window())).await.unwrap().0
    }

    pub(crate) async fn changes(&self) -> Vec<RemoteItem> {
        self.round(ListFrom::Cursor(&self.cursor())).await.unwrap().0
    }

    pub(crate) fn cursor(&self) -> Cursor {
        Cursor {
            token: self.link("$deltatoken=d0"),
            params: "m1 IdType=ImmutableId timezone=UTC".into(),
            covers: window(),
        }
    }
}

pub(crate) fn person() -> Account {
    Account { provider: ProviderKind::Microsoft, remote_id: "oid-1".into(), ..crate::rig::person() }
}

pub(crate) fn window() -> Window {
    Window { from: "2026-11-16T00:00:00Z".parse().unwrap(), to: "2027-02-16T00:00:00Z".parse().unwrap() }
}

/// A refusal in Graph's envelope.
pub(crate) fn refusal(status: u16, code: &str) -> Answer {
    let inner = json!({"date": "2026-11-01T10:00:00", "request-id": "r", "client-request-id": "c"});
    answer(status, json!({"error": {"code": code, "message": CANARY, "innerError": inner}}))
}

fn times(day: u8, hour: u8) -> (Value, Value) {
    let at = |minute| json!({"dateTime": format!("2026-12-{day:02}T{hour:02}:{minute}:00.0000000"), "timeZone": "UTC"});
    (at("00"), at("30"))
}

/// A single event, full.
pub(crate) fn single(id: &str, day: u8) -> Value {
    let (start, end) = times(day, 9);
    json!({
        "@odata.type": "#microsoft.graph.event", "@odata.etag": format!("W/\"{id}-1\""), "id": id, "type": "singleInstance",
        "subject": "Meeting", "showAs": "busy", "isAllDay": false, "isCancelled": false, "sensitivity": "normal",
        "start": start, "end": end, "iCalUId": format!("uid-{id}"), "lastModifiedDateTime": "2026-11-10T08:00:00Z",
        "responseStatus": {"response": "organizer", "time": "0001-01-01T00:00:00Z"}, "transactionId": null,
        "somethingNew": {"deep": [1]},
    })
}

/// The master of a series, full; its time is years ago.
pub(crate) fn master(id: &str, show_as: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.event", "@odata.etag": format!("W/\"{id}-1\""), "id": id, "type": "seriesMaster",
        "subject": "Weekly", "showAs": show_as, "isAllDay": false, "isCancelled": false, "sensitivity": "private",
        "start": {"dateTime": "2012-01-02T09:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2012-01-02T09:30:00.0000000", "timeZone": "UTC"},
        "iCalUId": format!("ical-{id}"), "uid": format!("uid-{id}"),
        "recurrence": {"pattern": {"type": "weekly", "interval": 1}, "range": {"type": "noEnd"}},
    })
}

/// A stub of an occurrence, as delta pages show it: nothing but times.
pub(crate) fn stub(id: &str, master: &str, day: u8) -> Value {
    let (start, end) = times(day, 9);
    json!({
        "@odata.type": "#microsoft.graph.event", "@odata.etag": "W/\"DwAA\"", "id": id, "seriesMasterId": master,
        "type": "occurrence", "start": start, "end": end,
    })
}

/// An occurrence in full, as `instances` shows it.
pub(crate) fn whole(id: &str, master: &str, day: u8) -> Value {
    let mut item = single(id, day);
    item["type"] = json!("occurrence");
    item["seriesMasterId"] = json!(master);
    item["iCalUId"] = json!(format!("ical-{id}"));
    item["uid"] = json!(format!("uid-{master}"));
    item["subject"] = json!("Weekly");
    item["sensitivity"] = json!("private");
    item
}

/// An exception, full.
pub(crate) fn exception(id: &str, master: &str, day: u8) -> Value {
    let mut item = whole(id, master, day);
    item["type"] = json!("exception");
    item
}

pub(crate) fn removed(id: &str) -> Value {
    json!({"@odata.type": "#microsoft.graph.event", "id": id, "@removed": {"reason": "deleted"}})
}

/// The events that a listing shows, by id.
pub(crate) fn present(items: &[RemoteItem]) -> Vec<&RemoteEvent> {
    items
        .iter()
        .filter_map(|item| match item {
            RemoteItem::Present(event) => Some(event.as_ref()),
            RemoteItem::Gone { .. } | RemoteItem::Enumerated { .. } => None,
        })
        .collect()
}

pub(crate) fn ids(items: &[RemoteItem]) -> Vec<String> {
    present(items).iter().map(|event| event.event.id.to_string()).collect()
}
