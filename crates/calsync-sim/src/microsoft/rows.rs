//! What a delta tells of a calendar and a window, item by item (microsoft.md §7), whoever writes it down: the look-alike as
//! JSON, the in-process skin in the ports' vocabulary. It throws the dice of what goes wrong on the way, and keeps nothing.

use std::sync::Arc;

use calsync_core::time::Window;
use jiff::tz::TimeZone;

use super::Vanished;
use super::delta_token::Round;
use crate::cloud::calendar::Calendar;
use crate::cloud::event::{Event, Kind};
use crate::cloud::names::EventId;
use crate::cloud::{Cloud, CloudError};
use crate::faults::{Fault, FaultPlan};
use crate::pages::{Key, Page};

/// Empty pages that may follow each other by fault.
const EMPTY_MAX: u8 = 2;

/// One line of a page.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// All that is known of it.
    Full(Arc<Event>),
    /// An untouched occurrence: when it is, and whose it is.
    Stub(Arc<Event>),
    /// Gone, moved out of the window, or never inside.
    Removed(EventId),
}

type Row = (Key, Item);

/// Whether what a round's token stands for can no longer be told, and if so a number to choose an answer by.
pub(crate) fn lost(cal: &Calendar, round: &Round, faults: &FaultPlan) -> Option<u64> {
    let log = cal.log();
    let really = round.since.is_some_and(|at| !log.reaches(at)) || !log.reaches(round.upto);
    let by_chance = faults.draw(Fault::SyncTokenLost);
    if really { Some(0) } else { by_chance }
}

/// A delta can lag behind the change: neither an empty round nor one that shows other things proves anything (§7).
pub(crate) fn lag(round: &mut Round, faults: &FaultPlan) {
    let (Some(since), None) = (round.since, &round.after) else { return };
    if faults.strikes(Fault::DeltaLag) {
        round.upto = since;
    }
    if round.upto > since && faults.strikes(Fault::DeltaBehind) {
        round.upto -= 1;
    }
}

/// One page of a round: no more than `most` items, and some told twice.
pub(crate) fn page(
    cloud: &Cloud,
    cal: &Calendar,
    round: &Round,
    (vanished, most): (Vanished, usize),
    faults: &FaultPlan,
) -> Result<Page<Item>, CloudError> {
    let size = match faults.draw(Fault::ShortPage) {
        Some(number) => 1 + usize::try_from(number % most.max(1) as u64).unwrap_or(0),
        None => most,
    };
    // A page may hold nothing, and yet lead on (§7).
    if round.empty < EMPTY_MAX && faults.strikes(Fault::EmptyPage) {
        let here = round.after.clone().unwrap_or(Key(i64::MIN, String::new()));
        return Ok(Page { items: troubled(cal, faults, Vec::new()), next: Some(here) });
    }
    let Page { items, next } = match round.since {
        None => everything(cloud, cal, round, size)?,
        Some(since) => changes(cloud, cal, round, (since, size), vanished)?,
    };
    Ok(Page { items: troubled(cal, faults, items), next })
}

/// All that stands in the window, by id: singles, masters, and what their series make there.
fn everything(cloud: &Cloud, cal: &Calendar, round: &Round, size: usize) -> Result<Page<Item>, CloudError> {
    // The event at which the last page ended may have left some of its occurrences for this one.
    let stands = round.after.as_ref().and_then(|key| key.1.split('\n').next()).filter(|id| !id.is_empty());
    let stands = stands.map(EventId::from);
    let again = stands.as_ref().and_then(|id| cal.stored(id));
    let mut rows: Vec<Row> = Vec::new();
    for event in again.into_iter().chain(cal.stored_after(stands.as_ref())) {
        if rows.len() > size {
            break;
        }
        let found = match event.kind {
            _ if event.cancelled => continue,
            Kind::Exception { .. } => continue,
            Kind::Single if event.touches(&round.window, &TimeZone::UTC) => {
                vec![Item::Full(Arc::clone(event))]
            }
            Kind::Single => continue,
            Kind::Series => series_rows(cloud, cal, event, &round.window)?,
        };
        let key = |item: &Item| Key(0, format!("{}\n{}", event.id, sort_key(item, &event.id)));
        rows.extend(found.into_iter().map(|item| (key(&item), item)).filter(|(key, _)| round.is_before(key)));
    }
    Ok(Page::cut(rows.into_iter(), size))
}

