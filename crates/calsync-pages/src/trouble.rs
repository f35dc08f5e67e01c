//! Pages that say no: nothing here, not allowed, not now. They say what to do, and nothing about what exists.

use askama::Template;

use crate::Frame;

/// What an open page says while what it stands on does not answer: a part of a page, put where the frame keeps room for it.
#[derive(Template, Debug)]
#[template(path = "interruption.html")]
pub struct Interruption {
    /// What it is, as a sentence.
    pub text: String,
}

/// A page that says no.
#[derive(Template, Debug)]
#[template(path = "trouble.html")]
pub struct Trouble {
    /// What stands around it.
    pub frame: Frame,
    /// What is wrong, short.
    pub title: String,
    /// What it means, and what to do.
    pub text: String,
    /// Where to go on: address and words.
    pub way_on: Option<(String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_page_is_nothing_but_that_part() {
        let part = crate::write(&Interruption { text: "Run `doctor`.".to_owned() }).unwrap();
        assert!(part.starts_with("<div id=\"trouble\">"), "{part}");
        assert!(part.contains("<strong>Run <code>doctor</code>.</strong>"), "{part}");
    }
}
