//! Sections `alerts` and `smtp`: who is told, and by which mail server. What does not go together is told here as well.

use std::collections::BTreeSet;
use std::path::PathBuf;

use calsync_core::secret::Secret;
use jiff::SignedDuration;
use lettre::message::Mailbox;

use super::build::Effective;
use super::kind::Value;
use super::problem::Problem;
use super::settings::Values;
use crate::alerting::destination::{Destination, Hook};
use crate::alerting::guard;
use crate::alerting::signature::SigningKey;
use crate::http::cidr::Cidr;

/// So many people are told by mail, one letter each.
const RECIPIENTS_MAX: usize = 20;
/// So many destinations has the pager.
const PAGERS_MAX: usize = 20;

/// Section `alerts`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct AlertSettings {
    pub email: BTreeSet<String>,
    pub slack: Option<Hook>,
    pub webhook: Option<Hook>,
    pub webhook_secret: Vec<SigningKey>,
    pub pager: Vec<Destination>,
    pub reminder: SignedDuration,
    pub allowed_networks: Vec<Cidr>,
}

/// Section `smtp`, where it names a server.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct SmtpSettings {
    pub host: String,
    pub port: u16,
    pub security: SmtpSecurity,
    /// User name and password.
    pub login: Option<(String, Secret)>,
    pub from: Mailbox,
    pub ca_file: Option<PathBuf>,
}

/// How the connection to the mail server is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SmtpSecurity {
    /// By STARTTLS, which must be offered.
    StartTls,
    /// From its first byte.
    Tls,
    /// Not at all.
    None,
}

impl SmtpSecurity {
    fn named(name: &str) -> SmtpSecurity {
        match name {
            "tls" => SmtpSecurity::Tls,
            "none" => SmtpSecurity::None,
            _ => SmtpSecurity::StartTls,
        }
    }

    /// Where such servers usually listen.
    const fn port(self) -> u16 {
        match self {
            SmtpSecurity::StartTls => 587,
            SmtpSecurity::Tls => 465,
            SmtpSecurity::None => 25,
        }
    }
}

/// Section `alerts`, from values that were all understood.
pub(super) fn alerts(all: &Values<'_>) -> AlertSettings {
    AlertSettings {
        email: all.emails("alerts.email"),
        slack: hook(all, "alerts.slack"),
        webhook: hook(all, "alerts.webhook"),
        webhook_secret: match all.value("alerts.webhook_secret") {
            Some(Value::SigningKeys(keys)) => keys.clone(),
            _ => vec![],
        },
        pager: destinations(all.value("alerts.pager")).to_vec(),
        reminder: all.seconds("alerts.reminder_seconds"),
        allowed_networks: all.networks("alerts.allowed_networks"),
    }
}

/// Section `smtp`, likewise; `None` if it names no server, or none that could be used.
pub(super) fn smtp(all: &Values<'_>) -> Option<SmtpSettings> {
    let (Some(Value::Text(host)), Some(Value::Mailbox(from))) =
        (all.value("smtp.host"), all.value("smtp.from"))
    else {
        return None;
    };
    let security = SmtpSecurity::named(&all.text("smtp.security"));
    let port = match all.value("smtp.port") {
        Some(Value::Integer(port)) => u16::try_from(*port).unwrap_or_else(|_| security.port()),
        _ => security.port(),
    };
    let login = match (all.value("smtp.username"), all.value("smtp.password")) {
        (Some(Value::Text(name)), Some(Value::Password(password))) => Some((name.clone(), password.clone())),
        _ => None,
    };
    let ca_file = match all.value("smtp.ca_file") {
        Some(Value::File(path)) => Some(path.clone()),
        _ => None,
    };
    Some(SmtpSettings { host: host.clone(), port, security, login, from: from.clone(), ca_file })
}

fn hook(all: &Values<'_>, path: &str) -> Option<Hook> {
    if let Some(Value::Hook(hook)) = all.value(path) { Some(hook.clone()) } else { None }
}

