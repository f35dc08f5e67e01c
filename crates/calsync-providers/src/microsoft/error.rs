//! What Graph's refusals mean (microsoft.md §9, and §8 for subscriptions). Pure. Decides on operation, status and code; a
//! message is only searched for words that stand in the contract, and never repeated: it can hold addresses and titles.

use calsync_core::ports::{ErrorClass, ProviderError};
use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde_json::Value;

use crate::budget::Throttled;
use crate::retry;
use crate::transport::{Operate, Refused};
use crate::wire::Effect;

/// Longest code that is looked at or repeated.
const CODE_MAX: usize = 64;
/// Part of a message that is searched, in bytes.
const MESSAGE_MAX: usize = 2 * 1024;
/// Shortest wait after a refusal for haste: `Retry-After` was seen to say less than it means (§9).
const WAIT_MIN: SignedDuration = SignedDuration::from_secs(1);
/// How long to wait before asking for another subscription where there are too many.
const QUOTA_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// The code of an event that is not there (§9).
const NO_ITEM: &str = "erroritemnotfound";
/// What to tell people whose account has no mailbox (§10 row 19).
const NO_MAILBOX: &str = "this account has no calendar at Microsoft: it is a guest, has no Exchange Online licence (a new one \
    takes some 15 minutes to work), or its mailbox is on the organisation's own server";

/// What was asked of Graph.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Operation {
    /// `GET /me`
    Me,
    /// `GET /me/calendars`
    ListCalendars,
    /// `GET …/calendarView/delta`, its first page.
    DeltaStart,
    /// A link that a delta page gave.
    DeltaLink,
    /// `GET …/calendarView`
    CalendarView,
    /// `GET /me/events/{id}/instances`
    Instances,
    /// `GET /me/events/{id}`
    GetEvent,
    /// `GET …/events?$filter=…`
    FindEvents,
    /// `POST …/events`
    CreateEvent,
    /// `PATCH /me/events/{id}`
    UpdateEvent,
    /// `DELETE /me/events/{id}`
    DeleteEvent,
    /// `POST /subscriptions`
    Subscribe,
    /// `PATCH /subscriptions/{id}`
    Renew,
    /// `DELETE /subscriptions/{id}`
    Unsubscribe,
    /// `GET /subscriptions`
    ListSubscriptions,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 15] = [
        Operation::Me,
        Operation::ListCalendars,
        Operation::DeltaStart,
        Operation::DeltaLink,
        Operation::CalendarView,
        Operation::Instances,
        Operation::GetEvent,
        Operation::FindEvents,
        Operation::CreateEvent,
        Operation::UpdateEvent,
        Operation::DeleteEvent,
        Operation::Subscribe,
        Operation::Renew,
        Operation::Unsubscribe,
        Operation::ListSubscriptions,
    ];

    /// Its name in logs and errors.
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::Me => "me.get",
            Operation::ListCalendars => "calendars.list",
            Operation::DeltaStart | Operation::DeltaLink => "calendarView.delta",
            Operation::CalendarView => "calendarView.list",
            Operation::Instances => "events.instances",
            Operation::GetEvent => "events.get",
            Operation::FindEvents => "events.find",
            Operation::CreateEvent => "events.create",
            Operation::UpdateEvent => "events.update",
            Operation::DeleteEvent => "events.delete",
            Operation::Subscribe => "subscriptions.create",
            Operation::Renew => "subscriptions.renew",
            Operation::Unsubscribe => "subscriptions.delete",
            Operation::ListSubscriptions => "subscriptions.list",
        }
    }

    const fn is_about_an_event(self) -> bool {
        matches!(
            self,
            Operation::GetEvent | Operation::Instances | Operation::UpdateEvent | Operation::DeleteEvent
        )
    }

    const fn reads_changes(self) -> bool {
        matches!(self, Operation::DeltaStart | Operation::DeltaLink)
    }
}

