//! Where the occurrences of a calendar stand: exceptions, lengths, zones, and what a windowed listing can prove.

use super::*;

fn window(from: &str, to: &str) -> Window {
    Window { from: from.parse().unwrap(), to: to.parse().unwrap() }
}

fn mirror(spec: &Spec) -> Mirror {
    let mut mirror = Mirror::default();
    fold(&mut mirror, &told(spec), Listed::Changes);
    mirror
}

/// What stands between two days, in Vienna.
fn standing(spec: &Spec, from: &str, to: &str) -> Vec<String> {
    let zone = crate::zone::find("Europe/Vienna").unwrap();
    let window = window(&format!("{from}T00:00:00Z"), &format!("{to}T00:00:00Z"));
    mirror(spec).occurrences(&window, &zone).list.iter().map(|o| o.span.to_string()).collect()
}

#[test]
fn an_exception_stands_where_it_went_and_not_where_it_was() {
    // Daily at midnight in Vienna: 22:00 UTC the evening before, 23:00 from the 25th on.
    let day = 24 * 60;
    let plain = ["2026-10-23T22:00:00Z/2026-10-23T23:00:00Z", "2026-10-24T22:00:00Z/2026-10-24T23:00:00Z"];
    let spec = |changes: &[(i64, Change)]| series(changes);
    assert_eq!(standing(&spec(&[]), "2026-10-23", "2026-10-25"), plain);
    assert_eq!(standing(&spec(&[(1, Change::Cancelled)]), "2026-10-23", "2026-10-25"), plain[1..]);
    let moved = standing(&spec(&[(1, Change::Moved(60))]), "2026-10-23", "2026-10-25");
    assert_eq!(moved, ["2026-10-23T23:00:00Z/2026-10-24T00:00:00Z", plain[1]]);
    // Moved out leaves no ghost, moved in counts.
    assert_eq!(standing(&spec(&[(1, Change::Moved(30 * day))]), "2026-10-23", "2026-10-25"), plain[1..]);
    let moved_in = standing(&spec(&[(31, Change::Moved(-30 * day))]), "2026-10-23", "2026-10-25");
    assert_eq!(moved_in.len(), 3);
}

/// What a provider's module makes of an item of which it can read nothing but the id.
fn unreadable(id: &EventId) -> RemoteItem {
    let event = Event::unreadable(id.clone(), "a field has a form we do not know");
    present(RemoteEvent { event, has_guests: true, marker: None, ..block(0, None) })
}

#[test]
fn what_can_not_be_read_any_more_stays_where_it_was() {
    let spec = series(&[(1, Change::Moved(60)), (2, Change::Cancelled)]);
    let ids: Vec<EventId> = mirror(&spec).events.into_keys().filter(|id| id.as_str() != "s").collect();
    assert_eq!(ids.len(), 2);
    for id in &ids {
        for listed in [Listed::Changes, Listed::Everything(Window::ALL)] {
            let mut items = told(&spec);
            items.retain(|item| !matches!(item, RemoteItem::Present(r) if r.event.id == *id));
            items.push(unreadable(id));
            assert_eq!(mirror(&spec).fold(&items, listed, &context()), MirrorDelta::default(), "{id:?}");
        }
        // One that was never seen readable is told of, and takes nothing away.
        let mut fresh = mirror(&series(&[]));
        fold(&mut fresh, &[unreadable(id)], Listed::Changes);
        let window = window("2026-10-20T00:00:00Z", "2026-10-30T00:00:00Z");
        let found = fresh.occurrences(&window, &crate::zone::find("Europe/Vienna").unwrap());
        assert_eq!((found.list.len(), found.unreadable.len()), (8, 1));
        assert_eq!(found.unreadable[0].event, *id);
    }
    // Read again, it is what it says.
    let mut known = mirror(&spec);
    fold(&mut known, &[unreadable(&ids[0])], Listed::Changes);
    let back = Spec { updated: 20, ..series(&[(1, Change::Moved(90)), (2, Change::Cancelled)]) };
    fold(&mut known, &told(&back), Listed::Changes);
    assert_eq!(known, mirror(&back));
}

