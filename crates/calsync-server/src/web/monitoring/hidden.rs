//! What was received, without what must stay secret: tokens of channels and whatever else is named like one. Pure.

use serde_json::Value;

/// What stands in the place of a secret.
const HIDDEN: &str = "[hidden]";
/// What names of secrets contain, in lower case, without dashes and underscores.
const NAMES: [&str; 7] =
    ["token", "clientstate", "secret", "authorization", "cookie", "password", "signature"];
/// Deepest document that is gone through; what is deeper is hidden as a whole.
const DEPTH: u8 = 32;

/// A document as text, without secrets.
pub(super) fn shown(document: Value) -> String {
    if document.is_null() {
        return "nothing".to_owned();
    }
    serde_json::to_string_pretty(&without_secrets(document)).unwrap_or_else(|_| HIDDEN.to_owned())
}

/// A document without secrets.
pub(crate) fn without_secrets(document: Value) -> Value {
    without(document, DEPTH)
}

fn without(value: Value, depth: u8) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return Value::from(HIDDEN) };
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let value = if is_secret(&name) { Value::from(HIDDEN) } else { without(value, depth) };
                (name, value)
            })
            .collect(),
        Value::Array(all) => all.into_iter().map(|one| without(one, depth)).collect(),
        plain => plain,
    }
}

fn is_secret(name: &str) -> bool {
    let name: String = name.to_lowercase().chars().filter(|c| !matches!(c, '-' | '_')).collect();
    NAMES.iter().any(|secret| name.contains(secret))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let text = shown(json!({
            "X-Goog-Channel-Token": "sesame", "x-goog-channel-id": "channel-7",
            "value": [{"clientState": "sesame", "resource": "Users/7", "deep": {"client_secret": {"a": "sesame"}}}],
            "Authorization": "sesame", "Set-Cookie": ["sesame"], "validationTokens": ["sesame"],
        }));
        assert!(!text.contains("sesame"), "{text}");
        assert!(text.contains("channel-7") && text.contains("Users/7"), "{text}");
        assert_eq!(shown(Value::Null), "nothing");
    }

    #[test]
    fn what_is_too_deep_is_hidden() {
        let mut deep = json!("sesame");
        for _ in 0..40 {
            deep = json!([deep]);
        }
        assert!(!shown(deep).contains("sesame"));
    }
}
