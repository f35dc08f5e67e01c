//! The settings as the program uses them: typed, complete, and known to hold together.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use calsync_core::rollout::{Percent, Rollout};
use calsync_core::secret::Secret;
use calsync_engine::Responses;
use calsync_providers::microsoft::Tenant;
use jiff::SignedDuration;
use reqwest::header::HeaderMap;
use url::Url;

use super::alerts::{self, AlertSettings, SmtpSettings};
use super::build::Effective;
use super::database::DatabaseUrl;
use super::kind::Value;
use super::problem::Problem;
use super::sign_in::{self, OidcSettings};
use crate::http::cidr::Cidr;
use crate::redis::Address;
use crate::secrets::SealingKey;

/// All settings.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct Settings {
    pub server: ServerSettings,
    pub database: DatabaseSettings,
    pub redis: RedisSettings,
    pub secrets: SecretSettings,
    pub google: GoogleSettings,
    pub microsoft: MicrosoftSettings,
    pub oidc: Option<OidcSettings>,
    pub webhooks: WebhookSettings,
    pub rate_limit: RateLimitSettings,
    pub sync: SyncSettings,
    pub alerts: AlertSettings,
    pub smtp: Option<SmtpSettings>,
    pub log: LogSettings,
    pub monitoring: MonitoringSettings,
    pub responses: Responses,
    pub traces: TraceSettings,
}

/// Section `server`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct ServerSettings {
    pub bind: SocketAddr,
    /// Without a slash at its end; see `ServerSettings::public`.
    pub public_url: Option<Url>,
    pub trusted_proxies: Vec<Cidr>,
    pub require_https: HttpsRule,
    pub request_timeout: Duration,
    pub shutdown: Duration,
}

impl ServerSettings {
    /// The public URL of a path that begins with a slash; `None` if the server has no public URL.
    pub fn public(&self, path: &str) -> Option<String> {
        self.public_url.as_ref().map(|url| format!("{}{path}", url.as_str().trim_end_matches('/')))
    }
}

/// What happens to requests that did not come by https.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HttpsRule {
    /// They are served.
    Off,
    /// They are sent to the public URL.
    Redirect,
    /// They are refused.
    Refuse,
}

/// Section `monitoring`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct MonitoringSettings {
    pub token: Option<Secret>,
}

/// Section `database`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct DatabaseSettings {
    pub url: DatabaseUrl,
    pub max_connections: u32,
}

impl DatabaseSettings {
    /// The file of a SQLite database; `None` for one in memory, and for a server.
    pub fn file(&self) -> Option<PathBuf> {
        self.url.file()
    }
}

/// Section `redis`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct RedisSettings {
    pub address: Option<Address>,
}

/// Section `secrets`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct SecretSettings {
    pub key: Option<SealingKey>,
    pub previous_keys: Vec<SealingKey>,
}

/// Section `google`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct GoogleSettings {
    pub client: Option<OAuthClient>,
    pub auth_url: Url,
    pub token_url: Url,
    pub revoke_url: Url,
    pub userinfo_url: Url,
    /// Without a slash at its end.
    pub api_base: String,
    pub writes_per_minute: u32,
}

/// Section `microsoft`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct MicrosoftSettings {
    pub client: Option<OAuthClient>,
    pub tenant: Tenant,
    pub authority: Url,
    pub graph_base: Url,
    pub writes_per_minute: u32,
}

/// An OAuth client.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct OAuthClient {
    pub id: String,
    pub secret: Secret,
}

/// Section `webhooks`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct WebhookSettings {
    /// The rollout flags until somebody changes them.
    pub rollout: Rollout,
    pub max_body_bytes: usize,
    pub max_batch_bytes: usize,
}

/// Section `rate_limit`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct RateLimitSettings {
    pub max_requests: u32,
    pub window: SignedDuration,
}

/// Section `sync`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct SyncSettings {
    pub window_past_days: u16,
    pub window_future_days: u16,
    pub poll: SignedDuration,
    pub fallback_poll: SignedDuration,
    pub full_sync: SignedDuration,
    pub hold_recheck: SignedDuration,
    pub promise: SignedDuration,
    pub workers: usize,
    pub lease: SignedDuration,
}

/// Section `log`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct LogSettings {
    pub format: LogFormat,
    pub level: String,
    pub directory: Option<PathBuf>,
    pub max_bytes: u64,
    pub max_files: usize,
    pub max_error_files: usize,
}

/// Section `traces`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct TraceSettings {
    pub endpoint: Option<Url>,
    pub headers: HeaderMap,
    pub sample_percent: u8,
}