#[test]
fn a_block_that_can_not_be_read_any_more_stands_and_is_left_alone() {
    let ours = block(0, Some(&IDENTITY));
    let id = ours.event.id.clone();
    let mut mirror = Mirror::default();
    fold(&mut mirror, &[present(ours)], Listed::Changes);
    let before = mirror.blocks[&id].clone();
    for listed in [Listed::Changes, Listed::Everything(Window::ALL)] {
        fold(&mut mirror, &[unreadable(&id)], listed);
        assert_eq!(mirror.blocks[&id], ObservedBlock { has_guests: true, ..before.clone() });
    }
}

#[test]
fn wall_time_stays_when_the_clocks_change() {
    let found = standing(&series(&[]), "2026-10-24", "2026-10-28");
    let starts: Vec<&str> = found.iter().map(|s| &s[..20]).collect();
    assert_eq!(
        starts,
        ["2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z", "2026-10-27T23:00:00Z"]
    );
}

#[test]
fn a_long_occurrence_that_began_before_the_window_counts() {
    let long = Spec { long: Long::Minutes(60 * 50), ..series(&[]) };
    assert_eq!(standing(&long, "2026-11-10", "2026-11-11").len(), 4);
    let days = Spec { long: Long::Days(3), ..series(&[]) };
    assert_eq!(
        standing(&days, "2026-11-10", "2026-11-11").len(),
        4,
        "three that cover it, and one by the zone"
    );
}

#[test]
fn an_unreadable_series_is_told_and_its_changed_occurrences_stand() {
    let mut mirror = mirror(&series(&[(1, Change::Moved(60)), (2, Change::Cancelled)]));
    let master = mirror.events.get_mut(&"s".into()).unwrap();
    master.series =
        Series::Master { recurrence: crate::recurrence::Recurrence { lines: vec!["RRULE:nonsense".into()] } };
    let found = mirror.occurrences(&Window::ALL, &jiff::tz::TimeZone::UTC);
    assert_eq!(found.unreadable.iter().map(|u| u.event.as_str()).collect::<Vec<_>>(), ["s"]);
    assert_eq!(found.list.len(), 1);
}

#[test]
fn an_exception_without_its_series_stands_by_itself_in_any_order() {
    let spec = series(&[(1, Change::Moved(60))]);
    let [master, exception] = told(&spec).try_into().unwrap();
    let mut mirror = Mirror::default();
    fold(&mut mirror, std::slice::from_ref(&exception), Listed::Changes);
    let alone = mirror.occurrences(&Window::ALL, &jiff::tz::TimeZone::UTC);
    assert_eq!(alone.list.len(), 1);
    let key = alone.list[0].key.clone();
    fold(&mut mirror, &[master], Listed::Changes);
    let week = window("2026-10-20T00:00:00Z", "2026-10-30T00:00:00Z");
    let both = mirror.occurrences(&week, &jiff::tz::TimeZone::UTC);
    assert_eq!(both.list.iter().filter(|o| o.key == key).count(), 1, "the same occurrence, not another one");
    assert!(both.list.len() > 5);
}

#[test]
fn a_windowed_listing_proves_nothing_outside_it() {
    let zone = jiff::tz::TimeZone::UTC;
    let inside = single("inside");
    let outside = Spec { start: "2026-12-24T00:00:00".parse().unwrap(), ..single("outside") };
    let mut mirror = mirror(&series(&[(0, Change::Cancelled), (90, Change::Cancelled)]));
    let items: Vec<_> = [&inside, &outside].into_iter().flat_map(told).collect();
    fold(&mut mirror, &items, Listed::Changes);
    let october = window("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z");
    // The series is shown with its pattern only.
    let delta = mirror.fold(&told(&series(&[])), Listed::Everything(october), &context());
    assert_eq!(delta.gone, ["inside".into(), "s_0".into()], "a cancelled occurrence counts where it stood");
    let _ = zone;
}

#[test]
fn occurrences_have_one_key_each_and_come_in_order() {
    seeds(200, |_, dice| {
        let (cloud, _) = cloud(dice);
        let mirror = everything(&cloud);
        let week = window("2026-10-20T00:00:00Z", "2026-11-10T00:00:00Z");
        let found = mirror.occurrences(&week, &jiff::tz::TimeZone::UTC);
        let keys: Vec<_> = found.list.iter().map(|o| o.key.clone()).collect();
        let mut sorted = keys.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(keys, sorted);
        assert!(found.unreadable.is_empty());
    });
}
