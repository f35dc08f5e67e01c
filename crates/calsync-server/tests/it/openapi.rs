//! Answers are what docs/openapi.json says: every required field, no other, and of the right type.

use serde_json::Value;

use crate::channels::seed;
use crate::place::Place;
use crate::web::{client, get, read};

/// What an answer has against its schema.
fn objections(document: &Value, schema: &Value, answer: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.strip_prefix('#').unwrap();
        return objections(document, document.pointer(pointer).expect(name), answer, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let fits = any.iter().any(|one| objections(document, one, answer, at).is_empty());
        return if fits { vec![] } else { vec![format!("{at}: {answer} is none of {any:?}")] };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        other => panic!("{at}: {other} is no type"),
    };
    let is = |name: &&str| match *name {
        "null" => answer.is_null(),
        "string" => answer.is_string(),
        "integer" => answer.is_i64() || answer.is_u64(),
        "number" => answer.is_number(),
        "array" => answer.is_array(),
        "object" => answer.is_object(),
        "boolean" => answer.is_boolean(),
        other => panic!("{at}: {other} is no type"),
    };
    if !types.iter().any(is) {
        return vec![format!("{at}: {answer} is no {types:?}")];
    }
    let mut found = vec![];
    if let (Some(allowed), Some(said)) = (schema["enum"].as_array(), answer.as_str())
        && !allowed.iter().any(|one| one == said)
    {
        found.push(format!("{at}: {said} is none of {allowed:?}"));
    }
    for (n, item) in answer.as_array().into_iter().flatten().enumerate() {
        found.extend(objections(document, &schema["items"], item, &format!("{at}[{n}]")));
    }
    let Some(fields) = answer.as_object() else { return found };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            found.push(format!("{at}: {name} is missing"));
        }
    }
    for (name, value) in fields {
        let at = format!("{at}.{name}");
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => found.push(format!("{at} is not in the document")),
            (Value::Null, other @ Value::Object(_)) => found.extend(objections(document, other, value, &at)),
            (Value::Null, _) => {}
            (known, _) => found.extend(objections(document, known, value, &at)),
        }
    }
    found
}

#[tokio::test]
async fn answers_are_what_the_document_says() {
    let mut place = Place::new();
    place.set("MONITORING__TOKEN", "sesame");
    let channel = seed(&place, 1).await.remove(0);
    let _serving = place.serve().await;
    assert_eq!(channel.delivery(2).post(&place).await.status, 200);
    let document = get(&place.url("/openapi.json")).await.json();
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if path.contains('{') || path == "/openapi.json" {
            continue;
        }
        for (token, secured) in [("Bearer sesame", true), ("Bearer wrong", false)] {
            let asked = client().get(place.url(path)).header("authorization", token);
            let answer = read(asked.send().await.unwrap()).await;
            let needs_token = item["get"]["security"].as_array().is_some_and(|all| !all.is_empty());
            assert_eq!(answer.status == 401, needs_token && !secured, "{path}: {answer:?}");
            let said =
                &item["get"]["responses"][answer.status.to_string()]["content"]["application/json"]["schema"];
            assert!(said.is_object(), "{path} may not answer {}", answer.status);
            let found = objections(&document, said, &answer.json(), path);
            assert!(found.is_empty(), "{found:#?}");
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
}
