//! A service with push channels in its database whose secrets the test knows, and deliveries to them as Google makes
//! them.

use std::collections::BTreeMap;

use calsync_core::calendar::{Access, Account, AccountStatus, ListedCalendar, ProviderKind, User};
use calsync_core::ids::{AccountId, CalendarId, SubscriptionId, UserId};
use calsync_core::notification::{Notification, ProcessingStatus, token_hash};
use calsync_core::ports::{
    CalendarChange, ChannelOpened, Clock, ConnectAccount, IdGen, SealedCredentials, Store, StoreError, Switch,
};
use calsync_core::secret::Secret;
use calsync_core::subscription::Subscription;
use calsync_core::time::Ts;
use calsync_server::system::{SystemClock, SystemRandom};
use calsync_store::SqlStore;
use jiff::SignedDuration;

use crate::place::Place;
use crate::web::{self, Answer};

/// The provider's name of the first calendar: nothing that belongs into a URL of ours.
pub(crate) const REMOTE: &str = "ada@example.com";
/// What a channel's secret looks like.
pub(crate) const TOKEN: &str = "Zb1gq0nW2kR7tYx4uVfS9dLhJc3mE8aP";

pub(crate) fn now() -> Ts {
    SystemClock.now()
}

/// A channel as its provider knows it.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) provider: ProviderKind,
    pub(crate) id: SubscriptionId,
    pub(crate) calendar: CalendarId,
    pub(crate) channel: String,
    pub(crate) resource: String,
}

/// Makes the database with one user and `count` calendars at Google, each with a channel.
pub(crate) async fn seed(place: &Place, count: usize) -> Vec<Channel> {
    seed_at(place, ProviderKind::Google, count).await
}

/// The same with calendars at this provider.
pub(crate) async fn seed_at(place: &Place, provider: ProviderKind, count: usize) -> Vec<Channel> {
    place.run(&["migrate"]).expect(0);
    let store = place.store().await;
    let user = UserId(SystemRandom.uuid(now()));
    let email = "ada@example.com".to_owned();
    store
        .add_user(&User { id: user, email: email.clone(), is_staff: false, created_at: now() })
        .await
        .unwrap();
    let account = Account {
        id: AccountId(SystemRandom.uuid(now())),
        user,
        provider,
        remote_id: "1234".to_owned(),
        email,
        status: AccountStatus::Active,
        status_detail: None,
        created_at: now(),
    };
    let credentials = SealedCredentials { sealed: b"sealed".to_vec(), version: 1 };
    let account = store.connect_account(&ConnectAccount { account, credentials }, now()).await.unwrap();
    let listed = |n: usize| ListedCalendar {
        remote_id: if n == 0 { REMOTE.to_owned() } else { format!("more-{n}@example.com") },
        name: format!("Calendar {n}"),
        time_zone: "UTC".to_owned(),
        colour: None,
        access: Access::Owner,
        primary: n == 0,
        push_unsupported: false,
    };
    let calendars: Vec<_> = (0..count).map(|n| (CalendarId(SystemRandom.uuid(now())), listed(n))).collect();
    store.update_calendar_list(account, &calendars).await.unwrap();
    let mut channels = Vec::new();
    for (calendar, _) in &calendars {
        let on = CalendarChange::SyncEnabled(Switch::On);
        store.change_calendar(*calendar, on, now()).await.unwrap();
        channels.push(open_at(&store, provider, *calendar, None).await.unwrap());
    }
    Store::close(&store).await;
    channels
}

/// Opens one more channel of Google's; the one it replaces is done with.
pub(crate) async fn open(
    store: &SqlStore,
    calendar: CalendarId,
    replaces: Option<SubscriptionId>,
) -> Result<Channel, StoreError> {
    open_at(store, ProviderKind::Google, calendar, replaces).await
}

/// The same at this provider.
pub(crate) async fn open_at(
    store: &SqlStore,
    provider: ProviderKind,
    calendar: CalendarId,
    replaces: Option<SubscriptionId>,
) -> Result<Channel, StoreError> {
    let row = Subscription {
        webhook_url: format!("https://sync.example.com/webhooks/{}/{calendar}/", provider.as_str()),
        ..Subscription::provisional(
            SubscriptionId(SystemRandom.uuid(now())),
            (calendar, provider),
            SystemRandom.uuid(now()).to_string(),
            token_hash(&Secret::new(TOKEN)),
            now(),
        )
    };
    // Graph has no name of its own for what is watched: there the subscription stands for it.
    let resource = match provider {
        ProviderKind::Microsoft => row.remote_id.clone(),
        _ => format!("resource-{calendar}"),
    };
    store.begin_subscription(&row, replaces).await?;
    confirm(store, row.id, (&row.remote_id, &resource), now().plus(SignedDuration::from_hours(24 * 7)))
        .await?;
    Ok(Channel { provider, id: row.id, calendar, channel: row.remote_id, resource })
}

