//! `users add`, `users list`, `users remove`.

use calsync_core::calendar::User;
use calsync_core::ids::UserId;
use calsync_core::ledger::LedgerState;
use serde_json::json;

use super::args::UsersCommand;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::lookup;

mod channels;

/// Longest address that mail can be sent to (RFC 5321 §4.5.3.1.3).
const MAX_EMAIL: usize = 254;

/// Runs one of them.
pub async fn run(command: &UsersCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        UsersCommand::Add { email, staff } => {
            add(context, email, if *staff { Role::Staff } else { Role::Person }).await
        }
        UsersCommand::List => list(context).await,
        UsersCommand::Remove { user, yes, leave_blocks } => {
            let confirmed = if *yes { Confirmed::Yes } else { Confirmed::No };
            let left = if *leave_blocks { Left::Blocks } else { Left::Nothing };
            remove(context, user, confirmed, left).await
        }
    }
}

/// What a new user may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    Person,
    Staff,
}

/// Whether the caller said that they mean it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Confirmed {
    Yes,
    No,
}

/// What may stay behind at the provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Left {
    Nothing,
    Blocks,
}

async fn add(context: &Context, email: &str, role: Role) -> Result<Exit, Failure> {
    let email = address(email)?;
    let now = context.now();
    if context.store.users().await?.iter().any(|user| user.email == email) {
        return Err(Failure::failed(format!("there is a user {email} already")));
    }
    let user =
        User { id: UserId(context.ids.uuid(now)), email, is_staff: role == Role::Staff, created_at: now };
    context.store.add_user(&user).await?;
    context.store.audit("command line", &format!("added user {}", user.email), now).await?;
    context.out.result(&format!("added {} ({})", user.email, user.id), &user);
    Ok(Exit::Ok)
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let users = context.store.users().await?;
    let role = |user: &User| if user.is_staff { "staff" } else { "-" };
    context.out.rows(
        &["ID", "EMAIL", "ROLE", "SINCE"],
        &users,
        |user| {
            vec![user.id.to_string(), user.email.clone(), role(user).to_owned(), user.created_at.to_string()]
        },
        "no users yet: add one with `calendar-sync users add EMAIL`",
    );
    Ok(Exit::Ok)
}

async fn remove(context: &Context, user: &str, confirmed: Confirmed, left: Left) -> Result<Exit, Failure> {
    let user = lookup::user(&*context.store, user).await?;
    let state = context.store.user_state(user.id).await?;
    let (accounts, calendars) = state.as_ref().map_or((0, 0), |s| (s.accounts.len(), s.calendars.len()));
    let on = state.as_ref().map_or(0, |s| s.calendars.iter().filter(|c| c.takes_part()).count());
    let theirs = format!(
        "{} with {accounts} account(s) and {calendars} calendar(s), {on} of them enabled",
        user.email
    );
    if confirmed == Confirmed::No {
        return Err(Failure::failed(format!(
            "this would remove {theirs}; nothing was removed. Add --yes if you mean it"
        )));
    }
    let standing = standing_blocks(context, &user).await?;
    if standing > 0 && left == Left::Nothing {
        return Err(Failure::failed(format!(
            "{standing} blocks of calendar-sync stand in the calendars of {}, and nobody could find them afterwards. \
             Disable the calendars and let that be synchronised first, or leave them there with --leave-blocks",
            user.email
        )));
    }
    // Afterwards nobody would know them.
    let ended = match &state {
        Some(state) => channels::close(context, state).await?,
        None => channels::Ended::default(),
    };
    context.store.remove_user(user.id).await?;
    context.store.audit("command line", &format!("removed user {}", user.email), context.now()).await?;
    context.out.result(
        &format!("removed {theirs}{}", ended.words()),
        &json!({"removed": user.id, "accounts": accounts, "calendars": calendars, "channels": ended}),
    );
    Ok(Exit::Ok)
}

/// Blocks that stand in somebody's calendars, as far as the ledger knows.
async fn standing_blocks(context: &Context, user: &User) -> Result<usize, Failure> {
    let mut standing = 0;
    if let Some(state) = context.store.user_state(user.id).await? {
        for calendar in &state.calendars {
            let rows = context.store.ledger(calendar.id).await?;
            standing += rows.iter().filter(|row| row.state != LedgerState::Gone).count();
        }
    }
    Ok(standing)
}

/// An address in the one form in which it is stored.
fn address(text: &str) -> Result<String, Failure> {
    let email = text.trim().to_lowercase();
    let sound = email.len() <= MAX_EMAIL
        && !email.contains(|c: char| c.is_whitespace() || c.is_control())
        && email
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    let message = || format!("{text:?} is not an e-mail address: give one such as ada@example.com");
    sound.then_some(email).ok_or_else(|| Failure::new(Exit::Usage, message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_and_stored_in_one_form() {
        assert_eq!(address(" Ada@Example.COM "), Ok("ada@example.com".to_owned()));
        for bad in ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c", "a@b\u{1b}[31m"] {
            assert_eq!(address(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
        assert!(address(&format!("{}@example.com", "x".repeat(250))).is_err());
    }
}
