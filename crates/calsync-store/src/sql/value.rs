//! Values on their way into a database and rows on their way out, in types that every dialect can spell: the one place
//! that knows how an instant, an id, a yes or no and a document are stored. Never talks to a database.
//!
//! Ids are 16 bytes (SQLite `BLOB`, PostgreSQL `UUID`), not text: less than half the size in every index they are in,
//! and both databases order them alike, which for UUIDv7 is the order of their making. Instants are microseconds as an
//! integer, because text forms of instants sort wrongly in SQLite. Documents are text.

use calsync_core::ids::{
    AccessTokenId, AccountId, CalendarId, CorrelationId, DeliveryId, EventId, NotificationId, RuleId, RunId,
    SubscriptionId, UserId,
};
use calsync_core::ports::StoreError;
use calsync_core::sign_in::TokenHash;
use calsync_core::time::Ts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// A value to be bound. Absent ones keep their type: PostgreSQL asks for it.
#[derive(Clone, Debug)]
pub(crate) enum Val {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Id(Option<Uuid>),
}

/// A value as read.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    Id(Uuid),
}

/// The values for one statement, in order.
macro_rules! vals {
    ($($value:expr),* $(,)?) => { vec![$($crate::sql::value::Val::from($value)),*] };
}
pub(crate) use vals;

macro_rules! numbers {
    ($($from:ty, $value:ident => $to:expr;)*) => {$(
        impl From<$from> for Val {
            fn from($value: $from) -> Val {
                Val::Int(Some($to))
            }
        }
        impl From<Option<$from>> for Val {
            fn from(value: Option<$from>) -> Val {
                Val::Int(value.map(|$value: $from| $to))
            }
        }
    )*};
}

numbers! {
    i64, v => v;
    u32, v => i64::from(v);
    bool, v => i64::from(v);
    Ts, v => v.micros();
}

impl Val {
    /// The absence of a value of this type.
    pub(crate) const fn nothing_like(&self) -> Val {
        match self {
            Val::Int(_) => Val::Int(None),
            Val::Text(_) => Val::Text(None),
            Val::Bytes(_) => Val::Bytes(None),
            Val::Id(_) => Val::Id(None),
        }
    }

    /// A document.
    pub(crate) fn json(value: &impl Serialize) -> Result<Val, StoreError> {
        serde_json::to_string(value).map(Val::from).map_err(|e| StoreError::Corrupt(e.to_string()))
    }

    /// As a document, if there is one.
    pub(crate) fn opt_json(value: Option<&impl Serialize>) -> Result<Val, StoreError> {
        value.map_or(Ok(Val::Text(None)), Val::json)
    }

    /// The name of one of an enum's variants, as serde spells it.
    pub(crate) fn word(value: &impl Serialize) -> Result<Val, StoreError> {
        match serde_json::to_value(value) {
            Ok(serde_json::Value::String(word)) => Ok(Val::from(word)),
            other => Err(StoreError::Corrupt(format!("not the name of a state: {other:?}"))),
        }
    }

    /// 64 bits, kept as they are.
    pub(crate) const fn bits(value: u64) -> Val {
        Val::Int(Some(value.cast_signed()))
    }

