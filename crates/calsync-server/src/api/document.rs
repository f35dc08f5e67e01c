//! `GET /api/openapi.json`: everything that this service answers in JSON, for programs. What the routes of the API say of
//! themselves is put into the part that was written by hand, and so is what all of them may answer.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use super::described;

/// Where it is.
pub(crate) const DOCUMENT_PATH: &str = "/api/openapi.json";

/// Webhooks, health and monitoring.
const BY_HAND: &str = include_str!("openapi.json");

static DOCUMENT: LazyLock<String> = LazyLock::new(|| whole().to_string());

/// Answers.
pub(crate) async fn document() -> impl IntoResponse {
    // An answer of one release is one document.
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], DOCUMENT.as_str())
}

fn whole() -> Value {
    let of_api = serde_json::to_value(described().into_openapi()).unwrap_or_default();
    let by_hand = serde_json::from_str(BY_HAND).unwrap_or_default();
    merged(by_hand, of_api)
}

/// One document of both.
fn merged(mut by_hand: Value, mut of_api: Value) -> Value {
    for (path, item) in object(&mut of_api, "/paths").into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            operation["operationId"] = Value::from(name(method, path));
            complete(method, operation);
        }
    }
    for place in ["/paths", "/components/schemas"] {
        if let (Some(all), Some(more)) = (object(&mut by_hand, place), object(&mut of_api, place)) {
            all.extend(std::mem::take(more));
        }
    }
    by_hand
}

fn object<'a>(document: &'a mut Value, place: &str) -> Option<&'a mut Map<String, Value>> {
    document.pointer_mut(place).and_then(Value::as_object_mut)
}

/// `getCalendarsDisable` of `GET /api/v1/calendars/{id}/disable`, `getCalendarsOne` of `GET /api/v1/calendars/{id}`.
fn name(method: &str, path: &str) -> String {
    let words = path.trim_start_matches("/api/v1").split('/').filter(|word| !word.starts_with('{'));
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| format!("{}{}", first.to_uppercase(), letters.as_str()))
    };
    let one = if path.ends_with('}') { "One" } else { "" };
    method.to_owned() + &words.filter_map(capital).collect::<String>() + one
}

/// What every route of the API may answer, as the extractors of `read` and `caller` do.
fn complete(method: &str, operation: &mut Value) {
    let changes = method != "get";
    operation["security"] = json!([{"access_token": []}]);
    let is_in = |place: &str| {
        let parameters = operation["parameters"].as_array();
        parameters.is_some_and(|all| all.iter().any(|one| one["in"] == place))
    };
    let (body, query, path) = (operation["requestBody"].is_object(), is_in("query"), is_in("path"));
    let for_staff = ["monitoring", "users"].iter().any(|tag| operation["tags"][0] == *tag);
    let said = [
        (body || query, "400", "It can not be read."),
        (true, "401", "No access token, or none that is known."),
        (for_staff, "403", "This is for the staff alone."),
        (path, "404", "There is no such thing, or it is somebody else's."),
        (
            changes,
            "409",
            "Somebody is at work on it, or changed it since; nothing was changed. `retry-after` says when to ask again.",
        ),
        (body, "413", "The body is too long."),
        (body, "415", "The body is no JSON."),
        (body, "422", "It can be read, and can not be meant; nothing was changed."),
        (true, "429", "Too many failures; `retry-after` says when one more is heard."),
        (true, "500", "Something broke; it has been logged."),
        (true, "502", "A provider did not do it."),
        (true, "503", "Not just now: the database does not answer."),
    ];
    let Some(answers) = object(operation, "/responses") else { return };
    for (_, status, description) in said.into_iter().filter(|(may_be, ..)| *may_be) {
        let answer = json!({"description": description,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}});
        answers.entry(status).or_insert(answer);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn both_halves_are_whole_and_name_nothing_alike() {
        let by_hand: Value = serde_json::from_str(BY_HAND).unwrap();
        let of_api = serde_json::to_value(described().into_openapi()).unwrap();
        for place in ["/paths", "/components/schemas"] {
            let names = |of: &Value| -> BTreeSet<String> {
                of.pointer(place).unwrap().as_object().unwrap().keys().cloned().collect()
            };
            let both: BTreeSet<_> = names(&by_hand).intersection(&names(&of_api)).cloned().collect();
            assert_eq!(both, BTreeSet::new(), "{place}");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(of: &Value, found: &mut BTreeSet<String>) {
            match of {
                Value::Object(fields) => {
                    found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    fields.values().for_each(|value| references(value, found));
                }
                Value::Array(all) => all.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let (document, mut found) = (whole(), BTreeSet::new());
        references(&document, &mut found);
        for reference in found {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }
}
