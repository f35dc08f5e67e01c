//! Rules changed by their owners, in whole worlds: only the blocks that differ are written, neither of two who change the
//! same cell is lost, and what new calendars begin with is theirs from the first block on.

use std::sync::Arc;

use calsync_core::calendar::Leaving;
use calsync_core::ids::{CalendarId, UserId};
use calsync_core::leaving::Share;
use calsync_core::ports::Wish;
use calsync_core::rule::{
    Cell, Link, RuleChange, RuleChanges, RuleDefaults, RuleOptions, RuleProblem, RuleTo, Unasked,
};
use calsync_engine::{AccountRemoved, Blocks, EngineError, RulesError, TakenOut};
use calsync_sim::cloud::event::Event;

use super::block_on;
use super::cast::{GOOGLE, MIXED};
use super::scenarios::{settled, standing};
use super::world::World;

pub(super) const WHO: &str = "ada";

/// The first person, and this service's ids of their calendars, as the provider's are numbered.
pub(super) async fn first(world: &World) -> (UserId, Vec<CalendarId>) {
    let state = world.store.user_state(world.users[0]).await.unwrap().unwrap();
    let remote = &world.life.people[0].calendars;
    let of = |name: &str| state.calendars.iter().find(|c| c.remote.calendar == name).unwrap().id;
    (world.users[0], remote.iter().map(|r| of(r.as_str())).collect())
}

pub(super) async fn cell(world: &World, source: CalendarId, target: CalendarId) -> Cell {
    let grid = world.engine().rules(world.users[0]).await.unwrap();
    grid.cells.into_iter().find(|c| (c.source, c.target) == (source, target)).unwrap()
}

/// The cell as it is shown, with other options.
pub(super) fn change(cell: &Cell, change: impl Fn(&mut RuleOptions)) -> RuleChanges {
    let mut options = cell.rule.as_ref().map(|r| r.options.clone()).unwrap_or_default();
    change(&mut options);
    let (to, made_from) = (RuleTo::Set(Box::new(options)), Some(cell.print.clone()));
    let change = RuleChange { source: cell.source, target: cell.target, to, made_from };
    RuleChanges { changes: vec![change], unasked: Unasked::Stay }
}

/// Blocks of one calendar in another, as the ledger has them.
async fn share(world: &World, source: CalendarId, target: CalendarId) -> usize {
    let shares = world.engine().shares(world.users[0], &[source].into()).await.unwrap();
    let of = |s: &&Share| (s.source, s.target) == (source, target);
    shares.iter().find(of).map_or(0, |s| s.blocks)
}

#[test]
fn one_cell_off_and_on_again_writes_only_its_blocks() {
    for homes in [GOOGLE, MIXED] {
        block_on(async {
            let mut world = settled(homes, 31).await;
            let (user, ids) = first(&world).await;
            let blocks = share(&world, ids[0], ids[1]).await;
            assert!(blocks > 3, "there is something to see");
            let before = world.writes();
            let off = change(&cell(&world, ids[0], ids[1]).await, |o| o.enabled = false);
            let done = world.engine().change_rules(user, &off, WHO).await.unwrap();
            assert_eq!((done.changed.len(), done.removed.len()), (1, 0));
            assert_eq!(done.were_implied, ids.len() * (ids.len() - 1));
            world.deliver_and_work().await;
            assert_eq!(world.writes() - before, blocks, "{homes:?}: its blocks go, and no other is touched");
            assert_eq!(share(&world, ids[0], ids[1]).await, 0);

            let on = change(&cell(&world, ids[0], ids[1]).await, |o| o.enabled = true);
            let done = world.engine().change_rules(user, &on, WHO).await.unwrap();
            assert_eq!((done.changed.len(), done.were_implied), (1, 0));
            world.deliver_and_work().await;
            assert_eq!(world.writes() - before, 2 * blocks, "{homes:?}");
            assert!(world.judge().is_good(), "as if nothing had happened");
        });
    }
}

