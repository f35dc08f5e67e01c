//! What is not somebody's: the staff's pages, and anything of another person's, said in words and not as a blank page.

use super::Browser;
use crate::monitoring;
use crate::pages::{list, signed_in};
use crate::place::{PATIENCE, until};
use crate::world::{ADA, World};

#[tokio::test]
async fn what_is_the_staffs_or_another_persons_is_refused_in_words() {
    let (world, ..) = World::with_ada(84).await;
    let place = &world.place;
    let _serving = place.serve().await;
    let grace = monitoring::Browser::of(place, "grace@example.com", false).await;
    let browser = Browser::of(place, &grace).await;
    browser.goes("/").await;
    browser.sees("Connect your first account").await;
    assert!(!browser.text().await.contains("Monitoring"), "the way there is not shown");
    for path in monitoring::PAGES.iter().copied().chain(["/set-up"]) {
        browser.goes(path).await;
        browser.sees("This is not for you").await;
    }
    browser.is_fit("not-for-you").await;
    let id = |what: &str, n: usize| list(place, what)[n]["id"].as_str().unwrap().to_owned();
    let run = until("a run", PATIENCE, async || {
        let runs =
            place.look(async |store| calsync_core::ports::Store::runs(store, None, 1).await.unwrap()).await;
        runs.first().map(|run| run.id.to_string())
    })
    .await;
    let hers = [
        format!("/calendars/{}/disable", id("calendars", 0)),
        format!("/accounts/{}/remove", id("accounts", 0)),
        format!("/activity/{run}"),
        format!("/rules?source={}&target={}", id("calendars", 0), id("calendars", 1)),
    ];
    for path in &hers {
        browser.goes(path).await;
        browser.sees("There is nothing here").await;
        assert!(!browser.text().await.contains("Work"), "{path}");
    }
    browser.is_fit("nothing-here").await;
    browser.presses("Back to the beginning").await;
    browser.sees("Connect your first account").await;
    // To her they are there.
    let ada = Browser::of(place, &signed_in(place, ADA).await).await;
    for path in &hers {
        ada.goes(path).await;
        assert!(!ada.text().await.contains("There is nothing here"), "{path}");
    }
}