    /// A count, which no real system lets grow beyond 63 bits.
    pub(crate) fn count(value: u64) -> Val {
        Val::Int(Some(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

impl From<String> for Val {
    fn from(v: String) -> Val {
        Val::Text(Some(v))
    }
}
impl From<&str> for Val {
    fn from(v: &str) -> Val {
        Val::Text(Some(v.to_owned()))
    }
}
impl From<Option<&str>> for Val {
    fn from(v: Option<&str>) -> Val {
        Val::Text(v.map(str::to_owned))
    }
}
impl From<&Option<String>> for Val {
    fn from(v: &Option<String>) -> Val {
        Val::Text(v.clone())
    }
}
impl From<&EventId> for Val {
    fn from(v: &EventId) -> Val {
        Val::from(v.as_str())
    }
}
impl From<TokenHash> for Val {
    fn from(v: TokenHash) -> Val {
        Val::Bytes(Some(v.0.to_vec()))
    }
}
impl From<Vec<u8>> for Val {
    fn from(v: Vec<u8>) -> Val {
        Val::Bytes(Some(v))
    }
}

macro_rules! ids {
    ($($id:ident),*) => {$(
        impl From<$id> for Val {
            fn from(v: $id) -> Val {
                Val::Id(Some(v.0))
            }
        }
        impl From<Option<$id>> for Val {
            fn from(v: Option<$id>) -> Val {
                Val::Id(v.map(|id| id.0))
            }
        }
        impl FromUuid for $id {
            fn from_uuid(uuid: Uuid) -> $id {
                $id(uuid)
            }
        }
    )*};
}

/// An id made of the UUID that a row holds.
pub(crate) trait FromUuid {
    fn from_uuid(uuid: Uuid) -> Self;
}

ids!(
    AccessTokenId,
    AccountId,
    CalendarId,
    CorrelationId,
    DeliveryId,
    NotificationId,
    RuleId,
    RunId,
    SubscriptionId,
    UserId
);

/// One row, read from left to right.
pub(crate) struct Row {
    cells: std::vec::IntoIter<Cell>,
}

impl Row {
    pub(crate) fn new(cells: Vec<Cell>) -> Row {
        Row { cells: cells.into_iter() }
    }

    fn next(&mut self) -> Result<Cell, StoreError> {
        self.cells.next().ok_or_else(|| StoreError::Corrupt("a row is shorter than expected".to_owned()))
    }

    pub(crate) fn opt_int(&mut self) -> Result<Option<i64>, StoreError> {
        match self.next()? {
            Cell::Null => Ok(None),
            Cell::Int(value) => Ok(Some(value)),
            other => Err(unexpected("a number", &other)),
        }
    }

    pub(crate) fn int(&mut self) -> Result<i64, StoreError> {
        self.opt_int()?.ok_or_else(absent)
    }

    /// A number of a narrower type.
    pub(crate) fn num<T: TryFrom<i64>>(&mut self) -> Result<T, StoreError> {
        let value = self.int()?;
        T::try_from(value).map_err(|_| StoreError::Corrupt(format!("the number {value} is out of range")))
    }

    pub(crate) fn bits(&mut self) -> Result<u64, StoreError> {
        Ok(self.int()?.cast_unsigned())
    }

    pub(crate) fn opt_bits(&mut self) -> Result<Option<u64>, StoreError> {
        Ok(self.opt_int()?.map(i64::cast_unsigned))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, StoreError> {
        Ok(self.int()? != 0)
    }

    pub(crate) fn ts(&mut self) -> Result<Ts, StoreError> {
        self.int().map(Ts::from_micros)
    }

    pub(crate) fn opt_ts(&mut self) -> Result<Option<Ts>, StoreError> {
        Ok(self.opt_int()?.map(Ts::from_micros))
    }

    pub(crate) fn opt_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.next()? {
            Cell::Null => Ok(None),
            Cell::Text(value) => Ok(Some(value)),
            other => Err(unexpected("text", &other)),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        self.opt_text()?.ok_or_else(absent)
    }

    pub(crate) fn opt_bytes(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.next()? {
            Cell::Null => Ok(None),
            Cell::Bytes(value) => Ok(Some(value)),
            other => Err(unexpected("bytes", &other)),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        self.opt_bytes()?.ok_or_else(absent)
    }

    pub(crate) fn token_hash(&mut self) -> Result<TokenHash, StoreError> {
        let bytes: Result<[u8; 32], _> = self.bytes()?.try_into();
        bytes.map(TokenHash).map_err(|b| StoreError::Corrupt(format!("a hash of {} bytes", b.len())))
    }

    pub(crate) fn opt_id<T: FromUuid>(&mut self) -> Result<Option<T>, StoreError> {
        let uuid = match self.next()? {
            Cell::Null => return Ok(None),
            Cell::Id(uuid) => uuid,
            Cell::Bytes(bytes) => Uuid::from_slice(&bytes).map_err(|e| StoreError::Corrupt(e.to_string()))?,
            other => return Err(unexpected("an id", &other)),
        };
        Ok(Some(T::from_uuid(uuid)))
    }

    pub(crate) fn id<T: FromUuid>(&mut self) -> Result<T, StoreError> {
        self.opt_id()?.ok_or_else(absent)
    }

    /// A document.
    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        serde_json::from_str(&self.text()?).map_err(|e| StoreError::Corrupt(e.to_string()))
    }

    pub(crate) fn opt_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        let text = self.opt_text()?;
        let value = text.map(|text| serde_json::from_str(&text)).transpose();
        value.map_err(|e| StoreError::Corrupt(e.to_string()))
    }

    /// The name of one of an enum's variants.
    pub(crate) fn word<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        self.opt_word()?.ok_or_else(absent)
    }

    pub(crate) fn opt_word<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        let Some(word) = self.opt_text()? else { return Ok(None) };
        let unknown = |_| StoreError::Corrupt(format!("the state {word:?} is unknown to this version"));
        T::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(&word))
            .map(Some)
            .map_err(unknown)
    }
}

fn absent() -> StoreError {
    StoreError::Corrupt("a value is missing".to_owned())
}

fn unexpected(expected: &str, found: &Cell) -> StoreError {
    let found = match found {
        Cell::Null => "nothing",
        Cell::Int(_) => "a number",
        Cell::Text(_) => "text",
        Cell::Bytes(_) => "bytes",
        Cell::Id(_) => "an id",
    };
    StoreError::Corrupt(format!("{found} stands where {expected} should"))
}
