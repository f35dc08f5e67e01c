//! The body of an event, as HTML or as text (microsoft.md §4.3 `body`). It is no reader of HTML: tags go, and nothing else.

use serde_json::{Value, json};

use super::event_json::View;
use super::prefer::Bodies;
use crate::cloud::outlook::BodyType;

impl View<'_> {
    /// A text body comes back wrapped, unless text is preferred (§4.3 `body`).
    pub(super) fn body(&self, text: &str, kind: BodyType) -> Value {
        if self.call.prefer.bodies == Bodies::Text {
            return json!({"contentType": "text", "content": plain(text, kind)});
        }
        let content = match kind {
            _ if text.is_empty() => String::new(),
            BodyType::Html if text.contains("<html") => text.to_owned(),
            BodyType::Html => wrapped(text),
            BodyType::Text => wrapped(&crate::account_page::escape(text).replace('\n', "<br>")),
        };
        json!({"contentType": "html", "content": content})
    }
}

fn wrapped(html: &str) -> String {
    format!(
        "<html><head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"></head><body>\r\n{html}\r\n</body></html>\r\n"
    )
}

/// A body without its tags.
pub(super) fn plain(text: &str, kind: BodyType) -> String {
    if kind == BodyType::Text {
        return text.to_owned();
    }
    let (mut out, mut inside) = (String::new(), false);
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out.trim().to_owned()
}