#[test]
fn storing_what_was_implied_writes_nothing() {
    block_on(async {
        let mut world = settled(GOOGLE, 32).await;
        let (user, ids) = first(&world).await;
        let before = world.writes();
        let same = change(&cell(&world, ids[0], ids[1]).await, |_| ());
        world.engine().change_rules(user, &same, WHO).await.unwrap();
        world.deliver_and_work().await;
        world.engine().sync_now(&ids, Wish::Full).await.unwrap();
        world.deliver_and_work().await;
        assert_eq!(world.writes(), before);
        let lines = world.store.audited("stored 6 implied rules", 5).await.unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].who, WHO);
    });
}

#[test]
fn the_second_of_two_tabs_is_told_what_is_there_now() {
    block_on(async {
        let world = settled(GOOGLE, 33).await;
        let (user, ids) = first(&world).await;
        let shown = cell(&world, ids[0], ids[1]).await;
        let (one, two) =
            (change(&shown, |o| o.title = "One".into()), change(&shown, |o| o.title = "Two".into()));
        let engine = world.engine();
        let both =
            futures_util::join!(engine.change_rules(user, &one, WHO), engine.change_rules(user, &two, WHO));
        let (Ok(_), Err(RulesError::Conflict(there))) = both else { panic!("{both:?}") };
        assert_eq!(there[0].rule.as_ref().unwrap().options.title, "One");
        let again = change(&there[0], |o| o.title = "Two".into());
        world.engine().change_rules(user, &again, WHO).await.unwrap();
        assert_eq!(cell(&world, ids[0], ids[1]).await.rule.unwrap().options.title, "Two");
        // Nothing of a change that has anything wrong is made.
        let mut bad = change(&cell(&world, ids[1], ids[0]).await, |o| o.title = "{title}".into());
        bad.changes.extend(change(&cell(&world, ids[0], ids[1]).await, |o| o.title = "Three".into()).changes);
        let refused = world.engine().change_rules(user, &bad, WHO).await;
        let Err(RulesError::Refused(problems)) = refused else { panic!("{refused:?}") };
        assert_eq!(
            problems.iter().map(|p| p.problem.clone()).collect::<Vec<_>>(),
            [RuleProblem::TitleWithoutCopy]
        );
        assert_eq!(cell(&world, ids[0], ids[1]).await.rule.unwrap().options.title, "Two");
    });
}

#[test]
fn a_new_calendar_begins_with_the_defaults() {
    block_on(async {
        let mut world = settled(GOOGLE, 34).await;
        let (user, ids) = first(&world).await;
        let remote = world.life.people[0].calendars.clone();
        let engine = world.engine().clone();
        engine.leave_calendar((user, ids[2]), Leaving::Disabled, WHO).await.unwrap();
        world.deliver_and_work().await;
        assert_eq!(standing(&world, &remote[2]), 0);
        let before = world.writes();
        let options = RuleOptions { title: "Away".into(), ..RuleOptions::default() };
        let new = RuleDefaults { options, link: Link::All };
        engine.set_rule_defaults(user, (&new, None), WHO).await.unwrap();
        world.deliver_and_work().await;
        assert_eq!(world.writes(), before, "rules in force stay as they are");
        let done = engine.enable_calendar((user, ids[2]), WHO).await.unwrap();
        assert_eq!((done.linked.len(), done.in_force, done.already), (4, 4, false));
        world.deliver_and_work().await;
        let titled = |title: &str| {
            let is = |e: &&Arc<Event>| e.content.summary.as_deref() == Some(title);
            world.cloud.with(|c| c.live_events(&remote[2]).iter().filter(is).count())
        };
        assert!(titled("Away") > 0, "its rules have the new title");
        assert_eq!(titled("Busy"), 0);
        assert!(world.judge().is_good());
        assert!(engine.enable_calendar((user, ids[2]), WHO).await.unwrap().already);
        let strange = engine.enable_calendar((world.users[1], ids[2]), WHO).await;
        assert!(matches!(strange, Err(EngineError::NotFound(_))), "nobody else's");

        // Linked with none: nothing is written for it.
        engine.leave_calendar((user, ids[2]), Leaving::Disabled, WHO).await.unwrap();
        world.deliver_and_work().await;
        let rules = engine.rules(user).await.unwrap();
        let theirs =
            rules.cells.iter().filter(|c| c.rule.is_some() && (c.source == ids[2] || c.target == ids[2]));
        let changes = theirs.map(|c| RuleChange {
            source: c.source,
            target: c.target,
            to: RuleTo::Removed,
            made_from: None,
        });
        let gone = RuleChanges { changes: changes.collect(), unasked: Unasked::Stay };
        engine.change_rules(user, &gone, WHO).await.unwrap();
        let none = RuleDefaults { link: Link::None, ..new.clone() };
        engine.set_rule_defaults(user, (&none, Some(&new)), WHO).await.unwrap();
        let stale = engine.set_rule_defaults(user, (&none, Some(&new)), WHO).await;
        assert!(matches!(stale, Err(RulesError::Conflict(_))));
        let before = world.writes();
        assert_eq!(engine.enable_calendar((user, ids[2]), WHO).await.unwrap().in_force, 0);
        world.deliver_and_work().await;
        assert_eq!(world.writes(), before);
    });
}

