//! Finding users and calendars by what a person types: an id, an address, a name. An ambiguous name is never guessed.

use calsync_core::calendar::{Calendar, User};
use calsync_core::ids::{CalendarId, UserId};
use calsync_core::ports::{Store, UserState};

use super::exit::{Exit, Failure};

/// The user of this address or id.
pub async fn user(store: &dyn Store, text: &str) -> Result<User, Failure> {
    let wanted = text.trim().to_lowercase();
    let id = wanted.parse::<UserId>().ok();
    let found = store.users().await?.into_iter().find(|user| user.email == wanted || Some(user.id) == id);
    found.ok_or_else(|| {
        Failure::not_found(format!(
            "there is no user {text:?}: `calendar-sync users list` shows them, `users add` adds one"
        ))
    })
}

/// The state of one user, or of all, by address.
pub async fn states(store: &dyn Store, of: Option<&str>) -> Result<Vec<UserState>, Failure> {
    let users = match of {
        Some(text) => vec![user(store, text).await?],
        None => store.users().await?,
    };
    let mut states = Vec::with_capacity(users.len());
    for user in users {
        // Gone meanwhile: then it is not listed.
        states.extend(store.user_state(user.id).await?);
    }
    Ok(states)
}

/// The calendar of this id, or of this name, as its provider calls it or as it is shown, if only one is called so.
pub async fn calendar(store: &dyn Store, text: &str, of: Option<&str>) -> Result<Calendar, Failure> {
    let missing = || {
        Failure::not_found(format!(
            "there is no calendar {text:?}: `calendar-sync calendars list` shows them"
        ))
    };
    let wanted = text.trim();
    if let Ok(id) = wanted.parse::<CalendarId>() {
        return store.calendar(id).await?.ok_or_else(missing);
    }
    let wanted = wanted.to_lowercase();
    let mut named: Vec<(String, Calendar)> = Vec::new();
    for state in states(store, of).await? {
        let names = state.names();
        let is_called = |c: &Calendar| {
            [c.name.as_str(), names.get(c.id)].iter().any(|name| wanted == name.to_lowercase())
        };
        let shown = |c: Calendar| (names.get(c.id).to_owned(), c);
        named.extend(state.calendars.iter().filter(|c| is_called(c)).cloned().map(shown));
    }
    match named.as_slice() {
        [] => Err(missing()),
        [(_, one)] => Ok(one.clone()),
        several => {
            let ids: Vec<String> =
                several.iter().map(|(shown, c)| format!("\n  {}  {shown}", c.id)).collect();
            let message = format!(
                "{} calendars are called {text:?}: give the id of one of them{}",
                several.len(),
                ids.concat()
            );
            Err(Failure::new(Exit::Usage, message))
        }
    }
}
