//! Redis: what a test may rely on.

use std::path::Path;

use calsync_testbed::redis::Redis;

#[test]
fn it_comes_back_empty_on_the_same_port() {
    let mut redis = Redis::start();
    assert_eq!(redis.cli(&["SET", "key", "a value"]), "OK");
    assert_eq!(redis.cli(&["GET", "key"]), "a value");
    let url = redis.url();
    redis.kill();
    assert!(std::net::TcpStream::connect(("127.0.0.1", redis.port())).is_err());
    redis.start_again();
    assert_eq!(redis.url(), url);
    assert_eq!(redis.cli(&["GET", "key"]), "");
}

#[test]
fn a_pause_keeps_what_it_holds() {
    let redis = Redis::start_with(&["--maxmemory", "8mb"]);
    redis.cli(&["SET", "key", "1"]);
    redis.pause();
    redis.resume();
    assert_eq!(redis.cli(&["INCR", "key"]), "2");
    assert_eq!(redis.cli(&["CONFIG", "GET", "maxmemory"]), "maxmemory\n8388608");
}

#[test]
fn nothing_is_left_of_it_even_if_the_test_fails() {
    let (tell, told) = std::sync::mpsc::channel();
    let failed = std::panic::catch_unwind(move || {
        let redis = Redis::start();
        tell.send((redis.port(), redis.cli(&["CONFIG", "GET", "dir"]))).unwrap();
        redis.pause();
        std::panic::resume_unwind(Box::new("as a failed assertion would"));
    });
    assert!(failed.is_err());
    let (port, directory) = told.recv().unwrap();
    let directory = directory.strip_prefix("dir\n").unwrap();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(directory.starts_with('/') && !Path::new(directory).exists());
}
