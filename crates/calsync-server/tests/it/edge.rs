//! Around receipt: the limit on failures, health, robots.txt, and everything that is not there.

use crate::channels::{numbers, seed};
use crate::inside::Inside;
use crate::place::{self, PATIENCE, Place};
use crate::web::{client, get, raw, read};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_fails_too_often_is_told_to_wait_and_who_authenticates_never_is() {
    let mut place = Place::new();
    place.set("RATE_LIMIT__MAX_REQUESTS", 20);
    place.set("RATE_LIMIT__WINDOW_SECONDS", 600);
    let channel = seed(&place, 1).await.remove(0);
    let _serving = place.serve().await;
    let client = client();
    let mut codes = Vec::new();
    for n in 0..30 {
        let wrong = channel.delivery(n).with("X-Goog-Channel-Token", Some("wrong"));
        let nowhere = channel.delivery(n).to("/webhooks/google/0192a5b0-0000-7000-8000-000000000000/");
        let delivery = if n % 2 == 0 { wrong } else { nowhere };
        let answer = delivery.post_with(&client, &place).await.unwrap();
        if answer.status == 429 {
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=700).contains(&wait), "{wait}");
            assert_eq!(answer.code(), "rate_limited");
        }
        codes.push(answer.status);
    }
    let expected: Vec<u16> = (0..30)
        .map(|n| {
            if n >= 20 {
                429
            } else if n % 2 == 0 {
                403
            } else {
                404
            }
        })
        .collect();
    assert_eq!(codes, expected);
    // Malformed ones are told so: they did not try to pass for anybody.
    let nameless = channel.delivery(1).with("X-Goog-Message-Number", None);
    assert_eq!(nameless.post_with(&client, &place).await.unwrap().status, 400);
    // From the very address that is refused: 500 that authenticate, several at a time.
    let mut posts = tokio::task::JoinSet::new();
    for lane in 0..10_u64 {
        let (client, channel) = (client.clone(), channel.clone());
        let urls: Vec<_> = (0..50).map(|n| channel.delivery(100 + lane * 50 + n)).collect();
        let target = place.url(&urls[0].path);
        posts.spawn(async move {
            let mut codes = Vec::new();
            for delivery in urls {
                let mut request = client.post(&target);
                for (name, value) in &delivery.headers {
                    request = request.header(name, value);
                }
                codes.push(request.send().await.unwrap().status().as_u16());
            }
            codes
        });
    }
    let codes: Vec<u16> = posts.join_all().await.concat();
    assert_eq!((codes.len(), codes.iter().filter(|c| **c == 200).count()), (500, 500), "{codes:?}");
    assert_eq!(numbers(&place, &channel).await.len(), 500);
    let wrong = channel.delivery(1).with("X-Goog-Channel-Token", Some("wrong"));
    assert_eq!(wrong.post_with(&client, &place).await.unwrap().status, 429, "that changed nothing");
}

#[tokio::test]
async fn the_forwarded_address_counts_only_from_a_trusted_proxy() {
    for trusted in [false, true] {
        let mut place = Place::new();
        place.set("RATE_LIMIT__MAX_REQUESTS", 1);
        if trusted {
            place.set("SERVER__TRUSTED_PROXIES", "127.0.0.0/8");
        }
        let channel = seed(&place, 1).await.remove(0);
        let _serving = place.serve().await;
        let mut codes = Vec::new();
        for last in 1..4 {
            let wrong = channel.delivery(2).with("X-Goog-Channel-Token", None);
            let from = format!("203.0.113.{last}");
            codes.push(wrong.with("X-Forwarded-For", Some(&from)).post(&place).await.status);
        }
        assert_eq!(codes, if trusted { [403, 403, 403] } else { [403, 429, 429] }, "trusted: {trusted}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_in_json() {
    let place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let _serving = place.serve().await;
    for path in
        ["/webhooks", "/webhooks/", "/webhooks/google", "/webhooks/microsoft/", "/admin", "/api", "/%00"]
    {
        let answer = get(&place.url(path)).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{path}");
    }
    for (method, path) in [
        ("GET", channel.delivery(2).path.as_str()),
        ("PUT", &channel.delivery(2).path),
        ("POST", "/webhooks/health/"),
        ("DELETE", "/robots.txt"),
    ] {
        let answer = client().request(method.parse().unwrap(), place.url(path)).send().await.unwrap();
        let answer = read(answer).await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"), "{method} {path}");
        assert!(answer.header("allow").is_some(), "{method} {path}: {answer:?}");
    }
    for path in ["/webhooks/health", "/nothing", &channel.delivery(2).path] {
        let answer = get(&place.url(path)).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
}

#[tokio::test]
async fn crawlers_stay_out_and_google_comes_in() {
    let place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let _serving = place.serve().await;
    let robots = get(&place.url("/robots.txt")).await;
    assert_eq!(robots.status, 200);
    assert!(robots.header("content-type").unwrap().starts_with("text/plain"), "{robots:?}");
    assert!(robots.body.contains("APIs-Google"), "Google's sender obeys it: {}", robots.body);
    assert!(robots.body.contains("Disallow: /"), "{}", robots.body);
    // By the oldest HTTP that is spoken, too.
    assert_eq!(raw(place.address, b"GET /robots.txt HTTP/1.0\r\n\r\n").await.body, robots.body);
    assert_eq!(channel.delivery(2).post(&place).await.status, 200);
}

#[tokio::test]
async fn health_is_public_and_says_nothing_about_anybody() {
    let place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let _serving = place.serve().await;
    for path in ["/webhooks/health/", "/webhooks/health"] {
        let answer = get(&place.url(path)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let told = answer.json();
        assert_eq!(told["status"], "healthy", "{told}");
        let checks = told["checks"].as_object().unwrap();
        assert!(checks.contains_key("database") && checks.contains_key("processing"), "{told}");
        // Levels, and not one number or name.
        assert!(checks.values().all(|level| level == "healthy"), "{told}");
        assert_eq!(told.as_object().unwrap().len(), 2, "{told}");
        assert!(!answer.body.contains(&channel.calendar.to_string()));
    }
}

#[tokio::test]
async fn without_its_database_it_says_so_and_takes_nothing() {
    let place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let inside = Inside::serve(&place).await;
    assert_eq!(get(&place.url("/webhooks/health")).await.status, 200);
    assert_eq!(channel.delivery(2).post(&place).await.status, 200);
    inside.lose_the_store().await;
    let health = place::until("health knows of it", PATIENCE, async || {
        Some(get(&place.url("/webhooks/health/")).await).filter(|health| health.status == 503)
    })
    .await;
    assert_eq!(
        (&health.json()["status"], &health.json()["checks"]["database"]),
        (&"critical".into(), &"critical".into())
    );
    let answer = channel.delivery(3).post(&place).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 0, "Google asks again");
    assert_eq!(get(&place.url("/robots.txt")).await.status, 200, "the rest goes on");
    inside.stop().await;
    assert_eq!(numbers(&place, &channel).await, [2]);
}
