//! Signing in, and the pages that a one-time link leads to: the first user, and a new password.

use askama::Template;

use crate::Frame;

/// Signing in.
#[derive(Template, Debug)]
#[template(path = "sign_in.html")]
pub struct SignIn {
    /// What stands around it.
    pub frame: Frame,
    /// The address that was given, to be corrected.
    pub email: String,
    /// Where to go then: a path of ours.
    pub next: String,
    /// What was wrong.
    pub error: Option<String>,
    /// The name of the organisation's own sign-in, where there is one.
    pub elsewhere: Option<String>,
}

/// The first user of all, or somebody's new password.
#[derive(Template, Debug)]
#[template(path = "choose_password.html")]
pub struct ChoosePassword {
    /// What stands around it.
    pub frame: Frame,
    /// Whose.
    pub whose: Whose,
    /// The address that was given, or is known.
    pub email: String,
    /// Fewest characters.
    pub at_least: usize,
    /// What was wrong.
    pub error: Option<String>,
}

/// Whose password is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// The first user's, who is being added.
    First,
    /// That of a user who is there.
    Known,
}

impl ChoosePassword {
    fn is_first(&self) -> bool {
        self.whose == Whose::First
    }
}
