//! `POST /$batch` (microsoft.md §6): up to twenty calls in one body, each answered as if it had come alone. Answers come
//! in any order, here backwards; nothing is undone when a part fails.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use serde_json::{Map, Value, json};

use super::MicrosoftFace;
use super::api::Via;
use super::errors::GraphError;
use crate::wire::{Answer, ApiRequest, Reply};

/// Parts in one batch.
const PARTS_MAX: usize = 20;

/// One part of a batch.
struct Part {
    id: String,
    after: Vec<String>,
    request: ApiRequest,
}

impl MicrosoftFace {
    /// `POST /v1.0/$batch`.
    pub(super) async fn batch(&self, request: &ApiRequest) -> Answer {
        let parts = match parts(request) {
            Ok(parts) => parts,
            Err(error) => return error.answer(&self.stamp(request)),
        };
        let mut failed: BTreeSet<String> = BTreeSet::new();
        let mut answers = Vec::new();
        for part in parts {
            let (status, answer) = if part.after.iter().any(|id| failed.contains(id)) {
                let error =
                    GraphError::new(424, "FailedDependency", "A request that this one depends on failed.");
                (424, error.answer(&self.stamp(request)))
            } else {
                let path = part.request.path_parts();
                let reply = self.api_via(&part.request, &path, Via::Batch).await;
                let answer = match reply {
                    Reply::Answer(answer) => answer,
                    // A connection cannot break inside a batch; the part fails instead.
                    Reply::Dropped => GraphError::backend(2).answer(&self.stamp(request)),
                };
                (answer.status, answer)
            };
            if status >= 400 {
                failed.insert(part.id.clone());
            }
            answers.push(rendered(&part.id, &answer));
        }
        answers.reverse();
        Answer::json(200, &json!({"responses": answers}))
    }
}

fn rendered(id: &str, answer: &Answer) -> Value {
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in &answer.headers {
        let name = match *name {
            "retry-after" => "Retry-After",
            "location" => "Location",
            "preference-applied" => "Preference-Applied",
            _ => continue,
        };
        headers.insert(name.to_owned(), value.as_str().into());
    }
    let mut out = json!({"id": id, "status": answer.status});
    if let Some(kind) = &answer.content_type {
        headers.insert("Content-Type".to_owned(), kind.as_str().into());
        out["body"] = serde_json::from_str(&answer.body)
            .unwrap_or_else(|_| Value::from(BASE64.encode(answer.body.as_bytes())));
    }
    out["headers"] = headers.into();
    out
}

fn parts(outer: &ApiRequest) -> Result<Vec<Part>, GraphError> {
    let body: Value = serde_json::from_slice(&outer.body).map_err(|_| GraphError::unreadable())?;
    let all = body.get("requests").and_then(Value::as_array).ok_or_else(GraphError::unreadable)?;
    if all.is_empty() || all.len() > PARTS_MAX {
        let message = format!("Number of batch request steps must be between 1 and {PARTS_MAX}.");
        return Err(GraphError::bad_request(&message));
    }
    let mut parts = Vec::new();
    let mut seen = BTreeSet::new();
    for one in all {
        let part = part(one, outer)?;
        if !seen.insert(part.id.clone()) {
            return Err(GraphError::bad_request("Batch request id's must be unique."));
        }
        parts.push(part);
    }
    in_order(parts)
}

fn part(one: &Value, outer: &ApiRequest) -> Result<Part, GraphError> {
    let text = |key: &str| one.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let wrong = |what: &str| GraphError::bad_request(&format!("Invalid batch request: {what}."));
    let id = text("id").ok_or_else(|| wrong("id is missing"))?;
    let method = text("method").ok_or_else(|| wrong("method is missing"))?;
    let url = text("url").filter(|u| !u.contains("://")).ok_or_else(|| wrong("url must be relative"))?;
    if url.trim_start_matches('/').starts_with("$batch") {
        return Err(wrong("batches cannot be nested"));
    }
    let mut request = ApiRequest::new(method, url);
    for (name, value) in one.get("headers").and_then(Value::as_object).into_iter().flatten() {
        if let Some(value) = value.as_str() {
            request.headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
    }
    for name in ["authorization", "host"] {
        if let Some(value) = outer.headers.get(name) {
            request.headers.entry(name.to_owned()).or_insert_with(|| value.clone());
        }
    }
    if let Some(body) = one.get("body").filter(|b| !b.is_null()) {
        if !request.headers.contains_key("content-type") {
            return Err(wrong("a body needs its Content-Type"));
        }
        request.body = body.to_string().into_bytes();
    }
    let after = one.get("dependsOn").and_then(Value::as_array).into_iter().flatten();
    let after = after.filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(Part { id: id.to_owned(), after, request })
}

/// The parts so that each comes after those it depends on.
fn in_order(parts: Vec<Part>) -> Result<Vec<Part>, GraphError> {
    let mut waiting: BTreeMap<usize, Part> = parts.into_iter().enumerate().collect();
    let mut done: BTreeSet<String> = BTreeSet::new();
    let mut order = Vec::new();
    while !waiting.is_empty() {
        let ready =
            waiting.iter().find(|(_, p)| p.after.iter().all(|id| done.contains(id))).map(|(at, _)| *at);
        let Some(part) = ready.and_then(|at| waiting.remove(&at)) else {
            return Err(GraphError::bad_request("Batch request dependsOn names no earlier request."));
        };
        done.insert(part.id.clone());
        order.push(part);
    }
    Ok(order)
}
