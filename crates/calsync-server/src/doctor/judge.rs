//! What each finding means, in words that say what to do. Pure: it looks at nothing and waits for nobody.

mod lapses;

use std::path::Path;
use std::time::Duration;

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::StoreError;
use calsync_core::time::Ts;
use jiff::SignedDuration;

use crate::checks::{Check, Outcome};
use crate::cli::accounts::args::{CALLBACK_PORT, OauthProvider};
use crate::config::{DatabaseUrl, Loaded, Problem, Settings};
use crate::oidc;
use crate::reach::{Answer, Unreached};
use crate::redis::Trouble;
use crate::secrets::first_run::{FoundKeys, NoKey};
use crate::secrets::identity::NoIdentity;
use crate::secrets::rotate::Inventory;
use crate::storage::NoStore;

pub(super) use lapses::{accounts, certificate, consents, disk, scopes, zones};

/// A clock that is further off is told. Tokens and leases bear more, but a clock that nobody sets goes on drifting.
const CLOCK_MAX: SignedDuration = SignedDuration::from_mins(1);

/// A configuration that can be used.
pub(super) fn configuration(loaded: &Loaded) -> Vec<Check> {
    const NAME: &str = "configuration";
    let read = match &loaded.file {
        Some(path) => format!("sound (file {})", path.display()),
        None => "sound (no file; defaults and environment)".to_owned(),
    };
    let mut checks = vec![Check::ok(NAME, read)];
    checks.extend(loaded.warnings.iter().map(|warning| Check {
        name: NAME,
        outcome: Outcome::Warning,
        detail: warning.clone(),
        remedy: None,
    }));
    checks
}

/// One thing that is wrong in a configuration.
pub(super) fn problem(problem: &Problem) -> Check {
    Check {
        name: "configuration",
        outcome: Outcome::Failed,
        detail: problem.to_string(),
        remedy: Some("`calendar-sync config docs` describes every setting".to_owned()),
    }
}

/// What could be written where.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// A new file beside the database.
    pub(super) folder: Result<(), String>,
    /// The database's own file, if it is there.
    pub(super) database: Result<(), String>,
    /// Whose the database is, and who we are.
    pub(super) owners: Option<(u32, u32)>,
}

/// The place of a database that is a file.
pub(super) fn directory(folder: &Path, file: &Path, written: &Written) -> Check {
    const NAME: &str = "directory";
    let (folder, file) = (folder.display(), file.display());
    match (&written.folder, &written.database, written.owners) {
        (Err(reason), _, _) => Check::failed(
            NAME,
            format!("{folder} cannot be written: {reason}"),
            "make it, and give it to the user whom calendar-sync runs as (`chown`), or set database.url to another place",
        ),
        (_, Err(reason), _) => Check::failed(
            NAME,
            format!("{file} cannot be written: {reason}"),
            "give it to the user whom calendar-sync runs as (`chown`)",
        ),
        (_, _, Some((theirs, ours))) if theirs != ours => Check::warning(
            NAME,
            format!("{file} belongs to user {theirs}, and this was looked at as user {ours}"),
            format!(
                "look again as the user whom calendar-sync runs as, such as with `sudo -u '#{theirs}' calendar-sync doctor`"
            ),
        ),
        _ => Check::ok(NAME, format!("{folder} can be written")),
    }
}

/// A database that is gone when the program ends.
pub(super) fn in_memory() -> Check {
    Check::warning(
        "database",
        "it is kept in memory, and gone with the program",
        "set database.url to a file or a server, unless this is for trying things out",
    )
}

/// A database that cannot be used. The error says what is wrong and, mostly, what to do.
pub(super) fn no_store(url: &DatabaseUrl, error: &NoStore) -> Check {
    let remedy = match error {
        NoStore::Gone(_) => "bring the database back, or restore a backup: docs/runbook.md, database_down",
        NoStore::Missing(_) => "run `calendar-sync migrate`, or correct database.url",
        NoStore::NoDirectory(_) => "make the directory, or correct database.url",
        NoStore::NotMade(_) => "let the user who runs this write there, or correct database.url",
        NoStore::Store(StoreError::NewerSchema { .. }) => "run the newer calendar-sync that made it",
        NoStore::Store(StoreError::Corrupt(_)) => "restore it from a backup",
        NoStore::Store(_) if url.is_server() => {
            "start the database server, correct database.url, or run `calendar-sync migrate` if that is what is missing"
        }
        NoStore::Store(_) => {
            "look at the file's permissions and the disk, or run `calendar-sync migrate` if that is what is missing"
        }
    };
    Check::failed("database", format!("{url}: {error}"), remedy)
}

