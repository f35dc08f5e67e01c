//! The query of a list: `$top`, `$skip`, `$select`, `$orderby`, `$expand` (microsoft.md §4.1, query options). Paging is by
//! position: what changes between two pages can repeat or skip rows, as at Graph.

use serde_json::{Value, json};

use super::api::Call;
use super::errors::GraphError;
use super::extended::{Expanded, expanded_ids};
use super::prefer::Prefer;
use crate::wire::ApiRequest;

/// Page size without a word (§4.1 limits).
const SIZE_DEFAULT: usize = 10;

/// Largest page. Unverified at Graph (§12).
const SIZE_MAX: usize = 1_000;

/// Which stretch of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paging {
    pub(super) top: usize,
    pub(super) skip: usize,
}

impl Paging {
    /// From the query; `$top` goes before `odata.maxpagesize`.
    pub(super) fn read(request: &ApiRequest, prefer: &Prefer) -> Result<Paging, GraphError> {
        let number = |name: &str| match request.param(name) {
            None => Ok(None),
            Some(text) => match text.parse::<usize>() {
                Ok(n) => Ok(Some(n)),
                Err(_) => Err(GraphError::parse_uri(&format!(
                    "Invalid value '{text}' for {name} query option found."
                ))),
            },
        };
        let top = number("$top")?;
        if top.is_some_and(|n| n == 0 || n > SIZE_MAX) {
            let message = format!("The limit of '{SIZE_MAX}' for Top query has been exceeded.");
            return Err(GraphError::invalid(&message));
        }
        let top = top.or(prefer.page_size).unwrap_or(SIZE_DEFAULT).min(SIZE_MAX);
        Ok(Paging { top, skip: number("$skip")?.unwrap_or(0) })
    }

    /// One page of these rows, with the link to the next.
    pub(super) fn page(self, call: &Call<'_>, rows: Vec<Value>, context: &str) -> Value {
        let more = rows.len() > self.skip.saturating_add(self.top);
        let total = rows.len();
        let rows: Vec<Value> = rows.into_iter().skip(self.skip).take(self.top).collect();
        let mut body = json!({"@odata.context": call.context(context), "value": rows});
        if call.request.param("$count") == Some("true") {
            body["@odata.count"] = total.into();
        }
        if more {
            body["@odata.nextLink"] = self.next(call).into();
        }
        body
    }

    /// The same address with `$skip` moved on.
    fn next(self, call: &Call<'_>) -> String {
        let kept = call.request.query.iter().filter(|(name, _)| name != "$skip");
        let skip = (self.skip + self.top).to_string();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept).append_pair("$skip", &skip);
        let query = query.finish().replace('+', "%20").replace("%24", "$");
        format!("{}/v1.0/{}?{query}", call.base, path_of(call.request))
    }
}

/// The path of a request without its version, encoded part by part.
pub(super) fn path_of(request: &ApiRequest) -> String {
    let parts = request.path.iter().filter(|p| !matches!(p.as_str(), "v1.0" | "beta"));
    parts.map(|p| encode(p)).collect::<Vec<_>>().join("/")
}

/// One part of a path.
pub(super) fn encode(part: &str) -> String {
    url::form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>().replace('+', "%20")
}

/// `$select`, if every member named is known.
pub(super) fn selected(
    request: &ApiRequest,
    known: &[&str],
    of: &str,
) -> Result<Option<Vec<String>>, GraphError> {
    let Some(text) = request.param("$select") else { return Ok(None) };
    let names: Vec<String> = text.split(',').map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect();
    match names.iter().find(|name| !known.iter().any(|k| k.eq_ignore_ascii_case(name))) {
        Some(odd) => {
            Err(GraphError::parse_uri(&format!("Could not find a property named '{odd}' on type '{of}'.")))
        }
        None => Ok(Some(names).filter(|n| !n.is_empty())),
    }
}

/// Keeps the members that were selected, the id, and what begins with `@`: an etag comes in any case (§2).
pub(super) fn keep_selected(item: &mut Value, select: Option<&[String]>) {
    if let (Some(select), Some(map)) = (select, item.as_object_mut()) {
        map.retain(|key, _| {
            key.contains('@') || key == "id" || select.iter().any(|name| name.eq_ignore_ascii_case(key))
        });
    }
}

/// What `$expand` asks to be laid open.
#[derive(Debug, Clone, Default)]
pub(super) struct Expand {
    /// Extended properties with these ids (§5 "read it").
    pub(super) properties: Expanded,
    /// The exceptions of a master (§4.3 deleted/changed instances).
    pub(super) exceptions: bool,
}

impl Expand {
    /// From the query.
    pub(super) fn read(request: &ApiRequest) -> Result<Expand, GraphError> {
        let mut expand = Expand::default();
        for item in split(request.param("$expand").unwrap_or("")) {
            let (name, options) = match item.split_once('(') {
                Some((name, rest)) => (name.trim(), rest.strip_suffix(')').unwrap_or(rest)),
                None => (item.trim(), ""),
            };
            match name {
                "" => {}
                "singleValueExtendedProperties" => {
                    let filter = options.strip_prefix("$filter=").unwrap_or(options);
                    expand.properties = expanded_ids(filter)?;
                }
                "exceptionOccurrences" => expand.exceptions = true,
                "extensions" | "attachments" | "calendar" | "multiValueExtendedProperties" => {}
                odd => {
                    let message =
                        format!("Could not find a property named '{odd}' on type 'microsoft.graph.event'.");
                    return Err(GraphError::parse_uri(&message));
                }
            }
        }
        Ok(expand)
    }
}

/// The parts between commas that stand outside brackets and quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut quoted, mut from) = (Vec::new(), 0_u32, false, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b',' if !quoted && depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

/// How a list is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Start,
    Subject,
    Created,
    Modified,
}

/// `$orderby`, and whether it goes down.
pub(super) fn order(request: &ApiRequest, default: Order) -> Result<(Order, bool), GraphError> {
    let Some(text) = request.param("$orderby").filter(|t| !t.trim().is_empty()) else {
        return Ok((default, false));
    };
    let mut words = text.split(',').next().unwrap_or("").split_ascii_whitespace();
    let by = match words.next().unwrap_or("") {
        "start/dateTime" | "start" => Order::Start,
        "subject" => Order::Subject,
        "createdDateTime" => Order::Created,
        "lastModifiedDateTime" => Order::Modified,
        odd => {
            return Err(GraphError::parse_uri(&format!(
                "The property '{odd}' cannot be used in the $orderby query option."
            )));
        }
    };
    Ok((by, words.next().is_some_and(|w| w.eq_ignore_ascii_case("desc"))))
}
