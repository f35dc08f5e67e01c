//! Busy blocks: what we write, how we mark it, and how we prove that one is ours.
//!
//! Two proofs (spec §1): the provider id that we stored, and a signed marker that names the very id it was written
//! under. A marker alone proves nothing but that somebody's block must not be mirrored onward: a person's copy of a
//! block carries the marker too, under another id, and is theirs.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::OnceLock;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ids::{CorrelationId, EventId};
use crate::recurrence::OriginalStart;
use crate::time::{Span, Ts};

/// Prefix of every event id that we choose. Its letters are in the alphabet of every provider that lets us choose
/// (Google: base32hex, google.md §5).
pub const ID_PREFIX: &str = "cs1";
/// Name of the marker among the private extended properties (≤44 characters, google.md §6).
pub const MARKER_NAME: &str = "calsync";
/// Version of the marker's text.
const MARKER_VERSION: &str = "v1";
/// Length of a signature in a marker, in bytes.
const SIGNATURE_LEN: usize = 8;
/// Length of a correlation id in base32hex without padding.
const ID_BODY_LEN: usize = 26;

/// Which occurrence of which event a block stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
pub struct OccurrenceKey {
    /// The single event, or the master of the series.
    pub event: EventId,
    /// For a series: where the occurrence stood by the pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub original: Option<OriginalStart>,
}

impl fmt::Display for OccurrenceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.original {
            None => write!(f, "{}", self.event),
            Some(original) => write!(f, "{}@{original}", self.event),
        }
    }
}

/// A calendar's name that outlives our database: provider, account and calendar in the provider's own words.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct CalendarRef {
    /// `google`, `microsoft`, `apple`.
    pub provider: String,
    /// The provider's id of the account's owner.
    pub account: String,
    /// The provider's id of the calendar.
    pub calendar: String,
}

/// This installation's key for naming and marking blocks. Kept apart from the encryption keys, so that those can be
/// rotated without a single block changing its name.
#[derive(Clone)]
pub struct Identity {
    key: [u8; 32],
    /// The key, prepared: a plan asks for thousands of digests under one key.
    keyed: OnceLock<Hmac<Sha256>>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity([secret])")
    }
}

impl Identity {
    /// From 32 secret bytes.
    pub const fn new(key: [u8; 32]) -> Identity {
        Identity { key, keyed: OnceLock::new() }
    }

    /// The identity under which blocks of this calendar are named and marked. Two accounts that see one shared calendar
    /// get two: neither takes the other's blocks for its own.
    #[must_use]
    pub fn for_calendar(&self, calendar: &CalendarRef) -> Identity {
        Identity::new(self.mac("calendar", &[&calendar.provider, &calendar.account, &calendar.calendar]))
    }

