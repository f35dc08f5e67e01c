//! A place to run the compiled program in: a directory with a database, an address of its own, its settings, and
//! nothing of ours from the environment. What runs there is killed when the test lets go of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use calsync_core::ports::Store;
use calsync_store::{Migrate, SqlStore};
use tempfile::TempDir;

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_calendar-sync");

/// Waits until `look` finds something; `what` is said when it does not.
pub(crate) async fn until<T>(what: &str, most: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < most, "after {most:?} still not: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// An address that nobody else has: each test process has a loopback address of its own, so that a port is not taken
/// by others while its program is dead.
pub(crate) fn free_address() -> SocketAddr {
    free_listener().local_addr().expect("a bound socket has an address")
}

/// The same, and it listens.
pub(crate) fn free_listener() -> TcpListener {
    let own = Ipv4Addr::from(0x7f00_0000 | (0x0001_0000 + (std::process::id() & 0x003f_ffff)));
    TcpListener::bind((own, 0)).expect("the loopback has free ports")
}

/// What the program said and how it ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// It ended so.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// Its errors hold all of these words.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Ran {
        for word in words {
            assert!(self.err.contains(word), "{word:?} is missing in: {}", self.err);
        }
        self
    }

    /// Its result as JSON, in which no object names a key twice: of two values a program would read any.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        let Strict(value) =
            serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {:?} {:?}", self.out, self.err));
        value
    }
}

/// JSON that is read only where every key of an object stands there once.
struct Strict(serde_json::Value);

impl<'de> serde::Deserialize<'de> for Strict {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Strict, D::Error> {
        deserializer.deserialize_any(Once)
    }
}

struct Once;

impl<'de> serde::de::Visitor<'de> for Once {
    type Value = Strict;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some((key, Strict(value))) = map.next_entry::<String, Strict>()? {
            if object.insert(key.clone(), value).is_some() {
                return Err(serde::de::Error::custom(format!("{key:?} stands there twice")));
            }
        }
        Ok(Strict(object.into()))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Strict, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(value)) = list.next_element()? {
            array.push(value);
        }
        Ok(Strict(array.into()))
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict(serde_json::Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }
}

/// Where a program runs.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) address: SocketAddr,
    /// Where its database is.
    url: String,
    env: BTreeMap<String, String>,
}

