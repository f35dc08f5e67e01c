//! Nothing that Microsoft gave us in confidence is logged at any level, printed by any command, or stored in clear.

use calsync_sim::faults::Fault;
use serde_json::{Value, json};

use crate::graph::post;
use crate::mixed::Mixed;
use crate::place::{PATIENCE, Place, until};
use crate::secret::{Secrets, TALKATIVE, all_of};
use crate::world::{APP_SECRET, CLIENT, SOON, hour};

/// All that went over the wire and must be seen nowhere else; and how many refresh tokens and `clientState`s there were.
fn secrets(mixed: &Mixed) -> (Secrets, usize, usize) {
    let mut secrets = Secrets::of(&mixed.world.place);
    secrets.add("the client secret", APP_SECRET);
    secrets.add("the end of the client secret", "app7secret");
    let (mut refresh, mut states) = (0, 0);
    for one in mixed.world.graph.seen("POST", "/oauth2/v2.0/token") {
        for (name, value) in url::form_urlencoded::parse(one.asked.as_bytes()) {
            match name.as_ref() {
                "code" => secrets.add("a code", value.as_bytes()),
                "code_verifier" => secrets.add("a verifier", value.as_bytes()),
                "refresh_token" => secrets.add("a refresh token", value.as_bytes()),
                _ => {}
            }
        }
        let answer: Value = serde_json::from_str(&one.answered).unwrap();
        for name in ["access_token", "refresh_token", "id_token"] {
            if let Some(token) = answer[name].as_str() {
                secrets.add("a token", token);
                refresh += usize::from(name == "refresh_token");
            }
        }
    }
    for one in mixed.world.graph.seen("POST", "/v1.0/subscriptions") {
        let asked: Value = serde_json::from_str(&one.asked).unwrap();
        secrets.add("a clientState", asked["clientState"].as_str().unwrap());
        states += 1;
    }
    (secrets, refresh, states)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_microsofts_is_logged_printed_or_stored_in_clear() {
    let mut mixed = Mixed::alone(Place::new(), 77, |_| ()).await;
    for (key, value) in [("LOG__LEVEL", TALKATIVE), ("LOG__DIRECTORY", "logs")] {
        mixed.world.place.set(key, value);
    }
    mixed.join().await;
    let Mixed { world, main, team, ada, .. } = &mixed;
    let mut serving = world.place.serve().await;
    world.make(main, hour("Dentist", 24));
    world.wait_for_blocks(team, 1, PATIENCE).await;
    world.wait_for_channels(2).await;
    for (n, fault) in [Fault::TokenExpired, Fault::ErrorBefore, Fault::DropAfterWrite].into_iter().enumerate()
    {
        world.sim.faults().force(fault, 1);
        world.make(main, hour("Dentist", 30 + n as i64));
        world.wait_for_blocks(team, 2 + n, PATIENCE).await;
    }
    // The token endpoint is busy, and then well again; somebody guesses at a subscription.
    world.sim.microsoft().fail_logins(1);
    world.sim.microsoft().expire_access_tokens(ada);
    world.make(main, hour("Dentist", 40));
    world.wait_for_blocks(team, 5, SOON).await;
    let state = world.sim.cloud().with(|c| c.watch().channels().find_map(|c| c.token.clone())).unwrap();
    let almost = &state[..state.len() - 1];
    let guess = json!({"value": [{"subscriptionId": mixed.subscription(main), "clientState": almost}]});
    let path = format!("/webhooks/microsoft/{}", mixed.id_there(main));
    let answer = post(&world.place, &path, guess.to_string()).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, ""));
    // A callback and a token that are refused.
    world.sim.microsoft().remove_consent(CLIENT, ada);
    world.make(main, hour("Dentist", 50));
    until("the account wants to be connected again", PATIENCE, async || {
        (mixed.account().0 == "needs_reconnect").then_some(())
    })
    .await;
    let (mut secrets, refresh, states) = secrets(&mixed);
    secrets.add("most of a clientState", almost);
    assert!(refresh >= 3 && states >= 2, "{refresh} {states}");
    for args in [
        &["config", "show"][..],
        &["config", "show", "--json"],
        &["secrets", "status", "--json"],
        &["accounts", "list"],
        &["accounts", "list", "--json"],
        &["calendars", "list", "--json"],
        &["plan", "--json"],
    ] {
        secrets.are_absent(&args.join(" "), &all_of(&world.place.run(args).expect(0)));
    }
    let refused =
        world.connect_at(calsync_core::calendar::ProviderKind::Microsoft, crate::world::ADA, ada.as_str());
    secrets.are_absent("accounts connect", &all_of(&refused.await.expect(0)));
    serving.ask_to_stop();
    assert_eq!(serving.ended(PATIENCE).await.code(), Some(0), "{}", serving.log());
    for (name, bytes) in world.place.bytes_of(|name| name != "calendar-sync.key") {
        assert_eq!(secrets.found(&bytes), Vec::<&str>::new(), "{name}");
    }
    let log = serving.log();
    assert!(log.contains("the channel token is missing or wrong") && log.lines().count() > 10, "{log}");
    for file in std::fs::read_dir(world.place.path("logs")).unwrap() {
        secrets.are_absent("a log file", &std::fs::read(file.unwrap().path()).unwrap());
    }
}
