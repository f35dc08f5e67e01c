//! Blocks: made, changed, removed, looked at.

use std::time::Duration;

use calsync_core::block::{BlockBusy, BlockContent, Marker, ObservedBlock, Visibility};
use calsync_core::ids::EventId;
use calsync_core::ports::{Asked, BlockPut, ErrorClass, ProviderAccount, ProviderError, PutMode, Standing};
use calsync_core::time::Span;
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::rig::{Answer, Rig, answer, refusal};

const ID: &str = "cs1k7q0v2m5e8h3b6n9t4d0gg0";
const EVENTS: &str = "/calendar/v3/calendars/bob%40example.com/events";

fn content() -> BlockContent {
    let span = Span::Timed {
        start: "2026-11-02T09:00:00Z".parse().unwrap(),
        end: "2026-11-02T10:00:00Z".parse().unwrap(),
    };
    BlockContent {
        span,
        title: "Busy".into(),
        description: None,
        location: None,
        busy: BlockBusy::Busy,
        visibility: Visibility::Private,
        colour: None,
    }
}

fn put(mode: PutMode, content: BlockContent) -> BlockPut {
    BlockPut {
        mode,
        content,
        marker: Marker("v1.00.11".into()),
        idempotency_key: "k".into(),
        asked: Asked::First,
    }
}

fn create() -> PutMode {
    PutMode::Create(Some(EventId(ID.into())))
}

fn update(version: Option<&str>) -> PutMode {
    PutMode::Update { id: EventId(ID.into()), version: version.map(str::to_owned) }
}

async fn write(rig: &Rig, mode: PutMode) -> Result<ObservedBlock, ProviderError> {
    rig.account.put_block("bob@example.com", &put(mode, content())).await.map(|done| done.block)
}

/// What Google returns for the block, its title normalised.
fn block(title: &str) -> Answer {
    answer(200, resource(title))
}

fn resource(title: &str) -> Value {
    json!({
        "id": ID, "etag": "\"7\"", "status": "confirmed", "summary": title, "visibility": "private",
        "start": {"dateTime": "2026-11-02T10:00:00+01:00"}, "end": {"dateTime": "2026-11-02T11:00:00+01:00"},
        "updated": "2026-11-01T08:00:00.000Z", "extendedProperties": {"private": {"calsync": "v1.00.11"}},
    })
}

#[tokio::test]
async fn a_block_is_made_silently_and_nothing_else_is_said() {
    let rig = Rig::new().await;
    rig.answers([block("Busy")]);
    let observed = write(&rig, create()).await.unwrap();
    assert_eq!((observed.id.as_str(), observed.version.as_deref()), (ID, Some("\"7\"")));
    assert_eq!((observed.fingerprint, observed.span), (content().fingerprint(), content().span));
    assert_eq!(observed.marker, Some(Marker("v1.00.11".into())));
    let sent = &rig.calls()[0];
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", EVENTS));
    assert_eq!(sent.query("sendUpdates"), Some("none"));
    assert_eq!(sent.header("content-type"), Some("application/json"));
    let expected = json!({
        "id": ID, "summary": "Busy",
        "start": {"dateTime": "2026-11-02T09:00:00Z"}, "end": {"dateTime": "2026-11-02T10:00:00Z"},
        "status": "confirmed", "transparency": "opaque", "visibility": "private",
        "reminders": {"useDefault": false, "overrides": []},
        "extendedProperties": {"private": {"calsync": "v1.00.11"}},
    });
    assert_eq!(sent.json(), expected);
}

