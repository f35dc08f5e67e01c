//! Every setting there is. This list drives reading, checking, `config show` and docs/configuration.md; a setting that
//! is not here does not exist. Only settings that have an effect are listed.

use calsync_providers::microsoft::notification;

use super::kind::Kind;

/// Prefix of every environment variable.
pub const PREFIX: &str = "CALENDAR_SYNC__";
/// What separates section and name in a variable.
pub const SEPARATOR: &str = "__";

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Its section in the file; one within another has a dot.
    pub section: &'static str,
    /// Its name in the section.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its value unless set, written as in a variable.
    pub default: Option<&'static str>,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// A second variable that sets it.
    pub alias: Option<&'static str>,
    /// The first version that has it.
    pub since: &'static str,
}

impl Key {
    /// `section.name`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// Its environment variable.
    pub fn variable(&self) -> String {
        let section = self.section.to_uppercase().replace('.', SEPARATOR);
        format!("{PREFIX}{section}{SEPARATOR}{}", self.name.to_uppercase())
    }

    /// The environment variable that names a file with its value; where that makes sense.
    pub fn file_variable(&self) -> Option<String> {
        self.kind.has_file().then(|| self.variable() + "_FILE")
    }

    /// The environment variable that does so beside the second variable; likewise.
    pub fn alias_file_variable(&self) -> Option<String> {
        self.kind.has_file().then(|| self.alias.map(|alias| format!("{alias}_FILE")))?
    }

    /// The name in the file that names a file with its value; likewise.
    pub fn file_name(&self) -> Option<String> {
        self.kind.has_file().then(|| format!("{}_file", self.name))
    }
}

/// The setting `section.name`.
pub fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

/// What the sections are about, in the order of the documentation.
pub const SECTIONS: &[(&str, &str)] = &[
    ("server", "The web server."),
    ("database", "Where everything is kept."),
    ("redis", "What several instances share. Not needed by one alone."),
    ("secrets", "The keys that seal stored credentials."),
    ("google", "The Google OAuth client, and where Google is."),
    ("microsoft", "The Microsoft app registration, and where Microsoft is."),
    (
        "sign_in.oidc",
        "The organisation's own sign-in, beside passwords: any OpenID Connect provider. All four, or none; docs/operations.md says how to register it.",
    ),
    ("webhooks", "Push notifications from the providers."),
    ("rate_limit", "The limit on requests that fail authentication."),
    ("sync", "What is synchronised, and how often."),
    ("alerts", "Who is told when something is wrong, and how: see docs/alerts.md."),
    ("smtp", "The mail server that mail about alerts is handed to."),
    ("monitoring", "Who may see how the whole system is."),
    ("responses", "What the system does by itself when its level changes. What it does is in the audit log."),
    ("log", "What is logged, and where."),
    ("traces", "Traces for OpenTelemetry, if somebody collects them."),
];

