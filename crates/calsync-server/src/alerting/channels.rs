//! All channels that the settings name, ready to be tried. It never decides what is sent: it says what each takes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use calsync_core::alert::AlertLevel;
use calsync_core::ports::Clock;
use lettre::message::Mailbox;

use super::destination::{Destination, Hook};
use super::email::{Email, Server};
use super::slack::Slack;
use super::transport::Post;
use super::webhook::Webhook;
use super::{Channel, Lookup, PATIENCE, SystemLookup};
use crate::config::{Loaded, Problem, Settings};
use crate::system::SystemClock;

/// Why there are no channels although they are configured.
#[derive(Debug, thiserror::Error)]
pub enum NoChannels {
    /// The certificate for the mail server cannot be used.
    #[error("smtp.ca_file {}: {why}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Nor can what TLS needs.
    #[error("mail cannot be encrypted: {0}")]
    MailTls(String),
    /// Mail without a mail server; the settings do not allow it.
    #[error("smtp.host is missing")]
    NoServer,
    /// An address that mail does not know.
    #[error("{0:?} is no address that mail can be sent to")]
    Address(String),
    /// The client for webhooks cannot be made.
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] reqwest::Error),
}

impl NoChannels {
    /// As a problem of the configuration that they were to be made from.
    fn problem(&self, loaded: &Loaded) -> Problem {
        let (key, value, message) = match self {
            NoChannels::Authority { path, why } => {
                ("smtp.ca_file", Some(path.display().to_string()), why.clone())
            }
            other => ("alerts", None, other.to_string()),
        };
        let problem = Problem::new(key, message);
        let problem = match value {
            Some(value) => problem.with_value(&value),
            None => problem,
        };
        match loaded.effective.iter().find(|setting| setting.key.path() == key) {
            Some(setting) => problem.at(&setting.origin),
            None => problem,
        }
    }
}

/// What keeps `serve` from starting with these settings, found as `serve` finds it: by making the channels.
pub fn unusable(loaded: &Loaded) -> Option<Problem> {
    Channels::from_settings(&loaded.settings).err().map(|error| error.problem(loaded))
}

/// One channel.
#[derive(Clone)]
pub struct Named {
    name: String,
    least: AlertLevel,
    channel: Arc<dyn Channel>,
}

impl Named {
    /// What it is called in the database, in logs and in commands: `slack`, `email:ada@example.com`, `pager:webhook:1f0c9ab2`.
    /// The same as long as the settings name the same, in whatever order: what is on its way goes where it was meant to go. Never a
    /// secret.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which kind of channel it is: all that a metric may know of it.
    pub fn kind(&self) -> &'static str {
        match self.name.split(':').next() {
            Some("email") => "email",
            Some("slack") => "slack",
            Some("webhook") => "webhook",
            _ => "pager",
        }
    }

    /// Whether it takes what is as loud as this. The pager takes only what is critical.
    pub fn takes(&self, level: AlertLevel) -> bool {
        level >= self.least
    }

    /// The quietest that it takes.
    pub fn least(&self) -> AlertLevel {
        self.least
    }

    /// Whether it belongs to the pager.
    pub fn is_pager(&self) -> bool {
        self.least == AlertLevel::Critical
    }

    /// The channel itself.
    pub fn channel(&self) -> &dyn Channel {
        &*self.channel
    }
}

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Named").field("name", &self.name).field("least", &self.least).finish_non_exhaustive()
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Channels {
    all: Vec<Named>,
}

/// What channels need of the world.
#[derive(Clone)]
pub struct World {
    /// The time of a try, for signatures and dates.
    pub clock: Arc<dyn Clock>,
    /// Who knows the addresses of names.
    pub lookup: Arc<dyn Lookup>,
    /// How long a try may take.
    pub patience: Duration,
}

impl Default for World {
    fn default() -> World {
        World { clock: Arc::new(SystemClock), lookup: Arc::new(SystemLookup), patience: PATIENCE }
    }
}

impl Channels {
    /// The channels of these settings; none, if none are configured.
    ///
    /// # Errors
    /// What only a look at this machine shows: a certificate that cannot be read, a client that cannot be made.
    pub fn from_settings(settings: &Settings) -> Result<Channels, NoChannels> {
        Channels::in_world(settings, &World::default())
    }

