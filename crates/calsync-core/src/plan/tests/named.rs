//! Cases with a name: mistakes that tools of this kind made, each of which cost somebody a calendar (users.md), and
//! seeds that failed.

use super::model::{CANARIES, Change, End, Long, Repeat, Spec};
use super::pair::{Pair, meeting, only, skips};
use super::world::{Faults, IDENTITY};
use crate::block::{Marker, Origin, block_event_id};
use crate::event::{Event, Response, When};
use crate::ids::EventId;
use crate::ledger::{LedgerState, WriteOp};
use crate::mirror::{FoldContext, Listed};
use crate::plan::{ActionKind, Reason, SkipReason};
use crate::ports::RemoteEvent;
use crate::rule::RuleOptions;

/// Mistake 1: the list call answered `[]` on any error, and every block of the calendar went. An error does not reach
/// the mirror at all; an empty list of changes does, and says that nothing changed.
#[test]
fn an_error_page_is_not_a_deletion() {
    let mut pair = Pair::of_meetings(30);
    let source = &mut pair.world.places[0];
    let nobody = Default::default();
    let context =
        FoldContext { our_blocks: &nobody, texts: Default::default(), forget_before: crate::time::Ts::MIN };
    assert!(source.mirror.fold(&[], Listed::Changes, &context).is_empty());
    assert!(pair.world.plan(1).is_empty());
}

/// The same as a complete listing: a provider that answers nothing without an error. Held.
#[test]
fn a_sudden_emptiness_deletes_nothing() {
    let mut pair = Pair::of_meetings(30);
    pair.world.places[0].cloud.items.clear();
    pair.enqueue();
    assert!(pair.target().hold.is_some() && pair.target().outbox.is_empty());
    assert_eq!(pair.round(), 0);
    assert_eq!(pair.blocks().len(), 30);
}

/// Mistake 2: the 251st event counted as deleted because the second page was never asked for.
#[test]
fn event_251_is_not_deleted() {
    let mut pair = Pair::of_meetings(0);
    (0..300).for_each(|n| pair.put(meeting(&format!("m{n}"), n * 3)));
    pair.run();
    assert_eq!(pair.blocks().len(), 300);
    assert!(pair.plan().is_empty());
}

/// Mistake 5: all-day events became midnight-UTC timed ones, and the title carried the source's.
#[test]
fn an_all_day_event_stays_a_date_and_keeps_its_title_to_itself() {
    let mut pair = Pair::of_meetings(0);
    pair.world.places[0].calendar.time_zone = "America/New_York".into();
    pair.put(Spec { long: Long::Days(1), ..meeting("m", 96) });
    pair.run();
    let block = pair.block();
    let date = "2026-11-03".parse::<jiff::civil::Date>().unwrap();
    assert_eq!(block.event.when, Some(When::AllDay { start: date, end: date.tomorrow().unwrap() }));
    let told = format!("{block:?}");
    assert!(CANARIES.iter().all(|c| !told.contains(c)), "{told}");
    assert_eq!(block.event.text.unwrap().title.as_deref(), Some("Busy"));
}

/// Mistake 6: it wrote into the user's own events.
#[test]
fn the_users_own_events_are_never_written() {
    let mut pair = Pair::of_meetings(3);
    let before = pair.world.places[0].cloud.others();
    pair.put(meeting("m9", 90));
    pair.run();
    pair.remove("m9");
    pair.run();
    assert_eq!(before, pair.world.places[0].cloud.others());
    assert_eq!(pair.world.places[0].cloud.writes, 0);
}

/// Mistake 7: a block whose deletion failed was marked deleted: an orphan for ever.
#[test]
fn a_deletion_that_fails_is_not_forgotten() {
    let mut pair = Pair::of_meetings(1);
    pair.remove("m0");
    for _ in 0..3 {
        // The provider refuses, again and again.
        let plan = pair.enqueue();
        assert_eq!(only(&plan).kind, ActionKind::Delete);
        assert_eq!(pair.target().ledger.values().next().unwrap().state, LedgerState::Live);
    }
    pair.run();
    assert!(pair.blocks().is_empty());
}

/// OGCS and Keeper: 2 to 50 copies of each event. Three calendars, all to all, a hundred rounds.
#[test]
fn a_mesh_does_not_mirror_its_own_blocks() {
    let mut pair = Pair::of_meetings(5);
    pair.world.stored.clear();
    let third = super::world::Place::new(super::world::calendar(3, "UTC"), &mut pair.dice);
    pair.world.places.push(third);
    pair.run();
    for _ in 0..100 {
        assert_eq!(pair.world.round(&mut pair.dice, Faults::default()), (0, 0));
    }
    assert_eq!(pair.blocks().len(), 5);
}

