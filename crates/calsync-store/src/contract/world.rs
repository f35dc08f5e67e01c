//! A small world for the suite: a user with an account and calendars, and short ways to make everything else.

use std::sync::Arc;

use calsync_core::block::{
    BlockBusy, BlockContent, Fingerprint, Marker, ObservedBlock, OccurrenceKey, Visibility,
};
use calsync_core::calendar::{Access, Account, AccountStatus, Calendar, ListedCalendar, ProviderKind, User};
use calsync_core::event::{Event, EventKind, Series, ShowAs, Status, When};
use calsync_core::hold::Hold;
use calsync_core::ids::{
    AccountId, CalendarId, CorrelationId, NotificationId, RuleId, RunId, SubscriptionId, UserId,
};
use calsync_core::ledger::{LedgerRow, LedgerState, Write, WriteOp};
use calsync_core::notification::{Served, Wants};
use calsync_core::ports::{
    ChannelOpened, ConnectAccount, Enqueue, Lease, Looked, NewNotification, NotificationsEnd, PullApply,
    RunEnd, SealedCredentials, Store,
};
use calsync_core::rule::{self, Rule, RuleOptions, RuleStep};
use calsync_core::run::{Run, RunCounts, RunKind, RunStatus};
use calsync_core::subscription::Subscription;
use calsync_core::time::{Span, Ts};
use serde_json::json;
use uuid::Uuid;

/// Seconds after a day in November 2026.
pub fn t(secs: i64) -> Ts {
    Ts::from_secs(1_795_000_000 + secs)
}

/// The id of this number, of any kind.
pub fn id(n: u64) -> Uuid {
    Uuid::from_u128(u128::from(n))
}

/// A user.
pub fn user(n: u64) -> User {
    User {
        id: UserId(id(n)),
        email: format!("person{n}@example.com"),
        is_staff: n.is_multiple_of(2),
        created_at: t(0),
    }
}

/// An account of a user, with credentials.
pub fn account(n: u64, of: u64) -> ConnectAccount {
    ConnectAccount {
        account: Account {
            id: AccountId(id(n)),
            user: UserId(id(of)),
            provider: ProviderKind::Google,
            remote_id: format!("remote-{n}"),
            email: format!("account{n}@example.org"),
            status: AccountStatus::Active,
            status_detail: None,
            created_at: t(1),
        },
        credentials: SealedCredentials { sealed: vec![0, 1, 2, 255], version: 1 },
    }
}

/// A calendar as its provider lists it.
pub fn listed(name: &str) -> ListedCalendar {
    ListedCalendar {
        remote_id: name.to_owned(),
        name: format!("Calendar {name}"),
        time_zone: "Europe/Vienna".to_owned(),
        colour: Some("#0066cc".to_owned()),
        access: Access::Owner,
        primary: false,
        push_unsupported: false,
    }
}

/// A subscription.
pub fn subscription(n: u64, calendar: CalendarId) -> Subscription {
    Subscription {
        webhook_url: "https://sync.example.com/webhooks/google/x/".to_owned(),
        resource_id: "resource".to_owned(),
        expires_at: t(7 * 86_400),
        renew_at: t(6 * 86_400),
        provider_metadata: json!({"kind": "api#channel"}),
        ..Subscription::provisional(
            SubscriptionId(id(n)),
            (calendar, ProviderKind::Google),
            format!("channel-{n}"),
            vec![7; 32],
            t(10),
        )
    }
}

/// What its provider says of a channel that it opened or prolonged at `now`.
pub fn opened<'a>(id: SubscriptionId, remote_id: &'a str, ends: i64, now: i64) -> ChannelOpened<'a> {
    let (expires_at, renew_at) = (t(ends), t(ends - 10));
    ChannelOpened { id, remote_id, resource: "resource", expires_at, renew_at, replaces: None, now: t(now) }
}

/// A delivery to a subscription, at a time.
pub fn delivery(n: u64, to: &Subscription, at: i64) -> NewNotification {
    NewNotification {
        id: NotificationId(id(n)),
        subscription: to.id,
        calendar: to.calendar,
        notification_id: n.to_string(),
        received_at: t(at),
        headers: json!({"x-goog-message-number": n.to_string()}),
        payload: json!(null),
        wants: Wants::Sync,
    }
}

/// A rule.
pub fn rule(n: u64, user: UserId, source: CalendarId, target: CalendarId) -> Rule {
    Rule { id: RuleId(id(n)), user, source, target, options: RuleOptions::default() }
}

/// The change from a user's rules to others, as somebody makes it who sees what is stored now.
pub async fn change_to(store: &dyn Store, user: UserId, rules: &[Rule]) -> RuleStep {
    let state = store.user_state(user).await.unwrap().unwrap();
    let before = (state.rules.as_slice(), state.calendars.as_slice(), &state.rule_defaults);
    rule::step(user, before, (rules, before.1, before.2))
}

