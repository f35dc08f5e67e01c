//! An event's title on its way from the provider to its owner's eyes. It is never stored and never logged: the store's rows
//! have no place for it, and it prints as `[title]`. Titles that a rule copies are another matter: see `event::EventText`.

use std::fmt;

use serde::{Serialize, Serializer};

/// Longest title shown, in bytes.
const TITLE_MAX: usize = 1_024;

/// A title that only passes through.
#[derive(Clone, PartialEq, Eq)]
pub struct Title(String);

impl Title {
    /// From what a provider tells; `None` where that says nothing.
    pub fn new(text: &str) -> Option<Title> {
        let text = text.trim();
        let text = &text[..text.floor_char_boundary(TITLE_MAX)];
        (!text.is_empty()).then(|| Title(text.to_owned()))
    }

    /// The words themselves. Every caller of this is a place where they could leak.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[title]")
    }
}

/// For the answer to its owner. It can't be read back: nothing that is kept holds one.
impl Serialize for Title {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_shown_and_never_printed() {
        let title = Title::new("  Dentist ").unwrap();
        assert_eq!((title.expose(), format!("{title:?}").as_str()), ("Dentist", "[title]"));
        assert_eq!(serde_json::to_string(&title).unwrap(), r#""Dentist""#);
        assert_eq!((Title::new(""), Title::new(" \n")), (None, None));
        assert_eq!(Title::new(&"ü".repeat(2_000)).unwrap().expose().len(), TITLE_MAX);
    }
}
