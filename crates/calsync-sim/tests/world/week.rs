//! The week of a person: what stands where and why, with titles for its owner alone, at every provider.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use calsync_core::calendar::Leaving;
use calsync_core::ids::CalendarId;
use calsync_core::plan::Outcome;
use calsync_core::title::Title;
use calsync_core::week::{Block, Days, Entry, Holds, Lane, Titling};
use calsync_engine::{Viewer, Week};
use calsync_sim::cloud::content::{Content, Transparency};
use calsync_sim::cloud::names::CalendarId as RemoteId;
use calsync_sim::life::Homes;
use calsync_store::{Migrate, SqlStore};
use jiff::SignedDuration;

use super::cast::MIXED;
use super::scenarios::settled;
use super::world::{Recipe, World};
use super::{HOMES, block_on, homes_recipe};

/// It stands in every title here, and nowhere else.
const CANARY: &str = "Kanari7vogel";

/// Two weeks from today on, where the first person lives.
fn days(world: &World) -> Days {
    let zone = world.life.people[0].zone;
    let there = calsync_core::zone::find(zone).unwrap();
    Days::new(world.clock.now().to_jiff().to_zoned(there).date(), 14, zone).unwrap()
}

fn must_be_send<T: Send>(future: T) -> T {
    future
}

async fn week(world: &World, viewer: Viewer) -> Week {
    let days = days(world);
    must_be_send(world.engine().week(world.users[0], &days, viewer)).await.unwrap()
}

/// An event of one hour that begins in so many hours, with a title that sings.
fn hour(world: &World, name: &str, hours: i64) -> Content {
    let start = world.clock.now().plus(SignedDuration::from_hours(hours));
    let end = start.plus(SignedDuration::from_hours(1));
    Content::timed(&format!("{name} {CANARY}"), start, end, "Europe/Vienna")
}

/// A calendar of the first person gets a single event, one that holds no time, and a series of which one occurrence moves.
async fn fill(world: &mut World) -> RemoteId {
    let calendar = world.life.people[0].calendars[0].clone();
    let contents = [
        hour(world, "single", 26),
        Content { transparency: Transparency::Transparent, ..hour(world, "free", 28) },
        hour(world, "series", 30).repeating("RRULE:FREQ=DAILY;COUNT=4"),
    ];
    let now = world.clock.now();
    world.cloud.with(|c| {
        for content in contents {
            c.create_event(&calendar, content, now).unwrap();
        }
    });
    world.deliver_and_work().await;
    calendar
}

async fn id_of(world: &World, remote: &RemoteId) -> CalendarId {
    let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
    state.calendars.iter().find(|c| c.remote.calendar == remote.as_str()).unwrap().id
}

fn lane(week: &Week, id: CalendarId) -> &Lane {
    week.lanes.iter().find(|lane| lane.calendar == id).unwrap()
}

fn called<'a>(lane: &'a Lane, name: &str) -> Vec<&'a Entry> {
    let wanted = |entry: &&Entry| entry.title.as_ref().is_some_and(|t| t.expose().starts_with(name));
    lane.events.iter().filter(wanted).collect()
}

#[test]
fn a_week_shows_what_stands_where_and_why_at_every_provider() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 61).await;
            let home = fill(&mut world).await;
            let home = id_of(&world, &home).await;
            let before = world.writes();
            let week = week(&world, Viewer::Owner).await;
            assert_eq!(world.writes(), before, "looking touches nothing");
            let others = world.life.people[0].calendars.len() - 1;
            assert_eq!(week.lanes.len(), others + 1);
            let mine = lane(&week, home);
            assert_eq!((&mine.titles, mine.takes_part, mine.left_out), (&Titling::Shown, true, 0));
            for (name, count, outcome, because) in [
                ("single", 1, Outcome::Block, "it takes this time"),
                ("series", 4, Outcome::Block, "it takes this time"),
                ("free", 1, Outcome::NoBlock, "it is shown as free"),
            ] {
                let entries = called(mine, name);
                assert_eq!(entries.len(), count, "{homes:?} {name}");
                for entry in entries {
                    assert_eq!((entry.pieces.len(), entry.in_targets.len()), (1, others), "{homes:?} {name}");
                    for told in &entry.in_targets {
                        assert_eq!((told.outcome, told.because.as_str()), (outcome, because), "{name}");
                    }
                }
            }
            blocks_and_events_agree(&week);
        });
    }
}

