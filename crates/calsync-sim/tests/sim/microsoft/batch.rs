//! microsoft.md §6: `$batch`.

use calsync_sim::faults::Fault;
use calsync_sim::microsoft::ApiRequest;
use serde_json::{Value, json};

use super::stage::{Microsoft, code, hour, id};

fn batch(ms: &Microsoft, requests: &Value) -> (u16, Value) {
    ms.send(ApiRequest::new("POST", "/v1.0/$batch").json(&json!({"requests": requests})))
}

fn part<'a>(body: &'a Value, id: &str) -> &'a Value {
    body["responses"].as_array().unwrap().iter().find(|r| r["id"] == id).unwrap()
}

#[test]
fn row_parts_are_answered_each_by_itself_and_in_any_order() {
    let ms = Microsoft::new();
    let event = ms.create(&hour("x", 2));
    let json_type = json!({"Content-Type": "application/json"});
    let (status, body) = batch(
        &ms,
        &json!([
            {"id": "1", "method": "DELETE", "url": format!("/me/events/{}", id(&event))},
            {"id": "2", "method": "POST", "url": "/me/events", "headers": json_type, "body": hour("y", 3), "dependsOn": ["1"]},
            {"id": "3", "method": "GET", "url": "me/events?$top=1", "headers": {"Prefer": "IdType=\"ImmutableId\""}},
            {"id": "4", "method": "GET", "url": format!("/me/events/{}", id(&event)), "dependsOn": ["1"]},
            {"id": "5", "method": "GET", "url": "/me", "dependsOn": ["4"]},
        ]),
    );
    assert_eq!(status, 200, "even if parts fail");
    assert_ne!(body["responses"][0]["id"], "1", "in any order");
    let statuses = ["1", "2", "3", "4", "5"].map(|id| part(&body, id)["status"].as_u64().unwrap());
    assert_eq!(statuses, [204, 201, 200, 404, 424], "a failed dependency is 424");
    assert!(part(&body, "1")["body"].is_null() && part(&body, "2")["body"]["subject"] == "y");
    assert!(part(&body, "3")["headers"]["Preference-Applied"].is_string());
    assert_eq!(code(&part(&body, "4")["body"]), "ErrorItemNotFound");
}

#[test]
fn row_at_most_twenty_no_nesting_unique_ids_and_types_of_bodies() {
    let ms = Microsoft::new();
    let get = |id: usize| json!({"id": id.to_string(), "method": "GET", "url": "/me"});
    assert_eq!(batch(&ms, &(0..20).map(get).collect()).0, 200);
    for bad in [
        (0..21).map(get).collect::<Value>(),
        json!([]),
        json!([get(1), get(1)]),
        json!([{"id": "1", "method": "POST", "url": "/$batch", "body": {}}]),
        json!([{"id": "1", "method": "GET", "url": "https://graph.microsoft.com/v1.0/me"}]),
        json!([{"id": "1", "method": "POST", "url": "/me/events", "body": hour("x", 2)}]),
        json!([{"id": "1", "method": "GET", "url": "/me", "dependsOn": ["2"]}]),
    ] {
        let (status, body) = batch(&ms, &bad);
        assert_eq!((status, code(&body)), (400, "BadRequest"), "{bad}");
    }
}

#[test]
fn row_throttled_parts_carry_their_own_retry_after() {
    let ms = Microsoft::new();
    ms.faults.force(Fault::TooManyRequests, 20);
    let requests: Value =
        (0..20).map(|n| json!({"id": n.to_string(), "method": "GET", "url": "/me"})).collect();
    let (status, body) = batch(&ms, &requests);
    assert_eq!(status, 200);
    let parts = body["responses"].as_array().unwrap();
    assert!(parts.iter().all(|p| p["status"] == 429));
    assert!(parts.iter().any(|p| p["headers"]["Retry-After"].is_string()));
}
