//! A week with titles, through both look-alikes: the adapters as they ship, over HTTP, with an account at each provider.

use std::sync::Arc;
use std::time::{Duration, Instant};

use calsync_core::plan::Outcome;
use calsync_core::ports::Store;
use calsync_core::title::Title;
use calsync_core::week::{Days, Holds, Lane, Titling};
use calsync_engine::{Viewer, Week};
use calsync_server::config::{self, Sources};
use calsync_server::secrets::first_run::{Missing, keyring};
use calsync_server::secrets::identity;
use calsync_server::service::Service;
use calsync_server::system::SystemRandom;
use calsync_sim::cloud::content::Transparency;

use crate::channels::now;
use crate::mixed::Mixed;
use crate::place::Place;
use crate::web::client;
use crate::world::{ADA, World, hour};

const ZONE: &str = "Europe/Vienna";

/// The service within the test's own process, as it would be in a place. It does not serve: it is only asked.
async fn service(place: &Place) -> Arc<Service> {
    let settings = config::load(&Sources::new(None, place.values())).unwrap().settings;
    let store: Arc<dyn Store> = Arc::new(place.store().await);
    let ring = keyring(&settings, Missing::Refuse, &SystemRandom).unwrap().ring;
    let identity = identity::load(store.as_ref(), &ring, &SystemRandom).await.unwrap();
    // It sets up TLS for this process.
    let _ = client();
    Service::new(settings, store, identity, ring, Arc::new(|_| ())).unwrap()
}

async fn week(service: &Service) -> Week {
    let user = service.store.users().await.unwrap()[0].id;
    let today = now().to_jiff().to_zoned(calsync_core::zone::find(ZONE).unwrap()).date();
    service.engine.week(user, &Days::new(today, 14, ZONE).unwrap(), Viewer::Owner).await.unwrap()
}

fn lane<'a>(week: &'a Week, name: &str) -> &'a Lane {
    let all: Vec<&str> = week.lanes.iter().map(|lane| lane.name.as_str()).collect();
    week.lanes.iter().find(|lane| lane.name == name).unwrap_or_else(|| panic!("{name} is not among {all:?}"))
}

fn titles(lane: &Lane) -> Vec<&str> {
    lane.events.iter().map(|event| event.title.as_ref().map_or("-", Title::expose)).collect()
}

/// Ada's events at both providers, and their blocks.
async fn in_step(seed: u64) -> Mixed {
    let mixed = Mixed::new(seed).await;
    let world = &mixed.world;
    let free = |mut content: calsync_sim::cloud::content::Content| {
        content.transparency = Transparency::Transparent;
        content
    };
    world.make(&mixed.google, hour("Dentist", 25));
    world.make(&mixed.google, hour("Stand-up", 30).repeating("RRULE:FREQ=DAILY;COUNT=3"));
    world.make(&mixed.google, free(hour("Lunch", 27)));
    world.make(&mixed.main, hour("Board", 26));
    world.make(&mixed.main, hour("Yoga", 33).repeating("RRULE:FREQ=DAILY;COUNT=2"));
    world.place.run(&["sync-calendars", "--mode", "full"]).expect(0);
    world.plan_is_empty();
    mixed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn titles_come_from_both_providers_and_go_nowhere_else() {
    let mixed = in_step(71).await;
    let world = &mixed.world;
    let service = service(&world.place).await;
    let week = week(&service).await;
    assert_eq!(week.lanes.len(), 3);
    let (google, main) = (lane(&week, ADA), lane(&week, "Calendar"));
    assert_eq!(titles(google), ["Dentist", "Lunch", "Stand-up", "Stand-up", "Stand-up"]);
    assert_eq!(titles(main), ["Board", "Yoga", "Yoga"]);
    for lane in [google, main] {
        assert_eq!(lane.titles, Titling::Shown);
        for event in &lane.events {
            let lunch = event.title == Title::new("Lunch");
            let (outcome, because) = if lunch {
                (Outcome::NoBlock, "it is shown as free")
            } else {
                (Outcome::Block, "it takes this time")
            };
            assert_eq!(event.in_targets.len(), 2);
            for told in &event.in_targets {
                assert_eq!((told.outcome, told.because.as_str()), (outcome, because), "{event:?}");
            }
        }
    }
    let team = lane(&week, "Team");
    assert_eq!((team.events.len(), team.blocks.len(), &team.titles), (0, 7, &Titling::NotAsked));
    assert_eq!((google.blocks.len(), main.blocks.len()), (3, 4));
    let all = week.lanes.iter().flat_map(|lane| &lane.blocks);
    assert!(all.into_iter().all(|block| matches!(block.holds, Holds::Event { written_at: Some(_), .. })));
    service.store.close().await;
    only_shown(world);
}

/// Nothing of it stays in the place.
fn only_shown(world: &World) {
    for (name, bytes) in world.place.bytes_of(|_| true) {
        for title in ["Dentist", "Stand-up", "Lunch", "Board", "Yoga"] {
            let found = bytes.windows(title.len()).any(|part| part == title.as_bytes());
            assert!(!found, "{title} in {name}");
        }
    }
}

/// A Graph that takes its time keeps the titles of its own calendars away, and no page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_provider_holds_no_page() {
    let mixed = in_step(72).await;
    let service = service(&mixed.world.place).await;
    mixed.world.graph.hold("/calendarView");
    let began = Instant::now();
    let week = week(&service).await;
    let took = began.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_secs(6)).contains(&took), "{took:?}");
    assert_eq!(titles(lane(&week, ADA)).iter().filter(|title| **title != "-").count(), 5);
    let main = lane(&week, "Calendar");
    assert_eq!(titles(main), ["-", "-", "-"], "their times are there");
    match &main.titles {
        Titling::Missing { why } => assert!(why.contains("no answer in the time"), "{why}"),
        other => panic!("{other:?}"),
    }
    service.store.close().await;
}
