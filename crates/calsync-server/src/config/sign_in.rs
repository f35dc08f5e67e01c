//! Section `sign_in.oidc`: the organisation's own sign-in. Whole or not at all.

use calsync_core::secret::Secret;

use super::kind::Value;
use super::problem::Problem;
use super::settings::Values;

/// The organisation's own OpenID provider, where there is one.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the registry describes each of them, once")]
pub struct OidcSettings {
    /// To the letter.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Secret,
    pub name: String,
}

const ALL: [&str; 4] =
    ["sign_in.oidc.issuer", "sign_in.oidc.client_id", "sign_in.oidc.client_secret", "sign_in.oidc.name"];

/// What lacks where something is set, said once.
pub(super) fn contradiction(all: &Values<'_>) -> Option<Problem> {
    // One that was not understood is not among them, and was told of already.
    let found: Vec<_> = ALL.iter().filter_map(|path| all.find(path)).collect();
    let missing: Vec<String> = found.iter().filter(|e| e.value.is_none()).map(|e| e.key.path()).collect();
    let set = found.iter().find(|e| e.value.is_some())?;
    let (last, others) = missing.split_last()?;
    let missing = if others.is_empty() { last.clone() } else { format!("{} and {last}", others.join(", ")) };
    Some(Problem::new(set.key.path(), format!("needs {missing} as well")).at(&set.origin))
}

/// The whole of it, if it is set.
pub(super) fn oidc(all: &Values<'_>) -> Option<OidcSettings> {
    let text = |path: &str| match all.value(path)? {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    let [issuer, client_id, client_secret, name] = ALL;
    let Some(Value::Password(secret)) = all.value(client_secret) else { return None };
    Some(OidcSettings {
        issuer: text(issuer)?,
        client_id: text(client_id)?,
        client_secret: secret.clone(),
        name: text(name)?,
    })
}
