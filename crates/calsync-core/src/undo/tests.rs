//! What can be undone, and why not: one table, and what every answer keeps to.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use uuid::Uuid;

use super::*;
use crate::block::{BlockBusy, Identity, ObservedBlock, OccurrenceKey, Visibility};
use crate::calendar::Calendar;
use crate::ids::{CalendarId, EventId, RuleId, RunId, UserId};
use crate::journal::Receipt;
use crate::ledger::LedgerRow;
use crate::mirror::Mirror;
use crate::plan::RuleInput;
use crate::plan::tests::world::calendar;
use crate::ports::{Capabilities, Listing, Tentativeness};
use crate::rule::{Rule, RuleOptions};
use crate::time::Window;

const RUN: RunId = RunId(Uuid::from_u128(50));

fn now() -> Ts {
    "2026-11-02T12:00:00Z".parse().unwrap()
}

fn content(title: &str, hours: i64) -> BlockContent {
    let start = now().plus(SignedDuration::from_hours(hours));
    BlockContent {
        span: Span::Timed { start, end: start.plus(SignedDuration::from_hours(1)) },
        title: title.to_owned(),
        description: None,
        location: None,
        busy: BlockBusy::Busy,
        visibility: Visibility::Private,
        colour: None,
    }
}

/// One block in one target, and what a run did to it.
#[derive(Clone)]
struct Case {
    deed: Deed,
    before: Option<BlockContent>,
    after: Option<BlockContent>,
    state: LedgerState,
    standing: Option<BlockContent>,
    later: bool,
    usable: Usable,
    rule: bool,
    chooses: Ids,
    decided: bool,
    undone: bool,
    guests: bool,
}

impl Case {
    fn created(after: BlockContent) -> Case {
        Case {
            deed: Deed::Created,
            before: None,
            after: Some(after.clone()),
            state: LedgerState::Live,
            standing: Some(after),
            later: false,
            usable: Usable::Yes,
            rule: true,
            chooses: Ids::Client,
            decided: false,
            undone: false,
            guests: false,
        }
    }

    fn changed(before: BlockContent, after: BlockContent) -> Case {
        Case { deed: Deed::Changed, before: Some(before), ..Case::created(after) }
    }

    fn removed(before: BlockContent) -> Case {
        Case {
            deed: Deed::Removed,
            after: None,
            standing: None,
            state: LedgerState::Gone,
            before: Some(before.clone()),
            ..Case::created(before)
        }
    }

    fn undo(&self) -> Undo {
        let identity = Identity::new([7; 32]);
        let (source, target) = (known(1), known(2));
        let occurrence = OccurrenceKey { event: "event".into(), original: None };
        let correlation = identity.correlation(&source.remote, &occurrence, &target.remote);
        let id = block_event_id(correlation, 0);
        let last = self.after.clone().or_else(|| self.before.clone()).unwrap();
        let rule = Rule {
            id: RuleId(Uuid::from_u128(9)),
            user: UserId(Uuid::nil()),
            source: source.id,
            target: target.id,
            options: RuleOptions::default(),
        };
        let ledger = [LedgerRow {
            correlation,
            rule: rule.id,
            source: source.id,
            occurrence,
            target: target.id,
            block: Some(id.clone()),
            generation: 0,
            state: self.state,
            wrote: last.fingerprint(),
            echo: (!self.decided).then(|| last.fingerprint()),
            span: last.span,
            repairs: 0,
            written_at: Some(now()),
        }];
        let mut mirror = Mirror::default();
        if let Some(content) = &self.standing {
            let block = ObservedBlock {
                id: id.clone(),
                version: Some("7".to_owned()),
                updated: None,
                marker: Some(identity.marker(correlation, &id)),
                fingerprint: content.fingerprint(),
                span: content.span,
                has_guests: self.guests,
                ical_uid: None,
                is_free: false,
            };
            mirror.blocks.insert(id.clone(), block);
        }
        let empty = Mirror::default();
        let input = PlanInput {
            target: &target,
            rules: if self.rule {
                vec![RuleInput { rule: &rule, source: &source, mirror: &empty }]
            } else {
                Vec::new()
            },
            mirror: &mirror,
            ledger: &ledger,
            identity: &identity,
            capabilities: Capabilities {
                chooses_ids: self.chooses,
                push: None,
                tentative: Tentativeness::Shown,
                concurrent_calls: 1,
                listing: Listing::Unbounded,
            },
            window: Window::sliding(now(), 1, 90),
            hold: None,
            now: now(),
        };
        let row = JournalRow {
            seq: 1,
            run: RUN,
            target: target.id,
            correlation,
            source: source.id,
            rule: rule.id,
            deed: self.deed,
            reason: Reason::SourceChanged,
            block: id,
            before: self.before.clone(),
            after: self.after.clone(),
            echo: self.after.as_ref().map(BlockContent::fingerprint),
            receipt: Receipt { seen_at: None, fetched_at: None, written_at: now(), verified_at: None },
        };
        let by = RunId(Uuid::from_u128(51));
        let reason = if self.undone { Reason::Undone } else { Reason::SourceChanged };
        let over = Overwritten { target: target.id, correlation, by, reason };
        let later = self.later.then_some((correlation, over));
        let undo = decide(&input, &[row], &later.into_iter().collect::<BTreeMap<_, _>>(), self.usable);
        // Whatever the answer is: one answer, and nothing that is not a block of ours.
        assert_eq!(undo.actions.len() + undo.not.len() + undo.already.len(), 1, "{undo:#?}");
        assert!(audited(&input, undo.actions.clone()).1.is_empty());
        for action in &undo.actions {
            assert_eq!(
                (action.row.target, action.row.correlation),
                (CalendarId(Uuid::from_u128(2)), correlation)
            );
        }
        undo
    }

