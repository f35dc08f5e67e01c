//! A second server that follows a first one by streaming replication, and can take its place. It never takes it by
//! itself.

use super::{Cluster, SUPERUSER, programs};
use crate::account;
use crate::process::{self, PATIENCE, within};

/// What a commit on the primary waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Not for the standby.
    #[default]
    No,
    /// Until the standby has it on disk: none that was confirmed is lost.
    Flushed,
    /// Until the standby shows it, too.
    Applied,
}

/// How a standby follows.
#[derive(Clone, Copy, Debug, Default)]
pub struct StandbyOptions {
    /// What a commit on the primary waits for.
    pub synchronous: Synchronous,
}

impl Cluster {
    /// Starts a standby of a primary that runs, and waits until it follows. Options, roles and certificates are those of
    /// the primary.
    ///
    /// If commits wait for it and it goes away they wait for ever: `ALTER SYSTEM RESET synchronous_standby_names` and
    /// `SELECT pg_reload_conf()` on the primary end that.
    pub fn standby(primary: &Self, options: &StandbyOptions) -> Self {
        let mut standby = Self::new(primary.options.clone());
        let name = format!("standby_{}", standby.port());
        let mut backup = account::command(&programs::find("pg_basebackup"), "KILL");
        backup.args(["--no-sync", "--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "-D"]);
        backup.arg(standby.data()).arg("-d").arg(format!(
            "host={} port={} user={SUPERUSER} application_name={name}",
            primary.directory().display(),
            primary.port()
        ));
        process::run(&mut backup);
        standby.start_again();
        let follows = format!(
            "SELECT count(*) FROM pg_stat_replication WHERE application_name = '{name}' AND state = 'streaming'"
        );
        assert!(
            within(PATIENCE, || asks(primary, &follows) == "1"),
            "it does not follow:\n{}",
            standby.log()
        );

        // Who is promoted waits for nobody: that it followed one who waited does not mean that anyone follows it.
        asks(&standby, "ALTER SYSTEM SET synchronous_standby_names = ''");
        let waits_for = match options.synchronous {
            Synchronous::No => return standby,
            Synchronous::Flushed => "on",
            Synchronous::Applied => "remote_apply",
        };
        asks(
            primary,
            &format!(
                "ALTER SYSTEM SET synchronous_commit = {waits_for};
                 ALTER SYSTEM SET synchronous_standby_names = '{name}';
                 SELECT pg_reload_conf()"
            ),
        );
        let in_step = format!("{follows} AND sync_state = 'sync'");
        assert!(
            within(PATIENCE, || asks(primary, &in_step) == "1"),
            "it is not waited for:\n{}",
            primary.log()
        );
        standby
    }

    /// Makes a standby a primary, and waits until it takes writes. Nobody tells the old one: stop it first.
    pub fn promote(&self) {
        assert_eq!(asks(self, "SELECT pg_promote()"), "t", "it is not promoted:\n{}", self.log());
    }
}

fn asks(cluster: &Cluster, sql: &str) -> String {
    cluster.psql(SUPERUSER, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}
