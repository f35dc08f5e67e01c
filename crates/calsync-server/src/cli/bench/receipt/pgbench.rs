//! PostgreSQL's own load generator, doing the single-row insert that a receipt amounts to, over the same way to the same
//! server. A program of PostgreSQL's, not of ours: where it is missing, there is no figure.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use calsync_store::limits::pgbench::{self, Into};
use url::Url;

use super::super::failed;
use super::super::figures::{number, ratio};
use super::bed::{Bed, SUBSCRIPTIONS};
use super::limits;
use crate::cli::exit::Failure;

/// So much longer than told it may take: it connects before it begins.
const PATIENCE: Duration = Duration::from_secs(60);
/// A script that only connects: what that costs the server is no part of a row.
const CONNECT: &str = "\\set nothing 0\n";
/// What it says is short.
const WORDS_MAX: u64 = 64 * 1024;

/// What it reached.
#[derive(Clone, Copy)]
pub(super) struct Raced {
    /// Rows per second.
    pub(super) rate: f64,
    /// Processor time of the server for each row, in microseconds.
    pub(super) server_us: Option<f64>,
}

/// Whether there is a figure.
pub(super) type Race = Result<Raced, String>;

/// Runs it for as many whole seconds as the length asks for.
pub(super) async fn race(
    bed: &mut Bed<'_>,
    into: Into,
    connections: u16,
    length: Duration,
) -> Result<Race, Failure> {
    let like = limits::row(bed, &mut 0)?;
    let Some(server) = bed.as_server() else { return Ok(Err("the database is a file".to_owned())) };
    server.own.clear().await?;
    let environment = environment(&server.url);
    let idle =
        run(bed, &environment, CONNECT, &["-c", &connections.to_string(), "-t", "1"], PATIENCE).await?;
    let script = pgbench::script(into, &like, SUBSCRIPTIONS);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(usize::from(connections));
    // The time that connecting takes counts for how long it runs, though not for the rate.
    let whole = (length + idle.took + idle.took / 2).as_secs_f64().ceil();
    let sizes = ["-c", &connections.to_string(), "-j", &threads.to_string(), "-T", &format!("{whole:.0}")];
    let busy = run(bed, &environment, &script, &sizes, length + 2 * PATIENCE).await?;
    let rate = match busy.said.as_deref().map(rate) {
        Ok(Some(rate)) => rate,
        Ok(None) => return Ok(Err("pgbench gives no rate".to_owned())),
        Err(why) => return Ok(Err(why.clone())),
    };
    let Some(server) = bed.as_server() else { return Ok(Err("there is no server".to_owned())) };
    let rows = number(server.own.count(into).await?);
    let cpu = busy.server_cpu.zip(idle.server_cpu).map(|(busy, idle)| busy.saturating_sub(idle));
    Ok(Ok(Raced { rate, server_us: cpu.map(|cpu| ratio(cpu.as_secs_f64() * 1e6, rows)) }))
}

/// One run of it.
struct Ran {
    /// What it told, or why it told nothing.
    said: Result<String, String>,
    took: Duration,
    server_cpu: Option<Duration>,
}

async fn run(
    bed: &mut Bed<'_>,
    environment: &[(&'static str, String)],
    script: &str,
    sizes: &[&str],
    patience: Duration,
) -> Result<Ran, Failure> {
    let mut file = tempfile::NamedTempFile::new().map_err(failed)?;
    file.write_all(script.as_bytes()).map_err(failed)?;
    let mut command = Command::new("pgbench");
    command.args(["-n", "-M", "prepared", "-f"]).arg(file.path()).args(sizes);
    command.envs(environment.iter().cloned());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let before = bed.meter().await?;
    let began = Instant::now();
    let said = tokio::task::spawn_blocking(move || finish(command, patience)).await.map_err(failed)?;
    Ok(Ran { said, took: began.elapsed(), server_cpu: bed.since(&before).await?.server_cpu })
}

/// Runs it to its end.
fn finish(mut command: Command, patience: Duration) -> Result<String, String> {
    let mut child = command.spawn().map_err(|e| format!("pgbench does not start: {e}"))?;
    let began = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() < patience => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err("pgbench did not come to an end".to_owned());
            }
        }
    };
    let (told, complaints) = words(&mut child);
    if status.success() {
        return Ok(told);
    }
    Err(format!("pgbench: {}", complaints.lines().last().unwrap_or("it failed")))
}

/// Transactions per second, connecting aside.
fn rate(told: &str) -> Option<f64> {
    told.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
}

fn words(child: &mut Child) -> (String, String) {
    let (mut told, mut complaints) = (String::new(), String::new());
    if let Some(out) = child.stdout.take() {
        let _ = out.take(WORDS_MAX).read_to_string(&mut told);
    }
    if let Some(err) = child.stderr.take() {
        let _ = err.take(WORDS_MAX).read_to_string(&mut complaints);
    }
    (told, complaints)
}

/// The way to the server in the words of libpq. Not on the command line, where everybody could read the password.
fn environment(url: &Url) -> Vec<(&'static str, String)> {
    let parameter =
        |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let host = url.host_str().map(plain);
    let words = [
        ("PGHOST", parameter("host").or(host)),
        ("PGPORT", parameter("port").or(url.port().map(|port| port.to_string()))),
        ("PGUSER", parameter("user").or(Some(plain(url.username())).filter(|user| !user.is_empty()))),
        ("PGPASSWORD", parameter("password").or(url.password().map(plain))),
        ("PGDATABASE", Some(plain(url.path().trim_start_matches('/')))),
        ("PGSSLMODE", parameter("sslmode")),
        ("PGSSLROOTCERT", parameter("sslrootcert")),
    ];
    words.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Without the URL's encoding.
fn plain(part: &str) -> String {
    let pair = format!("={}", part.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_the_server_is_told_in_full() {
        let url = Url::parse("postgres://app:a%2Fb+%40%3F@127.0.0.1:7/x?sslmode=require").unwrap();
        let told = environment(&url);
        let told: Vec<(&str, &str)> = told.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(
            told,
            [
                ("PGHOST", "127.0.0.1"),
                ("PGPORT", "7"),
                ("PGUSER", "app"),
                ("PGPASSWORD", "a/b+@?"),
                ("PGDATABASE", "x"),
                ("PGSSLMODE", "require"),
            ]
        );
    }
}