const fn key(
    section: &'static str,
    name: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Key {
    Key { section, name, kind, default: Some(default), doc, alias: None, since: "0.1.0" }
}

const fn optional(section: &'static str, name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { section, name, kind, default: None, doc, alias: None, since: "0.1.0" }
}

const fn aliased(alias: &'static str, key: Key) -> Key {
    Key { alias: Some(alias), ..key }
}

const fn whole(min: u64, max: u64) -> Kind {
    Kind::Integer { min, max }
}

/// One connection takes receipts and keeps none for others; workers and the web server need some beside it.
const CONNECTIONS_MIN: u64 = 3;
/// No server is well with more for each instance.
const CONNECTIONS_MAX: u64 = 500;
/// One day in seconds.
const DAY: u64 = 86_400;

/// All of them.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("server", "bind", Kind::Address, "127.0.0.1:8080",
        "Address and port to listen on. Plain HTTP: put a proxy with TLS in front before you open it to others."),
    aliased("WEBHOOK_BASE_URL", optional("server", "public_url", Kind::PublicUrl,
        "Where the providers reach this server from outside. Without it no webhooks are set up and every calendar is polled.")),
    key("server", "trusted_proxies", Kind::Networks, "",
        "Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. From everybody else these headers are ignored."),
    key("server", "require_https", Kind::Choice(&["off", "redirect", "refuse"]), "off",
        "What happens to requests that did not reach the proxy by https. `/webhooks/health/` always answers."),
    key("server", "request_timeout_seconds", whole(1, 300), "10",
        "A request that takes longer is answered with 503."),
    key("server", "shutdown_seconds", whole(1, 600), "25",
        "How long requests and sync runs under way may take to finish when the program is told to stop."),
    aliased("DATABASE_URL", key("database", "url", Kind::DatabaseUrl, "sqlite://calendar-sync.db",
        "The database. A file of SQLite is made when it is missing; its directory must exist. A database on a PostgreSQL server (15 or newer) must be there, may be empty, and can be shared by any number of instances.")),
    key("database", "max_connections", whole(CONNECTIONS_MIN, CONNECTIONS_MAX), "10",
        "How many connections to a PostgreSQL server one instance keeps open at most, beside one that listens for work of other instances. SQLite takes no notice of it."),
    aliased("REDIS_URL", optional("redis", "url", Kind::RedisUrl,
        "Redis 5 or newer, or Valkey. With it several instances share the limit on failed authentications; without it, and while it is gone, each keeps its own.")),
    optional("secrets", "key", Kind::SealingKey,
        "The key that seals stored credentials. Without it, the key file `calendar-sync.key` beside the database is used, and made by the first `serve`."),
    optional("secrets", "previous_keys", Kind::SealingKeys,
        "Older keys, newest first, that can still open what they sealed. Remove them after `secrets rotate`; keep the last one if you want to be able to recognise your blocks after the loss of the database."),
    optional("google", "client_id", Kind::Text,
        "Id of the OAuth client from the Google Cloud console. Without it no Google account can be connected."),
    optional("google", "client_secret", Kind::Password,
        "Secret of that client."),
    key("google", "auth_url", Kind::ServiceUrl, "https://accounts.google.com/o/oauth2/v2/auth",
        "Where people are sent to grant access."),
    key("google", "token_url", Kind::ServiceUrl, "https://oauth2.googleapis.com/token",
        "Where tokens are fetched and refreshed."),
    key("google", "revoke_url", Kind::ServiceUrl, "https://oauth2.googleapis.com/revoke",
        "Where tokens are given back."),
    key("google", "userinfo_url", Kind::ServiceUrl, "https://openidconnect.googleapis.com/v1/userinfo",
        "Where an account's id and address are asked for."),
    key("google", "api_base", Kind::ServiceUrl, "https://www.googleapis.com/calendar/v3",
        "The Calendar API."),
    key("google", "writes_per_minute", whole(1, 600), "240",
        "Most blocks written into one calendar in any minute. Google limits bursts into one calendar without saying where."),
    optional("microsoft", "client_id", Kind::Text,
        "Application (client) ID of the app registration in Microsoft Entra. Without it no Microsoft account can be connected."),
    optional("microsoft", "client_secret", Kind::Password,
        "Value of a client secret of that registration, not its id."),
    key("microsoft", "tenant", Kind::Tenant, "common",
        "Whose accounts may sign in: everybody's (`common`), those of any organisation (`organizations`), personal ones (`consumers`), or those of one organisation. Must agree with the registration."),
    key("microsoft", "authority", Kind::ServiceUrl, "https://login.microsoftonline.com/",
        "Where people sign in and tokens are fetched, without the tenant. National clouds have their own."),
    key("microsoft", "graph_base", Kind::ServiceUrl, "https://graph.microsoft.com/v1.0/",
        "Microsoft Graph with its version. National clouds have their own."),
    key("microsoft", "writes_per_minute", whole(1, 600), "240",
        "Most blocks written into one calendar in any minute."),
    optional("sign_in.oidc", "issuer", Kind::Issuer,
        "The provider, to the letter as it names itself: `issuer` in its `/.well-known/openid-configuration`. It must allow the redirect URL `https://…/oauth/sign-in/callback` at the address by which people open the pages."),
    optional("sign_in.oidc", "client_id", Kind::Text,
        "Id of the client that was registered there."),
    optional("sign_in.oidc", "client_secret", Kind::Password,
        "Secret of that client."),
    optional("sign_in.oidc", "name", Kind::Text,
        "What people call it. The button says \"Sign in with\" this."),
    key("webhooks", "enabled", Kind::Flag, "true",
        "Whether push notifications are asked for. Off: every calendar is polled. This and the three below are first values: what `rollout` changes counts from then on."),
    key("webhooks", "rollout_percentage", whole(0, 100), "100",
        "The share of calendars, in per cent, that use push. The same ones on every instance, and who is in stays in when it grows."),
    key("webhooks", "user_rollout_percentage", whole(0, 100), "100",
        "The share of users, in per cent, whose calendars use push. A calendar must be let in by both shares."),
    key("webhooks", "early_adopters", Kind::Emails, "",
        "Users whose calendars use push whatever the shares say."),
    key("webhooks", "max_body_bytes", whole(1024, 1024 * 1024), "10240",
        "A longer notification of Google is answered with 413."),
    key("webhooks", "max_batch_bytes", whole(64 * 1024, notification::BODY_MAX as u64), "1048576",
        "The same for Microsoft, which sends many in one body, some 800 bytes each."),
    key("rate_limit", "max_requests", whole(1, 1_000_000), "100",
        "How many requests of one client address may fail authentication in one window before it gets 429."),
    key("rate_limit", "window_seconds", whole(1, DAY), "60",
        "Length of that window. It slides."),
    key("sync", "window_past_days", whole(0, 365), "1",
        "How many days back blocks are kept in step."),
    key("sync", "window_future_days", whole(1, 730), "90",
        "How many days ahead blocks are kept in step."),
    key("sync", "poll_seconds", whole(1, DAY), "300",
        "How often a calendar is polled that cannot push."),
    key("sync", "fallback_poll_seconds", whole(1, DAY), "3600",
        "How often a calendar is polled while its push is failing."),
    key("sync", "full_sync_seconds", whole(1, 30 * DAY), "86400",
        "How often a calendar is listed in full, as a safety net."),
    key("sync", "hold_recheck_seconds", whole(1, DAY), "300",
        "How soon a calendar is listed again whose plan was held because it would remove too much."),
    key("sync", "promise_seconds", whole(60, DAY), "600",
        "How soon blocks should be right again after something is known to be outstanding (a reading that failed, writes that do not get through), and how late a look may be. A rule that takes longer is behind, and people are told."),
    key("sync", "workers", whole(1, 64), "4",
        "How many users are synchronised at the same time."),
    key("sync", "lease_seconds", whole(2, 3600), "60",
        "How long a user stays taken after the last sign of life of the worker at work on them. When a worker was killed, its user is taken up again after this time. Much less than the providers take to answer makes workers take each other's work away: nothing is lost by it, but work is done twice."),
    key("alerts", "email", Kind::Emails, "",
        "Who is told by mail. Each gets a letter of their own. Needs `smtp.host` and `smtp.from`."),
    optional("alerts", "slack", Kind::Hook,
        "An incoming webhook of Slack, or of a service that takes the same."),
    optional("alerts", "webhook", Kind::Hook,
        "A URL that is told as JSON, with the headers of the Standard Webhooks specification."),
    optional("alerts", "webhook_secret", Kind::SigningKeys,
        "What messages to `alerts.webhook`, and to URLs of the pager, are signed with, so that the receiver can tell that they come from here. To replace it, put the new one before the old one, and remove the old one when the receiver knows the new one. Without it they are not signed."),
    optional("alerts", "pager", Kind::Destinations,
        "Who is told of what is critical besides, and of nothing else."),
    key("alerts", "reminder_seconds", whole(60, 30 * DAY), "14400",
        "How often people are told again of what is still open."),
    key("alerts", "allowed_networks", Kind::Networks, "",
        "Networks beside the public internet that the URLs of alerts may lead to. To all others that are private, local or reserved nothing is sent. The mail server needs no mention here."),
    optional("smtp", "host", Kind::Host,
        "The mail server. Without it no mail is sent."),
    optional("smtp", "port", whole(1, 65_535),
        "Its port. Unless set, 587 for `starttls`, 465 for `tls` and 25 for `none`."),
    key("smtp", "security", Kind::Choice(&["starttls", "tls", "none"]), "starttls",
        "How the connection is encrypted: by STARTTLS, without which nothing is sent; from the start; or not at all. With `none` the password is not encrypted either: only for a server on this machine, or in a network where nobody listens."),
    optional("smtp", "username", Kind::Text,
        "Whom to sign in as. Without it nobody signs in."),
    optional("smtp", "password", Kind::Password,
        "The password for it."),
    optional("smtp", "from", Kind::Mailbox,
        "Whom the mail is from. The server must let `smtp.username` send as this address."),
    optional("smtp", "ca_file", Kind::File,
        "The certificate, in PEM, of an authority that may have signed the server's, beside those that this machine trusts."),
    optional("monitoring", "token", Kind::Password,
        "The bearer token for `/webhooks/monitoring/…` and `/metrics`: `Authorization: Bearer …`. Without it nobody is let in there by token. Make it long: `openssl rand -hex 32`."),
    key("responses", "poll_everybody", Kind::Flag, "true",
        "When the level is critical, poll every calendar beside its push channel, each at its own moment within `sync.fallback_poll_seconds`."),
    key("responses", "suspend_failing", Kind::Flag, "true",
        "When the level is critical, take push channels out of use at once that failed ten times in a row."),
    key("responses", "maintain", Kind::Flag, "true",
        "When the level is degraded, do a round of maintenance on push channels at once."),
    key("log", "format", Kind::Choice(&["text", "json"]), "text",
        "How a line of the log looks."),
    key("log", "level", Kind::LogFilter, "info",
        "What is logged: `error`, `warn`, `info`, `debug` or `trace`, also by module, as in `info,calsync_engine=debug`."),
    optional("log", "directory", Kind::Directory,
        "Where to write log files as well: `calendar-sync.log` with every line, `calendar-sync-errors.log` with errors alone; a second instance in the same directory writes `calendar-sync-2.log`, and so on. Without it the log goes to standard output alone."),
    key("log", "max_bytes", whole(64 * 1024, 1024 * 1024 * 1024), "10485760",
        "A log file that would grow beyond this many bytes gets a number, and a new one is begun."),
    key("log", "max_files", whole(1, 1000), "5",
        "How many full log files are kept beside the one in use."),
    key("log", "max_error_files", whole(1, 1000), "10",
        "How many full files of errors are kept beside the one in use."),
    aliased("OTEL_EXPORTER_OTLP_ENDPOINT", optional("traces", "otlp_endpoint", Kind::CollectorUrl,
        "Where to send traces by OTLP over HTTP (protobuf); `/v1/traces` is added to it. Without it nothing is traced.")),
    aliased("OTEL_EXPORTER_OTLP_HEADERS", optional("traces", "headers", Kind::Headers,
        "Headers that the collector wants, as `name=value,name=value`; in OpenTelemetry's own variable with the values percent-encoded.")),
    key("traces", "sample_percent", whole(0, 100), "100",
        "The share of notifications, in per cent, that are traced. All instances trace the same ones."),
];
