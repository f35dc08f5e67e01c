//! Busy-only means busy only: what people write into their events never leaves the calendar it was written into. Every
//! text of theirs carries a canary, and the canary is looked for everywhere.

use std::time::Duration;

use calsync_core::ports::Store;
use calsync_sim::cloud::content::{Attendee, Content, Status};
use calsync_sim::cloud::names::CalendarId;
use calsync_sim::faults::Fault;

use crate::channels::now;
use crate::place::{PATIENCE, until};
use crate::secret::TALKATIVE;
use crate::wire::Wire;
use crate::world::{CLIENT, SOON, World, hour};

/// It stands in every text of the source events, and nowhere else.
const CANARY: &str = "Kanari7vogel";

/// The event with canaries in all its texts.
fn marked(content: Content) -> Content {
    let guest = |name: &str| Attendee {
        email: format!("{}-{name}@example.net", CANARY.to_lowercase()),
        name: Some(format!("{CANARY} {name}")),
        ..Attendee::default()
    };
    let mut content = content;
    content.summary = Some(format!("Interview with {CANARY}"));
    content.description = Some(format!("Salary of {CANARY}: \"too much\""));
    content.location = Some(format!("{CANARY} street 1"));
    content.attendees = vec![guest("one"), guest("two")];
    content.private.insert("note".to_owned(), CANARY.to_owned());
    content.shared.insert("note".to_owned(), CANARY.to_owned());
    content
}

/// Where a canary is found among these bytes, whatever its case.
fn sings(bytes: &[u8]) -> bool {
    let wanted = CANARY.to_lowercase();
    bytes.to_ascii_lowercase().windows(wanted.len()).any(|w| w == wanted.as_bytes())
}

/// Writes of the program whose content holds a canary.
fn told(world: &World) -> Vec<String> {
    world.sim.cloud().with(|cloud| {
        let ours = cloud.journal().entries().filter(|e| e.client.as_str() == CLIENT);
        ours.map(|e| format!("{:?} {:?}", e.after.content, e.params))
            .filter(|t| sings(t.as_bytes()))
            .collect()
    })
}

