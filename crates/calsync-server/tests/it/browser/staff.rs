//! The staff's pages in a browser: each is fit to be looked at, filters, shows what happens without a reload, and does what its
//! buttons say.

use super::Browser;
use crate::monitoring::PAGES;
use crate::pages::signed_in;
use crate::world::{ADA, SOON, World, hour};

/// Ada, who is of the staff, with push that works and a notification that was served.
async fn world(seed: u64) -> World {
    let (mut world, ..) = World::with_ada(seed).await;
    world.place.make_public();
    world.place.sql("UPDATE users SET is_staff = 1");
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_monitoring_is_fit_to_be_looked_at_and_follows_what_happens() {
    let world = world(86).await;
    let _serving = world.place.serve().await;
    world.wait_for_channels(2).await;
    let (main, work) = (ADA.into(), "work@group.calendar.google.com".into());
    world.make(&main, hour("Dentist", 30));
    world.wait_for_blocks(&work, 1, SOON).await;
    let browser = Browser::of(&world.place, &signed_in(&world.place, ADA).await).await;
    for page in PAGES {
        browser.goes(page).await;
        browser.sees("Responses").await;
        browser.is_fit(&page.trim_start_matches('/').replace('/', "-")).await;
    }
    browser.goes("/monitoring?range=30d").await;
    assert_eq!(browser.all("svg.chart").await.len(), 4);
    browser.presses("As a table").await;
    browser.is_fit("monitoring-table").await;

    browser.goes("/monitoring/subscriptions?show=failing").await;
    browser.sees("There are none").await;
    browser.goes("/monitoring/notifications?from=2020-01-01T00:00&to=2020-01-02T00:00").await;
    browser.sees("There are none").await;
    browser.sees("Europe/Vienna").await;
    browser.presses("Clear").await;
    browser.sees("completed").await;
    let looks = "a[id^=look-]";
    let before = browser.all(looks).await.len();
    browser.marks().await;
    world.make(&main, hour("Interview", 33));
    world.wait_for_blocks(&work, 2, SOON).await;
    crate::place::until("the list grows by itself", SOON * 3, async || {
        (browser.all(looks).await.len() > before).then_some(())
    })
    .await;
    assert!(browser.is_marked().await, "the page was not loaded anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_staff_look_inside_a_notification_silence_alerts_and_change_the_rollout() {
    let world = world(87).await;
    let _serving = world.place.serve().await;
    world.wait_for_channels(2).await;
    let (main, work) = (ADA.into(), "work@group.calendar.google.com".into());
    world.make(&main, hour("Dentist", 30));
    world.wait_for_blocks(&work, 1, SOON).await;
    let browser = Browser::of(&world.place, &signed_in(&world.place, ADA).await).await;
    browser.goes("/monitoring/notifications?status=completed").await;
    browser.one("a[id^=look-]").await.click().await.unwrap();
    browser.sees("Headers that were kept").await;
    browser.is_fit("monitoring-notification").await;
    browser.presses("Replay").await;
    browser.sees("It is pending again").await;
    browser.sees("completed").await;

    browser.goes("/monitoring/subscriptions").await;
    browser.presses_in("Suspend", "button").await;
    browser.sees("Its push channel was taken out of use").await;
    browser.is_fit("monitoring-suspended").await;
    browser.presses_in("Revive", "button").await;
    browser.sees("A push channel was opened").await;

    browser.goes("/monitoring/alerts").await;
    browser.fills("why", "Redis is moving").await;
    browser.presses("Silence").await;
    browser.sees("Nobody hears of any kind until").await;
    browser.is_fit("monitoring-silenced").await;
    browser.presses_in("End", "button").await;
    browser.sees("The silence is over").await;

    browser.goes("/monitoring/rollout").await;
    browser.sees("2 of 2 (100 %)").await;
    browser.presses("See what it would do (phase 1)").await;
    browser.sees("Whoever is let out is polled").await;
    browser.is_fit("monitoring-preview").await;
    browser.presses("Apply it").await;
    browser.sees("Changed: phase 1 (off)").await;
    browser.sees("Push is off").await;
    browser.goes("/monitoring/responses?show=all").await;
    browser.sees("phase 1").await;
    browser.is_fit("monitoring-responses-all").await;
}
