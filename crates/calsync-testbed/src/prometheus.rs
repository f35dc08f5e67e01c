//! A Prometheus server that scrapes what it is told to, every second, and its tool. It keeps nothing, and alerts nobody.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::account;
use crate::directory::Directory;
use crate::port::Port;
use crate::process::{PATIENCE, Process, within};

/// A server of one's own. Dropped, it is killed.
#[derive(Debug)]
pub struct Prometheus {
    // First, so that it is gone before its directory.
    process: Process,
    port: Port,
    directory: Directory,
}

impl Prometheus {
    /// Starts one and waits until it is ready. It scrapes `/metrics` of these targets with this bearer token, as `job`, and
    /// evaluates these files of rules.
    pub fn start(job: &str, targets: &[SocketAddr], token: &str, rules: &[&Path]) -> Self {
        let (port, directory) = (Port::reserve(), Directory::new());
        let at = |name: &str| directory.path().join(name);
        account::write(&at("token"), token);
        let mut names = Vec::new();
        for (n, file) in rules.iter().enumerate() {
            names.push(format!("\"rules-{n}.yml\""));
            account::write(&at(&format!("rules-{n}.yml")), &std::fs::read_to_string(file).unwrap());
        }
        let targets: Vec<String> = targets.iter().map(|target| format!("\"{target}\"")).collect();
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{}]\nscrape_configs:\n\
             - {{job_name: {job}, authorization: {{credentials_file: token}}, static_configs: [{{targets: [{}]}}]}}\n",
            names.join(", "),
            targets.join(", "),
        );
        account::write(&at("prometheus.yml"), &config);
        let mut command = account::command(&account::find("prometheus", &[]), "KILL");
        command.arg("--config.file").arg(at("prometheus.yml"));
        command.arg("--storage.tsdb.path").arg(at("data"));
        command.args(["--web.listen-address", &format!("127.0.0.1:{}", port.number())]);
        let log = at("log");
        let mut process = Process::start(command, &log);
        let ready = within(PATIENCE, || !process.runs() || is_ready(port.number()));
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        assert!(ready && process.runs(), "prometheus does not start:\n{said}");
        Self { process, port, directory }
    }

    /// A URL of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port.number())
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        assert_ne!(self.process.pid(), 0);
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /-/ready HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.split(' ').nth(1) == Some("200"))
}

/// Runs `promtool` with this to read; what it said, or what it said that was wrong.
pub fn promtool(args: &[&str], input: &str) -> Result<String, String> {
    let mut tool = Command::new(account::find("promtool", &[]));
    tool.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = tool.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // It may end without having read all.
    let writing = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(said.into_owned()) } else { Err(said.into_owned()) }
}
