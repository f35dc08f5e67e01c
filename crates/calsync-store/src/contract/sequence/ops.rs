//! The operations of a sequence, one subject at a time.

use calsync_core::ports::{Awaited, ChannelOpened, StepEnd};

use super::super::freshness::{delay, fresh};
use super::*;

/// What an operation answered, without the words for a person: those may differ.
fn plain<T>(result: Result<T, StoreError>) -> Result<T, &'static str> {
    result.map_err(|error| match error {
        StoreError::LeaseLost(_) => "lease lost",
        StoreError::Conflict(_) => "conflict",
        StoreError::Unavailable(_) => "unavailable",
        StoreError::NewerSchema { .. } => "newer schema",
        StoreError::Corrupt(_) => "corrupt",
        StoreError::Contended(_) => "contended",
    })
}

/// Does the same to both, compares the answers, and gives the answer back.
macro_rules! both {
    ($self:ident, $model:expr, $real:expr, $method:ident($($arg:expr),*)) => {{
        let expected = plain($model.$method($($arg),*).await);
        let found = plain($real.$method($($arg),*).await);
        $self.count(stringify!($method), &expected);
        assert_eq!(found, expected, "the answer of {}", stringify!($method($($arg),*)));
        expected
    }};
}

impl Sequence {
    /// Everybody, with an account and calendars that mostly take part.
    pub(in crate::contract) async fn settle_in(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) {
        for n in 1..=USERS {
            self.settle_one_in(n, m, r).await;
        }
    }

    async fn settle_one_in(&mut self, n: u64, m: &Arc<dyn Store>, r: &Arc<dyn Store>) {
        let _ = both!(self, m, r, add_user(&user(n)));
        let _ = both!(self, m, r, connect_account(&account(10 + n * 2, n), t(self.now)));
        let list: Vec<_> =
            (0..EACH).map(|k| (CalendarId(id(100 + n * EACH + k)), listed(&k.to_string()))).collect();
        let _ = both!(self, m, r, update_calendar_list(AccountId(id(10 + n * 2)), &list));
        for (calendar, _) in list {
            let change = CalendarChange::SyncEnabled(self.switch());
            let _ = both!(self, m, r, change_calendar(calendar, change, t(self.now)));
        }
    }

    pub(super) async fn people(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let n = self.user();
        let which = AccountId(id(10 + n * 2));
        match self.draw(12) {
            0 | 1 => {
                self.settle_one_in(n, m, r).await;
                "settle_in"
            }
            2..=4 => {
                let mut connect = account(10 + n * 2 + self.draw(2), n);
                connect.account.remote_id = format!("remote-{}", 10 + n * 2 + self.draw(2));
                connect.credentials.version = i64::try_from(self.draw(5)).unwrap();
                let _ = both!(self, m, r, connect_account(&connect, t(self.now)));
                "connect_account"
            }
            5..=7 => {
                let status = self.one_of(&[AccountStatus::Active, AccountStatus::NeedsReconnect]);
                let _ = both!(self, m, r, set_account_status(which, status, Some("words")));
                "set_account_status"
            }
            8 => {
                let account = AccountId(id(10 + n * 2 + self.draw(3)));
                let _ = both!(self, m, r, remove_account(account));
                "remove_account"
            }
            9 if self.draw(2) == 0 => {
                let _ = both!(self, m, r, remove_user(UserId(id(n))));
                "remove_user"
            }
            _ => {
                let sealed = account_credentials(i64::try_from(self.draw(9)).unwrap());
                let expected = i64::try_from(self.draw(4)).unwrap();
                let _ = both!(self, m, r, replace_credentials(which, expected, &sealed));
                "replace_credentials"
            }
        }
    }

    pub(super) async fn calendars(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let n = self.user();
        let (a, b, now) = (self.calendar_of(n), self.calendar_of(n), t(self.now));
        match self.draw(8) {
            0 | 1 => {
                let account = AccountId(id(10 + n * 2 + self.draw(2)));
                let list: Vec<_> = (0..self.draw(4))
                    .map(|_| self.draw(EACH))
                    .map(|k| (CalendarId(id(100 + n * EACH + k)), listed(&k.to_string())))
                    .collect();
                let _ = both!(self, m, r, update_calendar_list(account, &list));
                "update_calendar_list"
            }
            2 | 3 => {
                use Leaving::{Disabled, Reset, Stopped};
                let change = match self.draw(6) {
                    5 => CalendarChange::Leave(self.one_of(&[Disabled, Reset, Stopped])),
                    0 => CalendarChange::WebhookEnabled(self.switch()),
                    1 => CalendarChange::PushUnsupported,
                    _ => CalendarChange::SyncEnabled(self.switch()),
                };
                let _ = both!(self, m, r, change_calendar(a, change, now));
                "change_calendar"
            }
            4..=6 => {
                let Some(step) = self.rule_step(m).await else { return "change_rules" };
                let _ = both!(self, m, r, change_rules(&step, now));
                "change_rules"
            }
            _ => {
                let wish = self.one_of(&[Wish::Changes, Wish::Full]);
                let _ = both!(self, m, r, raise(&[a, b], wish, now));
                "raise"
            }
        }
    }

