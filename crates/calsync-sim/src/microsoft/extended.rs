//! Single-value extended properties (microsoft.md §5): how their ids are written, which of them `$expand` lays open, and
//! how they stand in the cloud. An event never shows them unasked.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::errors::GraphError;

/// Properties of one event.
const PROPERTIES_MAX: usize = 100;

/// Ids of properties that `$expand` asks for.
pub(super) type Expanded = Vec<String>;

/// The id in the one spelling under which it is kept: type and GUID in small letters are the same as in capitals, a name
/// is not (§5 "name case-sensitive"). Nothing if it is no such id.
pub(super) fn canonical(id: &str) -> Option<String> {
    let (kind, rest) = id.trim().split_once(' ')?;
    let kinds = [
        "String",
        "Integer",
        "Boolean",
        "Double",
        "SystemTime",
        "CLSID",
        "Binary",
        "Float",
        "Long",
        "Short",
        "Currency",
    ];
    let kind = kinds.iter().find(|k| k.eq_ignore_ascii_case(kind))?;
    let rest = rest.trim();
    let hex = |text: &str| {
        text.strip_prefix("0x")
            .filter(|h| !h.is_empty() && h.bytes().all(|b| b.is_ascii_hexdigit()))
            .is_some()
    };
    if hex(rest) {
        return Some(format!("{kind} {}", rest.to_ascii_lowercase()));
    }
    let (guid, name) = rest.strip_prefix('{')?.split_once('}')?;
    uuid::Uuid::parse_str(guid).ok()?;
    let guid = guid.to_ascii_lowercase();
    match name.trim().split_once(' ')? {
        ("Name", name) if !name.trim().is_empty() => Some(format!("{kind} {{{guid}}} Name {}", name.trim())),
        ("Id", number) if hex(number.trim()) => {
            Some(format!("{kind} {{{guid}}} Id {}", number.trim().to_ascii_lowercase()))
        }
        _ => None,
    }
}

/// The properties that a body writes: those named are set, others stay.
pub(super) fn read(
    map: &Map<String, Value>,
    into: &mut BTreeMap<String, String>,
) -> Result<Vec<String>, GraphError> {
    let mut named = Vec::new();
    let Some(value) = map.get("singleValueExtendedProperties").filter(|v| !v.is_null()) else {
        return Ok(named);
    };
    let wrong = || GraphError::new(400, "ErrorInvalidPropertyRequest", "The extended property is invalid.");
    for item in value.as_array().ok_or_else(wrong)?.iter().take(PROPERTIES_MAX) {
        let id = item.get("id").and_then(Value::as_str).and_then(canonical).ok_or_else(wrong)?;
        match item.get("value") {
            Some(Value::String(text)) => drop(into.insert(id.clone(), text.clone())),
            Some(Value::Null) | None => drop(into.remove(&id)),
            Some(_) => return Err(wrong()),
        }
        named.push(id);
    }
    Ok(named)
}

/// The properties with these ids, as `$expand` shows them; nothing if the event has none of them.
pub(super) fn shown(properties: &BTreeMap<String, String>, asked: &[String]) -> Option<Value> {
    let one = |id: &String| properties.get(id).map(|value| json!({"id": id, "value": value}));
    let found: Vec<Value> = asked.iter().filter_map(one).collect();
    (!found.is_empty()).then_some(Value::Array(found))
}

/// The ids in `id eq '…' or id eq '…'`.
pub(super) fn expanded_ids(filter: &str) -> Result<Expanded, GraphError> {
    let wrong = || GraphError::parse_uri("The filter of singleValueExtendedProperties must name ids.");
    let mut ids = Vec::new();
    for part in filter.split(" or ") {
        let part = part.trim().trim_start_matches('(').trim_end_matches(')');
        let (left, right) = part.split_once(" eq ").ok_or_else(wrong)?;
        let text = right.trim().strip_prefix('\'').and_then(|t| t.strip_suffix('\'')).ok_or_else(wrong)?;
        if left.trim() != "id" && left.trim() != "ep/id" {
            return Err(wrong());
        }
        ids.push(canonical(text).ok_or_else(wrong)?);
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_spelling() {
        let id = "String {6a0f0c1e-1111-4222-8333-444455556666} Name CalSyncOrigin";
        assert_eq!(canonical(id).as_deref(), Some(id));
        assert_eq!(
            canonical("string {6A0F0C1E-1111-4222-8333-444455556666} Name CalSyncOrigin").as_deref(),
            Some(id)
        );
        assert_eq!(canonical("Integer 0x8012").as_deref(), Some("Integer 0x8012"));
        for bad in [
            "",
            "String",
            "String {6a0f} Name x",
            "Text 0x1",
            "String {6a0f0c1e-1111-4222-8333-444455556666}",
        ] {
            assert_eq!(canonical(bad), None, "{bad}");
        }
        assert_eq!(expanded_ids(&format!("id eq '{id}'")).unwrap(), [id]);
        assert!(expanded_ids("value eq 'x'").is_err());
    }
}
