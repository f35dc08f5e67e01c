//! One letter handed to a mail server, command by command, so that each refusal can be told for what it is. The whole of it
//! is bounded in time. A password goes only where the settings say, and never before the connection is as safe as they ask.

use std::time::Duration;

use calsync_core::alert::Again;
use data_encoding::BASE64;
use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};
use tokio::time::timeout;

use super::{Security, Server};
use crate::alerting::{Undelivered, shown};
use crate::reach::{self, Silence};

/// How long we wait for a goodbye to our own: the letter is with them already.
const GOODBYE: Duration = Duration::from_millis(500);

/// What was being done when something went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Connect,
    Encrypt,
    SignIn,
    Sender,
    Recipient,
    Letter,
}

/// Hands the letter over. `Ok` once the server has said that it has it.
pub(super) async fn send(server: &Server, envelope: &Envelope, letter: &[u8]) -> Result<(), Undelivered> {
    talk(server, envelope, Some(letter)).await
}

/// Whether the server would take a letter in this envelope. It gets none.
pub(super) async fn would_take(server: &Server, envelope: &Envelope) -> Result<(), Undelivered> {
    talk(server, envelope, None).await
}

async fn talk(server: &Server, envelope: &Envelope, letter: Option<&[u8]>) -> Result<(), Undelivered> {
    let mut stage = Stage::Connect;
    let told = timeout(server.patience, async {
        let mut connection = announce(server, envelope, &mut stage).await?;
        if let Some(letter) = letter {
            stage = Stage::Letter;
            connection.command(Data).await.map_err(|error| server.wrong(stage, &error))?;
            connection.message(letter).await.map_err(|error| server.wrong(stage, &error))?;
        }
        Ok(connection)
    });
    let mut connection = match told.await {
        Ok(told) => told?,
        Err(_) => return Err(Undelivered::later(format!("{} {}", server.place(), silence(stage)))),
    };
    let _ = timeout(GOODBYE, connection.quit()).await;
    Ok(())
}

/// Everything up to the letter.
async fn announce(
    server: &Server,
    envelope: &Envelope,
    stage: &mut Stage,
) -> Result<AsyncSmtpConnection, Undelivered> {
    let at_once: Option<TlsParameters> = match &server.security {
        Security::Tls(parameters) => Some(parameters.clone()),
        Security::StartTls(_) | Security::Plain => None,
    };
    let place = (server.host.as_str(), server.port);
    let connected =
        AsyncSmtpConnection::connect_tokio1(place, Some(server.patience), &server.hello, at_once, None).await;
    let mut connection = connected.map_err(|error| server.wrong(*stage, &error))?;

    if let Security::StartTls(parameters) = &server.security {
        *stage = Stage::Encrypt;
        // Not whenever it is offered: who stands in between would just not offer it (RFC 8314 §1).
        if !connection.can_starttls() {
            return Err(server.no_starttls());
        }
        let upgraded = connection.starttls(parameters.clone(), &server.hello).await;
        upgraded.map_err(|error| server.wrong(*stage, &error))?;
    }
    if let Some((name, password)) = &server.login {
        *stage = Stage::SignIn;
        let credentials = Credentials::new(name.clone(), password.expose().to_owned());
        let signed_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
        signed_in.map_err(|error| server.wrong(*stage, &error))?;
    }
    *stage = Stage::Sender;
    let mut parameters = Vec::new();
    let written = envelope.from().into_iter().chain(envelope.to());
    if written.into_iter().any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(Undelivered::never(format!(
                "{} takes no address with letters beyond ASCII",
                server.place()
            )));
        }
        parameters.push(MailParameter::SmtpUtfEight);
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let sender = connection.command(Mail::new(envelope.from().cloned(), parameters)).await;
    sender.map_err(|error| server.wrong(*stage, &error))?;
    *stage = Stage::Recipient;
    for recipient in envelope.to() {
        let taken = connection.command(Rcpt::new(recipient.clone(), vec![])).await;
        taken.map_err(|error| server.wrong(*stage, &error))?;
    }
    Ok(connection)
}