/// What changed since, in the order of changes.
fn changes(
    cloud: &Cloud,
    cal: &Calendar,
    round: &Round,
    (since, size): (u64, usize),
    vanished: Vanished,
) -> Result<Page<Item>, CloudError> {
    let reached = round.after.as_ref().and_then(|key| u64::try_from(key.0).ok());
    let reached = reached.map_or(since, |n| n.saturating_sub(1).max(since));
    let mut rows: Vec<Row> = Vec::new();
    for (number, id) in cal.log().between(reached, round.upto) {
        if rows.len() > size {
            break;
        }
        let Some(event) = cal.stored(id) else { continue };
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let master = event.series().unwrap_or(&event.id);
        let key = |item: &Item| Key(number, sort_key(item, master));
        let mut found: Vec<Row> =
            change(cloud, cal, event, &round.window, vanished)?.into_iter().map(|i| (key(&i), i)).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        rows.extend(found.into_iter().filter(|(key, _)| round.is_before(key)));
    }
    Ok(Page::cut(rows.into_iter(), size))
}

/// What one changed thing looks like to somebody who watches the window.
fn change(
    cloud: &Cloud,
    cal: &Calendar,
    event: &Arc<Event>,
    window: &Window,
    vanished: Vanished,
) -> Result<Vec<Item>, CloudError> {
    let told = vanished == Vanished::Told;
    let inside = event.touches(window, &TimeZone::UTC);
    Ok(match &event.kind {
        Kind::Single if !event.cancelled && inside => vec![Item::Full(Arc::clone(event))],
        // Gone, moved out of the window, or never inside: all the same word (§7).
        Kind::Single => vec![Item::Removed(event.id.clone())],
        Kind::Series if event.cancelled => {
            let mut gone = vec![Item::Removed(event.id.clone())];
            if told {
                gone.extend(
                    taking_place(cloud, cal, event, window)?.iter().map(|e| Item::Removed(e.id.clone())),
                );
            }
            gone
        }
        // Editing a series tells all its occurrences again (§10 row 5).
        Kind::Series => {
            let rows = series_rows(cloud, cal, event, window)?;
            if rows.is_empty() { vec![Item::Removed(event.id.clone())] } else { rows }
        }
        Kind::Exception { series, .. } => {
            // Whatever happens to one occurrence happens to its master too; that an occurrence is gone may be all
            // that is told (§10 row 4).
            let mut rows: Vec<Item> =
                cal.live_series(series).map(|m| Item::Full(Arc::clone(m))).into_iter().collect();
            match (event.cancelled, inside) {
                (false, true) => rows.push(Item::Full(Arc::clone(event))),
                (false, false) => rows.push(Item::Removed(event.id.clone())),
                (true, _) if told => rows.push(Item::Removed(event.id.clone())),
                (true, _) => {}
            }
            rows
        }
    })
}

/// Things told twice, perhaps once as they were, and things removed that nobody knew (§7).
fn troubled(cal: &Calendar, faults: &FaultPlan, mut items: Vec<Item>) -> Vec<Item> {
    if let Some(number) = faults.draw(Fault::DuplicateItem).filter(|_| !items.is_empty()) {
        let at = usize::try_from(number % items.len() as u64).unwrap_or(0);
        let older = match &items[at] {
            Item::Full(event) => cal.previous(&event.id).filter(|e| !e.cancelled),
            Item::Stub(_) | Item::Removed(_) => None,
        };
        // The last one wins, so an older one comes first.
        let copy = older.map_or_else(|| items[at].clone(), |e| Item::Full(Arc::clone(e)));
        items.insert(at, copy);
    }
    if faults.strikes(Fault::ExceptionsFirst) {
        // Occurrences before their master; nothing says in which order they come.
        items.sort_by_key(|item| matches!(item, Item::Full(event) if event.kind == Kind::Series));
    }
    if let Some(number) = faults.draw(Fault::StrayRemoval) {
        items.insert(0, Item::Removed(EventId::from(format!("stray{number}"))));
    }
    items
}

/// A series in a window: its master whole, untouched occurrences as stubs, exceptions whole. Nothing if it makes nothing
/// there.
fn series_rows(
    cloud: &Cloud,
    cal: &Calendar,
    master: &Arc<Event>,
    window: &Window,
) -> Result<Vec<Item>, CloudError> {
    let found = taking_place(cloud, cal, master, window)?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = vec![Item::Full(Arc::clone(master))];
    rows.extend(
        found.into_iter().map(|e| if cal.stored(&e.id).is_some() { Item::Full(e) } else { Item::Stub(e) }),
    );
    rows.sort_by_key(|row| sort_key(row, &master.id));
    Ok(rows)
}

/// The master first, then the rest by id.
fn sort_key(item: &Item, master: &EventId) -> String {
    let id = match item {
        Item::Full(event) | Item::Stub(event) => &event.id,
        Item::Removed(id) => id,
    };
    format!("{}{id}", if id == master { '0' } else { '1' })
}

/// The occurrences of a series in a window that do take place.
pub(crate) fn taking_place(
    cloud: &Cloud,
    cal: &Calendar,
    series: &Event,
    window: &Window,
) -> Result<Vec<Arc<Event>>, CloudError> {
    let mut found = cloud.occurrences_in(&cal.id, &series.id, (window, &TimeZone::UTC), usize::MAX)?;
    found.retain(|e| !e.cancelled);
    Ok(found)
}
