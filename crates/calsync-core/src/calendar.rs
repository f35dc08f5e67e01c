//! Users, accounts and calendars: who owns what, and in which state it is.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::block::CalendarRef;
use crate::cursor_loss::CursorLosses;
use crate::ids::{AccountId, CalendarId, UserId};
use crate::time::{Ts, Window};
use crate::zone;

/// A person who signs in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// E-mail address, unique, lower case.
    pub email: String,
    /// Opens monitoring.
    pub is_staff: bool,
    /// When it was made.
    pub created_at: Ts,
}

/// A kind of provider, as stored in the database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// Google Calendar.
    Google,
    /// Microsoft 365 and Outlook.com.
    Microsoft,
    /// iCloud and any other CalDAV server.
    Apple,
}

impl ProviderKind {
    /// All of them.
    pub const ALL: [ProviderKind; 3] = [ProviderKind::Google, ProviderKind::Microsoft, ProviderKind::Apple];

    /// Its name in the database and in URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            ProviderKind::Google => "google",
            ProviderKind::Microsoft => "microsoft",
            ProviderKind::Apple => "apple",
        }
    }

    /// Its name to people.
    pub const fn name(self) -> &'static str {
        match self {
            ProviderKind::Google => "Google",
            ProviderKind::Microsoft => "Microsoft",
            ProviderKind::Apple => "Apple",
        }
    }

    /// The kind of this name in the database and in URLs.
    pub fn parse(name: &str) -> Option<ProviderKind> {
        ProviderKind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One connection to a provider. Its credentials are kept apart and sealed: see `ports::SealedCredentials`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Whose it is.
    pub user: UserId,
    /// At which provider.
    pub provider: ProviderKind,
    /// The provider's own stable id of the person (an address can change).
    pub remote_id: String,
    /// The address, for people to read.
    pub email: String,
    /// Whether it can be used.
    pub status: AccountStatus,
    /// What a person must do, when it can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_detail: Option<String>,
    /// When it was connected.
    pub created_at: Ts,
}

/// Whether an account can be used.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// It works.
    #[default]
    Active,
    /// Its owner must connect it again.
    NeedsReconnect,
    /// Its owner switched it off.
    Disabled,
}

/// What the account may do with a calendar.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// See when it is busy, nothing else.
    FreeBusy,
    /// Read events. Also what an unknown role is taken for.
    #[default]
    Read,
    /// Read and write events.
    Write,
    /// Everything.
    Owner,
}

impl Access {
    /// Whether blocks can be written there.
    pub const fn may_write(self) -> bool {
        matches!(self, Access::Write | Access::Owner)
    }
}

/// Why a calendar takes no part, as long as that is not over and done with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Leaving {
    /// Disabled: its blocks go from the others, and the others' blocks from it.
    Disabled,
    /// Reset: the same, and then all that is known of it is forgotten.
    Reset,
    /// Stopped: nothing is read or written there, and all blocks stay as they stand until it is enabled again.
    Stopped,
}