/// A person copies a block into another hour: the copy carries the marker, and is the person's.
#[test]
fn a_copy_of_a_block_is_its_owners() {
    let mut pair = Pair::of_meetings(1);
    let mut copy = pair.block();
    copy.event.id = "copy".into();
    pair.target().cloud.place(copy);
    assert_eq!(pair.round(), 0);
    pair.remove("m0");
    pair.run();
    assert_eq!(pair.target().cloud.items.keys().cloned().collect::<Vec<_>>(), [EventId::from("copy")]);
}

/// A stripped marker takes nothing away: the ledger names the id.
#[test]
fn a_block_without_its_marker_is_still_ours() {
    let mut pair = Pair::of_meetings(1);
    let mut block = pair.block();
    block.marker = None;
    pair.target().cloud.place(block);
    assert!(pair.plan().is_empty(), "nothing visible changed");
    pair.remove("m0");
    pair.run();
    assert!(pair.blocks().is_empty());
}

/// A marker of ours on a person's event, put there by hand, makes it nobody's block, never ours.
#[test]
fn a_forged_marker_gives_nothing_away() {
    let mut pair = Pair::of_meetings(1);
    let block = pair.block();
    for marker in [block.marker.clone().unwrap(), Marker("v1.0.0".into())] {
        let mut forged = meeting("forged", 300).remote().remove(0);
        forged.marker = Some(marker);
        pair.target().cloud.place(forged);
        assert!(pair.plan().is_empty());
    }
    assert_eq!(pair.round(), 0);
}

/// A block of ours that no row knows any more (a restored backup) goes, unless a series can't be read: it may be its.
#[test]
fn orphans_go_but_not_while_a_series_is_unreadable() {
    let mut pair = Pair::of_meetings(2);
    pair.target().ledger.clear();
    pair.remove("m1");
    let reasons: Vec<_> = pair.plan().actions.iter().map(|a| a.reason).collect();
    assert_eq!(reasons, [Reason::FoundStanding, Reason::Orphan]);
    let repeat = Some(Repeat { every_days: 1, end: End::Count(2) });
    pair.put(Spec { repeat, ..meeting("s", 200) });
    pair.plan();
    let series = pair.world.places[0].mirror.events.get_mut(&"s".into()).unwrap();
    let broken = crate::recurrence::Recurrence { lines: vec!["RRULE:FREQ=NEVER".into()] };
    series.series = crate::event::Series::Master { recurrence: broken };
    assert!(pair.world.plan(1).actions.iter().all(|a| a.reason != Reason::Orphan));
}

/// Puts another block of the only event there, under the id of this generation.
fn second_block(pair: &mut Pair, generation: u32) -> EventId {
    let row = pair.target().ledger.values().next().unwrap().clone();
    let id = block_event_id(row.correlation, generation);
    let marker = IDENTITY.marker(row.correlation, &id);
    assert_eq!(IDENTITY.origin(&id, Some(&marker)), Origin::Ours(row.correlation));
    let mut second = pair.block();
    (second.event.id, second.marker) = (id.clone(), Some(marker));
    pair.target().cloud.made.insert(id.clone());
    pair.target().cloud.place(second);
    id
}

/// Two blocks for one event (two writers, once): one goes, and the one that the ledger names stays.
#[test]
fn a_second_block_of_the_same_event_goes() {
    let mut pair = Pair::of_meetings(1);
    let first = pair.block();
    second_block(&mut pair, 7);
    pair.run();
    assert_eq!(pair.block().event.id, first.event.id);
    assert_eq!(pair.target().ledger.values().next().unwrap().state, LedgerState::Live);
}

/// While the one block is changed the other waits: a block has one write at a time.
#[test]
fn a_second_block_waits_while_the_first_is_written() {
    let mut pair = Pair::of_meetings(1);
    second_block(&mut pair, 7);
    pair.put(meeting("m0", 40));
    assert_eq!(only(&pair.plan()).reason, Reason::SourceChanged);
    pair.run();
    assert_eq!(pair.blocks().len(), 1);
}

