//! What each page shows, and what its filters leave.

use calsync_core::alert::{Alert, AlertKind};
use calsync_core::calendar::ProviderKind;
use calsync_core::ports::{HealthHour, IdGen, Store};
use calsync_core::run::CallStats;
use calsync_core::time::Ts;
use calsync_server::system::SystemRandom;
use jiff::SignedDuration;

use super::{Browser, notice};
use crate::channels::{Channel, now, seed};
use crate::place::{PATIENCE, Place, until};
use crate::watch::calm;

/// A name that is markup, unless somebody sees to it.
const EVIL: &str = "<script>alert(1)</script>";

async fn place_with(count: usize) -> (Place, Vec<Channel>, Browser) {
    let place = Place::new();
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    let channels = calm(&place, count).await;
    let staff = Browser::of(&place, "grace@example.com", true).await;
    (place, channels, staff)
}

/// No markup but ours, no style of its own, no script inline.
#[track_caller]
fn is_clean(page: &str) {
    assert!(!page.contains(EVIL), "{page}");
    assert!(!page.contains("style=") && !page.contains("<script>") && !page.contains("onclick"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_page_shows_figures_charts_and_what_is_open() {
    let (place, _, staff) = place_with(3).await;
    let hour = Ts::from_micros(now().micros() - now().micros().rem_euclid(3_600_000_000));
    let stats = CallStats {
        provider: ProviderKind::Google,
        minute: now(),
        calls: 40,
        errors: [("transient".to_owned(), 3)].into(),
        latency_sum_us: 40 * 25_000,
        latency_max_us: 50_000,
        quota_used: 40,
    };
    let alert = Alert::seen(
        AlertKind::WritesRefused,
        "x",
        format!("{EVIL} takes no blocks."),
        "Look.".to_owned(),
        now(),
    );
    place
        .look(async |store| {
            store.put_health_hour(&HealthHour { hour, active: 3, healthy: 3, worst: 0 }).await.unwrap();
            store.add_call_stats(&[stats]).await.unwrap();
            store.open_alert(&alert).await.unwrap();
        })
        .await;
    let _serving = place.serve().await;
    for (range, points) in [("24h", 144), ("7d", 168), ("30d", 120), ("nonsense", 144)] {
        let page = staff.shows(&format!("/monitoring?range={range}")).await;
        is_clean(&page);
        for part in [
            "It came into force",
            "writes_refused",
            "&#60;script&#62;",
            "Google",
            "25 ms",
            "of 3 that should be active",
            "Database",
        ] {
            assert!(page.contains(part), "{part} is missing in {page}");
        }
        for chart in ["success", "took", "received", "active"] {
            assert!(page.contains(&format!("id=\"chart-{chart}\"")), "{chart}");
        }
        let rows = page.split("id=\"rows-received\"").nth(1).unwrap().split("</tbody>").next().unwrap();
        assert_eq!(rows.matches("<tr>").count(), points, "{range}");
        assert!(page.contains("<title id=\"t-received\">") && page.contains("<desc id=\"d-received\">"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_are_filtered_and_leafed_through() {
    let (place, channels, staff) = place_with(60).await;
    let id = |n: usize| channels[n].id.to_string().replace('-', "");
    place.sql(&format!(
        "UPDATE webhook_subscriptions SET failure_count = 7 WHERE hex(id) = upper('{}')",
        id(3)
    ));
    place.sql(&format!(
        "UPDATE webhook_subscriptions SET status = 'suspended' WHERE hex(id) = upper('{}')",
        id(4)
    ));
    let soon = now().plus(SignedDuration::from_hours(3)).micros();
    place.sql(&format!(
        "UPDATE webhook_subscriptions SET expires_at = {soon} WHERE hex(id) = upper('{}')",
        id(5)
    ));
    let long_ago = now().minus(SignedDuration::from_hours(50)).micros();
    place.sql(&format!("UPDATE webhook_subscriptions SET created_at = {long_ago}, last_notification_at = NULL, verified_at = NULL WHERE hex(id) = upper('{}')", id(6)));
    place.sql(&format!("UPDATE calendars SET name = '{EVIL}'"));
    let _serving = place.serve().await;
    let count = async |query: &str| {
        let page = staff.shows(&format!("/monitoring/subscriptions{query}")).await;
        is_clean(&page);
        (page.matches("data-label=\"Ends\"").count(), page)
    };
    let (first, page) = count("").await;
    assert_eq!(first, 50);
    assert!(page.contains("&#60;script&#62;alert(1)"));
    let next = page
        .split("rel=\"next\"")
        .next()
        .unwrap()
        .rsplit("href=\"")
        .next()
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let next = next.replace("&#38;", "&");
    let (second, page) = count(next.strip_prefix("/monitoring/subscriptions").unwrap()).await;
    assert_eq!(second, 10);
    assert!(page.contains("To the first page") && !page.contains("rel=\"next\""));
    for (query, expected) in [
        ("?show=failing", 1),
        ("?show=suspended", 1),
        ("?show=ending", 1),
        ("?show=silent", 1),
        ("?show=expired", 0),
        ("?show=failed", 0),
        ("?show=failing&provider=google", 1),
        ("?show=failing&provider=microsoft", 0),
        ("?provider=microsoft", 0),
        ("?person=Ada%40example.com", 50),
        ("?person=ada%40example.com&show=suspended", 1),
        ("?person=nobody%40example.com", 0),
        ("?after=nonsense&show=failing", 1),
    ] {
        assert_eq!(count(query).await.0, expected, "{query}");
    }
    let (_, page) = count("?person=nobody%40example.com").await;
    assert!(page.contains("Nobody has the address nobody@example.com here."), "{page}");
    let (_, page) = count("?show=suspended").await;
    assert!(page.contains("/revive") && !page.contains("/suspend\""), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_are_filtered_looked_into_and_keep_their_secrets() {
    let (place, channels, staff) = place_with(2).await;
    let _serving = place.serve().await;
    for (channel, number) in [(0, 2), (0, 3), (1, 2)] {
        assert_eq!(channels[channel].delivery(number).post(&place).await.status, 200);
    }
    let list = async |query: &str| staff.shows(&format!("/monitoring/notifications{query}")).await;
    let count = async |query: &str| list(query).await.matches("id=\"look-").count();
    assert_eq!(count("").await, 3);
    let (first, second) = (channels[0].calendar, channels[1].calendar);
    for (query, expected) in [
        (format!("?calendar={first}"), 2),
        (format!("?calendar={second}&provider=google"), 1),
        ("?provider=microsoft".to_owned(), 0),
        ("?status=completed&from=2020-01-01T00:00&to=2020-01-02T00:00".to_owned(), 0),
        ("?from=2020-01-01T00:00".to_owned(), 3),
        ("?to=2020-01-01T00:00".to_owned(), 0),
    ] {
        assert_eq!(count(&query).await, expected, "{query}");
    }
    for wrong in ["?calendar=nonsense", "?from=yesterday"] {
        let page = list(wrong).await;
        assert!(page.contains("role=\"alert\""), "{page}");
    }
    // Nobody's account can be used here: each is tried, and what came of it is told.
    let page = until("one was tried", PATIENCE, async || {
        let page = list(&format!("?calendar={first}")).await;
        (!page.contains(">pending<")).then_some(page)
    })
    .await;
    let id = page.split("id=\"look-").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let inside = staff.shows(&format!("/monitoring/notifications/{id}")).await;
    is_clean(&inside);
    for part in ["Received", "Headers that were kept", "ada@example.com", "Calendar 0"] {
        assert!(inside.contains(part), "{part} is missing in {inside}");
    }
    assert!(!inside.contains(crate::channels::TOKEN));
    assert_eq!(staff.get("/monitoring/notifications/nonsense").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_are_silenced_and_heard_again() {
    let (place, _, staff) = place_with(1).await;
    let alert = Alert::seen(AlertKind::PlanRefused, EVIL, EVIL.to_owned(), "Report it.".to_owned(), now());
    place.look(async |store| store.open_alert(&alert).await.unwrap()).await;
    let _serving = place.serve().await;
    let page = staff.shows("/monitoring/alerts").await;
    is_clean(&page);
    assert!(page.contains("plan_refused") && page.contains("Nothing is silenced"));
    let said = staff
        .does("/monitoring/alerts/silences", &[("kind", "plan_refused"), ("lasts", "4"), ("why", "known")])
        .await;
    assert!(notice(&said).starts_with("Nobody hears of plan_refused until"), "{said}");
    assert!(said.contains("grace@example.com") && said.contains("known"));
    let end = said.split("/monitoring/alerts/silences/").find(|rest| rest.contains("/end\"")).unwrap();
    let end = format!("/monitoring/alerts/silences/{}/end", end.split('/').next().unwrap());
    assert_eq!(notice(&staff.does(&end, &[]).await), "The silence is over.");
    assert_eq!(notice(&staff.does(&end, &[]).await), "It was over already.");
    let no = staff.does("/monitoring/alerts/silences", &[("kind", ""), ("lasts", "4"), ("why", " ")]).await;
    assert!(notice(&no).starts_with("Say why"));
    for (kind, lasts) in [("nonsense", "4"), ("", "9999")] {
        let answer = staff
            .post("/monitoring/alerts/silences", &[("kind", kind), ("lasts", lasts), ("why", "x")])
            .await;
        assert_eq!(answer.status, 400);
    }
    let log = staff.shows("/monitoring/responses?show=all").await;
    assert!(log.contains("alerts: silence of plan_refused until") && log.contains("ended"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_and_freshness_are_told() {
    let place = Place::new();
    place.run(&["secrets", "generate", "--out", "calendar-sync.key"]).expect(0);
    seed(&place, 2).await;
    let staff = Browser::of(&place, "grace@example.com", true).await;
    place
        .look(async |store| {
            for n in 0..101 {
                store.audit("calendar-sync", &format!("level: {EVIL} number {n}"), now()).await.unwrap();
            }
            store.audit("ada@example.com", "did something by hand", now()).await.unwrap();
        })
        .await;
    let rule = SystemRandom.uuid(now()).simple().to_string();
    let (ago, later) = (now().minus(SignedDuration::from_hours(1)).micros(), now().micros());
    place.sql(&format!(
        "INSERT INTO rule_freshness (rule_id, user_id, source, target, standing, since, right_at, promised_until) \
         SELECT x'{rule}', a.user_id, a.id, b.id, 'waiting', {later}, {ago}, {ago} FROM calendars a, calendars b \
         WHERE a.name = 'Calendar 0' AND b.name = 'Calendar 1'"
    ));
    // Whoever works would look at the rules, and find out how they stand.
    let mut serving = place.start(place.command(&["serve", "--role", "web"]));
    serving.answers(&place).await;
    let page = staff.shows("/monitoring/responses").await;
    is_clean(&page);
    assert_eq!(page.matches("data-label=\"Who\"").count(), 100);
    assert!(page.contains("rel=\"next\"") && !page.contains("did something by hand"), "{page}");
    assert!(staff.shows("/monitoring/responses?show=all").await.contains("did something by hand"));
    let page = staff.shows("/monitoring/freshness").await;
    is_clean(&page);
    assert!(page.contains("One rule is behind its promise."), "{page}");
    assert!(
        page.contains("Calendar 0") && page.contains("Calendar 1") && page.contains(">behind<"),
        "{page}"
    );
    assert!(staff.shows("/monitoring/freshness?show=still").await.contains("There are none."));
}
