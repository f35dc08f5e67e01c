//! What Google's refusals mean (google.md §9, and §8 for channels). Pure. Decides on operation, status and reason, never
//! on a message; an error's words never repeat a message either, for it can hold addresses and titles.

use std::collections::BTreeSet;

use calsync_core::ports::{ErrorClass, ProviderError};
use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde_json::Value;

use crate::budget::Throttled;
use crate::retry;
use crate::transport::{Operate, Refused};
use crate::wire::Effect;

/// How long we pause when the account itself may not write any more ("hours to months", google.md §9).
const LONG_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// Longest reason that is looked at or repeated.
const REASON_MAX: usize = 64;

/// What was asked of Google.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Operation {
    /// `calendarList.list`
    ListCalendars,
    /// `events.list`
    ListEvents,
    /// `events.get`
    GetEvent,
    /// `events.insert`
    InsertEvent,
    /// `events.update`
    UpdateEvent,
    /// `events.delete`
    DeleteEvent,
    /// `events.watch`
    Watch,
    /// `channels.stop`
    Stop,
    /// The person's id and address.
    UserInfo,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 9] = [
        Operation::ListCalendars,
        Operation::ListEvents,
        Operation::GetEvent,
        Operation::InsertEvent,
        Operation::UpdateEvent,
        Operation::DeleteEvent,
        Operation::Watch,
        Operation::Stop,
        Operation::UserInfo,
    ];

    /// Its name in logs and errors.
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::ListCalendars => "calendarList.list",
            Operation::ListEvents => "events.list",
            Operation::GetEvent => "events.get",
            Operation::InsertEvent => "events.insert",
            Operation::UpdateEvent => "events.update",
            Operation::DeleteEvent => "events.delete",
            Operation::Watch => "events.watch",
            Operation::Stop => "channels.stop",
            Operation::UserInfo => "userinfo",
        }
    }

    /// Quota units it costs. What `watch` costs is not published; everything else costs one (google.md §3, §9).
    pub const fn units(self) -> u32 {
        match self {
            Operation::UserInfo => 0,
            _ => 1,
        }
    }
}

impl Operate for Operation {
    fn name(self) -> &'static str {
        self.as_str()
    }

    fn units(self) -> u32 {
        Operation::units(self)
    }

    fn effect(self) -> Effect {
        match self {
            Operation::InsertEvent | Operation::UpdateEvent | Operation::DeleteEvent | Operation::Watch => {
                Effect::Writes
            }
            _ => Effect::Harmless,
        }
    }

    /// What is already gone is gone (google.md §11 row 7), if it is Google that says so.
    fn is_answered_by(self, status: u16, body: &[u8]) -> bool {
        match self {
            Operation::GetEvent | Operation::DeleteEvent => {
                let is_googles =
                    || serde_json::from_slice::<Value>(body).is_ok_and(|body| body["error"].is_object());
                matches!(status, 404 | 410) && is_googles()
            }
            Operation::Stop => status == 404,
            _ => false,
        }
    }

    fn may_repeat(self, class: ErrorClass) -> bool {
        match self {
            Operation::ListCalendars | Operation::ListEvents | Operation::GetEvent | Operation::UserInfo => {
                class == ErrorClass::Transient
            }
            // Never without an id of ours: see `write`.
            Operation::InsertEvent => matches!(class, ErrorClass::Transient | ErrorClass::Ambiguous),
            Operation::UpdateEvent | Operation::DeleteEvent | Operation::Watch | Operation::Stop => false,
        }
    }
}

/// What a refusal means.
pub fn classify(
    operation: Operation,
    status: u16,
    body: &[u8],
    retry_after: Option<&str>,
    now: Ts,
) -> Refused {
    let reasons = Reasons::read(body);
    let (class, words) = meaning(operation, status, &reasons);
    let throttled = (class == ErrorClass::RateLimited).then(|| reasons.throttled());
    let asked = retry_after.and_then(|value| retry::retry_after(value, now));
    let pause = match throttled {
        Some(Throttled::Writes) => Some(asked.unwrap_or(LONG_PAUSE).max(LONG_PAUSE)),
        _ => asked.filter(|_| class.passes()),
    };
    let reason = reasons.first.as_deref().map(|r| format!(" {r}")).unwrap_or_default();
    let detail = format!("{}: {words} ({status}{reason})", operation.as_str());
    let error = ProviderError { retry_after: pause, ..ProviderError::new(class, detail) };
    Refused { status, error, throttled }
}

