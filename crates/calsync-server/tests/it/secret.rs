//! Secrets stay secret: no token, key or client secret is logged at any level, printed by any command, or stored in
//! clear.

use calsync_sim::cloud::names::CalendarId;
use calsync_sim::faults::Fault;
use data_encoding::{BASE64, HEXLOWER};

use crate::channels::now;
use crate::place::{PATIENCE, Place, Ran};
use crate::world::{ADA, CLIENT_SECRET, SOON, World, hour};

/// Everything of ours at its most talkative.
pub(crate) const TALKATIVE: &str = "warn,calendar_sync=trace,calsync_server=trace,calsync_engine=trace,calsync_store=trace,\
                         calsync_providers=trace,calsync_core=trace";

/// What must never be seen, by what it is.
pub(crate) struct Secrets(Vec<(&'static str, Vec<u8>)>);

impl Secrets {
    /// What every place has.
    pub(crate) fn of(place: &Place) -> Secrets {
        let mut secrets = Secrets(Vec::new());
        let key = std::fs::read_to_string(place.path("calendar-sync.key")).unwrap();
        let bytes = BASE64.decode(key.trim().as_bytes()).expect("the key file holds base64");
        secrets.add("the sealing key in hex", HEXLOWER.encode(&bytes));
        secrets.add("the sealing key", key.trim());
        secrets.add("the bytes of the sealing key", bytes);
        secrets
    }

    pub(crate) fn add(&mut self, what: &'static str, secret: impl Into<Vec<u8>>) {
        let secret = secret.into();
        assert!(secret.len() >= 4, "{what} is too short to be looked for");
        self.0.push((what, secret));
    }

    /// The names of those that are found.
    pub(crate) fn found(&self, bytes: &[u8]) -> Vec<&'static str> {
        let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|w| w == secret);
        self.0.iter().filter(|(_, secret)| holds(secret)).map(|(what, _)| *what).collect()
    }

    #[track_caller]
    pub(crate) fn are_absent(&self, place: &str, bytes: &[u8]) {
        assert_eq!(self.found(bytes), Vec::<&str>::new(), "{place}: {}", String::from_utf8_lossy(bytes));
    }
}

/// The secrets of a world: those that can be known, and the beginnings of all others that Google's look-alike gives out.
fn secrets(world: &World, refresh: &str) -> Secrets {
    let mut secrets = Secrets::of(&world.place);
    secrets.add("the refresh token from the file", refresh);
    secrets.add("any refresh token", "1//0");
    secrets.add("any access token", "ya29.");
    secrets.add("the client secret", CLIENT_SECRET);
    secrets
}

