//! A letter as the mail server of the test bed tells it, and the settings that lead to that server.

use calsync_testbed::mail::MailServer;
use serde_json::Value;

/// A letter that arrived.
pub(crate) struct Letter(pub(crate) Value);

impl Letter {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.0["headers"].as_array().unwrap();
        let found = headers.iter().find(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case(name))?;
        found[1].as_str()
    }

    /// The text of the part of this type, with lines as they are written here.
    pub(crate) fn part(&self, kind: &str) -> String {
        let parts = self.0["parts"].as_array().unwrap();
        parts.iter().find(|part| part["type"] == kind).unwrap()["text"]
            .as_str()
            .unwrap()
            .replace("\r\n", "\n")
    }

    pub(crate) fn to(&self) -> Vec<&str> {
        self.0["to"].as_array().unwrap().iter().map(|to| to.as_str().unwrap()).collect()
    }
}

/// All that arrived there.
pub(crate) fn letters(server: &MailServer) -> Vec<Letter> {
    server.letters().iter().map(|text| Letter(serde_json::from_str(text).unwrap())).collect()
}

/// Variables for mail from here to this port of `localhost`, and others.
pub(crate) fn with<'a>(
    port: &'a str,
    security: &'a str,
    others: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let mut values = vec![
        ("ALERTS__EMAIL", "ada@example.com"),
        ("SMTP__HOST", "localhost"),
        ("SMTP__PORT", port),
        ("SMTP__SECURITY", security),
        ("SMTP__FROM", "Calendar Sync <sync@example.org>"),
    ];
    values.retain(|(name, _)| others.iter().all(|(other, _)| other != name));
    values.extend(others);
    values
}
