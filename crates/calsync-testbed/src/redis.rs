//! A Redis server with nothing on disk: what was in it is gone when it is killed. It never asks for a password unless
//! told so.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::account;
use crate::directory::Directory;
use crate::port::Port;
use crate::process::{PATIENCE, Process, within};

/// A Redis server of one's own. Dropped, it is killed.
#[derive(Debug)]
pub struct Redis {
    // First, so that it is gone before its directory.
    process: Option<Process>,
    port: Port,
    options: Vec<String>,
    directory: Directory,
}

impl Redis {
    /// Starts one and waits until it answers.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with options of the command line besides, such as `["--maxmemory", "1mb"]`.
    pub fn start_with(options: &[&str]) -> Self {
        let mut server = Self {
            process: None,
            port: Port::reserve(),
            options: options.iter().map(ToString::to_string).collect(),
            directory: Directory::new(),
        };
        server.start_again();
        server
    }

    /// Starts it again on the same port, empty, after [`Redis::kill`].
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let mut command = account::command(&account::find("redis-server", &[]), "KILL");
        command.args(["--bind", "127.0.0.1", "--port", &self.port().to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(self.directory.path());
        command.args(&self.options);
        let mut process = Process::start(command, &self.log_path());
        let answers = within(PATIENCE, || !process.runs() || self.answers());
        assert!(answers && process.runs(), "redis-server does not start:\n{}", self.log());
        self.process = Some(process);
    }

    /// Kills it with signal 9: connections break, new ones are refused, and what was in it is gone.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// Stops it in its tracks: connections stay open, new ones are accepted by the kernel, and nothing is answered.
    pub fn pause(&self) {
        self.process.as_ref().expect("it runs").pause();
    }

    /// Lets it go on after [`Redis::pause`].
    pub fn resume(&self) {
        self.process.as_ref().expect("it runs").resume();
    }

    /// Where it listens, as `redis://127.0.0.1:port/`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port())
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// What `redis-cli` prints for a command, such as `["GET", "key"]`, without the line break at the end.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let mut cli = Command::new(account::find("redis-cli", &[]));
        // -e: an error of the server is an exit status, and not an answer that looks like any other.
        let output = cli.args(["-e", "-p", &self.port().to_string()]).args(arguments).output().unwrap();
        let (said, wrong) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "redis-cli {}: {said}{wrong}", arguments.join(" "));
        said.trim_end_matches('\n').to_owned()
    }

    /// What it wrote to its log since the first start.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Whether it answers at all: a complaint that it wants a password first is an answer too.
    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<u8> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port()))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(b"PING\r\n")?;
            let mut first = [0];
            stream.read_exact(&mut first)?;
            Ok(first[0])
        };
        matches!(ask(), Ok(b'+' | b'-'))
    }
}
