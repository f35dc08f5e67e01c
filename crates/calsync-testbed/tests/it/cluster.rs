//! A cluster: what was committed survives, and nothing of it survives its value.

use std::path::Path;
use std::process::{Command, Stdio};

use calsync_testbed::postgres::{Auth, Cluster, ClusterOptions, Mode};

/// Like the cluster's own `psql`, but from outside over TCP.
fn outside(url: &str, sql: &str) -> Result<String, String> {
    let output = Command::new("psql").args(["-XAtqc", sql, url]).output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn what_was_committed_survives_every_end() {
    let mut cluster = Cluster::start(&ClusterOptions::default());
    let url = cluster.create_database("data");
    outside(&url, "CREATE TABLE seen (n int)").unwrap();
    cluster.psql("data", "INSERT INTO seen VALUES (1); SET ROLE app; INSERT INTO seen VALUES (2)").unwrap();
    for (n, end) in [(3, None), (4, Some(Mode::Immediate)), (5, Some(Mode::Fast))] {
        outside(&url, &format!("INSERT INTO seen VALUES ({n})")).unwrap();
        match end {
            None => {
                cluster.kill();
                assert!(outside(&url, "SELECT 1").unwrap_err().contains("refused"));
                cluster.start_again();
            }
            Some(mode) => cluster.restart(mode),
        }
        assert_eq!(outside(&url, "SELECT max(n), count(*) FROM seen").unwrap(), format!("{n}|{n}"));
    }
    assert_eq!(cluster.log().matches("was not properly shut down").count(), 2);
}

#[test]
fn it_is_as_the_options_say() {
    let careful = Cluster::start(&ClusterOptions { max_connections: 17, ..ClusterOptions::default() });
    let show = |name: &str| outside(&careful.url("postgres"), &format!("SHOW {name}")).unwrap();
    for (name, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("max_connections", "17"),
        ("server_encoding", "UTF8"),
        ("lc_collate", "C.UTF-8"),
        ("lc_ctype", "C.UTF-8"),
        ("is_superuser", "off"),
    ] {
        assert_eq!(show(name), value, "{name}");
    }
    let wrong = careful.url_with("app", Some("wrong"), "postgres", &[]);
    assert!(outside(&wrong, "SELECT 1").unwrap_err().contains("password authentication failed"));
    assert!(careful.psql("postgres", "SELECT 1; SELEC 2; SELECT 3").unwrap_err().contains("syntax error"));

    let open = ClusterOptions { auth: Auth::Trust, ..ClusterOptions::default() }.set("wal_level", "logical");
    let open = Cluster::start(&open);
    let parameters = [("application_name", "a b"), ("sslmode", "disable")];
    let url = open.url_with("app", None, "postgres", &parameters);
    assert_eq!(outside(&url, "SHOW application_name").unwrap(), "a b");
    assert_eq!(outside(&url, "SHOW wal_level").unwrap(), "logical");
}

#[test]
fn a_pause_is_silence_and_not_an_error() {
    let cluster = Cluster::start(&ClusterOptions::default());
    cluster.pause();
    let mut asks = Command::new("psql");
    asks.args(["-XAtqc", "SELECT 1", &cluster.url("postgres")]).stdout(Stdio::null());
    let mut asking = asks.spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(asking.try_wait().unwrap().is_none(), "somebody answered");
    cluster.resume();
    assert!(asking.wait().unwrap().success());
}

/// Whether there is such a process. A zombie is gone: whoever adopted it is merely slow.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.starts_with(" Z"))
}

/// Whether a process made System V shared memory that is still there.
fn left_shared_memory(creator: &str) -> bool {
    let segments = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
    segments.lines().any(|line| line.split_whitespace().nth(4) == Some(creator))
}

#[test]
fn nothing_is_left_of_it_even_if_the_test_fails() {
    for end in ["running", "paused", "killed"] {
        let (tell, told) = std::sync::mpsc::channel();
        let failed = std::panic::catch_unwind(move || {
            let mut cluster = Cluster::start(&ClusterOptions::default());
            let sql = "SHOW data_directory; SELECT pid FROM pg_stat_activity WHERE backend_type <> 'client backend'";
            let data_and_processes = cluster.psql("postgres", sql).unwrap();
            let postmaster = cluster.pid().unwrap().to_string();
            assert!(left_shared_memory(&postmaster), "so the test looks at the right place");
            tell.send((postmaster, data_and_processes)).unwrap();
            match end {
                "paused" => cluster.pause(),
                "killed" => cluster.kill(),
                _ => {}
            }
            std::panic::resume_unwind(Box::new("as a failed assertion would"));
        });
        assert!(failed.is_err());
        let (postmaster, told) = told.recv().unwrap();
        let (data, children) = told.split_once('\n').unwrap();
        assert!(children.lines().count() >= 3, "checkpointer and writers at least: {children}");
        let left: Vec<_> = children.lines().chain([&*postmaster]).filter(|pid| lives(pid)).collect();
        assert!(left.is_empty(), "{end}: {left:?}");
        assert!(data.starts_with('/') && !Path::new(data).parent().unwrap().exists(), "{end}");
        assert!(!left_shared_memory(&postmaster), "{end}");
    }
}
