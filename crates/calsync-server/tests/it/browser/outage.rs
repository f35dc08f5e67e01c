//! The database goes while a page is open: the page keeps what it shows and says so, and goes on by itself.

use calsync_testbed::postgres::{Cluster, ClusterOptions, Mode};

use super::Browser;
use crate::pages::signed_in;
use crate::place::{PATIENCE, Place};
use crate::world::{ADA, World, hour};

const GONE: &str = "The database does not answer just now";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_page_says_calmly_that_the_database_is_gone_and_goes_on_by_itself() {
    let mut cluster = Cluster::start(&ClusterOptions::default());
    let mut place = Place::on(&cluster.create_database("sync"));
    place.set("SYNC__POLL_SECONDS", 2);
    let world = World::around(place, 85).await;
    let (main, work) = world.add_ada();
    world.sign_in(ADA).await;
    world.enable_all();
    world.make(&main, hour("Dentist", 30));
    let serving = world.place.serve().await;
    let ada = signed_in(&world.place, ADA).await;
    let (browser, other) = (Browser::of(&world.place, &ada).await, Browser::of(&world.place, &ada).await);
    browser.goes("/").await;
    browser.sees("Both calendars are in step").await;
    browser.marks().await;
    cluster.stop(Mode::Fast);
    browser.sees(GONE).await;
    browser.sees("Both calendars are in step").await;
    browser.is_fit("home-database-gone").await;
    other.goes("/activity").await;
    other.sees("Not just now").await;
    other.is_fit("database-gone").await;

    cluster.start_again();
    browser.sees_no(GONE).await;
    world.make(&main, hour("Interview", 33));
    world.wait_for_blocks(&work, 2, PATIENCE).await;
    browser.presses("Sync all now").await;
    browser.sees("All calendars that take part are looked at now").await;
    other.presses("Try again").await;
    other.sees("new in Work").await;
    assert!(!serving.log().contains("panick"), "{}", serving.log());
}