/// Lives through a day of everything that events can be, with errors in between; returns the first event.
async fn live(world: &World, main: &CalendarId, work: &CalendarId) {
    let at = now();
    let series = world.make(main, marked(hour("", 26).repeating("RRULE:FREQ=DAILY;COUNT=6")));
    world.make(main, marked(Content { status: Status::Tentative, ..hour("", 24) }));
    let day = calsync_core::zone::find_or_utc("UTC");
    let day = now().to_jiff().to_zoned(day).date().tomorrow().unwrap();
    world.make(main, marked(Content::all_day("", day, day.tomorrow().unwrap())));
    world.wait_for_blocks(work, 8, SOON).await;
    // An occurrence moves, an event moves, an event goes; and the provider has a bad moment each time.
    for (n, fault) in
        [Fault::ErrorBefore, Fault::ErrorAfterWrite, Fault::DropAfterWrite, Fault::SyncTokenLost]
            .into_iter()
            .enumerate()
    {
        world.sim.faults().force(fault, 2);
        world.make(main, marked(hour("", 50 + 2 * n as i64)));
        world.wait_for_blocks(work, 9 + n, PATIENCE).await;
    }
    world.sim.cloud().with(|cloud| cloud.cancel_event(main, &series, at)).unwrap();
    world.wait_for_blocks(work, 6, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_word_of_an_event_is_stored_logged_or_sent() {
    let (mut world, main, work) = World::with_ada(40).await;
    for (key, value) in [("LOG__LEVEL", "debug"), ("LOG__DIRECTORY", "logs"), ("SYNC__POLL_SECONDS", "1")] {
        world.place.set(key, value);
    }
    let serving = world.place.serve().await;
    live(&world, &main, &work).await;
    // What people and programs see of it, errors included.
    let mut seen = String::new();
    world.sim.faults().force(Fault::ErrorBefore, 1_000);
    let failed = world.place.run(&["sync-calendars", "--mode", "full", "--json"]).expect(5);
    world.sim.faults().force(Fault::ErrorBefore, 0);
    seen.push_str(&failed.out);
    seen.push_str(&failed.err);
    for args in [
        &["plan", "--json"][..],
        &["explain", "--json", &crate::world::in_hours(24).to_string()],
        &["calendars", "list", "--json"],
        &["accounts", "list", "--json"],
        &["rules", "list", "--json"],
        &["sync-calendars", "--mode", "full", "--json"],
        &["approve", "Work"],
    ] {
        let ran = world.place.run(args);
        seen.push_str(&ran.out);
        seen.push_str(&ran.err);
    }
    assert!(!sings(seen.as_bytes()), "{seen}");
    let errors = world.place.look(async |s| {
        let runs = s.runs(None, u32::MAX).await.unwrap();
        (
            runs.iter().filter(|r| format!("{r:?}").contains("Failed")).count(),
            format!("{runs:?}{:?}", s.open_alerts().await),
        )
    });
    let (failed, texts) = errors.await;
    assert!(failed > 0, "no run failed: {texts}");
    assert!(!sings(texts.as_bytes()), "{texts}");
    assert_eq!(told(&world), Vec::<String>::new(), "sent into another calendar");
    let databases = |name: &str| name.starts_with("calendar-sync.db");
    for (name, bytes) in world.place.bytes_of(databases) {
        assert!(!sings(&bytes), "{name}, while it runs");
    }
    let mut serving = serving;
    serving.ask_to_stop();
    assert_eq!(serving.ended(PATIENCE).await.code(), Some(0), "{}", serving.log());
    for (name, bytes) in world.place.bytes_of(|_| true) {
        assert!(!sings(&bytes), "{name}, afterwards");
    }
    let mut lines = 0;
    for file in std::fs::read_dir(world.place.path("logs")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        lines += text.lines().count();
        assert!(!sings(text.as_bytes()), "{text}");
    }
    assert!(lines > 20, "the log was on: {lines} lines");
}

/// A provider's refusal may quote what it refuses. Here each quotes an event, in every place that an error has for words. Its `reason` is no
/// such place: that is a fixed word, and is repeated.
fn quoting(status: u16, reason: &str) -> (u16, String) {
    let words = format!("Invalid value in event 'Interview with {CANARY}' of {CANARY}@example.net");
    let error = serde_json::json!({
        "error": {
            "code": status, "message": words, "status": words,
            "errors": [{"domain": "calendar", "reason": reason, "message": words, "location": words}],
            "innerError": {"message": words},
        },
        "error_description": words,
    });
    (status, error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_providers_error_quotes_is_neither_logged_nor_stored() {
    let (mut world, main, work) = World::with_ada(42).await;
    world.place.make_public();
    let google = Wire::to(world.sim.google_base_url());
    world.place.set("GOOGLE__API_BASE", format!("{}/calendar/v3", google.url()));
    for (key, value) in [("LOG__LEVEL", TALKATIVE), ("LOG__DIRECTORY", "logs"), ("SYNC__POLL_SECONDS", "1")] {
        world.place.set(key, value);
    }
    let mut serving = world.place.serve().await;
    world.make(&main, marked(hour("", 24)));
    world.wait_for_blocks(&work, 1, SOON).await;
    world.wait_for_channels(2).await;
    let refusals = [quoting(500, "backendError"), quoting(503, "backendError"), quoting(400, "badRequest")];
    google.answer_instead(refusals);
    world.make(&main, marked(hour("", 30)));
    until("a run failed", PATIENCE, async || serving.log().contains("a run failed").then_some(())).await;
    serving.ask_to_stop();
    assert_eq!(serving.ended(PATIENCE).await.code(), Some(0), "{}", serving.log());
    assert_eq!(google.answers_left(), 0, "each was given");
    for (name, bytes) in world.place.bytes_of(|_| true) {
        assert!(!sings(&bytes), "{name}: {}", String::from_utf8_lossy(&bytes));
    }
    for file in std::fs::read_dir(world.place.path("logs")).unwrap() {
        assert!(!sings(&std::fs::read(file.unwrap().path()).unwrap()));
    }
}

/// The search itself is put to the test: with a rule that copies titles, it must find them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_canary_is_found_where_a_rule_lets_it_through() {
    let (world, main, work) = World::with_ada(41).await;
    let (from, to) = (world.id_of(&main), world.id_of(&work));
    world.place.run(&["rules", "set", &from, &to, "--copy-title", "on", "--title", "{title}"]).expect(0);
    world.make(&main, marked(hour("", 24)));
    world.place.run(&["sync-calendars"]).expect(0);
    world.wait_for_blocks(&work, 1, Duration::from_secs(5)).await;
    let sent = told(&world);
    assert_eq!(sent.len(), 1, "the search finds a leak");
    assert!(sent[0].contains("Interview with"), "the title, as the rule says: {}", sent[0]);
    for private in ["Salary", "street", "example.net"] {
        assert!(!sent[0].contains(private), "and nothing else: {}", sent[0]);
    }
    assert!(world.place.bytes_of(|name| name.starts_with("calendar-sync.db")).iter().any(|(_, b)| sings(b)));
}
