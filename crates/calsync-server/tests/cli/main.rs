//! The compiled program, from its command line to its exit code: what a person or script sees.

mod bench;
mod config;
mod deploy;
mod store;
mod usage;

use std::path::Path;
use std::process::Command;

/// What the program said and how it ended.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    /// Its result as JSON.
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {:?} {:?}", self.out, self.err))
    }

    /// It ended so.
    fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }
}

/// Runs it in this directory with these variables and no others of ours.
fn run_with(dir: &Path, env: &[(&str, &str)], args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_calendar-sync"))
        .current_dir(dir)
        .env_clear()
        .envs(env.iter().copied())
        .args(args)
        .output()
        .expect("the program was built with its tests");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it speaks UTF-8");
    let ran = Ran {
        code: output.status.code().expect("it ended by itself"),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "colours in a pipe");
    ran
}

/// Runs it in this directory.
fn run(dir: &Path, args: &[&str]) -> Ran {
    run_with(dir, &[], args)
}