/// An hour from a time on.
pub fn hour(at: i64) -> Span {
    Span::Timed { start: t(at), end: t(at + 3_600) }
}

/// An event.
pub fn event(name: &str, at: i64) -> Event {
    Event {
        id: name.into(),
        version: Some(format!("\"{at}\"")),
        updated: Some(t(at)),
        ical_uid: Some(format!("{name}@example.com")),
        when: Some(When::Timed { start: t(at), end: t(at + 3_600), zone: Some("Europe/Vienna".to_owned()) }),
        series: Series::Single,
        status: Status::Confirmed,
        show_as: ShowAs::Busy,
        response: None,
        kind: EventKind::Default,
        text: None,
    }
}

/// A block as it stands; its fingerprint uses the sign bit. Every other one has guests.
pub fn block(name: &str, at: i64) -> ObservedBlock {
    ObservedBlock {
        id: name.into(),
        version: Some(format!("v{at}")),
        updated: Some(t(at)),
        marker: Some(Marker("v1.marker.signature".to_owned())),
        fingerprint: Fingerprint(u64::MAX - at.unsigned_abs()),
        span: hour(at),
        has_guests: at % 2 == 0,
        ical_uid: (at % 3 == 0).then(|| format!("{name}-uid")),
        is_free: false,
    }
}

/// A ledger row that names a block.
pub fn ledger_row(n: u64, target: CalendarId, names: Option<&str>) -> LedgerRow {
    LedgerRow {
        correlation: CorrelationId(id(n)),
        rule: RuleId(id(n)),
        source: CalendarId(id(n)),
        occurrence: OccurrenceKey { event: "event".into(), original: None },
        target,
        block: names.map(Into::into),
        generation: 0,
        state: LedgerState::Creating,
        wrote: Fingerprint(u64::MAX),
        echo: None,
        span: hour(0),
        repairs: 0,
        written_at: None,
    }
}

/// A write that makes a block.
pub fn create(n: u64, target: CalendarId, name: Option<&str>) -> Write {
    let content = BlockContent {
        span: hour(0),
        title: "Busy".to_owned(),
        description: None,
        location: None,
        busy: BlockBusy::Busy,
        visibility: Visibility::Private,
        colour: None,
    };
    let op = WriteOp::Create {
        id: name.map(Into::into),
        generation: 0,
        content,
        marker: Marker("m".to_owned()),
        repairs: 0,
    };
    Write {
        correlation: CorrelationId(id(n)),
        target,
        op,
        attempts: 0,
        not_before: None,
        error: None,
        changed_at: None,
        cause: None,
    }
}

/// A write that removes a block.
pub fn delete(n: u64, target: CalendarId, name: &str) -> Write {
    let op = WriteOp::Delete { id: name.into(), version: None };
    Write {
        correlation: CorrelationId(id(n)),
        target,
        op,
        attempts: 0,
        not_before: None,
        error: None,
        changed_at: None,
        cause: None,
    }
}

/// A plan for one target, made before anything was asked of it: it answers no wish to plan.
pub fn plan(target: CalendarId, ledger: Vec<LedgerRow>, writes: Vec<Write>) -> Enqueue {
    Enqueue { target, seen_generation: 0, ledger, writes, hold: None, run: None, found: Vec::new() }
}

/// A hold.
pub fn hold(target: CalendarId) -> Hold {
    Hold {
        target,
        reason: "11 of 20 blocks would be removed at once (limit 10)".to_owned(),
        deletions: 11,
        digest: u64::MAX >> 1,
        since: t(5),
        last_agreed_at: t(5),
        agreed: 1,
        approved: false,
        undone: None,
    }
}

/// A listing that showed nothing.
pub fn pull(calendar: CalendarId, at: i64) -> PullApply {
    PullApply {
        calendar,
        events: Vec::new(),
        events_gone: Vec::new(),
        blocks: Vec::new(),
        blocks_gone: Vec::new(),
        shown: Vec::new(),
        cursor: None,
        full: None,
        cursor_losses: None,
        time_zone: None,
        targets: Vec::new(),
        at: t(at),
    }
}

/// A run that begins.
pub fn run(n: u64, calendar: CalendarId, kind: RunKind, at: i64) -> Run {
    Run {
        id: RunId(id(n)),
        calendar,
        kind,
        trigger: "notification".to_owned(),
        started_at: t(at),
        finished_at: None,
        status: RunStatus::Running,
        counts: RunCounts::default(),
    }
}

/// The end of a run that worked and had nothing to write.
pub fn succeeded(run: &Run, at: i64) -> RunEnd {
    end(run, at, RunStatus::Succeeded, NotificationsEnd::Completed(Served::default()))
}

