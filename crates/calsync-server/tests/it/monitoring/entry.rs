//! Who is let in: staff with a session, programs with the token where they are to read JSON, and nobody else. While the database is
//! away, staff who were let in a moment ago may still look.

use super::{Browser, PAGES};
use crate::channels::seed;
use crate::place::{PATIENCE, Place, until};
use crate::watch::STAFF;
use crate::web::{client, read};

const JSON: [&str; 2] = ["/webhooks/monitoring/health/", "/webhooks/monitoring/dashboard/"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_see_it_people_do_not_and_strangers_sign_in_first() {
    let mut place = Place::new();
    place.set("MONITORING__TOKEN", STAFF);
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    seed(&place, 1).await;
    let staff = Browser::of(&place, "grace@example.com", true).await;
    let person = Browser::of(&place, "alan@example.com", false).await;
    let nobody = Browser::of_nobody(&place);
    let _serving = place.serve().await;
    let one = format!("/monitoring/notifications/{}", uuid::Uuid::nil());
    for page in PAGES.iter().copied().chain(["/monitoring/rollout/reach", one.as_str()]) {
        let expected = if page == one { 404 } else { 200 };
        assert_eq!(staff.get(page).await.status, expected, "{page}");
        assert_eq!(person.get(page).await.status, 403, "{page}");
        let stranger = nobody.get(page).await;
        assert_eq!(stranger.status, 303, "{page}");
        assert!(
            stranger.header("location").unwrap().starts_with("/sign-in?next=%2Fmonitoring"),
            "{stranger:?}"
        );
    }
    for deed in [
        "/monitoring/subscriptions/0199aaaa-0000-7000-8000-000000000000/suspend",
        "/monitoring/notifications/0199aaaa-0000-7000-8000-000000000000/replay",
        "/monitoring/alerts/silences",
        "/monitoring/rollout/preview",
        "/monitoring/rollout/apply",
    ] {
        let form = [("kind", ""), ("lasts", "1"), ("why", "x"), ("phase", "1")];
        assert_eq!(person.post(deed, &form).await.status, 403, "{deed}");
        assert_eq!(nobody.post(deed, &form).await.status, 401, "{deed}");
    }
    for route in JSON {
        assert!(staff.json(route).await.json().is_object(), "{route}");
        let person = person.json(route).await;
        assert_eq!((person.status, person.code().as_str()), (403, "not_staff"), "{route}");
        assert_eq!(nobody.json(route).await.status, 401, "{route}");
        let by_token = |token: &'static str| client().get(place.url(route)).bearer_auth(token).send();
        assert_eq!(read(by_token(STAFF).await.unwrap()).await.status, 200);
        assert_eq!(read(by_token("another").await.unwrap()).await.status, 401);
        // A wrong token is wrong, whoever shows it.
        let cookie = format!("session={}", staff.cookie.as_deref().unwrap());
        let both = client().get(place.url(route)).bearer_auth("another").header("cookie", cookie).send();
        assert_eq!(read(both.await.unwrap()).await.status, 401);
    }
    assert_eq!(staff.json("/metrics").await.status, 401, "that one is for programs alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_staff_see_what_can_be_seen() {
    let place = Place::new();
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    seed(&place, 1).await;
    let staff = Browser::of(&place, "grace@example.com", true).await;
    let person = Browser::of(&place, "alan@example.com", false).await;
    let _serving = place.serve().await;
    let before = staff.shows("/monitoring").await;
    assert!(before.contains("chart-success"), "{before}");
    assert_eq!(person.get("/monitoring").await.status, 403);
    for part in ["", "-wal", "-shm"] {
        std::fs::remove_file(place.path(&format!("calendar-sync.db{part}"))).unwrap();
    }
    let page = until("the page says so", PATIENCE, async || {
        let answer = staff.get("/monitoring").await;
        (answer.status == 200 && answer.body.contains("Critical")).then_some(answer.body)
    })
    .await;
    assert!(page.contains("does not answer") && page.contains("moved or removed"), "{page}");
    // What can still be read of it may be shown; what needs a good many rows is not asked for.
    assert!(!page.contains("chart-success"), "{page}");
    assert_eq!(staff.json(JSON[0]).await.json()["status"], "critical");
    assert!([403, 503].contains(&person.get("/monitoring").await.status), "nobody says that they are staff");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_pages_are_told_in_words_that_browsers_pass_on() {
    let place = Place::new();
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    seed(&place, 1).await;
    let staff = Browser::of(&place, "grace@example.com", true).await;
    let _serving = place.serve().await;
    let cookie = format!("session={}", staff.cookie.as_deref().unwrap());
    // It is told of nothing for a while; then it looks again all the same.
    let asked = client().get(place.url("/live")).header("cookie", cookie).timeout(PATIENCE);
    let mut live = asked.send().await.unwrap();
    let told = async {
        let mut text = String::new();
        while !text.contains("\n\n") || !text.contains("event: changed") {
            text.push_str(&String::from_utf8_lossy(&live.chunk().await.unwrap().unwrap()));
        }
        text
    };
    let text = tokio::time::timeout(PATIENCE, told).await.expect("it is told in time");
    assert!(text.contains("event: changed\ndata: "), "an event without data reaches nobody: {text:?}");
}
