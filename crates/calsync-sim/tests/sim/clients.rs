//! The providers' own client libraries against the look-alikes on free ports. They need a folder that
//! `script/client-libraries` makes; without it the test is skipped, but never in CI.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use calsync_sim::microsoft::Audience;
use calsync_sim::{RunningSimulator, SimConfig, Simulator};

use crate::microsoft::program;
use crate::stage::{HOLIDAYS, TEAM, TOKEN, client, now, stage};

/// Where the libraries are, if anywhere.
fn libraries() -> Option<PathBuf> {
    match std::env::var_os("CALSYNC_CLIENTS_DIR").map(PathBuf::from) {
        Some(dir) => Some(dir),
        None if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("CALSYNC_CLIENTS_DIR must name a folder made by script/client-libraries")
        }
        None => {
            eprintln!("skipped: CALSYNC_CLIENTS_DIR is not set (see script/client-libraries)");
            None
        }
    }
}

async fn simulator() -> RunningSimulator {
    let mut config = SimConfig::starting_at(now());
    config.google.clients = vec![client("app")];
    config.microsoft.clients = vec![program("app", Audience::Everybody)];
    let running = Simulator::start(config).await.unwrap();
    running.seed_person("ann@example.com", TOKEN).unwrap();
    running.cloud().with(stage);
    running
}

/// How long a script may take, in steps of 50 ms.
const STEPS_MAX: u32 = 2_400;

/// Runs a script, which the simulator serves meanwhile.
async fn run(mut program: Command, args: &[&str]) {
    program.args(args);
    let mut child =
        program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut steps = 0;
    while child.try_wait().unwrap().is_none() {
        if steps == STEPS_MAX {
            child.kill().unwrap();
        }
        steps += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    eprintln!("{}", said.trim());
}

/// Runs a script in Python's libraries' surroundings.
fn python(dir: &Path, script: &str) -> Command {
    let mut python = Command::new(dir.join("venv/bin/python"));
    python.arg(format!("{}/tests/clients/{script}", env!("CARGO_MANIFEST_DIR")));
    python
}

/// The same in Node's.
fn node(dir: &Path, script: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(format!("{}/tests/clients/{script}", env!("CARGO_MANIFEST_DIR")));
    node.env("CALSYNC_CLIENTS_DIR", dir);
    node
}

#[tokio::test]
async fn googles_python_client_reads_and_writes() {
    let Some(dir) = libraries() else { return };
    let running = simulator().await;
    run(python(&dir, "google_python.py"), &[&running.google_base_url(), TOKEN, TEAM, HOLIDAYS]).await;
    running.shutdown().await;
}

#[tokio::test]
async fn googles_node_client_reads_and_writes() {
    let Some(dir) = libraries() else { return };
    let running = simulator().await;
    run(node(&dir, "google_node.mjs"), &[&running.google_base_url(), TOKEN, TEAM, HOLIDAYS]).await;
    running.shutdown().await;
}

#[tokio::test]
async fn microsofts_python_client_reads_and_writes() {
    let Some(dir) = libraries() else { return };
    let running = simulator().await;
    run(python(&dir, "graph_python.py"), &[&running.microsoft_base_url(), TOKEN]).await;
    running.shutdown().await;
}

#[tokio::test]
async fn microsofts_node_client_reads_and_writes() {
    let Some(dir) = libraries() else { return };
    let running = simulator().await;
    run(node(&dir, "graph_node.mjs"), &[&running.microsoft_base_url(), TOKEN]).await;
    running.shutdown().await;
}
