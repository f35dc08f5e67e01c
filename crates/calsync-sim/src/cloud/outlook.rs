//! What only Microsoft's calendar knows of an event (microsoft.md §4.3): finer words for busy, categories, whether the
//! text is HTML. The rest of the cloud carries it along and never looks at it.

use serde_json::{Map, Value};

/// Where somebody is who is not simply busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    /// `oof`: takes their time.
    OutOfOffice,
    /// `workingElsewhere`: a matter of policy; here it leaves the time free.
    WorkingElsewhere,
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyType {
    /// Plain; shown wrapped in HTML to whoever does not ask for text.
    #[default]
    Text,
    /// HTML, kept as it came.
    Html,
}

/// What stands in an event for Microsoft alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Out of office, or working elsewhere.
    pub away: Option<Away>,
    /// `sensitivity: personal`.
    pub personal: bool,
    /// The organizer cancelled it, and this copy still stands (§4.3 `isCancelled`).
    pub cancelled_by_organizer: bool,
    /// Free words that people see.
    pub categories: Vec<String>,
    /// How the description is written.
    pub body: BodyType,
    /// The id under which a program made it (§4.2).
    pub transaction_id: Option<String>,
    /// Other known members, kept as they came.
    pub kept: Map<String, Value>,
}
