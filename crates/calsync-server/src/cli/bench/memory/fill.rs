//! Fills a database by way of the store's own port, as if everybody had been connected and read for a while: users with
//! four calendars each, events in the mirrors, open channels, nothing due.

use std::sync::Arc;

use calsync_core::calendar::{Account, AccountStatus, Cursor, ListedCalendar, ProviderKind, User};
use calsync_core::event::{Event, EventKind, Series, ShowAs, Status, When};
use calsync_core::ids::{AccountId, CalendarId, EventId, RunId, UserId};
use calsync_core::ports::{
    CalendarChange, Clock, ConnectAccount, FullListing, IdGen, Lease, ListFrom, ListRequest, Looked, NextDue,
    NextPage, NotificationsEnd, ProviderDirectory, PullApply, RunEnd, Store, StoreError, Switch,
};
use calsync_core::run::{Run, RunCounts, RunKind, RunStatus};
use calsync_core::secret::Secret;
use calsync_core::time::{Ts, Window};
use calsync_providers::credentials::Credentials;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::SignedDuration;
use tokio::sync::OnceCell;

use super::super::load::Sender;
use super::super::people;
use super::{MemoryArgs, failed};
use crate::cli::exit::Failure;
use crate::config::{self, Sources};
use crate::secrets::first_run::{self, Missing};
use crate::secrets::identity;
use crate::service::Service;
use crate::storage::{self, Migrate};
use crate::system::{SystemClock, SystemRandom};

/// Users filled in at once: a server takes several transactions at a time.
const AT_ONCE: usize = 8;
/// Calendars of one user.
const EACH: u32 = 4;
/// Nothing that was filled in is due before this.
const REST: SignedDuration = SignedDuration::from_hours(5);
/// Events are spread over so many days.
const DAYS: i64 = 60;

/// Fills it; whoever may deliver to it.
pub(super) async fn fill(settings: &[(String, String)], args: &MemoryArgs) -> Result<Vec<Sender>, Failure> {
    let settings = config::load(&Sources::new(None, settings.to_vec()))?.settings;
    let store = storage::open(&settings.database, Migrate::Run).await?;
    let keys = first_run::keyring(&settings, Missing::Create, &SystemRandom)?;
    let identity = identity::load(store.as_ref(), &keys.ring, &SystemRandom).await?;
    let service = Service::new(settings, store.clone(), identity, keys.ring, Arc::new(|_| ()))?;
    let events = events(args.events, SystemClock.now());
    let filling = Filling { service, store, events, cursor: OnceCell::new() };
    let users = stream::iter(0..args.calendars.div_ceil(EACH)).map(|number| filling.user(number));
    let senders: Vec<Vec<Sender>> = users.buffer_unordered(AT_ONCE).try_collect().await?;
    // A listing of everybody's calendars is not due either.
    filling.store.put_setting("calendars_listed_at", &serde_json::json!(SystemClock.now())).await?;
    filling.store.close().await;
    Ok(senders.into_iter().flatten().collect())
}

struct Filling {
    service: Arc<Service>,
    store: Arc<dyn Store>,
    events: Vec<Event>,
    /// Where reading goes on: as the adapter itself writes it down.
    cursor: OnceCell<Cursor>,
}

impl Filling {
    async fn user(&self, number: u32) -> Result<Vec<Sender>, Failure> {
        let now = SystemClock.now();
        let email = format!("user{number}@example.com");
        let user = User {
            id: UserId(SystemRandom.uuid(now)),
            email: email.clone(),
            is_staff: false,
            created_at: now,
        };
        self.store.add_user(&user).await?;
        let account = self.account(&user, now).await?;
        let listed: Vec<(CalendarId, ListedCalendar)> = (0..EACH)
            .map(|n| (CalendarId(SystemRandom.uuid(now)), people::listed(number * EACH + n)))
            .collect();
        self.store.update_calendar_list(account.id, &listed).await?;
        for (id, _) in &listed {
            self.store.change_calendar(*id, CalendarChange::SyncEnabled(Switch::On), now).await?;
        }
        let cursor =
            self.cursor.get_or_try_init(|| self.first_cursor(&account, &listed[0].1.remote_id)).await?;
        let claimed = self.store.claim_user(user.id, "bench", now, now.plus(REST)).await?;
        let lease = claimed.ok_or_else(|| failed("somebody else uses the database"))?.lease;
        let mut senders = Vec::new();
        for (id, _) in &listed {
            let (subscription, sender) = people::channel(ProviderKind::Google, *id, now);
            self.store.begin_subscription(&subscription, None).await?;
            senders.push(sender);
            self.read(&lease, *id, cursor, now).await?;
        }
        let state = self.store.user_state(user.id).await?;
        let rest = state.map(|s| s.calendars).unwrap_or_default().into_iter().map(|calendar| NextDue {
            calendar: calendar.id,
            seen_generation: calendar.dirty_generation,
            due_at: Some(now.plus(REST)),
        });
        self.store.release(&lease, &rest.collect::<Vec<_>>()).await?;
        Ok(senders)
    }

