//! The page between ours and a provider's: the browser leaves it at once.

use askama::Template;

use crate::Frame;

/// On to a provider.
#[derive(Template, Debug)]
#[template(path = "leave.html")]
pub struct Leave {
    /// What stands around it.
    pub frame: Frame,
    /// The provider's name.
    pub provider: &'static str,
    /// Its page.
    pub url: String,
}
