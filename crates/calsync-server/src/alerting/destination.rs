//! Where messages can go, as settings name it: a URL that is a secret, because whoever knows it can write there, and the
//! pager's mixture of addresses and URLs. Prints nothing of a URL but its scheme and host. Never connects.

use std::fmt;

use calsync_core::rollout;
use sha2::{Digest, Sha256};
use url::Url;

/// The URL of an incoming webhook. Prints without path and query.
#[derive(Clone, PartialEq, Eq)]
pub struct Hook(Url);

impl Hook {
    /// What is allowed, for the documentation and for errors.
    pub const ALLOWED: &str = "an https or http URL without user, password and fragment";

    /// Understands it. `None` is for what is not [`Hook::ALLOWED`].
    pub fn parse(text: &str) -> Option<Hook> {
        // The URL standard drops line breaks and tabs inside a URL, and takes a backslash for a slash: neither was meant.
        if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
            return None;
        }
        let url = Url::parse(text).ok()?;
        let plain = matches!(url.scheme(), "https" | "http")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        plain.then_some(Hook(url))
    }

    /// All of it. Every caller of this is a place where it could leak.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Tells it from the others without showing it: the beginning of its digest.
    pub fn mark(&self) -> String {
        data_encoding::HEXLOWER.encode(&Sha256::digest(self.0.as_str())[..MARK_BYTES])
    }

    /// Whether these words repeat something of it that nobody may see: its path, its query, or a long part of either, as they
    /// are written or as they read. An answer may, and many a server's "not found" does.
    pub fn is_repeated_by(&self, words: &str) -> bool {
        let words = words.to_lowercase();
        let (path, query) = (self.0.path(), self.0.query().unwrap_or_default());
        let whole = [path, query].into_iter().filter(|part| part.len() > 1).map(str::to_owned);
        let pieces =
            [path, query].into_iter().flat_map(|part| part.split(['/', '&', '='])).map(str::to_owned);
        let long = pieces.filter(|piece| piece.len() >= LONG).collect::<Vec<_>>();
        let all = whole.chain(long).collect::<Vec<_>>();
        let plain = all.iter().map(|part| decoded(part));
        all.iter().cloned().chain(plain).any(|part| words.contains(&part.to_lowercase()))
    }

    /// Its host, which people may see.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/[secret]", self.0.scheme(), self.host())
    }
}

/// So much of a digest tells a few URLs apart, and is too little to find one by.
const MARK_BYTES: usize = 4;
/// Pieces of a path that are as long as this may be what makes it secret; shorter ones are words.
const LONG: usize = 6;

/// Without its percent signs (RFC 3986 §2.1).
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Where the pager sends what is critical.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// An e-mail address.
    Email(String),
    /// An incoming webhook of Slack, or of what takes the same.
    Slack(Hook),
    /// Any other webhook.
    Webhook(Hook),
}

/// Hosts whose webhooks are Slack's.
const SLACK: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];
/// What stands before the URL of another service that takes what Slack takes.
const SLACK_PREFIX: &str = "slack:";

impl Destination {
    /// What is allowed, for the documentation and for errors.
    pub const ALLOWED: &str = "a list of e-mail addresses and https or http URLs; a URL of `hooks.slack.com`, or one with \
                               `slack:` before it, gets what Slack takes, any other one what `alerts.webhook` gets";

    /// Understands it.
    pub fn parse(text: &str) -> Option<Destination> {
        if let Some(url) = text.strip_prefix(SLACK_PREFIX) {
            return Hook::parse(url).map(Destination::Slack);
        }
        if !text.contains(':') && text.contains('@') {
            return rollout::address(text).ok().map(Destination::Email);
        }
        let hook = Hook::parse(text)?;
        Some(if SLACK.contains(&hook.host()) { Destination::Slack(hook) } else { Destination::Webhook(hook) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_shows_its_host_and_nothing_else() {
        let hook = Hook::parse("https://hooks.example.com:8443/services/T0/B0/hunter2?key=hunter2").unwrap();
        assert_eq!(format!("{hook:?}"), "https://hooks.example.com/[secret]");
        assert_eq!(hook.host(), "hooks.example.com");
    }

    #[test]
    fn what_repeats_a_part_of_a_url_is_known() {
        let hook =
            Hook::parse("https://example.com/api/T0AB/s%2Fecr%C3%A9t-one?key=hunter2pass&v=1").unwrap();
        for (words, repeats) in [
            ("{\"path\":\"/api/T0AB/s%2Fecr%C3%A9t-one\",\"status\":404}", true),
            ("Route POST:/api/T0AB/s/ecr\u{e9}t-one not found", true),
            ("no s%2fecr%c3%a9t-one here", true),
            ("unknown key HUNTER2PASS", true),
            ("key=hunter2pass&v=1", true),
            ("the api of T0AB is closed", false),
            ("no_service", false),
            ("", false),
        ] {
            assert_eq!(hook.is_repeated_by(words), repeats, "{words}");
        }
        assert!(!Hook::parse("https://example.com").unwrap().is_repeated_by("nothing at / to be found"));
        assert!(Hook::parse("https://example.com/x9").unwrap().is_repeated_by("Cannot POST /x9"));
    }

    #[test]
    fn what_is_no_plain_url_of_the_web_is_no_hook() {
        for text in [
            "",
            "hooks.example.com",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "https://",
            "https://ada@example.com/",
            "https://ada:x@example.com/",
            "https://example.com/#x",
            "https://exa mple.com/",
            "https://example.com\n/",
            "https:\\\\example.com",
            "http://example.com\\@127.0.0.1/",
            "javascript:alert(1)",
            "data:text/plain,x",
            "https://999.1.1.1/",
            "https://[::1/",
            "unix:///run/x",
            "//example.com/",
        ] {
            assert_eq!(Hook::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn destinations_are_told_apart() {
        let kind = |text: &str| match Destination::parse(text) {
            None => "none",
            Some(Destination::Email(_)) => "email",
            Some(Destination::Slack(_)) => "slack",
            Some(Destination::Webhook(_)) => "webhook",
        };
        for (text, expected) in [
            ("ada@example.com", "email"),
            ("https://hooks.slack.com/services/a/b/c", "slack"),
            ("https://events.example.com/page", "webhook"),
            ("slack:https://chat.example.com/hooks/x", "slack"),
            ("https://hooks.slack.com.example.com/x", "webhook"),
            ("slack:ada@example.com", "none"),
            ("ada", "none"),
            ("https://ada@example.com", "none"),
            ("mailto:ada@example.com", "none"),
            ("+49 30 123456", "none"),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }
}
