//! Partial responses: `fields=items(id,status),nextPageToken` (google.md §1). It takes away and never adds.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::errors::ApiError;

/// How deep and how long a selector may be.
const DEPTH_MAX: usize = 16;
const LENGTH_MAX: usize = 4_096;

/// A parsed selector: the names to keep, and what to keep of each. An empty one keeps everything below.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(BTreeMap<String, Fields>);

impl Fields {
    /// Reads a selector.
    pub(super) fn parse(text: &str) -> Result<Fields, ApiError> {
        let refuse = || ApiError::invalid_parameter("fields", &format!("Invalid field selection {text}"));
        if text.len() > LENGTH_MAX {
            return Err(refuse());
        }
        let mut reader = Reader { rest: text.trim() };
        let fields = reader.list(0).ok_or_else(refuse)?;
        if reader.rest.is_empty() { Ok(fields) } else { Err(refuse()) }
    }

    /// Keeps what was selected.
    pub(super) fn keep(&self, value: Value) -> Value {
        if self.0.is_empty() || self.0.get("*").is_some_and(|all| all.0.is_empty()) {
            return value;
        }
        match value {
            Value::Object(map) => {
                let kept = map.into_iter().filter_map(|(key, value)| {
                    let below = self.0.get(&key).or_else(|| self.0.get("*"))?;
                    Some((key, below.keep(value)))
                });
                Value::Object(kept.collect::<Map<_, _>>())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.keep(item)).collect()),
            other => other,
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn take(&mut self, mark: char) -> bool {
        self.rest.strip_prefix(mark).map(|rest| self.rest = rest.trim_start()).is_some()
    }

    fn list(&mut self, depth: usize) -> Option<Fields> {
        let mut fields = Fields::default();
        loop {
            self.path(&mut fields, depth)?;
            if !self.take(',') {
                return Some(fields);
            }
        }
    }

    fn path(&mut self, into: &mut Fields, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let end =
            self.rest.find(|c: char| !(c.is_alphanumeric() || "_-*".contains(c))).unwrap_or(self.rest.len());
        if end == 0 {
            return None;
        }
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        let below = into.0.entry(name.to_owned()).or_default();
        if self.take('/') {
            self.path(below, depth + 1)
        } else if self.take('(') {
            below.0.extend(self.list(depth + 1)?.0);
            self.take(')').then_some(())
        } else {
            Some(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_as_google_writes_them() {
        let all = json!({"items": [{"id": "a", "start": {"date": "x", "timeZone": "y"}}, {"id": "b"}], "next": 1, "kind": "k"});
        for (selector, want) in [
            ("next", json!({"next": 1})),
            ("items(id),next", json!({"items": [{"id": "a"}, {"id": "b"}], "next": 1})),
            ("items/id", json!({"items": [{"id": "a"}, {"id": "b"}]})),
            ("items(id, start/date)", json!({"items": [{"id": "a", "start": {"date": "x"}}, {"id": "b"}]})),
            ("items/start(timeZone)", json!({"items": [{"start": {"timeZone": "y"}}, {}]})),
            ("*", all.clone()),
        ] {
            assert_eq!(Fields::parse(selector).unwrap().keep(all.clone()), want, "{selector}");
        }
        for bad in ["", "items(", "items)", "a,,b", "a(b))", "a/"] {
            assert!(Fields::parse(bad).is_err(), "{bad}");
        }
        assert!(Fields::parse(&"a(".repeat(100)).is_err());
    }
}
