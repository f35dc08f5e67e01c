//! Signing in at the organisation's own provider: what is under way, who may answer it, and whom an answer lets in. Pure: it
//! sends nobody anywhere, and asks nobody.

use serde::{Deserialize, Serialize};

use super::id_token::{Address, Person};
use super::{CONSENT_LIFE, NotOurs, TokenHash};
use crate::calendar::User;
use crate::ids::UserId;
use crate::secret::Secret;
use crate::time::Ts;

/// A sign-in that is under way. It rides, sealed, in a cookie of the browser that began it, so that whoever begins one and
/// goes away leaves nothing behind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Begun {
    /// What comes back with the answer.
    pub state: Secret,
    /// What the ID token repeats.
    pub nonce: Secret,
    /// The secret that the answer's code is exchanged with.
    pub verifier: Secret,
    /// Where to go then: a path of ours.
    pub next: String,
    /// When it was begun.
    pub begun_at: Ts,
}

impl Begun {
    /// Whether an answer with this `state` is the one to it, now.
    ///
    /// # Errors
    /// Why not.
    pub fn answered_by(&self, state: &Secret, now: Ts) -> Result<(), NotOurs> {
        let took = now.since(self.begun_at);
        if self.state != *state {
            Err(NotOurs::Another)
        } else if took.abs() > CONSENT_LIFE {
            Err(NotOurs::TooLate)
        } else {
            Ok(())
        }
    }

    /// What is remembered of it, so that it is answered once.
    pub fn key(&self) -> TokenHash {
        TokenHash::of(&self.state)
    }
}

/// A user as another provider of identities knows them. By this they are known from then on, whatever becomes of their
/// address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Who, here.
    pub user: UserId,
    /// The provider.
    pub issuer: String,
    /// Who, there.
    pub subject: String,
    /// When they first came by it.
    pub since: Ts,
}

/// Whom an answer lets in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// This user, who came by it before.
    Known(User),
    /// Whoever has this address here, for the first time.
    ByAddress(String),
    /// Nobody.
    Nobody(Unknown),
}

/// Why somebody who signed in elsewhere is not let in here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// No user has their address.
    Stranger(String),
    /// Their address may be anybody's.
    Unverified(String),
    /// They have none.
    NoAddress,
    /// The user with their address came by somebody else's identity before.
    Taken(String),
}

impl Entry {
    /// Of this person, who is `known` here or not. Who is known counts by that alone: an address can change hands.
    pub fn of(person: &Person, known: Option<User>) -> Entry {
        match (known, &person.address) {
            (Some(user), _) => Entry::Known(user),
            (None, Address::Verified(email)) => Entry::ByAddress(email.trim().to_lowercase()),
            (None, Address::Unverified(email)) => Entry::Nobody(Unknown::Unverified(email.trim().to_owned())),
            (None, Address::Untold) => Entry::Nobody(Unknown::NoAddress),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_answer_is_for_the_browser_that_began_and_in_time() {
        let begun = Begun {
            state: Secret::new("state"),
            nonce: Secret::new("nonce"),
            verifier: Secret::new("verifier"),
            next: "/".to_owned(),
            begun_at: Ts::from_secs(1_000),
        };
        let answered = |state: &str, secs| begun.answered_by(&Secret::new(state), Ts::from_secs(secs));
        assert_eq!(answered("state", 1_000), Ok(()));
        assert_eq!(answered("state", 1_900), Ok(()));
        assert_eq!(answered("state", 1_901), Err(NotOurs::TooLate));
        assert_eq!(answered("state", 99), Err(NotOurs::TooLate));
        assert_eq!(answered("stat", 1_000), Err(NotOurs::Another));
        assert_eq!(answered("", 1_000), Err(NotOurs::Another));
        assert!(!format!("{begun:?}").contains("verifier\""), "{begun:?}");
    }

    #[test]
    fn who_is_known_counts_before_any_address() {
        let ada = User {
            id: UserId(Uuid::from_u128(1)),
            email: "ada@example.com".to_owned(),
            is_staff: false,
            created_at: Ts::from_secs(0),
        };
        let person = |address| Person { subject: "u-1".to_owned(), address };
        let verified = person(Address::Verified(" Grace@Example.com".to_owned()));
        let unverified = person(Address::Unverified("grace@example.com".to_owned()));
        let untold = person(Address::Untold);
        for one in [&verified, &unverified, &untold] {
            assert_eq!(Entry::of(one, Some(ada.clone())), Entry::Known(ada.clone()));
        }
        assert_eq!(Entry::of(&verified, None), Entry::ByAddress("grace@example.com".to_owned()));
        let claimed = Unknown::Unverified("grace@example.com".to_owned());
        assert_eq!(Entry::of(&unverified, None), Entry::Nobody(claimed));
        assert_eq!(Entry::of(&untold, None), Entry::Nobody(Unknown::NoAddress));
    }
}
