//! The journal: noted with what is settled, proven by what a listing shows, and without a text that no rule copies.

use std::sync::Arc;

use calsync_core::block::{BlockContent, Fingerprint};
use calsync_core::calendar::Leaving;
use calsync_core::event::TextPolicy;
use calsync_core::hold::Hold;
use calsync_core::ids::{CalendarId, CorrelationId, RuleId, RunId};
use calsync_core::journal::{After, Cause, Deed, Entry, Filter, Idle, JournalRow, Shown};
use calsync_core::ledger::{LedgerRow, Outcome, Settlement, Write, WriteOp};
use calsync_core::plan::Reason;
use calsync_core::ports::{CalendarChange, Enqueue, FullListing, Lease, Prunable, PullApply, Store, Switch};
use calsync_core::rule::{Rule, RuleOptions};
use calsync_core::run::{Run, RunKind};

use super::rules::from_here;
use super::world::*;

const ALL: TextPolicy = TextPolicy { title: true, description: true, location: true };

fn content(title: &str, at: i64) -> BlockContent {
    let plain = match create(1, CalendarId(id(1)), None).op {
        WriteOp::Create { content, .. } => content,
        other => panic!("{other:?}"),
    };
    BlockContent { title: title.to_owned(), span: hour(at), ..plain }
}

fn cause(run: u64) -> Cause {
    Cause {
        run: RunId(id(run)),
        rule: RuleId(id(90)),
        reason: Reason::NewOccurrence,
        copies: TextPolicy::default(),
        fetched_at: Some(t(19)),
    }
}

fn entry(cause: Cause, deed: Deed, content: Option<BlockContent>, at: i64) -> Option<Entry> {
    Some(Entry { cause, deed, content, changed_at: Some(t(15)), written_at: t(at) })
}

fn put(n: u64, target: CalendarId, entry: Option<Entry>, at: i64) -> Settlement {
    let block = block(&format!("x{n}"), at);
    let outcome = Outcome::Stored { block, wrote: Fingerprint(1), span: hour(at), repairs: 0, at: t(at) };
    Settlement { target, correlation: CorrelationId(id(n)), outcome, entry }
}

fn gone(n: u64, target: CalendarId, block: &str, entry: Option<Entry>) -> Settlement {
    let outcome = Outcome::Removed { id: block.into() };
    Settlement { target, correlation: CorrelationId(id(n)), outcome, entry }
}

/// A plan of run `run` for blocks of these numbers.
fn planned(run: u64, target: CalendarId, source: CalendarId, blocks: &[u64]) -> Enqueue {
    let row = |n: &u64| LedgerRow { source, ..ledger_row(*n, target, Some(&format!("x{n}"))) };
    let write = |n: &u64| Write { cause: Some(cause(run)), ..create(*n, target, Some(&format!("x{n}"))) };
    plan(target, blocks.iter().map(row).collect(), blocks.iter().map(write).collect())
}

async fn begun(w: &World, n: u64, calendar: CalendarId, at: i64) -> Lease {
    let lease = w.lease(20).await;
    w.store.begin_run(&lease, &run(n, calendar, RunKind::Webhook, at)).await.unwrap();
    lease
}

async fn rows(w: &World, run: u64) -> Vec<JournalRow> {
    w.store.journal(RunId(id(run)), 100).await.unwrap()
}

fn filter(w: &World) -> Filter {
    Filter { user: w.user, calendar: None, since: None, idle: Idle::Hidden }
}

/// A row for each write that was carried out, and for nothing else.
pub async fn what_is_settled_is_noted(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = begun(&w, 50, w.a, 20).await;
    w.store.enqueue(&lease, &planned(50, w.b, w.a, &[1, 2, 3])).await.unwrap();
    let waiting = w.store.due_writes(w.b, t(30), 9).await.unwrap();
    assert_eq!(waiting[0].cause, Some(cause(50)), "it rides through the outbox");
    let made = content("Busy", 40);
    let later = Outcome::Postponed { attempts: 1, not_before: t(90), error: "later".to_owned() };
    let other = Outcome::Replan { observed: None, generation: Some(1) };
    let created = || entry(cause(50), Deed::Created, Some(made.clone()), 41);
    let left =
        |n, outcome| Settlement { target: w.b, correlation: CorrelationId(id(n)), outcome, entry: created() };
    w.store.settle(&lease, &[put(1, w.b, created(), 40), left(2, later), left(3, other)]).await.unwrap();
    let found = rows(&w, 50).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let row = &found[0];
    assert_eq!((row.target, row.source, row.rule), (w.b, w.a, RuleId(id(90))));
    assert_eq!((row.correlation, row.block.as_str()), (CorrelationId(id(1)), "x1"));
    assert_eq!((row.deed, row.reason), (Deed::Created, Reason::NewOccurrence));
    assert_eq!((row.before.clone(), row.after.clone()), (None, Some(made.clone())));
    assert_eq!(row.echo, Some(block("x1", 40).fingerprint));
    let times =
        (row.receipt.seen_at, row.receipt.fetched_at, row.receipt.written_at, row.receipt.verified_at);
    assert_eq!(times, (Some(t(15)), Some(t(19)), t(41), None));
    // Without a cause nothing is noted; and a worker that lost its lease notes nothing.
    w.store.settle(&lease, &[put(2, w.b, None, 50)]).await.unwrap();
    let stale = Lease { token: lease.token - 1, ..lease.clone() };
    assert!(w.store.settle(&stale, &[put(2, w.b, created(), 51)]).await.is_err());
    assert_eq!(rows(&w, 50).await, found);
}

