//! A PostgreSQL server of one's own, run by an unprivileged user with all that makes it durable switched on: what was
//! committed must survive [`Cluster::kill`]. It never listens on anything but loopback.

mod bouncer;
mod database;
mod options;
mod programs;
mod standby;
mod template;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::account;
use crate::certificates;
use crate::directory::Directory;
use crate::port::Port;
use crate::process::{PATIENCE, Process, within};

pub use bouncer::Bouncer;
pub use database::{Database, SHARED};
pub use options::{Auth, ClusterOptions, Mode, Tls};
pub use standby::{StandbyOptions, Synchronous};

/// The role that tests connect as. It may create databases, and nothing else that is special.
pub const APP: &str = "app";
/// Its password, in need of encoding in a URL.
pub const APP_PASSWORD: &str = "not a secret: %40/?";
/// The superuser, who may come in without a password through the socket only.
const SUPERUSER: &str = "postgres";
/// What it has to be told of its certificate.
const TLS_SETTINGS: &str = "ssl = 'on'\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\n";

/// A PostgreSQL server with its data. Dropped, it is stopped at once and its data deleted.
#[derive(Debug)]
pub struct Cluster {
    // First, so that it is gone before its directory.
    process: Option<Process>,
    port: Port,
    options: ClusterOptions,
    directory: Directory,
}

impl Cluster {
    /// Starts an empty one and waits until it answers.
    pub fn start(options: &ClusterOptions) -> Self {
        let mut cluster = Self::new(options.clone());
        template::copy_to(cluster.directory.path());
        let tls = match options.tls {
            Tls::Off => "",
            Tls::Offered | Tls::Required => {
                certificates::certify(&cluster.data());
                TLS_SETTINGS
            }
        };
        account::write(&cluster.data().join("postgresql.conf"), &format!("{}{tls}", options.settings_file()));
        account::write(&cluster.data().join("pg_hba.conf"), &options.admission_file());
        cluster.start_again();
        cluster
    }

    /// One without data as yet, which does not run.
    fn new(options: ClusterOptions) -> Self {
        Self { process: None, port: Port::reserve(), options, directory: Directory::new() }
    }

    /// Starts it again on the same port with the data that it has, after [`Cluster::stop`] or [`Cluster::kill`].
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        // Orphaned, it shuts down at once: killed, it would leave its children behind for a moment.
        let mut command = account::command(&programs::find("postgres"), "QUIT");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.directory.path());
        command.args(["-p", &self.port().to_string()]);
        let mut process = Process::start(command, &self.log_path());
        let answers = within(PATIENCE, || !process.runs() || self.is_ready(process.pid()));
        assert!(answers && process.runs(), "PostgreSQL does not start:\n{}", self.log());
        self.process = Some(process);
    }

    /// Shuts it down and waits for its end.
    pub fn stop(&mut self, mode: Mode) {
        let mut process = self.process.take().expect("it runs");
        process.signal(mode.signal());
        assert!(process.ends_within(PATIENCE), "PostgreSQL does not stop:\n{}", self.log());
    }

    /// Shuts it down as `mode` says, and starts it again.
    pub fn restart(&mut self, mode: Mode) {
        self.stop(mode);
        self.start_again();
    }

    /// Kills it and its children with signal 9: connections break, and nothing is tidied up. What it wrote without
    /// waiting for the disk is not lost by that, as it would be with the power.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
        programs::clean_up_after_kill(&self.data());
    }

    /// Stops it and its children in their tracks: connections stay open, new ones are accepted by the kernel, and
    /// nothing is answered.
    pub fn pause(&self) {
        self.process.as_ref().expect("it runs").pause();
    }

    /// Lets it go on after [`Cluster::pause`].
    pub fn resume(&self) {
        self.process.as_ref().expect("it runs").resume();
    }

    /// Where a database of it is, for the role [`APP`].
    pub fn url(&self, database: &str) -> String {
        self.url_with(APP, self.options.password(), database, &[])
    }

    /// Where a database of it is for anybody, with parameters such as `("sslmode", "verify-full")`. All is encoded here.
    pub fn url_with(
        &self,
        user: &str,
        password: Option<&str>,
        database: &str,
        parameters: &[(&str, &str)],
    ) -> String {
        programs::url(self.port(), user, password, database, parameters)
    }

    /// Makes a database that belongs to [`APP`], and gives its URL.
    pub fn create_database(&self, name: &str) -> String {
        let sql = format!("CREATE DATABASE \"{name}\" OWNER {APP}");
        self.psql(SUPERUSER, &sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        self.url(name)
    }

    /// Runs SQL as superuser, statement by statement up to the first that fails, and gives what psql prints: a line per
    /// row, columns set apart by `|`.
    ///
    /// # Errors
    /// What psql says is wrong.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let (directory, port) = (self.directory.path().display(), self.port());
        programs::psql(&format!("host={directory} port={port} user={SUPERUSER} dbname='{database}'"), sql)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The process id of the postmaster, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// What it wrote to its log since the first start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The certificate of the authority that signed its own, for `sslrootcert`.
    pub fn authority(&self) -> PathBuf {
        self.certificate(certificates::AUTHORITY)
    }

    /// The certificate of an authority that did not sign anything.
    pub fn stranger(&self) -> PathBuf {
        self.certificate(certificates::STRANGER)
    }

    fn certificate(&self, name: &str) -> PathBuf {
        assert!(self.options.tls != Tls::Off, "it was started without TLS");
        self.data().join(name)
    }

    fn data(&self) -> PathBuf {
        template::data_in(self.directory.path())
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Whether the server with this process id says that it takes connections. Its first line is the id, its eighth the
    /// state; `pg_ctl` looks at the same.
    fn is_ready(&self, pid: u32) -> bool {
        let told = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = told.lines();
        lines.next() == Some(&pid.to_string()) && lines.nth(6).is_some_and(|state| state.trim() == "ready")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.resume();
            process.signal(Mode::Immediate.signal());
            // If even that does not end it, the drop of the process kills it.
            process.ends_within(Duration::from_secs(10));
        }
    }
}
