//! Random operations, drawn from a seed, applied to two stores at once; and the picture of a whole store, by nothing
//! but its port.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calsync_core::alert::{Alert, AlertLevel, Telling, Told};
use calsync_core::block::BlockContent;
use calsync_core::calendar::{AccountStatus, Cursor, Leaving, ProviderKind};
use calsync_core::cursor_loss::{CursorLosses, CursorSeen};
use calsync_core::event::TextPolicy;
use calsync_core::hold::Hold;
use calsync_core::ids::{AccountId, CalendarId, CorrelationId, NotificationId, RuleId, RunId, UserId};
use calsync_core::journal::{After, Cause, Deed, Entry, Filter, Idle, JournalRow, Shown};
use calsync_core::ledger::{LedgerRow, LedgerState, Outcome, Settlement, Write, WriteOp};
use calsync_core::notification::{AfterFailure, ProcessingStatus, Served, Wants};
use calsync_core::plan::Reason;
use calsync_core::ports::{
    Blame, CalendarChange, Enqueue, FullListing, Lease, NewNotification, NextDue, NotificationQuery,
    NotificationsEnd, PullApply, RulesOf, RunEnd, Store, StoreError, SubscriptionQuery, SubscriptionsOf,
    Switch, Wish,
};
use calsync_core::run::{CallStats, Run, RunKind, RunStatus};
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use calsync_core::time::{Ts, Window};
use jiff::SignedDuration;
use serde_json::json;

use super::world::*;

mod ops;
mod steps;

/// Calendars that each of them may have; user n's are 100 + 3n and the following.
const EACH: u64 = 3;
/// Runs that writes may name as theirs, begun or not.
const CAUSES: [u64; 4] = [1_010, 1_020, 1_030, 1_040];
/// Users that may exist: 1, 2, ….
const USERS: u64 = 3;

/// Everything that a store shows, in a fixed order.
pub(super) async fn observe(store: &Arc<dyn Store>) -> Vec<String> {
    let mut seen = Vec::new();
    macro_rules! see {
        ($call:expr) => {
            seen.push(format!("{} = {:?}", stringify!($call), $call.await.unwrap()))
        };
    }
    see!(store.users());
    for user in (1..=USERS).map(|n| UserId(id(n))) {
        see!(store.user_state(user));
    }
    see!(store.all_credentials());
    let calendars = (100 + EACH..100 + EACH * (USERS + 1)).chain([0xa, 0xb]).map(|n| CalendarId(id(n)));
    for calendar in calendars {
        see!(store.mirror(calendar));
        see!(store.ledger(calendar));
        see!(store.due_writes(calendar, Ts::MAX, 1_000));
        see!(store.waiting_writes(calendar));
        see!(store.subscriptions(calendar));
        see!(store.runs(Some(calendar), 1_000));
        see!(store.find_subscription(calendar, ProviderKind::Google, "channel-201"));
    }
    use ProcessingStatus::{Completed, Failed, Pending, Processing, Retrying};
    for status in [Pending, Processing, Completed, Failed, Retrying] {
        see!(store.notifications(status, 1_000));
    }
    see!(store.next_due());
    see!(store.backlog(t(500)));
    see!(store.notification_metrics(t(100)));
    see!(store.subscription_metrics(t(500)));
    see!(store.subscriptions_to_renew(Ts::MAX, 100));
    see!(store.subscriptions_to_close(Ts::MAX, 100));
    see!(store.next_channel_due());
    see!(store.admissions(None, 100));
    see!(store.subscriptions_silent(t(300), 100));
    see!(store.subscriptions_failing(1, 100));
    see!(store.unwatched_calendars(Ts::MAX, 100));
    see!(store.call_stats(t(0)));
    see!(store.open_alerts());
    see!(store.alerts(100));
    see!(store.alert_groups());
    see!(store.tellings());
    see!(store.deliveries(100));
    see!(store.census());
    see!(store.notification_spans(t(0), SignedDuration::from_mins(10)));
    see!(store.recent(t(0), 100));
    let subscriptions = |of| SubscriptionQuery { of, provider: None, person: None, after: None, limit: 100 };
    see!(store.subscription_page(&subscriptions(SubscriptionsOf::Everything)));
    see!(store.subscription_page(&subscriptions(SubscriptionsOf::Status(SubscriptionStatus::Expired))));
    see!(store.subscription_page(&subscriptions(SubscriptionsOf::Failing)));
    see!(store.subscription_page(&subscriptions(SubscriptionsOf::EndingBy(Ts::MAX))));
    see!(store.subscription_page(&subscriptions(SubscriptionsOf::SilentSince(t(300)))));
    see!(store.notification_page(&NotificationQuery { limit: 100, ..NotificationQuery::default() }));
    see!(store.rule_page(RulesOf::Promised, t(-9_000), None, 100));
    see!(store.rule_page(RulesOf::Unpromised, t(-9_000), None, 100));
    see!(store.overdue(t(1_000), Ts::MAX, 100));
    for user in (1..=USERS).map(|n| UserId(id(n))) {
        see!(store.freshness(user));
        see!(store.rule_delays(user, t(-9_000)));
    }
    see!(store.rules_behind(t(500), 100));
    see!(store.count_behind(t(500)));
    see!(store.delays(t(-9_000)));
    // Those that were begun, and those that a plan or an entry of the journal may name.
    let mut journal = Vec::new();
    let runs = store.runs(None, 1_000).await.unwrap().into_iter().map(|run| run.id);
    for run in runs.chain(CAUSES.map(|n| RunId(id(n)))).collect::<BTreeSet<_>>() {
        // Numbers grow, and that is all that is promised of them; what is settled at once has no order.
        let rows = store.journal(run, 1_000).await.unwrap();
        assert!(rows.is_sorted_by_key(|row| row.seq));
        let mut rows: Vec<_> = rows.into_iter().map(|row| JournalRow { seq: 0, ..row }).collect();
        rows.sort_by_cached_key(|row| format!("{row:?}"));
        let mut later = store.overwritten(run, 1_000).await.unwrap();
        later.sort_unstable();
        journal.push((run, store.run(run).await.unwrap(), rows, later));
    }
    seen.push(format!("journal = {journal:#?}"));
    for user in (1..=USERS).map(|n| UserId(id(n))) {
        for idle in [Idle::Hidden, Idle::Shown] {
            let number = u64::try_from(user.0.as_u128()).unwrap();
            let calendar = CalendarId(id(100 + EACH * number));
            for (calendar, since) in [(None, None), (Some(calendar), Some(t(150)))] {
                let filter = Filter { user, calendar, since, idle };
                see!(store.activity(&filter, None, 100));
                let after = After { started_at: t(200), run: RunId(id(2_000)) };
                see!(store.activity(&filter, Some(after), 3));
            }
        }
    }
    see!(store.setting("name"));
    see!(store.runs(None, 20));
    seen
}

