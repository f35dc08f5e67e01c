//! What is told before rules are changed, against what then happens, in whole worlds.

use std::collections::BTreeMap;

use calsync_core::calendar::Leaving;
use calsync_core::ids::CalendarId;
use calsync_core::plan::ActionKind;
use calsync_core::ports::ErrorClass;
use calsync_core::preview::{FIRST_MAX, TargetPreview};
use calsync_core::rule::{RuleChanges, RuleOptions};
use calsync_engine::{RulesError, RulesPreview, StepReport, Thought};

use super::cast::{GOOGLE, MICROSOFT, MIXED};
use super::rules::{WHO, cell, change, first};
use super::scenarios::settled;
use super::world::World;
use super::{HOMES, block_on};

/// What was told, by calendar: created, changed, deleted.
fn told(preview: &RulesPreview) -> BTreeMap<CalendarId, [usize; 3]> {
    let counts = |t: &TargetPreview| [t.created.count, t.changed.count, t.deleted.count];
    preview.targets.iter().filter(|t| !t.is_empty()).map(|t| (t.target, counts(t))).collect()
}

/// What was done, in the same form.
fn done(reports: &[StepReport]) -> BTreeMap<CalendarId, [usize; 3]> {
    let mut counts: BTreeMap<CalendarId, [usize; 3]> = BTreeMap::new();
    for block in reports.iter().flat_map(|report| &report.blocks) {
        let place = match block.kind {
            ActionKind::Create => 0,
            ActionKind::Update => 1,
            ActionKind::Delete => 2,
            ActionKind::Adopt | ActionKind::Forget | ActionKind::Yield => continue,
        };
        counts.entry(block.target).or_default()[place] += 1;
    }
    counts
}

async fn work(world: &World) -> Vec<StepReport> {
    let mut reports = Vec::new();
    while let Some(report) = world.engine().step().await.unwrap() {
        reports.push(report);
    }
    reports
}

fn of(changes: RuleChanges) -> Thought {
    Thought { changes, enable: Vec::new() }
}

#[test]
fn what_is_told_is_what_happens() {
    let deeds: [fn(&mut RuleOptions); 4] = [
        |o| o.enabled = false,
        |o| o.title = "Taken".into(),
        |o| o.min_minutes = 45,
        // The titles were not kept until now: they are read for the preview.
        |o| (o.copy_title, o.title) = (true, "{title}".into()),
    ];
    for homes in HOMES {
        block_on(async {
            let world = settled(homes, 41).await;
            let (user, ids) = first(&world).await;
            for deed in deeds {
                let changes = change(&cell(&world, ids[0], ids[1]).await, deed);
                let before = (world.writes(), world.store.ledger(ids[1]).await.unwrap().len());
                let thought = of(changes.clone());
                let preview = world.engine().preview_rules(user, &thought).await.unwrap();
                let again = world.engine().preview_rules(user, &thought).await.unwrap();
                assert_eq!(preview, again, "it leaves no trace");
                assert!(preview.unread.is_empty(), "{:?}", preview.unread);
                assert_eq!(before, (world.writes(), world.store.ledger(ids[1]).await.unwrap().len()));
                world.engine().change_rules(user, &changes, WHO).await.unwrap();
                assert_eq!(told(&preview), done(&work(&world).await), "{homes:?}");
                assert!(preview.targets.iter().all(|t| t.held.is_none()));
            }
        });
    }
}

#[test]
fn a_first_set_up_is_told_before_anything_is_enabled() {
    for homes in HOMES {
        block_on(async {
            let mut world = settled(homes, 42).await;
            let (user, ids) = first(&world).await;
            for id in &ids {
                world.engine().leave_calendar((user, *id), Leaving::Reset, WHO).await.unwrap();
            }
            world.deliver_and_work().await;
            let thought = Thought { enable: ids.clone(), ..Thought::default() };
            let preview = world.engine().preview_rules(user, &thought).await.unwrap();
            assert_eq!((preview.read.len(), preview.unread.len()), (ids.len(), 0));
            assert!(
                preview.targets.iter().all(|t| t.created.count > 0 && t.changed.count + t.deleted.count == 0)
            );
            assert!(preview.targets.iter().all(|t| t.created.first.len() == t.created.count.min(FIRST_MAX)));
            let before = world.writes();
            assert!(world.store.mirror(ids[0]).await.unwrap().events.is_empty(), "nothing of it is stored");
            for id in &ids {
                world.engine().enable_calendar((user, *id), WHO).await.unwrap();
            }
            assert_eq!(told(&preview), done(&work(&world).await), "{homes:?}");
            assert!(world.writes() > before);
        });
    }
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_told() {
    block_on(async {
        let mut world = settled(MIXED, 43).await;
        let (user, ids) = first(&world).await;
        for id in &ids {
            world.engine().leave_calendar((user, *id), Leaving::Disabled, WHO).await.unwrap();
        }
        world.deliver_and_work().await;
        let calls = world.watch_calls();
        *calls.answers.lock().unwrap() = Some(ErrorClass::Transient);
        calls.down.store(true, std::sync::atomic::Ordering::Relaxed);
        let thought = Thought { enable: ids.clone(), ..Thought::default() };
        let preview = world.engine().preview_rules(user, &thought).await.unwrap();
        assert_eq!((preview.unread.len(), preview.read.len()), (ids.len(), 0));
        assert!(preview.targets.iter().all(TargetPreview::is_empty), "nothing is guessed");
        let unknown = Thought { enable: vec![CalendarId(uuid::Uuid::max())], ..Thought::default() };
        let refused = world.engine().preview_rules(user, &unknown).await;
        assert!(matches!(refused, Err(RulesError::Engine(_))), "{refused:?}");
    });
}

#[test]
fn what_would_be_refused_is_refused_beforehand() {
    for homes in [GOOGLE, MICROSOFT] {
        block_on(async {
            let world = settled(homes, 44).await;
            let (user, ids) = first(&world).await;
            let bad = change(&cell(&world, ids[0], ids[1]).await, |o| o.title = "{title}".into());
            let refused = world.engine().preview_rules(user, &of(bad)).await;
            assert!(matches!(refused, Err(RulesError::Refused(_))), "{refused:?}");
        });
    }
}
