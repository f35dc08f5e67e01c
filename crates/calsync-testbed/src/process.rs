//! A server as a process: started, watched, paused, killed, always by its id and never by its name. None outlives the
//! process that started it, however that one ends.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take before the test fails: long, for a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const LOOK_EVERY: Duration = Duration::from_millis(10);

type Order = (Command, Sender<io::Result<Child>>);

/// A server that was started. Dropped, it is killed together with its children.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts it, with all that it says appended to `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Self {
        let out = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        // What a person types at the terminal is for the tests: they bring their servers down themselves.
        command.process_group(0);
        let child = spawn(command).unwrap_or_else(|error| panic!("setpriv can't be run: {error}"));
        Self { child }
    }

    /// Its process id, valid until it was waited for.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        signal(name, &[self.pid()]);
    }

    /// Waits for its end. False if that takes too long.
    pub(crate) fn ends_within(&mut self, patience: Duration) -> bool {
        within(patience, || !self.runs())
    }

    /// Stops it and its children in their tracks: they keep their connections, and answer nothing.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
        // Not at once: until then it may have another child.
        let stands = |pid: &u32| matches!(state(*pid), None | Some('T' | 'Z' | 'X'));
        assert!(within(PATIENCE, || stands(&self.pid())), "process {} does not stop", self.pid());
        let children = descendants(self.pid());
        signal("STOP", &children);
        assert!(within(PATIENCE, || children.iter().all(stands)), "a child of {} does not stop", self.pid());
    }

    /// Lets them go on.
    pub(crate) fn resume(&self) {
        let mut all = descendants(self.pid());
        all.push(self.pid());
        signal("CONT", &all);
    }

    /// Kills it and its children with signal 9, and waits until all are gone.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if !self.runs() {
            return;
        }
        // While it stands still its children change neither number nor id.
        self.pause();
        let children = descendants(self.pid());
        signal("KILL", &children);
        self.signal("KILL");
        self.child.wait().unwrap();
        // A zombie is gone: whoever adopted it is merely slow.
        let gone = |pid: &u32| matches!(state(*pid), None | Some('Z' | 'X'));
        assert!(within(PATIENCE, || children.iter().all(gone)), "processes outlive kill -9");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs something to its end, which must be a good one.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {said}{wrong}");
    said.into_owned()
}

/// Looks again and again until it holds. False if that takes too long.
pub(crate) fn within(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if began.elapsed() > patience {
            return false;
        }
        sleep(LOOK_EVERY);
    }
}

/// Sends a signal to each of some processes. One that has just ended is no error.
fn signal(name: &str, pids: &[u32]) {
    if pids.is_empty() {
        return;
    }
    // The shell's own `kill`: the program of that name is not on every machine.
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"kill -s "$0" "$@""#, name]).args(pids.iter().map(u32::to_string));
    shell.stderr(Stdio::null()).status().unwrap();
}

/// The state letter and the parent of a process. None if there is no such process.
fn look(pid: u32) -> Option<(char, u32)> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // A name in parentheses may hold anything, so count from where it ends.
    let mut fields = line.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn state(pid: u32) -> Option<char> {
    look(pid).map(|(state, _)| state)
}

/// The children of a process, and theirs.
pub(crate) fn descendants(of: u32) -> Vec<u32> {
    let all =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let parents: Vec<(u32, u32)> = all.filter_map(|pid| Some((pid, look(pid)?.1))).collect();
    let mut family = vec![of];
    let mut at = 0;
    while at < family.len() {
        let parent = family[at];
        family.extend(parents.iter().filter(|(_, its)| *its == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    family.split_off(1)
}

/// Starts a child from a thread that ends only with this process. The kernel tells a child of the end of the *thread*
/// that started it, and the thread of a test may end long before its server should.
fn spawn(command: Command) -> io::Result<Child> {
    static KEEPER: OnceLock<Sender<Order>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                // Nobody waits for the answer any more: then its server goes with it.
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, answered) = channel();
    keeper.send((command, answer)).expect("the keeper lives as long as the process");
    answered.recv().expect("the keeper answers every order")
}
