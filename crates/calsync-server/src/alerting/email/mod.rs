//! Mail: one letter to one address. Each address is a channel of its own, so that one that is refused neither stops the
//! others nor makes them hear a thing twice. The server is the operator's own choice, so the guard does not look at it.

mod letter;
mod page;
mod session;

use std::fs;
use std::time::Duration;

use async_trait::async_trait;
use calsync_core::alert::AlertMessage;
use calsync_core::secret::Secret;
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use url::{Host, Url};

use super::{Channel, NoChannels, Undelivered};
use crate::config::{SmtpSecurity, SmtpSettings};

/// A mail server that takes letters from us.
pub(super) struct Server {
    host: String,
    port: u16,
    security: Security,
    login: Option<(String, Secret)>,
    from: Mailbox,
    hello: ClientId,
    patience: Duration,
}

/// How the connection is encrypted.
enum Security {
    /// By STARTTLS, or not at all.
    StartTls(TlsParameters),
    /// From its first byte.
    Tls(TlsParameters),
    /// Not.
    Plain,
}

impl Server {
    /// The server of these settings. `public_url` is where this machine's name is known from.
    pub(super) fn new(
        settings: &SmtpSettings,
        public_url: Option<&Url>,
        patience: Duration,
    ) -> Result<Server, NoChannels> {
        let security = match settings.security {
            SmtpSecurity::StartTls => Security::StartTls(tls(settings)?),
            SmtpSecurity::Tls => Security::Tls(tls(settings)?),
            SmtpSecurity::None => Security::Plain,
        };
        let hello = match public_url.and_then(Url::host) {
            Some(Host::Domain(name)) => ClientId::Domain(name.to_owned()),
            _ => ClientId::default(),
        };
        Ok(Server {
            host: settings.host.clone(),
            port: settings.port,
            security,
            login: settings.login.clone(),
            from: settings.from.clone(),
            hello,
            patience,
        })
    }
}

/// What the connection is checked by: the authorities that this machine trusts, and one more if it is named.
fn tls(settings: &SmtpSettings) -> Result<TlsParameters, NoChannels> {
    let mut parameters = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca_file {
        let wrong = |why: String| NoChannels::Authority { path: path.clone(), why };
        let text = fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let certificate =
            Certificate::from_pem(&text).map_err(|_| wrong("it is no certificate in PEM".to_owned()))?;
        if !text.windows(BEGIN.len()).any(|part| part == BEGIN) {
            return Err(wrong("there is no certificate in PEM in it".to_owned()));
        }
        parameters = parameters.add_root_certificate(certificate);
    }
    parameters.build_rustls().map_err(|error| NoChannels::MailTls(error.to_string()))
}

/// What a certificate in PEM begins with. Without any, the library finds nothing wrong.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Letters to one address.
pub(super) struct Email {
    server: std::sync::Arc<Server>,
    to: Mailbox,
}

impl Email {
    pub(super) fn new(server: std::sync::Arc<Server>, to: Mailbox) -> Email {
        Email { server, to }
    }
}

#[async_trait]
impl Channel for Email {
    async fn deliver(&self, message: &AlertMessage) -> Result<(), Undelivered> {
        let letter = letter::letter(message, &self.server.from, &self.to)
            .map_err(|error| Undelivered::never(format!("no letter can be made of this: {error}")))?;
        session::send(&self.server, letter.envelope(), &letter.formatted()).await
    }

    async fn answers(&self) -> Result<(), Undelivered> {
        let envelope = Envelope::new(Some(self.server.from.email.clone()), vec![self.to.email.clone()])
            .map_err(|error| Undelivered::never(format!("no letter can be addressed so: {error}")))?;
        session::would_take(&self.server, &envelope).await
    }
}
