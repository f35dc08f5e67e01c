//! Passwords: hashed with Argon2id, a few at a time, on threads of their own. Whether a name is known cannot be told from how
//! long the answer takes. It stores nothing.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use calsync_core::secret::Secret;
use tokio::sync::Semaphore;

use crate::http::ApiError;
use crate::system::{Random, SystemRandom};

/// Fewest characters (NIST SP 800-63B-4 §3.1.1.2 asks for 15 where a password stands alone; we take 12).
pub(crate) const AT_LEAST: usize = 12;
/// Longest that is hashed, in bytes.
const AT_MOST: usize = 1_000;
/// Hashes at once: each takes 19 MiB (OWASP's first choice for Argon2id: 19 MiB, two rounds).
const AT_ONCE: usize = 2;
/// Those that wait for their turn; more are sent away.
const WAITING: usize = 32;
/// What the password of nobody is compared with: the hash of a random one.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$1lTqqqWGVHjtU2MFMqzLWzZm0rW0gTrYhBnXxUb2w7k";

/// Hashing under a limit.
#[derive(Clone, Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Passwords { turns: Arc::new(Semaphore::new(AT_ONCE)), places: Arc::new(Semaphore::new(WAITING)) }
    }
}

/// What is wrong with a password that somebody chooses.
pub(crate) fn problem(password: &Secret, email: &str) -> Option<String> {
    let text = password.expose();
    if text.len() > AT_MOST {
        return Some(format!("a password may have at most {AT_MOST} bytes"));
    }
    if text.chars().count() < AT_LEAST {
        return Some(format!("choose a password of at least {AT_LEAST} characters"));
    }
    let mut letters = text.chars();
    let first = letters.next();
    if letters.all(|letter| Some(letter) == first) {
        return Some("a password of one letter is no password".to_owned());
    }
    (text.eq_ignore_ascii_case(email)).then(|| "your address is no password".to_owned())
}

impl Passwords {
    /// The hash of a password, in the PHC form.
    pub(crate) async fn hash(&self, password: Secret) -> Result<String, ApiError> {
        self.work(move || {
            let mut salt = [0u8; 16];
            SystemRandom.fill(&mut salt);
            let hash: Result<PasswordHash, _> =
                Argon2::default().hash_password_with_salt(password.expose().as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).map_err(|error| {
                tracing::error!(%error, "a password could not be hashed");
                ApiError::internal()
            })
        })
        .await?
    }

    /// Whether this is the password with this hash; it takes as long where there is none.
    pub(crate) async fn is(&self, password: Secret, hash: Option<String>) -> Result<bool, ApiError> {
        if password.expose().len() > AT_MOST {
            return Ok(false);
        }
        self.work(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
            let Ok(hash) = PasswordHash::new(&hash) else {
                tracing::error!("the hash of a password is unreadable");
                return false;
            };
            Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok() && known
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let busy = || ApiError::unavailable("too many people are signing in at once", 2);
        let place = self.places.clone().try_acquire_owned().map_err(|_| busy())?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| busy())?;
        let hashing = tokio::task::spawn_blocking(move || {
            // Whoever asked may hang up meanwhile; what was begun takes its time and its memory all the same.
            let _held = (place, turn);
            work()
        });
        hashing.await.map_err(|error| {
            tracing::error!(%error, "a password could not be looked at");
            ApiError::internal()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_and_nobody_has_one() {
        let passwords = Passwords::default();
        let right = Secret::new("correct horse battery");
        let hash = passwords.hash(right.clone()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash(right.clone()).await.unwrap(), "each has its salt");
        assert!(passwords.is(right.clone(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.is(Secret::new("Correct horse battery"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.is(right.clone(), None).await.unwrap());
        assert!(!passwords.is(right, Some("nonsense".to_owned())).await.unwrap());
        assert!(!passwords.is(Secret::new("x".repeat(2_000)), Some(hash)).await.unwrap());
        assert!(PasswordHash::new(NOBODY).is_ok());
    }

    #[tokio::test]
    async fn who_hangs_up_makes_no_room_for_more_hashes_at_once() {
        let passwords = Passwords::default();
        let (finish, until) = std::sync::mpsc::channel::<()>();
        let until = Arc::new(std::sync::Mutex::new(until));
        for _ in 0..AT_ONCE {
            let until = until.clone();
            let asked = Box::pin(passwords.work(move || until.lock().unwrap().recv().is_err()));
            assert!(
                futures_util::poll!(asked).is_pending(),
                "it has begun, and nobody waits for it any more"
            );
        }
        let free = || (passwords.turns.available_permits(), passwords.places.available_permits());
        assert_eq!(free(), (0, WAITING - AT_ONCE));
        drop(finish);
        while free() != (AT_ONCE, WAITING) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    #[test]
    fn what_is_no_password() {
        let problem = |text: &str| problem(&Secret::new(text), "ada.lovelace@example.com");
        assert_eq!(problem("correct horse battery"), None);
        assert_eq!(problem("pässwörtchen"), None, "characters count, not bytes");
        for bad in ["short", "aaaaaaaaaaaaaaaaaaaa", "Ada.Lovelace@example.com", &"x y".repeat(400)] {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }
}
