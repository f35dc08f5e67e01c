//! What stands in the calendars when life begins: one of everything that calendars hold.

use calsync_core::time::Ts;
use jiff::SignedDuration;

use super::Life;
use crate::cloud::content::{Content, EventType, Status, Transparency, When};
use crate::cloud::names::CalendarId;
use crate::cloud::{Cloud, CloudError};

/// Events that take an hour or so.
pub(super) const TITLES: [&str; 14] = [
    "Dentist",
    "Board meeting",
    "Lunch",
    "Physio",
    "Interview",
    "Parents' evening",
    "Haircut",
    "Call with the bank",
    "Design review",
    "Piano lesson",
    "Car service",
    "One-to-one",
    "Site visit",
    "Book club",
];
/// Events that come again.
pub(super) const SERIES: [&str; 5] = ["Stand-up", "Yoga", "Team lunch", "Language class", "Retro"];

/// Fills every calendar.
pub(super) fn fill(life: &mut Life, cloud: &mut Cloud, now: Ts) -> Result<(), CloudError> {
    for person in life.people.clone() {
        for calendar in &person.calendars {
            for _ in 0..4 {
                let content = timed(life, person.zone, now);
                cloud.create_event(calendar, content, now)?;
            }
            let series = series(life, person.zone, now);
            cloud.create_event(calendar, series, now)?;
            special(life, cloud, calendar, person.zone, now)?;
        }
        let others: Vec<_> = life.people.iter().filter(|p| p.email != person.email).cloned().collect();
        if let Some(other) = life.pick(&others).cloned() {
            let guest = life.address(&other);
            let meeting = timed(life, person.zone, now).inviting(guest.as_str());
            cloud.create_event(&person.calendars[0], meeting, now)?;
        }
    }
    Ok(())
}

/// One of the things that need care: whole days, free, tentative, out of office, a birthday.
fn special(
    life: &mut Life,
    cloud: &mut Cloud,
    calendar: &CalendarId,
    zone: &str,
    now: Ts,
) -> Result<(), CloudError> {
    let day = now
        .plus(SignedDuration::from_hours(24 * life.range(2, 80)))
        .to_jiff()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let after = day.tomorrow().map_err(|_| CloudError::Invalid("the end of time"))?;
    let all_day = Content::all_day("Holiday", day, after);
    let mut birthday =
        Content::all_day("Ida's birthday", day, after).repeating("RRULE:FREQ=DAILY;INTERVAL=365");
    birthday.transparency = Transparency::Transparent;
    let mut free = timed(life, zone, now);
    free.transparency = Transparency::Transparent;
    let mut tentative = timed(life, zone, now);
    tentative.status = Status::Tentative;
    let mut place = Content::all_day("Office", day, after);
    (place.event_type, place.transparency) = (EventType::WorkingLocation, Transparency::Transparent);
    for content in [all_day, birthday, free, tentative] {
        cloud.create_event(calendar, content, now)?;
    }
    // Only a main calendar can hold these (google.md §6); elsewhere the cloud refuses them, rightly.
    let _ = cloud.create_event(calendar, place, now);
    Ok(())
}

/// An hour or so, somewhere in the next three months, at a quarter of an hour.
pub(super) fn timed(life: &mut Life, zone: &str, now: Ts) -> Content {
    let title = life.pick(&TITLES).copied().unwrap_or("Dentist");
    let start = some_time(life, now);
    let minutes = 15 * life.range(1, 9);
    Content::timed(title, start, start.plus(SignedDuration::from_mins(minutes)), zone)
}

/// A quarter of an hour in the coming weeks, near ones more often.
pub(super) fn some_time(life: &mut Life, now: Ts) -> Ts {
    let days = if life.one_in(3) { life.range(0, 85) } else { life.range(0, 14) };
    let quarter = 15 * life.range(1, 96);
    now.floor_day().plus(SignedDuration::from_hours(24 * days)).plus(SignedDuration::from_mins(quarter))
}

/// A series by one of the rules that people use.
pub(super) fn series(life: &mut Life, zone: &str, now: Ts) -> Content {
    let title = life.pick(&SERIES).copied().unwrap_or("Stand-up");
    let start = some_time(life, now).minus(SignedDuration::from_hours(24 * life.range(0, 200)));
    let rules = [
        "RRULE:FREQ=WEEKLY",
        "RRULE:FREQ=WEEKLY;INTERVAL=2",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR",
        "RRULE:FREQ=DAILY;COUNT=12",
        "RRULE:FREQ=DAILY;INTERVAL=3",
        "RRULE:FREQ=WEEKLY;COUNT=8",
    ];
    let rule = life.pick(&rules).copied().unwrap_or("RRULE:FREQ=WEEKLY");
    if life.one_in(5) {
        let day = start.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
        return Content::new(title, When::Day(day), When::Day(day.tomorrow().unwrap_or(day))).repeating(rule);
    }
    let minutes = 15 * life.range(1, 7);
    Content::timed(title, start, start.plus(SignedDuration::from_mins(minutes)), zone).repeating(rule)
}
