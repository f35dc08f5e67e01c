//! `accounts list`, `accounts remove`.

pub mod args;

use calsync_core::calendar::{Account, AccountStatus, ProviderKind};
use calsync_core::ids::{AccountId, UserId};
use calsync_core::time::Ts;
use calsync_engine::{AccountRemoved, Blocks};
use serde::Serialize;
use serde_json::json;

use super::args::OfUser;
use super::context::{Context, WHO};
use super::exit::{Exit, Failure};
use super::{consent, lookup};
use crate::out::counted;
use crate::service::Service;
use args::RemoveArgs;

/// An account as it is shown. `user` is an address, as in every list; the id has a name of its own.
#[derive(Serialize)]
struct Row {
    id: AccountId,
    user: String,
    user_id: UserId,
    provider: ProviderKind,
    remote_id: String,
    email: String,
    calendars: usize,
    status: AccountStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<String>,
    created_at: Ts,
}

impl Row {
    fn of(user: &str, calendars: usize, account: Account) -> Row {
        let Account { id, user: user_id, provider, remote_id, email, status, status_detail, created_at } =
            account;
        let user = user.to_owned();
        Row { id, user, user_id, provider, remote_id, email, calendars, status, status_detail, created_at }
    }
}

/// Lists them.
pub async fn list(of: &OfUser, context: &Context) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    for state in lookup::states(&*context.store, of.user.as_deref()).await? {
        for account in state.accounts {
            let calendars = state.calendars.iter().filter(|c| c.account == account.id).count();
            rows.push(Row::of(&state.user.email, calendars, account));
        }
    }
    let status = |row: &Row| {
        let name = match row.status {
            AccountStatus::Active => "active",
            AccountStatus::NeedsReconnect => "needs reconnect",
            AccountStatus::Disabled => "disabled",
        };
        row.status_detail.as_ref().map_or_else(|| name.to_owned(), |detail| format!("{name}: {detail}"))
    };
    context.out.rows(
        &["ID", "USER", "PROVIDER", "ACCOUNT", "CALENDARS", "STATUS"],
        &rows,
        |row| {
            let provider = row.provider.as_str().to_owned();
            let id = row.id.to_string();
            vec![id, row.user.clone(), provider, row.email.clone(), row.calendars.to_string(), status(row)]
        },
        "no accounts yet",
    );
    Ok(Exit::Ok)
}

/// Removes one.
pub async fn remove(args: &RemoveArgs, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let (user, account) = find(context, &args.account, args.user.as_deref()).await?;
    let preview = service.engine.preview_account(user, account.id).await?;
    let standing: usize = preview.shares.iter().map(|share| share.blocks).sum();
    let (email, calendars) = (&account.email, counted(preview.calendars.len() as u64, "calendar"));
    let blocks = counted(standing as u64, "block");
    let fate = if args.leave_blocks { "be left or removed later" } else { "be removed first" };
    let would = format!("This would remove the account {email} with {calendars}; {blocks} would {fate}.");
    if args.dry_run {
        context.out.result(
            &would,
            &json!({"would": "remove", "account": account.id,
            "calendars": preview.calendars, "blocks": standing, "shares": preview.shares}),
        );
        return Ok(Exit::Ok);
    }
    if !args.yes {
        consent::ask(context.out, &would).await?;
    }
    let blocks = if args.leave_blocks { Blocks::LeaveBehind } else { Blocks::RemoveFirst };
    let (text, removed, left) = match service.engine.remove_account((user, account.id), blocks, WHO).await? {
        AccountRemoved::Gone => (format!("the account {email} is removed"), true, 0),
        AccountRemoved::OnItsWay(left) => (
            format!(
                "the calendars of {email} are disabled; {left} blocks are left to the running service to remove. Then repeat this"
            ),
            false,
            left,
        ),
    };
    context.out.result(&text, &json!({"account": account.id, "removed": removed, "left": left}));
    Ok(Exit::Ok)
}

/// The account of this id, or of this address if only one has it, and whose it is.
async fn find(context: &Context, text: &str, of: Option<&str>) -> Result<(UserId, Account), Failure> {
    let wanted = text.trim().to_lowercase();
    let states = lookup::states(&*context.store, of).await?;
    let is_it = |a: &Account| a.email.to_lowercase() == wanted || a.id.to_string() == wanted;
    let mut found: Vec<Account> =
        states.into_iter().flat_map(|state| state.accounts).filter(|a| is_it(a)).collect();
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok((only.user, only)),
        (Some(_), false) => Err(Failure::new(
            Exit::Usage,
            format!(
                "several accounts have the address {text:?}: give the id of one, which `calendar-sync accounts list` shows"
            ),
        )),
        (None, _) => Err(Failure::not_found(format!(
            "there is no account {text:?}: `calendar-sync accounts list` shows them"
        ))),
    }
}