/// How a line of the log looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Settings {
    /// What no single value shows: settings that do not go together. Those that were not understood are left out.
    pub(super) fn contradictions(all: &[Effective]) -> Vec<Problem> {
        let all = Values(all);
        let mut problems = Vec::new();
        let mut needs = |set: &str, when: &[&str], other: &str, why: &str| {
            let (Some(set), Some(other)) = (all.find(set), all.find(other)) else { return };
            let missing = match &other.value {
                None => true,
                Some(Value::Networks(list)) => list.is_empty(),
                Some(_) => false,
            };
            let applies = match &set.value {
                None => false,
                Some(Value::Text(word)) if !when.is_empty() => when.contains(&word.as_str()),
                Some(_) => true,
            };
            if missing && applies {
                let problem =
                    Problem::new(set.key.path(), format!("needs {} as well{why}", other.key.path()));
                let problem = problem.at(&set.origin);
                problems.push(match &set.value {
                    Some(Value::Text(word)) => problem.with_value(word),
                    _ => problem,
                });
            }
        };
        for (id, secret) in
            [("google.client_id", "google.client_secret"), ("microsoft.client_id", "microsoft.client_secret")]
        {
            needs(id, &[], secret, "");
            needs(secret, &[], id, "");
        }
        needs("secrets.previous_keys", &[], "secrets.key", ": the key that seals from now on");
        let https = "server.require_https";
        needs(https, &["redirect"], "server.public_url", ": the place to send people to");
        needs(
            https,
            &["redirect", "refuse"],
            "server.trusted_proxies",
            ": else no request could ever count as https",
        );
        problems.extend(sign_in::contradiction(&all));
        problems.extend(alerts::contradictions(&all));
        problems
    }

    /// From values that were all understood.
    pub(super) fn from_effective(all: &[Effective]) -> Settings {
        let all = Values(all);
        Settings {
            server: ServerSettings {
                bind: all.address("server.bind"),
                public_url: all.optional_url("server.public_url"),
                trusted_proxies: all.networks("server.trusted_proxies"),
                require_https: match all.text("server.require_https").as_str() {
                    "redirect" => HttpsRule::Redirect,
                    "refuse" => HttpsRule::Refuse,
                    _ => HttpsRule::Off,
                },
                request_timeout: Duration::from_secs(all.number("server.request_timeout_seconds")),
                shutdown: Duration::from_secs(all.number("server.shutdown_seconds")),
            },
            database: DatabaseSettings {
                url: all.database("database.url"),
                max_connections: all.number("database.max_connections"),
            },
            redis: RedisSettings { address: all.optional_redis("redis.url") },
            secrets: SecretSettings {
                key: all.keys("secrets.key").into_iter().next(),
                previous_keys: all.keys("secrets.previous_keys"),
            },
            google: GoogleSettings {
                client: all.client("google"),
                auth_url: all.url("google.auth_url"),
                token_url: all.url("google.token_url"),
                revoke_url: all.url("google.revoke_url"),
                userinfo_url: all.url("google.userinfo_url"),
                api_base: all.url("google.api_base").as_str().trim_end_matches('/').to_owned(),
                writes_per_minute: all.number("google.writes_per_minute"),
            },
            microsoft: MicrosoftSettings {
                client: all.client("microsoft"),
                tenant: all.tenant("microsoft.tenant"),
                authority: all.url("microsoft.authority"),
                graph_base: all.url("microsoft.graph_base"),
                writes_per_minute: all.number("microsoft.writes_per_minute"),
            },
            oidc: sign_in::oidc(&all),
            webhooks: WebhookSettings {
                rollout: Rollout {
                    webhooks_enabled: all.flag("webhooks.enabled"),
                    rollout_percentage: all.percent("webhooks.rollout_percentage"),
                    user_rollout_percentage: all.percent("webhooks.user_rollout_percentage"),
                    early_adopters: all.emails("webhooks.early_adopters"),
                },
                max_body_bytes: all.number("webhooks.max_body_bytes"),
                max_batch_bytes: all.number("webhooks.max_batch_bytes"),
            },
            rate_limit: RateLimitSettings {
                max_requests: all.number("rate_limit.max_requests"),
                window: all.seconds("rate_limit.window_seconds"),
            },
            sync: SyncSettings {
                window_past_days: all.number("sync.window_past_days"),
                window_future_days: all.number("sync.window_future_days"),
                poll: all.seconds("sync.poll_seconds"),
                fallback_poll: all.seconds("sync.fallback_poll_seconds"),
                full_sync: all.seconds("sync.full_sync_seconds"),
                hold_recheck: all.seconds("sync.hold_recheck_seconds"),
                promise: all.seconds("sync.promise_seconds"),
                workers: all.number("sync.workers"),
                lease: all.seconds("sync.lease_seconds"),
            },
            alerts: alerts::alerts(&all),
            smtp: alerts::smtp(&all),
            monitoring: MonitoringSettings { token: all.optional_secret("monitoring.token") },
            responses: Responses {
                poll_everybody: all.flag("responses.poll_everybody"),
                suspend_failing: all.flag("responses.suspend_failing"),
                maintain: all.flag("responses.maintain"),
            },
            log: LogSettings {
                format: if all.text("log.format") == "json" { LogFormat::Json } else { LogFormat::Text },
                level: all.text("log.level"),
                directory: all.optional_directory("log.directory"),
                max_bytes: all.number("log.max_bytes"),
                max_files: all.number("log.max_files"),
                max_error_files: all.number("log.max_error_files"),
            },
            traces: TraceSettings {
                endpoint: all.optional_url("traces.otlp_endpoint"),
                headers: match all.value("traces.headers") {
                    Some(Value::Headers(headers)) => headers.clone(),
                    _ => HeaderMap::new(),
                },
                sample_percent: all.number("traces.sample_percent"),
            },
        }
    }
}