/// Every event that says it has a block has one in that lane, of that time; and no block of ours is there for anything else.
fn blocks_and_events_agree(week: &Week) {
    let mut blocks: BTreeMap<_, &Block> = BTreeMap::new();
    for lane in &week.lanes {
        for block in &lane.blocks {
            if let Holds::Event { source, occurrence, written_at, .. } = &block.holds {
                assert!(written_at.is_some());
                let twice = blocks.insert((lane.calendar, *source, occurrence.clone()), block);
                assert!(twice.is_none(), "one block for one event: {twice:?}");
            }
        }
    }
    let all = blocks.len();
    assert!(all > 20, "there is something to see: {all} blocks");
    let mut said = 0;
    for lane in &week.lanes {
        for event in &lane.events {
            for told in event.in_targets.iter().filter(|told| told.outcome == Outcome::Block) {
                let block = blocks.get(&(told.target, lane.calendar, event.occurrence.clone()));
                let block = block.unwrap_or_else(|| panic!("{event:?} has none in {}", told.target));
                assert_eq!((block.span, &block.pieces), (event.span, &event.pieces));
                said += 1;
            }
        }
    }
    assert_eq!(said, all, "each block is some event's");
}

#[test]
fn titles_are_those_of_the_occurrences_they_belong_to() {
    for homes in HOMES {
        block_on(async {
            let world = settled(homes, 62).await;
            let week = week(&world, Viewer::Owner).await;
            let mut compared = 0;
            for remote in world.life.people[0].calendars.clone() {
                let mine = lane(&week, id_of(&world, &remote).await);
                let live = world.cloud.with(|c| c.live_events(&remote));
                for entry in &mine.events {
                    // Series are told by their occurrences at one provider, and by their pattern at the other.
                    let id = entry.occurrence.event.as_str();
                    let Some(event) = live.iter().find(|e| e.id.as_str() == id && e.series().is_none())
                    else {
                        continue;
                    };
                    let shown = entry.title.as_ref().map(Title::expose);
                    if event.content.recurrence.is_empty() {
                        assert_eq!(shown, event.content.summary.as_deref().map(str::trim), "{homes:?}");
                        compared += 1;
                    } else {
                        assert!(shown.is_some(), "{homes:?}: an occurrence without a title: {entry:?}");
                    }
                }
            }
            assert!(compared > 5, "{homes:?}: {compared}");
        });
    }
}

#[test]
fn nobody_but_the_owner_has_titles_asked_for() {
    block_on(async {
        let mut world = settled(MIXED, 63).await;
        fill(&mut world).await;
        let calls = world.watch_calls();
        let seen = week(&world, Viewer::Another).await;
        assert_eq!(calls.made.load(Ordering::Relaxed), 0, "not a call");
        for lane in &seen.lanes {
            assert_eq!(lane.titles, Titling::NotAsked);
            assert!(lane.events.iter().all(|event| event.title.is_none()));
        }
        week(&world, Viewer::Owner).await;
        assert!(calls.made.load(Ordering::Relaxed) > 0);
    });
}

#[test]
fn a_provider_that_fails_costs_titles_and_nothing_else() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 64).await;
            let home = fill(&mut world).await;
            let home = id_of(&world, &home).await;
            let whole = week(&world, Viewer::Owner).await;
            let calls = world.watch_calls();
            calls.down.store(true, Ordering::Relaxed);
            let mut without = week(&world, Viewer::Owner).await;
            let told = &lane(&without, home).titles;
            assert!(matches!(told, Titling::Missing { why } if why.contains("503")), "{told:?}");
            // Apart from the titles it is the same week.
            for (lane, before) in without.lanes.iter_mut().zip(&whole.lanes) {
                lane.titles = before.titles.clone();
                for (event, before) in lane.events.iter_mut().zip(&before.events) {
                    assert_eq!(event.title, None);
                    event.title = before.title.clone();
                }
            }
            assert_eq!(without, whole, "{homes:?}");
        });
    }
}

