//! Every target over its corpus, and over a bounded number of mutations of each input, on the ordinary compiler. The
//! mutations come from a seed: what failed once fails again. The long search is cargo-fuzz's (`script/fuzz`).

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "these are tests")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use calsync_fuzz::{Cost, TARGETS, Target};

/// Longest input that a mutation makes.
const LONGEST: usize = 16 * 1024;
/// Bytes that parsers turn at.
const TELLING: &[u8] = b"\"\\{}[]:,.;=/%&?#@<>+- \n\r\t\0\x7f\xff09azAZ_";

/// Mutations of one target.
const fn mutations(cost: Cost) -> usize {
    match cost {
        Cost::Little => 20_000,
        Cost::Some => 1_000,
        Cost::Much => 500,
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = root().join("corpus").join(target.name);
    let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("no corpus in {}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

/// A generator whose numbers are the same on every machine (splitmix64).
struct Dice(u64);

impl Dice {
    fn of(name: &str) -> Dice {
        Dice(
            name.bytes()
                .fold(0xca1e_0dab, |seed, b| seed.wrapping_mul(0x100_0193).wrapping_add(u64::from(b))),
        )
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.throw() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        if self.below(4) == 0 { self.throw().to_le_bytes()[0] } else { TELLING[self.below(TELLING.len())] }
    }

    /// One change or several, of what is there and with what others hold.
    fn mutate(&mut self, inputs: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut data = inputs[self.below(inputs.len())].1.clone();
        for _ in 0..=self.below(4) {
            let (at, to) = (self.below(data.len() + 1), self.below(data.len() + 1));
            let (from, to) = (at.min(to), at.max(to));
            match self.below(7) {
                0 if at < data.len() => data[at] ^= 1 << self.below(8),
                1 if at < data.len() => data[at] = self.byte(),
                2 => data.insert(at, self.byte()),
                3 => data.truncate(at),
                4 => drop(data.drain(from..to.min(from + 32))),
                5 => {
                    let twice = data[from..to].to_vec();
                    data.splice(from..from, twice);
                }
                _ => {
                    let other = &inputs[self.below(inputs.len())].1;
                    let cut = self.below(other.len() + 1);
                    data.splice(at.., other[cut..].iter().copied());
                }
            }
        }
        data.truncate(LONGEST);
        data
    }
}

/// What breaks a judge is kept beside the others of its kind, so that it can be looked at and becomes a test.
fn judge(target: &Target, told: &str, data: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| (target.judge)(data))).is_err() {
        let folder = root().join("artifacts").join(target.name);
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("smoke");
        fs::write(&path, data).unwrap();
        panic!(
            "{}: {told} breaks it, and is kept in {}:\n{}",
            target.name,
            path.display(),
            data.escape_ascii()
        );
    }
}

fn smoke(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let inputs = corpus(target);
    assert!(!inputs.is_empty(), "{name} has no corpus");
    for (path, data) in &inputs {
        judge(target, path, data);
    }
    judge(target, "nothing at all", b"");
    let mut dice = Dice::of(name);
    for n in 0..mutations(target.cost) {
        let data = dice.mutate(&inputs);
        judge(target, &format!("mutation {n}"), &data);
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            smoke(stringify!($name));
        })*

        #[test]
        fn every_target_is_run_here_and_by_cargo_fuzz() {
            let here = [$(stringify!($name)),*];
            let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(here.as_slice(), all);
            let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
            for name in all {
                assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml lacks {name}");
                let program = fs::read_to_string(root().join(format!("fuzz_targets/{name}.rs"))).unwrap();
                assert!(program.contains(&format!("calsync_fuzz::{name}(data)")), "{program}");
            }
        }
    };
}

targets! {
    config cursors forwarded google_account google_calendars google_event google_listing google_notification id_tokens
    keys marks microsoft_account microsoft_calendars microsoft_handshake microsoft_listing microsoft_notification oidc
    places recurrence refusals requests retry_after sealed times
}
