//! The two protocols of systemd, which others speak too: a socket that somebody listened on before we were there (LISTEN_FDS), so
//! that a restart refuses no connection; and that we are ready, or about to stop (NOTIFY_SOCKET). Where nobody asks for either,
//! nothing here does anything. It knows nothing of what is served.

use std::ffi::OsStr;
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// What somebody who started us wants to hear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// Everything is open: requests are answered.
    Ready,
    /// Requests under way are finished, no others are taken.
    Stopping,
}

impl Word {
    const fn text(self) -> &'static [u8] {
        match self {
            Word::Ready => b"READY=1",
            Word::Stopping => b"STOPPING=1",
        }
    }
}

/// The socket that was handed over, if one was. To be asked before there is a second thread: it takes the variables out of the
/// environment, so that no child takes the socket for its own.
pub fn listener() -> io::Result<Option<TcpListener>> {
    listenfd::ListenFd::from_env().take_tcp_listener(0)
}

/// Tells whoever started us. Whether they hear it changes nothing here.
pub fn tell(word: Word) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return };
    let told = address(&name).and_then(|to| UnixDatagram::unbound()?.send_to_addr(word.text(), &to));
    if let Err(error) = told {
        tracing::warn!(%error, ?word, "the service manager could not be told");
    }
}

/// A path, or after an `@` a name that stands in no directory (sd_notify(3)).
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name),
        None => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_name_without_one_are_told_apart() {
        let path = address(OsStr::new("/run/systemd/notify")).unwrap();
        assert_eq!(path.as_pathname(), Some(std::path::Path::new("/run/systemd/notify")));
        let name = address(OsStr::new("@example/notify")).unwrap();
        assert_eq!(name.as_abstract_name(), Some(&b"example/notify"[..]));
        assert!(address(OsStr::new(&"x".repeat(200))).is_err(), "no path is that long");
    }
}
