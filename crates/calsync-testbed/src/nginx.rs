//! A real nginx in front of whatever listens on loopback, with configuration files that the caller brings. It never reads
//! the system's own configuration, and keeps its files in a directory that goes with it.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;

use crate::account;
use crate::certificates;
use crate::directory::Directory;
use crate::port::Port;
use crate::process::{self, PATIENCE, Process, within};

/// What a server needs that the files of a site do not say: where to keep things, and not to become a daemon.
const FRAME: &str = "\
daemon off;
worker_processes 2;
pid nginx.pid;
error_log error.log notice;
events { worker_connections 1024; }
http {
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include site.conf;
}
";

/// An nginx of one's own. Dropped, it is killed.
#[derive(Debug)]
pub struct Nginx {
    // First, so that it is gone before its directory.
    process: Option<Process>,
    clear: Port,
    secure: Port,
    directory: Directory,
}

impl Nginx {
    /// One that does not run yet: its ports are reserved, and it has a certificate for `localhost` and 127.0.0.1.
    pub fn prepare() -> Self {
        let directory = Directory::new();
        certificates::certify(directory.path());
        Self { process: None, clear: Port::reserve(), secure: Port::reserve(), directory }
    }

    /// Gives it another certificate, by another authority, that lives so many days from now: none, and it has ended already. Before it
    /// is started.
    pub fn certify_for(&self, days: u16) {
        certificates::certify_for(self.directory.path(), days);
    }

    /// Where it is to listen in clear.
    pub fn clear(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.clear.number()))
    }

    /// Where it is to listen by TLS.
    pub fn secure(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.secure.number()))
    }

    /// A file in its directory: `server.crt` and `server.key` are there, and whatever it writes.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The certificate of the authority that signed its own.
    pub fn authority(&self) -> PathBuf {
        self.file(certificates::AUTHORITY)
    }

    /// Puts a file of its configuration where `include` finds it by this name. What is to be read first is `site.conf`.
    pub fn put(&self, name: &str, text: &str) {
        let path = self.file(name);
        let folder = path.parent().expect("it stands in the directory");
        std::fs::create_dir_all(folder).unwrap();
        account::give(folder);
        account::write(&path, text);
    }

    /// Has it judge its configuration (`nginx -t`), starts it, and waits until it listens.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        self.put("nginx.conf", FRAME);
        let program = account::find("nginx", &[]);
        let place = self.directory.path();
        let asked = |more: &[&str]| {
            let mut command = account::command(&program, "KILL");
            // Before it has read where to, it complains to a file of the system's.
            command.arg("-p").arg(place).args(["-e", "error.log", "-c", "nginx.conf"]).args(more);
            command
        };
        process::run(&mut asked(&["-t"]));
        let mut process = Process::start(asked(&[]), &self.file("output.log"));
        let answers = || [self.clear(), self.secure()].iter().all(|at| TcpStream::connect(at).is_ok());
        let listens = within(PATIENCE, || !process.runs() || answers());
        assert!(listens && process.runs(), "nginx does not start:\n{}", self.log());
        self.process = Some(process);
    }

    /// What it complained of since the start.
    pub fn log(&self) -> String {
        let text = |name| std::fs::read_to_string(self.file(name)).unwrap_or_default();
        format!("{}{}", text("output.log"), text("error.log"))
    }
}