/// Somebody removes the block that the ledger names: that the other one stands does not hide it.
#[test]
fn a_second_block_does_not_stand_in_for_a_removed_one() {
    let mut pair = Pair::of_meetings(1);
    let first = pair.block().event.id;
    second_block(&mut pair, 7);
    pair.target().cloud.remove(&first);
    assert_eq!(only(&pair.plan()).reason, Reason::PutBackRemoved);
    pair.run();
    assert_eq!(pair.blocks().len(), 1);
}

/// A block moves into the window, the answer is lost, and its event is cancelled: the block goes all the same.
#[test]
fn a_block_whose_move_was_never_answered_is_found_where_it_went() {
    let mut pair = Pair::of_meetings(1);
    pair.world.now = pair.world.now.plus(jiff::SignedDuration::from_hours(24 * 7));
    pair.run();
    pair.put(meeting("m0", 96 * 8));
    let plan = pair.enqueue();
    let Some(WriteOp::Update { id, version, content, marker, .. }) = &only(&plan).write else {
        panic!("{plan:#?}")
    };
    pair.target().cloud.update(id, version.as_ref(), content, marker).unwrap();
    pair.remove("m0");
    pair.run();
    assert!(pair.blocks().is_empty());
}

/// An event that comes back gets a new id: the old one stays taken for ever.
#[test]
fn a_block_that_comes_back_has_the_next_generation() {
    let mut pair = Pair::of_meetings(1);
    for generation in 1..4 {
        pair.remove("m0");
        pair.run();
        pair.put(meeting("m0", 0));
        pair.run();
        let row = pair.target().ledger.values().next().unwrap();
        assert_eq!((row.generation, row.repairs), (generation, 0));
    }
    assert_eq!(pair.blocks().len(), 1);
}

/// The ledger is lost after a few generations: the next one follows those that the provider has seen.
#[test]
fn generations_survive_the_loss_of_the_ledger() {
    let mut pair = Pair::of_meetings(1);
    for generation in 1..=3 {
        let id = pair.block().event.id;
        assert_eq!(
            id,
            block_event_id(pair.target().ledger.values().next().unwrap().correlation, generation - 1)
        );
        pair.target().cloud.remove(&id);
        let writes = pair.target().cloud.writes;
        pair.run();
        assert_eq!(pair.target().cloud.writes, writes + 1);
        assert_eq!(pair.target().ledger.values().next().unwrap().generation, generation);
    }
    pair.target().ledger.clear();
    pair.run();
    assert_eq!(pair.target().ledger.values().next().unwrap().generation, 3);
    let id = pair.block().event.id;
    pair.target().cloud.remove(&id);
    let writes = pair.target().cloud.writes;
    pair.run();
    assert_eq!(pair.target().cloud.writes, writes + 1, "found at the first try");
}

/// The same where the event is gone meanwhile, and its block with it as an orphan: should the event come back, its
/// block gets an id that is free.
#[test]
fn generations_survive_an_orphan() {
    let mut pair = Pair::of_meetings(1);
    let id = pair.block().event.id;
    pair.target().cloud.remove(&id);
    pair.run();
    pair.target().ledger.clear();
    pair.remove("m0");
    pair.run();
    assert!(pair.blocks().is_empty());
    pair.put(meeting("m0", 0));
    let plan = pair.plan();
    assert!(matches!(only(&plan).write, Some(WriteOp::Create { generation: 2, .. })), "{plan:#?}");
}

/// A stranger sits under the id that we are about to use: it is left alone, and we take the next one.
#[test]
fn a_stranger_under_our_id_is_left_alone() {
    let mut pair = Pair::of_meetings(0);
    pair.put(meeting("m0", 0));
    let plan = pair.enqueue();
    let id = only(&plan).row.block.clone().unwrap();
    let mut stranger = meeting("x", 50).remote().remove(0);
    stranger.event.id = id.clone();
    pair.target().cloud.place(stranger);
    pair.run();
    assert_ne!(pair.block().event.id, id);
    // The event goes, and the stranger stays.
    pair.remove("m0");
    pair.run();
    assert!(pair.blocks().is_empty() && pair.target().cloud.items.contains_key(&id));
}

