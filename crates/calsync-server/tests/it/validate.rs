//! `validate-deployment` before a start and after it, and `doctor` through a real proxy with TLS: each fault put in is found, told apart
//! from its neighbours, and comes with what to do.

use calsync_sim::google::Stage;
use calsync_testbed::mail::{MailServer, MailTls};
use calsync_testbed::nginx::Nginx;
use calsync_testbed::postgres::Database;
use serde_json::Value;

use crate::doctor::{found, has};
use crate::nginx::start;
use crate::place::{PATIENCE, Place, Serving, free_address};
use crate::world::{ADA, SOON, World, hour};

/// Behind a proxy with this certificate, at an address by https.
fn behind(place: &mut Place, days: u16, limits: &[(&str, &str)]) -> Nginx {
    let mut nginx = Nginx::prepare();
    nginx.certify_for(days);
    place.set("SERVER__PUBLIC_URL", format!("https://localhost:{}", nginx.secure().port()));
    place.set("SERVER__TRUSTED_PROXIES", "127.0.0.1/32");
    place.trust(&nginx.authority());
    // What is served by one that is dead is served by the other.
    start(&mut nginx, &[free_address(), place.address], limits);
    nginx
}

fn validate(place: &Place, args: &[&str], code: i32) -> Value {
    place.run(&[&["validate-deployment", "--json"], args].concat()).expect(code).json()
}