/// One calendar of an account (spec §2).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Calendar {
    /// This service's own id.
    pub id: CalendarId,
    /// Its account.
    pub account: AccountId,
    /// Whose it is.
    pub user: UserId,
    /// The provider's names of it.
    pub remote: CalendarRef,
    /// Its name, for people to read.
    pub name: String,
    /// IANA name of its time zone.
    pub time_zone: String,
    /// The provider's colour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
    /// What the account may do with it.
    pub access: Access,
    /// Takes part in synchronising.
    pub sync_enabled: bool,
    /// Why it does not, while something is still to be done about that, or must not be.
    #[serde(default)]
    pub leaving: Option<Leaving>,
    /// May use push.
    pub webhook_enabled: bool,
    /// May be polled when push fails.
    pub fallback_polling_enabled: bool,
    /// The provider no longer lists it: it is left alone, and nothing of it is deleted.
    pub missing: bool,
    /// The provider can't push for it (and will not be asked every minute).
    pub push_unsupported: bool,
    /// No channel is opened for it before.
    pub watch_after: Ts,
    /// When its cursor was refused lately.
    #[serde(default)]
    pub cursor_losses: CursorLosses,
    /// The rollout flags let it push, when they were last gone through. In doubt they are asked again.
    pub push_admitted: bool,
    /// When a delivery last led to a sync.
    #[serde(default)]
    pub webhook_last_activity: Option<Ts>,
    /// Failures in a row.
    pub webhook_failure_streak: u32,
    /// The last of them.
    #[serde(default)]
    pub last_webhook_failure: Option<Ts>,
    /// When it was last polled.
    #[serde(default)]
    pub last_polling_sync: Option<Ts>,
    /// When a run on it last succeeded.
    #[serde(default)]
    pub last_synced_at: Option<Ts>,
    /// When it was last listed in full.
    #[serde(default)]
    pub last_full_sync: Option<Ts>,
    /// Where reading goes on.
    #[serde(default)]
    pub cursor: Option<Cursor>,
    /// Raised by every reason to look at it (receipt, poll, "sync now").
    pub dirty_generation: i64,
    /// The generation that the last successful run had seen.
    pub synced_generation: i64,
    /// When somebody should look at it next, if at all.
    #[serde(default)]
    pub due_at: Option<Ts>,
    /// Its blocks must be planned again: a source, a rule or the calendar itself changed.
    pub plan_due: bool,
    /// The next reading must be a full one: text policy changed, a hold wants a second look, somebody asked.
    pub full_due: bool,
}

impl Calendar {
    /// One that was just heard of: it takes no part, and nothing is known of it but where it is.
    pub fn new(id: CalendarId, account: AccountId, user: UserId, remote: CalendarRef) -> Calendar {
        Calendar {
            id,
            account,
            user,
            name: remote.calendar.clone(),
            remote,
            time_zone: "UTC".to_owned(),
            colour: None,
            access: Access::default(),
            sync_enabled: false,
            leaving: None,
            webhook_enabled: true,
            fallback_polling_enabled: true,
            missing: false,
            push_unsupported: false,
            watch_after: Ts::from_secs(0),
            cursor_losses: CursorLosses::default(),
            push_admitted: true,
            webhook_last_activity: None,
            webhook_failure_streak: 0,
            last_webhook_failure: None,
            last_polling_sync: None,
            last_synced_at: None,
            last_full_sync: None,
            cursor: None,
            dirty_generation: 0,
            synced_generation: 0,
            due_at: None,
            plan_due: false,
            full_due: false,
        }
    }

    /// Whether rules from and to it are in force.
    pub fn takes_part(&self) -> bool {
        self.sync_enabled
    }

    /// Whether it stands still: its blocks are right as they are, because nobody looks.
    pub fn is_stopped(&self) -> bool {
        self.leaving == Some(Leaving::Stopped)
    }

    /// Whether its blocks are on their way out.
    pub fn is_on_its_way_out(&self) -> bool {
        matches!(self.leaving, Some(Leaving::Disabled | Leaving::Reset))
    }

    /// Its zone.
    pub fn zone(&self) -> TimeZone {
        zone::find_or_utc(&self.time_zone)
    }

    /// Whether something happened since the last successful run began.
    pub fn is_dirty(&self) -> bool {
        self.dirty_generation > self.synced_generation
    }
}

/// Where reading a calendar goes on: the provider's token, the parameters it belongs to, and what it covers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cursor {
    /// The provider's token.
    pub token: String,
    /// Fingerprint of the parameters it was taken with: with others it is worthless (google.md §4 rule 8).
    pub params: String,
    /// The time that readings with it cover.
    pub covers: Window,
}

/// A calendar as its provider lists it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListedCalendar {
    /// The provider's id of it.
    pub remote_id: String,
    /// Its name.
    pub name: String,
    /// IANA name of its zone.
    pub time_zone: String,
    /// The provider's colour.
    pub colour: Option<String>,
    /// What the account may do with it.
    pub access: Access,
    /// The account's main calendar.
    pub primary: bool,
    /// The provider is known not to push for it.
    pub push_unsupported: bool,
}