fn destinations(value: Option<&Value>) -> &[Destination] {
    if let Some(Value::Destinations(list)) = value { list } else { &[] }
}

/// What does not go together. Settings that were not understood are left out, and told elsewhere.
pub(super) fn contradictions(all: &Values<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut told = |setting: &Effective, message: String| {
        problems.push(Problem::new(setting.key.path(), message).at(&setting.origin));
    };
    let is_missing = |path: &str| all.find(path).is_some_and(|setting| setting.value.is_none());
    let email = all.find("alerts.email");
    let pager = all.find("alerts.pager");
    let pages_by_mail = |setting: &&Effective| {
        destinations(setting.value.as_ref()).iter().any(|to| matches!(to, Destination::Email(_)))
    };
    let tells_by_mail =
        |setting: &&Effective| matches!(&setting.value, Some(Value::Emails(list)) if !list.is_empty());
    for setting in email.filter(tells_by_mail).into_iter().chain(pager.filter(pages_by_mail)) {
        for other in ["smtp.host", "smtp.from"] {
            if is_missing(other) {
                told(
                    setting,
                    format!("needs {other} as well: mail needs a server, and somebody whom it is from"),
                );
            }
        }
    }
    for (one, other) in [("smtp.username", "smtp.password"), ("smtp.password", "smtp.username")] {
        if let Some(setting) = all.find(one).filter(|setting| setting.value.is_some() && is_missing(other)) {
            told(setting, format!("needs {other} as well"));
        }
    }
    if let Some(setting) = email
        && let Some(Value::Emails(list)) = &setting.value
    {
        if list.len() > RECIPIENTS_MAX {
            told(setting, format!("names {} addresses: give at most {RECIPIENTS_MAX}", list.len()));
        }
        for address in list.iter().filter(|address| address.parse::<lettre::Address>().is_err()) {
            told(setting, format!("{address:?} is no address that mail can be sent to"));
        }
    }
    if let Some(setting) = pager {
        let list = destinations(setting.value.as_ref());
        if list.len() > PAGERS_MAX {
            told(setting, format!("names {} destinations: give at most {PAGERS_MAX}", list.len()));
        }
        let unmailable = |to: &Destination| matches!(to, Destination::Email(address) if address.parse::<lettre::Address>().is_err());
        if let Some(n) = list.iter().position(unmailable) {
            told(setting, format!("destination number {} is no address that mail can be sent to", n + 1));
        }
    }
    problems.extend(forbidden(all));
    problems
}

/// URLs that name an address which nothing would be sent to. Where names lead is seen when something is sent.
fn forbidden(all: &Values<'_>) -> Vec<Problem> {
    let allowed = match all.find("alerts.allowed_networks").map(|setting| &setting.value) {
        Some(Some(Value::Networks(networks))) => networks.as_slice(),
        // It was not understood: whether these are allowed nobody knows.
        None => return vec![],
        Some(_) => &[],
    };
    let mut problems = Vec::new();
    for path in ["alerts.slack", "alerts.webhook", "alerts.pager"] {
        let Some(setting) = all.find(path) else { continue };
        let hooks: Vec<&Hook> = match &setting.value {
            Some(Value::Hook(hook)) => vec![hook],
            value => destinations(value.as_ref())
                .iter()
                .filter_map(|to| match to {
                    Destination::Slack(hook) | Destination::Webhook(hook) => Some(hook),
                    Destination::Email(_) => None,
                })
                .collect(),
        };
        for (address, why) in hooks.iter().filter_map(|hook| guard::refused_literal(hook.url(), allowed)) {
            let message = format!(
                "{address} is {why}, and nothing is sent there: if it is meant, list its network in alerts.allowed_networks"
            );
            problems.push(Problem::new(path, message).at(&setting.origin));
        }
    }
    problems
}
