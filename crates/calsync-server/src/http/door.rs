//! A door that closes before the house does. Whoever came in just before the end has yet to say what they want: hyper hangs up on
//! a connection that has asked nothing, so for a moment it is listened to, while nobody else is let in.

use std::io;
use std::net::SocketAddr;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Lets connections in until it is told to close. Then the socket is let go: who holds it as well finds in it whoever still waits.
pub(super) struct Door {
    listener: Option<TcpListener>,
    address: SocketAddr,
    closing: CancellationToken,
}

impl Door {
    /// One that closes when `closing` says so.
    pub(super) fn of(listener: TcpListener, closing: CancellationToken) -> io::Result<Door> {
        let address = listener.local_addr()?;
        Ok(Door { listener: Some(listener), address, closing })
    }
}

impl Listener for Door {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        if let Some(listener) = &mut self.listener
            && let Some(came) = self.closing.run_until_cancelled(Listener::accept(listener)).await
        {
            return came;
        }
        self.listener = None;
        std::future::pending().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