#[test]
fn an_account_goes_when_its_blocks_are_gone() {
    block_on(async {
        let mut world = settled(MIXED, 35).await;
        let (user, _) = first(&world).await;
        let engine = world.engine().clone();
        let state = world.store.user_state(user).await.unwrap().unwrap();
        let account = state.accounts[1].id;
        let preview = engine.preview_account(user, account).await.unwrap();
        assert_eq!(preview.calendars.len(), 2);
        let blocks: usize = preview.shares.iter().map(|s| s.blocks).sum();
        let asked = engine.remove_account((user, account), Blocks::RemoveFirst, WHO).await.unwrap();
        assert_eq!(asked, AccountRemoved::OnItsWay(blocks));
        let again =
            engine.leave_calendar((user, preview.calendars[0]), Leaving::Disabled, WHO).await.unwrap();
        assert_eq!(again, TakenOut::Already);
        world.deliver_and_work().await;
        let gone = engine.remove_account((user, account), Blocks::RemoveFirst, WHO).await.unwrap();
        assert_eq!(gone, AccountRemoved::Gone);
        let after = world.store.user_state(user).await.unwrap().unwrap();
        assert_eq!((after.accounts.len(), after.calendars.len()), (1, 2));
        let calendars = |keep: bool| {
            let known = after.calendars.iter().map(|c| c.remote.calendar.as_str()).collect::<Vec<_>>();
            let all = world.life.people[0].calendars.iter();
            all.filter(|c| known.contains(&c.as_str()) == keep).cloned().collect::<Vec<_>>()
        };
        assert!(calendars(false).iter().all(|c| standing(&world, c) == 0), "nothing is left behind");
        assert!(calendars(true).iter().all(|c| standing(&world, c) > 0), "the others go on");
        let unknown = engine.remove_account((user, account), Blocks::LeaveBehind, WHO).await;
        assert!(matches!(unknown, Err(EngineError::NotFound(_))));
        assert!(!world.store.audited(&format!("removed account {account}"), 5).await.unwrap().is_empty());
    });
}

#[test]
fn what_is_looked_at_and_approved_is_ones_own() {
    block_on(async {
        let world = settled(GOOGLE, 36).await;
        let (user, ids) = first(&world).await;
        let engine = world.engine();
        let two = [ids[0], ids[1]].into();
        assert_eq!(engine.look_now(user, (Some(&two), Wish::Changes), WHO).await.unwrap().len(), 2);
        assert_eq!(engine.look_now(user, (None, Wish::Full), WHO).await.unwrap().len(), ids.len());
        let strange = world.users[1];
        assert_eq!(engine.look_now(strange, (Some(&two), Wish::Full), WHO).await.unwrap(), []);
        assert!(!engine.approve_hold((user, ids[0]), WHO).await.unwrap());
        let refused = engine.approve_hold((strange, ids[0]), WHO).await;
        assert!(matches!(refused, Err(EngineError::NotFound(_))));
    });
}
