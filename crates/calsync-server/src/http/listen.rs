//! Listening: taking the port, or a socket that somebody holds for us, with an error that says what to do, serving until told to stop, and giving requests under
//! way a bounded time to finish.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::door::Door;

/// How long a connection that came in just before the end may take to say what it wants.
const SETTLES: Duration = Duration::from_millis(200);

/// Why we can't listen.
#[derive(Debug, thiserror::Error)]
pub enum NotListening {
    /// Somebody else has the port.
    #[error("another program already listens on {0}: stop it, or set server.bind to another port")]
    Taken(SocketAddr),
    /// Ports below 1024 need a privilege.
    #[error(
        "this user may not listen on {0}: choose a port from 1024 up in server.bind, or grant CAP_NET_BIND_SERVICE"
    )]
    Forbidden(SocketAddr),
    /// The machine has no such address.
    #[error(
        "this machine has no address {0}: set server.bind to one that it has, or to 0.0.0.0 for all of them"
    )]
    NoSuchAddress(SocketAddr),
    /// What was handed over is of no use.
    #[error("cannot listen on the socket that was handed over (LISTEN_FDS): {0}")]
    Handed(io::Error),
    /// Anything else.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, io::Error),
}

/// Takes the port.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, NotListening> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => NotListening::Taken(address),
        io::ErrorKind::PermissionDenied => NotListening::Forbidden(address),
        io::ErrorKind::AddrNotAvailable => NotListening::NoSuchAddress(address),
        _ => NotListening::Other(address, error),
    })
}

/// Takes over a socket that somebody listens on already. They may hold it as well: what arrives between two of our lives waits.
pub fn adopt(handed: std::net::TcpListener) -> Result<TcpListener, NotListening> {
    handed.set_nonblocking(true).map_err(NotListening::Handed)?;
    TcpListener::from_std(handed).map_err(NotListening::Handed)
}

/// Serves until `stop`, then lets requests under way finish for at most `grace`.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    stop: impl Future<Output = ()> + Send + 'static,
    grace: Duration,
) -> io::Result<()> {
    let (stopping, closing) = (CancellationToken::new(), CancellationToken::new());
    let (told, closes) = (stopping.clone(), closing.clone());
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let door = Door::of(listener, closing)?.tap_io(|_| ());
    let server = axum::serve(door, service).with_graceful_shutdown(async move {
        stop.await;
        closes.cancel();
        told.cancel();
        tokio::time::sleep(SETTLES).await;
    });
    tokio::select! {
        ended = server.into_future() => ended,
        () = async { stopping.cancelled().await; tokio::time::sleep(grace).await } => {
            tracing::warn!(seconds = grace.as_secs(), "requests were still under way when the time to stop was over");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;

    #[tokio::test]
    async fn a_taken_port_says_what_to_do() {
        let first = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let taken = bind(first.local_addr().unwrap()).await.unwrap_err().to_string();
        assert!(taken.contains("already listens") && taken.contains("server.bind"), "{taken}");
        let foreign = bind("192.0.2.1:0".parse().unwrap()).await.unwrap_err().to_string();
        assert!(foreign.contains("no address 192.0.2.1"), "{foreign}");
    }

    async fn request(address: SocketAddr, path: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let text = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        socket.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = socket.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn who_came_in_just_before_the_end_is_answered_and_nobody_else_comes_in() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let told = stop.clone().cancelled_owned();
        let app = Router::new().route("/", get(async || "done"));
        let server = tokio::spawn(serve(listener, app, told, Duration::from_secs(5)));
        // The second one is answered, so the first one has been let in.
        let mut early = tokio::net::TcpStream::connect(address).await.unwrap();
        assert!(request(address, "/").await.ends_with("done"));
        stop.cancel();
        let refused = async {
            while tokio::net::TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), refused).await.expect("nobody else comes in");
        early.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        early.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("done"), "{answer:?}");
        server.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn requests_under_way_finish_and_endless_ones_are_left() {
        let short = || async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            "done"
        };
        let app =
            Router::new().route("/short", get(short)).route("/endless", get(std::future::pending::<()>));
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let told = stop.clone().cancelled_owned();
        let server = tokio::spawn(serve(listener, app, told, Duration::from_millis(600)));
        let short = tokio::spawn(request(address, "/short"));
        let endless = tokio::spawn(request(address, "/endless"));
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
        assert!(short.await.unwrap().ends_with("done"));
        server.await.unwrap().unwrap();
        endless.abort();
    }
}
