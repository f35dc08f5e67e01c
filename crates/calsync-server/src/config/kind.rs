//! What a setting takes: reading a text or TOML value into it, and saying in words what is allowed. Pure.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use calsync_core::rollout;
use calsync_core::secret::Secret;
use calsync_providers::microsoft::Tenant;
use lettre::message::Mailbox;
use percent_encoding::percent_decode_str;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::{Host, Url};

use super::database::DatabaseUrl;
use crate::alerting::destination::{Destination, Hook};
use crate::alerting::signature::SigningKey;
use crate::http::cidr::Cidr;
use crate::redis::Address;
use crate::secrets::SealingKey;

/// What a setting takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Integer {
        /// The smallest allowed.
        min: u64,
        /// The largest allowed.
        max: u64,
    },
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Any text of one line.
    Text,
    /// An IP address and a port.
    Address,
    /// A list of IP networks.
    Networks,
    /// A list of e-mail addresses.
    Emails,
    /// Our own URL: https, or http on this machine.
    PublicUrl,
    /// The URL of a provider's service: https, or http on this machine.
    ServiceUrl,
    /// What an OpenID provider calls itself: like the URL of a service, and kept to the letter.
    Issuer,
    /// The URL of a program of the operator's own, which may be reached in clear.
    CollectorUrl,
    /// The URL of a database, which may hold a password.
    DatabaseUrl,
    /// The URL of a Redis server, which may hold a password.
    RedisUrl,
    /// Whose accounts may sign in at Microsoft.
    Tenant,
    /// What `tracing` takes for a filter.
    LogFilter,
    /// The path of a directory.
    Directory,
    /// A secret text.
    Password,
    /// A sealing key.
    SealingKey,
    /// A list of them.
    SealingKeys,
    /// The path of a file.
    File,
    /// The name of a machine, or its address.
    Host,
    /// An e-mail address with or without a name.
    Mailbox,
    /// The URL of an incoming webhook: whoever knows it can write there.
    Hook,
    /// Where the pager sends.
    Destinations,
    /// Secrets to sign messages with.
    SigningKeys,
    /// Headers of HTTP, which may hold a token.
    Headers,
}

/// A value as it stands in a source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Raw {
    /// Text, also all that an environment variable can hold.
    Text(String),
    /// A whole number.
    Integer(i128),
    /// `true` or `false`.
    Flag(bool),
    /// A list of texts.
    List(Vec<String>),
    /// Anything else, by the name of its type.
    Other(&'static str),
}

/// A value that was understood.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "each is named after what it holds")]
pub enum Value {
    Flag(bool),
    Integer(u64),
    Text(String),
    Address(SocketAddr),
    Networks(Vec<Cidr>),
    Emails(BTreeSet<String>),
    Url(Url),
    Directory(PathBuf),
    Password(Secret),
    Database(DatabaseUrl),
    Redis(Address),
    Tenant(Tenant),
    SealingKeys(Vec<SealingKey>),
    File(PathBuf),
    Mailbox(Mailbox),
    Hook(Hook),
    Destinations(Vec<Destination>),
    SigningKeys(Vec<SigningKey>),
    Headers(HeaderMap),
}

/// How the values of headers are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Written {
    /// As they are.
    Plain,
    /// With percent signs, as OpenTelemetry's own variable has them (its specification of the OTLP exporter, and W3C Baggage).
    Encoded,
}

/// Headers of a list; `None` is for what is no such list.
pub(super) fn headers(text: &str, written: Written) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let value = match written {
            Written::Plain => value.trim().to_owned(),
            Written::Encoded => percent_decode_str(value.trim()).decode_utf8().ok()?.into_owned(),
        };
        let mut value: HeaderValue = value.parse().ok()?;
        value.set_sensitive(true);
        headers.insert(name.trim().parse::<HeaderName>().ok()?, value);
    }
    Some(headers)
}

impl Kind {
    /// Whether its values must never be seen.
    pub const fn is_secret(self) -> bool {
        matches!(
            self,
            Kind::Password
                | Kind::RedisUrl
                | Kind::SealingKey
                | Kind::SealingKeys
                | Kind::Hook
                | Kind::Destinations
                | Kind::SigningKeys
                | Kind::Headers
        )
    }

    /// Whether a value can be kept in a file of its own: all that is secret, and what may be so in part.
    pub const fn has_file(self) -> bool {
        self.is_secret() || matches!(self, Kind::DatabaseUrl)
    }

    /// Whether an error may repeat this text, which stands where a value should.
    pub(super) fn may_repeat(self, text: &str) -> bool {
        match self {
            Kind::DatabaseUrl => DatabaseUrl::may_repeat(text),
            _ => !self.is_secret(),
        }
    }

