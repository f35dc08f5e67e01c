//! The first page: accounts and calendars, how each stands, and what to do where it does not stand well. And the page that asks
//! before something is taken away.

use askama::Template;
use calsync_core::calendar::{Account, AccountStatus};
use calsync_core::overview::State;
use calsync_core::schedule::Method;
use calsync_core::time::Ts;
use calsync_engine::{AccountOverview, CalendarOverview};

use crate::words::{Times, When, count};
use crate::{Frame, Tone};

/// The first page.
#[derive(Template, Debug)]
#[template(path = "home.html")]
pub struct Home {
    /// What stands around it.
    pub frame: Frame,
    /// Accounts.
    pub accounts: Vec<AccountCard>,
    /// Providers that an account can be connected at: name in addresses, name.
    pub providers: Vec<(&'static str, &'static str)>,
    /// In one sentence.
    pub summary: (Tone, String),
}

/// An account.
#[derive(Debug)]
pub struct AccountCard {
    /// Its id.
    pub id: String,
    /// Its provider, in addresses.
    pub provider: &'static str,
    /// Its provider's name.
    pub provider_name: &'static str,
    /// Its address.
    pub email: String,
    /// What its owner must do, if it can't be used.
    pub broken: Option<String>,
    /// When the provider ends the sign-in by itself.
    pub ends: Option<When>,
    /// Its calendars.
    pub calendars: Vec<CalendarRow>,
}

/// A calendar.
#[derive(Debug)]
pub struct CalendarRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub standing: Words,
    /// How it is kept up to date.
    pub how: String,
    /// When it was last looked at.
    pub looked: When,
    /// It takes part.
    pub is_on: bool,
    /// It is held, and somebody may approve.
    pub is_held: bool,
    /// Blocks cannot be written into it.
    pub is_read_only: bool,
    /// It can be switched on.
    pub can_enable: bool,
}

/// How something stands.
#[derive(Debug)]
pub struct Words {
    /// How grave it is.
    pub tone: Tone,
    /// In two words.
    pub label: String,
    /// In a sentence.
    pub text: String,
    /// What to do.
    pub action: Option<String>,
}

impl AccountCard {
    /// Of an account that ends by itself at `ends`, if it does.
    pub fn of(overview: &AccountOverview, ends: Option<Ts>, times: &Times) -> AccountCard {
        let Account { id, provider, email, status, status_detail, .. } = &overview.account;
        let again = || "its sign-in is no longer accepted".to_owned();
        AccountCard {
            id: id.to_string(),
            provider: provider.as_str(),
            provider_name: provider.name(),
            email: if email.is_empty() { "(address unknown)".to_owned() } else { email.clone() },
            broken: (*status == AccountStatus::NeedsReconnect)
                .then(|| status_detail.clone().unwrap_or_else(again)),
            ends: ends.map(|at| times.when(at)),
            calendars: overview.calendars.iter().map(|one| CalendarRow::of(one, times)).collect(),
        }
    }

    /// Whether any of its calendars takes part.
    pub fn is_used(&self) -> bool {
        self.calendars.iter().any(|calendar| calendar.is_on)
    }
}

impl CalendarRow {
    /// Of a calendar.
    pub fn of(overview: &CalendarOverview, times: &Times) -> CalendarRow {
        let calendar = &overview.calendar;
        let is_on = calendar.sync_enabled;
        CalendarRow {
            id: calendar.id.to_string(),
            name: calendar.name.clone(),
            standing: words(&overview.state, times),
            how: if is_on { how(overview) } else { String::new() },
            looked: times.when_or(calendar.last_synced_at, "never"),
            is_on,
            is_held: matches!(overview.state, State::Held { approved: false, .. }),
            is_read_only: !calendar.access.may_write(),
            can_enable: !is_on && !calendar.is_on_its_way_out(),
        }
    }
}

/// How a calendar is kept up to date, in words.
fn how(overview: &CalendarOverview) -> String {
    match overview.method {
        Method::Webhook => "push, within seconds".to_owned(),
        Method::PollingAndRepair => "polling while its push is mended".to_owned(),
        Method::Polling if overview.calendar.push_unsupported => {
            "polling: its provider cannot push for it".to_owned()
        }
        Method::Polling => "polling".to_owned(),
    }
}

