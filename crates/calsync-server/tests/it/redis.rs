//! Redis, where configured: instances share one limit, and whatever becomes of Redis, the service goes on by itself,
//! quickly, and says so without a word about the password.

use std::sync::Arc;
use std::time::{Duration, Instant};

use calsync_core::ports::Store;
use calsync_server::config::{self, Sources};
use calsync_server::secrets::{Keyring, SealingKey, identity};
use calsync_server::service::Service;
use calsync_server::system::SystemRandom;
use calsync_testbed::redis::Redis;
use tokio_util::sync::CancellationToken;

use crate::channels::{Channel, Delivery, numbers, seed};
use crate::place::{PATIENCE, Place, Serving, until};
use crate::web::{Answer, client, get};

/// What no request may take longer than, whatever Redis does.
const QUICK: Duration = Duration::from_secs(1);

/// A place whose service shares through this Redis, and lets `max` failures through in ten minutes.
pub(crate) fn place(url: &str, max: u32) -> Place {
    let mut place = Place::new();
    place.set("REDIS__URL", url);
    place.set("RATE_LIMIT__MAX_REQUESTS", max);
    place.set("RATE_LIMIT__WINDOW_SECONDS", 600);
    place
}

pub(crate) fn wrong(channel: &Channel) -> Delivery {
    channel.delivery(7).with("X-Goog-Channel-Token", Some("wrong"))
}

/// The statuses of so many failures.
pub(crate) async fn fail(place: &Place, channel: &Channel, times: usize) -> Vec<u16> {
    let client = client();
    let mut statuses = Vec::new();
    for _ in 0..times {
        let began = Instant::now();
        statuses.push(wrong(channel).post_with(&client, place).await.unwrap().status);
        assert!(began.elapsed() < QUICK, "{:?}", began.elapsed());
    }
    statuses
}

async fn health(place: &Place) -> Answer {
    get(&place.url("/webhooks/health/")).await
}

/// Waits until health says so of the cache.
pub(crate) async fn cache_is(place: &Place, level: &str) -> Answer {
    until(&format!("the cache is {level}"), PATIENCE, async || {
        let answer = health(place).await;
        (answer.json()["checks"]["cache"] == level).then_some(answer)
    })
    .await
}