/// What we wrote last, and only where it is this very block.
pub async fn what_stood_before_is_remembered(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = begun(&w, 50, w.a, 20).await;
    w.store.enqueue(&lease, &planned(50, w.b, w.a, &[1])).await.unwrap();
    let (first, second) = (content("Busy", 40), content("Away", 60));
    let made = entry(cause(50), Deed::Created, Some(first.clone()), 40);
    w.store.settle(&lease, &[put(1, w.b, made, 40)]).await.unwrap();
    let changed = |content| entry(cause(51), Deed::Changed, Some(content), 50);
    w.store.settle(&lease, &[put(1, w.b, changed(second.clone()), 60)]).await.unwrap();
    let removed = || entry(cause(52), Deed::Removed, None, 55);
    // A second block of the same correlation: what it showed nobody knows.
    w.store.settle(&lease, &[gone(1, w.b, "other", removed())]).await.unwrap();
    w.store.settle(&lease, &[gone(1, w.b, "x1", removed())]).await.unwrap();
    // It is gone: what was there before is not there before the next one.
    w.store.settle(&lease, &[gone(1, w.b, "x1", removed())]).await.unwrap();
    let row = &rows(&w, 51).await[0];
    assert_eq!((row.before.clone(), row.after.clone()), (Some(first), Some(second.clone())));
    let before: Vec<_> = rows(&w, 52).await.into_iter().map(|row| (row.before, row.after)).collect();
    assert_eq!(before, [(None, None), (Some(second), None), (None, None)]);
}

/// The block as it was written, or that it is gone; each once.
pub async fn a_listing_proves_what_was_written(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = begun(&w, 50, w.a, 20).await;
    w.store.enqueue(&lease, &planned(50, w.b, w.a, &[1, 2, 3, 4])).await.unwrap();
    let made = |n| put(n, w.b, entry(cause(50), Deed::Created, Some(content("Busy", 40)), 40), 40);
    w.store.settle(&lease, &[made(1), made(2), made(3), made(4)]).await.unwrap();
    let verified = async |run| {
        let rows = rows(&w, run).await;
        let mut found: Vec<_> = rows.into_iter().map(|row| (row.block.0, row.receipt.verified_at)).collect();
        found.sort();
        found
    };
    let shown = |name: &str, at: Option<i64>| Shown {
        block: name.into(),
        fingerprint: at.map(|at| block(name, at).fingerprint),
    };
    let as_written = |name: &str, at: i64| (name.to_owned(), Some(t(at)));
    let not_yet = |name: &str| (name.to_owned(), None);
    // As written; as somebody made it since; told to be gone; and one of another calendar.
    let listing = PullApply {
        shown: vec![shown("x1", Some(40)), shown("x2", Some(41)), shown("x3", None)],
        ..pull(w.b, 60)
    };
    w.store.apply_pull(&lease, &listing).await.unwrap();
    let elsewhere = PullApply { shown: vec![shown("x4", Some(40))], ..pull(w.a, 61) };
    w.store.apply_pull(&lease, &elsewhere).await.unwrap();
    assert_eq!(verified(50).await, [as_written("x1", 60), not_yet("x2"), not_yet("x3"), not_yet("x4")]);
    w.store.apply_pull(&lease, &PullApply { at: t(70), ..listing.clone() }).await.unwrap();
    assert_eq!(verified(50).await[0], as_written("x1", 60), "the first time counts");
    let removed = |n, at| gone(n, w.b, &format!("x{n}"), entry(cause(51), Deed::Removed, None, at));
    w.store.settle(&lease, &[removed(1, 80), removed(2, 81), removed(3, 95)]).await.unwrap();
    let told = PullApply { shown: vec![shown("x1", None)], ..pull(w.b, 85) };
    w.store.apply_pull(&lease, &told).await.unwrap();
    // A whole listing does not show it; but one that began before says nothing of what came after.
    let whole = PullApply { full: Some(FullListing { began_at: t(90) }), ..pull(w.b, 99) };
    w.store.apply_pull(&lease, &whole).await.unwrap();
    assert_eq!(verified(51).await, [as_written("x1", 85), as_written("x2", 99), not_yet("x3")]);
    assert_eq!(w.store.activity(&filter(&w), None, 9).await.unwrap()[0].wrote[0].verified, 1);
}

