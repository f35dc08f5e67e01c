//! Accounts at Microsoft that can't be used, or no longer: who is told what, and how it is mended.

use std::time::Duration;

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::Store;
use calsync_sim::microsoft::Aadsts;

use crate::mixed::{ADA_THERE, Mixed};
use crate::place::{PATIENCE, Place, until};
use crate::world::{ADA, CLIENT, SOON, hour};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_is_taken_back_in_the_middle_is_told_and_a_new_one_mends_it() {
    let mixed = Mixed::new(72).await;
    let Mixed { world, google, main, team, ada, .. } = &mixed;
    // More than may be written in one go.
    for n in 0..24 {
        world.make(google, hour("Meeting", 24 + 2 * n));
    }
    let serving = world.place.serve().await;
    until("it is in the middle of it", PATIENCE, async || (world.blocks(team).len() >= 4).then_some(()))
        .await;
    world.sim.microsoft().remove_consent(CLIENT, ada);
    let words = until("the account wants to be connected again", PATIENCE, async || {
        let (status, words) = mixed.account();
        (status == "needs_reconnect").then_some(words)
    })
    .await;
    assert!(words.contains("consent") && words.contains("connect the account again"), "{words}");
    let (had, asked) = (world.blocks(team).len(), mixed.purchases());
    assert!(had < 24, "it was not in the middle");
    println!("{had} of 24 blocks stood when the consent was taken back");
    let alerts = world.place.look(async |s| s.open_alerts().await.unwrap()).await;
    assert_eq!(alerts.iter().filter(|a| a.kind == "account_needs_reconnect").count(), 1, "{alerts:?}");
    // Nothing more is tried there; at Google life goes on.
    world.make(main, hour("Board meeting", 90));
    world.make(google, hour("Dentist", 92));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((world.blocks(team).len(), mixed.purchases()), (had, asked), "{}", serving.log());
    let list = world.place.run(&["accounts", "list", "--json"]).expect(0).json();
    assert!(list.as_array().unwrap().iter().any(|a| a["provider"] == "google" && a["status"] == "active"));
    // They sign in again, beside the running service.
    world.connect_at(ProviderKind::Microsoft, ADA, ADA_THERE).await.expect(0);
    assert_eq!(mixed.account(), ("active".to_owned(), String::new()));
    let all = [google, main, team];
    until("all of it is right", PATIENCE, async || {
        let judgement = world.judge(&Mixed::mesh(&all));
        (judgement.is_good() && judgement.blocks == 2 * 25 + 2).then_some(())
    })
    .await;
    let alerts = world.place.look(async |s| s.open_alerts().await.unwrap()).await;
    assert!(alerts.is_empty(), "{alerts:?}");
    world.wait_for_channels(3).await;
    world.make(team, hour("Lunch", 94));
    world.wait_for_blocks(google, 2, SOON).await;
    assert!(!serving.log().contains("ERROR"), "{}", serving.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_client_secret_is_the_operators_and_nobody_has_to_connect_again() {
    let mut mixed = Mixed::only_there(73).await;
    let right = crate::world::APP_SECRET;
    mixed.world.place.set("MICROSOFT__CLIENT_SECRET", "another7secret");
    mixed.world.make(&mixed.main, hour("Dentist", 24));
    let serving = mixed.world.place.serve().await;
    until("it was tried", SOON, async || serving.log().contains("client secret is wrong").then_some(()))
        .await;
    let tried = mixed.purchases();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(mixed.account(), ("active".to_owned(), String::new()), "{}", serving.log());
    println!("{} purchases were tried within a second with the wrong secret", mixed.purchases() - tried);
    assert!(mixed.purchases() - tried < 10, "and not without a pause");
    let alerts = mixed.world.place.look(async |s| s.open_alerts().await.unwrap()).await;
    assert!(alerts.iter().all(|a| a.kind != "account_needs_reconnect"), "{alerts:?}");
    let refused = mixed.world.connect_at(ProviderKind::Microsoft, ADA, ADA_THERE).await.expect(5);
    let refused = refused.says(&["client secret is wrong", "microsoft.client_secret"]);
    for said in [&serving.log(), &refused.err, &refused.out] {
        assert!(!said.contains("another7secret"), "{said}");
    }
    drop(serving);
    mixed.world.place.set("MICROSOFT__CLIENT_SECRET", right);
    let _serving = mixed.world.place.serve().await;
    mixed.world.wait_for_blocks(&mixed.team, 1, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_be_connected_is_told_why_and_nothing_is_stored() {
    let mixed = Mixed::alone(Place::new(), 74, |_| ()).await;
    let (world, microsoft) = (&mixed.world, mixed.world.sim.microsoft());
    world.place.run(&["users", "add", ADA]).expect(0);
    let connect = async || world.connect_at(ProviderKind::Microsoft, ADA, ADA_THERE).await;
    microsoft.set_mailbox(&mixed.ada, false);
    connect().await.expect(5).says(&["no calendar at Microsoft", "guest", "licence"]);
    microsoft.set_mailbox(&mixed.ada, true);
    for (demand, words) in [
        (Aadsts::ADMIN, ["administrator", "approve"]),
        (Aadsts::BLOCKED, ["Conditional Access", "administrator"]),
        (Aadsts::MFA, ["second factor", "again"]),
        (Aadsts::BUSY, ["sign-in", "fault"]),
    ] {
        microsoft.demand(&mixed.ada, Some(demand));
        connect().await.expect(5).says(&words);
    }
    microsoft.demand(&mixed.ada, None);
    microsoft.refuse_consent(&mixed.ada);
    connect().await.expect(5).says(&["not allowed"]);
    assert_eq!(world.place.run(&["accounts", "list", "--json"]).expect(0).json(), serde_json::json!([]));
    let unknown = ["accounts", "connect", ADA, "--provider", "outlook"];
    world.place.run(&unknown).expect(2).says(&["microsoft"]);
    // Without a client of its own, the operator is told which settings are missing.
    let mut bare = Place::new();
    bare.set("GOOGLE__CLIENT_ID", "x");
    bare.set("GOOGLE__CLIENT_SECRET", "x");
    bare.run(&["migrate"]).expect(0);
    bare.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    bare.run(&["users", "add", ADA]).expect(0);
    let refused = bare.run(&["accounts", "connect", ADA, "--provider", "microsoft", "--port", "0"]);
    assert_ne!(refused.code, 0);
    refused.says(&["microsoft.client_id", "microsoft.client_secret"]);
}
