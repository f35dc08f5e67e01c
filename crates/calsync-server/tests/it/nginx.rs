//! The files of deploy/nginx in a real nginx, in front of the program: what providers send arrives, what nobody should send does
//! not, and no secret stands in its log. Only addresses, names and certificates are put in; every other line is tested as it ships.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use calsync_core::calendar::ProviderKind;
use calsync_testbed::nginx::Nginx;
use serde_json::json;

use crate::channels::{Channel, numbers, seed, seed_at};
use crate::graph_handshake::is_echo;
use crate::monitoring::Browser;
use crate::place::{PATIENCE, Place, Serving, free_address, until};
use crate::web::{Answer, client, read};

/// The limit on deliveries from one address, as it ships.
const LIMIT: &str = "zone=calendar_sync_webhooks:10m rate=1000r/s;";
const BURST: &str = "zone=calendar_sync_webhooks burst=4000 nodelay;";

/// The program behind nginx.
struct Front {
    place: Place,
    nginx: Nginx,
    serving: Serving,
}

fn shipped(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nginx").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text with other words in these places, each of which is there so often.
#[track_caller]
fn edited(mut text: String, edits: &[(&str, usize, String)]) -> String {
    for (from, times, to) in edits {
        assert_eq!(text.matches(from).count(), *times, "{from} in {text}");
        text = text.replace(from, to);
    }
    text
}

/// Starts nginx with the shipped files in front of these instances, and with other words for these limits.
pub(crate) fn start(nginx: &mut Nginx, instances: &[SocketAddr], limits: &[(&str, &str)]) {
    let site = shipped("calendar-sync.conf");
    // However it names one, so it names each.
    let one = site.lines().find(|line| line.contains("server 127.0.0.1:8080 ")).expect("it names one");
    let each: Vec<String> =
        instances.iter().map(|at| one.replace("127.0.0.1:8080", &at.to_string())).collect();
    let site = edited(
        site.clone(),
        &[
            (one, 1, each.join("\n")),
            ("listen 80 default_server;", 1, format!("listen {};", nginx.clear())),
            ("listen [::]:80 default_server;", 1, String::new()),
            ("listen 443 ssl http2;", 1, format!("listen {} ssl http2;", nginx.secure())),
            ("listen [::]:443 ssl http2;", 1, String::new()),
            ("server_name sync.example.com;", 2, "server_name localhost;".to_owned()),
            ("/etc/letsencrypt/live/sync.example.com/fullchain.pem", 1, "server.crt".to_owned()),
            ("/etc/letsencrypt/live/sync.example.com/privkey.pem", 1, "server.key".to_owned()),
            ("/var/log/nginx/calendar-sync.log", 2, "access.log".to_owned()),
        ],
    );
    nginx.put("site.conf", &site);
    for name in ["http.conf", "clear.conf", "tls.conf", "proxy.conf", "service.conf"] {
        let name = format!("calendar-sync/{name}");
        let here = shipped(&name);
        let edits: Vec<_> = limits.iter().filter(|(from, _)| here.contains(from)).collect();
        let edits: Vec<_> = edits.iter().map(|(from, to)| (*from, 1, (*to).to_owned())).collect();
        nginx.put(&name, &edited(here, &edits));
    }
    nginx.start();
}

/// A client that comes from this address of the machine, and trusts nginx's certificate.
pub(crate) fn trusting(nginx: &Nginx, from: &str) -> reqwest::ClientBuilder {
    // The usual one, for the sake of its set-up.
    drop(client());
    let authority = std::fs::read(nginx.authority()).unwrap();
    let authority = reqwest::Certificate::from_pem(&authority).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([authority]).no_proxy().timeout(PATIENCE);
    let client = client.redirect(reqwest::redirect::Policy::none());
    client.local_address(from.parse::<std::net::IpAddr>().unwrap())
}

impl Front {
    /// The program behind nginx, which it trusts.
    async fn of(place: Place) -> Front {
        Front::limited(place, &[]).await
    }

    /// The same with other limits than ship.
    async fn limited(mut place: Place, limits: &[(&str, &str)]) -> Front {
        let mut nginx = Nginx::prepare();
        place.set("SERVER__TRUSTED_PROXIES", "127.0.0.1/32");
        place.set("SERVER__REQUIRE_HTTPS", "refuse");
        let mut serving = place.start(place.command(&["serve", "--role", "web"]));
        serving.answers(&place).await;
        // What is served by one that is dead is served by the other.
        start(&mut nginx, &[free_address(), place.address], limits);
        Front { place, nginx, serving }
    }

    /// A URL of it by TLS.
    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.nginx.secure().port())
    }

    /// One who comes from this address of the machine.
    fn client(&self, from: &str) -> reqwest::Client {
        trusting(&self.nginx, from).build().unwrap()
    }

    async fn post(&self, from: &str, channel: &Channel, number: u64) -> Answer {
        let sent = channel.delivery(number).post_to(&self.client(from), &self.url("")).await;
        sent.unwrap_or_else(|error| panic!("{error:?}\n{}", self.nginx.log()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_google_sends_arrives_and_what_is_too_long_does_not() {
    let place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let front = Front::of(place).await;
    let browser = front.client("127.0.0.1");
    let sent = browser.get(front.url("/webhooks/health/")).send().await.unwrap();
    assert_eq!((sent.status().as_u16(), sent.version()), (200, reqwest::Version::HTTP_2));
    // As many as a provider may have to say in a second or two, from one address.
    let mut posts = tokio::task::JoinSet::new();
    for lane in 0..8_u64 {
        let (client, channel, base) = (browser.clone(), channel.clone(), front.url(""));
        posts.spawn(async move {
            let mut statuses = Vec::new();
            for n in 0..150 {
                let delivery = channel.delivery(100 + lane * 150 + n);
                statuses.push(delivery.post_to(&client, &base).await.unwrap().status);
            }
            statuses
        });
    }
    let statuses: Vec<u16> = posts.join_all().await.concat();
    assert!(statuses.len() == 1_200 && statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(numbers(&front.place, &channel).await.len(), 1_200);
    // The program's own limit, and above it nginx's, in the same words.
    for length in [10 * 1024 + 1, 1024 * 1024 + 1] {
        let long = channel.delivery(7).body(length);
        let answer = long.post_to(&browser, &front.url("")).await.unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"), "{length}");
    }
    assert!(!front.nginx.log().contains("[emerg]"), "{}", front.nginx.log());
    assert!(front.nginx.log().contains("too large body"), "the second one was nginx's own doing");
}

#[tokio::test]
async fn in_clear_under_another_name_and_for_figures_nothing_is_served() {
    let place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let front = Front::of(place).await;
    let clear = format!("http://{}", front.nginx.clear());
    let answer = channel.delivery(2).post_to(&client(), &clear).await.unwrap();
    assert_eq!(answer.status, 308);
    let there = answer.header("location").unwrap();
    assert_eq!(there, format!("https://localhost{}", channel.path()));
    let client = front.client("127.0.0.1");
    // By HTTP/2 the client would not say it.
    let older = trusting(&front.nginx, "127.0.0.1").http1_only().build().unwrap();
    let other = older.get(front.url("/")).header("host", "evil.example.com").send().await.unwrap();
    assert_eq!(other.status(), 421);
    assert_eq!(client.get(front.url("/metrics")).send().await.unwrap().status(), 404);
    assert_eq!(numbers(&front.place, &channel).await, [0; 0]);
    // Past nginx, in clear: the program refuses it as well.
    assert_eq!(channel.delivery(2).post(&front.place).await.code(), "https_required");
    // By TLS, whatever the sender says of itself.
    let lies = channel.delivery(3).with("X-Forwarded-Proto", Some("http"));
    assert_eq!(lies.post_to(&client, &front.url("")).await.unwrap().status, 200);
}

#[tokio::test]
async fn microsoft_shakes_hands_and_sends_its_longest_body() {
    let place = Place::new();
    let channel = seed_at(&place, ProviderKind::Microsoft, 1).await.remove(0);
    let front = Front::of(place).await;
    let client = front.client("127.0.0.1");
    let longest = ("%41".repeat(4 * 1024), "A".repeat(4 * 1024));
    for (query, says) in [("Validation%3A+a%2Bb", "Validation: a+b"), (&longest.0, &longest.1)] {
        for method in ["GET", "POST"] {
            let url = front.url(&format!("{}?validationToken={query}", channel.path()));
            let asked = client.request(method.parse().unwrap(), url).send().await.unwrap();
            is_echo(&read(asked).await, says);
        }
    }
    let item = channel.item("E1", "k1");
    let empty = json!({"value": [item], "more": ""}).to_string();
    let body = json!({"value": [item], "more": "x".repeat(1024 * 1024 - empty.len())}).to_string();
    let request = client.post(front.url(&channel.path())).header("content-type", "application/json");
    let answer = read(request.body(body).send().await.unwrap()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(channel.events(&front.place).await, ["E1"]);
}

#[tokio::test]
async fn who_fails_is_told_from_others_by_the_address_that_nginx_saw() {
    let mut place = Place::new();
    place.set("RATE_LIMIT__MAX_REQUESTS", 1);
    place.set("RATE_LIMIT__WINDOW_SECONDS", 600);
    let channel = seed(&place, 1).await.remove(0);
    let front = Front::of(place).await;
    let mut statuses = Vec::new();
    for from in ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.2"] {
        // Another address each time, says the sender.
        let forged = format!("203.0.113.{}", statuses.len());
        let wrong = channel.delivery(2).with("X-Goog-Channel-Token", Some("wrong"));
        let wrong = wrong.with("X-Forwarded-For", Some(&forged));
        let answer = wrong.post_to(&front.client(from), &front.url("")).await.unwrap();
        assert_eq!(answer.header("retry-after").is_some(), answer.status == 429, "{answer:?}");
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [403, 429, 403, 429]);
    assert_eq!(front.post("127.0.0.2", &channel, 3).await.status, 200, "what is authentic always passes");
}

#[tokio::test]
async fn a_flood_is_told_to_come_again_and_so_is_everybody_while_no_instance_answers() {
    let place = Place::new();
    let channel = seed(&place, 1).await.remove(0);
    let tight = [
        (LIMIT, "zone=calendar_sync_webhooks:10m rate=1r/m;"),
        (BURST, "zone=calendar_sync_webhooks burst=4 nodelay;"),
    ];
    let mut front = Front::limited(place, &tight).await;
    let mut statuses = Vec::new();
    for n in 0..8 {
        let answer = front.post("127.0.0.2", &channel, n + 2).await;
        if answer.status == 503 {
            assert_eq!((answer.code().as_str(), answer.header("retry-after")), ("unavailable", Some("5")));
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 503, 503, 503]);
    assert_eq!(front.post("127.0.0.3", &channel, 20).await.status, 200, "others are none the worse");
    // The program goes: providers are to send it again.
    front.serving.child.kill().unwrap();
    front.serving.child.wait().unwrap();
    let answer = front.post("127.0.0.4", &channel, 30).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), Some("5"));
}

#[tokio::test]
async fn an_open_page_hears_of_changes_at_once_and_no_secret_is_logged() {
    let place = Place::new();
    place.run(&["migrate"]).expect(0);
    let ada = Browser::of(&place, "ada@example.com", false).await;
    let mut front = Front::of(place).await;
    let client = front.client("127.0.0.1");
    let cookie = format!("__Host-{}", ada.cookie_header());
    let mut stream = client.get(front.url("/live")).header("cookie", cookie).send().await.unwrap();
    assert_eq!((stream.status().as_u16(), stream.version()), (200, reqwest::Version::HTTP_2));
    // The program says something every 17 seconds at least; held back, it would come with kilobytes of others.
    let began = Instant::now();
    let first = tokio::time::timeout(PATIENCE, stream.chunk()).await.expect("an event in time");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let first = first.unwrap().expect("an event");
    assert!(!first.is_empty() && first.len() < 200, "{first:?}");

    let secret = ["/password/LINKSECRET", "/welcome/LINKSECRET", "/oauth/google/callback?code=CODESECRET"];
    for path in secret {
        client.get(front.url(path)).send().await.unwrap();
    }
    let log = front.nginx.file("access.log");
    let read_log = || std::fs::read_to_string(&log).unwrap_or_default();
    let log = until("it is logged", PATIENCE, async || {
        Some(read_log()).filter(|log| log.contains("/oauth/google/callback"))
    })
    .await;
    assert!(log.contains("/password/[link]") && log.contains("/welcome/[link]"), "{log}");
    assert!(!log.contains("SECRET") && !log.contains("code="), "{log}");
    // What nginx itself has to say of a request that nobody answered.
    front.serving.child.kill().unwrap();
    front.serving.child.wait().unwrap();
    for path in secret.into_iter().chain(["/rules"]) {
        assert_eq!(client.get(front.url(path)).send().await.unwrap().status(), 503, "{path}");
    }
    let log = front.nginx.log();
    assert!(log.contains("GET /rules") && !log.contains("SECRET"), "{log}");
}
