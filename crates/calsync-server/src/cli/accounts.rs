//! `accounts list`.

pub mod args;

use calsync_core::calendar::{Account, AccountStatus};
use serde::Serialize;

use super::args::OfUser;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::lookup;

#[derive(Serialize)]
struct Row {
    user: String,
    calendars: usize,
    #[serde(flatten)]
    account: Account,
}

/// Lists them.
pub async fn list(of: &OfUser, context: &Context) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    for state in lookup::states(&*context.store, of.user.as_deref()).await? {
        for account in state.accounts {
            let calendars = state.calendars.iter().filter(|c| c.account == account.id).count();
            rows.push(Row { user: state.user.email.clone(), calendars, account });
        }
    }
    let status = |row: &Row| {
        let name = match row.account.status {
            AccountStatus::Active => "active",
            AccountStatus::NeedsReconnect => "needs reconnect",
            AccountStatus::Disabled => "disabled",
        };
        row.account
            .status_detail
            .as_ref()
            .map_or_else(|| name.to_owned(), |detail| format!("{name}: {detail}"))
    };
    context.out.rows(
        &["ID", "USER", "PROVIDER", "ACCOUNT", "CALENDARS", "STATUS"],
        &rows,
        |row| {
            let provider = row.account.provider.as_str().to_owned();
            let id = row.account.id.to_string();
            vec![
                id,
                row.user.clone(),
                provider,
                row.account.email.clone(),
                row.calendars.to_string(),
                status(row),
            ]
        },
        "no accounts yet",
    );
    Ok(Exit::Ok)
}
