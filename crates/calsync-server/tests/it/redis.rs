//! Redis, where configured: instances share one limit, and whatever becomes of Redis, the service goes on by itself,
//! quickly, and says so without a word about the password.

use std::time::{Duration, Instant};

use calsync_testbed::redis::Redis;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::channels::{Channel, Delivery, numbers, seed};
use crate::place::{PATIENCE, Place, Serving, until};
use crate::web::{Answer, client, get};

/// A password that must never be seen.
const PASSWORD: &str = "hunter2-redis";
/// What no request may take longer than, whatever Redis does.
const QUICK: Duration = Duration::from_secs(1);

/// A place whose service shares through this Redis, and lets `max` failures through in ten minutes.
fn place(url: &str, max: u32) -> Place {
    let mut place = Place::new();
    place.set("REDIS__URL", url);
    place.set("RATE_LIMIT__MAX_REQUESTS", max);
    place.set("RATE_LIMIT__WINDOW_SECONDS", 600);
    place
}

fn wrong(channel: &Channel) -> Delivery {
    channel.delivery(7).with("X-Goog-Channel-Token", Some("wrong"))
}

/// The statuses of so many failures.
async fn fail(place: &Place, channel: &Channel, times: usize) -> Vec<u16> {
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
async fn cache_is(place: &Place, level: &str) -> Answer {
    until(&format!("the cache is {level}"), PATIENCE, async || {
        let answer = health(place).await;
        (answer.json()["checks"]["cache"] == level).then_some(answer)
    })
    .await
}

/// Waits until the log says it.
async fn logged(serving: &Serving, words: &str) {
    let look = async || serving.log().contains(words).then_some(());
    until(&format!("the log says {words:?}: {}", serving.log()), PATIENCE, look).await;
}

fn times(log: &str, words: &str) -> usize {
    log.matches(words).count()
}

const GONE: &str = "Redis is gone";
const BACK: &str = "Redis is back";

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
    let key = "calendar_sync:rate_limit:10169491:";
    assert_eq!(redis.cli(&["KEYS", &format!("{key}*")]).lines().count(), 1, "both are one client");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_the_limit_goes_on_here_and_it_comes_back_by_itself() {
    let mut redis = Redis::start();
    let place = place(&redis.url(), 10);
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
    // It came back empty: from there on it is the one that counts.
    assert_eq!(fail(&place, &channel, 11).await, [[403; 10].as_slice(), &[429]].concat());
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
    assert_eq!(fail(&place, &channel, 4).await, [403, 403, 403, 429]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_the_log_says_so_and_health_has_no_word_of_it() {
    let place = Place::new();
    let _ = seed(&place, 1).await;
    let serving = place.serve().await;
    logged(&serving, "redis.url is not set").await;
    assert!(health(&place).await.json()["checks"].get("cache").is_none());
}

/// Something on a port that answers each command with these bytes.
async fn answering(bytes: &'static [u8]) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut heard = [0; 4096];
                while let Ok(n @ 1..) = socket.read(&mut heard).await {
                    let commands = heard[..n].split(|b| *b == b'\n').filter(|line| line.starts_with(b"*"));
                    for _ in commands {
                        if socket.write_all(bytes).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_answers_there_the_service_goes_on_and_says_what_to_do() {
    let echo = b"-ERR unknown command `AUTH`, with args beginning with: `hunter2-redis`\r\n";
    let user = format!(":{PASSWORD}@");
    let cases: [(&'static [u8], &str, &str); 8] = [
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "", "what answers there is not Redis"),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", &user, "what answers there is not Redis"),
        (b"\x00\xff\xfe\r\n", "", "what answers there is not Redis"),
        (b"", &user, "it does not answer in time"),
        (echo, &user, "it does not take the user and password"),
        (b"+OK\r\n", &user, "what answers there is not Redis"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "", "it is reading its data from disk"),
        (b"*-7\r\n", "", "Redis is gone"),
    ];
    for (bytes, user, words) in cases {
        let place = place(&format!("redis://{user}{}", answering(bytes).await), 2);
        let channel = seed(&place, 1).await.remove(0);
        let serving = place.serve().await;
        assert_eq!(fail(&place, &channel, 3).await, [403, 403, 429], "{words}");
        logged(&serving, words).await;
        assert_eq!(cache_is(&place, "degraded").await.status, 200, "{words}");
        assert!(!serving.log().contains(PASSWORD), "{}", serving.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_are_asked_for_by_name_and_never_shown() {
    let redis = Redis::start_with(&["--requirepass", PASSWORD]);
    let at = redis.url();
    let with = |password: &str| at.replace("redis://", &format!("redis://:{password}@"));
    let cases =
        [(at.clone(), "it asks for a password"), (with("wrong-secret"), "it does not take the user"), {
            (with(PASSWORD), "shared through Redis")
        }];
    for (url, words) in cases {
        let mut place = place(&url, 2);
        place.set("LOG__LEVEL", "trace");
        let channel = seed(&place, 1).await.remove(0);
        let serving = place.serve().await;
        logged(&serving, words).await;
        assert_eq!(fail(&place, &channel, 1).await, [403]);
        let shown = place.run(&["config", "show"]).expect(0);
        let checked = place.run(&["config", "check"]).expect(0);
        for text in [serving.log(), shown.out, shown.err, checked.out, checked.err] {
            assert!(!text.contains(PASSWORD) && !text.contains("wrong-secret"), "{text}");
        }
    }
    let mut place = place(&format!("http://:{PASSWORD}@127.0.0.1"), 2);
    place.set("SYNC__WORKERS", 0);
    let refused = place.run(&["serve"]).expect(3).says(&["redis.url: give a URL", "sync.workers"]);
    assert!(!refused.err.contains(PASSWORD) && !refused.out.contains(PASSWORD), "{}", refused.err);
}
