//! `users add`, `users list`, `users invite`, `users unlink`, `users remove`.

use calsync_core::calendar::User;
use calsync_core::ids::UserId;
use calsync_core::ledger::LedgerState;
use serde_json::json;

use super::args::UsersCommand;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::{consent, lookup};
use crate::out::counted;
use crate::secrets::first_run::{self, Missing};
use crate::system::SystemRandom;
use crate::web::Links;

mod channels;

/// Runs one of them.
pub async fn run(command: &UsersCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        UsersCommand::Add { email, staff } => {
            add(context, email, if *staff { Role::Staff } else { Role::Person }).await
        }
        UsersCommand::List => list(context).await,
        UsersCommand::Invite { user } => invite(context, user).await,
        UsersCommand::Unlink { user } => unlink(context, user).await,
        UsersCommand::Remove { user, yes, dry_run, leave_blocks } => {
            let confirmed = match (*yes, *dry_run) {
                (_, true) => Confirmed::OnlyLook,
                (true, false) => Confirmed::Yes,
                (false, false) => Confirmed::No,
            };
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
    /// They only want to see what would be done.
    OnlyLook,
}

/// What may stay behind at the provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Left {
    Nothing,
    Blocks,
}

async fn add(context: &Context, email: &str, role: Role) -> Result<Exit, Failure> {
    let email = crate::email::parse(email).map_err(|error| Failure::new(Exit::Usage, error))?;
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
    let role = |user: &User| if user.is_staff { "staff" } else { "user" };
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

async fn invite(context: &Context, user: &str) -> Result<Exit, Failure> {
    let user = lookup::user(&*context.store, user).await?;
    let keys = first_run::keyring(&context.settings, Missing::Lost, &SystemRandom)?;
    let present = context.store.password(&user.email).await?.and_then(|(_, present)| present);
    let path = Links::new(keys.ring).invitation(&user, present.as_deref(), context.now());
    let server = &context.settings.server;
    let here = || format!("http://localhost:{}{}", server.bind.port(), path.expose());
    let link = server.public(path.expose()).unwrap_or_else(here);
    let what = format!("made a link to choose a password for {}", user.email);
    context.store.audit("command line", &what, context.now()).await?;
    let text = format!("{} chooses a password by this link, once and within 7 days:\n\n  {link}", user.email);
    context.out.result(&text, &json!({"user": user.id, "email": user.email, "link": link}));
    Ok(Exit::Ok)
}

async fn unlink(context: &Context, user: &str) -> Result<Exit, Failure> {
    let user = lookup::user(&*context.store, user).await?;
    let forgotten = context.store.forget_identities(user.id).await?;
    if forgotten > 0 {
        // Whoever came by the old identity may be somebody else by now.
        context.store.end_sessions(user.id, None).await?;
        let what = format!("forgot whom {} is at the organisation's own sign-in", user.email);
        context.store.audit("command line", &what, context.now()).await?;
    }
    let text = match forgotten {
        0 => format!("{} has never signed in there: nothing was changed", user.email),
        _ => format!("{} is known there by the address once more, and signed out everywhere", user.email),
    };
    context.out.result(&text, &json!({"user": user.id, "email": user.email, "forgotten": forgotten}));
    Ok(Exit::Ok)
}

async fn remove(context: &Context, user: &str, confirmed: Confirmed, left: Left) -> Result<Exit, Failure> {
    let user = lookup::user(&*context.store, user).await?;
    let state = context.store.user_state(user.id).await?;
    let (accounts, calendars) = state.as_ref().map_or((0, 0), |s| (s.accounts.len(), s.calendars.len()));
    let on = state.as_ref().map_or(0, |s| s.calendars.iter().filter(|c| c.takes_part()).count());
    let theirs = format!(
        "{} with {} and {}, {on} of them enabled",
        user.email,
        counted(accounts as u64, "account"),
        counted(calendars as u64, "calendar")
    );
    let standing = standing_blocks(context, &user).await?;
    let would = match standing {
        0 => format!("This would remove {theirs}."),
        some => {
            format!("This would remove {theirs}; {} would stay behind.", counted(some as u64, "block"))
        }
    };
    if confirmed == Confirmed::OnlyLook {
        let value = json!({"would": "remove", "user": user.id, "accounts": accounts, "calendars": calendars, "blocks": standing});
        context.out.result(&would, &value);
        return Ok(Exit::Ok);
    }
    if standing > 0 && left == Left::Nothing {
        return Err(Failure::failed(format!(
            "{} of calendar-sync would stay in the calendars of {}, and nobody could find them afterwards. \
             Disable the calendars and let that be synchronised first, or leave them there with --leave-blocks",
            counted(standing as u64, "block"),
            user.email
        )));
    }
    if confirmed == Confirmed::No {
        consent::ask(context.out, &would).await?;
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
