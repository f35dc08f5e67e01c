//! The cloud by its typed interface: what a test or the demo does as the person.

use std::sync::Arc;

use calsync_core::time::{Ts, Window};
use calsync_sim::cloud::calendar::{AccessRole, NewCalendar, Origin};
use calsync_sim::cloud::content::{Content, EventType, Reminders, Response, When};
use calsync_sim::cloud::event::{Event, Kind, Slot};
use calsync_sim::cloud::journal::{By, Op};
use calsync_sim::cloud::names::{CalendarId, EventId, PersonId};
use calsync_sim::cloud::watch::{Cause, Channel, NotOpened, Provider, Resource};
use calsync_sim::cloud::{Cloud, CloudError, Guard, Ids, Imported, Limits};

fn ts(text: &str) -> Ts {
    text.parse().unwrap()
}

fn now() -> Ts {
    ts("2026-11-01T08:00:00Z")
}

fn world() -> (Cloud, CalendarId) {
    let mut cloud = Cloud::new(1, Limits::default());
    cloud.add_person("ann@example.com", "Ann", "Europe/Vienna", now()).unwrap();
    cloud.add_person("bob@example.com", "Bob", "Europe/Vienna", now()).unwrap();
    (cloud, CalendarId::from("ann@example.com"))
}

fn meeting() -> Content {
    Content::timed("Meeting", ts("2026-11-02T08:00:00Z"), ts("2026-11-02T09:00:00Z"), "Europe/Vienna")
}

fn weekly(cloud: &mut Cloud, cal: &CalendarId) -> Arc<Event> {
    cloud.create_event(cal, meeting().repeating("RRULE:FREQ=WEEKLY;COUNT=4"), now()).unwrap()
}

fn slot(text: &str) -> Slot {
    Slot::At(ts(text))
}

fn starts(cloud: &Cloud, cal: &CalendarId, series: &EventId) -> Vec<(String, bool)> {
    let found = cloud.occurrences(cal, series, &Window::ALL, 100).unwrap();
    found.iter().map(|e| (e.instants(&jiff::tz::TimeZone::UTC).0.to_string(), e.cancelled)).collect()
}

#[test]
fn a_write_changes_the_version_the_log_and_nothing_else() {
    let (mut cloud, cal) = world();
    let event = cloud.create_event(&cal, meeting(), now()).unwrap();
    let later = ts("2026-11-01T09:00:00Z");
    let seen = cloud.calendar(&cal).unwrap().log().last();
    let edited = cloud.edit_event(&cal, &event.id, later, |c| c.summary = Some("Other".into())).unwrap();
    assert!(edited.version > event.version);
    assert_eq!((edited.sequence, edited.created, edited.updated), (0, now(), later));
    let log = cloud.calendar(&cal).unwrap().log();
    let changed: Vec<_> = log.between(seen, log.last()).map(|(_, id)| id.as_str()).collect();
    assert_eq!(changed, [event.id.as_str()]);

    let silent = Reminders { use_default: false, overrides: Vec::new() };
    let even_later = ts("2026-11-01T10:00:00Z");
    let after = cloud.edit_event(&cal, &event.id, even_later, |c| c.reminders = Some(silent)).unwrap();
    assert_eq!(after.updated, later, "edits of reminders do not move `updated` (section 6)");
}

