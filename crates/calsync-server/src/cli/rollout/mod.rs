//! `rollout show`, `rollout set`, `rollout phase`: who uses push. Who is in is decided by `core::rollout`; this reads what
//! was typed, asks before anybody is let out, and tells.

pub mod args;
mod operator;

use std::collections::BTreeSet;

use calsync_core::ports::Switch;
use calsync_core::rollout::{Change, Phase, Rollout, Typed};
use calsync_engine::{Preview, Reach};
use serde_json::json;

use super::consent;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::out::{Out, Progress, counted};
use crate::service::Service;
use args::{How, RolloutCommand, SetArgs};

/// Runs one of them.
pub async fn run(command: &RolloutCommand, context: &Context, service: &Service) -> Result<Exit, Failure> {
    match command {
        RolloutCommand::Show(args) => show(args.history, context, service).await,
        RolloutCommand::Set(args) => change(&read(args)?, &args.how, context, service).await,
        RolloutCommand::Phase(args) => {
            let phase = Phase::parse(&args.phase).map_err(|why| Failure::new(Exit::Usage, why))?;
            change(&Change::to(phase), &args.how, context, service).await
        }
    }
}

/// What was typed; all that is wrong with it at once.
fn read(args: &SetArgs) -> Result<Change, Failure> {
    let webhooks = args.webhooks.map(|to| if to.is_on() { Switch::On } else { Switch::Off });
    let typed = Typed {
        webhooks,
        percentage: args.percentage.as_deref(),
        user_percentage: args.user_percentage.as_deref(),
        add: &args.add_early_adopter,
        remove: &args.remove_early_adopter,
    };
    Change::of(&typed).map_err(|problems| Failure::new(Exit::Usage, problems.join("\n  ")))
}

async fn show(lines: u32, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let report = service.engine.rollout_report(lines).await?;
    let progress = Progress::start(context.out, "Calendars counted", 0);
    let preview = service.engine.preview_rollout(Clone::clone, |n| progress.step(n)).await?;
    drop(progress);
    let mut text = flags(&report.flags);
    text.push_str(&reach(&preview.reach));
    text.push_str(if report.applied {
        "gone through   all calendars were\n"
    } else {
        "gone through   not all calendars yet: a running service does it within seconds, or: \
         calendar-sync subscription-maintenance\n"
    });
    match &report.changed {
        Some((at, who)) => text.push_str(&format!("last changed   {at} by {who}\n")),
        None => {
            text.push_str("last changed   never: the flags are those of the configuration (webhooks.*)\n")
        }
    }
    for line in &report.history {
        text.push_str(&format!("  {}  {}  {}\n", line.at, line.who, line.what));
    }
    let value = json!({
        "flags": report.flags,
        "phase": phase(&report.flags),
        "applied": report.applied,
        "reach": preview.reach,
        "changed_at": report.changed.as_ref().map(|(at, _)| at),
        "changed_by": report.changed.as_ref().map(|(_, who)| who),
        "history": report.history,
    });
    context.out.result(&text, &value);
    Ok(Exit::Ok)
}

async fn change(change: &Change, how: &How, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let who = operator::name(how.who.as_deref())?;
    let progress = Progress::start(context.out, "Calendars looked at", 0);
    let preview = service.engine.preview_rollout(|flags| change.apply(flags), |n| progress.step(n)).await?;
    drop(progress);
    let known: BTreeSet<String> = context.store.users().await?.into_iter().map(|user| user.email).collect();
    let added = preview.after.early_adopters.difference(&preview.before.early_adopters);
    for stranger in added.filter(|address| !known.contains(*address)) {
        context.out.note(&format!(
            "warning: no user has the address {stranger}: it counts as soon as one has (`calendar-sync users list` shows them)"
        ));
    }
    if let Some(objection) = change.objection(&preview.before) {
        return Err(Failure::new(Exit::Usage, objection));
    }
    let changes = preview.before != preview.after;
    if how.dry_run || !changes {
        return Ok(tell(context.out, &preview, Told { changed: false, dry_run: how.dry_run, moved: 0 }));
    }
    if preview.let_out > 0 && !how.yes {
        consent::ask(context.out, &would(&preview)).await?;
    }
    service.engine.change_rollout(&who, &change.words(), |flags| change.apply(flags)).await?;
    let progress = Progress::start(context.out, "Calendars gone through", preview.reach.calendars);
    let moved = service.engine.apply_rollout_telling(|n| progress.step(n)).await?;
    drop(progress);
    Ok(tell(context.out, &preview, Told { changed: true, dry_run: false, moved }))
}

/// What letting somebody out means to them.
fn would(preview: &Preview) -> String {
    let rest = match preview.reach.calendars_admitted {
        0 => "nobody uses push any more".to_owned(),
        some => format!("{some} use push then"),
    };
    format!(
        "this would let {} out, to be polled without a channel, and {} in; {rest}",
        counted(preview.let_out, "calendar"),
        preview.let_in
    )
}

struct Told {
    changed: bool,
    dry_run: bool,
    moved: u64,
}

fn tell(out: Out, preview: &Preview, told: Told) -> Exit {
    let (let_in, let_out) = (preview.let_in, preview.let_out);
    let mut text = match (&told, preview.before == preview.after) {
        (_, true) => "the flags are so already: nothing was changed\n".to_owned(),
        (Told { dry_run: true, .. }, false) => {
            format!(
                "nothing was changed; this would let {} in and {let_out} out\n",
                counted(let_in, "calendar")
            )
        }
        _ => format!("changed: {} let in, {let_out} let out\n", counted(let_in, "calendar")),
    };
    text.push_str(&flags(&preview.after));
    text.push_str(&reach(&preview.reach));
    let value = json!({
        "changed": told.changed,
        "dry_run": told.dry_run,
        "let_in": let_in,
        "let_out": let_out,
        "gone_through": told.moved,
        "flags": preview.after,
        "phase": phase(&preview.after),
        "reach": preview.reach,
    });
    out.result(&text, &value);
    Exit::Ok
}

fn phase(flags: &Rollout) -> Option<serde_json::Value> {
    flags.phase().map(|p| json!({"number": p.number(), "name": p.name()}))
}

fn flags(flags: &Rollout) -> String {
    let phase = flags.phase().map_or_else(
        || "none of the five presets".to_owned(),
        |p| format!("{} {}: {}", p.number(), p.name(), p.words()),
    );
    let adopters: Vec<&str> = flags.early_adopters.iter().map(String::as_str).collect();
    format!(
        "webhooks       {}\nof calendars   {}\nof users       {}\nadopters       {}\nphase          {phase}\n",
        if flags.webhooks_enabled { "on" } else { "off" },
        flags.rollout_percentage,
        flags.user_rollout_percentage,
        if adopters.is_empty() { "nobody".to_owned() } else { adopters.join(", ") },
    )
}

fn reach(reach: &Reach) -> String {
    let share =
        |part: u64, all: u64| (100 * part).checked_div(all).map_or_else(String::new, |n| format!(" ({n} %)"));
    format!(
        "admitted       {} of {} calendars{}, {} of {} users{}\n",
        reach.calendars_admitted,
        reach.calendars,
        share(reach.calendars_admitted, reach.calendars),
        reach.users_admitted,
        reach.users,
        share(reach.users_admitted, reach.users),
    )
}
