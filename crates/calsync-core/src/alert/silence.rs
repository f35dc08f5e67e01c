//! Silences: stretches of time in which nobody wants to hear of a kind of alert. What happens meanwhile is kept, and told when
//! the silence ends, if it is still so.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::time::Ts;

/// Silences that can be in force at once.
pub const SILENCES_MAX: usize = 100;

/// One silence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Silence {
    /// Its id.
    pub id: Uuid,
    /// Of this kind; `None`: of all.
    pub kind: Option<String>,
    /// From then on.
    pub from: Ts,
    /// Until then.
    pub until: Ts,
    /// Who wanted it.
    pub who: String,
    /// Why.
    pub why: String,
}

/// Whether this kind is not to be spoken of now.
pub fn is_silent(silences: &[Silence], kind: &str, now: Ts) -> bool {
    let means = |silence: &Silence| silence.kind.as_ref().is_none_or(|named| named == kind);
    silences.iter().any(|silence| means(silence) && silence.from <= now && now < silence.until)
}
