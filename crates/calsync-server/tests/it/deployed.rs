//! What `deploy/` starts, as far as it goes without a container engine or a cluster: the settings of every container are ones that
//! the program starts with, and every command line is one that it understands.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{PROGRAM, finish};

fn deploy(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Settings that a file gives to a container: `NAME=value` of an image, `NAME: value` of YAML.
fn settings(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(|line| line.trim().trim_start_matches("ENV ").trim_end_matches(" \\"));
    let named = lines.filter(|line| line.starts_with("CALENDAR_SYNC__"));
    let pairs = named.filter_map(|line| line.split_once(": ").or_else(|| line.split_once('=')));
    pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
}

/// A secret as the guide has it made.
fn secret(file: &str) -> &'static str {
    match file {
        "database-url" => "postgres://calendar_sync:0a1b@postgres:5432/calendar_sync",
        "redis-url" => "redis://:0a1b@redis:6379/0",
        "sealing-key" => "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "monitoring-token" => "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
        other => panic!("nobody says how {other} is made"),
    }
}

#[test]
fn the_settings_of_every_container_are_ones_that_the_program_starts_with() {
    let image = settings(&deploy("docker/Dockerfile"));
    assert!(image.contains_key("CALENDAR_SYNC__SERVER__BIND"), "{image:?}");
    for (file, least) in [
        ("compose/person/compose.yaml", 4),
        ("compose/company/compose.yaml", 8),
        ("kubernetes/base/settings.yaml", 8),
    ] {
        let own = settings(&deploy(file));
        assert!(own.len() >= least, "{file}: {own:?}");
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["config", "check"]).env_clear().current_dir(dir.path());
        for (name, value) in image.clone().into_iter().chain(own) {
            let value = if value.starts_with("/run/secrets/") {
                let name = PathBuf::from(&value).file_name().unwrap().to_str().unwrap().to_owned();
                std::fs::write(dir.path().join(&name), secret(&name)).unwrap();
                dir.path().join(name).to_str().unwrap().to_owned()
            } else {
                value.replace("${DOMAIN:?the name by which others reach this machine}", "sync.example.com")
            };
            command.env(name, value);
        }
        let ran = finish(command);
        assert_eq!(ran.code, 0, "{file}: {} {}", ran.out, ran.err);
    }
}

#[test]
fn every_command_line_is_one_that_the_program_understands() {
    let mut lines = BTreeSet::new();
    let timers = ["cleanup", "doctor", "full", "health", "maintenance", "poll"];
    let units = timers.map(|job| format!("systemd/calendar-sync-{job}.service"));
    for file in
        units.iter().map(String::as_str).chain(["systemd/calendar-sync.service", "cron/calendar-sync"])
    {
        for line in deploy(file).lines().filter(|line| !line.starts_with('#')) {
            let after = line
                .split_once("ExecStart=calendar-sync ")
                .or_else(|| line.split_once(".lock calendar-sync "));
            if let Some((_, arguments)) = after {
                lines.insert(arguments.split(" 2>&1").next().unwrap().to_owned());
            }
        }
    }
    for file in ["migrate", "scheduler", "web", "worker"] {
        for line in deploy(&format!("kubernetes/base/{file}.yaml")).lines() {
            if let Some(list) = line.trim().strip_prefix("args: [") {
                lines.insert(list.trim_end_matches(']').replace(',', ""));
            }
        }
    }
    assert!(lines.len() >= 11, "{lines:?}");
    for line in lines {
        let mut command = Command::new(PROGRAM);
        // Help comes last: what stands before it has been understood.
        command.args(line.split_whitespace()).arg("--help").env_clear();
        let ran = finish(command);
        assert_eq!(ran.code, 0, "calendar-sync {line}: {}", ran.err);
    }
}