#[test]
fn ids_stay_taken_after_deletion_and_the_second_deletion_says_so() {
    let (mut cloud, cal) = world();
    let ids = || Ids { id: Some(EventId::from("abcde")), ical_uid: None };
    let by = By::client("ann@example.com", "app");
    cloud.insert(&by, &cal, ids(), meeting(), now()).unwrap();
    assert_eq!(cloud.insert(&by, &cal, ids(), meeting(), now()).unwrap_err(), CloudError::Duplicate);
    let id = EventId::from("abcde");
    assert!(cloud.delete(&by, &cal, &id, Guard::Any, now()).unwrap().after.is_tombstone());
    assert_eq!(cloud.delete(&by, &cal, &id, Guard::Any, now()).unwrap_err(), CloudError::Deleted);
    assert_eq!(cloud.insert(&by, &cal, ids(), meeting(), now()).unwrap_err(), CloudError::Duplicate);
    assert_eq!(cloud.purge(&cal, Ts::MAX), 1);
    assert_eq!(cloud.insert(&by, &cal, ids(), meeting(), now()).unwrap_err(), CloudError::Duplicate);
    assert_eq!(cloud.delete(&by, &cal, &id, Guard::Any, now()).unwrap_err(), CloudError::NoSuchEvent);
}

#[test]
fn a_guard_holds_a_writer_back_who_has_seen_an_older_version() {
    let (mut cloud, cal) = world();
    let by = By::client("ann@example.com", "app");
    let old = cloud.create_event(&cal, meeting(), now()).unwrap();
    cloud.edit_event(&cal, &old.id, now(), |c| c.location = Some("Room 1".into())).unwrap();
    let guard = (Guard::Version(old.version), Op::Patch);
    let refused = cloud.replace(&by, &cal, &old.id, guard, meeting(), now());
    assert_eq!(refused.unwrap_err(), CloudError::Changed);
    let refused = cloud.delete(&by, &cal, &old.id, Guard::Version(old.version), now());
    assert_eq!(refused.unwrap_err(), CloudError::Changed);
}

#[test]
fn the_journal_holds_what_programs_wrote_and_only_that() {
    let (mut cloud, cal) = world();
    let person = cloud.create_event(&cal, meeting(), now()).unwrap();
    let mut by = By::client("ann@example.com", "app");
    let content = meeting().inviting("carol@example.org");
    let made = cloud.insert(&by, &cal, Ids::default(), content.clone(), now()).unwrap().after;
    by.params.insert("sendUpdates".into(), "none".into());
    cloud.replace(&by, &cal, &made.id, (Guard::Any, Op::Patch), content, now()).unwrap();
    cloud.delete(&by, &cal, &person.id, Guard::Any, now()).unwrap();
    let seen: Vec<_> =
        cloud.journal().entries().map(|e| (e.op, e.before.is_some(), e.could_have_mailed())).collect();
    assert_eq!(seen, [(Op::Insert, false, true), (Op::Patch, true, false), (Op::Delete, true, false)]);
    let last = cloud.journal().entries().next_back().unwrap();
    assert_eq!(last.before.as_ref().unwrap().content.summary.as_deref(), Some("Meeting"));
}

#[test]
fn one_occurrence_is_cancelled_and_one_is_moved() {
    let (mut cloud, cal) = world();
    let series = weekly(&mut cloud, &cal);
    cloud.cancel_occurrence(&cal, &series.id, slot("2026-11-09T08:00:00Z"), now()).unwrap();
    let to = (ts("2026-11-17T12:00:00Z"), ts("2026-11-17T13:00:00Z"));
    let to = (When::at(to.0, "Europe/Vienna"), When::at(to.1, "Europe/Vienna"));
    let moved = cloud.move_occurrence(&cal, (&series.id, slot("2026-11-16T08:00:00Z")), to, now()).unwrap();
    assert_eq!(moved.id, EventId::from(format!("{}_20261116T080000Z", series.id)));
    assert_eq!(moved.slot(), Some(slot("2026-11-16T08:00:00Z")), "the identity of a moved one stays");
    let expected = [
        ("2026-11-02T08:00:00Z", false),
        ("2026-11-09T08:00:00Z", true),
        ("2026-11-17T12:00:00Z", false),
        ("2026-11-23T08:00:00Z", false),
    ];
    assert_eq!(starts(&cloud, &cal, &series.id), expected.map(|(t, c)| (t.to_owned(), c)));
    let stray = cloud.cancel_occurrence(&cal, &series.id, slot("2026-11-10T08:00:00Z"), now());
    assert_eq!(stray.unwrap_err(), CloudError::NoSuchEvent);
}

