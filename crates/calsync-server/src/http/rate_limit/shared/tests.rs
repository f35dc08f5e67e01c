//! The script beside the limiter in memory, in a real Redis: told the same times, they decide alike.

use ::redis::aio::MultiplexedConnection;
use calsync_core::time::Ts;
use calsync_testbed::redis::Redis;

use super::super::RateLimiter;
use super::*;

/// In place of `CLOCK`: the time that the test says.
const TOLD: &str = "local now = tonumber(ARGV[5])\n";
/// Some instant of 2026, in microseconds.
const BEGIN: i64 = 1_795_000_000_000_000;

async fn connect(redis: &Redis) -> MultiplexedConnection {
    let client = ::redis::Client::open(redis.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// A client of the limiter in Redis, at a time of the test's.
async fn failed(line: &mut MultiplexedConnection, who: &str, max: u32, seconds: i64, now: i64) -> Verdict {
    let mut command = step(TOLD, who, (max, slot_micros(SignedDuration::from_secs(seconds))), Then::Count);
    match command.arg(now).query_async::<u64>(line).await.unwrap() {
        0 => Verdict::Pass,
        wait => Verdict::Refuse { retry_after: whole_seconds(wait) },
    }
}

/// Steps between requests, about `burst` of them close together: bursts, gaps, edges of slots and whole windows, and a clock that goes back a little.
fn steps(seed: u64, count: usize, burst: usize, seconds: i64) -> Vec<i64> {
    let slot = slot_micros(SignedDuration::from_secs(seconds));
    let kinds = [0, 1, slot - 1, slot, slot + 1, 7 * slot, seconds * 1_000_000, 59 * slot, 60 * slot, -slot];
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap()
    };
    (0..count)
        .map(|_| if next() % burst > 0 { kinds[next() % 2] } else { kinds[next() % kinds.len()] })
        .collect()
}

#[tokio::test]
async fn redis_decides_as_the_limiter_in_memory_does() {
    let redis = Redis::start();
    let mut line = connect(&redis).await;
    for (seed, max, seconds) in [(1, 1, 1), (2, 3, 2), (3, 10, 60), (4, 100, 60), (5, 7, 86_400), (6, 2, 59)]
    {
        let mut memory = RateLimiter::new(max, SignedDuration::from_secs(seconds));
        let (who, mut now, mut latest) = (format!("client-{seed}"), BEGIN, BEGIN);
        let (mut passed, mut refused) = (Vec::new(), 0);
        for (n, step) in steps(seed, 1200, max as usize / 2 + 2, seconds).into_iter().enumerate() {
            now += step;
            // The one in memory also remembers the time of a request that it refused.
            latest = latest.max(now);
            let asked = if refused > 0 { latest } else { now };
            let client = std::net::IpAddr::from([192, 0, 2, 1]);
            let expected = memory.failed(client, Ts::from_micros(asked));
            let verdict = failed(&mut line, &who, max, seconds, asked).await;
            assert_eq!(verdict, expected, "request {n} of {max} in {seconds} s");
            if verdict == Verdict::Pass { passed.push(asked) } else { refused += 1 }
        }
        assert!(passed.len() > 20 && refused > 20, "{max} in {seconds}: {} and {refused}", passed.len());
        for (i, first) in passed.iter().enumerate() {
            let within =
                passed[i..].iter().filter(|t| (0..seconds * 1_000_000).contains(&(**t - first))).count();
            assert!(within <= max as usize, "{within} of {max} in {seconds} s");
        }
    }
}

#[tokio::test]
async fn who_waits_as_told_is_heard_again() {
    let redis = Redis::start();
    let mut line = connect(&redis).await;
    let mut now = BEGIN;
    for _ in 0..100 {
        match failed(&mut line, "client", 3, 10, now).await {
            Verdict::Pass => now += 370_000,
            Verdict::Refuse { retry_after } => {
                now += i64::try_from(retry_after).unwrap() * 1_000_000;
                assert_eq!(failed(&mut line, "client", 3, 10, now).await, Verdict::Pass);
            }
        }
    }
}

#[tokio::test]
async fn what_is_kept_is_small_and_expires_with_the_window() {
    let redis = Redis::start();
    let mut line = connect(&redis).await;
    for second in 0..300 {
        let _ = failed(&mut line, "client", 1_000_000, 60, BEGIN + second * 1_000_000).await;
    }
    let keys = redis.cli(&["KEYS", "*"]);
    assert_eq!(keys, "calendar_sync:rate_limit:client");
    let slots: usize = redis.cli(&["HLEN", &keys]).parse().unwrap();
    assert!(slots <= SLOTS, "{slots}");
    let left: u64 = redis.cli(&["PTTL", &keys]).parse().unwrap();
    assert!((59_000..=62_000).contains(&left), "{left}");
}

#[tokio::test]
async fn by_the_clock_of_redis_keys_are_gone_after_the_window() {
    let redis = Redis::start();
    let mut line = connect(&redis).await;
    let slot = slot_micros(SignedDuration::from_secs(1));
    for expected in [0, 0, 1] {
        let wait: u64 =
            step(CLOCK, "192.0.2.1", (2, slot), Then::Count).query_async(&mut line).await.unwrap();
        assert!(wait.min(1) == expected && wait <= 1_020_000, "{wait}");
    }
    let _: i64 = probe().query_async(&mut line).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    assert_eq!(redis.cli(&["KEYS", "*"]), "");
}

#[tokio::test]
async fn who_only_looks_is_told_what_would_become_of_a_failure_and_counts_nothing() {
    let redis = Redis::start();
    let mut line = connect(&redis).await;
    let slot = slot_micros(SignedDuration::from_secs(60));
    let mut asked = async |then| {
        let wait: u64 = step(CLOCK, "client", (2, slot), then).query_async(&mut line).await.unwrap();
        wait > 0
    };
    for (then, refused) in [
        (Then::Look, false),
        (Then::Look, false),
        (Then::Look, false),
        (Then::Count, false),
        (Then::Count, false),
        (Then::Look, true),
        (Then::Count, true),
    ] {
        assert_eq!(asked(then).await, refused, "{then:?}");
    }
}
