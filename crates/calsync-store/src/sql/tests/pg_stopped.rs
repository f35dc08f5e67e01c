//! An instance that is stopped in the middle of a transaction, as by a debugger or a suspended machine: the server ends
//! what it holds, others go on, and what it does when it wakes is refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use calsync_core::ids::{AccountId, CalendarId};
use calsync_core::ports::{Store, StoreError, Wish};
use calsync_testbed::postgres::Database;

use super::super::leases::fence;
use super::super::{Migrate, SqlStore};
use crate::contract::world::{World, account, id, listed, pull, t, user};

/// The server ends an idle transaction after ten seconds. Far more, for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_go_on_without_an_instance_that_was_stopped() {
    let database = Database::shared();
    let open = async || Arc::new(SqlStore::open(database.url(), Migrate::Run).await.unwrap());
    let (stopped, other) = (open().await, open().await);
    let w = World::new(other.clone()).await;
    // Somebody else, who has nothing to do with it.
    other.add_user(&user(5)).await.unwrap();
    other.connect_account(&account(6, 5), t(1)).await.unwrap();
    let neighbour = CalendarId(id(0xe));
    let theirs = [(neighbour, listed("e"))];
    other.update_calendar_list(AccountId(id(6)), &theirs).await.unwrap();
    Store::raise(other.as_ref(), &[w.a], Wish::Changes, t(20)).await.unwrap();
    let held = stopped.claim_due_user("stopped", t(20), t(80)).await.unwrap().unwrap();
    let mut tx = stopped.db.begin().await.unwrap();
    fence(&mut tx, &held.lease).await.unwrap();

    Store::raise(other.as_ref(), &[neighbour], Wish::Changes, t(30)).await.unwrap();
    let asked = Instant::now();
    let next = other.claim_due_user("other", t(100), t(160)).await.unwrap().unwrap();
    assert_ne!(next.user, held.user, "nobody waits for a row that is held");
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    let heir = Store::claim_user(other.as_ref(), held.user, "heir", t(100), t(160)).await.unwrap();
    let heir = heir.expect("the lease ran out");
    assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
    assert!(heir.lease.token > held.lease.token);

    let woken = tx.one("SELECT 1::bigint", Vec::new()).await.err();
    assert!(matches!(woken, Some(StoreError::Unavailable(_))), "{woken:?}");
    drop(tx);
    let late = Store::apply_pull(stopped.as_ref(), &held.lease, &pull(w.a, 30)).await;
    assert!(matches!(late, Err(StoreError::LeaseLost(_))), "{late:?}");
    let kept = Store::renew_lease(stopped.as_ref(), &held.lease, t(300)).await;
    assert!(matches!(kept, Err(StoreError::LeaseLost(_))), "{kept:?}");
    Store::apply_pull(other.as_ref(), &heir.lease, &pull(w.a, 30)).await.unwrap();
    Store::close(stopped.as_ref()).await;
    Store::close(other.as_ref()).await;
}