#[test]
fn a_series_keeps_its_wall_clock_over_a_clock_change() {
    let (mut cloud, cal) = world();
    let content =
        Content::timed("Tea", ts("2026-10-19T12:00:00Z"), ts("2026-10-19T13:00:00Z"), "Europe/Vienna");
    let series = cloud.create_event(&cal, content.repeating("RRULE:FREQ=WEEKLY;COUNT=2"), now()).unwrap();
    let found: Vec<_> = starts(&cloud, &cal, &series.id).into_iter().map(|(t, _)| t).collect();
    assert_eq!(found, ["2026-10-19T12:00:00Z", "2026-10-26T13:00:00Z"]);
}

#[test]
fn this_and_following_makes_a_second_series() {
    let (mut cloud, cal) = world();
    let series = weekly(&mut cloud, &cal);
    cloud.cancel_occurrence(&cal, &series.id, slot("2026-11-23T08:00:00Z"), now()).unwrap();
    let cut = slot("2026-11-16T08:00:00Z");
    let new =
        cloud.edit_following(&cal, (&series.id, cut), now(), |c| c.summary = Some("New".into())).unwrap();
    let first: Vec<_> = starts(&cloud, &cal, &series.id).into_iter().map(|(t, _)| t).collect();
    assert_eq!(first, ["2026-11-02T08:00:00Z", "2026-11-09T08:00:00Z"]);
    let second = starts(&cloud, &cal, &new.id);
    let expected = ["2026-11-16T08:00:00Z", "2026-11-23T08:00:00Z"].map(|t| (t.to_owned(), false));
    assert_eq!(second, expected, "later exceptions are reset to the pattern (section 7)");
    assert_ne!(new.ical_uid, series.ical_uid);

    // From the very first occurrence on: the old series goes.
    let whole = slot("2026-11-16T08:00:00Z");
    let newer = cloud.edit_following(&cal, (&new.id, whole), now(), |c| c.summary = None).unwrap();
    assert!(cloud.event(&cal, &new.id).unwrap().is_tombstone());
    assert_eq!(starts(&cloud, &cal, &newer.id).len(), 2);
}

#[test]
fn deleting_a_series_leaves_one_tombstone_and_a_moved_series_drops_stray_exceptions() {
    let (mut cloud, cal) = world();
    let series = weekly(&mut cloud, &cal);
    cloud.cancel_occurrence(&cal, &series.id, slot("2026-11-09T08:00:00Z"), now()).unwrap();
    cloud.cancel_occurrence(&cal, &series.id, slot("2026-11-16T08:00:00Z"), now()).unwrap();
    let biweekly = vec!["RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=2".to_owned()];
    cloud.edit_event(&cal, &series.id, now(), |c| c.recurrence = biweekly).unwrap();
    let left: Vec<_> = cloud.calendar(&cal).unwrap().exceptions(&series.id).map(|e| e.slot()).collect();
    assert_eq!(left, [Some(slot("2026-11-16T08:00:00Z"))]);

    let seen = cloud.calendar(&cal).unwrap().log().last();
    cloud.cancel_event(&cal, &series.id, now()).unwrap();
    let log = cloud.calendar(&cal).unwrap().log();
    assert_eq!(log.between(seen, log.last()).count(), 1, "no item per instance (section 7)");
    let occurrence = Event::occurrence_id(&series.id, slot("2026-11-02T08:00:00Z"));
    assert!(cloud.event(&cal, &occurrence).unwrap().cancelled);
    assert!(cloud.live_events(&cal).is_empty());
}

