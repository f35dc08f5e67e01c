//! A person's own settings: password, browsers that have signed in, access tokens.

use askama::Template;

use crate::Frame;
use crate::words::When;

/// A person's own settings.
#[derive(Template, Debug)]
#[template(path = "settings.html")]
pub struct Settings {
    /// What stands around it.
    pub frame: Frame,
    /// Fewest characters of a password.
    pub at_least: usize,
    /// They have one.
    pub has_password: bool,
    /// Browsers that have signed in, the last used first.
    pub sessions: Vec<Browser>,
    /// Access tokens.
    pub tokens: Vec<Token>,
    /// A token that was just made, to be copied: it is never shown again.
    pub fresh: Option<String>,
}

/// A browser that has signed in.
#[derive(Debug)]
pub struct Browser {
    /// As it names itself.
    pub name: String,
    /// It is this one.
    pub this: bool,
    /// When it signed in.
    pub since: When,
    /// When it was last used.
    pub seen: When,
}

/// An access token.
#[derive(Debug)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// When it was made.
    pub since: When,
    /// When it was last used.
    pub used: When,
}
