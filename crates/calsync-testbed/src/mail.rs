//! A mail server that keeps what it is given: aiosmtpd, which is Python's, under a script of ours. What it kept is read back
//! by Python's own mail parser, as a mail program would. It never hands anything on.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};

use crate::account;
use crate::certificates;
use crate::directory::Directory;
use crate::port::Port;
use crate::process::{PATIENCE, Process, within};

/// The program: Debian's own Python has Debian's aiosmtpd.
const PYTHON: &str = "/usr/bin/python3";
const SCRIPT: &str = include_str!("mail/server.py");

/// How it encrypts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MailTls {
    /// Not, and it does not offer to.
    Off,
    /// It offers STARTTLS, and takes letters without.
    StartTls,
    /// From the first byte.
    Implicit,
}

impl MailTls {
    const fn word(self) -> &'static str {
        match self {
            MailTls::Off => "off",
            MailTls::StartTls => "starttls",
            MailTls::Implicit => "implicit",
        }
    }
}

/// A mail server of one's own. Dropped, it is killed.
#[derive(Debug)]
pub struct MailServer {
    // First, so that it is gone before its directory.
    process: Option<Process>,
    port: Port,
    tls: MailTls,
    login: Option<(String, String)>,
    directory: Directory,
}

impl MailServer {
    /// Starts one, and waits until it answers. With a login it takes letters only from who signs in. It refuses
    /// recipients whose name begins with `refused`, and puts off those whose name begins with `later`.
    pub fn start(tls: MailTls, login: Option<(&str, &str)>) -> Self {
        let login = login.map(|(name, password)| (name.to_owned(), password.to_owned()));
        let mut server =
            Self { process: None, port: Port::reserve(), tls, login, directory: Directory::new() };
        certificates::certify(server.place());
        account::write(&server.place().join("server.py"), SCRIPT);
        let kept = server.kept();
        std::fs::create_dir(&kept).unwrap();
        account::give(&kept);
        server.start_again();
        server
    }

    /// Starts it again on the same port, with the letters that it has, after [`MailServer::kill`].
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let mut command = account::command(Path::new(PYTHON), "KILL");
        command.arg(self.place().join("server.py")).arg(self.place()).arg(self.port().to_string());
        command.arg(self.tls.word());
        if let Some((name, password)) = &self.login {
            command.args([name, password]);
        }
        let mut process = Process::start(command, &self.log_path());
        let address = (Ipv4Addr::LOCALHOST, self.port());
        let answers = within(PATIENCE, || !process.runs() || TcpStream::connect(address).is_ok());
        assert!(answers && process.runs(), "the mail server does not start:\n{}", self.log());
        self.process = Some(process);
    }

    /// Kills it with signal 9: connections break, and new ones are refused.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// Stops it in its tracks: connections stay open, new ones are accepted by the kernel, and nothing is answered.
    pub fn pause(&self) {
        self.process.as_ref().expect("it runs").pause();
    }

    /// Lets it go on after [`MailServer::pause`].
    pub fn resume(&self) {
        self.process.as_ref().expect("it runs").resume();
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The certificate of the authority that signed its own, which is for `localhost` and 127.0.0.1.
    pub fn authority(&self) -> PathBuf {
        self.place().join(certificates::AUTHORITY)
    }

    /// The certificate of an authority that did not sign anything.
    pub fn stranger(&self) -> PathBuf {
        self.place().join(certificates::STRANGER)
    }

    /// The letters that it took, in their order, each as JSON: `from`, `to` (a list), `tls`, `user` (or null), `headers`
    /// (a list of pairs), `parts` (a list of `type` and `text`), and `raw`.
    pub fn letters(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.kept()).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
        paths.sort();
        paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    /// What it wrote to its log since the first start.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn place(&self) -> &Path {
        self.directory.path()
    }

    fn kept(&self) -> PathBuf {
        self.place().join("kept")
    }

    fn log_path(&self) -> PathBuf {
        self.place().join("log")
    }
}