    /// The same with a world that is given.
    ///
    /// # Errors
    /// As above.
    pub fn in_world(settings: &Settings, world: &World) -> Result<Channels, NoChannels> {
        let alerts = &settings.alerts;
        let mut maker = Maker { settings, world, post: None, server: None };
        let mut all = Vec::new();
        let ordinary = |name: String, channel| Named { name, least: AlertLevel::Info, channel };
        for address in &alerts.email {
            all.push(ordinary(format!("email:{address}"), maker.email(address)?));
        }
        if let Some(hook) = &alerts.slack {
            all.push(ordinary("slack".to_owned(), maker.slack(hook)?));
        }
        if let Some(hook) = &alerts.webhook {
            all.push(ordinary("webhook".to_owned(), maker.webhook(hook)?));
        }
        for destination in &alerts.pager {
            let (name, channel) = match destination {
                Destination::Email(address) => (format!("pager:email:{address}"), maker.email(address)?),
                Destination::Slack(hook) => (format!("pager:slack:{}", hook.mark()), maker.slack(hook)?),
                Destination::Webhook(hook) => {
                    (format!("pager:webhook:{}", hook.mark()), maker.webhook(hook)?)
                }
            };
            all.push(Named { name, least: AlertLevel::Critical, channel });
        }
        Ok(Channels { all })
    }

    /// Each of them, in the order of the settings.
    pub fn all(&self) -> &[Named] {
        &self.all
    }
}

/// Makes channels that share what can be shared.
struct Maker<'a> {
    settings: &'a Settings,
    world: &'a World,
    post: Option<Post>,
    server: Option<Arc<Server>>,
}

impl Maker<'_> {
    /// Made when first asked for: most have no use for it, and it holds the authorities that this machine trusts.
    fn post(&mut self) -> Result<Post, NoChannels> {
        if let Some(post) = &self.post {
            return Ok(post.clone());
        }
        let (lookup, clock) = (Arc::clone(&self.world.lookup), Arc::clone(&self.world.clock));
        let allowed = self.settings.alerts.allowed_networks.as_slice().into();
        let post = Post::new(allowed, lookup, clock, self.world.patience)?;
        self.post = Some(post.clone());
        Ok(post)
    }

    fn email(&mut self, address: &str) -> Result<Arc<dyn Channel>, NoChannels> {
        let email = address.parse().map_err(|_| NoChannels::Address(address.to_owned()))?;
        let server = match &self.server {
            Some(server) => Arc::clone(server),
            None => {
                let smtp = self.settings.smtp.as_ref().ok_or(NoChannels::NoServer)?;
                let public = self.settings.server.public_url.as_ref();
                let server = Arc::new(Server::new(smtp, public, self.world.patience)?);
                self.server = Some(Arc::clone(&server));
                server
            }
        };
        Ok(Arc::new(Email::new(server, Mailbox::new(None, email))))
    }

    fn slack(&mut self, hook: &Hook) -> Result<Arc<dyn Channel>, NoChannels> {
        Ok(Arc::new(Slack::new(hook.clone(), self.post()?)))
    }

    fn webhook(&mut self, hook: &Hook) -> Result<Arc<dyn Channel>, NoChannels> {
        let keys = self.settings.alerts.webhook_secret.clone();
        Ok(Arc::new(Webhook::new(hook.clone(), keys, self.post()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_destination_is_a_channel_with_a_name_and_the_pager_takes_only_what_is_critical() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = crate::config::tests_settings(&[
            ("CALENDAR_SYNC__ALERTS__EMAIL", "ada@example.com, bob@example.com"),
            ("CALENDAR_SYNC__ALERTS__SLACK", "https://hooks.slack.com/services/hunter2"),
            ("CALENDAR_SYNC__ALERTS__WEBHOOK", "https://example.com/hunter2"),
            (
                "CALENDAR_SYNC__ALERTS__PAGER",
                "night@example.com, https://hooks.slack.com/services/hunter2, https://page.example.com/hunter2",
            ),
            ("CALENDAR_SYNC__SMTP__HOST", "mail.example.com"),
            ("CALENDAR_SYNC__SMTP__FROM", "sync@example.com"),
        ]);
        let channels = Channels::from_settings(&settings).unwrap();
        let told: Vec<(&str, bool)> =
            channels.all().iter().map(|one| (one.name(), one.takes(AlertLevel::Warning))).collect();
        assert_eq!(
            told,
            [
                ("email:ada@example.com", true),
                ("email:bob@example.com", true),
                ("slack", true),
                ("webhook", true),
                ("pager:email:night@example.com", false),
                ("pager:slack:4dd12964", false),
                ("pager:webhook:2d078ee2", false),
            ]
        );
        let kinds: Vec<&str> = channels.all().iter().map(Named::kind).collect();
        assert_eq!(kinds, ["email", "email", "slack", "webhook", "pager", "pager", "pager"]);
        assert!(channels.all().iter().all(|one| one.takes(AlertLevel::Critical)));
        assert!(!format!("{channels:?} {settings:?}").contains("hunter2"));
        assert!(Channels::from_settings(&crate::config::tests_settings(&[])).unwrap().all().is_empty());
    }
}