#[tokio::test]
async fn everything_a_rule_may_ask_for() {
    let rig = Rig::new().await;
    rig.answers([block("Busy")]);
    let asked = BlockContent {
        span: Span::AllDay { start: Date::constant(2026, 11, 2), end: Date::constant(2026, 11, 4) },
        description: Some("D".into()),
        location: Some("L".into()),
        busy: BlockBusy::Tentative,
        visibility: Visibility::Calendar,
        colour: Some("7".into()),
        ..content()
    };
    rig.account.put_block("bob@example.com", &put(update(Some("\"6\"")), asked)).await.unwrap();
    let sent = &rig.calls()[0];
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("PUT", format!("{EVENTS}/{ID}").as_str()));
    assert_eq!((sent.header("if-match"), sent.query("sendUpdates")), (Some("\"6\""), Some("none")));
    let expected = json!({
        "summary": "Busy", "description": "D", "location": "L", "colorId": "7",
        "start": {"date": "2026-11-02"}, "end": {"date": "2026-11-04"},
        "status": "tentative", "transparency": "opaque", "visibility": "default",
        "reminders": {"useDefault": false, "overrides": []},
        "extendedProperties": {"private": {"calsync": "v1.00.11"}},
    });
    assert_eq!(sent.json(), expected);
}

#[tokio::test]
async fn what_counts_is_what_google_returned() {
    let rig = Rig::new().await;
    rig.answers([block("Busy (trimmed)")]);
    let observed = write(&rig, create()).await.unwrap();
    assert_eq!(
        observed.fingerprint,
        BlockContent { title: "Busy (trimmed)".into(), ..content() }.fingerprint()
    );
}

#[tokio::test]
async fn an_insert_under_our_id_may_be_repeated() {
    let rig = Rig::new().await;
    rig.answers([block("Busy").breaks(), refusal(409, "duplicate")]);
    assert_eq!(write(&rig, create()).await.unwrap_err().class, ErrorClass::Exists);
    rig.answers([refusal(500, "backendError"), block("Busy")]);
    assert!(write(&rig, create()).await.is_ok());
    rig.answers(vec![refusal(503, "backendError"); 3]);
    assert_eq!(write(&rig, create()).await.unwrap_err().class, ErrorClass::Ambiguous);
    assert_eq!(rig.calls().len(), 7);
    let ids: Vec<_> = rig.calls().iter().map(|c| c.json()["id"].clone()).collect();
    assert!(ids.iter().all(|id| id == ID), "always the same id");
}

#[tokio::test]
async fn other_writes_are_never_repeated() {
    let table = [
        (block("Busy").breaks(), ErrorClass::Ambiguous),
        (block("Busy").after(20_000), ErrorClass::Ambiguous),
        (refusal(500, "backendError"), ErrorClass::Ambiguous),
        (refusal(412, "conditionNotMet"), ErrorClass::Conflict),
        (refusal(404, "notFound"), ErrorClass::Gone),
        (refusal(410, "deleted"), ErrorClass::Gone),
        (refusal(403, "forbiddenForNonOrganizer"), ErrorClass::Permanent),
        (answer(200, "<html>"), ErrorClass::Ambiguous),
        (answer(200, json!({"id": ID, "status": "cancelled"})), ErrorClass::Ambiguous),
    ];
    for (given, class) in table {
        let rig = Rig::with(|config| config.timeout = Duration::from_secs(1)).await;
        rig.answers([given]);
        let error = write(&rig, update(Some("\"6\""))).await.unwrap_err();
        assert_eq!((error.class, rig.calls().len()), (class, 1), "{error}");
    }
}

#[tokio::test]
async fn a_request_that_never_left_is_not_ambiguous() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/calendar/v3/", listener.local_addr().unwrap());
    drop(listener);
    let rig = Rig::with(|config| config.api_base = nobody.parse().unwrap()).await;
    assert_eq!(write(&rig, update(None)).await.unwrap_err().class, ErrorClass::Transient);
    let delete = rig.account.delete_block("bob@example.com", &EventId(ID.into()), None).await;
    assert_eq!(delete.unwrap_err().class, ErrorClass::Transient);
}

