//! A pgbouncer before a cluster, pooling by transaction: two transactions of one client may meet different sessions of
//! the server. Its other settings are its defaults, so that what it refuses to an operator it refuses to a test.

use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;

use super::{APP, APP_PASSWORD, Auth, Cluster, programs};
use crate::account;
use crate::directory::Directory;
use crate::port::Port;
use crate::process::{PATIENCE, Process, within};

/// A pgbouncer that knows the role [`APP`] and every database of a cluster. Dropped, it is killed.
#[derive(Debug)]
pub struct Bouncer {
    // First, so that it is gone before its directory.
    process: Option<Process>,
    port: Port,
    password: Option<&'static str>,
    directory: Directory,
}

impl Bouncer {
    /// Starts one and waits until it takes connections.
    pub fn start(cluster: &Cluster) -> Self {
        Self::start_with(cluster, &[])
    }

    /// The same with settings of its own, such as `("ignore_startup_parameters", "extra_float_digits")`.
    pub fn start_with(cluster: &Cluster, settings: &[(&str, &str)]) -> Self {
        let (port, directory) = (Port::reserve(), Directory::new());
        let known = directory.path().join("users");
        account::write(&known, &format!("\"{APP}\" \"{APP_PASSWORD}\"\n"));
        let proof = match cluster.options.auth {
            Auth::Trust => "trust",
            Auth::Password => "scram-sha-256",
        };
        let mut ini = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\n\
             unix_socket_dir =\npool_mode = transaction\nauth_type = {proof}\nauth_file = {}\n\
             admin_users = {APP}\n",
            cluster.port(),
            port.number(),
            known.display()
        );
        for (name, value) in settings {
            ini.push_str(&format!("{name} = {value}\n"));
        }
        account::write(&directory.path().join("pgbouncer.ini"), &ini);
        let mut bouncer = Self { process: None, port, password: cluster.options.password(), directory };
        bouncer.start_again();
        bouncer
    }

    /// Starts it again on the same port, after [`Bouncer::kill`].
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let mut command = account::command(&account::find("pgbouncer", &[]), "KILL");
        command.arg(self.directory.path().join("pgbouncer.ini"));
        let mut process = Process::start(command, &self.log_path());
        let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port.number())).is_ok();
        let answers = within(PATIENCE, || !process.runs() || listens());
        assert!(answers && process.runs(), "pgbouncer does not start:\n{}", self.log());
        self.process = Some(process);
    }

    /// Kills it: connections break, and new ones are refused. The cluster rolls back what was open.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// Where a database of the cluster is through it, for the role [`APP`]. Its own is called `pgbouncer`, for commands
    /// such as `SHOW POOLS`.
    pub fn url(&self, database: &str) -> String {
        programs::url(self.port.number(), APP, self.password, database, &[])
    }

    /// Runs SQL through it as [`APP`], as [`Cluster::psql`] does without it.
    ///
    /// # Errors
    /// What psql says is wrong.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        programs::psql(&self.url(database), sql)
    }

    /// What it wrote to its log since the first start.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}