/// A rule that copies everything, and a block with a title, written under it.
async fn copied(w: &World) -> (Lease, Rule) {
    let options = RuleOptions { copy_title: true, copy_description: true, ..RuleOptions::default() };
    let rule = Rule { options, ..rule(90, w.user, w.a, w.b) };
    w.put_rule(&rule, t(10)).await;
    let lease = begun(w, 50, w.a, 20).await;
    w.store.enqueue(&lease, &planned(50, w.b, w.a, &[1])).await.unwrap();
    let told = BlockContent { description: Some("bring papers".to_owned()), ..content("Dentist", 40) };
    let copying = |run| Cause { copies: ALL, ..cause(run) };
    let made = entry(copying(50), Deed::Created, Some(told.clone()), 40);
    w.store.settle(&lease, &[put(1, w.b, made, 40)]).await.unwrap();
    let changed = entry(copying(50), Deed::Changed, Some(content("Surgeon", 50)), 50);
    w.store.settle(&lease, &[put(1, w.b, changed, 50)]).await.unwrap();
    let found = rows(w, 50).await;
    assert_eq!(found[0].after, Some(told.clone()));
    assert_eq!((found[1].before.clone(), found[1].after.clone()), (Some(told), Some(content("Surgeon", 50))));
    (lease, rule)
}

/// No word of an event is left, not even in what would be noted next; times are.
async fn assert_forgotten(w: &World, lease: &Lease) {
    let removed = entry(cause(51), Deed::Removed, None, 60);
    w.store.settle(lease, &[gone(1, w.b, "x1", removed)]).await.unwrap();
    let rows: Vec<_> = rows(w, 50).await.into_iter().chain(rows(w, 51).await).collect();
    let contents = rows.iter().flat_map(|row| [row.before.clone(), row.after.clone()]).flatten();
    let contents: Vec<_> = contents.collect();
    let plain = [content("Busy", 40), content("Busy", 40), content("Busy", 50), content("Busy", 50)];
    assert_eq!(contents, plain);
}

/// Switched off, narrowed or removed.
pub async fn copied_texts_go_with_the_rule(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let (lease, rule) = copied(&w).await;
    let wider = RuleOptions { copy_location: true, ..rule.options.clone() };
    w.put_rule(&Rule { options: wider, ..rule.clone() }, t(55)).await;
    assert_eq!(rows(&w, 50).await[1].after, Some(content("Surgeon", 50)), "what it still copies stays");
    let other = Rule { target: w.c, ..super::world::rule(91, w.user, w.a, w.c) };
    w.put_rule(&other, t(56)).await;
    w.remove_rule(other.id, t(56)).await;
    assert_eq!(rows(&w, 50).await[1].after, Some(content("Surgeon", 50)), "another rule is none of it");
    w.put_rule(&Rule { options: RuleOptions::default(), ..rule.clone() }, t(57)).await;
    assert_forgotten(&w, &lease).await;
    w.remove_rule(rule.id, t(58)).await;
}

/// Also where many rules are changed at once.
pub async fn copied_texts_go_with_a_change_of_rules(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let (lease, rule) = copied(&w).await;
    let plain = [Rule { options: RuleOptions::default(), ..rule }];
    let step = from_here(&w, &plain, |_| ()).await;
    assert!(w.store.change_rules(&step, t(57)).await.unwrap());
    assert_forgotten(&w, &lease).await;
}

/// Disabled, reset, or removed with its account.
pub async fn copied_texts_go_with_the_calendar(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    copied(&w).await;
    w.store.change_calendar(w.a, CalendarChange::SyncEnabled(Switch::Off), t(57)).await.unwrap();
    let lease = w.lease(58).await;
    assert_forgotten(&w, &lease).await;
}

