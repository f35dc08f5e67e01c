//! PKCE (RFC 7636): the challenge that a program sends ahead, and whether a verifier fits it. It words no refusal: each
//! provider has its own.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

/// A challenge, and how it was made from its verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// It is the verifier itself.
    Plain(String),
    /// It is the verifier's SHA-256.
    S256(String),
}

/// What is wrong with a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// A method that nobody knows.
    Method,
    /// Not 43 to 128 characters.
    Length,
}

impl Challenge {
    /// From the parameters of a wish for a code; the method is `plain` when it is left out (RFC 7636 §4.3).
    pub(crate) fn read(text: Option<&str>, method: Option<&str>) -> Result<Option<Challenge>, Wrong> {
        let make = match method {
            None | Some("plain") => Challenge::Plain,
            Some("S256") => Challenge::S256,
            Some(_) => return Err(Wrong::Method),
        };
        match text {
            None => Ok(None),
            Some(text) if (43..=128).contains(&text.len()) => Ok(Some(make(text.to_owned()))),
            Some(_) => Err(Wrong::Length),
        }
    }

    /// Whether this verifier fits.
    pub(crate) fn fits(&self, verifier: &str) -> bool {
        match self {
            Challenge::Plain(challenge) => challenge == verifier,
            Challenge::S256(challenge) => {
                BASE64URL_NOPAD.encode(&Sha256::digest(verifier.as_bytes()))
                    == challenge.trim_end_matches('=')
            }
        }
    }
}
