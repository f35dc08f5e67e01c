//! What deploy/ ships: every command line in it is one that the program understands, and no unit is laxer than another.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::path::PathBuf;

use calsync_server::cli::args::Cli;
use clap::Parser;

/// What every service must say: the sandbox is written out in each, so that a file copied alone is as safe.
const SANDBOX: &[&str] = &[
    "User=calendar-sync",
    "StateDirectory=calendar-sync",
    "WorkingDirectory=%S/calendar-sync",
    "UMask=0077",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "CapabilityBoundingSet=",
    "MemoryDenyWriteExecute=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "SystemCallFilter=@system-service",
];

fn deploy(folder: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(folder)
}

/// The units with this ending, by name, and what stands in them.
fn units(ending: &str) -> Vec<(String, String)> {
    let files = std::fs::read_dir(deploy("systemd")).unwrap().map(|file| file.unwrap().path());
    let mut units: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|e| e == ending))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    units.sort();
    units
}

/// The program understands this; `line` begins with its name.
#[track_caller]
fn is_understood(line: &str, place: &str) {
    if let Err(error) = Cli::try_parse_from(line.split_whitespace()) {
        panic!("{place}: {line}: {error}");
    }
}

#[test]
fn every_command_of_a_unit_is_one_that_the_program_has() {
    let services = units("service");
    assert!(services.len() >= 2, "{services:?}");
    for (name, text) in &services {
        let lines =
            text.lines().filter_map(|line| line.trim_start_matches("# ").trim().strip_prefix("ExecStart="));
        let commands: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        assert!(!commands.is_empty(), "{name} starts nothing");
        for command in commands {
            // By its name alone it is found in /usr/local/bin and, from a package, in /usr/bin.
            assert!(command.starts_with("calendar-sync "), "{name}: {command}");
            is_understood(command, name);
        }
    }
}

#[test]
fn every_command_of_the_crontab_is_one_that_the_program_has() {
    let text = std::fs::read_to_string(deploy("cron/calendar-sync")).unwrap();
    let jobs: Vec<&str> =
        text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit() || c == '*')).collect();
    for job in &jobs {
        let fields: Vec<&str> = job.split_whitespace().collect();
        assert_eq!(fields[5], "calendar-sync", "its user: {job}");
        assert!(!job.contains('%'), "cron takes it for the end of a line: {job}");
        let (_, command) = job.split_once(".lock ").unwrap_or_else(|| panic!("not locked: {job}"));
        is_understood(command.split(" 2>").next().unwrap(), job);
    }
    assert_eq!(jobs.len(), units("timer").len(), "cron and systemd know the same jobs");
}

#[test]
fn every_service_is_shut_in_and_every_timer_has_one() {
    let services = units("service");
    for (name, text) in &services {
        let lines: Vec<&str> = text.lines().collect();
        for wanted in SANDBOX {
            assert!(lines.contains(wanted), "{name} lacks {wanted}");
        }
    }
    let jobs: Vec<&String> =
        services.iter().map(|(name, _)| name).filter(|name| name.contains("sync-")).collect();
    let timers = units("timer");
    assert_eq!(timers.iter().map(|(name, _)| name).collect::<Vec<_>>(), jobs);
    for (name, text) in &timers {
        assert!(text.contains("OnCalendar=") && text.contains("WantedBy=timers.target"), "{name}");
    }
}