    async fn account(&self, user: &User, now: Ts) -> Result<Account, StoreError> {
        let account = Account {
            id: AccountId(SystemRandom.uuid(now)),
            user: user.id,
            provider: ProviderKind::Google,
            remote_id: user.email.clone(),
            email: user.email.clone(),
            status: AccountStatus::Active,
            status_detail: None,
            created_at: now,
        };
        let credentials = Credentials {
            refresh_token: Secret::new("r".repeat(100)),
            scope: "https://www.googleapis.com/auth/calendar".to_owned(),
            obtained_at: now,
            expires_at: None,
        };
        let credentials = self.service.directory.seal(account.id, &credentials, 1);
        self.store.connect_account(&ConnectAccount { account: account.clone(), credentials }, now).await?;
        Ok(account)
    }

    async fn first_cursor(&self, account: &Account, calendar: &str) -> Result<Cursor, Failure> {
        let session = self.service.directory.open(account).await?;
        let request = ListRequest { calendar, from: ListFrom::Start(Window::ALL), page: None };
        match session.list_changes(request).await?.next {
            NextPage::Done(Some(cursor)) => Ok(cursor),
            _ => Err(failed("the stand-in for the provider gives no cursor")),
        }
    }

    /// As a run that read the whole calendar would leave it.
    async fn read(
        &self,
        lease: &Lease,
        calendar: CalendarId,
        cursor: &Cursor,
        now: Ts,
    ) -> Result<(), StoreError> {
        let run = Run {
            id: RunId(SystemRandom.uuid(now)),
            calendar,
            kind: RunKind::Full,
            trigger: "first reading".to_owned(),
            started_at: now,
            finished_at: None,
            status: RunStatus::Running,
            counts: RunCounts::default(),
        };
        let begun = self.store.begin_run(lease, &run).await?;
        let pull = PullApply {
            calendar,
            events: self.events.clone(),
            events_gone: Vec::new(),
            blocks: Vec::new(),
            blocks_gone: Vec::new(),
            shown: Vec::new(),
            cursor: Some(cursor.clone()),
            full: Some(FullListing { began_at: now }),
            cursor_losses: None,
            time_zone: None,
            targets: Vec::new(),
            at: now,
        };
        self.store.apply_pull(lease, &pull).await?;
        let end = RunEnd {
            run: run.id,
            calendar,
            at: now,
            status: RunStatus::Succeeded,
            counts: RunCounts::default(),
            notifications: NotificationsEnd::Completed(calsync_core::notification::Served::default()),
            looked: Looked::Read,
            served_generation: Some(begun.seen_generation),
            delivery: None,
        };
        self.store.end_run(lease, &end).await
    }
}

/// Shown as free: they make no blocks, so that nothing has to be written anywhere.
fn events(count: u32, now: Ts) -> Vec<Event> {
    let from = now.floor_day();
    let event = |number: u32| {
        let start = from.plus(SignedDuration::from_mins(i64::from(number) * 7_919 % (DAYS * 24 * 60)));
        Event {
            id: EventId(format!("event{number:020}")),
            version: Some("\"3374981273312000\"".to_owned()),
            updated: Some(now),
            ical_uid: Some(format!("event{number:020}@google.com")),
            when: Some(When::Timed {
                start,
                end: start.plus(SignedDuration::from_mins(45)),
                zone: Some("Europe/Vienna".to_owned()),
            }),
            series: Series::Single,
            status: Status::Confirmed,
            show_as: ShowAs::Free,
            response: None,
            kind: EventKind::Default,
            text: None,
        }
    };
    (0..count).map(event).collect()
}
