//! A request and an answer as plain values, so that a look-alike is a function that needs no network: the HTTP server,
//! batch endpoints and tests all call the same one. It knows no provider.

use std::collections::BTreeMap;

use data_encoding::BASE64;

/// One request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiRequest {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The path's parts, percent-decoded.
    pub path: Vec<String>,
    /// The query's pairs, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Headers by name in small letters.
    pub headers: BTreeMap<String, String>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl ApiRequest {
    /// From a method and a target such as `/calendar/v3/colors?alt=json`.
    pub fn new(method: &str, target: &str) -> ApiRequest {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.trim_start_matches('/').split('/').map(percent_decode).collect();
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        ApiRequest { method: method.to_ascii_uppercase(), path, query, ..ApiRequest::default() }
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> ApiRequest {
        self.headers.insert(name.to_ascii_lowercase(), value.to_owned());
        self
    }

    /// The same with a JSON body.
    #[must_use]
    pub fn json(mut self, body: &serde_json::Value) -> ApiRequest {
        self.body = body.to_string().into_bytes();
        self.header("content-type", "application/json")
    }

    /// The same with a form body.
    #[must_use]
    pub fn form(mut self, pairs: &[(&str, &str)]) -> ApiRequest {
        self.body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().into_bytes();
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> ApiRequest {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// All values of a query parameter.
    pub fn params<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// The body's pairs, if it is a form.
    pub fn form_pairs(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    pub(crate) fn path_parts(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// The token of `Authorization: Bearer`.
    pub(crate) fn bearer_token(&self) -> Option<&str> {
        let (kind, token) = self.headers.get("authorization")?.split_once(' ')?;
        kind.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// Name and password of `Authorization: Basic`.
    pub(crate) fn basic(&self) -> Option<(String, String)> {
        let (kind, text) = self.headers.get("authorization")?.split_once(' ')?;
        let text =
            kind.eq_ignore_ascii_case("basic").then(|| BASE64.decode(text.trim().as_bytes()).ok())??;
        let text = String::from_utf8(text).ok()?;
        text.split_once(':').map(|(name, password)| (name.to_owned(), password.to_owned()))
    }
}

/// Decodes `%xx`. A `+` stays a plus: only queries write a space that way.
fn percent_decode(part: &str) -> String {
    let hex =
        |at: Option<&u8>| at.and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let bytes = part.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An answer.
    Answer(Answer),
    /// The connection breaks without one.
    Dropped,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside the body's type.
    pub headers: Vec<(&'static str, String)>,
    /// The body's type; nothing without a body.
    pub content_type: Option<String>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Answer {
        let content_type = Some("application/json; charset=UTF-8".to_owned());
        Answer { status, headers: Vec::new(), content_type, body: body.to_string() }
    }

    /// No body.
    pub fn empty(status: u16) -> Answer {
        Answer { status, headers: Vec::new(), content_type: None, body: String::new() }
    }

    /// A page for a person.
    pub fn html(status: u16, body: String) -> Answer {
        let content_type = Some("text/html; charset=utf-8".to_owned());
        Answer { status, headers: Vec::new(), content_type, body }
    }

    /// A redirection.
    pub fn redirect(to: String) -> Answer {
        Answer { headers: vec![("location", to)], ..Answer::empty(302) }
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: String) -> Answer {
        self.headers.push((name, value));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_part_by_part() {
        let request =
            ApiRequest::new("get", "/calendar/v3/calendars/a%40example.org/events/x%2Fy?q=a+b%26c&q=d");
        assert_eq!(request.path_parts(), ["calendar", "v3", "calendars", "a@example.org", "events", "x/y"]);
        assert_eq!(request.params("q").collect::<Vec<_>>(), ["a b&c", "d"]);
        let odd = ApiRequest::new("GET", "/en.austrian%23holiday@group.v.calendar.google.com/a+b/c=d&e%zz%4");
        let parts = ["en.austrian#holiday@group.v.calendar.google.com", "a+b", "c=d&e%zz%4"];
        assert_eq!(odd.path_parts(), parts);
    }
}