    /// What is allowed, for the documentation and for errors.
    pub fn allowed(self) -> String {
        match self {
            Kind::Flag => "`true` or `false`".to_owned(),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Choice(words) => {
                let quoted: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
                format!("one of {}", quoted.join(", "))
            }
            Kind::Text => "a text of one line".to_owned(),
            Kind::Address => "an IP address and a port, such as `127.0.0.1:8080` or `[::1]:8080`".to_owned(),
            Kind::Networks => {
                "a list of IP addresses and networks, such as `10.0.0.0/8, 2001:db8::/32`".to_owned()
            }
            Kind::Emails => "a list of e-mail addresses, such as `ada@example.com, bob@example.com`".to_owned(),
            Kind::PublicUrl => {
                "an https URL without query or fragment, such as `https://sync.example.com` (http only for this machine itself)".to_owned()
            }
            Kind::ServiceUrl => "an https URL (http only for this machine itself)".to_owned(),
            Kind::Issuer => {
                "an https URL without query or fragment, such as `https://login.example.com/realms/staff` (http only for this machine itself)".to_owned()
            }
            Kind::CollectorUrl => {
                "an http or https URL without user, query or fragment, such as `http://collector.example.com:4318`".to_owned()
            }
            Kind::DatabaseUrl => DatabaseUrl::ALLOWED.to_owned(),
            Kind::RedisUrl => Address::ALLOWED.to_owned(),
            Kind::Tenant => {
                "`common`, `organizations`, `consumers`, or the id or domain of one organisation".to_owned()
            }
            Kind::LogFilter => "a level, or levels by module, such as `info,calsync_engine=debug`".to_owned(),
            Kind::Directory => "the path of a directory".to_owned(),
            Kind::Password => "a secret text of one line".to_owned(),
            Kind::SealingKey => "32 random bytes as base64, base64url or hex".to_owned(),
            Kind::SealingKeys => {
                "a list of keys, each 32 random bytes as base64, base64url or hex".to_owned()
            }
            Kind::File => "the path of a file".to_owned(),
            Kind::Host => "the name of a machine or its IP address, without port, such as `mail.example.com`".to_owned(),
            Kind::Mailbox => {
                "an e-mail address, also with a name, such as `Calendar Sync <sync@example.com>`".to_owned()
            }
            Kind::Hook => Hook::ALLOWED.to_owned(),
            Kind::Destinations => Destination::ALLOWED.to_owned(),
            Kind::SigningKeys => SigningKey::ALLOWED.to_owned(),
            Kind::Headers => "a list of headers, such as `name=value,name=value`".to_owned(),
        }
    }

    /// Reads a value. The error says what is allowed, and never repeats the value.
    pub fn read(self, raw: &Raw) -> Result<Value, String> {
        let refused = || format!("give {}", self.allowed());
        match (self, raw) {
            (Kind::Flag, Raw::Flag(on)) => Ok(Value::Flag(*on)),
            (Kind::Integer { min, max }, Raw::Integer(n)) => {
                let n = u64::try_from(*n).map_err(|_| refused())?;
                (min..=max).contains(&n).then_some(Value::Integer(n)).ok_or_else(refused)
            }
            (_, Raw::List(items)) if self.is_list() => self.read_list(items),
            (_, Raw::Text(text)) => self.read_text(text),
            _ => Err(refused()),
        }
    }

