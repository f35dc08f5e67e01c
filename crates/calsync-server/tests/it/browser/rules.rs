//! A rule is changed: what it would do is shown before anything is written, and then that is done and nothing else.

use calsync_sim::cloud::content::Content;
use calsync_sim::cloud::names::CalendarId;

use super::Browser;
use crate::channels::now;
use crate::pages::signed_in;
use crate::place::until;
use crate::world::{ADA, SOON, World, hour};

/// Titles of the blocks that stand in a calendar, in order.
fn titles(world: &World, calendar: &CalendarId) -> Vec<String> {
    let blocks = world.blocks(calendar);
    let mut titles: Vec<String> =
        blocks.iter().map(|block| block.content.summary.clone().unwrap_or_default()).collect();
    titles.sort_unstable();
    titles
}

#[tokio::test]
async fn what_a_change_would_do_is_shown_and_then_done_and_nothing_else() {
    let (mut world, main, work) = World::with_ada(77).await;
    world.place.set("SYNC__POLL_SECONDS", 2);
    let today = now().to_jiff().to_zoned(calsync_core::zone::find("Europe/Vienna").unwrap()).date();
    let (from, to) =
        (today.saturating_add(jiff::Span::new().days(3)), today.saturating_add(jiff::Span::new().days(4)));
    world.make(&main, hour("Dentist", 30));
    world.make(&main, Content::all_day("Conference", from, to));
    world.make(&work, hour("Strategy", 33));
    let _serving = world.place.serve().await;
    world.wait_for_blocks(&work, 2, SOON).await;
    world.wait_for_blocks(&main, 1, SOON).await;
    let before = world.blocks(&main);
    let browser = Browser::of(&world.place, &signed_in(&world.place, ADA).await).await;
    browser.goes("/").await;
    browser.sees("Both calendars are in step").await;
    let writes = world.writes();

    browser.goes("/rules").await;
    let cell = format!("a.cell[href*=\"source={}\"]", world.id_of(&main));
    browser.one(&cell).await.click().await.unwrap();
    browser.sees("Title of the blocks").await;
    browser.fills("title", "Occupied").await;
    browser.one("#panel [name=skip_all_day]").await.click().await.unwrap();
    browser.presses("Preview").await;
    browser.sees("What saving would do").await;
    browser.sees("2 writes").await;
    let cells = "return [...document.querySelectorAll('#panel tbody tr')].map(r => [...r.querySelectorAll('.num')].map(c => c.textContent))";
    assert_eq!(
        browser.script(cells).await,
        serde_json::json!([["0", "1", "1", "0"]]),
        "new, changed, removed, kept"
    );
    browser.is_fit("rules-preview-change").await;
    assert_eq!(
        (world.writes(), titles(&world, &work)),
        (writes, vec!["Busy".to_owned(); 2]),
        "it was only shown"
    );

    browser.presses("Save").await;
    browser.sees("Saved.").await;
    until("the blocks are as shown", SOON, async || (titles(&world, &work) == ["Occupied"]).then_some(()))
        .await;
    browser.goes("/").await;
    browser.sees("Both calendars are in step").await;
    assert_eq!(world.writes(), writes + 2, "one was changed and one removed");
    assert_eq!(before[0].version, world.blocks(&main)[0].version, "nobody touched that one");
}