/// A state in words.
pub fn words(state: &State, times: &Times) -> Words {
    let say = |tone, label: &str, text: String, action: Option<&str>| Words {
        tone,
        label: label.to_owned(),
        text,
        action: action.map(str::to_owned),
    };
    let since = |at: Ts| times.since(at);
    match state {
        State::Off => say(Tone::Info, "off", "takes no part".to_owned(), None),
        State::GoingOff => say(
            Tone::Info,
            "going off",
            "its blocks are being removed from the others, and theirs from it".to_owned(),
            None,
        ),
        State::Stopped => {
            say(Tone::Info, "stopped", "nothing is read or written; all stays as it is".to_owned(), None)
        }
        State::NeedsReconnect => say(
            Tone::Bad,
            "not in step",
            "its account must be connected again".to_owned(),
            Some("Connect the account again, above."),
        ),
        State::AccountDisabled => say(Tone::Info, "off", "its account is switched off".to_owned(), None),
        State::Missing => say(
            Tone::Bad,
            "gone",
            "its provider no longer lists it; nothing of it is deleted".to_owned(),
            Some(
                "If it was deleted on purpose, disable it here. Else look whether it is still shared with you.",
            ),
        ),
        State::Held { reason, since: at, approved: false, deletions, undone } => say(
            Tone::Warn,
            "held",
            match undone {
                // Its reason says already that nothing is written.
                Some(_) => format!("since {}: {reason}", since(*at)),
                None => format!("nothing is written here since {}: {reason}", since(*at)),
            },
            Some(&held_action(undone.is_some(), *deletions)),
        ),
        State::Held { approved: true, .. } => {
            say(Tone::Info, "approved", "what was held is written now".to_owned(), None)
        }
        State::New => say(Tone::Info, "starting", "it is read for the first time".to_owned(), None),
        State::Alone => say(
            Tone::Info,
            "on",
            "there is no other calendar to keep in step with".to_owned(),
            Some("Enable another one, or add a rule."),
        ),
        State::Behind { standing, since: at } => say(
            Tone::Bad,
            "not in step",
            format!("{}, since {}", standing.cause(), since(*at)),
            Some("It goes on trying by itself. Sync now shows what it meets."),
        ),
        State::CatchingUp { standing, since: at } => {
            use calsync_core::freshness::Standing;
            let what = match standing {
                Standing::Filling => "blocks are being written",
                Standing::Unread => "the last look did not succeed, and is repeated",
                _ => "blocks wait to be written",
            };
            say(Tone::Info, "catching up", format!("{what}, since {}", since(*at)), None)
        }
        State::InStep { since: at, .. } => say(Tone::Good, "in step", format!("since {}", since(*at)), None),
    }
}

/// What to do about a hold. That of an undo keeps the rules from having their way again with what was taken back.
fn held_action(is_undo: bool, deletions: u32) -> String {
    if is_undo {
        return "Approve it if the rules should go on: what they still ask for is then written again, and what they do not goes."
            .to_owned();
    }
    let these = match deletions {
        1 => "this block".to_owned(),
        several => format!("these {}", count(several.into(), "block")),
    };
    format!(
        "Approve it if {these} should go. If not, look first what became of the events in the other calendars."
    )
}

/// All of it in one sentence.
pub fn summary(accounts: &[AccountOverview]) -> (Tone, String) {
    let calendars: Vec<&CalendarOverview> =
        accounts.iter().flat_map(|one| &one.calendars).filter(|one| one.calendar.sync_enabled).collect();
    let bad = calendars.iter().filter(|one| one.state.wants_somebody()).count();
    let busy =
        calendars.iter().filter(|one| matches!(one.state, State::New | State::CatchingUp { .. })).count();
    match (calendars.len(), bad, busy) {
        (0, _, _) => (Tone::Info, "No calendar takes part yet.".to_owned()),
        (1, 0, 0) => {
            (Tone::Info, "One calendar takes part. Enable another one to keep it in step with.".to_owned())
        }
        (2, 0, 0) => (Tone::Good, "Both calendars are in step.".to_owned()),
        (all, 0, 0) => (Tone::Good, format!("All {all} calendars are in step.")),
        (all, 0, busy) => (Tone::Info, format!("{busy} of {all} calendars are catching up.")),
        (_, 1, _) => (Tone::Bad, "One calendar needs you.".to_owned()),
        (_, bad, _) => (Tone::Bad, format!("{bad} calendars need you.")),
    }
}

/// Asks before something is done that takes something away.
#[derive(Template, Debug)]
#[template(path = "ask.html")]
pub struct Ask {
    /// What stands around it.
    pub frame: Frame,
    /// What is asked.
    pub title: String,
    /// What would happen.
    pub text: Vec<String>,
    /// What would go, in rows: whose, where, how many.
    pub goes: Vec<(String, String, String)>,
    /// Where the answer goes, and what it is called.
    pub action: (String, String),
    /// It takes something away.
    pub tone: Tone,
}

#[cfg(test)]
mod tests {
    use calsync_core::ids::RunId;
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn a_hold_says_what_an_approval_does() {
        let at = Ts::from_secs(1_795_000_000);
        let times = Times::new(at, TimeZone::UTC);
        let action = |deletions, undone| {
            let reason = "a reason".to_owned();
            let state = State::Held { reason, since: at, approved: false, deletions, undone };
            words(&state, &times).action.unwrap()
        };
        let undo = action(0, Some("00000000-0000-0000-0000-000000000000".parse::<RunId>().unwrap()));
        assert!(undo.contains("written again") && !undo.contains("these"), "{undo}");
        assert!(action(12, None).starts_with("Approve it if these 12 blocks should go."));
        assert!(action(1, None).starts_with("Approve it if this block should go."));
    }
}
