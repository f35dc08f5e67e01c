//! Taking calendars out and taking everything back, by the compiled program: what it shows, whom it asks, how it ends, and
//! what stands in the calendars afterwards.

use std::io::Write as _;
use std::process::{Command, Stdio};

use calsync_core::ports::Store;
use calsync_sim::cloud::names::CalendarId;
use serde_json::{Value, json};

use crate::channels::now;
use crate::place::{PATIENCE, PROGRAM, Place, Ran, finish, until};
use crate::world::{SOON, World, hour};

/// Ada's two calendars, with so many events in each, in step.
async fn in_step(seed: u64, events: i64) -> (World, CalendarId, CalendarId) {
    let (world, main, work) = World::with_ada(seed).await;
    for n in 0..events {
        world.make(&main, hour("Meeting", 24 + 2 * n));
        world.make(&work, hour("Review", 25 + 2 * n));
    }
    world.place.run(&["sync-calendars"]).expect(0);
    let (in_main, in_work) = (world.blocks(&main).len(), world.blocks(&work).len());
    assert_eq!((in_main as i64, in_work as i64), (events, events));
    (world, main, work)
}

/// Events that stand in both calendars: people's own, and blocks.
fn standing(world: &World, main: &CalendarId, work: &CalendarId) -> (usize, usize) {
    world.sim.cloud().with(|c| (c.live_events(main).len(), c.live_events(work).len()))
}

