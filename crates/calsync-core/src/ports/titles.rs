//! What the engine asks of a provider for somebody's eyes only: the titles of their own events. Nothing of it is kept.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::block::OccurrenceKey;
use crate::time::Window;
use crate::title::Title;

/// Whose titles, and how long somebody waits for them.
#[derive(Clone, Copy, Debug)]
pub struct TitlesRequest<'a> {
    /// The provider's id of the calendar.
    pub calendar: &'a str,
    /// Of what touches this window. More may be told.
    pub window: Window,
    /// How long it may take in all, waits for the budget included.
    pub patience: SignedDuration,
}

/// Titles by occurrence. What has none, or does not show one to this account, is not among them; blocks may be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Titles {
    /// By the same key that the mirror gives an occurrence.
    pub list: BTreeMap<OccurrenceKey, Title>,
    /// How far the list was read.
    pub extent: Extent,
}

/// How far a list was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// To its end.
    Whole,
    /// As far as the bound on pages goes.
    Part,
}