/// Values by name. A name that the registry lacks, or of another kind there, is a mistake in this file that every run
/// of any test shows: hence the panics.
pub(super) struct Values<'a>(&'a [Effective]);

impl Values<'_> {
    pub(super) fn find(&self, path: &str) -> Option<&Effective> {
        self.0.iter().find(|e| e.key.path() == path)
    }

    pub(super) fn value(&self, path: &str) -> Option<&Value> {
        self.find(path).unwrap_or_else(|| panic!("{path} is in the registry")).value.as_ref()
    }

    fn flag(&self, path: &str) -> bool {
        matches!(self.value(path), Some(Value::Flag(true)))
    }

    fn number<T: TryFrom<u64>>(&self, path: &str) -> T {
        let Some(Value::Integer(n)) = self.value(path) else { panic!("{path} is a number with a default") };
        T::try_from(*n).unwrap_or_else(|_| panic!("the registry keeps {path} in range"))
    }

    pub(super) fn seconds(&self, path: &str) -> SignedDuration {
        SignedDuration::from_secs(self.number(path))
    }

    pub(super) fn text(&self, path: &str) -> String {
        let Some(Value::Text(text)) = self.value(path) else { panic!("{path} is a text with a default") };
        text.clone()
    }

    fn address(&self, path: &str) -> SocketAddr {
        let Some(Value::Address(address)) = self.value(path) else {
            panic!("{path} is an address with a default")
        };
        *address
    }

    pub(super) fn networks(&self, path: &str) -> Vec<Cidr> {
        if let Some(Value::Networks(networks)) = self.value(path) { networks.clone() } else { vec![] }
    }

    fn percent(&self, path: &str) -> Percent {
        let number: u8 = self.number(path);
        Percent::try_from(number).unwrap_or_else(|_| panic!("the registry keeps {path} in range"))
    }

    pub(super) fn emails(&self, path: &str) -> BTreeSet<String> {
        if let Some(Value::Emails(emails)) = self.value(path) { emails.clone() } else { BTreeSet::new() }
    }

    fn keys(&self, path: &str) -> Vec<SealingKey> {
        if let Some(Value::SealingKeys(keys)) = self.value(path) { keys.clone() } else { vec![] }
    }

    fn optional_secret(&self, path: &str) -> Option<Secret> {
        if let Some(Value::Password(secret)) = self.value(path) { Some(secret.clone()) } else { None }
    }

    fn optional_url(&self, path: &str) -> Option<Url> {
        if let Some(Value::Url(url)) = self.value(path) { Some(url.clone()) } else { None }
    }

    fn url(&self, path: &str) -> Url {
        self.optional_url(path).unwrap_or_else(|| panic!("{path} is a URL with a default"))
    }

    fn tenant(&self, path: &str) -> Tenant {
        let Some(Value::Tenant(tenant)) = self.value(path) else { panic!("{path} has a default") };
        tenant.clone()
    }

    fn optional_directory(&self, path: &str) -> Option<PathBuf> {
        if let Some(Value::Directory(path)) = self.value(path) { Some(path.clone()) } else { None }
    }

    fn optional_redis(&self, path: &str) -> Option<Address> {
        if let Some(Value::Redis(address)) = self.value(path) { Some(address.clone()) } else { None }
    }

    fn database(&self, path: &str) -> DatabaseUrl {
        let Some(Value::Database(url)) = self.value(path) else { panic!("{path} has a default") };
        url.clone()
    }

    fn client(&self, section: &str) -> Option<OAuthClient> {
        let id = self.value(&format!("{section}.client_id"))?;
        let secret = self.value(&format!("{section}.client_secret"))?;
        match (id, secret) {
            (Value::Text(id), Value::Password(secret)) => {
                Some(OAuthClient { id: id.clone(), secret: secret.clone() })
            }
            _ => None,
        }
    }
}