    /// One that is there, if there is any; mostly of a calendar that has few.
    async fn subscription(&mut self, m: &Arc<dyn Store>) -> Subscription {
        for _ in 0..6 {
            let calendar = self.calendar();
            let known = m.subscriptions(calendar).await.unwrap();
            if !known.is_empty() && self.often() {
                return self.one_of(&known);
            }
        }
        subscription(200, self.calendar())
    }

    pub(super) async fn receipt(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let to = self.subscription(m).await;
        let at = self.at();
        let new = NewNotification {
            id: NotificationId(id(self.next())),
            notification_id: self.draw(40).to_string(),
            wants: self.one_of(&[Wants::Sync, Wants::Sync, Wants::Confirmation]),
            ..delivery(0, &to, at)
        };
        let _ = both!(self, m, r, record_notification(new.clone()));
        "record_notification"
    }

    pub(super) async fn leasing(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let until = t(self.now + 60);
        let lease = self.lease();
        match self.draw(6) {
            0 | 1 => {
                let claimed = both!(self, m, r, claim_due_user("w", t(self.now), until));
                self.leases.extend(claimed.unwrap().map(|c| c.lease));
                "claim_due_user"
            }
            2 => {
                let user = UserId(id(self.user()));
                let claimed = both!(self, m, r, claim_user(user, "w", t(self.now), until));
                self.leases.extend(claimed.unwrap().map(|c| c.lease));
                "claim_user"
            }
            3 => {
                let claimed = both!(self, m, r, claim_lease("job:one", "w", t(self.now), until));
                self.leases.extend(claimed.unwrap());
                "claim_lease"
            }
            4 => {
                let answer = both!(self, m, r, renew_lease(&lease, until));
                self.learn(&lease, &answer);
                "renew_lease"
            }
            _ => {
                let calendar = self.calendar();
                let known = m.calendar(calendar).await.unwrap().map_or(0, |c| c.dirty_generation);
                let seen_generation = known - i64::from(!self.often());
                let due_at = self.often().then_some(t(self.now + 30));
                let next = NextDue { calendar, seen_generation, due_at };
                if self.draw(2) == 0 {
                    let answer = both!(self, m, r, release(&lease, std::slice::from_ref(&next)));
                    self.learn(&lease, &answer);
                    return "release";
                }
                let end = self.step_end(m, next).await;
                let answer = both!(self, m, r, end_step(&lease, &end));
                self.learn(&lease, &answer);
                "end_step"
            }
        }
    }

    /// Of rules between whatever calendars, some of which may be gone or somebody else's.
    async fn step_end(&mut self, m: &Arc<dyn Store>, next: NextDue) -> StepEnd {
        let rules = (0..self.draw(4)).map(|_| {
            let until = self.often().then(|| self.now + 100);
            let user = self.user();
            fresh(650 + self.draw(6), self.calendar_of(user), self.calendar_of(user), until)
        });
        let rules = rules.collect();
        let mut delays = BTreeMap::new();
        for _ in 0..self.draw(4) {
            let (n, hour) = (650 + self.draw(8), i64::try_from(self.draw(40)).unwrap());
            let one = delay(n, hour, 3, 1 + self.draw(3));
            delays.insert((one.hour, one.bucket, one.rule), one);
        }
        let channel = self.subscription(m).await.id;
        StepEnd {
            next: vec![next],
            rules,
            gone: (0..self.draw(2)).map(|_| RuleId(id(650 + self.draw(6)))).collect(),
            delays: delays.into_values().collect(),
            awaited: (0..self.draw(2))
                .map(|_| Awaited { subscription: channel, since: t(self.now) })
                .collect(),
        }
    }

