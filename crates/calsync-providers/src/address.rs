//! Addresses of an API's things: ids become single path segments, whatever they hold. Pure; never decodes.

use url::Url;

/// `base` with each part as one path segment: ids carry `@`, `#`, `=` and `/`. `None` for a part that no id can be.
pub(crate) fn below(base: &Url, parts: &[&str]) -> Option<Url> {
    let mut text = base.as_str().trim_end_matches('/').to_owned();
    for part in parts {
        if part.is_empty() || *part == "." || *part == ".." {
            return None;
        }
        text.push('/');
        text.push_str(&encode(part));
    }
    Url::parse(&text).ok()
}

/// Percent-encoded down to RFC 3986's unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