async fn stopped(serving: &mut Serving) {
    serving.ask_to_stop();
    assert!(serving.ended(PATIENCE).await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_machine_an_upgrade_and_what_must_not_be_started() {
    let mut place = Place::new();
    place.run(&["validate-deployment"]).expect(2).says(&["--before", "--after"]);
    let empty = validate(&place, &["--before"], 0);
    has(&empty, "migration", "ok", "it will be made");
    has(&empty, "alert channels", "warning", "nobody hears");
    has(&empty, "time zones", "ok", "IANA's release");
    has(&empty, "disk", "ok", "MiB are free");
    assert!(!place.database().exists(), "looking makes nothing");
    std::fs::write(place.path("calendar-sync.key"), "").unwrap();
    has(&validate(&place, &["--before"], 0), "migration", "warning", "restore a backup first");
    place.run(&["status"]).expect(4).says(&["bring it back or restore", "calendar-sync migrate"]);
    std::fs::remove_file(place.path("calendar-sync.key")).unwrap();
    place.run(&["migrate"]).expect(0);
    has(&validate(&place, &["--before"], 0), "migration", "ok", "the schema is current");
    // A server with an empty database, whose steps are tried and taken back.
    let database = Database::shared();
    let on_server = Place::on(database.url());
    has(&validate(&on_server, &["--before"], 0), "migration", "ok", "the schema can be made in it");
    assert_eq!(database.psql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").unwrap(), "0");
    // One that a newer program has made.
    on_server.run(&["migrate"]).expect(0);
    database.psql("INSERT INTO schema_version (version, name, oldest) VALUES (99, 'later', 99)").unwrap();
    has(&validate(&on_server, &["--before"], 1), "migration", "failed", "newer calendar-sync");
    // Channels that do not answer, each named.
    place.set("ALERTS__SLACK", format!("http://{}/services/T0/B0/hush-hush", free_address()));
    place.set("ALERTS__ALLOWED_NETWORKS", "127.0.0.0/8");
    let deaf = validate(&place, &["--before"], 1);
    has(&deaf, "alert channel", "failed", "nothing listens");
    assert!(!deaf.to_string().contains("hush-hush"), "{deaf}");
}

#[tokio::test]
async fn a_mail_server_is_asked_whether_it_takes_a_letter_and_gets_none() {
    let mut place = Place::new();
    let mail = MailServer::start(MailTls::Off, None);
    place.set("ALERTS__EMAIL", "ops@example.com");
    place.set("SMTP__HOST", "127.0.0.1");
    place.set("SMTP__PORT", mail.port());
    place.set("SMTP__SECURITY", "none");
    place.set("SMTP__FROM", "sync@example.com");
    has(
        &validate(&place, &["--before"], 0),
        "alert channel",
        "ok",
        "email:ops@example.com answers; nothing was sent",
    );
    assert!(mail.letters().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_of_our_own_travels_the_whole_way() {
    let (mut world, main, work) = World::with_ada(120).await;
    let _nginx = behind(&mut world.place, 90, &[]);
    let unserved = validate(&world.place, &["--before"], 0);
    has(&unserved, "reachable", "warning", "nothing behind it");
    has(&unserved, "certificate", "ok", "believed until");
    let mut serving = world.place.serve().await;
    world.make(&main, hour("Dentist", 24));
    world.wait_for_blocks(&work, 1, SOON).await;
    let writes = world.writes();
    for _ in 0..2 {
        let after = validate(&world.place, &["--after", "--wait", "25"], 0);
        has(&after, "level", "ok", "healthy");
        has(&after, "database", "ok", "");
        has(
            &after,
            "self-test: receipt",
            "ok",
            "a signed notification in google's form was taken at https://localhost",
        );
        has(&after, "self-test: processing", "ok", "the notification completed");
    }
    assert_eq!(world.writes(), writes, "it writes nothing anywhere");
    has(&validate(&world.place, &["--before"], 0), "level", "ok", "what runs there now is healthy");
    stopped(&mut serving).await;
    let gone = validate(&world.place, &["--after", "--wait", "1"], 1);
    has(&gone, "self-test: receipt", "failed", "nothing behind it");
    // Workers that do not work: taken, and then nothing.
    let mut web = world.place.start(world.place.command(&["serve", "--role", "web"]));
    web.answers(&world.place).await;
    let idle = validate(&world.place, &["--after", "--wait", "2"], 1);
    has(&idle, "self-test: receipt", "ok", "was taken");
    has(&idle, "self-test: processing", "failed", "role `worker` runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_takes_headers_away_is_found_out() {
    let (mut world, _, _) = World::with_ada(121).await;
    let strip = [(
        "proxy_set_header Forwarded \"\";",
        "proxy_set_header Forwarded \"\";\nproxy_set_header X-Goog-Channel-Token \"\";",
    )];
    let _nginx = behind(&mut world.place, 90, &strip);
    let _serving = world.place.serve().await;
    world.place.run(&["sync-calendars", "--mode", "full"]).expect(0);
    let after = validate(&world.place, &["--after", "--wait", "5"], 1);
    has(&after, "self-test: receipt", "failed", "takes headers away");
    // Then all of them.
    let all = [(
        "proxy_set_header Forwarded \"\";",
        "proxy_set_header Forwarded \"\";\nproxy_set_header X-Goog-Message-Number \"\";",
    )];
    let _another = behind(&mut world.place, 90, &all);
    let after = validate(&world.place, &["--after", "--wait", "5"], 1);
    has(&after, "self-test: receipt", "failed", "rewrites requests or answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_dated_and_one_that_has_ended_is_named() {
    let mut place = Place::new();
    place.run(&["migrate"]).expect(0);
    let doctor = |place: &Place, code| place.run(&["doctor", "--json"]).expect(code).json();
    let nginx = behind(&mut place, 1, &[]);
    let mut serving = place.serve().await;
    has(&doctor(&place, 0), "certificate", "ok", "(0 days)");
    drop(nginx);
    stopped(&mut serving).await;
    let _nginx = behind(&mut place, 0, &[]);
    let _serving = place.serve().await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let ended = doctor(&place, 1);
    has(&ended, "reachable", "failed", "expired");
    has(&ended, "certificate", "failed", "renew it in time");
    // What fails is an alert, once, and over when it is mended.
    let open = |place: &Place| place.run(&["alerts", "list", "--json"]).expect(0).json();
    place.run(&["doctor", "--send-alerts"]).expect(1);
    place.run(&["doctor", "--send-alerts"]).expect(1);
    let told = open(&place).to_string();
    assert_eq!(told.matches("\"check_failed\"").count(), 2, "of the address and of its certificate: {told}");
    place.make_public();
    place.run(&["doctor", "--send-alerts"]).expect(0);
    assert!(!open(&place).to_string().contains("check_failed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_in_testing_are_forecast_with_their_date() {
    let world = World::where_google(122, |google| google.clients[0].stage = Stage::Testing).await;
    world.sign_in(ADA).await;
    let all = world.place.run(&["doctor", "--json"]).expect(0).json();
    has(&all, "consents", "warning", "In production");
    let detail = found(&all, "consents")[0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("ada@example.com on ") && detail.contains("(in 6 days)"), "{detail}");
    has(&all, "scopes", "ok", "each allows what is needed");
    has(&all, "google client", "ok", "/oauth/google/callback");
}
