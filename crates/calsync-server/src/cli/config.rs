//! `config check`, `config show`, `config docs`.

use std::path::Path;

use serde_json::json;

use super::args::ConfigCommand;
use super::context;
use super::exit::{Exit, Failure};
use crate::alerting;
use crate::config::{self, Loaded, Problems, Sources, docs, show};
use crate::out::{Format, Out};

/// Runs one of them.
pub fn run(command: &ConfigCommand, file: Option<&Path>, out: Out) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Check => check(file, out),
        ConfigCommand::Show => {
            let loaded = context::load(file, out)?;
            let cell = |value: &serde_json::Value| match value {
                serde_json::Value::Null => "-".to_owned(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            out.rows(
                &["SETTING", "VALUE", "ORIGIN"],
                &show::show(&loaded),
                |s| vec![s.key.clone(), cell(&s.value), s.origin.clone()],
                "",
            );
            Ok(Exit::Ok)
        }
        ConfigCommand::Docs => {
            out.raw(&docs::markdown());
            Ok(Exit::Ok)
        }
    }
}

fn check(file: Option<&Path>, out: Out) -> Result<Exit, Failure> {
    let loaded = Sources::from_system(file).and_then(|sources| config::load(&sources));
    let usable = loaded.and_then(|loaded| match alerting::unusable(&loaded) {
        Some(problem) => Err(Problems(vec![problem])),
        None => Ok(loaded),
    });
    match usable {
        Ok(loaded) => {
            let notes = notes(&loaded);
            let read = loaded.file.as_ref().map(|path| path.display().to_string());
            let mut text = match &read {
                Some(path) => format!("the configuration is sound (file {path})"),
                None => "the configuration is sound (no file; defaults and environment)".to_owned(),
            };
            for note in &notes {
                text.push_str(&format!("\nnote: {note}"));
            }
            out.result(&text, &json!({"ok": true, "file": read, "problems": [], "notes": notes}));
            Ok(Exit::Ok)
        }
        // With --json the problems are the result, one by one.
        Err(Problems(problems)) if out.format == Format::Json => {
            out.result("", &json!({"ok": false, "problems": problems}));
            Ok(Exit::Config)
        }
        Err(problems) => Err(problems.into()),
    }
}

/// What hinders nothing, and yet may not be meant.
fn notes(loaded: &Loaded) -> Vec<String> {
    let mut notes = loaded.warnings.clone();
    let settings = &loaded.settings;
    if settings.webhooks.rollout.webhooks_enabled && settings.server.public_url.is_none() {
        notes.push("server.public_url is not set: no webhooks, every calendar is polled".to_owned());
    }
    if settings.google.client.is_none() && settings.microsoft.client.is_none() {
        let neither = "neither google.client_id nor microsoft.client_id is set: no account can be connected";
        notes.push(neither.to_owned());
    }
    if !settings.server.bind.ip().is_loopback() && settings.server.trusted_proxies.is_empty() {
        notes.push("server.bind is open to others and server.trusted_proxies is empty: X-Forwarded-For will be ignored".to_owned());
    }
    notes
}
