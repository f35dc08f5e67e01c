//! From nothing to the first block: what somebody does who has just installed it.

use calsync_sim::cloud::names::CalendarId;

use super::Browser;
use crate::place::{Place, Serving};
use crate::world::{ADA, SOON, World, calendar, hour};

/// A good password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// The link that `serve` printed for the first user.
pub(crate) async fn first_link(place: &Place, serving: &Serving) -> String {
    let said = crate::place::until("the first link", crate::place::PATIENCE, async || {
        let said = serving.log();
        said.lines().find_map(|line| line.trim().split_once("/welcome/").map(|(_, link)| link.to_owned()))
    })
    .await;
    place.url(&format!("/welcome/{said}"))
}

/// Becomes the first user.
pub(crate) async fn become_first(browser: &Browser, link: &str, email: &str) {
    browser.goes(link).await;
    browser.sees("Welcome to calendar-sync").await;
    browser.fills("email", email).await;
    browser.fills("password", PASSWORD).await;
    browser.presses("Begin").await;
    browser.sees("Set-up").await;
}

/// Connects an account at a provider whose page knows one person.
pub(crate) async fn connect(browser: &Browser, provider: &str, email: &str) {
    browser.presses(&format!("Connect {provider}")).await;
    browser.sees("Choose an account").await;
    browser.sees(email).await;
    browser.presses("Allow").await;
    browser.sees("Connected.").await;
}

#[tokio::test]
async fn from_nothing_to_the_first_block() {
    let mut place = Place::new();
    place.set("SYNC__POLL_SECONDS", 2);
    let world = World::around(place, 71).await;
    let (main, work) = (CalendarId::from(ADA), CalendarId::from("work@group.calendar.google.com"));
    world.sim.cloud().with(|cloud| {
        let ada = cloud.add_person(ADA, "Ada", "Europe/Vienna", crate::channels::now()).unwrap();
        cloud.add_calendar(calendar(&work, "Work", &ada), crate::channels::now()).unwrap();
    });
    world.make(&work, hour("Strategy", 30));
    let serving = world.place.serve().await;
    let browser = Browser::open(&world.place.url("")).await;
    let link = first_link(&world.place, &serving).await;
    browser.goes(&link).await;
    browser.is_fit("welcome").await;
    become_first(&browser, &link, "owner@example.com").await;
    browser.is_fit("set-up").await;

    // The link is used up.
    browser.goes(&link).await;
    browser.sees("this link was used").await;
    browser.is_fit("used-link").await;

    browser.goes("/").await;
    browser.sees("Connect your first account").await;
    browser.is_fit("home-empty").await;
    browser.presses("Begin").await;
    browser.is_fit("start-empty").await;
    connect(&browser, "Google", ADA).await;
    browser.sees("Work").await;
    browser.is_fit("start-connected").await;
    for tick in browser.all("main [name=calendar]").await {
        if !tick.is_selected().await.unwrap() {
            tick.click().await.unwrap();
        }
    }
    browser.presses("Show what would be written").await;
    browser.sees("1 write").await;
    browser.is_fit("start-preview").await;
    assert_eq!(world.writes(), 0, "nothing is written before somebody says so");
    browser.presses("Begin").await;
    browser.sees("It begins").await;
    world.wait_for_blocks(&main, 1, SOON).await;
    // Without a reload: the page hears of it.
    browser.sees("Both calendars are in step").await;
    browser.is_fit("home").await;

    browser.goes("/week").await;
    browser.sees("Work").await;
    let next = in_two_days_week();
    browser.goes(&format!("/week?from={next}")).await;
    browser.sees("Strategy").await;
    browser.presses_in("Strategy", "a.item").await;
    browser.sees("In your other calendars").await;
    browser.sees("blocked").await;
    browser.is_fit("week").await;
    browser.presses_in("Busy for Work", "a.item").await;
    browser.sees("Holds the time of").await;
    browser.sees("Written").await;

    browser.goes("/activity").await;
    browser.sees("1 new in").await;
    browser.is_fit("activity").await;
    browser.goes("/rules").await;
    browser.is_fit("rules").await;
    browser.presses_in("on", "a.cell.on").await;
    browser.sees("Title of the blocks").await;
    browser.is_fit("rules-panel").await;
    browser.fills("title", "Occupied").await;
    browser.presses("Preview").await;
    browser.sees("What saving would do").await;
    browser.is_fit("rules-preview").await;
    browser.goes("/settings").await;
    browser.is_fit("settings").await;
    drop(serving);
}

/// The Monday of the week in which the event is that lies thirty hours ahead.
fn in_two_days_week() -> String {
    let zone = calsync_core::zone::find("Europe/Vienna").unwrap();
    let day = crate::world::in_hours(30).to_jiff().to_zoned(zone).date();
    let since = i64::from(day.weekday().to_monday_zero_offset());
    day.checked_sub(jiff::Span::new().days(since)).unwrap().to_string()
}