/// Its provider says that it is open until then.
pub(crate) async fn confirm(
    store: &SqlStore,
    id: SubscriptionId,
    (remote_id, resource): (&str, &str),
    expires_at: Ts,
) -> Result<(), StoreError> {
    let renew_at = expires_at.minus(SignedDuration::from_hours(24));
    let opened = ChannelOpened { id, remote_id, resource, expires_at, renew_at, replaces: None, now: now() };
    store.confirm_subscription(&opened).await
}

/// A delivery, to be bent.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Channel {
    /// Where its notifications go.
    pub(crate) fn path(&self) -> String {
        format!("/webhooks/{}/{}/", self.provider.as_str(), self.calendar)
    }

    /// Google's delivery with this number.
    pub(crate) fn delivery(&self, number: u64) -> Delivery {
        let state = if number == 1 { "sync" } else { "exists" };
        let headers = [
            ("X-Goog-Channel-ID", self.channel.as_str()),
            ("X-Goog-Channel-Token", TOKEN),
            ("X-Goog-Message-Number", &number.to_string()),
            ("X-Goog-Resource-ID", &self.resource),
            ("X-Goog-Resource-State", state),
            (
                "X-Goog-Resource-URI",
                "https://www.googleapis.com/calendar/v3/calendars/ada%40example.com/events",
            ),
        ];
        let headers = headers.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        Delivery { path: self.path(), headers, body: Vec::new() }
    }
}

impl Delivery {
    /// With another value of a header, or without it.
    pub(crate) fn with(mut self, name: &str, value: Option<&str>) -> Delivery {
        self.headers.retain(|(n, _)| n != name);
        self.headers.extend(value.map(|v| (name.to_owned(), v.to_owned())));
        self
    }

    pub(crate) fn to(mut self, path: impl Into<String>) -> Delivery {
        self.path = path.into();
        self
    }

    pub(crate) fn body(mut self, length: usize) -> Delivery {
        self.body = vec![b'x'; length];
        self
    }

    /// Posts it.
    pub(crate) async fn post(&self, place: &Place) -> Answer {
        self.post_with(&web::client(), place).await.expect("an answer")
    }

    /// Posts it by this client; there may be no answer.
    pub(crate) async fn post_with(
        &self,
        client: &reqwest::Client,
        place: &Place,
    ) -> Result<Answer, reqwest::Error> {
        self.post_to(client, &place.url("")).await
    }

    /// The same to the service at this URL.
    pub(crate) async fn post_to(
        &self,
        client: &reqwest::Client,
        base: &str,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = client.post(format!("{base}{}", self.path)).body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        Ok(web::read(request.send().await?).await)
    }

    /// The head of the request as bytes, with these lines more, up to the empty line.
    pub(crate) fn head(&self, more: &str) -> Vec<u8> {
        let mut head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(more);
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// All notifications that are stored, whatever their state. A worker may be moving one from state to state meanwhile:
/// then it is looked again.
pub(crate) async fn stored(store: &SqlStore) -> Vec<Notification> {
    use ProcessingStatus::{Completed, Failed, Pending, Processing, Retrying};
    for _ in 0..100 {
        let mut all = BTreeMap::new();
        for status in [Pending, Processing, Completed, Failed, Retrying] {
            let some = store.notifications(status, u32::MAX).await.unwrap();
            all.extend(some.into_iter().map(|n| (n.id, n)));
        }
        if store.notification_metrics(Ts::MIN).await.unwrap().total == all.len() as u64 {
            return all.into_values().collect();
        }
    }
    panic!("the notifications never stood still")
}

/// The deliveries that are stored for a channel.
pub(crate) async fn stored_of(place: &Place, channel: &Channel) -> Vec<Notification> {
    let mut all = place.look(async |store| stored(store).await).await;
    all.retain(|n| n.subscription == channel.id);
    all
}

/// The ids of the deliveries that are stored for a channel of Google's, in order.
pub(crate) async fn numbers(place: &Place, channel: &Channel) -> Vec<u64> {
    let of_channel = stored_of(place, channel).await.into_iter();
    let mut numbers: Vec<u64> = of_channel.map(|n| n.notification_id.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}