#[tokio::test]
async fn an_unexplained_412_is_tried_once_more() {
    let rig = Rig::new().await;
    rig.answers([refusal(412, "conditionNotMet"), block("Busy")]);
    assert!(write(&rig, update(None)).await.is_ok());
    rig.answers(vec![refusal(412, "conditionNotMet"); 2]);
    assert_eq!(write(&rig, update(None)).await.unwrap_err().class, ErrorClass::Conflict);
    assert_eq!(rig.calls().len(), 4);
}

#[tokio::test]
async fn what_google_would_not_take_is_not_sent() {
    let rig = Rig::new().await;
    let of = |id: &str| PutMode::Create(Some(EventId(id.into())));
    for mode in
        [PutMode::Create(None), of("abc"), of("cs1-with-hyphen"), of("cs1WXYZ"), of(&"a".repeat(1_025))]
    {
        assert_eq!(write(&rig, mode).await.unwrap_err().class, ErrorClass::Invalid);
    }
    let long = BlockPut { marker: Marker("v".repeat(1_025)), ..put(create(), content()) };
    assert_eq!(rig.account.put_block("c", &long).await.unwrap_err().class, ErrorClass::Invalid);
    for (calendar, id) in [("..", ID), ("c", ".."), ("", ID), ("c", "")] {
        let error = rig.account.delete_block(calendar, &EventId(id.into()), None).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid);
    }
    assert!(rig.seen().is_empty());
}

#[tokio::test]
async fn gone_is_gone_however_google_says_it() {
    let table = [
        (answer(204, ""), None),
        (answer(200, ""), None),
        (refusal(404, "notFound"), None),
        (refusal(410, "deleted"), None),
        (refusal(412, "conditionNotMet"), Some(ErrorClass::Conflict)),
        (refusal(403, "forbidden"), Some(ErrorClass::Permanent)),
        (refusal(503, "backendError"), Some(ErrorClass::Ambiguous)),
    ];
    for (given, class) in table {
        let rig = Rig::new().await;
        rig.answers([given]);
        let deleted = rig.account.delete_block("bob@example.com", &EventId(ID.into()), Some("\"7\"")).await;
        assert_eq!(deleted.err().map(|e| e.class), class);
        let sent = &rig.calls()[0];
        assert_eq!((sent.method.as_str(), sent.header("if-match")), ("DELETE", Some("\"7\"")));
        assert_eq!(
            (sent.path.as_str(), sent.query("sendUpdates")),
            (format!("{EVENTS}/{ID}").as_str(), Some("none"))
        );
    }
}

#[tokio::test]
async fn what_stands_under_an_id() {
    let rig = Rig::new().await;
    let id = EventId(ID.into());
    rig.answers([
        refusal(404, "notFound"),
        answer(200, json!({"id": ID, "status": "cancelled"})),
        refusal(410, "deleted"),
        block("Busy"),
    ]);
    assert_eq!(rig.account.get_block("bob@example.com", &id).await, Ok(Standing::Nothing));
    assert_eq!(rig.account.get_block("bob@example.com", &id).await, Ok(Standing::Deleted));
    assert_eq!(rig.account.get_block("bob@example.com", &id).await, Ok(Standing::Deleted));
    let Ok(Standing::Present(event)) = rig.account.get_block("bob@example.com", &id).await else {
        panic!("present")
    };
    assert_eq!(event.as_block().unwrap().fingerprint, content().fingerprint());
    assert!(!event.as_block().unwrap().has_guests);
    let mut invited = resource("Busy");
    invited["attendees"] = json!([{"email": "ann@example.com"}]);
    rig.answers([answer(200, invited)]);
    let Ok(Standing::Present(event)) = rig.account.get_block("bob@example.com", &id).await else {
        panic!("present")
    };
    assert!(event.as_block().unwrap().has_guests, "a look after a refused write sees who was invited");
    rig.answers([answer(200, "{}")]);
    assert_eq!(rig.account.get_block("bob@example.com", &id).await.unwrap_err().class, ErrorClass::Invalid);
}
