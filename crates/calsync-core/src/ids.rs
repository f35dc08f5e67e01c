//! The names of things: one type per kind of id, so that a calendar's can never be handed in for an account's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, uuid::Error> {
                s.parse().map($name)
            }
        }
    )*};
}

id! {
    /// A person who signs in.
    UserId;
    /// One connection to a provider.
    AccountId;
    /// One calendar of an account: this service's own id, never the provider's.
    CalendarId;
    /// One source calendar → one target calendar.
    RuleId;
    /// One push channel, as a row here.
    SubscriptionId;
    /// One delivery received from a provider, as a row here.
    NotificationId;
    /// One message about an alert, on its way through one channel.
    DeliveryId;
    /// A program's way in.
    AccessTokenId;
    /// One sync run.
    RunId;
    /// Ties a busy block at the provider to its row here. Derived, not drawn: see `block::Identity`.
    CorrelationId;
}

/// The provider's own id of an event inside one calendar: opaque, case-sensitive.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct EventId(pub String);

impl EventId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for EventId {
    fn from(s: &str) -> Self {
        EventId(s.to_owned())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
