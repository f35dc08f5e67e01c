//! What the buttons do, with the simulated cloud behind them.

use calsync_core::ids::CalendarId;
use calsync_core::notification::ProcessingStatus;
use calsync_core::ports::Store;
use calsync_core::subscription::SubscriptionStatus;

use super::{Browser, notice};
use crate::place::{PATIENCE, until};
use crate::world::{SOON, World, hour};

/// What the audit log says of what people did.
async fn log(staff: &Browser) -> String {
    staff.shows("/monitoring/responses?show=all").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_are_renewed_suspended_and_revived_and_notifications_replayed() {
    let (mut world, main, work) = World::with_ada(91).await;
    world.place.make_public();
    let place = &world.place;
    let staff = Browser::of(place, "grace@example.com", true).await;
    let id = world.id_of(&main);
    let calendar: CalendarId = id.parse().unwrap();
    let _serving = place.serve().await;
    world.wait_for_channels(2).await;
    let newest = async || place.look(async |s| s.subscriptions(calendar).await.unwrap().remove(0)).await;
    let act = async |act: &str| {
        let page = staff
            .does(
                &format!("/monitoring/subscriptions/{id}/{act}"),
                &[("back", "/monitoring/subscriptions?person=ada%40example.com")],
            )
            .await;
        assert!(page.contains("value=\"ada@example.com\""), "the filter stays");
        notice(&page).to_owned()
    };
    let before = newest().await;
    assert_eq!(act("renew").await, "Its push channel was renewed.");
    assert_ne!(newest().await.id, before.id, "another one took its place");
    assert_eq!(act("suspend").await, "Its push channel was taken out of use.");
    assert_eq!(newest().await.status, SubscriptionStatus::Suspended);
    assert_eq!(act("suspend").await, "It has no push channel in use.");
    assert_eq!(act("renew").await, "It has no push channel in use.");
    assert_eq!(act("revive").await, "A push channel was opened.");
    assert_eq!(act("revive").await, "It has a push channel already.");
    assert_eq!(newest().await.status, SubscriptionStatus::Active);
    assert_eq!(staff.post(&format!("/monitoring/subscriptions/{id}/burn"), &[]).await.status, 404);
    let log_of = log(&staff).await;
    for line in ["renew that of calendar", "suspend that of calendar", "revive that of calendar"] {
        assert!(log_of.contains(line) && log_of.contains("grace@example.com"), "{line}: {log_of}");
    }

    world.make(&main, hour("Dentist", 30));
    world.wait_for_blocks(&work, 1, SOON).await;
    let served = until("a notification was served", PATIENCE, async || {
        let done =
            place.look(async |s| s.notifications(ProcessingStatus::Completed, 99).await.unwrap()).await;
        done.into_iter().find(|n| n.served.events_processed > 0)
    })
    .await;
    let path = format!("/monitoring/notifications/{}", served.id);
    assert!(staff.shows(&path).await.contains("Replay"));
    let writes = world.writes();
    let said = staff.does(&format!("{path}/replay"), &[]).await;
    assert_eq!(notice(&said), "It is pending again: its calendar is being read.");
    until("it was served once more", PATIENCE, async || {
        let seen = place.look(async |s| s.notification(served.id).await.unwrap().unwrap()).await.notification;
        (seen.status == ProcessingStatus::Completed && seen.run != served.run).then_some(())
    })
    .await;
    assert_eq!(world.writes(), writes, "nothing is written twice");
    assert!(log(&staff).await.contains(&format!("notifications: replayed {}", served.id)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rollout_is_changed_as_it_was_shown() {
    let (world, ..) = World::with_ada(92).await;
    let place = &world.place;
    let staff = Browser::of(place, "grace@example.com", true).await;
    let _serving = place.serve().await;
    let page = staff.shows("/monitoring/rollout").await;
    assert!(page.contains("Push is on") && page.contains("5: everybody"), "{page}");
    let reach = staff.shows("/monitoring/rollout/reach").await;
    assert!(reach.contains("2 of 2 (100 %)"), "{reach}");
    let preview = async |form: &[(&str, &str)]| {
        let answer = staff.post("/monitoring/rollout/preview", form).await;
        assert_eq!(answer.status, 200);
        answer.body
    };
    let shown = preview(&[("phase", "1")]).await;
    assert!(shown.contains("Phase 1 (off)") && shown.contains("Whoever is let out is polled"), "{shown}");
    assert!(shown.contains("0 of 2 (0 %)"), "{shown}");
    assert!(staff.shows("/monitoring/rollout").await.contains("Push is on"), "nothing was changed");
    let seen = |page: &str| {
        page.split("name=\"seen\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let first = seen(&shown);
    let said = staff.does("/monitoring/rollout/apply", &[("phase", "1"), ("seen", &first)]).await;
    assert!(notice(&said).starts_with("Changed: phase 1 (off)."), "{said}");
    assert!(said.contains("Push is off") && said.contains("grace@example.com"), "{said}");
    // What was shown then is not what it would do now.
    let late = staff.post("/monitoring/rollout/apply", &[("percentage", "20"), ("seen", &first)]).await;
    assert!(late.status == 200 && late.body.contains("Somebody has changed the flags meanwhile"), "{late:?}");
    assert!(staff.shows("/monitoring/rollout").await.contains("1: off"));
    assert!(preview(&[("phase", "1")]).await.contains("nothing would change"));
    let wrong = preview(&[("percentage", "101"), ("add", "ada")]).await;
    assert!(
        wrong.contains("Nothing was changed") && wrong.contains("101") && wrong.contains("ada"),
        "{wrong}"
    );
    assert!(preview(&[]).await.contains("fill in what is to be changed"));
}