    fn why(&self) -> Option<WhyNot> {
        self.undo().not.first().map(|not| not.why)
    }

    fn op(&self) -> WriteOp {
        let undo = self.undo();
        assert_eq!(undo.not, []);
        undo.actions[0].write.clone().unwrap()
    }

    fn is_already(&self) -> bool {
        self.undo().already.len() == 1
    }
}

fn known(n: u128) -> Calendar {
    Calendar { last_full_sync: Some(now()), ..calendar(n, "Europe/Vienna") }
}

#[test]
fn what_was_made_goes_what_was_changed_changes_back_and_what_went_comes_back() {
    let (old, new) = (content("Busy", 20), content("Busy", 30));
    match Case::created(new.clone()).op() {
        WriteOp::Delete { version, .. } => assert_eq!(version.as_deref(), Some("7"), "guarded"),
        other => panic!("{other:?}"),
    }
    match Case::changed(old.clone(), new.clone()).op() {
        WriteOp::Update { version, content, .. } => {
            assert_eq!((version.as_deref(), content), (Some("7"), old.clone()));
        }
        other => panic!("{other:?}"),
    }
    for chooses in [Ids::Client, Ids::Provider] {
        match (Case { chooses, ..Case::removed(old.clone()) }).op() {
            WriteOp::Create { id, generation, content, .. } => {
                assert_eq!((generation, content), (1, old.clone()), "the old id stays taken");
                let id: Option<EventId> = id;
                assert_eq!(id.is_some(), chooses == Ids::Client);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn each_obstacle_has_its_name() {
    let (old, new, over) = (content("Busy", 20), content("Busy", 30), content("Busy", -3));
    let all =
        [Case::created(new.clone()), Case::changed(old.clone(), new.clone()), Case::removed(old.clone())];
    for case in &all {
        let later = WhyNot::WrittenSince { run: RunId(Uuid::from_u128(51)) };
        assert_eq!(Case { later: true, ..case.clone() }.why(), Some(later));
        // A later run that was undone itself is none.
        assert_eq!(Case { later: true, undone: true, ..case.clone() }.undo().actions.len(), 1);
        assert_eq!(Case { usable: Usable::No, ..case.clone() }.why(), Some(WhyNot::CalendarOff));
    }
    for case in &all[..2] {
        // Moved by hand.
        let moved = Case { standing: Some(content("Busy", 31)), ..case.clone() };
        assert_eq!(moved.why(), Some(WhyNot::ChangedSince));
        let left = Case { state: LedgerState::Yielded, ..case.clone() };
        assert_eq!(left.why(), Some(WhyNot::ChangedSince));
        let invited = Case { guests: true, ..case.clone() };
        assert_eq!(invited.why(), Some(WhyNot::ChangedSince), "its guests would be told");
        assert_eq!(Case { decided: true, ..case.clone() }.why(), Some(WhyNot::OnItsWay));
        let making = Case { state: LedgerState::Creating, ..case.clone() };
        assert_eq!(making.why(), Some(WhyNot::OnItsWay));
    }
    // Removed by hand: what was made is gone already, and what was changed can not be changed back.
    assert!(Case { standing: None, ..all[0].clone() }.is_already());
    assert_eq!(Case { standing: None, ..all[1].clone() }.why(), Some(WhyNot::ChangedSince));
    for case in
        [Case::created(over.clone()), Case::changed(over.clone(), new.clone()), Case::removed(over.clone())]
    {
        assert_eq!(case.why(), Some(WhyNot::Past));
    }
    for case in &all[1..] {
        assert_eq!(Case { rule: false, ..case.clone() }.why(), Some(WhyNot::RuleOff));
        assert_eq!(
            Case { before: None, ..Case { after: Some(new.clone()), ..case.clone() } }.why(),
            Some(WhyNot::Forgotten)
        );
    }
    // A title that no rule copies any more is not written again.
    assert_eq!(Case::removed(content("Dentist", 20)).why(), Some(WhyNot::Refused));
}

#[test]
fn what_stands_as_it_stood_is_left_alone() {
    let (old, new) = (content("Busy", 20), content("Busy", 30));
    let gone = Case { state: LedgerState::Gone, standing: None, later: true, ..Case::created(new.clone()) };
    assert!(gone.is_already(), "whoever did it");
    let same = Case::changed(new.clone(), new);
    assert!(same.is_already());
    assert!(Case { later: true, usable: Usable::No, ..same }.is_already());
    assert!(!Case::removed(old).is_already());
}

#[test]
fn a_held_target_is_told_in_words() {
    let words = words(now(), "ada@example.com");
    assert_eq!(
        words,
        "the run of 2026-11-02 12:00 UTC was undone by ada@example.com: nothing is written here until you approve"
    );
}

#[test]
fn what_becomes_of_blocks_is_counted_in_words() {
    let table = [
        ((3, 0, 0), "3 blocks go"),
        ((1, 1, 1), "1 block goes, 1 block comes back, 1 block changes back"),
        ((0, 2, 2), "2 blocks come back, 2 blocks change back"),
        ((0, 0, 0), "no block is written"),
    ];
    for ((goes, comes, changes), words) in table {
        assert_eq!(counted(goes, comes, changes), words);
    }
}