    fn mac(&self, purpose: &str, parts: &[&str]) -> [u8; 32] {
        let keyed = || Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        let mut mac = self.keyed.get_or_init(keyed).clone();
        mac.update(purpose.as_bytes());
        for part in parts {
            // Length first, so that no two lists of parts can run together into the same bytes.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    /// The correlation id of the block that `occurrence` of `source` has in `target`. The same after a crash, a replay
    /// or the loss of our database: that is what makes a write idempotent.
    pub fn correlation(
        &self,
        source: &CalendarRef,
        occurrence: &OccurrenceKey,
        target: &CalendarRef,
    ) -> CorrelationId {
        let original = occurrence.original.map(|o| o.to_string()).unwrap_or_default();
        let digest = self.mac(
            "correlation",
            &[
                &source.provider,
                &source.account,
                &source.calendar,
                occurrence.event.as_str(),
                &original,
                &target.provider,
                &target.account,
                &target.calendar,
            ],
        );
        let mut bytes = [0u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        CorrelationId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The marker of the block written under `id`.
    pub fn marker(&self, correlation: CorrelationId, id: &EventId) -> Marker {
        Marker(format!(
            "{MARKER_VERSION}.{}.{}",
            correlation.0.simple(),
            hex(&self.signature(correlation, id))
        ))
    }

    fn signature(&self, correlation: CorrelationId, id: &EventId) -> [u8; SIGNATURE_LEN] {
        let digest = self.mac("marker", &[&correlation.0.simple().to_string(), id.as_str()]);
        let mut out = [0u8; SIGNATURE_LEN];
        out.copy_from_slice(&digest[..SIGNATURE_LEN]);
        out
    }

    /// Whose block an event is, judged by its id and marker alone.
    pub fn origin(&self, id: &EventId, marker: Option<&Marker>) -> Origin {
        let signed = marker.and_then(Marker::parse).filter(|(correlation, signature)| {
            crate::secret::constant_time_eq(
                signature.as_bytes(),
                hex(&self.signature(*correlation, id)).as_bytes(),
            )
        });
        match signed {
            Some((correlation, _)) => Origin::Ours(correlation),
            None if is_block(id, marker) => Origin::SomebodysBlock,
            None => Origin::Event,
        }
    }
}

/// Whether an event is anybody's block, judged by its id and marker alone: whose, only [`Identity::origin`] can say.
pub fn is_block(id: &EventId, marker: Option<&Marker>) -> bool {
    marker.is_some() || looks_like_block_id(id)
}

/// Whether an iCalendar UID is one that a provider makes of the id of a block (google.md §6). In another calendar such an event is a
/// copy, as whoever subscribes to a calendar with blocks gets one, or an invitation to what somebody made of a block.
pub fn is_block_uid(uid: &str) -> bool {
    looks_like_block_id(&EventId(uid.split_once('@').map_or(uid, |(local, _)| local).to_owned()))
}

/// Whose block an event is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Marked by this installation for this very id.
    Ours(CorrelationId),
    /// A block of another installation, a person's copy of a block, or a block whose marker was lost: never mirrored
    /// onward, and never touched unless our ledger names its id.
    SomebodysBlock,
    /// A real event.
    Event,
}

/// The event id of a block at a provider that lets us choose. Ids stay taken after deletion (google.md §5), hence the
/// generation: a block that comes back gets the next one.
pub fn block_event_id(correlation: CorrelationId, generation: u32) -> EventId {
    let body = data_encoding::BASE32HEX_NOPAD.encode(correlation.0.as_bytes()).to_ascii_lowercase();
    EventId(format!("{ID_PREFIX}{body}g{generation}"))
}

/// Whether an id has the shape of one that `block_event_id` of any installation makes.
pub fn looks_like_block_id(id: &EventId) -> bool {
    let Some(rest) = id.as_str().strip_prefix(ID_PREFIX) else { return false };
    let Some((body, generation)) = rest.split_at_checked(ID_BODY_LEN) else { return false };
    body.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'v'))
        && generation
            .strip_prefix('g')
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// The generation that an id of ours names.
pub(crate) fn generation_of(id: &EventId) -> Option<u32> {
    id.as_str().get(ID_PREFIX.len() + ID_BODY_LEN + 1..)?.parse().ok().filter(|_| looks_like_block_id(id))
}

/// The signed text that rides in a block's private properties. It says nothing about the event it stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Marker(pub String);

impl Marker {
    /// The correlation that it names, whether it is signed by us or not, and its signature.
    pub(crate) fn parse(&self) -> Option<(CorrelationId, &str)> {
        let mut parts = self.0.split('.');
        let (version, correlation, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = version == MARKER_VERSION && parts.next().is_none();
        whole.then_some(())?;
        Some((CorrelationId(Uuid::try_parse(correlation).ok()?), signature))
    }
}

/// Everything that we decide about a block. What is not here (attendees, reminders, conference) is never sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BlockContent {
    /// The time it holds.
    pub span: Span,
    /// Its title.
    pub title: String,
    /// Its description, only where the rule copies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its location, only where the rule copies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Busy or tentative.
    pub busy: BlockBusy,
    /// Who may see it.
    pub visibility: Visibility,
    /// The provider's colour or category, where the rule names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
}

/// How a block shows.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BlockBusy {
    /// Busy.
    #[default]
    Busy,
    /// Tentatively busy.
    Tentative,
    /// Free: never written, only read after somebody made a block free.
    Free,
}

/// Who may see a block's details.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Only the owner.
    #[default]
    Private,
    /// Whoever the calendar is shared with.
    Calendar,
}

/// A digest of block content: equal content, equal fingerprint. Providers normalise what they store, so the
/// fingerprint of what they *returned* is what later readings are compared with (google.md §10 row 6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub u64);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl BlockContent {
    /// Its fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        };
        add(&self.span.to_string());
        add(&self.title);
        add(self.description.as_deref().unwrap_or_default());
        add(self.location.as_deref().unwrap_or_default());
        add(match self.busy {
            BlockBusy::Busy => "busy",
            BlockBusy::Tentative => "tentative",
            BlockBusy::Free => "free",
        });
        add(match self.visibility {
            Visibility::Private => "private",
            Visibility::Calendar => "calendar",
        });
        add(self.colour.as_deref().unwrap_or_default());
        let digest = hash.finalize();
        let mut first = [0u8; 8];
        first.copy_from_slice(&digest[..8]);
        Fingerprint(u64::from_be_bytes(first))
    }
}

