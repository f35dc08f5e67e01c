//! Started as systemd starts it: with a socket that somebody else keeps open, and a place to say that it is ready. A restart then
//! refuses no connection, and nothing that was sent meanwhile is lost.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::channels::{numbers, seed};
use crate::place::{PATIENCE, PROGRAM, Place, free_listener};
use crate::web::{client, get};

/// What systemd does between fork and exec: the socket becomes number 3, and the variables name it.
const HAND_OVER: &str = r#"exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" serve --role web"#;
/// A stop with nothing under way, and a start, of a debug build on a busy machine.
const ROUNDS: u64 = 3;

/// The program with its settings, a socket and somebody to tell.
fn command(place: &Place, socket: impl Into<OwnedFd>) -> Command {
    let mut command = place.command_of("/bin/sh".as_ref(), &["-c", HAND_OVER, PROGRAM]);
    command.stdin(Stdio::from(socket.into()));
    command.env("NOTIFY_SOCKET", place.path("notify"));
    command
}

fn hears(socket: &UnixDatagram, word: &str) {
    let mut heard = [0; 64];
    let length = socket.recv(&mut heard).unwrap_or_else(|error| panic!("not told {word}: {error}"));
    assert_eq!(std::str::from_utf8(&heard[..length]), Ok(word));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_refuses_no_connection_and_loses_no_notification() {
    let mut place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let socket: TcpListener = free_listener();
    place.address = socket.local_addr().unwrap();
    // Somewhere else: what was handed over wins.
    place.set("SERVER__BIND", "127.0.0.1:1");
    let told = UnixDatagram::bind(place.path("notify")).unwrap();
    told.set_read_timeout(Some(PATIENCE)).unwrap();

    let over = Arc::new(AtomicBool::new(false));
    let (done, sender, base) = (over.clone(), channel.clone(), place.url(""));
    // One after the other, each by a connection of its own, from before the first start until after the last.
    let sending = tokio::spawn(async move {
        let mut sent = 0;
        while !done.load(Ordering::Relaxed) {
            sent += 1;
            let answer = sender.delivery(1 + sent).post_to(&client(), &base).await;
            assert_eq!(answer.expect("no connection is refused or broken").status, 200);
        }
        sent
    });
    for _ in 0..ROUNDS {
        let mut serving = place.start(command(&place, socket.try_clone().unwrap()));
        hears(&told, "READY=1");
        assert_eq!(get(&place.url("/livez")).await.status, 200);
        tokio::time::sleep(Duration::from_millis(200)).await;
        serving.ask_to_stop();
        hears(&told, "STOPPING=1");
        assert_eq!(serving.ended(PATIENCE).await.code(), Some(0), "{}", serving.log());
    }
    over.store(true, Ordering::Relaxed);
    // The last one waits for a program: it comes.
    let _serving = place.start(command(&place, socket.try_clone().unwrap()));
    let sent = sending.await.unwrap();
    assert!(sent > ROUNDS, "{sent}");
    assert_eq!(numbers(&place, &channel).await, (2..=sent + 1).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_socket_of_another_kind_is_refused_with_its_reason() {
    let place = Place::new();
    let socket = UnixListener::bind(place.path("socket")).unwrap();
    let mut serving = place.start(command(&place, socket));
    let ended = serving.ended(PATIENCE).await;
    assert!(!ended.success());
    assert!(serving.log().contains("LISTEN_FDS"), "{}", serving.log());
    // Nobody listens where they are told to tell: that is no reason not to serve.
    let socket = free_listener();
    let address = socket.local_addr().unwrap();
    let mut serving = place.start(command(&place, socket));
    serving.listens(address).await;
    assert_eq!(get(&format!("http://{address}/livez")).await.status, 200);
}
