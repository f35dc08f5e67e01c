//! What is open though it is over: nobody who could have ended it was there to see it.

use calsync_core::alert::{Alert, AlertKind};
use calsync_core::calendar::{AccountStatus, Leaving};
use calsync_core::ids::{AccountId, CalendarId};
use calsync_core::ports::{CalendarChange, Switch};
use jiff::SignedDuration;
use uuid::Uuid;

use super::super::block_on;
use super::super::cast::GOOGLE;
use super::super::scenarios::settled;
use super::super::world::World;

const OF_CALENDARS: [AlertKind; 7] = [
    AlertKind::DeletionsHeld,
    AlertKind::WritesRefused,
    AlertKind::PlanRefused,
    AlertKind::CalendarUnreadable,
    AlertKind::CursorLost,
    AlertKind::SubscriptionFailing,
    AlertKind::SubscriptionSuspended,
];

async fn open(world: &World, kind: AlertKind, subject: &str) {
    let alert = Alert::seen(kind, subject, "It broke.".to_owned(), String::new(), world.clock.now());
    world.store.open_alert(&alert).await.unwrap();
}

async fn open_kinds(world: &World) -> Vec<String> {
    let mut kinds: Vec<String> =
        world.store.open_alerts().await.unwrap().into_iter().map(|alert| alert.kind).collect();
    kinds.sort();
    kinds
}

async fn settle(world: &World, after: SignedDuration) {
    world.clock.advance(after);
    world.engine().maintain_subscriptions().await.unwrap();
}

/// A worker died between an alert and its reason; or it ended where no run could see it.
#[test]
fn what_has_no_reason_any_more_is_resolved() {
    block_on(async {
        let world = settled(GOOGLE, 92).await;
        let (well, gone) = (world.calendars_of(world.users[0]).await[0], CalendarId(Uuid::from_u128(7)));
        for subject in [well, gone] {
            for kind in OF_CALENDARS {
                open(&world, kind, &subject.to_string()).await;
            }
        }
        open(&world, AlertKind::AccountNeedsReconnect, &AccountId(Uuid::from_u128(8)).to_string()).await;
        settle(&world, SignedDuration::from_mins(4)).await;
        assert_eq!(open_kinds(&world).await.len(), 15, "their reasons may be on their way");
        settle(&world, SignedDuration::from_mins(1)).await;
        assert_eq!(open_kinds(&world).await, [] as [String; 0]);
    });
}

/// What still has its reason stays, until the calendar is disabled: nobody waits for it then.
#[test]
fn what_has_its_reason_stays_until_nobody_waits_for_it() {
    block_on(async {
        let world = settled(GOOGLE, 93).await;
        let user = world.users[0];
        let id = world.calendars_of(user).await[0];
        let account = world.store.user_state(user).await.unwrap().unwrap().accounts[0].id;
        // The account waits for its person, and so does every plan.
        world
            .store
            .set_account_status(account, AccountStatus::NeedsReconnect, Some("revoked"))
            .await
            .unwrap();
        let on = CalendarChange::SyncEnabled(Switch::On);
        world.store.change_calendar(id, on, world.clock.now()).await.unwrap();
        open(&world, AlertKind::AccountNeedsReconnect, &account.to_string()).await;
        open(&world, AlertKind::PlanRefused, &id.to_string()).await;
        settle(&world, SignedDuration::from_mins(6)).await;
        assert_eq!(open_kinds(&world).await, ["account_needs_reconnect", "plan_refused"]);
        let leave = CalendarChange::Leave(Leaving::Disabled);
        world.store.change_calendar(id, leave, world.clock.now()).await.unwrap();
        settle(&world, SignedDuration::from_mins(6)).await;
        assert_eq!(open_kinds(&world).await, ["account_needs_reconnect"]);
    });
}