#[test]
fn a_guest_gets_a_copy_answers_it_and_the_organizer_learns() {
    let (mut cloud, cal) = world();
    let bob = PersonId::from("bob@example.com");
    let bobs = CalendarId::from("bob@example.com");
    let event =
        cloud.create_event(&cal, meeting().inviting("Bob@example.com").inviting("x@example.org"), now());
    let event = event.unwrap();
    let copy = cloud.event(&bobs, &event.id).unwrap();
    assert_eq!((&copy.ical_uid, copy.organizer.email.as_str()), (&event.ical_uid, "ann@example.com"));
    cloud.respond(&bob, &event.id, Response::Declined, now()).unwrap();
    for cal in [&cal, &bobs] {
        let seen = cloud.event(cal, &event.id).unwrap();
        assert_eq!(seen.content.attendee("bob@example.com").unwrap().response, Response::Declined);
    }
    let update = (Guard::Any, Op::Update);
    let put =
        cloud.replace(&By::person("bob@example.com"), &bobs, &event.id, update, copy.content.clone(), now());
    assert_eq!(put.unwrap_err(), CloudError::NotOrganizer);
    cloud.cancel_event(&cal, &event.id, now()).unwrap();
    assert!(cloud.event(&bobs, &event.id).unwrap().is_tombstone());
}

#[test]
fn a_program_that_deletes_silently_leaves_the_guests_copies() {
    let (mut cloud, cal) = world();
    let event = cloud.create_event(&cal, meeting().inviting("bob@example.com"), now()).unwrap();
    cloud.delete(&By::client("ann@example.com", "app"), &cal, &event.id, Guard::Any, now()).unwrap();
    assert!(!cloud.event(&CalendarId::from("bob@example.com"), &event.id).unwrap().cancelled);
}

#[test]
fn moving_to_another_calendar_leaves_a_stub_and_changes_the_organizer() {
    let (mut cloud, cal) = world();
    let second = NewCalendar {
        id: CalendarId::from("team@group.calendar.google.com"),
        summary: "Team".into(),
        time_zone: "Europe/Vienna".into(),
        owner: PersonId::from("ann@example.com"),
        origin: Origin::People,
    };
    let team = cloud.add_calendar(second, now()).unwrap();
    let series = weekly(&mut cloud, &cal);
    cloud.cancel_occurrence(&cal, &series.id, slot("2026-11-09T08:00:00Z"), now()).unwrap();
    let moved = cloud.move_to_calendar(&cal, &team, &series.id, now()).unwrap();
    assert_eq!(moved.organizer.email, "team@group.calendar.google.com");
    assert!(cloud.event(&cal, &series.id).unwrap().is_tombstone());
    assert_eq!(cloud.calendar(&team).unwrap().exceptions(&series.id).count(), 1);
}

#[test]
fn only_who_may_write_writes() {
    let (mut cloud, cal) = world();
    let bob = PersonId::from("bob@example.com");
    let by = By::client("bob@example.com", "app");
    let insert = |cloud: &mut Cloud| cloud.insert(&by, &cal, Ids::default(), meeting(), now());
    assert_eq!(insert(&mut cloud).unwrap_err(), CloudError::NoSuchCalendar);
    let last = cloud.calendar(&cal).unwrap().log().last();
    cloud.share(&cal, &bob, Some(AccessRole::Reader), now()).unwrap();
    assert!(
        !cloud.calendar(&cal).unwrap().log().reaches(last),
        "a change of rights kills tokens (section 4 rule 5)"
    );
    assert_eq!(insert(&mut cloud).unwrap_err(), CloudError::Forbidden);
    cloud.share(&cal, &bob, Some(AccessRole::Writer), now()).unwrap();
    assert_eq!(insert(&mut cloud).unwrap().after.organizer.email, "ann@example.com");
}

