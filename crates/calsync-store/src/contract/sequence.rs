//! Random operations, drawn from a seed, applied to two stores at once; and the picture of a whole store, by nothing
//! but its port.

use std::sync::Arc;

use calsync_core::calendar::{AccountStatus, Cursor, ProviderKind};
use calsync_core::ids::{
    AccountId, CalendarId, CorrelationId, NotificationId, RuleId, SubscriptionId, UserId,
};
use calsync_core::ledger::{LedgerRow, LedgerState, Outcome, Settlement, Write};
use calsync_core::notification::{AfterFailure, ProcessingStatus, Served, Wants};
use calsync_core::ports::{
    Blame, CalendarChange, Enqueue, FullListing, Lease, NewNotification, NextDue, NotificationsEnd,
    PullApply, RunEnd, Store, StoreError, Switch, Wish,
};
use calsync_core::rule::RuleOptions;
use calsync_core::run::{Alert, AlertLevel, CallStats, Run, RunKind, RunStatus};
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use calsync_core::time::{Ts, Window};
use serde_json::json;

use super::world::*;

/// Calendars that may exist: 100, 101, ….
const CALENDARS: u64 = 8;
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
    let calendars = (100..100 + CALENDARS).chain([0xa, 0xb, 0xc]).map(|n| CalendarId(id(n)));
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
    see!(store.subscriptions_ending(Ts::MAX, 100));
    see!(store.subscriptions_silent(t(300), 100));
    see!(store.subscriptions_failing(1, 100));
    see!(store.unwatched_calendars(100));
    see!(store.call_stats(t(0)));
    see!(store.open_alerts());
    see!(store.setting("name"));
    see!(store.runs(None, 20));
    seen
}

/// Operations drawn from one seed.
pub(super) struct Sequence {
    state: u64,
    now: i64,
    serial: u64,
    leases: Vec<Lease>,
    runs: Vec<Run>,
}

/// What an operation answered, without the words for a person: those may differ.
fn plain<T>(result: Result<T, StoreError>) -> Result<T, &'static str> {
    result.map_err(|error| match error {
        StoreError::LeaseLost(_) => "lease lost",
        StoreError::Conflict(_) => "conflict",
        StoreError::Unavailable(_) => "unavailable",
        StoreError::NewerSchema { .. } => "newer schema",
        StoreError::Corrupt(_) => "corrupt",
    })
}

/// Does the same to both, compares the answers, and gives the answer back.
macro_rules! both {
    ($model:expr, $real:expr, $method:ident($($arg:expr),*)) => {{
        let expected = plain($model.$method($($arg),*).await);
        let found = plain($real.$method($($arg),*).await);
        assert_eq!(found, expected, "the answer of {}", stringify!($method($($arg),*)));
        expected
    }};
}

