//! `secrets generate`, `secrets rotate`, `secrets status`.

use std::io;
use std::path::Path;

use serde_json::json;

use super::args::SecretsCommand;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::out::Out;
use crate::secrets::first_run::{self, FoundKeys, KeyOrigin, Missing};
use crate::secrets::rotate::{self, Inventory};
use crate::secrets::{SealingKey, keyfile};
use crate::system::SystemRandom;

/// Makes a key; needs neither configuration nor database.
pub fn generate(path: Option<&Path>, out: Out) -> Result<Exit, Failure> {
    let key = SealingKey::generate(&SystemRandom);
    let Some(path) = path else {
        out.result(&key.expose(), &json!({"key": key.expose(), "key_id": key.id().to_string()}));
        return Ok(Exit::Ok);
    };
    let place = path.display();
    keyfile::create(path, &key.expose(), &SystemRandom).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => Failure::failed(format!(
            "{place} exists already and may be in use: choose another name, or move it away first"
        )),
        _ => Failure::failed(format!("cannot write {place}: {}", keyfile::reason(&e))),
    })?;
    let text = format!(
        "wrote key {} to {place}: set secrets.key_file to that path, and back it up apart from the database",
        key.id()
    );
    out.result(&text, &json!({"path": place.to_string(), "key_id": key.id().to_string()}));
    Ok(Exit::Ok)
}

/// Runs one of those that look at the database.
pub async fn run(command: &SecretsCommand, context: &Context) -> Result<Exit, Failure> {
    let keys = first_run::keyring(&context.settings, Missing::Refuse, &SystemRandom)?;
    for notice in &keys.notices {
        context.out.note(&format!("warning: {notice}"));
    }
    match command {
        SecretsCommand::Generate { out } => generate(out.as_deref(), context.out),
        SecretsCommand::Status => status(context, &keys).await,
        SecretsCommand::Rotate => rotate(context, &keys).await,
    }
}

async fn status(context: &Context, keys: &FoundKeys) -> Result<Exit, Failure> {
    let found = rotate::inventory(&*context.store, &keys.ring).await?;
    let current = keys.ring.current_id();
    let previous: Vec<String> = keys.ring.previous_ids().iter().map(ToString::to_string).collect();
    let mut text = format!("current key: {current} (from {})\n", origin(&keys.origin));
    for id in &previous {
        text.push_str(&format!("previous key: {id}\n"));
    }
    for (id, count) in &found.by_key {
        let name = id.map_or_else(|| "nothing that is known".to_owned(), |id| format!("key {id}"));
        text.push_str(&format!("sealed with {name}: {count}\n"));
    }
    let stale: u64 = found.by_key.iter().filter(|(id, _)| **id != Some(current)).map(|(_, n)| n).sum();
    if stale > 0 && found.unreadable.is_empty() {
        text.push_str("run `calendar-sync secrets rotate` to seal everything with the current key\n");
    }
    for line in &found.unreadable {
        text.push_str(&format!("cannot be opened: {line}\n"));
    }
    let by_key: serde_json::Map<String, serde_json::Value> = found
        .by_key
        .iter()
        .map(|(id, n)| (id.map_or_else(|| "unknown".to_owned(), |id| id.to_string()), json!(n)))
        .collect();
    let value = json!({
        "current": current.to_string(), "origin": origin(&keys.origin), "previous": previous,
        "sealed_by": by_key, "unreadable": found.unreadable,
    });
    context.out.result(&text, &value);
    Ok(verdict(&found))
}

fn verdict(found: &Inventory) -> Exit {
    if found.unreadable.is_empty() { Exit::Ok } else { Exit::Failed }
}

async fn rotate(context: &Context, keys: &FoundKeys) -> Result<Exit, Failure> {
    let done = rotate::rotate(&*context.store, &keys.ring, &SystemRandom).await?;
    let id = keys.ring.current_id();
    if done.resealed > 0 {
        context
            .store
            .audit(
                "command line",
                &format!("sealed {} secrets again with key {id}", done.resealed),
                context.now(),
            )
            .await?;
    }
    let mut text =
        format!("sealed again with key {id}: {}; were so before: {}\n", done.resealed, done.already);
    for line in &done.failed {
        text.push_str(&format!("left as it was: {line}\n"));
    }
    let value = json!({"key_id": id.to_string(), "resealed": done.resealed, "already": done.already, "failed": done.failed});
    context.out.result(&text, &value);
    Ok(if done.failed.is_empty() { Exit::Ok } else { Exit::Failed })
}

fn origin(origin: &KeyOrigin) -> String {
    match origin {
        KeyOrigin::Configured => "secrets.key".to_owned(),
        KeyOrigin::Beside(path) | KeyOrigin::Created(path) | KeyOrigin::Local(path) => {
            path.display().to_string()
        }
        KeyOrigin::Memory => "memory, for this run alone".to_owned(),
    }
}
