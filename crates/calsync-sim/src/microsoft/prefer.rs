//! `Prefer` headers (microsoft.md §2): which are known, what they change, and which of them `Preference-Applied` echoes.
//! They hold for one request: no link remembers them.

use calsync_core::zone;
use jiff::tz::TimeZone;

use super::errors::GraphError;
use super::ids::IdForm;
use crate::windows_zones::{iana_name, windows_name};
use crate::wire::ApiRequest;

/// What a request prefers.
#[derive(Debug, Clone)]
pub(super) struct Prefer {
    /// The zone in which times are written: UTC unless asked otherwise (§4.3 read zone).
    pub(super) zone: TimeZone,
    /// What that zone is called, as it was asked for.
    pub(super) zone_label: String,
    /// `odata.maxpagesize`.
    pub(super) page_size: Option<usize>,
    /// How items are named: default ids, unless `IdType="ImmutableId"`.
    pub(super) ids: IdForm,
    /// How bodies are written.
    pub(super) bodies: Bodies,
    /// What was obeyed, for `Preference-Applied`.
    pub(super) applied: Vec<String>,
}

/// How bodies are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bodies {
    /// HTML, which is what one gets without a word.
    Html,
    /// Plain text.
    Text,
}

impl Prefer {
    /// What this request prefers; unknown preferences are passed over.
    pub(super) fn read(request: &ApiRequest) -> Result<Prefer, GraphError> {
        let mut prefer = Prefer {
            zone: TimeZone::UTC,
            zone_label: "UTC".to_owned(),
            page_size: None,
            ids: IdForm::Default,
            bodies: Bodies::Html,
            applied: Vec::new(),
        };
        let header = request.headers.get("prefer").map_or("", String::as_str);
        for wish in split(header) {
            let Some((name, value)) = wish.split_once('=') else { continue };
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"'));
            let known = match name.as_str() {
                "outlook.timezone" => {
                    let iana = iana_name(value).ok_or_else(|| GraphError::time_zone(value))?;
                    prefer.zone = zone::find(&iana).ok_or_else(|| GraphError::time_zone(value))?;
                    prefer.zone_label = value.to_owned();
                    true
                }
                "odata.maxpagesize" => {
                    prefer.page_size = value.parse().ok().filter(|n| *n > 0);
                    prefer.page_size.is_some()
                }
                "idtype" if value.eq_ignore_ascii_case("ImmutableId") => {
                    prefer.ids = IdForm::Immutable;
                    true
                }
                "outlook.body-content-type" if value.eq_ignore_ascii_case("text") => {
                    prefer.bodies = Bodies::Text;
                    true
                }
                "outlook.body-content-type" => value.eq_ignore_ascii_case("html"),
                _ => false,
            };
            if known {
                prefer.applied.push(wish.trim().to_owned());
            }
        }
        Ok(prefer)
    }

    /// The zone's name as it stands on a stub of a delta: Windows' whatever was asked (§4.3 zone names on read).
    pub(super) fn stub_label(&self) -> &str {
        self.zone.iana_name().and_then(windows_name).unwrap_or(&self.zone_label)
    }
}

/// The parts between commas that stand outside quotes.
fn split(header: &str) -> Vec<&str> {
    let (mut parts, mut quoted, mut from) = (Vec::new(), false, 0);
    for (at, byte) in header.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                parts.push(&header[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&header[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str) -> Result<Prefer, GraphError> {
        Prefer::read(&ApiRequest::new("GET", "/").header("Prefer", header))
    }

    #[test]
    fn known_preferences_are_obeyed_and_named() {
        let all = of("outlook.timezone=\"Europe/Vienna\", odata.maxpagesize=7, IdType=\"ImmutableId\", outlook.body-content-type=\"text\", wait=10").unwrap();
        assert_eq!((all.page_size, all.ids, all.bodies), (Some(7), IdForm::Immutable, Bodies::Text));
        assert_eq!((all.zone_label.as_str(), all.stub_label()), ("Europe/Vienna", "W. Europe Standard Time"));
        assert_eq!(all.applied.len(), 4);
        let none = of("").unwrap();
        assert_eq!((none.zone_label.as_str(), none.ids, none.applied.len()), ("UTC", IdForm::Default, 0));
        assert_eq!(of("outlook.timezone=\"Mars/Base\"").unwrap_err().code, "TimeZoneNotSupportedException");
    }
}