    fn read_text(self, text: &str) -> Result<Value, String> {
        let refused = || format!("give {}", self.allowed());
        let text = text.trim();
        let one_line =
            || if text.is_empty() || text.contains(char::is_control) { Err(refused()) } else { Ok(text) };
        match self {
            Kind::Flag => match text {
                "true" => Ok(Value::Flag(true)),
                "false" => Ok(Value::Flag(false)),
                _ => Err(refused()),
            },
            Kind::Integer { .. } => self.read(&Raw::Integer(text.parse().map_err(|_| refused())?)),
            Kind::Choice(words) => {
                words.iter().find(|w| **w == text).map(|w| Value::Text((*w).to_owned())).ok_or_else(refused)
            }
            Kind::Text => one_line().map(|t| Value::Text(t.to_owned())),
            Kind::Address => text.parse().map(Value::Address).map_err(|_| refused()),
            Kind::Networks | Kind::Emails | Kind::SealingKeys | Kind::Destinations | Kind::SigningKeys => {
                let items = text.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty());
                self.read_list(&items.map(str::to_owned).collect::<Vec<_>>())
            }
            Kind::PublicUrl => public_url(text).map(Value::Url).ok_or_else(refused),
            Kind::ServiceUrl => service_url(text).map(Value::Url).ok_or_else(refused),
            // Read as a URL it would change: whoever compares it with what the provider says compares letters.
            Kind::Issuer => public_url(text).map(|_| Value::Text(text.to_owned())).ok_or_else(refused),
            Kind::CollectorUrl => collector_url(text).map(Value::Url).ok_or_else(refused),
            Kind::DatabaseUrl => DatabaseUrl::parse(text).map(Value::Database).ok_or_else(refused),
            Kind::RedisUrl => Address::parse(text).map(Value::Redis).ok_or_else(refused),
            Kind::Tenant => text.parse().map(Value::Tenant).map_err(|_| refused()),
            Kind::LogFilter => log_filter(text).map(Value::Text).ok_or_else(refused),
            Kind::Directory => one_line().map(|t| Value::Directory(PathBuf::from(t))),
            Kind::File => one_line().map(|t| Value::File(PathBuf::from(t))),
            Kind::Host => host(text).map(Value::Text).ok_or_else(refused),
            Kind::Mailbox => text.parse().map(Value::Mailbox).map_err(|_| refused()),
            Kind::Hook => Hook::parse(text).map(Value::Hook).ok_or_else(refused),
            Kind::Password => one_line().map(|t| Value::Password(Secret::new(t))),
            Kind::Headers => headers(one_line()?, Written::Plain).map(Value::Headers).ok_or_else(refused),
            Kind::SealingKey => match SealingKey::parse(text) {
                Ok(key) => Ok(Value::SealingKeys(vec![key])),
                Err(e) => Err(format!("the key {e}")),
            },
        }
    }

    /// Whether it takes several values.
    const fn is_list(self) -> bool {
        matches!(
            self,
            Kind::Networks | Kind::Emails | Kind::SealingKeys | Kind::Destinations | Kind::SigningKeys
        )
    }

    fn read_list(self, items: &[String]) -> Result<Value, String> {
        let refused = || format!("give {}", self.allowed());
        if self == Kind::Destinations {
            let numbered = items.iter().enumerate().map(|(i, item)| {
                Destination::parse(item)
                    .ok_or_else(|| format!("destination number {} is none: {}", i + 1, refused()))
            });
            return numbered.collect::<Result<_, _>>().map(Value::Destinations);
        }
        if self == Kind::SigningKeys {
            let keys = SigningKey::parse_all(items.iter().map(|item| item.trim()));
            return keys.map(Value::SigningKeys).ok_or_else(refused);
        }
        if self == Kind::SealingKeys {
            let keys = items
                .iter()
                .enumerate()
                .map(|(i, item)| SealingKey::parse(item).map_err(|e| format!("key number {} {e}", i + 1)));
            return keys.collect::<Result<_, _>>().map(Value::SealingKeys);
        }
        if self == Kind::Emails {
            let told = |e| format!("{e}: give {}", self.allowed());
            let addresses = items.iter().map(|item| rollout::address(item).map_err(told));
            return addresses.collect::<Result<_, _>>().map(Value::Emails);
        }
        let networks = items
            .iter()
            .map(|item| item.parse::<Cidr>().map_err(|e| format!("{item:?} {e}: give {}", self.allowed())));
        networks.collect::<Result<_, _>>().map(Value::Networks)
    }
}

/// http is let through only where nobody is in between: towards this machine itself.
fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// As it stands in a URL, but without brackets around an IPv6 address.
fn host(text: &str) -> Option<String> {
    let plain = text.trim_matches(['[', ']']);
    if plain.parse::<std::net::IpAddr>().is_ok() {
        return Some(plain.to_owned());
    }
    match Host::parse(text).ok()? {
        Host::Domain(name) => Some(name),
        Host::Ipv4(ip) => Some(ip.to_string()),
        Host::Ipv6(_) => None,
    }
}

fn service_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_local(&url));
    let plain =
        url.has_host() && url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (safe && plain).then_some(url)
}

fn public_url(text: &str) -> Option<Url> {
    service_url(text).filter(|url| url.query().is_none())
}

fn collector_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.has_host() && url.username().is_empty() && url.password().is_none();
    let bare = url.query().is_none() && url.fragment().is_none();
    (matches!(url.scheme(), "http" | "https") && plain && bare).then_some(url)
}

fn log_filter(text: &str) -> Option<String> {
    let words = text.split(',').map(|part| part.rsplit('=').next().unwrap_or(part).trim());
    // A lone unknown word would be taken for a module's name and silence everything else.
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let known = !text.is_empty()
        && words.into_iter().all(|word| LEVELS.contains(&word.to_ascii_lowercase().as_str()));
    (known && tracing_subscriber::EnvFilter::try_new(text).is_ok()).then(|| text.to_owned())
}
