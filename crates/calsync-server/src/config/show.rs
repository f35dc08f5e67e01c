//! `config show`: every setting as it is in force, with its origin. Secrets show that they are set, and nothing
//! else; of the URL of a database everything shows but user and password.

use serde::Serialize;

use super::build::{Effective, Loaded};
use super::kind::Value;
use super::problem::shown;

/// One line of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Shown {
    /// `section.name`.
    pub key: String,
    /// The value as JSON; `null` where there is none; `"[secret]"` for a secret.
    pub value: serde_json::Value,
    /// Where it stands.
    pub origin: String,
}

/// All of them, in the order of the registry.
pub fn show(loaded: &Loaded) -> Vec<Shown> {
    loaded
        .effective
        .iter()
        .map(|e| Shown { key: e.key.path(), value: value(e), origin: e.origin.to_string() })
        .collect()
}

fn value(effective: &Effective) -> serde_json::Value {
    use serde_json::json;
    match &effective.value {
        None => serde_json::Value::Null,
        Some(_) if effective.key.kind.is_secret() => json!("[secret]"),
        Some(Value::Flag(on)) => json!(on),
        Some(Value::Integer(n)) => json!(n),
        Some(Value::Text(text)) => json!(shown(text)),
        Some(Value::Database(url)) => json!(url.to_string()),
        Some(Value::Address(address)) => json!(address.to_string()),
        Some(Value::Networks(networks)) => {
            json!(networks.iter().map(ToString::to_string).collect::<Vec<_>>())
        }
        Some(Value::Emails(emails)) => json!(emails),
        Some(Value::Url(url)) => json!(url.as_str()),
        Some(Value::Tenant(tenant)) => json!(tenant.as_str()),
        Some(Value::Mailbox(mailbox)) => json!(mailbox.to_string()),
        Some(Value::Directory(path) | Value::File(path)) => json!(path.display().to_string()),
        Some(Value::Password(_) | Value::Redis(_) | Value::SealingKeys(_)) => json!("[secret]"),
        Some(Value::Hook(_) | Value::Destinations(_) | Value::SigningKeys(_) | Value::Headers(_)) => {
            json!("[secret]")
        }
    }
}