/// The end of a run.
pub fn end(run: &Run, at: i64, status: RunStatus, notifications: NotificationsEnd) -> RunEnd {
    RunEnd {
        run: run.id,
        calendar: run.calendar,
        at: t(at),
        status,
        counts: RunCounts { events_seen: 3, blocks_created: 2, provider_calls: 1, ..RunCounts::default() },
        notifications,
        looked: Looked::Read,
        served_generation: None,
        delivery: None,
    }
}

/// A failed run's status.
pub fn failed() -> RunStatus {
    RunStatus::Failed { error: "the provider did not answer".to_owned() }
}

/// One user (1) with one account (2) and the calendars `a`, `b` and `c`, all taking part.
pub struct World {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The user.
    pub user: UserId,
    /// The account.
    pub account: AccountId,
    /// A calendar.
    pub a: CalendarId,
    /// Another.
    pub b: CalendarId,
    /// A third.
    pub c: CalendarId,
}

impl World {
    /// Builds it; nothing is due.
    pub async fn new(store: Arc<dyn Store>) -> World {
        let world = World {
            store,
            user: UserId(id(1)),
            account: AccountId(id(2)),
            a: CalendarId(id(0xa)),
            b: CalendarId(id(0xb)),
            c: CalendarId(id(0xc)),
        };
        let store = &world.store;
        store.add_user(&user(1)).await.unwrap();
        store.connect_account(&account(2, 1), t(1)).await.unwrap();
        let list = [(world.a, listed("a")), (world.b, listed("b")), (world.c, listed("c"))];
        store.update_calendar_list(world.account, &list).await.unwrap();
        world.enable(&[world.a, world.b, world.c]).await;
        world
    }

    /// Lets calendars take part, and makes them clean.
    pub async fn enable(&self, calendars: &[CalendarId]) {
        use calsync_core::ports::{CalendarChange, Switch};
        for calendar in calendars {
            self.store
                .change_calendar(*calendar, CalendarChange::SyncEnabled(Switch::On), t(2))
                .await
                .unwrap();
        }
        self.rest().await;
    }

    /// What their rules are.
    pub async fn rules(&self) -> Vec<Rule> {
        self.store.user_state(self.user).await.unwrap().unwrap().rules
    }

    /// Gives them other rules.
    pub async fn set_rules(&self, rules: &[Rule], at: Ts) {
        let step = change_to(self.store.as_ref(), self.user, rules).await;
        assert!(self.store.change_rules(&step, at).await.unwrap());
    }

    /// Gives them one more, or this one in the place of the one with its id.
    pub async fn put_rule(&self, rule: &Rule, at: Ts) {
        let mut rules = self.rules().await;
        rules.retain(|known| known.id != rule.id);
        rules.push(rule.clone());
        self.set_rules(&rules, at).await;
    }

    /// Takes one from them.
    pub async fn remove_rule(&self, rule: RuleId, at: Ts) {
        let mut rules = self.rules().await;
        rules.retain(|known| known.id != rule);
        self.set_rules(&rules, at).await;
    }

    /// Works everything off: nothing is due, nothing to be planned.
    pub async fn rest(&self) {
        let lease = self.lease(2).await;
        let state = self.store.user_state(self.user).await.unwrap().unwrap();
        for calendar in &state.calendars {
            let nothing = plan(calendar.id, Vec::new(), Vec::new());
            let nothing = Enqueue { seen_generation: calendar.dirty_generation, ..nothing };
            self.store.enqueue(&lease, &nothing).await.unwrap();
        }
        self.release(&lease).await;
    }

    /// Gives the lease back; nothing is due.
    pub async fn release(&self, lease: &Lease) {
        use calsync_core::ports::NextDue;
        let state = self.store.user_state(self.user).await.unwrap().unwrap();
        let next: Vec<NextDue> = state
            .calendars
            .iter()
            .map(|c| NextDue { calendar: c.id, seen_generation: c.dirty_generation, due_at: None })
            .collect();
        self.store.release(lease, &next).await.unwrap();
    }

    /// The lease on the user, for a minute.
    pub async fn lease(&self, at: i64) -> Lease {
        self.store.claim_user(self.user, "worker", t(at), t(at + 60)).await.unwrap().unwrap().lease
    }

    /// A calendar as it is now.
    pub async fn get(&self, calendar: CalendarId) -> Calendar {
        self.store.calendar(calendar).await.unwrap().unwrap()
    }

    /// An active subscription of a calendar.
    pub async fn watch(&self, n: u64, calendar: CalendarId) -> Subscription {
        let subscription = subscription(n, calendar);
        self.store.begin_subscription(&subscription, None).await.unwrap();
        subscription
    }

    /// A subscription as it is now.
    pub async fn subscription(&self, of: &Subscription) -> Subscription {
        let all = self.store.subscriptions(of.calendar).await.unwrap();
        all.into_iter().find(|s| s.id == of.id).unwrap()
    }
}
