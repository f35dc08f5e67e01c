//! The week: what stands where, and why, told for an event, for one that blocks nothing, and for a block.

use calsync_sim::cloud::content::{Content, Transparency};
use calsync_sim::cloud::names::CalendarId;
use jiff::civil::Date;

use super::Browser;
use crate::channels::now;
use crate::mixed::Mixed;
use crate::pages::signed_in;
use crate::place::PATIENCE;
use crate::world::ADA;

const ZONE: &str = "Europe/Vienna";

/// An event of that day, from and to these times.
fn at(title: &str, day: Date, [from, to]: [&str; 2]) -> Content {
    let zone = calsync_core::zone::find(ZONE).unwrap();
    let ts = |time: &str| {
        let time: jiff::civil::Time = format!("{time}:00").parse().unwrap();
        calsync_core::time::Ts::from_jiff(day.to_datetime(time).to_zoned(zone.clone()).unwrap().timestamp())
    };
    Content::timed(title, ts(from), ts(to), ZONE)
}

/// The Monday of next week: it lies ahead whatever day it is.
fn next_monday() -> Date {
    let today = now().to_jiff().to_zoned(calsync_core::zone::find(ZONE).unwrap()).date();
    let ahead = 7 - i64::from(today.weekday().to_monday_zero_offset());
    today.saturating_add(jiff::Span::new().days(ahead))
}

/// Somebody's week: their own calendar, that of a team, and one at another provider.
fn fill(mixed: &Mixed, monday: Date) {
    let day = |n: i64| monday.saturating_add(jiff::Span::new().days(n));
    let make = |calendar: &CalendarId, content: Content| mixed.world.make(calendar, content);
    let free = |mut content: Content| {
        content.transparency = Transparency::Transparent;
        content
    };
    let (own, main, team) = (&mixed.google, &mixed.main, &mixed.team);
    make(main, at("Stand-up", day(0), ["09:00", "09:30"]).repeating("RRULE:FREQ=DAILY;COUNT=5"));
    make(main, at("Strategy", day(0), ["10:00", "11:30"]));
    make(main, at("Customer call", day(1), ["14:00", "15:00"]));
    make(main, at("Review", day(3), ["15:30", "17:00"]));
    make(main, at("Budget", day(4), ["11:00", "12:00"]));
    make(team, at("Planning", day(0), ["14:00", "16:00"]));
    make(team, at("Pairing", day(2), ["10:00", "12:00"]));
    make(team, at("Retrospective", day(4), ["14:00", "15:00"]));
    make(own, at("Dentist", day(1), ["08:00", "09:00"]));
    make(own, free(at("Lunch with Grace", day(2), ["12:30", "13:30"])));
    make(own, at("Choir", day(3), ["18:30", "20:00"]));
    make(own, at("Parents' evening", day(2), ["17:30", "19:00"]));
    make(own, Content::all_day("Visit of Mum", day(5), day(7)));
}

#[tokio::test]
async fn a_click_tells_what_becomes_of_an_event_and_what_a_block_stands_for() {
    let mut mixed = Mixed::new(79).await;
    mixed.world.place.set("SYNC__POLL_SECONDS", 2);
    let monday = next_monday();
    fill(&mixed, monday);
    let world = &mixed.world;
    let _serving = world.place.serve().await;
    // Twelve events take time: five, and one each day of the series; the free one does not.
    world.wait_for_blocks(&mixed.google, 12, PATIENCE).await;
    world.wait_for_blocks(&mixed.team, 13, PATIENCE).await;
    let browser = Browser::of(&world.place, &signed_in(&world.place, ADA).await).await;
    browser.goes("/").await;
    browser.sees("All 3 calendars are in step").await;
    browser.is_fit("home-full").await;
    browser.is_pictured("home").await;

    browser.goes(&format!("/week?from={monday}")).await;
    browser.sees("Customer call").await;
    browser.marks().await;
    browser.presses_in("Customer call", "a.item").await;
    browser.sees("In your other calendars").await;
    assert_eq!(browser.all("#why .pill.good").await.len(), 2, "blocked in both others");
    browser.is_fit("week-event").await;
    browser.presses_in("Lunch with Grace", "a.item").await;
    browser.sees("as free: it blocks nothing").await;
    browser.sees("it is shown as free").await;
    assert!(browser.all("#why .pill.good").await.is_empty());
    browser.presses_in("Busy for Team", "a.item").await;
    browser.sees("Holds the time of").await;
    browser.sees("By the rule").await;
    browser.sees("By the run").await;
    browser.is_fit("week-block").await;
    assert!(browser.is_marked().await, "the explanation came without a reload");
    browser.presses_in("Review", "a.item").await;
    browser.sees("In your other calendars").await;
    browser.is_pictured("week").await;

    browser.presses("Later").await;
    browser.sees_no("Customer call").await;
    browser.is_fit("week-later").await;
    browser.presses("Earlier").await;
    browser.sees("Customer call").await;
    browser.presses("Today").await;
    browser.sees_no("Customer call").await;
    assert_eq!(browser.all(".day.today").await.len(), 1);
}