impl Place {
    /// An empty one. Nothing listens there yet, and there is no database.
    pub(crate) fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("calendar-sync.db").display());
        Place::with(dir, url)
    }

    /// One whose database is on a server.
    pub(crate) fn on(url: &str) -> Place {
        Place::with(tempfile::tempdir().unwrap(), url.to_owned())
    }

    fn with(dir: TempDir, url: String) -> Place {
        let mut place = Place { dir, address: free_address(), url: url.clone(), env: BTreeMap::new() };
        place.set("SERVER__BIND", place.address.to_string());
        place.set("DATABASE__URL", url);
        place
    }

    /// Sets a setting, such as `SYNC__POLL_SECONDS`.
    pub(crate) fn set(&mut self, key: &str, value: impl ToString) {
        self.env.insert(format!("CALENDAR_SYNC__{key}"), value.to_string());
    }

    /// The setting has its default again.
    pub(crate) fn unset(&mut self, key: &str) {
        self.env.remove(&format!("CALENDAR_SYNC__{key}"));
    }

    /// Its programs believe this authority alone, as on a machine that knows no other.
    pub(crate) fn trust(&mut self, authority: &Path) {
        self.env.insert("SSL_CERT_FILE".to_owned(), authority.display().to_string());
    }

    /// Its settings, by the names of the environment.
    pub(crate) fn values(&self) -> BTreeMap<String, String> {
        self.env.clone()
    }

    /// Its database is a file somewhere else from now on.
    pub(crate) fn move_database(&mut self, file: &Path) {
        self.url = format!("sqlite://{}", file.display());
        self.set("DATABASE__URL", self.url.clone());
    }

    /// Providers reach it: it may ask for push.
    pub(crate) fn make_public(&mut self) {
        self.set("SERVER__PUBLIC_URL", format!("http://{}", self.address));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("calendar-sync.db")
    }

    /// A URL of the service.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The program with its settings, and these arguments.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_of(Path::new(PROGRAM), args)
    }

    /// Another program with the same settings.
    pub(crate) fn command_of(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.dir.path()).env_clear().envs(&self.env).args(args).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        finish(self.command(args))
    }

    /// Starts `serve` and waits until it answers.
    pub(crate) async fn serve(&self) -> Serving {
        let mut serving = self.start(self.command(&["serve"]));
        serving.answers(self).await;
        serving
    }

    /// Starts something whose output goes to a file of its own.
    pub(crate) fn start(&self, mut command: Command) -> Serving {
        let number = std::fs::read_dir(self.dir.path()).unwrap().count();
        let path = self.path(&format!("output-{number}.log"));
        let file = File::create(&path).unwrap();
        command.stdout(file.try_clone().unwrap()).stderr(file);
        Serving { child: command.spawn().expect("the program was built with its tests"), log: path }
    }

    /// The database, read beside the program.
    pub(crate) async fn store(&self) -> SqlStore {
        SqlStore::open(&self.url, Migrate::Check).await.expect("the database is there")
    }

    /// Looks something up in the database, and closes it again.
    pub(crate) async fn look<T>(&self, ask: impl AsyncFnOnce(&SqlStore) -> T) -> T {
        let store = self.store().await;
        let answer = ask(&store).await;
        Store::close(&store).await;
        answer
    }

    /// Does something to the SQLite file behind the program's back.
    #[track_caller]
    pub(crate) fn sql(&self, sql: &str) {
        let done =
            Command::new("sqlite3").args(["-cmd", ".timeout 5000"]).arg(self.database()).arg(sql).output();
        let done = done.expect("`script/test` installs sqlite3");
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Lets nobody else write to the SQLite file until it is dropped.
    pub(crate) fn lock(&self) -> Locked {
        lock(&self.database())
    }

    /// Everything that the place holds in files of this kind, as bytes.
    pub(crate) fn bytes_of(&self, belongs: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
        let files = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap());
        let named = files.map(|file| (file.file_name().to_string_lossy().into_owned(), file.path()));
        named
            .filter(|(name, path)| path.is_file() && belongs(name))
            .map(|(name, path)| (name, std::fs::read(path).unwrap()))
            .collect()
    }
}

/// Lets nobody else write to this SQLite file until it is dropped.
pub(crate) fn lock(database: &Path) -> Locked {
    let mut command = Command::new("sqlite3");
    command.arg(database).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("`script/test` installs sqlite3");
    let words = b".timeout 5000\nBEGIN IMMEDIATE;\nSELECT 'locked';\n";
    child.stdin.as_mut().unwrap().write_all(words).unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said.trim_end().lines().last(), Some("locked"));
    Locked(child)
}

/// A SQLite file that nobody else can write to.
pub(crate) struct Locked(Child);

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command to its end.
pub(crate) fn finish(mut command: Command) -> Ran {
    let output = command.output().expect("the program was built with its tests");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it speaks UTF-8");
    let code = output.status.code().unwrap_or(-1);
    Ran { code, out: text(output.stdout), err: text(output.stderr) }
}

/// Lines of a program's log that are shown with a test that failed.
const LAST_LINES: usize = 60;

/// A program that runs.
pub(crate) struct Serving {
    pub(crate) child: Child,
    log: PathBuf,
}

impl Serving {
    /// Waits until it listens.
    pub(crate) async fn answers(&mut self, place: &Place) {
        self.listens(place.address).await;
    }

    /// Waits until it listens there.
    pub(crate) async fn listens(&mut self, address: SocketAddr) {
        let began = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended with {status}: {}", self.log());
            }
            assert!(began.elapsed() < PATIENCE, "it does not listen: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// All it has said so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// Ends it as a power cut would, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, as a service manager does.
    pub(crate) fn ask_to_stop(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self, most: Duration) -> ExitStatus {
        until("the program has ended", most, async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Serving {
    #[allow(clippy::print_stderr, reason = "it is for whoever reads of a test that failed")]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its directory goes with the test: whoever reads of a failure has nothing else.
        if std::thread::panicking() {
            let said = std::fs::read(&self.log).unwrap_or_default();
            let said = String::from_utf8_lossy(&said);
            let lines: Vec<&str> = said.lines().collect();
            let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
            eprintln!("the program said at last:\n{}", last.join("\n"));
        }
    }
}