/// What is told when time runs out.
const fn silence(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect => {
            "did not greet us in time: check smtp.host and smtp.port, the firewall, and smtp.security (port 465 wants \"tls\")"
        }
        Stage::Encrypt => "did not finish STARTTLS in time",
        Stage::SignIn => "did not finish signing us in in time",
        Stage::Sender | Stage::Recipient => "did not say in time whether it takes a letter",
        Stage::Letter => "did not say in time whether it has the letter: it may come twice",
    }
}

impl Server {
    /// The server, for people.
    fn place(&self) -> String {
        format!("the mail server {}:{}", self.host, self.port)
    }

    fn no_starttls(&self) -> Undelivered {
        let place = self.place();
        Undelivered::never(format!(
            "{place} offers no STARTTLS, and smtp.security asks for it: set smtp.security to \"tls\" if the server speaks TLS \
             from the start (mostly on port 465), or to \"none\" if nobody can listen on the way. Nothing was sent, and no \
             password"
        ))
    }

    fn wrong(&self, stage: Stage, error: &Error) -> Undelivered {
        let place = self.place();
        let Some(code) = error.status() else { return self.broken(stage, error) };
        let said = format!("{code} {}", self.said(error));
        let said = said.trim();
        let reason = match stage {
            Stage::Connect => format!("{place} does not want us ({said})"),
            Stage::Encrypt => format!("{place} offers STARTTLS and refuses it ({said})"),
            Stage::SignIn => {
                format!("{place} does not sign us in ({said}): check smtp.username and smtp.password")
            }
            Stage::Sender => format!(
                "{place} does not take letters from smtp.from ({said}): check it, and whether the server wants smtp.username \
                 and smtp.password or another smtp.security"
            ),
            Stage::Recipient => format!("{place} does not take letters for this address ({said}): check it"),
            Stage::Letter => format!("{place} does not take the letter ({said})"),
        };
        // A server that is full or down may say so with any code before it knows what we want.
        let again =
            if error.is_permanent() && stage != Stage::Connect { Again::Never } else { Again::Later(None) };
        Undelivered { reason, again }
    }

    /// No word of the protocol, or none that we understand.
    fn broken(&self, stage: Stage, error: &Error) -> Undelivered {
        let place = self.place();
        if error.is_client() && stage == Stage::SignIn {
            return Undelivered::never(format!(
                "{place} offers neither AUTH PLAIN nor AUTH LOGIN, at least not like this: check smtp.security, or remove \
                 smtp.username and smtp.password if it wants none"
            ));
        }
        let (why, words) = reach::heard(error);
        let words = shown(&self.masked(&words));
        Undelivered::later(match why {
            Silence::Refused => format!("nothing listens at {place}: check smtp.host and smtp.port"),
            Silence::Name => format!(
                "the name {} has no address that can be found: check smtp.host, and the DNS",
                self.host
            ),
            Silence::Certificate => format!(
                "the certificate of {place} is not trusted ({words}): check that smtp.host is the name in it; if an authority \
                 of your own signed it, name its certificate in smtp.ca_file"
            ),
            Silence::NoTls => format!(
                "{place} speaks no TLS here ({words}): check smtp.port and smtp.security (\"starttls\" is usual on port 587)"
            ),
            Silence::Slow => format!("{place} {}", silence(stage)),
            Silence::Other if stage == Stage::Letter => {
                format!(
                    "{place} broke off before it said that it has the letter ({words}): it may come twice"
                )
            }
            Silence::Other => format!("{place} broke off, or is no mail server ({words})"),
        })
    }

    /// What it said, without its code.
    fn said(&self, error: &Error) -> String {
        let words = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        shown(&self.masked(&words))
    }

    /// A server may repeat what it was told, the password as well.
    fn masked(&self, words: &str) -> String {
        let Some((name, password)) = &self.login else { return words.to_owned() };
        let password = password.expose();
        let secrets = [
            password.to_owned(),
            BASE64.encode(password.as_bytes()),
            BASE64.encode(format!("\0{name}\0{password}").as_bytes()),
        ];
        let told = secrets.iter().any(|secret| words.contains(secret));
        if told { "[secret]".to_owned() } else { words.to_owned() }
    }
}
