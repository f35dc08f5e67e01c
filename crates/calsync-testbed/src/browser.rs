//! Chromium, driven by its WebDriver: both go when the value does, with all windows.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::account;
use crate::directory::Directory;
use crate::port::Port;
use crate::process::{PATIENCE, Process, within};

/// A WebDriver server of one's own. Dropped, it is killed with its browsers.
#[derive(Debug)]
pub struct Browsers {
    // First, so that it is gone before its directory.
    process: Process,
    port: Port,
    directory: Directory,
}

impl Browsers {
    /// Starts one and waits until it is ready.
    pub fn start() -> Self {
        let (port, directory) = (Port::reserve(), Directory::new());
        let mut command = account::command(&account::find("chromedriver", &[]), "KILL");
        command.arg(format!("--port={}", port.number()));
        // Profiles go where the directory goes; nobody has a home of its own.
        command.env("HOME", directory.path()).env("TMPDIR", directory.path());
        command.env("XDG_CONFIG_HOME", directory.path()).env("XDG_CACHE_HOME", directory.path());
        let log = directory.path().join("log");
        let mut process = Process::start(command, &log);
        let ready = within(PATIENCE, || !process.runs() || is_ready(port.number()));
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        assert!(ready && process.runs(), "chromedriver does not start:\n{said}");
        Self { process, port, directory }
    }

    /// Where a WebDriver client connects.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// What Chromium has to be told to run without a screen, and without rights that it could give up.
    pub fn arguments(&self) -> Vec<String> {
        let own =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];
        own.into_iter().map(str::to_owned).collect()
    }

    /// What the server wrote to its log.
    pub fn log(&self) -> String {
        assert_ne!(self.process.pid(), 0);
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut said = String::new();
        let _ = stream.read_to_string(&mut said);
        Ok(said)
    };
    ask().is_ok_and(|said| said.contains("\"ready\":true"))
}