/// Operations drawn from one seed, and how often each of them worked or was refused.
pub(super) struct Sequence {
    pub(super) tally: BTreeMap<&'static str, (u32, u32)>,
    state: u64,
    now: i64,
    serial: u64,
    leases: Vec<Lease>,
    runs: Vec<Run>,
}

impl Sequence {
    pub(super) fn new(seed: u64) -> Sequence {
        Sequence {
            state: seed,
            now: 100,
            serial: 1_000,
            leases: Vec::new(),
            runs: Vec::new(),
            tally: BTreeMap::new(),
        }
    }

    /// splitmix64: small, and the same everywhere.
    fn draw(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn one_of<T: Clone>(&mut self, items: &[T]) -> T {
        items[usize::try_from(self.draw(items.len() as u64)).unwrap()].clone()
    }

    fn often(&mut self) -> bool {
        self.draw(4) > 0
    }

    fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn user(&mut self) -> u64 {
        1 + self.draw(USERS)
    }

    fn calendar_of(&mut self, user: u64) -> CalendarId {
        CalendarId(id(100 + user * EACH + self.draw(EACH)))
    }

    fn calendar(&mut self) -> CalendarId {
        let user = self.user();
        self.calendar_of(user)
    }

    fn switch(&mut self) -> Switch {
        self.one_of(&[Switch::On, Switch::On, Switch::Off])
    }

    fn at(&mut self) -> i64 {
        self.now - 50 + i64::try_from(self.draw(100)).unwrap()
    }

    fn count<T, E>(&mut self, name: &'static str, answer: &Result<T, E>) {
        let (worked, refused) = self.tally.entry(name).or_default();
        *(if answer.is_ok() { worked } else { refused }) += 1;
    }

    /// One that is likely to be good still; none is, before anything was claimed.
    fn lease(&mut self) -> Lease {
        let skip = usize::try_from(self.draw(2) * self.draw(2) * self.draw(4)).unwrap();
        let at = self.leases.len().saturating_sub(1 + skip);
        self.leases.get(at).cloned().unwrap_or(Lease {
            resource: "job:none".to_owned(),
            owner: "nobody".to_owned(),
            token: 1,
            expires_at: t(0),
        })
    }

    /// Whoever was refused mostly notices.
    fn learn<T>(&mut self, lease: &Lease, answer: &Result<T, &'static str>) {
        if matches!(answer, Err("lease lost")) && self.often() {
            self.leases.retain(|l| l != lease);
        }
    }

    /// One operation; its name.
    pub(super) async fn step(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        self.now += i64::try_from(self.draw(20)).unwrap();
        if self.leases.is_empty() {
            return self.leasing(m, r).await;
        }
        match self.draw(12) {
            0 => self.people(m, r).await,
            1 | 2 => self.calendars(m, r).await,
            3 | 4 => self.receipt(m, r).await,
            5 => self.leasing(m, r).await,
            6 => self.subscribing(m, r).await,
            7 | 8 => self.running(m, r).await,
            9 | 10 => self.walking(m, r).await,
            _ => self.figures(m, r).await,
        }
    }

    fn name(&mut self) -> String {
        format!("x{}", self.draw(5))
    }

    fn pull(&mut self, calendar: CalendarId) -> PullApply {
        let at = self.at();
        let token = format!("token-{at}");
        PullApply {
            events: (0..self.draw(3)).map(|_| event(&self.name(), at)).collect(),
            events_gone: (0..self.draw(3)).map(|_| self.name().as_str().into()).collect(),
            blocks: (0..self.draw(3)).map(|_| block(&self.name(), at)).collect(),
            blocks_gone: (0..self.draw(3)).map(|_| self.name().as_str().into()).collect(),
            shown: (0..self.draw(5)).map(|_| self.shown(at)).collect(),
            cursor: self.often().then(|| Cursor { token, params: "p".to_owned(), covers: Window::ALL }),
            full: (!self.often()).then_some(FullListing { began_at: t(at) }),
            cursor_losses: (!self.often())
                .then(|| CursorLosses::default().after(CursorSeen::Refused, t(self.now))),
            time_zone: (!self.often()).then(|| "Asia/Tokyo".to_owned()),
            targets: vec![self.calendar(), self.calendar()],
            ..pull(calendar, self.now)
        }
    }

    fn shown(&mut self, at: i64) -> Shown {
        let name = self.name();
        let fingerprint =
            self.often().then(|| block(&name, at - 20 + i64::try_from(self.draw(40)).unwrap()).fingerprint);
        Shown { block: name.as_str().into(), fingerprint }
    }

    fn write(&mut self, target: CalendarId) -> Write {
        let name = self.name();
        let n = 700 + self.draw(6);
        let write = match self.draw(3) {
            0 => create(n, target, Some(&name)),
            1 => create(n, target, None),
            _ => delete(n, target, &name),
        };
        Write { cause: self.often().then(|| self.cause()), ..write }
    }

    fn cause(&mut self) -> Cause {
        let last = self.runs.last().map(|run| run.id);
        let run = match last {
            Some(run) if self.often() => run,
            _ => RunId(id(self.one_of(&CAUSES))),
        };
        Cause {
            run,
            rule: RuleId(id(600 + self.draw(4))),
            reason: self.one_of(&[Reason::NewOccurrence, Reason::RuleGone]),
            copies: TextPolicy { title: self.often(), description: !self.often(), location: false },
            fetched_at: self.often().then(|| t(self.now)),
        }
    }

    /// What the journal may say of a settlement.
    fn entry(&mut self) -> Entry {
        let content = match create(1, CalendarId(id(1)), None).op {
            WriteOp::Create { content, .. } => content,
            other => panic!("{other:?}"),
        };
        let text = self.name();
        let content = BlockContent { title: format!("Dinner {text}"), description: Some(text), ..content };
        let deed = self.one_of(&[Deed::Created, Deed::Changed, Deed::Removed]);
        Entry {
            cause: self.cause(),
            deed,
            content: Some(content).filter(|_| deed != Deed::Removed),
            changed_at: self.often().then(|| t(self.now - 5)),
            written_at: t(self.at()),
        }
    }

    fn plan(&mut self, target: CalendarId) -> Enqueue {
        use LedgerState::{Creating, Gone, Live, Yielded};
        let ledger = (0..self.draw(4)).map(|_| {
            let name = self.name();
            let row = ledger_row(700 + self.draw(6), target, Some(&name));
            LedgerRow { state: self.one_of(&[Creating, Live, Gone, Yielded]), ..row }
        });
        Enqueue {
            ledger: ledger.collect(),
            writes: (0..self.draw(4)).map(|_| self.write(target)).collect(),
            found: (0..self.draw(2)).map(|_| self.settlement(target)).collect(),
            run: (!self.often()).then(|| Run {
                kind: RunKind::Write,
                ..run(self.one_of(&CAUSES), target, RunKind::Full, self.now)
            }),
            hold: (!self.often()).then(|| Hold { digest: self.draw(2), ..hold(target) }),
            ..plan(target, Vec::new(), Vec::new())
        }
    }

    fn settlement(&mut self, target: CalendarId) -> Settlement {
        let (name, at) = (self.name(), self.at());
        let outcome = match self.draw(5) {
            0 => Outcome::Removed { id: name.as_str().into() },
            1 => Outcome::Postponed { attempts: 2, not_before: t(at), error: "later".to_owned() },
            2 => Outcome::Replan {
                observed: self.often().then(|| block(&name, at)),
                generation: self.often().then_some(3),
            },
            _ => Outcome::Stored {
                block: block(&name, at),
                wrote: block(&name, at + 1).fingerprint,
                span: hour(at),
                repairs: 1,
                at: t(at),
            },
        };
        Settlement {
            target,
            correlation: CorrelationId(id(700 + self.draw(6))),
            outcome,
            entry: self.often().then(|| self.entry()),
        }
    }
}