/// Without its account, a calendar shows what is known and says what to do; the others have their titles.
#[test]
fn an_account_that_is_not_connected_keeps_only_its_own_titles() {
    block_on(async {
        let mut world = settled(MIXED, 65).await;
        fill(&mut world).await;
        let account = world.life.people[0].accounts[0].1.clone();
        let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
        let dead = state.accounts.iter().find(|a| a.email == account.as_str()).unwrap().id;
        let status = calsync_core::calendar::AccountStatus::NeedsReconnect;
        world.store.set_account_status(dead, status, Some("revoked")).await.unwrap();
        let week = week(&world, Viewer::Owner).await;
        for lane in week.lanes.iter().filter(|lane| !lane.events.is_empty()) {
            match (lane.account == dead, &lane.titles) {
                (true, Titling::Missing { why }) => assert!(why.contains("not connected"), "{why}"),
                (false, Titling::Shown) => {}
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn a_calendar_that_takes_no_part_is_left_alone() {
    block_on(async {
        let mut world = settled(MIXED, 66).await;
        let home = fill(&mut world).await;
        let home = id_of(&world, &home).await;
        let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
        let calendar = state.calendars.iter().find(|c| c.id == home).unwrap();
        world.engine().take_out(calendar, Leaving::Stopped).await.unwrap();
        let week = week(&world, Viewer::Owner).await;
        let stopped = lane(&week, home);
        assert_eq!((stopped.takes_part, &stopped.titles), (false, &Titling::NotAsked));
        assert!(stopped.events.is_empty(), "nothing is read there, and nothing known");
        assert!(week.lanes.iter().filter(|lane| lane.calendar != home).all(|l| l.titles == Titling::Shown));
    });
}

/// The week before the window, and the one after it: whoever looks there is told that blocks are not kept there.
#[test]
fn outside_the_window_a_week_says_so() {
    block_on(async {
        let world = settled(Homes::Both, 67).await;
        let zone = world.life.people[0].zone;
        let far = world.clock.now().plus(SignedDuration::from_hours(24 * 200)).to_jiff();
        let far = Days::new(far.to_zoned(jiff::tz::TimeZone::UTC).date(), 14, zone).unwrap();
        let week = world.engine().week(world.users[0], &far, Viewer::Owner).await.unwrap();
        assert_eq!(week.covered, None);
        let told = week.lanes.iter().flat_map(|lane| &lane.events).flat_map(|event| &event.in_targets);
        let outside: Vec<_> = told.collect();
        assert!(!outside.is_empty(), "Google tells of series without an end");
        for told in outside {
            assert_eq!(told.outcome, Outcome::NoBlock);
            assert_eq!(told.because, "it is outside the time for which blocks are kept");
        }
    });
}

fn sings(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes())
}

/// Everything that is written in a log.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_title_is_shown_and_neither_stored_nor_logged() {
    for homes in HOMES {
        let (folder, log) = (tempfile::tempdir().unwrap(), Log::default());
        let out = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || out.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            block_on(async {
                let url = format!("sqlite://{}", folder.path().join("world.db").display());
                let store = Arc::new(SqlStore::open(&url, Migrate::Run).await.unwrap());
                let recipe = Recipe { people: 1, rounds: 0, ..homes_recipe(homes, 68) };
                let mut world = World::begin(recipe, store).await;
                world.faults.switch_off();
                world.deliver_and_work().await;
                fill(&mut world).await;
                let seen = week(&world, Viewer::Owner).await;
                assert!(sings(serde_json::to_string(&seen).unwrap().as_bytes()), "its owner sees it");
                tracing::info!(?seen, "even a week that is printed whole");
                world.deliver_and_work().await;
                for file in std::fs::read_dir(folder.path()).unwrap() {
                    let path = file.unwrap().path();
                    assert!(!sings(&std::fs::read(&path).unwrap()), "{homes:?}: {}", path.display());
                }
                world.store.close().await;
            });
        });
        for file in std::fs::read_dir(folder.path()).unwrap() {
            assert!(!sings(&std::fs::read(file.unwrap().path()).unwrap()), "{homes:?}");
        }
        let log = log.0.lock().unwrap();
        assert!(log.len() > 1_000, "the log was on");
        assert!(!sings(&log), "{}", String::from_utf8_lossy(&log));
    }
}
