//! Links that let somebody in once: the first user of all, and whoever is to choose a password. A link is sealed, not stored:
//! it names whom it is for, until when it holds, and the password that was in force when it was made, so that using it ends it.

use calsync_core::calendar::User;
use calsync_core::ids::UserId;
use calsync_core::secret::Secret;
use calsync_core::sign_in::SET_UP_LIFE;
use calsync_core::time::Ts;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::secrets::{Keyring, Place};
use crate::system::SystemRandom;

/// How long somebody may take to choose a password.
const INVITATION_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Makes links and knows them again.
#[derive(Clone, Debug)]
pub struct Links(Keyring);

#[derive(Serialize, Deserialize)]
struct First {
    until: Ts,
}

#[derive(Serialize, Deserialize)]
struct Invitation {
    user: UserId,
    until: Ts,
    /// What the password in force is known by; none, where there is none.
    present: Option<String>,
}

impl Links {
    /// With these keys.
    pub fn new(ring: Keyring) -> Links {
        Links(ring)
    }

    /// The path that makes the first user.
    pub fn first(&self, now: Ts) -> Secret {
        self.path("welcome", &First { until: now.plus(SET_UP_LIFE) })
    }

    /// The path by which somebody chooses a password; `present` is the hash of the one in force.
    pub fn invitation(&self, user: &User, present: Option<&str>, now: Ts) -> Secret {
        let until = now.plus(INVITATION_LIFE);
        self.path("password", &Invitation { user: user.id, until, present: present.map(digest) })
    }

    /// Whether this is a link for the first user that still holds.
    pub(super) fn is_first(&self, link: &str, now: Ts) -> bool {
        self.open::<First>("welcome", link).is_some_and(|first| now < first.until)
    }

    /// Whom this link invites, if it still holds as far as it can tell itself.
    pub(super) fn invited(&self, link: &str, now: Ts) -> Option<Invited> {
        let invitation: Invitation = self.open("password", link)?;
        (now < invitation.until).then_some(Invited { user: invitation.user, present: invitation.present })
    }

    fn path(&self, what: &str, content: &impl Serialize) -> Secret {
        let plain = serde_json::to_vec(content).unwrap_or_default();
        let sealed = self.0.seal(&place(what), &plain, &SystemRandom);
        Secret::new(format!("/{what}/{}", BASE64URL_NOPAD.encode(&sealed)))
    }

    fn open<T: for<'a> Deserialize<'a>>(&self, what: &str, link: &str) -> Option<T> {
        let sealed = BASE64URL_NOPAD.decode(link.as_bytes()).ok()?;
        let plain = self.0.open(&place(what), &sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

/// Whom a link invites.
pub(super) struct Invited {
    /// Who.
    pub(super) user: UserId,
    present: Option<String>,
}

impl Invited {
    /// Whether the password is still the one that was in force when the link was made: it is used up by choosing one.
    pub(super) fn is_unused(&self, present: Option<&str>) -> bool {
        self.present == present.map(digest)
    }
}

fn place(what: &str) -> Place {
    Place { table: "link", column: "path", row: what.to_owned() }
}

/// A hash is salted: its own digest says nothing about the password.
fn digest(hash: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(hash.as_bytes())[..16])
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::secrets::SealingKey;
    use crate::system::Random;

    struct Known(u8);

    impl Random for Known {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn links(byte: u8) -> Links {
        Links::new(Keyring::new(SealingKey::generate(&Known(byte)), vec![]))
    }

    fn token(path: &Secret) -> String {
        path.expose().rsplit('/').next().unwrap().to_owned()
    }

    #[test]
    fn a_link_holds_for_its_time_for_its_purpose_and_once() {
        let (links, now) = (links(1), Ts::from_secs(1_000_000));
        let user = User {
            id: UserId(Uuid::from_u128(7)),
            email: "ada@example.com".to_owned(),
            is_staff: false,
            created_at: now,
        };
        let first = token(&links.first(now));
        assert!(links.is_first(&first, now) && !links.is_first(&first, now.plus(SET_UP_LIFE)));
        let invitation = token(&links.invitation(&user, Some("hash"), now));
        let invited = links.invited(&invitation, now).unwrap();
        assert_eq!(invited.user, user.id);
        assert!(
            invited.is_unused(Some("hash")) && !invited.is_unused(Some("other")) && !invited.is_unused(None)
        );
        assert!(links.invited(&invitation, now.plus(INVITATION_LIFE)).is_none());
        assert!(!links.is_first(&invitation, now), "one is not the other");
        assert!(links.invited(&first, now).is_none());
        assert!(!self::links(2).is_first(&first, now), "another installation's");
        for nonsense in ["", "x", &first[1..], &format!("{first}A")] {
            assert!(!links.is_first(nonsense, now), "{nonsense}");
        }
    }
}