impl Operate for Operation {
    fn name(self) -> &'static str {
        self.as_str()
    }

    /// Rejected calls count like others (§9).
    fn units(self) -> u32 {
        1
    }

    fn effect(self) -> Effect {
        match self {
            Operation::CreateEvent
            | Operation::UpdateEvent
            | Operation::DeleteEvent
            | Operation::Subscribe => Effect::Writes,
            // Repeating a renewal or a removal of a subscription changes nothing more.
            _ => Effect::Harmless,
        }
    }

    /// What is not there (any more) answers these. A series that is gone has no occurrences (§7); what is deleted twice is
    /// deleted, and a 400 may say just that (§10 row 14): the caller looks.
    fn is_answered_by(self, status: u16, body: &[u8]) -> bool {
        match self {
            Operation::DeleteEvent if status == 400 => true,
            Operation::DeleteEvent | Operation::GetEvent | Operation::Instances => {
                status == 404 && Said::read(body).is(NO_ITEM)
            }
            Operation::Unsubscribe => status == 404,
            _ => false,
        }
    }

    /// Reads only. A create that may have happened is looked for first: see `write`.
    fn may_repeat(self, class: ErrorClass) -> bool {
        class == ErrorClass::Transient && self.effect() == Effect::Harmless
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
    let said = Said::read(body);
    let (class, words) = meaning(operation, status, &said);
    let throttled = (class == ErrorClass::RateLimited).then_some(Throttled::User);
    let asked = retry_after.and_then(|value| retry::retry_after(value, now)).filter(|_| class.passes());
    let wait = match (class, operation, status) {
        (ErrorClass::RateLimited, Operation::Subscribe, 403) => Some(asked.unwrap_or(QUOTA_WAIT)),
        (ErrorClass::RateLimited, _, _) => asked.map(|wait| wait.max(WAIT_MIN)),
        _ => asked,
    };
    let code = if said.shown.is_empty() { String::new() } else { format!(" {}", said.shown) };
    let detail = format!("{}: {words} ({status}{code})", operation.as_str());
    Refused {
        status,
        error: ProviderError { retry_after: wait, ..ProviderError::new(class, detail) },
        throttled,
    }
}

fn meaning(operation: Operation, status: u16, said: &Said) -> (ErrorClass, &'static str) {
    use ErrorClass as C;
    if let Some(told) = lost_cursor(operation, status, said) {
        return told;
    }
    if operation == Operation::Subscribe
        && let Some(told) = not_subscribed(status, said)
    {
        return told;
    }
    if said.lacks_mailbox(status) {
        return (C::Permanent, NO_MAILBOX);
    }
    let unknown = operation.effect().unknown_outcome();
    match status {
        429 => (C::RateLimited, "too many calls"),
        503 | 509 if said.is_any(&["toomanyrequests", "applicationthrottled", "activitylimitreached"]) => {
            (C::RateLimited, "too many calls")
        }
        509 => (C::RateLimited, "too many calls"),
        400 | 409 if said.is("errorduplicatetransactionid") => {
            (C::Exists, "an event was made under this key already, with other content")
        }
        400 | 409 | 412 if said.is("errorirresolvableconflict") => (C::Conflict, "it met another change"),
        // Personal accounts answer so for what they do not support at all.
        401 if said.is("unknownerror") && operation != Operation::Me => {
            (C::Unsupported, "this account can't do that for this calendar")
        }
        401 => (C::Unauthorized, "Microsoft no longer accepts this account's connection: connect it again"),
        403 => forbidden(operation, said),
        // A mailbox that is away for a while, or something in between: it says nothing of the event.
        404 if operation.is_about_an_event() && !said.is(NO_ITEM) => {
            (unknown, "not found, though nobody says what")
        }
        404 => (C::Gone, "not there, or no access to it"),
        408 => (unknown, "Microsoft gave up waiting"),
        409 if operation == Operation::CreateEvent => (unknown, "it met another change"),
        409 | 412 => (C::Conflict, "it is not the version we knew"),
        410 => (C::Gone, "it was deleted"),
        507 => (C::Permanent, "the mailbox is full"),
        500..=599 if said.is("errorquotaexceeded") => (C::Permanent, "the mailbox is full"),
        504 if operation.reads_changes() => (unknown, "Microsoft could not list so much in time"),
        500..=599 => (unknown, "Microsoft has a fault"),
        300..=399 => (C::Misconfigured, "a redirect, which Graph never gives: check microsoft.graph_base"),
        _ => (C::Invalid, "the request is not accepted"),
    }
}

/// Every sign that a delta token is not taken any more (§7): 410, one of two codes under any 4xx, and a 400 for a link, which
/// holds nothing of ours but the token.
fn lost_cursor(operation: Operation, status: u16, said: &Said) -> Option<(ErrorClass, &'static str)> {
    let named = said.is_any(&["syncstatenotfound", "resyncrequired", "syncstateinvalid"]);
    let badly_formed = operation == Operation::DeltaLink && status == 400;
    let lost = status == 410 || badly_formed || (named && (400..500).contains(&status));
    (operation.reads_changes() && lost)
        .then_some((ErrorClass::CursorExpired, "the delta token is no longer taken"))
}