impl Sequence {
    pub(super) fn new(seed: u64) -> Sequence {
        Sequence { state: seed, now: 100, serial: 1_000, leases: Vec::new(), runs: Vec::new() }
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

    fn calendar(&mut self) -> CalendarId {
        CalendarId(id(100 + self.draw(CALENDARS)))
    }

    fn switch(&mut self) -> Switch {
        self.one_of(&[Switch::On, Switch::On, Switch::Off])
    }

    fn at(&mut self) -> i64 {
        self.now - 50 + i64::try_from(self.draw(100)).unwrap()
    }

    fn lease(&mut self) -> Lease {
        let nobodys =
            Lease { resource: "job:none".into(), owner: "nobody".into(), token: 1, expires_at: t(0) };
        // The latest are the likeliest to be good still.
        let skip = self.draw(3) + self.draw(2) * self.draw(3);
        let count = self.leases.len() as u64;
        let at = usize::try_from(count.saturating_sub(1 + skip)).unwrap();
        self.leases.get(at).cloned().unwrap_or(nobodys)
    }

    /// One operation; its name.
    pub(super) async fn step(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        self.now += i64::try_from(self.draw(20)).unwrap();
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

    async fn people(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let n = self.user();
        match self.draw(12) {
            0..=3 => {
                let _ = both!(m, r, add_user(&user(n)));
                "add_user"
            }
            4..=8 => {
                let mut connect = account(10 + n * 2 + self.draw(2), n);
                connect.account.remote_id = format!("remote-{}", self.draw(2));
                connect.credentials.version = i64::try_from(self.draw(5)).unwrap();
                let _ = both!(m, r, connect_account(&connect, t(self.now)));
                "connect_account"
            }
            9 => {
                let which = AccountId(id(10 + n * 2 + self.draw(2)));
                let status = self.one_of(&[AccountStatus::Active, AccountStatus::NeedsReconnect]);
                let _ = both!(m, r, set_account_status(which, status, Some("words")));
                "set_account_status"
            }
            10 => {
                let _ = both!(m, r, remove_account(AccountId(id(10 + n * 2 + self.draw(8)))));
                "remove_account"
            }
            _ if self.draw(4) == 0 => {
                let _ = both!(m, r, remove_user(UserId(id(n))));
                "remove_user"
            }
            _ => {
                let account = AccountId(id(10 + n * 2));
                let sealed = account_credentials(i64::try_from(self.draw(9)).unwrap());
                let expected = i64::try_from(self.draw(4)).unwrap();
                let _ = both!(m, r, replace_credentials(account, expected, &sealed));
                "replace_credentials"
            }
        }
    }

    async fn calendars(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let (a, b, now) = (self.calendar(), self.calendar(), t(self.now));
        match self.draw(8) {
            0 | 1 => {
                let n = self.user();
                let account = AccountId(id(10 + n * 2 + self.draw(2)));
                let list: Vec<_> = (0..self.draw(4))
                    .map(|_| self.draw(4))
                    .map(|k| (CalendarId(id(100 + (k + n) % CALENDARS)), listed(&k.to_string())))
                    .collect();
                let _ = both!(m, r, update_calendar_list(account, &list));
                "update_calendar_list"
            }
            2 | 3 => {
                let change = match self.draw(5) {
                    0 => CalendarChange::WebhookEnabled(self.switch()),
                    1 => CalendarChange::PushUnsupported,
                    _ => CalendarChange::SyncEnabled(self.switch()),
                };
                let _ = both!(m, r, change_calendar(a, change, now));
                "change_calendar"
            }
            4 | 5 => {
                let owner = m.calendar(a).await.unwrap().map_or(UserId(id(1)), |c| c.user);
                let options = RuleOptions {
                    copy_title: !self.often(),
                    enabled: self.often(),
                    ..RuleOptions::default()
                };
                let rule = calsync_core::rule::Rule { options, ..rule(600 + self.draw(4), owner, a, b) };
                let _ = both!(m, r, put_rule(&rule, now));
                "put_rule"
            }
            6 => {
                let _ = both!(m, r, remove_rule(RuleId(id(600 + self.draw(4))), now));
                "remove_rule"
            }
            _ => {
                let wish = self.one_of(&[Wish::Changes, Wish::Full]);
                let _ = both!(m, r, raise(&[a, b], wish, now));
                "raise"
            }
        }
    }

    async fn receipt(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let n = 200 + self.draw(8);
        let calendar = self.calendar();
        let known = m.subscriptions(calendar).await.unwrap();
        let to = known.first().cloned().unwrap_or_else(|| subscription(n, calendar));
        let at = self.at();
        let new = NewNotification {
            id: NotificationId(id(self.next())),
            notification_id: self.draw(40).to_string(),
            wants: self.one_of(&[Wants::Sync, Wants::Sync, Wants::Confirmation]),
            ..delivery(0, &to, at)
        };
        let _ = both!(m, r, record_notification(new.clone()));
        "record_notification"
    }

    async fn leasing(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let until = t(self.now + 60);
        let lease = self.lease();
        match self.draw(6) {
            0 | 1 => {
                let claimed = both!(m, r, claim_due_user("w", t(self.now), until));
                self.leases.extend(claimed.unwrap().map(|c| c.lease));
                "claim_due_user"
            }
            2 => {
                let user = UserId(id(self.user()));
                let claimed = both!(m, r, claim_user(user, "w", t(self.now), until));
                self.leases.extend(claimed.unwrap().map(|c| c.lease));
                "claim_user"
            }
            3 => {
                let claimed = both!(m, r, claim_lease("job:one", "w", t(self.now), until));
                self.leases.extend(claimed.unwrap());
                "claim_lease"
            }
            4 => {
                let _ = both!(m, r, renew_lease(&lease, until));
                "renew_lease"
            }
            _ => {
                let calendar = self.calendar();
                let known = m.calendar(calendar).await.unwrap().map_or(0, |c| c.dirty_generation);
                let seen_generation = known - i64::from(!self.often());
                let due_at = self.often().then_some(t(self.now + 30));
                let _ = both!(m, r, release(&lease, &[NextDue { calendar, seen_generation, due_at }]));
                "release"
            }
        }
    }

    async fn subscribing(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let which = SubscriptionId(id(200 + self.draw(10)));
        let now = t(self.now);
        match self.draw(8) {
            0..=3 => {
                let calendar = self.calendar();
                let known = m.subscriptions(calendar).await.unwrap();
                let replaces = known.first().map(|s| s.id).filter(|_| self.often());
                let new = Subscription {
                    created_at: t(self.at()),
                    expires_at: t(self.now + 400),
                    provider: self.one_of(&[
                        ProviderKind::Google,
                        ProviderKind::Google,
                        ProviderKind::Microsoft,
                    ]),
                    ..subscription(200 + self.draw(10), calendar)
                };
                let _ = both!(m, r, begin_subscription(&new, replaces));
                "begin_subscription"
            }
            4 => {
                let channel = format!("confirmed-{}", self.draw(10));
                let _ =
                    both!(m, r, confirm_subscription(which, &channel, "resource", t(self.now + 900), now));
                "confirm_subscription"
            }
            5 => {
                let replaced = self.often().then_some(SubscriptionId(id(200 + self.draw(10))));
                let _ = both!(m, r, abandon_subscription(which, replaced, now));
                "abandon_subscription"
            }
            6 => {
                use SubscriptionStatus::{Active, Expired, Failed, Suspended};
                let status = self.one_of(&[Active, Expired, Failed, Suspended]);
                let _ = both!(m, r, set_subscription_status(which, status));
                "set_subscription_status"
            }
            _ => {
                let _ = both!(m, r, expire_subscriptions(t(self.now - 200)));
                "expire_subscriptions"
            }
        }
    }

    async fn running(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let lease = self.lease();
        if self.draw(2) == 0 || self.runs.is_empty() {
            let kind = self.one_of(&[RunKind::Webhook, RunKind::Polling, RunKind::Full]);
            let run = run(self.next(), self.calendar(), kind, self.now);
            if both!(m, r, begin_run(&lease, &run)).is_ok() {
                self.runs.push(run);
            }
            return "begin_run";
        }
        let run = self.runs[self.runs.len() - 1].clone();
        let at_work = m.notifications(ProcessingStatus::Processing, 100).await.unwrap();
        let notifications = if self.draw(2) == 0 {
            let served = Served { calendars_synced: 1, events_processed: 3, busy_blocks_updated: 1 };
            NotificationsEnd::Completed(served)
        } else {
            let retry = AfterFailure::RetryAt(t(self.now + 30));
            let items =
                at_work.iter().map(|n| (n.id, self.one_of(&[retry, retry, AfterFailure::Failed]))).collect();
            NotificationsEnd::Failed { items, blame: self.one_of(&[Blame::Calendar, Blame::Target]) }
        };
        let status = self.one_of(&[RunStatus::Succeeded, failed()]);
        let served_generation = self.often().then_some(i64::try_from(self.draw(9)).unwrap());
        let ended = RunEnd { served_generation, ..end(&run, self.now + 1, status, notifications) };
        let _ = both!(m, r, end_run(&lease, &ended));
        "end_run"
    }

    async fn walking(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let (lease, calendar) = (self.lease(), self.calendar());
        match self.draw(7) {
            0 | 1 => {
                let pull = self.pull(calendar);
                let _ = both!(m, r, apply_pull(&lease, &pull));
                "apply_pull"
            }
            2 | 3 => {
                let plan = self.plan(calendar);
                let _ = both!(m, r, enqueue(&lease, &plan));
                "enqueue"
            }
            4 | 5 => {
                let slice: Vec<Settlement> = (0..self.draw(6)).map(|_| self.settlement(calendar)).collect();
                let _ = both!(m, r, settle(&lease, &slice));
                "settle"
            }
            _ => {
                let _ = both!(m, r, approve_hold(calendar, t(self.now)));
                "approve_hold"
            }
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
            cursor: self.often().then(|| Cursor { token, params: "p".to_owned(), covers: Window::ALL }),
            full: (!self.often()).then_some(FullListing { began_at: t(at) }),
            time_zone: (!self.often()).then(|| "Asia/Tokyo".to_owned()),
            targets: vec![self.calendar(), self.calendar()],
            ..pull(calendar, self.now)
        }
    }

    fn write(&mut self, target: CalendarId) -> Write {
        let name = self.name();
        let n = 700 + self.draw(6);
        match self.draw(3) {
            0 => create(n, target, Some(&name)),
            1 => create(n, target, None),
            _ => delete(n, target, &name),
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
            hold: (!self.often()).then(|| hold(target)),
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
        Settlement { target, correlation: CorrelationId(id(700 + self.draw(6))), outcome }
    }

    async fn figures(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let kind = self.one_of(&["database_down", "cache_down"]);
        match self.draw(5) {
            0 | 1 => {
                let alert = Alert {
                    kind: kind.to_owned(),
                    subject: String::new(),
                    level: self.one_of(&[AlertLevel::Info, AlertLevel::Critical]),
                    message: "words".to_owned(),
                    action: "look".to_owned(),
                    first_seen: t(self.now),
                    last_seen: t(self.now),
                    resolved_at: None,
                    deliveries: self.one_of(&[json!(null), json!({"email": 1})]),
                };
                let _ = both!(m, r, open_alert(&alert));
                "open_alert"
            }
            2 => {
                let _ = both!(m, r, resolve_alert(kind, "", t(self.now)));
                "resolve_alert"
            }
            3 => {
                let value = json!(self.draw(3));
                let _ = if self.often() {
                    both!(m, r, init_setting("name", &value)).map(drop)
                } else {
                    both!(m, r, put_setting("name", &value))
                };
                "setting"
            }
            _ => {
                let stat = CallStats {
                    provider: self.one_of(&ProviderKind::ALL),
                    minute: t(60 * i64::try_from(self.draw(4)).unwrap()),
                    calls: 3,
                    errors: [(kind.to_owned(), 1)].into(),
                    latency_sum_us: 7,
                    latency_max_us: self.draw(100),
                    quota_used: 1,
                };
                let _ = both!(m, r, add_call_stats(std::slice::from_ref(&stat)));
                "add_call_stats"
            }
        }
    }
}

fn account_credentials(version: i64) -> calsync_core::ports::SealedCredentials {
    calsync_core::ports::SealedCredentials { sealed: vec![1, 2, 3], version }
}