/// A block as it stands at the provider now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ObservedBlock {
    /// Its id.
    pub id: EventId,
    /// Its version, to guard a write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When the provider last changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Ts>,
    /// Its marker, if it still has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<Marker>,
    /// Fingerprint of its content as read.
    pub fingerprint: Fingerprint,
    /// The time it holds.
    pub span: Span,
    /// Whether anybody is invited to it beside its calendar's owner. Then it is a person's meeting: they would be told of a
    /// change or removal, so it is left alone for as long as that is so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_guests: bool,
    /// Its iCalendar UID, where that does not say by itself whose it is: by it copies of the block are known in other calendars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ical_uid: Option<String>,
    /// Whether it leaves its owner free all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_free: bool,
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(name: &str) -> CalendarRef {
        CalendarRef { provider: "google".into(), account: "1".into(), calendar: name.into() }
    }

    fn key(event: &str) -> OccurrenceKey {
        OccurrenceKey { event: event.into(), original: None }
    }

    #[test]
    fn ids_are_stable_and_in_googles_alphabet() {
        let identity = Identity::new([7; 32]);
        let a = identity.correlation(&calendar("a"), &key("e"), &calendar("b"));
        assert_eq!(a, identity.correlation(&calendar("a"), &key("e"), &calendar("b")));
        assert_ne!(a, identity.correlation(&calendar("a"), &key("e2"), &calendar("b")));
        assert_ne!(a, identity.correlation(&calendar("b"), &key("e"), &calendar("a")));
        assert_ne!(a, Identity::new([8; 32]).correlation(&calendar("a"), &key("e"), &calendar("b")));
        let id = block_event_id(a, 3);
        assert!(id.as_str().bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'v')), "{id}");
        assert!(looks_like_block_id(&id));
        assert!(!looks_like_block_id(&"cs1".into()));
        assert!(!looks_like_block_id(&"cs1ordinaryeventofsomebody".into()));
        assert_ne!(id, block_event_id(a, 4));
        assert_eq!((generation_of(&id), generation_of(&"cs1x".into())), (Some(3), None));
    }

    #[test]
    fn another_accounts_view_of_a_shared_calendar_does_not_own_its_blocks() {
        let installation = Identity::new([7; 32]);
        let shared = calendar("shared");
        let (hers, his) = (shared.clone(), CalendarRef { account: "2".into(), ..shared });
        let alice = installation.for_calendar(&hers);
        let correlation = alice.correlation(&calendar("a"), &key("e"), &hers);
        let id = block_event_id(correlation, 0);
        let marker = alice.marker(correlation, &id);
        assert_eq!(installation.for_calendar(&hers).origin(&id, Some(&marker)), Origin::Ours(correlation));
        assert_eq!(installation.for_calendar(&his).origin(&id, Some(&marker)), Origin::SomebodysBlock);
    }

    #[test]
    fn a_copy_of_a_block_is_not_ours() {
        let ours = Identity::new([7; 32]);
        let correlation = ours.correlation(&calendar("a"), &key("e"), &calendar("b"));
        let id = block_event_id(correlation, 0);
        let marker = ours.marker(correlation, &id);
        assert_eq!(ours.origin(&id, Some(&marker)), Origin::Ours(correlation));
        assert_eq!(ours.origin(&"copyofit".into(), Some(&marker)), Origin::SomebodysBlock);
        assert_eq!(
            ours.origin(&id, None),
            Origin::SomebodysBlock,
            "a stripped marker proves nothing by itself"
        );
        assert_eq!(Identity::new([9; 32]).origin(&id, Some(&marker)), Origin::SomebodysBlock);
        assert_eq!(ours.origin(&"meeting".into(), None), Origin::Event);
        for junk in ["", "v1", "v1..", "v1.x.y", "v2.00.00", "v1.0.0.0"] {
            assert_eq!(ours.origin(&"meeting".into(), Some(&Marker(junk.into()))), Origin::SomebodysBlock);
        }
    }
}