/// A database that keeps us waiting.
pub(super) fn slow_store(url: &DatabaseUrl, patience: Duration) -> Check {
    Check::failed(
        "database",
        format!("{url} did not answer within {} s", patience.as_secs()),
        "look at its load and its locks, and at the network in between",
    )
}

/// No key to open anything with.
pub(super) fn no_key(error: &NoKey) -> Check {
    match error {
        // Nothing was sealed yet.
        NoKey::Missing(_) => Check::warning(
            "sealing key",
            "there is none yet, and nothing is sealed",
            "start `calendar-sync serve`, which makes one, or run `calendar-sync secrets generate`; back it up apart from the database",
        ),
        other => Check::failed(
            "sealing key",
            other.to_string(),
            "without the key that sealed them, stored sign-ins cannot be read",
        ),
    }
}

/// All that is sealed could not be looked at in time.
pub(super) fn slow_look(patience: Duration) -> Check {
    let words = format!("what is sealed could not be looked at within {} s", patience.as_secs());
    Check::failed("sealing key", words, "see what the database is busy with, and look again")
}

/// What is sealed cannot be looked at.
pub(super) fn no_inventory(error: &NoIdentity) -> Check {
    Check::failed("sealing key", error.to_string(), "`calendar-sync secrets status` tells more")
}

/// What the key opens.
pub(super) fn key(found: &Inventory, keys: &FoundKeys) -> Check {
    const NAME: &str = "sealing key";
    let current = keys.ring.current_id();
    let all: u64 = found.by_key.values().sum();
    let stale: u64 = found.by_key.iter().filter(|(id, _)| **id != Some(current)).map(|(_, n)| n).sum();
    if let Some(first) = found.unreadable.first() {
        return Check::failed(
            NAME,
            format!("{} of {all} sealed values cannot be opened, such as {first}", found.unreadable.len()),
            "give secrets.previous_keys the key that sealed them; `calendar-sync secrets status` lists them",
        );
    }
    if stale > 0 {
        return Check::warning(
            NAME,
            format!("key {current} is in use, and {stale} of {all} sealed values need an older one"),
            "run `calendar-sync secrets rotate`, then take the older keys out of secrets.previous_keys",
        );
    }
    match keys.notices.first() {
        Some(notice) => Check { name: NAME, outcome: Outcome::Warning, detail: notice.clone(), remedy: None },
        None => Check::ok(NAME, format!("key {current} opens all that is sealed ({all})")),
    }
}

/// Redis at its address, where one is configured.
pub(super) fn redis(found: Option<(&str, Result<(), Trouble>)>) -> Check {
    const NAME: &str = "redis";
    match found {
        None => Check::skipped(NAME, "redis.url is not set; one instance alone needs none"),
        Some((address, Ok(()))) => Check::ok(NAME, format!("{address} answers")),
        Some((address, Err(trouble))) => {
            Check::failed(NAME, format!("{address} is of no use"), trouble.words())
        }
    }
}

/// Where this path is opened in the browser: under the public address, or on this machine.
pub(super) fn in_browser(settings: &Settings, path: &str) -> String {
    let here = || format!("http://localhost:{}{path}", settings.server.bind.port());
    settings.server.public(path).unwrap_or_else(here)
}

