//! The web pages of calendar-sync, as functions of what they show: text in, HTML out. It knows no request, no store and no
//! clock; every time that it writes as "5 minutes ago" is told to it. Everything that comes from outside is escaped by the
//! templates.

pub mod activity;
pub mod asset;
pub mod chart;
pub mod connect;
pub mod frame;
pub mod home;
pub mod monitoring;
pub mod rules;
pub mod set_up;
pub mod settings;
pub mod sign_in;
pub mod start;
pub mod trouble;
pub mod week;
pub mod words;

pub use askama::Template;
pub use asset::Asset;
pub use frame::{Frame, Notice, Place, Tone, Who};

/// A page that could not be written. It says which, and never with what.
#[derive(Debug, thiserror::Error)]
#[error("a page could not be written: {0}")]
pub struct NotWritten(#[from] askama::Error);

/// Writes a page.
pub fn write(page: &impl askama::Template) -> Result<String, NotWritten> {
    Ok(page.render()?)
}
