//! `rebuild`: after the loss of the whole database, letting the same calendars take part again. Shows first what the next pass would do.

use calsync_core::ports::UserState;
use calsync_engine::Rebuild;
use clap::Args;
use serde_json::json;

use super::context::{Context, WHO};
use super::exit::{Exit, Failure};
use super::{consent, lookup};
use crate::service::Service;

/// `rebuild`
#[derive(Args, Debug)]
pub struct RebuildArgs {
    /// Only this user's calendars (e-mail address or id)
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Do it without being asked
    #[arg(long)]
    pub yes: bool,
    /// Also where the next pass would write something, which is shown
    #[arg(long)]
    pub anyway: bool,
    /// Only show what was found
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
}

/// Runs it.
pub(super) async fn run(args: &RebuildArgs, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let (mut text, mut rows, mut all, mut held_up) = (String::new(), Vec::new(), Vec::new(), false);
    for state in lookup::states(&*context.store, args.user.as_deref()).await? {
        let found = service.engine.preview_rebuild(state.user.id).await?;
        held_up |= !found.would.unread.is_empty() || (!found.is_at_rest() && !args.anyway);
        text.push_str(&told(&state, &found));
        rows.push(json!({"user": state.user.email, "calendars": found.calendars, "known": found.known,
            "at_rest": found.is_at_rest(), "would": found.would}));
        all.push((state, found));
    }
    if all.iter().all(|(_, found)| found.calendars.is_empty()) {
        text.push_str("no calendar is to be let in: either all take part, or no block of this installation stands anywhere");
    }
    if args.dry_run || all.iter().all(|(_, found)| found.calendars.is_empty()) {
        context.out.result(text.trim_end(), &json!({"done": false, "users": rows}));
        return Ok(Exit::Ok);
    }
    if held_up {
        let words = "nothing was changed: something would be written, or could not be read. Usually an account is not connected yet, \
            or the rules were others than these: put that right and repeat this, or add --anyway";
        return Err(Failure::failed(format!("{}\n{words}", text.trim_end())));
    }
    if !args.yes {
        consent::ask(context.out, text.trim_end()).await?;
    }
    let mut calendars = 0;
    for (state, found) in &all {
        service.engine.enable_calendars(state.user.id, &found.calendars, WHO).await?;
        calendars += found.calendars.len();
    }
    let words = match calendars {
        1 => format!("{text}1 calendar takes part again: the running service goes on with it"),
        many => format!("{text}{many} calendars take part again: the running service goes on with them"),
    };
    context.out.result(&words, &json!({"done": true, "users": rows}));
    Ok(Exit::Ok)
}

fn told(state: &UserState, found: &Rebuild) -> String {
    let all = state.names();
    let known = match found.known {
        1 => "1 block is known by its mark".to_owned(),
        known => format!("{known} blocks are known by their marks"),
    };
    let mut text = format!("{}: {known}", state.user.email);
    let names: Vec<&str> = found.calendars.iter().map(|id| all.get(*id)).collect();
    if !names.is_empty() {
        text.push_str(&format!("; these took part: {}", names.join(", ")));
    }
    for target in found.would.targets.iter().filter(|target| !target.is_empty()) {
        text.push_str(&format!(
            "\n  in {} the next pass would create {}, change {} and remove {} (and keep {})",
            all.get(target.target),
            target.created.count,
            target.changed.count,
            target.deleted.count,
            target.kept
        ));
    }
    for unread in &found.would.unread {
        text.push_str(&format!("\n  {} could not be read: {}", all.get(unread.calendar), unread.because));
    }
    if found.is_at_rest() && found.would.unread.is_empty() && found.known > 0 {
        text.push_str("\n  the next pass would write nothing");
    }
    text.push('\n');
    text
}
