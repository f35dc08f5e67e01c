//! Answers are what /api/openapi.json says: every required field, no other, and of the right type.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::api::{Program, newest_run};
use crate::channels::seed;
use crate::place::{PATIENCE, Place, until};
use crate::web::{client, get, read};
use crate::world::{ADA, World, hour};

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
    let document = get(&place.url("/api/openapi.json")).await.json();
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if path.contains('{') || path.starts_with("/api/") {
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

/// A folder made by script/client-libraries. Without it the document is not judged by others; never in CI.
fn judges() -> Option<PathBuf> {
    let dir = std::env::var_os("CALSYNC_CLIENTS_DIR").map(|dir| PathBuf::from(dir).join("venv/bin"));
    assert!(dir.is_some() || std::env::var_os("CI").is_none(), "CALSYNC_CLIENTS_DIR must name such a folder");
    dir
}

async fn judged(mut command: Command, place: &Place) -> Output {
    command.current_dir(place.path("")).env("NO_COLOR", "1").stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Requests that schemathesis makes up, with fields at and beyond their bounds, wrong types, what is missing and what is too much:
/// no answer is a server error or one that the document does not hold.
#[tokio::test(flavor = "multi_thread")]
async fn made_up_requests_get_documented_answers() {
    let Some(judges) = judges() else { return };
    let (mut world, main, _) = World::with_ada(93).await;
    world.place.make_public();
    let place = &world.place;
    place.sql("UPDATE users SET is_staff = 1");
    let _serving = place.serve().await;
    let ada = Program::of(place, ADA).await;
    world.wait_for_channels(2).await;
    world.make(&main, hour("Interview", 24));
    let run = newest_run(&ada).await;
    let notification = until("a notification", PATIENCE, async || {
        let page = ada.get("/api/v1/monitoring/notifications").await.json();
        page["notifications"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    let document = place.path("openapi.json");
    std::fs::write(&document, get(&place.url("/api/openapi.json")).await.body).unwrap();
    let mut validator = Command::new(judges.join("openapi-spec-validator"));
    validator.arg(&document);
    let told = judged(validator, place).await;
    assert!(told.status.success(), "{told:?}");
    // What is really there, for what changes nothing that the rest rests on.
    let known = format!(
        "[[operations]]\ninclude-path-regex = \"^/api/v1/calendars/\"\nparameters = {{ id = \"{}\" }}\n\
         [[operations]]\ninclude-path-regex = \"^/api/v1/runs/\"\nparameters = {{ id = \"{run}\" }}\n\
         [[operations]]\ninclude-path-regex = \"^/api/v1/monitoring/notifications/\"\nparameters = {{ id = \"{notification}\" }}\n\
         [[operations]]\ninclude-path-regex = \"^/api/v1/monitoring/calendars/\"\nparameters = {{ id = \"{}\" }}\n",
        world.id_of(&main),
        world.id_of(&main),
    );
    std::fs::write(place.path("schemathesis.toml"), known).unwrap();
    let examples = std::env::var("CALSYNC_EXAMPLES").unwrap_or_else(|_| "15".to_owned());
    let mut schemathesis = Command::new(judges.join("schemathesis"));
    schemathesis.args([
        "run",
        "--seed",
        "7",
        "--max-examples",
        &examples,
        "--no-shrink",
        "--continue-on-failure",
    ]);
    schemathesis.args([
        "--phases",
        "examples,coverage,fuzzing",
        "--request-timeout",
        "20",
        "--warnings",
        "off",
    ]);
    schemathesis.args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"]);
    schemathesis.args(["--checks", "response_schema_conformance,response_headers_conformance,ignored_auth"]);
    schemathesis.args([
        "--header",
        &format!("Authorization: Bearer {}", ada.token()),
        &place.url("/api/openapi.json"),
    ]);
    let told = judged(schemathesis, place).await;
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
}