/// Refusals of a subscription (§8, "Errors at create", "Quota", "Shared calendars").
fn not_subscribed(status: u16, said: &Said) -> Option<(ErrorClass, &'static str)> {
    use ErrorClass as C;
    let told = match status {
        409 => (C::Exists, "there is a subscription for this calendar already"),
        400 if said.is("validationerror") || said.says("validation request") => (
            C::Misconfigured,
            "Microsoft could not reach our webhook address: check server.public_url, its certificate, and what stands \
             in front of it",
        ),
        400 | 403 | 404 if said.is("extensionerror") && said.is_of_another_moment() => {
            (C::Transient, "Microsoft could not ask the mailbox")
        }
        400 | 403 | 404 if said.is("extensionerror") => (
            C::Unsupported,
            "this calendar can't push (it is not in this account's own mailbox): it is polled instead",
        ),
        // Not Graph: something in between. That a calendar can't push is believed for long, and only of whom it concerns.
        400 | 403 if said.codes.is_empty() => (C::Transient, "refused, though nobody says why"),
        403 if said.says("quota") || said.says("limit") || said.says("maximum") => {
            (C::RateLimited, "this mailbox has too many subscriptions, of all apps together")
        }
        403 if said.is("insufficient_claims") => return None,
        400 | 403 => (C::Unsupported, "this calendar can't push: it is polled instead"),
        _ => return None,
    };
    Some(told)
}

fn forbidden(operation: Operation, said: &Said) -> (ErrorClass, &'static str) {
    use ErrorClass as C;
    if said.is("insufficient_claims") {
        return (
            C::Unauthorized,
            "the organisation's Conditional Access wants a new sign-in: connect the account again",
        );
    }
    if matches!(operation, Operation::Me | Operation::ListCalendars) {
        return (
            C::Unauthorized,
            "the account does not let us see its calendars (any more): connect it again, or ask its administrator",
        );
    }
    (C::Permanent, "not allowed for this calendar")
}

/// What a body says.
#[derive(Default)]
struct Said {
    /// The codes, outer and inner, in lower case.
    codes: Vec<String>,
    /// The outer code, fit to be repeated.
    shown: String,
    /// The message in lower case, to be searched.
    message: String,
}

impl Said {
    /// Reads a body; one that is empty, not JSON or of another form says nothing. The inner error comes in two spellings,
    /// and may hold a code of its own (§9).
    fn read(body: &[u8]) -> Said {
        let mut said = Said::default();
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return said };
        let error = &body["error"];
        let inner = [&error["innerError"], &error["innererror"]];
        for code in [error].into_iter().chain(inner).filter_map(|e| e["code"].as_str()) {
            let tame = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            let code: String = code.chars().filter(tame).take(CODE_MAX).collect();
            said.codes.push(code.to_ascii_lowercase());
            if said.shown.is_empty() {
                said.shown = code;
            }
        }
        let message = error["message"].as_str().unwrap_or_default();
        said.message = message[..message.floor_char_boundary(MESSAGE_MAX)].to_lowercase();
        said
    }

    fn is(&self, code: &str) -> bool {
        self.codes.iter().any(|c| c == code)
    }

    fn is_any(&self, codes: &[&str]) -> bool {
        codes.iter().any(|code| self.is(code))
    }

    fn says(&self, words: &str) -> bool {
        self.message.contains(words)
    }

    /// Whether what stands inside an `ExtensionError` is the mailbox's trouble of just now (§9, "read inner Status Code").
    fn is_of_another_moment(&self) -> bool {
        let troubles = ["serviceunavailable", "internalservererror", "gatewaytimeout", "badgateway"];
        let busy = ["toomanyrequests", "requesttimeout", "429", "500", "502", "503", "504"];
        troubles.iter().chain(&busy).any(|code| self.says(&format!("status code: {code}")))
    }

    fn lacks_mailbox(&self, status: u16) -> bool {
        let named = self.is_any(&[
            "mailboxnotenabledforrestapi",
            "mailboxnotsupportedforrestapi",
            "errorinvaliduser",
        ]);
        // A mailbox on the organisation's own server, or a policy that keeps apps out of it.
        let kept_out = self.is("extensionerror")
            && (self.says("status code: notfound") || self.says("status code: forbidden"));
        (400..500).contains(&status) && (named || kept_out)
    }
}

#[cfg(test)]
mod tests;
