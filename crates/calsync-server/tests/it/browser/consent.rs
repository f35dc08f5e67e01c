//! What the provider gave, took back, or gives for a while: an account that must be connected again, a box that was not ticked,
//! and sign-ins that end after a week.

use calsync_sim::cloud::names::PersonId;
use calsync_sim::google::Stage;

use super::Browser;
use super::first_run::{become_first, first_link};
use crate::pages::signed_in;
use crate::world::{ADA, CLIENT, SOON, World, hour};

#[tokio::test]
async fn a_revoked_account_stands_out_and_is_in_step_again_after_one_button() {
    let (mut world, main, work) = World::with_ada(74).await;
    world.place.set("SYNC__POLL_SECONDS", 2);
    world.make(&main, hour("Dentist", 30));
    let _serving = world.place.serve().await;
    let browser = Browser::of(&world.place, &signed_in(&world.place, ADA).await).await;
    world.wait_for_blocks(&work, 1, SOON).await;
    browser.goes("/").await;
    browser.sees("Both calendars are in step").await;
    assert!(browser.all("main button.first").await.is_empty(), "nothing is to be done");

    world.sim.google().revoke_grant(&PersonId::from(ADA), CLIENT);
    world.make(&main, hour("Interview", 33));
    // Without a reload: the page hears of it.
    browser.sees("This account stands still: connect it again").await;
    browser.sees("2 calendars need you").await;
    assert_eq!(browser.all("main .first").await.len(), 1, "one thing is to be done");
    browser.is_fit("home-revoked").await;
    assert_eq!(world.blocks(&work).len(), 1, "what stands stays");
    browser.presses("Connect again").await;
    browser.sees("Connected.").await;
    browser.sees("Both calendars are in step").await;
    browser.sees_no("stands still").await;
    world.wait_for_blocks(&work, 2, SOON).await;
}

#[tokio::test]
async fn a_box_that_was_unticked_is_named_with_what_to_do() {
    let world = World::where_google(75, |_| ()).await;
    let serving = world.place.serve().await;
    let browser = Browser::open(&world.place.url("")).await;
    let link = first_link(&world.place, &serving).await;
    become_first(&browser, &link, "owner@example.com").await;
    browser.goes("/start").await;
    browser.presses("Connect Google").await;
    browser.sees("Choose an account").await;
    let events = "input[type=checkbox][value$=\"calendar.events\"]";
    browser.one(events).await.click().await.unwrap();
    browser.presses("Allow").await;
    browser.sees("view and edit events on your calendars").await;
    browser.sees("Connect the account again and tick every box").await;
    assert_eq!(browser.path().await, "/start", "where the button is");
    browser.is_fit("start-unticked").await;
    // Nothing was kept of it; saying no altogether is told as well.
    browser.sees("Connect an account first").await;
    browser.presses("Connect Google").await;
    browser.presses("Deny").await;
    browser.sees("Connect an account first").await;
    assert_eq!(browser.all("main .note.bad").await.len(), 1);
    super::first_run::connect(&browser, "Google", ADA).await;
}

#[tokio::test]
async fn sign_ins_that_end_after_a_week_say_when() {
    let world = World::where_google(76, |google| google.clients[0].stage = Stage::Testing).await;
    world.sign_in(ADA).await;
    world.enable_all();
    world.place.sql("UPDATE users SET is_staff = 1");
    let _serving = world.place.serve().await;
    let browser = Browser::of(&world.place, &signed_in(&world.place, ADA).await).await;
    let day = crate::channels::now().plus(jiff::SignedDuration::from_hours(24 * 7));
    let day = day.to_jiff().to_zoned(calsync_core::zone::find("Europe/Vienna").unwrap());
    let day = day.strftime("%-d %b %Y").to_string();
    browser.goes("/").await;
    browser.sees(&format!("Google ends this sign-in {day}")).await;
    browser.sees("Set it to “In production”").await;
    browser.is_fit("home-testing").await;
    browser.goes("/set-up").await;
    browser.sees(&format!("Your own sign-in there ends {day}")).await;
    browser.is_fit("set-up-testing").await;
    let lasts = browser.one("main time[datetime]").await.attr("title").await.unwrap().unwrap();
    assert!(lasts.contains("CE"), "in the zone of whoever reads it: {lasts}");
}
