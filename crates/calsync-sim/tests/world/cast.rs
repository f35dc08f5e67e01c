//! Who lives in a world, and where: each account is at the provider where its owner is at home.

use std::sync::Arc;

use calsync_core::calendar::{Account, AccountStatus, ProviderKind, User};
use calsync_core::ids::{AccountId, UserId};
use calsync_core::ports::{CalendarChange, ConnectAccount, IdGen, SealedCredentials, Switch};
use calsync_sim::cloud::names::PersonId;
use calsync_sim::cloud::watch::Provider;
use calsync_sim::life::Homes;

use super::world::World;

/// Everybody's calendars are at Google.
pub(crate) const GOOGLE: Homes = Homes::One(Provider::Google);
/// Everybody's calendars are at Microsoft.
pub(crate) const MICROSOFT: Homes = Homes::One(Provider::Microsoft);
/// Everybody has calendars at both.
pub(crate) const MIXED: Homes = Homes::Both;

/// The provider of this side of the cloud, as the core names it.
pub(crate) fn kind(provider: Provider) -> ProviderKind {
    match provider {
        Provider::Google => ProviderKind::Google,
        Provider::Microsoft => ProviderKind::Microsoft,
    }
}

impl World {
    /// Connects everybody and switches all their calendars on.
    pub(crate) async fn settle_in(&mut self) {
        let now = self.clock.now();
        for person in self.life.people.clone() {
            let user = User {
                id: UserId(self.ids.uuid(now)),
                email: person.email.to_string(),
                is_staff: false,
                created_at: now,
            };
            self.store.add_user(&user).await.unwrap();
            for (provider, address) in &person.accounts {
                self.connect(user.id, address, kind(*provider)).await;
            }
            self.users.push(user.id);
        }
    }

    /// All calendars take part.
    pub(crate) async fn enable_all(&mut self) {
        let now = self.clock.now();
        for user in self.users.clone() {
            for calendar in self.calendars_of(user).await {
                let on = CalendarChange::SyncEnabled(Switch::On);
                self.store.change_calendar(calendar, on, now).await.unwrap();
            }
        }
        self.engine().maintain_subscriptions().await.unwrap();
    }

    async fn connect(&mut self, user: UserId, address: &PersonId, provider: ProviderKind) {
        let now = self.clock.now();
        let account = Account {
            id: AccountId(self.ids.uuid(now)),
            user,
            provider,
            remote_id: address.to_string(),
            email: address.to_string(),
            status: AccountStatus::Active,
            status_detail: None,
            created_at: now,
        };
        let credentials = SealedCredentials { sealed: vec![1], version: 1 };
        let store = Arc::clone(&self.store);
        let id = store.connect_account(&ConnectAccount { account, credentials }, now).await.unwrap();
        self.engine().refresh_calendars(id, user).await.unwrap();
    }
}