    pub(super) async fn subscribing(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let which = self.subscription(m).await;
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
                    ..subscription(201 + self.draw(60), calendar)
                };
                let _ = both!(self, m, r, begin_subscription(&new, replaces));
                "begin_subscription"
            }
            4 => {
                let channel = format!("confirmed-{}", self.draw(10));
                let siblings = m.subscriptions(which.calendar).await.unwrap();
                let replaces = siblings.last().map(|s| s.id).filter(|_| self.often());
                let _ = both!(
                    self,
                    m,
                    r,
                    confirm_subscription(&ChannelOpened {
                        id: which.id,
                        remote_id: &channel,
                        resource: "resource",
                        expires_at: t(self.now + 900),
                        renew_at: t(self.now + 600),
                        replaces,
                        now
                    })
                );
                "confirm_subscription"
            }
            5 => {
                let siblings = m.subscriptions(which.calendar).await.unwrap();
                let replaced = siblings.last().map(|s| s.id).filter(|_| self.often());
                let _ = both!(self, m, r, abandon_subscription(which.id, replaced, now));
                "abandon_subscription"
            }
            6 => {
                use SubscriptionStatus::{Active, Expired, Failed, Suspended};
                let status = self.one_of(&[Active, Expired, Failed, Suspended]);
                let close_at = Some(now).filter(|_| self.often());
                let _ = both!(self, m, r, set_subscription_status(which.id, status, close_at));
                "set_subscription_status"
            }
            _ => {
                let _ = both!(self, m, r, expire_subscriptions(t(self.now - 200)));
                "expire_subscriptions"
            }
        }
    }

    pub(super) async fn running(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let lease = self.lease();
        if self.draw(2) == 0 || self.runs.is_empty() {
            let kind = self.one_of(&[RunKind::Webhook, RunKind::Polling, RunKind::Full]);
            let run = run(self.next(), self.calendar(), kind, self.now);
            let answer = both!(self, m, r, begin_run(&lease, &run));
            self.learn(&lease, &answer);
            if answer.is_ok() {
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
        let answer = both!(self, m, r, end_run(&lease, &ended));
        self.learn(&lease, &answer);
        "end_run"
    }

    pub(super) async fn walking(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let (lease, calendar) = (self.lease(), self.calendar());
        match self.draw(8) {
            7 => {
                let why = self.one_of(&[Leaving::Disabled, Leaving::Reset]);
                let answer = both!(self, m, r, finish_leaving(&lease, calendar, why));
                self.learn(&lease, &answer);
                "finish_leaving"
            }
            0 | 1 => {
                let pull = self.pull(calendar);
                let answer = both!(self, m, r, apply_pull(&lease, &pull));
                self.learn(&lease, &answer);
                "apply_pull"
            }
            2 | 3 => {
                let known = m.calendar(calendar).await.unwrap().map_or(0, |c| c.dirty_generation);
                let seen_generation = known - i64::from(!self.often());
                let plan = Enqueue { seen_generation, ..self.plan(calendar) };
                let answer = both!(self, m, r, enqueue(&lease, &plan));
                self.learn(&lease, &answer);
                "enqueue"
            }
            4 | 5 => {
                let slice: Vec<Settlement> = (0..self.draw(6)).map(|_| self.settlement(calendar)).collect();
                let answer = both!(self, m, r, settle(&lease, &slice));
                self.learn(&lease, &answer);
                "settle"
            }
            _ => {
                let _ = both!(self, m, r, approve_hold(calendar, t(self.now)));
                "approve_hold"
            }
        }
    }

    pub(super) async fn figures(&mut self, m: &Arc<dyn Store>, r: &Arc<dyn Store>) -> &'static str {
        let kind = self.one_of(&["database_down", "cache_down"]);
        match self.draw(6) {
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
                };
                let _ = both!(self, m, r, open_alert(&alert));
                "open_alert"
            }
            2 => {
                let _ = both!(self, m, r, resolve_alert(kind, "", t(self.now)));
                "resolve_alert"
            }
            3 => {
                let telling = Telling {
                    thread: id(7),
                    open: self.often(),
                    level: AlertLevel::Error,
                    loudest: AlertLevel::Error,
                    count: self.draw(9),
                    subject: String::new(),
                    message: "words".to_owned(),
                    first_seen: t(1),
                    told_at: t(self.now),
                    over_since: None,
                    swings: 0,
                };
                let version = i64::try_from(self.draw(3)).unwrap();
                let told = Told { kind: kind.to_owned(), version, telling };
                let _ = both!(self, m, r, tell(&told, &[]));
                "tell"
            }
            4 => {
                let value = json!(self.draw(3));
                let _ = if self.often() {
                    both!(self, m, r, init_setting("name", &value)).map(drop)
                } else {
                    both!(self, m, r, put_setting("name", &value))
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
                let _ = both!(self, m, r, add_call_stats(std::slice::from_ref(&stat)));
                "add_call_stats"
            }
        }
    }
}

fn account_credentials(version: i64) -> calsync_core::ports::SealedCredentials {
    calsync_core::ports::SealedCredentials { sealed: vec![1, 2, 3], version }
}