#[test]
fn times_and_types_are_checked() {
    let (mut cloud, cal) = world();
    let day = |n| When::Day(jiff::civil::date(2026, 11, n));
    let hour = |n: u8| When::at(ts(&format!("2026-11-02T{n:02}:00:00Z")), "UTC");
    let mut check = |start, end, event_type| {
        let content = Content { event_type, ..Content::new("x", start, end) };
        cloud.create_event(&cal, content, now()).map(|_| ())
    };
    assert_eq!(check(hour(9), hour(9), EventType::Default), Err(CloudError::EmptyRange));
    assert_eq!(check(day(3), day(2), EventType::Default), Err(CloudError::EmptyRange));
    assert!(matches!(check(day(2), hour(9), EventType::Default), Err(CloudError::Invalid(_))));
    assert!(matches!(check(day(2), day(3), EventType::OutOfOffice), Err(CloudError::Invalid(_))));
    assert!(matches!(check(hour(9), hour(10), EventType::WorkingLocation), Err(CloudError::Invalid(_))));
    assert!(matches!(check(hour(9), hour(10), EventType::FromGmail), Err(CloudError::Invalid(_))));
    assert_eq!(check(hour(9), hour(10), EventType::FocusTime), Ok(()));
    let bad = cloud.create_event(&cal, meeting().repeating("RRULE:FREQ=SOMETIMES"), now());
    assert!(matches!(bad.unwrap_err(), CloudError::Invalid(_)));
}

#[test]
fn import_refreshes_the_event_with_the_same_uid() {
    let (mut cloud, cal) = world();
    let by = By::client("ann@example.com", "app");
    let import = |title: &str| Imported {
        ical_uid: "one@example.org".into(),
        organizer: None,
        content: Content { summary: Some(title.into()), ..meeting() },
    };
    let first = cloud.import(&by, &cal, import("a"), now()).unwrap();
    let second = cloud.import(&by, &cal, import("b"), now()).unwrap();
    assert_eq!(first.after.id, second.after.id);
    assert_eq!(second.before.unwrap().content.summary.as_deref(), Some("a"));
    cloud.cancel_event(&cal, &first.after.id, now()).unwrap();
    assert_eq!(cloud.import(&by, &cal, import("c"), now()).unwrap_err(), CloudError::Duplicate);
}

#[test]
fn a_channel_is_told_of_everything_until_it_ends() {
    let (mut cloud, cal) = world();
    let channel = |id: &str| Channel {
        provider: Provider::Google,
        project: "p".into(),
        id: id.into(),
        client: "app".into(),
        person: PersonId::from("ann@example.com"),
        resource: Resource::Events(cal.clone()),
        resource_id: "r".into(),
        address: "http://127.0.0.1:1/".into(),
        token: None,
        expires: ts("2026-11-08T08:00:00Z"),
        event_types: Vec::new(),
        terms: None,
    };
    cloud.open_channel(channel("one"), now()).unwrap();
    let event = cloud.create_event(&cal, meeting(), now()).unwrap();
    let notices = cloud.take_notices(Provider::Google, 10);
    assert_eq!(
        notices.iter().map(|n| &n.cause).collect::<Vec<_>>(),
        [&Cause::Opened, &Cause::Changed(Some(event.id.clone()))]
    );
    assert!(notices[0].number == 1 && notices[1].number > 1);
    cloud.stop_channel("p", "one").unwrap();
    assert_eq!(cloud.open_channel(channel("one"), now()).unwrap_err(), NotOpened::IdTaken);
    cloud.open_channel(channel("two"), now()).unwrap();
    cloud.take_notices(Provider::Google, 10);
    cloud.cancel_event(&cal, &event.id, ts("2026-11-09T08:00:00Z")).unwrap();
    assert_eq!(cloud.watch().waiting(), 0, "the channel has expired");
    assert_eq!(cloud.watch().channels().count(), 0);
}

#[test]
fn the_same_seed_and_calls_make_the_same_cloud() {
    let run = || {
        let (mut cloud, cal) = world();
        let series = weekly(&mut cloud, &cal);
        assert_eq!(series.kind, Kind::Series);
        cloud.create_event(&cal, meeting(), now()).unwrap();
        format!("{cloud:?}")
    };
    assert_eq!(run(), run());
}