/// A worker that planned before somebody switched it off comes too late with its text.
pub async fn nothing_is_copied_after_the_rule_changed(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let (lease, rule) = copied(&w).await;
    let only_title = RuleOptions { copy_title: true, ..RuleOptions::default() };
    w.put_rule(&Rule { options: only_title, ..rule.clone() }, t(57)).await;
    let told = BlockContent { description: Some("bring papers".to_owned()), ..content("Dentist", 70) };
    let late = |run| entry(Cause { copies: ALL, ..cause(run) }, Deed::Changed, Some(told.clone()), 70);
    w.store.settle(&lease, &[put(1, w.b, late(51), 70)]).await.unwrap();
    assert_eq!(rows(&w, 51).await[0].after, Some(content("Dentist", 70)));
    w.remove_rule(rule.id, t(58)).await;
    w.store.settle(&lease, &[put(1, w.b, late(52), 70)]).await.unwrap();
    assert_eq!(rows(&w, 52).await[0].after, Some(content("Busy", 70)));
}

/// Newest first, only what is theirs, and only what did something, unless all is asked for.
pub async fn an_activity_has_pages(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = begun(&w, 50, w.a, 20).await;
    for (n, calendar, at) in [(51, w.b, 30), (52, w.a, 30), (53, w.c, 40)] {
        w.store.begin_run(&lease, &run(n, calendar, RunKind::Polling, at)).await.unwrap();
    }
    for (n, target) in [(50, w.b), (51, w.c), (52, w.b)] {
        w.store.enqueue(&lease, &planned(n, target, w.a, &[n])).await.unwrap();
        let made = entry(cause(n), Deed::Created, Some(content("Busy", 40)), 40);
        w.store.settle(&lease, &[put(n, target, made, 40)]).await.unwrap();
    }
    let shown = async |filter: Filter, after: Option<After>, limit| {
        let page = w.store.activity(&filter, after, limit).await.unwrap();
        page.iter().map(|a| a.run.id).collect::<Vec<_>>()
    };
    let ids = |numbers: &[u64]| numbers.iter().map(|n| RunId(id(*n))).collect::<Vec<_>>();
    let all = filter(&w);
    assert_eq!(shown(all, None, 9).await, ids(&[52, 51, 50]));
    assert_eq!(shown(all, None, 2).await, ids(&[52, 51]));
    let after = Some(After { started_at: t(30), run: RunId(id(51)) });
    assert_eq!(shown(all, after, 9).await, ids(&[50]));
    assert_eq!(shown(Filter { since: Some(t(30)), ..all }, None, 9).await, ids(&[52, 51]));
    assert_eq!(shown(Filter { idle: Idle::Shown, ..all }, None, 9).await, ids(&[53, 52, 51, 50]));
    assert_eq!(shown(Filter { calendar: Some(w.c), ..all }, None, 9).await, ids(&[51]), "written into it");
    assert_eq!(shown(Filter { calendar: Some(w.a), ..all }, None, 9).await, ids(&[52, 50]), "or its own");
    let stranger = Filter { user: calsync_core::ids::UserId(id(77)), ..all };
    assert_eq!(shown(stranger, None, 9).await, ids(&[]));
    let page = w.store.activity(&all, None, 1).await.unwrap();
    assert_eq!(
        page[0].wrote.iter().map(|w| (w.target, w.created, w.changed)).collect::<Vec<_>>(),
        [(w.b, 1, 0)]
    );
    let last = rows(&w, 52).await.remove(0);
    assert_eq!(w.store.last_write(w.b, last.correlation).await.unwrap(), Some(last.clone()));
    assert_eq!(w.store.last_write(w.a, last.correlation).await.unwrap(), None, "not there");
    assert_eq!(w.store.run(RunId(id(52))).await.unwrap().map(|run| run.calendar), Some(w.a));
    assert_eq!(w.store.run(RunId(id(59))).await.unwrap(), None);
}

/// It is written down with its plan; an outbox that stays as it was names no new one.
pub async fn a_run_that_only_writes_is_shown(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    let only = |n| Run { finished_at: Some(t(20)), ..run(n, w.b, RunKind::Write, 20) };
    let plan = |n| Enqueue { run: Some(only(n)), ..planned(n, w.b, w.a, &[1]) };
    w.store.enqueue(&lease, &plan(60)).await.unwrap();
    w.store.enqueue(&lease, &plan(61)).await.unwrap();
    let page = w.store.activity(&filter(&w), None, 9).await.unwrap();
    assert_eq!(page.iter().map(|a| a.run.clone()).collect::<Vec<_>>(), [only(60)]);
    let waiting = w.store.due_writes(w.b, t(30), 9).await.unwrap();
    assert_eq!(waiting[0].cause.as_ref().map(|c| c.run), Some(RunId(id(60))), "as they waited");
}

