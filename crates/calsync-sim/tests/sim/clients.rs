//! Google's own client libraries against the look-alike on a free port. They need a folder that
//! `script/client-libraries` makes; without it the test is skipped, but never in CI.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use calsync_sim::{RunningSimulator, SimConfig, Simulator};

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
    let running = Simulator::start(config).await.unwrap();
    running.seed_person("ann@example.com", TOKEN).unwrap();
    running.cloud().with(stage);
    running
}

/// How long a script may take, in steps of 50 ms.
const STEPS_MAX: u32 = 2_400;

/// Runs a script against the simulator, which serves it meanwhile.
async fn run(mut program: Command, running: &RunningSimulator) {
    program.args([&running.google_base_url(), TOKEN, TEAM, HOLIDAYS]);
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

#[tokio::test]
async fn the_python_client_reads_and_writes() {
    let Some(dir) = libraries() else { return };
    let running = simulator().await;
    let mut python = Command::new(dir.join("venv/bin/python"));
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/google_python.py"));
    run(python, &running).await;
    running.shutdown().await;
}

#[tokio::test]
async fn the_node_client_reads_and_writes() {
    let Some(dir) = libraries() else { return };
    let running = simulator().await;
    let mut node = Command::new("node");
    node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/google_node.mjs"));
    node.env("CALSYNC_CLIENTS_DIR", dir);
    run(node, &running).await;
    running.shutdown().await;
}