pub(crate) fn all_of(ran: &Ran) -> Vec<u8> {
    format!("{}\n{}", ran.out, ran.err).into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_logged_printed_or_stored_in_clear() {
    let mut world = World::new(50).await;
    world.place.make_public();
    for (key, value) in [("LOG__LEVEL", TALKATIVE), ("LOG__DIRECTORY", "logs"), ("SYNC__POLL_SECONDS", "1")] {
        world.place.set(key, value);
    }
    let (main, work) = (CalendarId::from(ADA), CalendarId::from("work@group.calendar.google.com"));
    let ada = world.sim.cloud().with(|cloud| cloud.add_person(ADA, "Ada", "Europe/Vienna", now())).unwrap();
    let new = crate::world::calendar(&work, "Work", &ada);
    world.sim.cloud().with(|cloud| cloud.add_calendar(new, now())).unwrap();
    world.place.run(&["users", "add", ADA]).expect(0);
    let refresh = world.refresh_token(ADA).await;
    std::fs::write(world.place.path("token.txt"), &refresh).unwrap();
    let secrets = &mut secrets(&world, &refresh);
    let connected =
        world.place.run(&["accounts", "connect", ADA, "--refresh-token-file", "token.txt", "--json"]);
    secrets.are_absent("accounts connect", &all_of(&connected.expect(0)));
    std::fs::remove_file(world.place.path("token.txt")).unwrap();
    world.enable_all();

    // Life with push, a renewed access token, and errors of every kind on the way.
    let mut serving = world.place.serve().await;
    world.make(&main, hour("Dentist", 24));
    world.wait_for_blocks(&work, 1, PATIENCE).await;
    world.wait_for_channels(2).await;
    let faults = [
        (Fault::TokenExpired, 1),
        (Fault::ErrorBefore, 2),
        (Fault::DropBefore, 2),
        (Fault::DropAfterWrite, 2),
    ];
    for (n, (fault, times)) in faults.into_iter().enumerate() {
        world.sim.faults().force(fault, times);
        world.make(&main, hour("Dentist", 30 + n as i64));
        world.wait_for_blocks(&work, 2 + n, PATIENCE).await;
    }
    world.sim.google().expire_access_tokens(&ada);
    world.make(&main, hour("Dentist", 40));
    world.wait_for_blocks(&work, 6, SOON).await;
    let tokens: Vec<String> =
        world.sim.cloud().with(|cloud| cloud.watch().channels().filter_map(|c| c.token.clone()).collect());
    assert_eq!(tokens.len(), 2, "each channel has its own");
    secrets.add("a channel's token", tokens[0].clone());
    secrets.add("another channel's token", tokens[1].clone());
    // Somebody guesses at a channel, and hits all but the last character.
    let mut almost = tokens[0].clone();
    almost.pop();
    secrets.add("most of a channel's token", almost.clone());
    let url = world.place.url(&format!("/webhooks/google/{}/", world.id_of(&main)));
    let guess = crate::web::client().post(url).header("X-Goog-Channel-Token", almost);
    let guess = guess.header("X-Goog-Channel-ID", "x").header("X-Goog-Resource-ID", "x");
    let answer = crate::web::read(guess.header("X-Goog-Message-Number", "7").send().await.unwrap()).await;
    assert_eq!(answer.status, 403);
    secrets.are_absent("an answer", answer.body.as_bytes());

    for args in [
        &["config", "show"][..],
        &["config", "show", "--json"],
        &["config", "check"],
        &["secrets", "status"],
        &["secrets", "status", "--json"],
        &["accounts", "list", "--json"],
        &["calendars", "list", "--json"],
        &["users", "list", "--json"],
        &["plan", "--json"],
        &["sync-calendars", "--mode", "full", "--json"],
    ] {
        secrets.are_absent(&args.join(" "), &all_of(&world.place.run(args).expect(0)));
    }
    for (name, bytes) in world.place.bytes_of(|name| name.starts_with("calendar-sync.db")) {
        assert_eq!(secrets.found(&bytes), Vec::<&str>::new(), "{name}, while it runs");
    }
    // The grant is taken back: the owner is told what to do, and nobody what the token was.
    world.sim.google().revoke_grant(&ada, crate::world::CLIENT);
    world.sim.google().expire_access_tokens(&ada);
    world.make(&main, hour("Dentist", 50));
    crate::place::until("the account wants to be connected again", PATIENCE, async || {
        let list = world.place.run(&["accounts", "list"]).expect(0);
        secrets.are_absent("accounts list", &all_of(&list));
        list.out.contains("needs reconnect").then_some(())
    })
    .await;
    serving.ask_to_stop();
    assert_eq!(serving.ended(PATIENCE).await.code(), Some(0), "{}", serving.log());
    for (name, bytes) in world.place.bytes_of(|name| name != "calendar-sync.key") {
        assert_eq!(secrets.found(&bytes), Vec::<&str>::new(), "{name}, afterwards");
    }
    let log = serving.log();
    assert!(log.contains("calendar-sync serves") && log.lines().count() > 5, "{log}");
    for file in std::fs::read_dir(world.place.path("logs")).unwrap() {
        secrets.are_absent("a log file", &std::fs::read(file.unwrap().path()).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_client_secret_is_told_without_being_repeated() {
    let mut world = World::new(51).await;
    let ada = world.sim.cloud().with(|cloud| cloud.add_person(ADA, "Ada", "Europe/Vienna", now())).unwrap();
    world.place.run(&["users", "add", ADA]).expect(0);
    let refresh = world.refresh_token(ada.as_str()).await;
    std::fs::write(world.place.path("token.txt"), &refresh).unwrap();
    world.place.set("GOOGLE__CLIENT_SECRET", "GOCSPX-another7secret");
    for args in [
        &["accounts", "connect", ADA, "--refresh-token-file", "token.txt"][..],
        &["accounts", "connect", ADA, "--refresh-token-file", "token.txt", "--json"],
    ] {
        let refused = world.place.run(args).expect(5);
        assert!(refused.err.contains("client"), "{}", refused.err);
        let mut secrets = secrets(&world, &refresh);
        secrets.add("the wrong client secret", "GOCSPX-another7secret");
        secrets.are_absent("accounts connect", &all_of(&refused));
    }
}