/// By which run, for each block that another one wrote since.
pub async fn what_came_later_is_known(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = begun(&w, 50, w.a, 20).await;
    w.store.enqueue(&lease, &planned(50, w.b, w.a, &[1, 2])).await.unwrap();
    let wrote = |run, n| put(n, w.b, entry(cause(run), Deed::Changed, Some(content("Busy", 40)), 40), 40);
    for (run, n) in [(49, 1), (50, 1), (50, 2), (50, 1), (51, 1), (52, 1)] {
        w.store.settle(&lease, &[wrote(run, n)]).await.unwrap();
    }
    let later = w.store.overwritten(RunId(id(50)), 9).await.unwrap();
    let last = later.last().map(|one| (one.target, one.correlation, one.by));
    assert_eq!(last, Some((w.b, CorrelationId(id(1)), RunId(id(52)))));
    assert!(later.iter().all(|one| one.correlation == CorrelationId(id(1))), "{later:?}");
    assert_eq!(w.store.overwritten(RunId(id(52)), 9).await.unwrap(), []);
}

/// All of them, or none; and a hold remembers what was undone.
pub async fn plans_for_several_targets_are_one_fact(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = w.lease(20).await;
    let held = |target| Hold { undone: Some(RunId(id(50))), ..hold(target) };
    let plan = |n, target| Enqueue { hold: Some(held(target)), ..planned(60, target, w.a, &[n]) };
    let only = Run { finished_at: Some(t(20)), ..run(60, w.b, RunKind::Write, 20) };
    let first = Enqueue { run: Some(only), ..plan(1, w.b) };
    let lost = Enqueue { target: CalendarId(id(77)), ..plan(2, w.c) };
    assert!(w.store.enqueue_all(&lease, &[first.clone(), lost]).await.is_err());
    assert_eq!(w.store.waiting_writes(w.b).await.unwrap(), 0);
    assert_eq!(w.store.run(RunId(id(60))).await.unwrap(), None);
    w.store.enqueue_all(&lease, &[first, plan(2, w.c)]).await.unwrap();
    let waiting = [w.store.waiting_writes(w.b).await.unwrap(), w.store.waiting_writes(w.c).await.unwrap()];
    assert_eq!(waiting, [1, 1]);
    let holds = w.store.user_state(w.user).await.unwrap().unwrap().holds;
    assert_eq!(holds, [held(w.b), held(w.c)]);
}

/// In it and of it.
pub async fn a_reset_forgets_what_was_written(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = begun(&w, 50, w.a, 20).await;
    for (run, target, source) in [(50, w.b, w.a), (51, w.a, w.c), (52, w.c, w.b)] {
        w.store.enqueue(&lease, &planned(run, target, source, &[run])).await.unwrap();
        let made = entry(cause(run), Deed::Created, Some(content("Busy", 40)), 40);
        w.store.settle(&lease, &[put(run, target, made, 40)]).await.unwrap();
    }
    w.store.change_calendar(w.a, CalendarChange::Leave(Leaving::Reset), t(57)).await.unwrap();
    let lease = w.lease(58).await;
    w.store.finish_leaving(&lease, w.a, Leaving::Reset).await.unwrap();
    let left = [rows(&w, 50).await.len(), rows(&w, 51).await.len(), rows(&w, 52).await.len()];
    assert_eq!(left, [0, 0, 1]);
}

/// The oldest first, a few at a time.
pub async fn the_journal_is_pruned_by_age(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let lease = begun(&w, 50, w.a, 20).await;
    w.store.enqueue(&lease, &planned(50, w.b, w.a, &[1, 2, 3])).await.unwrap();
    for (n, at) in [(1, 40), (2, 42), (3, 41)] {
        let made = entry(cause(50), Deed::Created, Some(content("Busy", 40)), at);
        w.store.settle(&lease, &[put(n, w.b, made, at)]).await.unwrap();
    }
    assert_eq!(w.store.prunable(Prunable::Journal, t(42)).await.unwrap(), 2);
    assert_eq!(w.store.prune(Prunable::Journal, t(42), 1).await.unwrap(), 1);
    assert_eq!(w.store.prune(Prunable::Journal, t(42), 9).await.unwrap(), 1);
    let left: Vec<_> = rows(&w, 50).await.into_iter().map(|row| row.block.0).collect();
    assert_eq!(left, ["x2"]);
}