/// The providers as they are configured, with the address that each must know us by.
pub(super) fn providers(settings: &Settings) -> Vec<Check> {
    let one = |name, of: &str, provider: OauthProvider, id: Option<&str>, place: &str| match id {
        None => Check::skipped(name, format!("{of}.client_id is not set")),
        Some(id) => Check::ok(
            name,
            format!(
                "client {id}; {place} must allow, to the letter, the redirect URLs {} (for connecting in the browser) and \
                 http://{}:{CALLBACK_PORT}/callback (on the command line)",
                in_browser(settings, &format!("/oauth/{of}/callback")),
                provider.loopback()
            ),
        ),
    };
    let google = settings.google.client.as_ref().map(|client| client.id.as_str());
    let microsoft = settings.microsoft.client.as_ref().map(|client| client.id.as_str());
    let mut checks = vec![
        one("google client", "google", OauthProvider::Google, google, "the Google Cloud console"),
        one("microsoft client", "microsoft", OauthProvider::Microsoft, microsoft, "the app registration"),
    ];
    if google.or(microsoft).is_none() {
        checks.push(Check::warning(
            "providers",
            "none is configured: no account can be connected",
            "enter one under Set-up in the browser, or set google.client_id and google.client_secret, or microsoft.client_id and microsoft.client_secret; README.md says where they come from",
        ));
    }
    checks
}

/// Whether a provider answers at all.
pub(super) fn provider_answer(name: &'static str, url: &str, answer: &Result<Answer, Unreached>) -> Check {
    match answer {
        Ok(_) => Check::ok(name, format!("{url} answers")),
        Err(why) => Check::failed(
            name,
            format!("{url}: {why}"),
            "look at DNS, the firewall and the proxy for calls that go out from this machine",
        ),
    }
}

/// The organisation's own sign-in.
pub(super) fn sign_in(name: &str, issuer: &str, redirect: &str, found: &Result<(), oidc::Trouble>) -> Check {
    const NAME: &str = "sign-in";
    match found {
        Ok(()) => Check::ok(
            NAME,
            format!("{name} ({issuer}) answers; the client there must allow the redirect URL {redirect}"),
        ),
        Err(trouble) => Check::failed(
            NAME,
            format!("{name} ({issuer}): {trouble}"),
            "until then people sign in with passwords alone; docs/operations.md says what the provider needs",
        ),
    }
}

/// Our clock against somebody else's.
pub(super) fn clock(whose: &str, ours: Ts, theirs: Ts) -> Check {
    const NAME: &str = "clock";
    let off = ours.since(theirs);
    let seconds = off.as_secs().abs();
    if off.abs() <= CLOCK_MAX {
        return Check::ok(NAME, format!("agrees with {whose}'s"));
    }
    let side = if off.is_positive() { "ahead of" } else { "behind" };
    Check::warning(
        NAME,
        format!("{seconds} s {side} {whose}'s"),
        "set it by NTP (such as `timedatectl set-ntp true`): sign-ins, leases and times in calendars go by it",
    )
}

/// The address by which providers reach us, before anybody has tried it.
pub(crate) fn address(settings: &Settings) -> Vec<Check> {
    const NAME: &str = "public address";
    let server = &settings.server;
    let Some(url) = &server.public_url else {
        if !settings.webhooks.rollout.webhooks_enabled {
            return vec![Check::skipped(NAME, "webhooks.enabled is off: no provider is asked to push")];
        }
        let remedy = "set server.public_url to the https address that leads here, such as https://sync.example.com; without one everything works, later";
        return vec![Check::warning(
            NAME,
            "server.public_url is not set: no provider can push, and every calendar is polled",
            remedy,
        )];
    };
    let mut checks = vec![match url.scheme() {
        "https" => Check::ok(NAME, url.to_string()),
        scheme => Check::warning(
            NAME,
            format!("server.public_url is {url}: providers push to https alone, and this is {scheme}"),
            "put a proxy with TLS in front, and set server.public_url to its https address",
        ),
    }];
    if url.scheme() == "https" && server.trusted_proxies.is_empty() {
        checks.push(Check::warning(
            "proxy",
            "server.trusted_proxies is empty: whoever comes through the proxy counts as the proxy itself, and is limited with it",
            "set server.trusted_proxies to the proxy's address, such as 127.0.0.1",
        ));
    }
    checks
}

/// The handshake of a provider that begins with one.
pub(super) fn handshake(provider: ProviderKind, found: &Result<(), Unreached>) -> Check {
    const NAME: &str = "handshake";
    let provider = provider.as_str();
    match found {
        Ok(()) => Check::ok(NAME, format!("{provider}'s comes back as it was sent")),
        Err(why) => Check::failed(NAME, format!("{provider}'s: {why}"), why.remedy()),
    }
}

#[cfg(test)]
mod tests;
