//! Whatever the JSON: no panic, and nothing is gone without a tombstone.

use super::*;
use proptest::prelude::*;

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let texts = prop_oneof![
        Just("cancelled".to_owned()),
        Just("2026-11-02".to_owned()),
        Just("2026-11-02T09:00:00+01:00".to_owned()),
        Just("9999-12-31T23:59:59-12:00".to_owned()),
        Just("-9999-01-01".to_owned()),
        Just("9999-12-31".to_owned()),
        Just("x_20261102T090000Z".to_owned()),
        Just("Europe/Vienna".to_owned()),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        texts.prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "id",
        "status",
        "start",
        "end",
        "date",
        "dateTime",
        "timeZone",
        "recurrence",
        "recurringEventId",
        "originalStartTime",
        "attendees",
        "self",
        "email",
        "responseStatus",
        "extendedProperties",
        "private",
        "calsync",
        "eventType",
        "transparency",
        "visibility",
        "updated",
        "etag",
        "summary",
        "other",
    ]);
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys.clone().prop_map(str::to_owned), inner, 0..12)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_breaks_it(value in arbitrary_json(), id in "[a-v0-9]{5,8}") {
        let _ = item(&value.to_string(), &AROUND);
        let mut named = value;
        if let Some(map) = named.as_object_mut() {
            map.insert("id".into(), Value::from(id.clone()));
            // Whatever the rest is: it is that item, or it is told as malformed under its name.
            match item(&named.to_string(), &AROUND) {
                Ok(RemoteItem::Present(event)) => {
                    prop_assert_eq!(event.event.id.as_str(), id.as_str());
                    let _ = event.as_block();
                    if let Some(When::Timed { start, end, .. }) = event.event.when { prop_assert!(start <= end) }
                    if let Some(When::AllDay { start, end }) = event.event.when { prop_assert!(start < end) }
                }
                Ok(RemoteItem::Gone { id: gone }) => {
                    prop_assert_eq!(gone.as_str(), id.as_str());
                    prop_assert_eq!(named["status"].as_str(), Some("cancelled"), "only a tombstone is gone");
                }
                Ok(RemoteItem::Enumerated { .. }) => prop_assert!(false, "Google tells series by their pattern"),
                Err(bad) => prop_assert_eq!(bad.id, Some(EventId(id))),
            }
        }
    }

    #[test]
    fn no_bytes_break_it(text in any::<String>()) {
        let _ = item(&text, &AROUND);
    }
}
