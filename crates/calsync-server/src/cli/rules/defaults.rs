//! `rules defaults show`, `rules defaults set`: what new rules and newly enabled calendars begin with.

use calsync_core::calendar::User;
use calsync_core::rule::{Link, RuleDefaults};
use serde::Serialize;

use super::args::{DefaultsCommand, LinkArg, SetDefaults};
use super::{note_implied, options};
use crate::cli::context::{Context, WHO};
use crate::cli::exit::{Exit, Failure};
use crate::cli::lookup;

#[derive(Serialize)]
struct Row {
    user: String,
    #[serde(flatten)]
    defaults: RuleDefaults,
}

/// Runs one of them.
pub(super) async fn run(command: &DefaultsCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        DefaultsCommand::Show(of) => show(context, of.user.as_deref()).await,
        DefaultsCommand::Set(set) => put(context, set).await,
    }
}

async fn show(context: &Context, of: Option<&str>) -> Result<Exit, Failure> {
    let states = lookup::states(&*context.store, of).await?;
    let row =
        |state: calsync_core::ports::UserState| Row { user: state.user.email, defaults: state.rule_defaults };
    let rows: Vec<Row> = states.into_iter().map(row).collect();
    let cells = |row: &Row| {
        let options = serde_json::to_string(&row.defaults.options).unwrap_or_default();
        vec![row.user.clone(), linked_with(row.defaults.link).to_owned(), options]
    };
    context.out.rows(&["USER", "NEW CALENDARS", "OPTIONS"], &rows, cells, "no users yet");
    Ok(Exit::Ok)
}

const fn linked_with(link: Link) -> &'static str {
    match link {
        Link::All => "all others",
        Link::None => "none",
    }
}

async fn put(context: &Context, set: &SetDefaults) -> Result<Exit, Failure> {
    let user = whose(context, set.user.as_deref()).await?;
    let before = context.engine().rule_defaults(user.id).await?;
    let mut new = before.clone();
    options::apply(&mut new.options, &set.options);
    match set.new_calendars {
        Some(LinkArg::All) => new.link = Link::All,
        Some(LinkArg::None) => new.link = Link::None,
        None => {}
    }
    let changed = context.engine().set_rule_defaults(user.id, (&new, Some(&before)), WHO).await?;
    let text = format!(
        "new rules of {} get these options, and newly enabled calendars are linked with {}",
        user.email,
        linked_with(new.link)
    );
    context.out.result(&text, &Row { user: user.email, defaults: new });
    note_implied(context, &changed);
    Ok(Exit::Ok)
}

/// The user named, or the only one there is.
async fn whose(context: &Context, of: Option<&str>) -> Result<User, Failure> {
    if let Some(text) = of {
        return lookup::user(&*context.store, text).await;
    }
    let mut users = context.store.users().await?;
    match (users.pop(), users.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(Failure::new(Exit::Usage, "there are several users: say whose with --user")),
        (None, _) => Err(Failure::not_found("there is no user yet: `calendar-sync users add`")),
    }
}
