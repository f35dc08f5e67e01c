//! A forwarder of TCP connections that can be pointed elsewhere: what a floating address, HAProxy or a service of a
//! cluster manager is to an operator. Those that are open stay where they are, until they are cut.

use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A forwarder. Dropped, it is gone with its connections.
pub(crate) struct Forwarder {
    port: u16,
    target: Arc<Mutex<u16>>,
    task: JoinHandle<()>,
}

impl Forwarder {
    /// Listens on a port of its own.
    pub(crate) async fn to(target: u16) -> Forwarder {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = Arc::new(Mutex::new(target));
        let task = tokio::spawn(forward(listener, target.clone()));
        Forwarder { port, target, task }
    }

    /// New connections go there from now on.
    pub(crate) fn point_to(&self, target: u16) {
        *self.target.lock().unwrap() = target;
    }

    /// The URL of a server, by way of this.
    pub(crate) fn url(&self, of: &str, port: u16) -> String {
        let url = of.replace(&format!(":{port}/"), &format!(":{}/", self.port));
        assert_ne!(url, of);
        url
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(listener: TcpListener, target: Arc<Mutex<u16>>) {
    let mut open = JoinSet::new();
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let target = *target.lock().unwrap();
        open.spawn(async move {
            // Nobody there: the client is cut off, as it would be by any of those.
            if let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}
