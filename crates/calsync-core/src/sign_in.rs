//! Who stands behind a browser's cookie, a program's token, or an answer of a provider's sign-in page, and how long that
//! holds. What they show is 256 random bits; only its SHA-256 is stored. Pure: it reads no cookie and draws no token.

pub mod elsewhere;
pub mod id_token;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::calendar::ProviderKind;
use crate::ids::{AccessTokenId, AccountId, UserId};
use crate::secret::Secret;
use crate::time::Ts;

/// A session ends so long after signing in, whatever happens (ASVS 5.0 §7.3.2),
pub const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// and so long after it was last used (ASVS 5.0 §7.3.1).
pub const SESSION_IDLE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// That it is used is written down at most so often.
const SEEN_APART: SignedDuration = SignedDuration::from_mins(10);
/// So long a person may take at a provider's sign-in page.
pub const CONSENT_LIFE: SignedDuration = SignedDuration::from_mins(15);
/// The link that a service without users prints holds so long; each start prints a new one.
pub const SET_UP_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// SHA-256 of something secret that somebody shows: what is stored of it, and looked up by. Who reads the database cannot
/// sign in with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// Of this token.
    pub fn of(token: &Secret) -> TokenHash {
        TokenHash(Sha256::digest(token.expose().as_bytes()).into())
    }
}

/// Somebody's browser that has signed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// What its cookie is known by.
    pub key: TokenHash,
    /// Whose it is.
    pub user: UserId,
    /// The browser, as it names itself, cut short: for the person's own list.
    pub device: String,
    /// When they signed in.
    pub created_at: Ts,
    /// When it was last used, about.
    pub seen_at: Ts,
}

/// What a session is worth now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It holds.
    Valid,
    /// It holds, and that it was used is to be written down.
    Seen,
    /// It is over.
    Over,
}

impl Session {
    /// What it is worth.
    pub fn standing(&self, now: Ts) -> Standing {
        let (age, unused) = (now.since(self.created_at), now.since(self.seen_at));
        // A stamp from the future was made by a clock that was wrong: it must not hold for ever.
        let absurd = age < -SESSION_IDLE || unused < -SESSION_IDLE;
        if age >= SESSION_LIFE || unused >= SESSION_IDLE || absurd {
            Standing::Over
        } else if unused >= SEEN_APART {
            Standing::Seen
        } else {
            Standing::Valid
        }
    }
}

/// A sign-in at a provider's page that is under way. It is answered once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consent {
    /// What its `state` is known by.
    pub key: TokenHash,
    /// The session that began it: nobody else's answer counts.
    pub session: TokenHash,
    /// Where.
    pub provider: ProviderKind,
    /// The account to be connected again; `None`: any.
    pub account: Option<AccountId>,
    /// The secret that the answer's code is exchanged with, sealed.
    pub verifier: Vec<u8>,
    /// When it was begun.
    pub begun_at: Ts,
}

/// Why an answer of a provider's page is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotOurs {
    /// Nobody began this, or it was answered already.
    #[error("this sign-in was not begun here, or it was finished before")]
    Unknown,
    /// Another browser began it.
    #[error("this sign-in was begun in another browser or by somebody else")]
    Another,
    /// It took too long.
    #[error("this sign-in took longer than 15 minutes")]
    TooLate,
}

impl Consent {
    /// Whether this session may answer it now.
    pub fn answered_by(&self, session: &TokenHash, now: Ts) -> Result<(), NotOurs> {
        let took = now.since(self.begun_at);
        if self.session != *session {
            Err(NotOurs::Another)
        } else if took > CONSENT_LIFE || took < -CONSENT_LIFE {
            Err(NotOurs::TooLate)
        } else {
            Ok(())
        }
    }
}

/// A program's way in: it may do what its user may.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AccessToken {
    /// Its id.
    pub id: AccessTokenId,
    /// Whose it is.
    pub user: UserId,
    /// What its user calls it.
    pub name: String,
    /// What it is known by.
    #[serde(skip)]
    pub key: TokenHash,
    /// When it was made.
    pub created_at: Ts,
    /// When it was last used, about.
    pub used_at: Option<Ts>,
}

impl AccessToken {
    /// Whether that it is used is to be written down.
    pub fn is_seen(&self, now: Ts) -> bool {
        self.used_at.is_none_or(|used| now.since(used) >= SEEN_APART)
    }
}

impl AccessToken {
    /// Whether that it was used is to be written down.
    pub fn is_news(&self, now: Ts) -> bool {
        self.used_at.is_none_or(|at| now.since(at).abs() >= SEEN_APART)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(hours: i64) -> Ts {
        Ts::from_secs(100_000_000 + hours * 3_600)
    }

    fn key(token: &str) -> TokenHash {
        TokenHash::of(&Secret::new(token))
    }

    #[test]
    fn a_session_ends_by_age_and_by_disuse() {
        // Created, last seen, now, in hours.
        let table = [
            ((0, 0, 0), Standing::Valid),
            ((0, 0, 1), Standing::Seen),
            ((0, 0, 7 * 24 - 1), Standing::Seen),
            ((0, 0, 7 * 24), Standing::Over),
            ((0, 29 * 24, 30 * 24 - 1), Standing::Seen),
            ((0, 29 * 24, 30 * 24), Standing::Over),
            ((3, 3, 0), Standing::Valid),
            ((400, 0, 0), Standing::Over),
            ((0, 400, 0), Standing::Over),
        ];
        for ((created, seen, now), standing) in table {
            let session = Session {
                key: key("a"),
                user: UserId(Uuid::nil()),
                device: "a browser".to_owned(),
                created_at: at(created),
                seen_at: at(seen),
            };
            assert_eq!(session.standing(at(now)), standing, "{created} {seen} {now}");
        }
    }

    #[test]
    fn an_answer_is_for_the_browser_that_began_and_in_time() {
        let consent = Consent {
            key: key("state"),
            session: key("mine"),
            provider: ProviderKind::Google,
            account: None,
            verifier: vec![1],
            begun_at: Ts::from_secs(1_000),
        };
        let answered = |who: &str, secs| consent.answered_by(&key(who), Ts::from_secs(secs));
        assert_eq!(answered("mine", 1_000), Ok(()));
        assert_eq!(answered("mine", 1_900), Ok(()));
        assert_eq!(answered("mine", 1_901), Err(NotOurs::TooLate));
        assert_eq!(answered("mine", 99), Err(NotOurs::TooLate));
        assert_eq!(answered("yours", 1_000), Err(NotOurs::Another));
    }
}