/// Somebody subscribes to a calendar with blocks, at a provider that gives them UIDs of its own: what they get there looks like
/// events. They make no blocks, wherever the block is that they are copies of.
#[test]
fn a_copy_of_a_block_makes_none() {
    let copy = |pair: &Pair| {
        let mut copy = meeting("copy", 0).remote().remove(0);
        copy.event.ical_uid = pair.block().event.ical_uid;
        copy
    };
    let mut pair = Pair::of_meetings(1);
    let mut block = pair.block();
    block.event.ical_uid = Some("040000008200E00074C5B7101A82E008".to_owned());
    pair.target().cloud.place(block.clone());
    let copied = copy(&pair);
    pair.world.places[0].cloud.place(copied.clone());
    let plan = pair.plan();
    assert!(plan.is_empty(), "{plan:#?}");
    assert_eq!(skips(&plan), [("copy".into(), SkipReason::CopyOfBlock)]);
    // Whoever was invited to what somebody made of the block has an event.
    let mut invited = copied.clone();
    invited.event.response = Some(Response::Accepted);
    pair.world.places[0].cloud.place(invited);
    assert_eq!(only(&pair.plan()).kind, ActionKind::Create);
    pair.world.places[0].cloud.place(copied);
    // The block stands in another source.
    let elsewhere = RemoteEvent { event: Event { id: "elsewhere".into(), ..block.event }, ..block };
    pair.world.places[0].cloud.place(elsewhere.clone());
    pair.remove("m0");
    pair.run();
    assert!(pair.blocks().is_empty());
    assert_eq!(skips(&pair.plan()), [("copy".into(), SkipReason::CopyOfBlock)]);
    // Without it, it is an event like all others.
    pair.world.places[0].cloud.remove(&elsewhere.event.id);
    assert_eq!(only(&pair.plan()).kind, ActionKind::Create);
}

/// A guest who was invited to one occurrence only is never shown the series.
#[test]
fn an_occurrence_whose_series_is_unknown_blocks() {
    let mut pair = Pair::of_meetings(0);
    let repeat = Some(Repeat { every_days: 7, end: End::Never });
    let series = Spec { repeat, changes: vec![(1, Change::Moved(60))], ..meeting("s", 0) };
    let occurrence = series.remote().remove(1);
    pair.world.places[0].cloud.place(occurrence);
    pair.round();
    assert_eq!(pair.blocks().len(), 1);
}

/// Near things first: a first fill of thousands writes today before next month, and what is over last.
#[test]
fn the_nearest_is_written_first() {
    let mut pair = Pair::of_meetings(0);
    for (id, quarter) in [("far", 900), ("over", -20), ("today", 60), ("tomorrow", 130)] {
        pair.put(meeting(id, quarter));
    }
    let order: Vec<String> = pair.plan().actions.iter().map(|a| a.row.occurrence.event.to_string()).collect();
    assert_eq!(order, ["today", "tomorrow", "far", "over"]);
}

/// Declining takes the block away, accepting brings it back.
#[test]
fn an_answer_changes_the_block() {
    let mut pair = Pair::of_meetings(1);
    for (answer, blocks) in [(Response::Declined, 0), (Response::Accepted, 1), (Response::NeedsAction, 1)] {
        let mut spec = meeting("m0", 0);
        spec.shown.response = Some(answer);
        pair.put(spec);
        pair.run();
        assert_eq!(pair.blocks().len(), blocks, "{answer:?}");
    }
}

/// An update is guarded by the version that was seen, and a removal too.
#[test]
fn writes_are_guarded_by_what_was_seen() {
    let mut pair = Pair::of_meetings(2);
    pair.put(meeting("m0", 40));
    pair.remove("m1");
    let plan = pair.plan();
    let mirror = &pair.world.places[1].mirror;
    for action in &plan.actions {
        match action.write.as_ref().unwrap() {
            WriteOp::Update { id, version, .. } | WriteOp::Delete { id, version } => {
                assert!(version.is_some() && *version == mirror.blocks[id].version);
            }
            WriteOp::Create { .. } => panic!("nothing new"),
        }
    }
}

/// Changing a rule is a difference, not a rebuild: the blocks keep their ids.
#[test]
fn a_changed_rule_changes_blocks_in_place() {
    let mut pair = Pair::of_meetings(5);
    let ids = |pair: &Pair| pair.blocks().iter().map(|b| b.event.id.clone()).collect::<Vec<_>>();
    let before = ids(&pair);
    pair.world.stored[0].options =
        RuleOptions { title: "Away".into(), buffer_after_minutes: 15, ..RuleOptions::default() };
    assert_eq!(pair.round(), 5);
    assert_eq!(ids(&pair), before);
    pair.world.stored[0].id = crate::ids::RuleId(uuid::Uuid::from_u128(10));
    assert_eq!(pair.round(), 0, "another rule that says the same costs nothing");
}
