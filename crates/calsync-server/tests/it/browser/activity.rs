//! What was done is seen as it happens, opened, undone, and done again when a person says so.

use super::Browser;
use crate::pages::signed_in;
use crate::world::{ADA, SOON, World, hour};

#[tokio::test]
async fn a_run_is_opened_undone_and_approved_again() {
    let (mut world, main, work) = World::with_ada(78).await;
    world.place.set("SYNC__POLL_SECONDS", 2);
    let _serving = world.place.serve().await;
    let browser = Browser::of(&world.place, &signed_in(&world.place, ADA).await).await;
    browser.goes("/activity").await;
    browser.sees("Nothing yet").await;
    browser.marks().await;
    world.make(&main, hour("Dentist", 30));
    world.wait_for_blocks(&work, 1, SOON).await;
    // Without a reload: the page hears of it.
    browser.sees("1 new in Work").await;
    assert!(browser.is_marked().await, "the page was not loaded anew");
    let run = browser.one("#runs tbody a").await;
    run.focus().await.unwrap();
    // The page brings itself up to date every quarter of a minute: what has the focus keeps it.
    let id = "return document.activeElement.id";
    let focused = browser.script(id).await;
    world.make(&main, hour("Interview", 33));
    browser.sees_times("1 new in Work", 2).await;
    assert_eq!(browser.script(id).await, focused, "who walks by keyboard is not sent back to the top");
    browser.is_fit("activity").await;

    browser.goes("/activity").await;
    browser.one("#runs tbody tr:last-child a").await.click().await.unwrap();
    browser.sees("Undoing this run: 1 block goes.").await;
    browser.is_fit("run").await;
    browser.presses("Undo this run").await;
    browser.sees("It is being undone: 1 block goes.").await;
    world.wait_for_blocks(&work, 1, SOON).await;
    browser.sees("removed").await;
    browser.is_fit("run-undone").await;
    browser.goes("/").await;
    browser.sees("nothing is written here until you approve").await;
    browser.sees("what they still ask for is then written again").await;
    browser.is_fit("home-held").await;
    assert_eq!(world.blocks(&work).len(), 1, "it is held: the rules do not do it again");
    browser.presses("Approve Work").await;
    browser.sees("Approved").await;
    world.wait_for_blocks(&work, 2, SOON).await;
    browser.sees("Both calendars are in step").await;
}
