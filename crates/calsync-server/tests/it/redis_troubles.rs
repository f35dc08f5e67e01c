//! What can be wrong with Redis, or with what answers in its place: the service goes on by itself, and says what to do
//! without a word about the password.

use std::path::Path;
use std::process::Command;

use calsync_testbed::port::Port;
use calsync_testbed::redis::Redis;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::channels::seed;
use crate::place::Serving;
use crate::redis::{BACK, GONE, cache_is, fail, logged, place, times};

/// A password that must never be seen.
const PASSWORD: &str = "hunter2-redis";
/// The permissions that the documentation asks for.
const OPERATIONS: &str = include_str!("../../../../docs/operations.md");

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

/// Breaks Redis by one command while the service is running, sees that it says so and goes on, and mends it by another.
async fn broken_and_mended(redis: &Redis, url: &str, words: &str, broken: &[&str], mended: &[&str]) {
    let place = place(url, 5);
    let channel = seed(&place, 1).await.remove(0);
    let serving = place.serve().await;
    cache_is(&place, "healthy").await;
    assert_eq!(fail(&place, &channel, 2).await, [403; 2]);
    let key = redis.cli(&["KEYS", "calendar_sync:rate_limit:webhooks:10169491:*"]);
    let with_key = |command: &[&str]| {
        let words: Vec<&str> = command.iter().map(|word| if *word == "KEY" { &key } else { *word }).collect();
        redis.cli(&words);
    };
    with_key(broken);
    assert_eq!(fail(&place, &channel, 4).await, [403, 403, 403, 429], "it goes on here: {words}");
    logged(&serving, words).await;
    with_key(mended);
    cache_is(&place, "healthy").await;
    logged(&serving, BACK).await;
    let log = serving.log();
    assert!(times(&log, GONE).abs_diff(times(&log, BACK)) <= 1 && !log.contains(PASSWORD), "{log}");
    redis.cli(&["DEL", &key]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_full_or_read_only_or_used_by_others_is_told_apart() {
    let redis = Redis::start();
    let url = redis.url();
    let (full, room) = (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]);
    broken_and_mended(&redis, &url, "its memory is full", &full, &room).await;
    let (replica, primary) = (["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]);
    broken_and_mended(&redis, &url, "it is a replica", &replica, &primary).await;
    let (others, removed) = (["SET", "KEY", "x"], ["DEL", "KEY"]);
    broken_and_mended(&redis, &url, "hold something that is not ours", &others, &removed).await;
    let (odd, removed) = (["HSET", "KEY", "x", "y"], ["DEL", "KEY"]);
    broken_and_mended(&redis, &url, "hold something that is not ours", &odd, &removed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_the_documented_permissions_is_enough_and_one_without_is_told() {
    let redis = Redis::start();
    let documented = OPERATIONS.lines().find(|line| line.contains("ACL SETUSER")).unwrap();
    let documented = documented.replace("PASSWORD", PASSWORD);
    redis.cli(&documented.split_whitespace().collect::<Vec<_>>());
    let url = redis.url().replace("redis://", &format!("redis://calendar-sync:{PASSWORD}@"));
    let (fewer, all) = (["ACL", "SETUSER", "calendar-sync", "-hincrby"], {
        ["ACL", "SETUSER", "calendar-sync", "+hincrby"]
    });
    broken_and_mended(&redis, &url, "docs/operations.md lists the permissions", &fewer, &all).await;
    let refused = redis.cli(&["ACL", "LOG"]);
    assert!(refused.contains("hincrby") && !refused.contains("pexpire"), "{refused}");
}

/// An authority, and a certificate of it for this machine.
fn certify(dir: &Path) {
    let script = "
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority \
            -keyout ca.key -out ca.crt &&
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
            -keyout server.key -out server.csr &&
        printf 'subjectAltName=IP:127.0.0.1,DNS:localhost' > names &&
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names \
            -out server.crt &&
        chmod 755 . && chmod 644 server.key";
    let made = Command::new("sh").args(["-c", script]).current_dir(dir).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_spoken_and_certificates_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    certify(dir.path());
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let free = Port::reserve();
    let (port, key, certificate, authority) =
        (free.number().to_string(), path("server.key"), path("server.crt"), path("ca.crt"));
    let redis = Redis::start_with(&[
        "--tls-port",
        &port,
        "--tls-key-file",
        &key,
        "--tls-cert-file",
        &certificate,
        "--tls-ca-cert-file",
        &authority,
        "--tls-auth-clients",
        "no",
    ]);
    let plain = redis.url().replace("redis://", "rediss://");
    for (url, trusts, words) in [
        (format!("rediss://127.0.0.1:{port}"), authority.as_str(), "shared through Redis"),
        (format!("rediss://localhost:{port}/0"), &authority, "shared through Redis"),
        (format!("rediss://127.0.0.1:{port}"), "/etc/ssl/certs/ca-certificates.crt", "is not trusted"),
        (format!("rediss://127.0.0.2:{port}"), &authority, "nothing listens there"),
        (format!("redis://127.0.0.1:{port}"), &authority, "write rediss://"),
        (plain, &authority, "why=it does not"),
    ] {
        let place = place(&url, 2);
        let channel = seed(&place, 1).await.remove(0);
        let mut command = place.command(&["serve"]);
        command.env("SSL_CERT_FILE", trusts);
        let mut serving: Serving = place.start(command);
        serving.answers(&place).await;
        logged(&serving, words).await;
        assert_eq!(fail(&place, &channel, 3).await, [403, 403, 429], "{url}");
        redis.cli(&["FLUSHALL"]);
    }
}
