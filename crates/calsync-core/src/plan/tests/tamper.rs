//! People and other programs at work among our blocks: what is ours is put right, what is not is never touched.

use super::cloud::as_remote;
use super::dice::{Dice, seeds};
use super::laws::{assert_right, edit};
use super::world::{IDENTITY, Place, World};
use crate::block::{BlockBusy, BlockContent, Identity, OccurrenceKey, Visibility, block_event_id};
use crate::event::When;
use crate::ids::EventId;
use crate::ports::RemoteEvent;
use crate::time::Span;

/// Somebody does something to one of our blocks.
fn tamper(place: &mut Place, dice: &mut Dice) {
    let blocks: Vec<RemoteEvent> = place.cloud.ours().cloned().collect();
    if blocks.is_empty() {
        return;
    }
    let mut block = dice.pick(&blocks);
    match dice.below(6) {
        0 => return place.cloud.remove(&block.event.id),
        1 => block.marker = None,
        2 => block.event.text = None,
        // A copy of one that lost its marker would be an event like any other.
        3 if block.marker.is_none() => return,
        3 => {
            // A copy, with everything that providers copy.
            block.event.id = EventId(format!("copy{}", place.cloud.clock));
        }
        4 => block.event.show_as = crate::event::ShowAs::Free,
        _ => {
            if let Some(When::Timed { start, end, .. }) = &mut block.event.when {
                let by = jiff::SignedDuration::from_mins(dice.range(-8, 8) * 15);
                (*start, *end) = (start.plus(by), end.plus(by));
            }
        }
    }
    place.cloud.place(block);
}

/// A block that another installation made there.
fn foreign_block(place: &Place, n: i64) -> RemoteEvent {
    let other = Identity::new([9; 32]);
    let key = OccurrenceKey { event: EventId(format!("theirs{n}")), original: None };
    let correlation = other.correlation(&place.calendar.remote, &key, &place.calendar.remote);
    let id = block_event_id(correlation, 0);
    let start = place.calendar.last_full_sync.unwrap().plus(jiff::SignedDuration::from_hours(n));
    let content = BlockContent {
        span: Span::Timed { start, end: start.plus(jiff::SignedDuration::from_hours(1)) },
        title: "Busy".into(),
        description: None,
        location: None,
        busy: BlockBusy::Busy,
        visibility: Visibility::Private,
        colour: None,
    };
    as_remote(id.clone(), &content, other.marker(correlation, &id))
}

#[test]
fn what_is_ours_is_put_right_and_what_is_not_is_left_alone() {
    seeds(250, |_, dice| {
        let mut world = World::random(dice);
        world.settle(dice, 3);
        for n in 0..world.places.len() {
            let theirs = foreign_block(&world.places[n], dice.range(0, 100));
            world.places[n].cloud.place(theirs);
        }
        for _ in 0..3 {
            for _ in 0..4 {
                let n = dice.below(world.places.len());
                tamper(&mut world.places[n], dice);
            }
            if dice.chance(30) {
                edit(&mut world, dice);
            }
            let others: Vec<String> = world.places.iter().map(|p| p.cloud.others()).collect();
            world.settle(dice, 6);
            assert_right(&world);
            let after: Vec<String> = world.places.iter().map(|p| p.cloud.others()).collect();
            assert_eq!(others, after, "somebody else's things changed");
        }
    });
}

#[test]
fn it_survives_the_loss_of_its_database() {
    seeds(200, |_, dice| {
        let mut world = World::random(dice);
        for place in &mut world.places {
            // Where the provider chooses ids, our mark is bound to the id only once a block was changed.
            place.cloud.chooses_ids = false;
        }
        world.settle(dice, 3);
        let edited = dice.chance(50);
        if edited {
            edit(&mut world, dice);
        }
        for place in &mut world.places {
            place.ledger.clear();
            place.outbox.clear();
            place.mirror = Default::default();
            (place.calendar.cursor, place.calendar.last_full_sync) = (None, None);
        }
        let (writes, _) = world.round(dice, Default::default());
        let plain = world.places.iter().all(|p| !p.cloud.normalises);
        assert!(edited || !plain || writes == 0, "{writes} writes though all blocks stand");
        world.settle(dice, 6);
        assert_right(&world);
    });
}

#[test]
fn a_calendar_switched_off_loses_all_blocks_and_gets_them_back() {
    seeds(150, |_, dice| {
        let mut world = World::random(dice);
        world.settle(dice, 3);
        let n = dice.below(world.places.len());
        let others: Vec<String> = world.places.iter().map(|p| p.cloud.others()).collect();
        world.places[n].calendar.sync_enabled = false;
        world.settle(dice, 4);
        assert_eq!(world.places[n].cloud.ours().count(), 0, "blocks stay behind in it");
        let id = world.places[n].calendar.id;
        let from_it = |p: &Place| {
            p.ledger.values().any(|r| r.source == id && r.state != crate::ledger::LedgerState::Gone)
        };
        assert!(!world.places.iter().any(from_it), "its blocks stay behind elsewhere");
        assert_right(&world);
        world.places[n].calendar.sync_enabled = true;
        // Texts that nobody asked for meanwhile are not stored: they are read again.
        world.read(dice, 100);
        world.settle(dice, 4);
        assert_right(&world);
        assert_eq!(others, world.places.iter().map(|p| p.cloud.others()).collect::<Vec<_>>());
    });
}

#[test]
fn the_mark_names_the_very_id() {
    seeds(50, |_, dice| {
        let mut world = World::random(dice);
        world.settle(dice, 3);
        for place in world.places.iter().filter(|p| !p.cloud.chooses_ids) {
            for block in place.cloud.ours() {
                let origin = IDENTITY.origin(&block.event.id, block.marker.as_ref());
                let row = place.ledger.values().find(|r| r.block.as_ref() == Some(&block.event.id)).unwrap();
                assert_eq!(origin, crate::block::Origin::Ours(row.correlation));
            }
        }
    });
}