/// Waits until the log says it.
pub(crate) async fn logged(serving: &Serving, words: &str) {
    let began = Instant::now();
    while !serving.log().contains(words) {
        assert!(began.elapsed() < PATIENCE, "the log does not say {words:?}: {}", serving.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn times(log: &str, words: &str) -> usize {
    log.matches(words).count()
}

pub(crate) const GONE: &str = "Redis is gone";
pub(crate) const BACK: &str = "Redis is back";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_share_one_limit_and_never_refuse_who_authenticates() {
    let redis = Redis::start();
    let places = [place(&redis.url(), 20), place(&redis.url(), 20)];
    let mut channels = Vec::new();
    let mut serving = Vec::new();
    for place in &places {
        channels.push(seed(place, 1).await.remove(0));
        serving.push(place.serve().await);
        assert_eq!(cache_is(place, "healthy").await.status, 200);
    }
    for serving in &serving {
        logged(serving, "shared through Redis").await;
    }
    let both = tokio::join!(fail(&places[0], &channels[0], 40), fail(&places[1], &channels[1], 40));
    let all = [both.0, both.1].concat();
    assert_eq!(all.iter().filter(|status| **status == 403).count(), 20, "{all:?}");
    assert_eq!(all.iter().filter(|status| **status == 429).count(), 60, "{all:?}");
    for (place, channel) in places.iter().zip(&channels) {
        let refused = wrong(channel).post(place).await;
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((500..=620).contains(&wait) && refused.code() == "rate_limited", "{refused:?}");
        for number in 100..150 {
            assert_eq!(channel.delivery(number).post(place).await.status, 200);
        }
        assert_eq!(numbers(place, channel).await.len(), 50);
    }
    // Windows of other lengths are counted apart, and every key goes by itself.
    for key in redis.cli(&["KEYS", "*"]).lines() {
        assert!(key.starts_with("calendar_sync:"), "{key}");
        let left: i64 = redis.cli(&["PTTL", key]).parse().unwrap();
        assert!(left == -2 || (1..=620_000).contains(&left), "{key}: {left}");
    }
    let key = "calendar_sync:rate_limit:webhooks:10169491:";
    assert_eq!(redis.cli(&["KEYS", &format!("{key}*")]).lines().count(), 1, "both are one client");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_the_limit_goes_on_here_and_it_comes_back_by_itself() {
    let mut redis = Redis::start();
    let mut place = place(&redis.url(), 10);
    place.set("SERVER__TRUSTED_PROXIES", "127.0.0.0/8");
    let channel = seed(&place, 1).await.remove(0);
    let serving = place.serve().await;
    cache_is(&place, "healthy").await;
    assert_eq!(fail(&place, &channel, 6).await, [403; 6]);
    redis.kill();
    // What had passed through Redis is known here: six and four are ten.
    assert_eq!(fail(&place, &channel, 6).await, [403, 403, 403, 403, 429, 429]);
    let degraded = cache_is(&place, "degraded").await;
    assert_eq!((degraded.status, &degraded.json()["status"]), (200, &"degraded".into()));
    assert_eq!(channel.delivery(9).post(&place).await.status, 200);
    let _ = fail(&place, &channel, 100).await;
    redis.start_again();
    let healthy = cache_is(&place, "healthy").await;
    assert_eq!((healthy.status, &healthy.json()["status"]), (200, &"healthy".into()));
    logged(&serving, BACK).await;
    // It came back empty, and nobody starts afresh with it; others are counted there again.
    assert_eq!(fail(&place, &channel, 3).await, [429; 3]);
    let other = wrong(&channel).with("X-Forwarded-For", Some("203.0.113.9"));
    assert_eq!(other.post(&place).await.status, 403);
    let counted = redis.cli(&["KEYS", "calendar_sync:rate_limit:webhooks:10169491:*"]);
    assert_eq!(counted, "calendar_sync:rate_limit:webhooks:10169491:203.0.113.9");
    let log = serving.log();
    assert_eq!((times(&log, GONE), times(&log, BACK)), (1, 1), "one line each: {log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_makes_nobody_wait() {
    let redis = Redis::start();
    let place = place(&redis.url(), 1000);
    let channel = seed(&place, 1).await.remove(0);
    let serving = place.serve().await;
    cache_is(&place, "healthy").await;
    redis.pause();
    let began = Instant::now();
    let lanes: Vec<_> = (0..8).map(|_| fail(&place, &channel, 25)).collect();
    let all = futures_util::future::join_all(lanes).await.concat();
    assert_eq!(all, [403; 200], "each was quick, and all of them were counted here");
    assert!(began.elapsed() < 4 * QUICK, "only the first had to wait: {:?}", began.elapsed());
    assert_eq!(channel.delivery(9).post(&place).await.status, 200);
    assert_eq!(cache_is(&place, "degraded").await.status, 200);
    logged(&serving, "it does not answer in time").await;
    redis.resume();
    cache_is(&place, "healthy").await;
    logged(&serving, BACK).await;
    assert_eq!(times(&serving.log(), GONE), 1, "{}", serving.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn start_up_needs_no_redis() {
    let mut redis = Redis::start();
    redis.kill();
    let place = place(&redis.url(), 3);
    let channel = seed(&place, 1).await.remove(0);
    let serving = place.serve().await;
    logged(&serving, "nothing listens there: start Redis").await;
    assert_eq!(fail(&place, &channel, 4).await, [403, 403, 403, 429]);
    assert_eq!(cache_is(&place, "degraded").await.status, 200);
    redis.start_again();
    cache_is(&place, "healthy").await;
    assert_eq!(fail(&place, &channel, 4).await, [429; 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_the_log_says_so_and_health_has_no_word_of_it() {
    let place = Place::new();
    let _ = seed(&place, 1).await;
    let serving = place.serve().await;
    logged(&serving, "redis.url is not set").await;
    assert!(health(&place).await.json()["checks"].get("cache").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_there_does_not_hide_that_the_database_is_gone() {
    let redis = Redis::start();
    let place = place(&redis.url(), 3);
    let _ = seed(&place, 1).await;
    let values = [("REDIS_URL".to_owned(), redis.url())];
    let settings = config::load(&Sources::new(None, values)).unwrap().settings;
    let store: Arc<dyn Store> = Arc::new(place.store().await);
    let ring = Keyring::new(SealingKey::generate(&SystemRandom), vec![]);
    let identity = identity::load(store.as_ref(), &ring, &SystemRandom).await.unwrap();
    let _ = client();
    let service = Service::new(settings, store, identity, ring, Arc::new(|_| ())).unwrap();
    let listener = tokio::net::TcpListener::bind(place.address).await.unwrap();
    let stop = CancellationToken::new();
    let (running, told) = (service.clone(), stop.clone().cancelled_owned());
    let server = tokio::spawn(async move { running.run(listener, told).await });
    assert_eq!(cache_is(&place, "healthy").await.status, 200);
    service.store.close().await;
    let answer = until("health knows of it", PATIENCE, async || {
        Some(health(&place).await).filter(|answer| answer.status == 503)
    })
    .await;
    let checks = answer.json()["checks"].clone();
    assert_eq!((&checks["database"], &checks["cache"]), (&"critical".into(), &"healthy".into()), "{checks}");
    assert!(checks.get("processing").is_none(), "nobody can know: {checks}");
    stop.cancel();
    server.await.unwrap().unwrap();
}
