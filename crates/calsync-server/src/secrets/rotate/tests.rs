//! A change of keys from end to end, on the reference store.

use calsync_core::calendar::{Account, AccountStatus, ProviderKind, User};
use calsync_core::ids::UserId;
use calsync_core::ports::{ConnectAccount, IdGen};
use calsync_core::time::Ts;
use calsync_store::MemoryStore;

use super::*;
use crate::secrets::{SealingKey, identity};
use crate::system::SystemRandom;

const RANDOM: &dyn Random = &SystemRandom;

fn now() -> Ts {
    "2026-11-22T08:00:00Z".parse().unwrap()
}

async fn account(store: &MemoryStore, ring: &Keyring, name: &str) -> AccountId {
    let user = User {
        id: UserId(SystemRandom.uuid(now())),
        email: format!("{name}@example.com"),
        is_staff: false,
        created_at: now(),
    };
    store.add_user(&user).await.unwrap();
    let account = Account {
        id: AccountId(SystemRandom.uuid(now())),
        user: user.id,
        provider: ProviderKind::Google,
        remote_id: name.into(),
        email: user.email,
        status: AccountStatus::Active,
        status_detail: None,
        created_at: now(),
    };
    let sealed = ring.seal(&Place::credentials(account.id), name.as_bytes(), RANDOM);
    let credentials = SealedCredentials { sealed, version: 1 };
    store.connect_account(&ConnectAccount { account, credentials }, now()).await.unwrap()
}

#[tokio::test]
async fn a_key_is_changed_without_losing_anything() {
    let (old, new) = (SealingKey::generate(RANDOM), SealingKey::generate(RANDOM));
    let store = MemoryStore::new();
    let before = Keyring::new(old.clone(), vec![]);
    let named = identity::load(&store, &before, RANDOM).await.unwrap();
    let ada = account(&store, &before, "ada").await;
    account(&store, &before, "grace").await;

    let after = Keyring::new(new.clone(), vec![old.clone()]);
    assert_eq!(inventory(&store, &after).await.unwrap().by_key, [(Some(old.id()), 3)].into());
    let done = rotate(&store, &after, RANDOM).await.unwrap();
    assert_eq!(done, Rotation { resealed: 3, already: 0, failed: vec![] });
    let again = rotate(&store, &after, RANDOM).await.unwrap();
    assert_eq!(again, Rotation { resealed: 0, already: 3, failed: vec![] });

    let alone = Keyring::new(new, vec![]);
    let found = inventory(&store, &alone).await.unwrap();
    assert!(found.unreadable.is_empty(), "{found:?}");
    let sealed = store.credentials(ada).await.unwrap().unwrap();
    assert_eq!(alone.open(&Place::credentials(ada), &sealed.sealed), Ok(b"ada".to_vec()));
    assert_eq!(sealed.version, 2);
    let still = identity::load(&store, &alone, RANDOM).await.unwrap();
    let probe = calsync_core::ids::CorrelationId(uuid::Uuid::nil());
    assert_eq!(named.marker(probe, &"e".into()), still.marker(probe, &"e".into()), "blocks keep their names");
}

#[tokio::test]
async fn a_missing_key_is_named_and_nothing_is_touched() {
    let (lost, new) = (SealingKey::generate(RANDOM), SealingKey::generate(RANDOM));
    let store = MemoryStore::new();
    let ring = Keyring::new(lost.clone(), vec![]);
    identity::load(&store, &ring, RANDOM).await.unwrap();
    let ada = account(&store, &ring, "ada").await;
    let before = store.credentials(ada).await.unwrap();
    let wrong = Keyring::new(new, vec![]);
    let done = rotate(&store, &wrong, RANDOM).await.unwrap();
    assert_eq!((done.resealed, done.failed.len()), (0, 2));
    assert!(done.failed.iter().all(|line| line.contains(&lost.id().to_string())), "{done:?}");
    assert_eq!(store.credentials(ada).await.unwrap(), before);
    let error = identity::load(&store, &wrong, RANDOM).await.unwrap_err().to_string();
    assert!(error.contains(&lost.id().to_string()) && error.contains("secrets.previous_keys"), "{error}");
}

#[tokio::test]
async fn credentials_of_one_account_do_not_open_in_another() {
    let ring = Keyring::new(SealingKey::generate(RANDOM), vec![]);
    let store = MemoryStore::new();
    let (ada, grace) = (account(&store, &ring, "ada").await, account(&store, &ring, "grace").await);
    let stolen = store.credentials(ada).await.unwrap().unwrap();
    store.replace_credentials(grace, 1, &SealedCredentials { version: 2, ..stolen }).await.unwrap();
    let found = inventory(&store, &ring).await.unwrap();
    assert_eq!(found.unreadable.len(), 1);
    assert!(found.unreadable[0].contains(&grace.to_string()), "{found:?}");
}

#[tokio::test]
async fn the_identity_outlives_the_database_with_its_oldest_key() {
    let (old, new) = (SealingKey::generate(RANDOM), SealingKey::generate(RANDOM));
    let probe = calsync_core::ids::CorrelationId(uuid::Uuid::nil());
    let first =
        identity::load(&MemoryStore::new(), &Keyring::new(old.clone(), vec![]), RANDOM).await.unwrap();
    let rebuilt = identity::load(&MemoryStore::new(), &Keyring::new(new, vec![old]), RANDOM).await.unwrap();
    assert_eq!(first.marker(probe, &"e".into()), rebuilt.marker(probe, &"e".into()));
}
