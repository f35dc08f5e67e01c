//! The promise of the window: never too many in any stretch of it, and whoever waits as told is heard.

use super::*;

const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

fn at(millis: i64) -> Ts {
    Ts::from_micros(1_795_000_000_000_000 + millis * 1000)
}

fn limiter(max: u32, seconds: i64) -> RateLimiter {
    RateLimiter::new(max, SignedDuration::from_secs(seconds))
}

#[test]
fn the_allowed_number_passes_and_the_next_is_refused() {
    let mut limiter = limiter(100, 60);
    for _ in 0..100 {
        assert_eq!(limiter.failed(A, at(0)), Verdict::Pass);
    }
    let Verdict::Refuse { retry_after } = limiter.failed(A, at(0)) else { panic!("the 101st passed") };
    assert!((60..=62).contains(&retry_after), "{retry_after}");
    assert_eq!(limiter.failed(B, at(0)), Verdict::Pass, "another client is not concerned");
    let waited = at(i64::try_from(retry_after).unwrap() * 1000);
    assert_eq!(limiter.failed(A, waited), Verdict::Pass, "who waits as told is heard");
}

#[test]
fn no_stretch_as_long_as_the_window_lets_more_through() {
    for (max, seconds, step) in [(1, 1, 7), (3, 2, 31), (10, 60, 997), (100, 60, 101)] {
        let mut limiter = limiter(max, seconds);
        let mut passed: Vec<i64> = Vec::new();
        for n in 0..3000 {
            let now = n * step;
            if limiter.failed(A, at(now)) == Verdict::Pass {
                passed.push(now);
            }
        }
        for (i, first) in passed.iter().enumerate() {
            let within = passed[i..].iter().filter(|t| **t < first + seconds * 1000).count();
            assert!(within <= max as usize, "{within} of {max} in {seconds} s from {first}");
        }
        let spent = 3000 * step / (seconds * 1000);
        let fair = i64::from(max) * spent * 9 / 10;
        assert!(passed.len() as i64 >= fair.min(2700), "{} passed, {fair} expected", passed.len());
    }
}

#[test]
fn retry_after_is_never_too_short() {
    let mut limiter = limiter(3, 10);
    let mut now = 0;
    for _ in 0..200 {
        match limiter.failed(A, at(now)) {
            Verdict::Pass => now += 370,
            Verdict::Refuse { retry_after } => {
                now += i64::try_from(retry_after).unwrap() * 1000;
                assert_eq!(limiter.failed(A, at(now)), Verdict::Pass);
            }
        }
    }
}

#[test]
fn memory_is_bounded_and_the_longest_silent_is_forgotten() {
    let mut limiter = limiter(1, 60);
    limiter.max_clients = 100;
    let _ = limiter.failed(A, at(0));
    for n in 0..500u32 {
        let _ =
            limiter.failed(IpAddr::V4(std::net::Ipv4Addr::from(0x0a00_0000 + n)), at(5000 + i64::from(n)));
        assert!(limiter.clients() <= 100);
    }
    assert_eq!(limiter.by_age.len(), limiter.clients());
    assert_eq!(limiter.failed(A, at(6000)), Verdict::Pass, "forgotten");
    let recent = IpAddr::V4(std::net::Ipv4Addr::from(0x0a00_0000 + 499));
    assert_ne!(limiter.failed(recent, at(6000)), Verdict::Pass, "remembered");
}

#[test]
fn one_ipv6_network_is_one_client() {
    let mut limiter = limiter(1, 60);
    assert_eq!(limiter.failed("2001:db8::1".parse::<IpAddr>().unwrap(), at(0)), Verdict::Pass);
    assert_ne!(limiter.failed("2001:db8::2".parse::<IpAddr>().unwrap(), at(0)), Verdict::Pass);
    assert_eq!(limiter.failed("2001:db8:0:1::2".parse::<IpAddr>().unwrap(), at(0)), Verdict::Pass);
    assert_eq!(limiter.failed("::ffff:192.0.2.1".parse::<IpAddr>().unwrap(), at(0)), Verdict::Pass);
    assert_ne!(limiter.failed(A, at(0)), Verdict::Pass, "mapped and plain are the same client");
}

#[test]
fn a_clock_that_jumps_breaks_nothing() {
    let mut limiter = limiter(2, 60);
    let _ = limiter.failed(A, at(100_000));
    let _ = limiter.failed(A, at(0));
    assert!(matches!(limiter.failed(A, at(-500_000)), Verdict::Refuse { .. }));
    assert_eq!(limiter.failed(A, Ts::MAX), Verdict::Pass);
    let _ = limiter.failed(A, Ts::MIN);
}
