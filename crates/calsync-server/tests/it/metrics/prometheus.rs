//! A real Prometheus and its tool: the page is as it should be, the rules are sound, and every query of the dashboard is
//! answered with data after a `demo` that it scraped.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use calsync_testbed::prometheus::{Prometheus, promtool};
use serde_json::Value;

use super::scrape;
use crate::channels::now;
use crate::place::{PROGRAM, until};
use crate::web::client;

/// The demo goes on while it is asked.
const DEMO: &str = "120s";
/// How long all queries may take to have data.
const PATIENCE: Duration = Duration::from_secs(60);

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(deploy(path)).unwrap()
}

const RULES: [&str; 2] = ["prometheus/rules/recording.yml", "prometheus/rules/alerts.yml"];
const TESTS: [&str; 2] = ["prometheus/tests/receipt.yml", "prometheus/tests/system.yml"];

#[track_caller]
fn accepts(args: &[&str], files: &[&str]) {
    let files: Vec<String> = files.iter().map(|file| deploy(file).display().to_string()).collect();
    let all: Vec<&str> = args.iter().copied().chain(files.iter().map(String::as_str)).collect();
    if let Err(said) = promtool(&all, "") {
        panic!("promtool {}: {said}", all.join(" "));
    }
}

#[test]
fn the_rules_are_sound_and_each_alert_is_tested() {
    accepts(&["check", "rules"], &RULES);
    accepts(&["test", "rules"], &TESTS);
    accepts(&["check", "config", "--syntax-only"], &["prometheus/prometheus.yml"]);
    let tests = TESTS.map(text).concat();
    let rules = text(RULES[1]);
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 15, "{alerts:?}");
    for alert in alerts {
        let fires = format!("ALERTS{{alertname=\"{alert}\", alertstate=\"firing\"");
        let named = format!("labels: {fires}");
        assert!(tests.contains(&named), "no test makes {alert} fire");
    }
}

/// A demo that runs until it is dropped.
struct Demo {
    child: Child,
    address: SocketAddr,
    token: String,
}

impl Demo {
    fn start() -> Demo {
        let mut command = Command::new(PROGRAM);
        command.args(["demo", "--for", DEMO, "--seed", "1"]).env_clear();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut after = |words: &str| {
            let found = lines.find_map(|line| Some(line.trim().strip_prefix(words)?.trim().to_owned()));
            found.unwrap_or_else(|| panic!("the demo does not say {words:?}"))
        };
        let url = url::Url::parse(&after("metrics")).unwrap();
        let token = after("with the bearer token");
        let address = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap()).parse().unwrap();
        assert_eq!(url.path(), "/metrics");
        // It goes on telling: somebody has to listen, or it would wait.
        std::thread::spawn(move || lines.for_each(drop));
        Demo { child, address, token }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every query of the dashboard: of panels, of variables, and of its annotations.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&text("grafana/calendar-sync.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: std::collections::BTreeSet<i64> =
        panels.iter().filter_map(|panel| panel["id"].as_i64()).collect();
    assert_eq!(ids.len(), panels.len(), "a panel's id twice");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

/// As Grafana asks it.
fn filled(query: &str) -> String {
    let query =
        query.replace("$__rate_interval", "5s").replace("$job", "calendar-sync").replace("$instance", ".*");
    assert!(!query.contains('$'), "{query}");
    query
}

/// Whether a query has a value that is a number at any moment of the last minute.
async fn has_data(prometheus: &Prometheus, query: &str) -> bool {
    let now = now().micros() / 1_000_000;
    let (start, end) = ((now - 60).to_string(), now.to_string());
    let request = client().get(prometheus.url("/api/v1/query_range"));
    let asked = [("query", query), ("start", &start), ("end", &end), ("step", "1")];
    let answer: Value = request.query(&asked).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["status"], "success", "{query}: {answer}");
    let series = answer["data"]["result"].as_array().unwrap();
    let mut values = series.iter().filter_map(|one| one["values"].as_array()).flatten();
    values
        .any(|value| value[1].as_str().and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_finite))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_the_dashboard_is_answered_with_data_by_a_prometheus_that_scraped_a_demo() {
    let demo = Demo::start();
    let rules = RULES.map(deploy);
    let files: Vec<&Path> = rules.iter().map(PathBuf::as_path).collect();
    let prometheus = Prometheus::start("calendar-sync", &[demo.address], &demo.token, &files);
    let mut open: Vec<String> = queries().iter().map(|query| filled(query)).collect();
    assert!(open.len() >= 50, "{}", open.len());
    let began = tokio::time::Instant::now();
    while !open.is_empty() {
        let mut still = Vec::new();
        for query in open {
            if !has_data(&prometheus, &query).await {
                still.push(query);
            }
        }
        open = still;
        assert!(began.elapsed() < PATIENCE, "no data for {open:#?}\n{}", prometheus.log());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let page = scrape(demo.address, &demo.token).await;
    assert_eq!(page.status, 200);
    if let Err(said) = promtool(&["check", "metrics"], &page.body) {
        panic!("promtool check metrics: {said}");
    }
    // What the rules record is there too, and nothing but the level may be on the way to an alert.
    until("the rules record", PATIENCE, async || {
        has_data(&prometheus, "calendar_sync:receipts_bad:ratio5m").await.then_some(())
    })
    .await;
}
