//! Invented people, calendars and channels for measurements.

use calsync_core::calendar::{Access, Account, AccountStatus, ListedCalendar, ProviderKind, User};
use calsync_core::ids::{AccountId, CalendarId, SubscriptionId, UserId};
use calsync_core::notification::token_hash;
use calsync_core::ports::{
    CalendarChange, ConnectAccount, IdGen, SealedCredentials, Store, StoreError, Switch,
};
use calsync_core::subscription::{Subscription, SubscriptionStatus};
use calsync_core::time::Ts;
use calsync_engine::Engine;
use calsync_sim::cloud::watch::Provider;
use calsync_sim::life::Somebody;
use jiff::SignedDuration;

use super::failed;
use super::load::Sender;
use crate::cli::exit::Failure;
use crate::system::SystemRandom;

/// One person with an account and all the calendars: receipt does not care whose they are.
pub(super) async fn one_with(
    calendars: u32,
    provider: ProviderKind,
    store: &dyn Store,
    now: Ts,
) -> Result<Vec<CalendarId>, StoreError> {
    let email = "ada@example.com".to_owned();
    let user =
        User { id: UserId(SystemRandom.uuid(now)), email: email.clone(), is_staff: false, created_at: now };
    store.add_user(&user).await?;
    let account = Account {
        id: AccountId(SystemRandom.uuid(now)),
        user: user.id,
        provider,
        remote_id: email.clone(),
        email,
        status: AccountStatus::Active,
        status_detail: None,
        created_at: now,
    };
    let credentials = SealedCredentials { sealed: vec![0], version: 1 };
    let account = store.connect_account(&ConnectAccount { account, credentials }, now).await?;
    let listed: Vec<(CalendarId, ListedCalendar)> =
        (0..calendars).map(|n| (CalendarId(SystemRandom.uuid(now)), listed(n))).collect();
    store.update_calendar_list(account, &listed).await?;
    Ok(listed.into_iter().map(|(id, _)| id).collect())
}

/// Puts a channel in use on a calendar that takes no part, so that nobody reads what it asks for.
pub(super) async fn put_in_use(store: &dyn Store, channel: &Subscription) -> Result<(), StoreError> {
    let status = SubscriptionStatus::Suspended;
    store.begin_subscription(&Subscription { status, ..channel.clone() }, None).await?;
    store.set_subscription_status(channel.id, SubscriptionStatus::Active, None).await
}

/// Somebody of a simulated cloud becomes a user: their accounts are connected, and all their calendars switched on.
pub(super) async fn join(
    somebody: &Somebody,
    (engine, store): (&Engine, &dyn Store),
    ids: &dyn IdGen,
    now: Ts,
) -> Result<(), Failure> {
    let email = somebody.email.to_string();
    let user = User { id: UserId(ids.uuid(now)), email, is_staff: false, created_at: now };
    store.add_user(&user).await?;
    for (provider, address) in &somebody.accounts {
        let account = Account {
            id: AccountId(ids.uuid(now)),
            user: user.id,
            provider: kind(*provider),
            remote_id: address.to_string(),
            email: address.to_string(),
            status: AccountStatus::Active,
            status_detail: None,
            created_at: now,
        };
        let credentials = SealedCredentials { sealed: vec![0], version: 1 };
        let account = store.connect_account(&ConnectAccount { account, credentials }, now).await?;
        engine.refresh_calendars(account, user.id).await.map_err(failed)?;
    }
    let state = store.user_state(user.id).await?;
    for calendar in state.map(|s| s.calendars).unwrap_or_default() {
        store.change_calendar(calendar.id, CalendarChange::SyncEnabled(Switch::On), now).await?;
    }
    Ok(())
}

/// The same in our words.
pub(super) const fn kind(provider: Provider) -> ProviderKind {
    match provider {
        Provider::Google => ProviderKind::Google,
        Provider::Microsoft => ProviderKind::Microsoft,
    }
}

/// A calendar as its provider lists it.
pub(super) fn listed(number: u32) -> ListedCalendar {
    ListedCalendar {
        remote_id: format!("calendar-{number}@group.calendar.google.com"),
        name: format!("Calendar {number}"),
        time_zone: "Europe/Vienna".to_owned(),
        colour: None,
        access: Access::Owner,
        primary: false,
        push_unsupported: false,
    }
}

/// An open channel of a calendar, and who delivers through it.
pub(super) fn channel(provider: ProviderKind, calendar: CalendarId, now: Ts) -> (Subscription, Sender) {
    let token = SystemRandom.token();
    let channel = SystemRandom.uuid(now).to_string();
    let resource = match provider {
        // There the channel itself stands for what is watched.
        ProviderKind::Microsoft => channel.clone(),
        ProviderKind::Google | ProviderKind::Apple => format!("resource-of-{calendar}"),
    };
    let sender = Sender { provider, calendar, channel, token: token.expose().to_owned(), resource };
    let subscription = Subscription {
        webhook_url: format!("https://sync.example.com/webhooks/{}/{calendar}/", provider.as_str()),
        resource_id: sender.resource.clone(),
        expires_at: now.plus(SignedDuration::from_hours(7 * 24)),
        renew_at: now.plus(SignedDuration::from_hours(6 * 24)),
        ..Subscription::provisional(
            SubscriptionId(SystemRandom.uuid(now)),
            (calendar, provider),
            sender.channel.clone(),
            token_hash(&token),
            now,
        )
    };
    (subscription, sender)
}