/// The program at a terminal where somebody types this.
pub(crate) fn typed(place: &Place, args: &[&str], line: &str) -> Ran {
    let program = place.command_of(PROGRAM.as_ref(), args);
    let words: Vec<_> = std::iter::once(PROGRAM).chain(args.iter().copied()).collect();
    let mut command = Command::new("script");
    command.args(["-qec", &words.join(" "), "/dev/null"]).current_dir(place.dir.path());
    command.envs(program.get_envs().filter_map(|(k, v)| Some((k, v?))));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("util-linux has `script`");
    child.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

fn list(world: &World, remote: &CalendarId) -> Value {
    let list = world.place.run(&["calendars", "list", "--json"]).expect(0).json();
    let found = list.as_array().unwrap().iter().find(|c| c["remote_id"] == remote.as_str());
    found.unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_before_somebody_has_said_yes() {
    let (world, main, work) = in_step(60, 3).await;
    let before = (standing(&world, &main, &work), list(&world, &work));
    // A script has to say so.
    let words = ["6 blocks", "3 in Work", "Nothing was changed", "--yes", "--dry-run"];
    for args in
        [&["calendars", "disable", "Work"][..], &["reset", "--calendar", "Work"], &["reset", "--complete"]]
    {
        world.place.run(args).expect(2).says(&words);
    }
    // To look only needs no consent.
    let would = world.place.run(&["calendars", "disable", "Work", "--dry-run", "--json"]).expect(0).json();
    assert_eq!((&would["would"], &would["blocks"]), (&json!("disable"), &json!(6)));
    let shares = would["shares"].as_array().unwrap();
    assert_eq!(shares.iter().map(|s| s["blocks"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 3]);
    let shown = world.place.run(&["reset", "--complete", "--dry-run"]).expect(0).out;
    assert!(shown.contains("3 in Work") && shown.contains("Accounts and rules stay"), "{shown}");
    // A person is asked, and anything but a yes is a no.
    for no in ["\n", "n\n", "\u{4}"] {
        let asked = typed(&world.place, &["calendars", "disable", "Work"], no).expect(1);
        assert!(asked.out.contains("3 in Work") && asked.out.contains("Go on? [y/N]"), "{}", asked.out);
        assert!(asked.out.contains("nothing was changed"), "{}", asked.out);
    }
    assert_eq!((standing(&world, &main, &work), list(&world, &work)), before);
    let said = typed(&world.place, &["calendars", "disable", "Work"], "y\n").expect(0);
    assert!(said.out.contains("6 blocks removed, 0 left"), "{}", said.out);
    assert_eq!(standing(&world, &main, &work), (3, 3), "people's own events stand as they stood");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disabling_tells_what_was_removed_and_enabling_begins_anew() {
    let (world, main, work) = in_step(61, 4).await;
    let done = world.place.run(&["calendars", "disable", "Work", "--yes", "--json"]).expect(0).json();
    assert_eq!((&done["done"], &done["blocks"]), (&json!("disabled"), &json!(8)));
    assert_eq!((&done["removed"], &done["left"], &done["left_in"]), (&json!(8), &json!(0), &json!([])));
    assert_eq!(standing(&world, &main, &work), (4, 4));
    let row = list(&world, &work);
    assert_eq!((&row["sync_enabled"], &row["leaving"]), (&json!(false), &Value::Null));
    world.place.run(&["calendars", "disable", "Work"]).expect(0);
    world.plan_is_empty();
    world.make(&work, hour("While it was off", 60));
    world.place.run(&["calendars", "enable", "Work"]).expect(0);
    world.place.run(&["sync-calendars"]).expect(0);
    assert_eq!(standing(&world, &main, &work), (9, 9));
    world.plan_is_empty();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_to_the_service_is_done_by_it() {
    let (world, main, work) = in_step(62, 4).await;
    let left =
        world.place.run(&["calendars", "disable", "Work", "--yes", "--no-wait", "--json"]).expect(0).json();
    assert_eq!((&left["removed"], &left["left"]), (&json!(0), &json!(8)));
    assert_eq!(left["left_in"][0]["obstacle"]["kind"], "under_way", "{left}");
    assert_eq!(list(&world, &work)["leaving"], "disabled");
    assert!(world.place.run(&["calendars", "list"]).expect(0).out.contains("going off"));
    let serving = world.place.serve().await;
    world.wait_for_blocks(&main, 0, SOON).await;
    world.wait_for_blocks(&work, 0, SOON).await;
    until("it is over", SOON, async || list(&world, &work)["leaving"].is_null().then_some(())).await;
    drop(serving);
}

/// What an account that is gone keeps is told with its reason, and kept in mind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_removed_is_named() {
    let (world, main, work) = in_step(63, 3).await;
    world.place.sql("UPDATE accounts SET status = 'needs_reconnect'");
    let left = world.place.run(&["reset", "--complete", "--yes", "--json"]).expect(5).json();
    assert_eq!((&left["done"], &left["removed"], &left["left"]), (&json!("reset"), &json!(0), &json!(6)));
    for row in left["left_in"].as_array().unwrap() {
        assert_eq!((&row["blocks"], &row["obstacle"]["kind"]), (&json!(3), &json!("needs_reconnect")));
    }
    assert_eq!(standing(&world, &main, &work), (6, 6));
    let text = world.place.run(&["reset", "--complete", "--yes"]).expect(5).out;
    assert!(text.contains("3 left in Work: its account must be connected again"), "{text}");
    // It is connected again, and the same command goes on.
    world.place.sql("UPDATE accounts SET status = 'active'");
    let done = world.place.run(&["reset", "--complete", "--yes", "--json"]).expect(0).json();
    assert_eq!((&done["removed"], &done["left"]), (&json!(6), &json!(0)));
    assert_eq!(standing(&world, &main, &work), (3, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complete_reset_takes_everything_back_and_keeps_accounts_and_rules() {
    let (world, main, work) = in_step(64, 3).await;
    world.place.run(&["rules", "set", "Work", "ada@example.com", "--title", "Taken", "--only"]).expect(0);
    world.place.run(&["sync-calendars", "--mode", "full"]).expect(0);
    let done = world.place.run(&["reset", "--complete", "--user", "ada@example.com", "--yes"]).expect(0);
    assert!(done.out.starts_with("2 calendars are reset: 3 blocks removed, 0 left"), "{}", done.out);
    assert_eq!(standing(&world, &main, &work), (3, 3));
    let ledger =
        "SELECT count(*) FROM ledger; SELECT count(*) FROM mirror_events; SELECT count(*) FROM sync_runs";
    let counts = Command::new("sqlite3").arg(world.place.database()).arg(ledger).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&counts.stdout), "0\n0\n0\n");
    assert_eq!(world.place.run(&["rules", "list", "--json"]).expect(0).json().as_array().unwrap().len(), 1);
    assert_eq!(world.place.run(&["accounts", "list", "--json"]).expect(0).json()[0]["status"], "active");
    let again = world.place.run(&["reset", "--complete"]).expect(0);
    assert!(again.out.contains("nothing to reset"), "{}", again.out);
    let said = Command::new("sqlite3").arg(world.place.database()).arg("SELECT what FROM audit_log").output();
    let said = String::from_utf8_lossy(&said.unwrap().stdout).into_owned();
    assert_eq!(said.lines().filter(|l| l.starts_with("reset calendar ")).count(), 2, "{said}");
    world.enable_all();
    world.place.run(&["sync-calendars"]).expect(0);
    assert_eq!(standing(&world, &main, &work), (6, 3), "by the rule that stayed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soft_reset_leaves_everything_as_it_stands() {
    let (mut world, main, work) = in_step(65, 3).await;
    world.place.make_public();
    world.place.set("SYNC__POLL_SECONDS", 1);
    let serving = world.place.serve().await;
    world.wait_for_channels(2).await;
    let done = world.place.run(&["reset", "--soft", "--yes", "--json"]).expect(0).json();
    assert_eq!((&done["done"], &done["left"]), (&json!("stopped"), &json!(6)));
    assert_eq!(list(&world, &work)["leaving"], "stopped");
    let (writes, open) =
        (world.writes(), world.place.look(async |s| s.subscription_metrics(now()).await).await);
    assert_eq!(open.unwrap().active, 0, "no channel is in use");
    world.make(&work, hour("While it is stopped", 60));
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!((world.writes(), standing(&world, &main, &work)), (writes, (6, 7)));
    for calendar in [&main, &work] {
        world.place.run(&["calendars", "enable", &world.id_of(calendar)]).expect(0);
    }
    world.wait_for_blocks(&main, 4, PATIENCE).await;
    assert_eq!(world.writes(), writes + 1, "the new one; all others were taken over");
    drop(serving);
    let nothing = world.place.run(&["reset", "--soft", "--yes", "--user", "ada@example.com"]).expect(0);
    assert!(nothing.out.contains("2 calendars are stopped"), "{}", nothing.out);
    let nothing = world.place.run(&["reset", "--soft"]).expect(0);
    assert!(nothing.out.contains("nothing to stop"), "{}", nothing.out);
}

/// Killed in the middle, it is as if it had been left to the next one, be that a service or the same command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_that_is_killed_is_finished_by_the_next() {
    let (mut world, main, work) = in_step(66, 40).await;
    world.place.set("SYNC__LEASE_SECONDS", 2);
    for by_service in [false, true] {
        world.place.run(&["sync-calendars"]).expect(0);
        world.wait_for_blocks(&main, 40, PATIENCE).await;
        let reset = world.place.start(world.place.command(&["reset", "--complete", "--yes"]));
        until("some blocks are gone", PATIENCE, async || {
            (world.blocks(&main).len() + world.blocks(&work).len() < 78).then_some(())
        })
        .await;
        reset.kill();
        assert!(!world.blocks(&main).is_empty(), "it was killed in the middle");
        if by_service {
            let serving = world.place.serve().await;
            world.wait_for_blocks(&main, 0, PATIENCE).await;
            world.wait_for_blocks(&work, 0, PATIENCE).await;
            until("it is over", SOON, async || list(&world, &work)["leaving"].is_null().then_some(())).await;
            drop(serving);
        } else {
            let done = world.place.run(&["reset", "--complete", "--yes"]).expect(0);
            assert!(done.out.contains(", 0 left"), "{}", done.out);
        }
        assert_eq!(standing(&world, &main, &work), (40, 40));
        world.enable_all();
    }
}

#[test]
fn exactly_one_kind_of_reset_is_asked_for() {
    let place = Place::new();
    place.run(&["reset"]).expect(2).says(&["--soft", "--calendar", "--complete"]);
    for two in [
        &["--soft", "--complete"][..],
        &["--soft", "--calendar", "Work"],
        &["--complete", "--calendar", "Work"],
    ] {
        place.run(&[&["reset"], two].concat()).expect(2).says(&["cannot be used with"]);
    }
    finish(place.command(&["reset", "--complete", "--yes", "--dry-run"])).expect(2);
}
