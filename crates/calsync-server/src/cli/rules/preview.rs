//! What a change of rules would do, in words: counted by calendar, with the first times of each kind. Tells no title.

use calsync_core::ids::{CalendarId, UserId};
use calsync_core::preview::{Blocks, TargetPreview};
use calsync_engine::{RulesPreview, Thought};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::service::Service;

/// Shows it.
pub async fn show(
    user: UserId,
    thought: &Thought,
    context: &Context,
    service: &Service,
) -> Result<Exit, Failure> {
    let preview = service.engine.preview_rules(user, thought).await?;
    let state = context.store.user_state(user).await?;
    let names = state.map(|state| state.names()).unwrap_or_default();
    let name = |id: CalendarId| names.get(id).to_owned();
    context.out.result(&words(&preview, name), &preview);
    Ok(Exit::Ok)
}

fn words(preview: &RulesPreview, name: impl Fn(CalendarId) -> String) -> String {
    let mut text = String::from("Nothing is changed by this. It would do:");
    if preview.targets.iter().all(TargetPreview::is_empty) {
        text.push_str("\n  nothing to any block");
    }
    for target in preview.targets.iter().filter(|t| !t.is_empty()) {
        let TargetPreview { created, changed, deleted, kept, .. } = target;
        text.push_str(&format!(
            "\n  in {}: {} created, {} changed, {} removed, {kept} kept",
            name(target.target),
            created.count,
            changed.count,
            deleted.count
        ));
        for (what, blocks) in [("created", created), ("changed", changed), ("removed", deleted)] {
            text.push_str(&first(what, blocks, &name));
        }
        if let Some(reason) = &target.held {
            text.push_str(&format!("\n    held until somebody approves it: {reason}"));
        }
    }
    for unread in &preview.unread {
        let (name, because) = (name(unread.calendar), &unread.because);
        text.push_str(&format!(
            "\n  {name} could not be read, so what follows from it is missing here: {because}"
        ));
    }
    text.push_str(&format!("\nWriting it would take about {} seconds.", preview.writing.as_secs().max(1)));
    text
}

fn first(what: &str, blocks: &Blocks, name: &impl Fn(CalendarId) -> String) -> String {
    let line = |shown: &calsync_core::preview::Shown| {
        format!("\n    {what}: {}, for {}", shown.span, name(shown.source))
    };
    let mut text: String = blocks.first.iter().map(line).collect();
    if blocks.count > blocks.first.len() {
        text.push_str(&format!("\n    {what}: and {} more", blocks.count - blocks.first.len()));
    }
    text
}
