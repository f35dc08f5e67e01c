//! Rollout flags (spec §7): who uses push, decided by a stable hash, so that every instance, version and restart decides
//! alike and a growing percentage never drops who was in. Pure; stores nothing.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::calendar::User;
use crate::ids::CalendarId;

mod change;

pub use change::{Change, Typed};

/// Buckets over which ids are spread: a hundredth of a per cent each.
const BUCKETS: u64 = 10_000;
/// Addresses that can be named; each is looked for in every decision.
pub const EARLY_ADOPTERS_MAX: usize = 10_000;
/// Longest address (RFC 5321 §4.5.3.1.3, without the brackets).
const ADDRESS_MAX: usize = 254;

/// A whole number from 0 to 100.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "u8", into = "u8")]
#[schema(value_type = u8, maximum = 100)]
pub struct Percent(u8);

impl Percent {
    /// Nobody.
    pub const NONE: Percent = Percent(0);
    /// Everybody.
    pub const ALL: Percent = Percent(100);

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Percent {
    type Error = String;

    fn try_from(n: u8) -> Result<Percent, String> {
        if n > 100 { Err(format!("{n} is no percentage: 0 to 100")) } else { Ok(Percent(n)) }
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> u8 {
        percent.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// The flags.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Rollout {
    /// The global switch.
    pub webhooks_enabled: bool,
    /// By calendar.
    pub rollout_percentage: Percent,
    /// By user.
    pub user_rollout_percentage: Percent,
    /// E-mail addresses, lower case: they are in whatever the percentages say.
    pub early_adopters: BTreeSet<String>,
}

impl Default for Rollout {
    fn default() -> Self {
        Phase::Everybody.of(&BTreeSet::new())
    }
}

/// The five presets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RolloutPhase)]
pub enum Phase {
    /// 1: off.
    Off,
    /// 2: early adopters.
    EarlyAdopters,
    /// 3: 10 %.
    Tenth,
    /// 4: 75 %.
    Most,
    /// 5: 100 %.
    Everybody,
}

impl Phase {
    /// All of them, by number.
    pub const ALL: [Phase; 5] =
        [Phase::Off, Phase::EarlyAdopters, Phase::Tenth, Phase::Most, Phase::Everybody];

    /// The phase of this number.
    pub fn numbered(number: u8) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.number() == number)
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            Phase::Off => 1,
            Phase::EarlyAdopters => 2,
            Phase::Tenth => 3,
            Phase::Most => 4,
            Phase::Everybody => 5,
        }
    }

    /// Its name, to be typed.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Off => "off",
            Phase::EarlyAdopters => "early-adopters",
            Phase::Tenth => "tenth",
            Phase::Most => "most",
            Phase::Everybody => "everybody",
        }
    }

    /// The phase of this number or name.
    pub fn parse(text: &str) -> Result<Phase, String> {
        let text = text.trim().to_lowercase();
        let asked = |phase: &Phase| phase.name() == text || phase.number().to_string() == text;
        Phase::ALL.into_iter().find(asked).ok_or_else(|| {
            let known: Vec<String> =
                Phase::ALL.iter().map(|p| format!("{} {}", p.number(), p.name())).collect();
            format!("{text:?} is no phase: there are {}", known.join(", "))
        })
    }

    /// What it means, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Phase::Off => "off: everybody is polled",
            Phase::EarlyAdopters => "early adopters",
            Phase::Tenth => "10 % of the users, and early adopters",
            Phase::Most => "75 % of the users, and early adopters",
            Phase::Everybody => "everybody",
        }
    }

    /// Its flags. It is people who are let in, with all their calendars: half of somebody's calendars by push and the other
    /// half polled would show them two speeds. Who was named stays named.
    pub fn of(self, early_adopters: &BTreeSet<String>) -> Rollout {
        let users = match self {
            Phase::Off | Phase::EarlyAdopters => Percent::NONE,
            Phase::Tenth => Percent(10),
            Phase::Most => Percent(75),
            Phase::Everybody => Percent::ALL,
        };
        Rollout {
            webhooks_enabled: self != Phase::Off,
            rollout_percentage: Percent::ALL,
            user_rollout_percentage: users,
            early_adopters: early_adopters.clone(),
        }
    }
}

impl Rollout {
    /// Whether this calendar of this user uses push.
    pub fn admits(&self, calendar: CalendarId, user: &User) -> bool {
        self.webhooks_enabled
            && (self.early_adopters.contains(&user.email)
                || (within("calendar", calendar.0, self.rollout_percentage)
                    && within("user", user.id.0, self.user_rollout_percentage)))
    }

    /// The preset that these flags are, if they are one.
    pub fn phase(&self) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.of(&self.early_adopters) == *self)
    }
}

/// Whether the bucket of an id is among the first `percent`.
fn within(what: &str, id: Uuid, percent: Percent) -> bool {
    // Mostly everybody or nobody is let in, and every look at a calendar asks.
    match percent.0 {
        0 => false,
        100 => true,
        some => bucket(what, id) < u64::from(some) * (BUCKETS / 100),
    }
}

/// The bucket of an id. Never change it: it would drop people who are in.
fn bucket(what: &str, id: Uuid) -> u64 {
    let digest = Sha256::new()
        .chain_update("calendar-sync rollout ")
        .chain_update(what)
        .chain_update([0])
        .chain_update(id.as_bytes())
        .finalize();
    let first = digest.first_chunk::<8>().copied().unwrap_or_default();
    u64::from_be_bytes(first) % BUCKETS
}

/// An address as it is kept, or why it is none. Whether somebody reads mail there nobody knows.
pub fn address(text: &str) -> Result<String, String> {
    let address = text.trim().to_lowercase();
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, ',' | ';' | '<' | '>' | '"');
    let well_formed = address.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.contains('@')
            && !domain.is_empty()
            && domain.split('.').all(|label| !label.is_empty())
    });
    if well_formed && address.len() <= ADDRESS_MAX && address.chars().all(plain) {
        Ok(address)
    } else {
        let shown: String = text.chars().take(80).collect();
        Err(format!("{shown:?} is no e-mail address, such as ada@example.com"))
    }
}

#[cfg(test)]
mod tests;