fn meaning(operation: Operation, status: u16, reasons: &Reasons) -> (ErrorClass, &'static str) {
    use ErrorClass as C;
    if let Some(told) = channel_refused(operation, status, reasons) {
        return told;
    }
    match status {
        400 | 403 | 429 if reasons.is_usage_limit() => (
            C::RateLimited,
            "Google has paused this account's writing (Calendar use limits); it lasts hours or longer",
        ),
        400 | 403 | 429 if reasons.is_rate_limit() => (C::RateLimited, "too many calls"),
        429 => (C::RateLimited, "too many calls"),
        400 if reasons.blames_the_token(operation) => (C::CursorExpired, "the token is not taken"),
        400 => (C::Invalid, "the request is not accepted"),
        401 => (C::Unauthorized, "Google no longer accepts this account's connection: connect it again"),
        403 => forbidden(reasons),
        404 => (C::Gone, "not there, or no access to it"),
        408 => (operation.effect().unknown_outcome(), "Google gave up waiting"),
        409 => match operation {
            // The row's own advice: retried singly, it works (google.md §9).
            _ if operation != Operation::UpdateEvent && reasons.has("conflict") => {
                (C::Transient, "it met another change")
            }
            Operation::InsertEvent | Operation::Watch => (C::Exists, "the id is taken"),
            _ => (C::Conflict, "it met another change"),
        },
        410 if operation == Operation::ListEvents => (C::CursorExpired, "the sync token is no longer taken"),
        410 => (C::Gone, "it was deleted"),
        412 => (C::Conflict, "it is not the version we knew"),
        500..=599 => (operation.effect().unknown_outcome(), "Google has a fault"),
        300..=399 => (C::Misconfigured, "a redirect, which the API never gives: check google.api_base"),
        _ => (C::Invalid, "the request is not accepted"),
    }
}

/// The rows of `watch` (google.md §8). Reasons were seen with and without the prefix `push.`.
fn channel_refused(
    operation: Operation,
    status: u16,
    reasons: &Reasons,
) -> Option<(ErrorClass, &'static str)> {
    use ErrorClass as C;
    if operation != Operation::Watch || !matches!(status, 400 | 401 | 403) {
        return None;
    }
    let told = if reasons.has("pushnotsupportedforrequestedresource") {
        (C::Unsupported, "this calendar can't push: it is polled instead")
    } else if reasons.has("webhookurlnothttps") {
        (C::Misconfigured, "Google delivers to https addresses only: check server.public_url")
    } else if reasons.has("webhookurlunauthorized") {
        (
            C::Misconfigured,
            "Google refuses the webhook address: check server.public_url and the domain's verification",
        )
    } else if reasons.has("channelidnotunique") {
        (C::Exists, "the channel id was used before")
    } else if reasons.has("channelidinvalid") {
        (C::Invalid, "the channel id is not accepted")
    } else {
        return None;
    };
    Some(told)
}

fn forbidden(reasons: &Reasons) -> (ErrorClass, &'static str) {
    use ErrorClass as C;
    if reasons.has("insufficientpermissions") || reasons.has("access_token_scope_insufficient") {
        return (
            C::Unauthorized,
            "the grant lacks a permission: connect the account again and tick every box",
        );
    }
    if reasons.has("accessnotconfigured") || reasons.has("service_disabled") {
        return (C::Misconfigured, "the Calendar API is not enabled in the Google Cloud project");
    }
    if reasons.all.is_empty() {
        // Read by its status alone, a rate limit looks like a prohibition (google.md §10 row 12); a body that names no
        // reason comes from something between us and the API.
        return (C::Transient, "forbidden without a reason");
    }
    (C::Permanent, "not allowed")
}

/// The reasons of a refusal, in lower case and without `push.`, from both envelopes.
#[derive(Default)]
struct Reasons {
    all: BTreeSet<String>,
    first: Option<String>,
    locations: BTreeSet<String>,
}

impl Reasons {
    /// Reads a body; one that is empty, not JSON or of another form gives no reasons.
    fn read(body: &[u8]) -> Reasons {
        let mut reasons = Reasons::default();
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return reasons };
        let error = &body["error"];
        let items = |list: &str| error[list].as_array().cloned().unwrap_or_default();
        for item in items("errors").iter().chain(&items("details")).take(20) {
            reasons.add(item["reason"].as_str());
            if let Some(location) = item["location"].as_str() {
                reasons.locations.insert(location.to_ascii_lowercase());
            }
        }
        reasons.add(error["status"].as_str());
        reasons
    }

    fn add(&mut self, reason: Option<&str>) {
        // Google's are names. What is none may hold anything, and is not repeated.
        let tame = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let name = reason.filter(|reason| reason.len() <= REASON_MAX && reason.chars().all(tame));
        let Some(reason) = name.map(str::to_owned) else { return };
        let lower = reason.to_ascii_lowercase();
        let bare = lower.strip_prefix("push.").unwrap_or(&lower);
        if !bare.is_empty() {
            self.all.insert(bare.to_owned());
            self.first.get_or_insert(reason);
        }
    }

    fn has(&self, reason: &str) -> bool {
        self.all.contains(reason)
    }

    fn is_rate_limit(&self) -> bool {
        ["userratelimitexceeded", "ratelimitexceeded", "rate_limit_exceeded", "resource_exhausted"]
            .iter()
            .any(|r| self.has(r))
    }

    fn is_usage_limit(&self) -> bool {
        ["quotaexceeded", "dailylimitexceeded"].iter().any(|r| self.has(r))
    }

    fn throttled(&self) -> Throttled {
        if self.is_usage_limit() {
            Throttled::Writes
        } else if self.has("userratelimitexceeded") {
            Throttled::User
        } else {
            Throttled::Project
        }
    }

    /// Whether a listing's own token is what Google does not take: a listing in full mends that.
    fn blames_the_token(&self, operation: Operation) -> bool {
        operation == Operation::ListEvents
            && (self.has("fullsyncrequired")
                || self.has("updatedmintoolongago")
                || self.locations.contains("synctoken")
                || self.locations.contains("pagetoken"))
    }
}

#[cfg(test)]
mod tests;
