//! Google's verification file: taken in, served by every instance at once, and taken out again; and nothing else is ever
//! served that way.

use std::process::Command;

use calsync_core::ports::Store;
use calsync_server::checks::Outcome;
use calsync_server::reach::Looker;
use calsync_server::verification::{File, SETTING, steps, store as put};

use crate::inside::Inside;
use crate::place::{PATIENCE, Place, until};
use crate::web::{client, get, read};

const NAME: &str = "google1234567890abcdef.html";
const OTHER: &str = "googlefedcba0987654321.html";
const CONTENT: &str = "google-site-verification: google1234567890abcdef.html";
/// A name that leads nowhere but here.
const DOMAIN: &str = "sync.localhost";

/// A place with a database, and the file that a person downloaded.
fn settled() -> Place {
    let place = Place::new();
    place.run(&["migrate"]).expect(0);
    std::fs::write(place.path(NAME), CONTENT).unwrap();
    place
}

fn verify<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let args = ["verify-google-domain", "--json", "--domain", DOMAIN, "--verification-file", NAME];
    [&args[..], more].concat()
}

/// What is in the audit log.
fn audited(place: &Place) -> String {
    let asked =
        Command::new("sqlite3").arg(place.database()).arg("SELECT * FROM audit_log").output().unwrap();
    assert!(asked.status.success(), "{asked:?}");
    String::from_utf8(asked.stdout).unwrap()
}

#[tokio::test]
async fn the_file_is_served_to_the_letter_until_it_is_removed() {
    let place = settled();
    let _serving = place.serve().await;
    let url = place.url(&format!("/{NAME}"));
    let answer = get(&url).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
    // Nobody reaches this domain by https here, which it says; the file is stored all the same.
    let ran = place.run(&verify(&[])).expect(1).json();
    assert_eq!((&ran["ok"], &ran["checks"][1]["outcome"]), (&false.into(), &"ok".into()), "{ran}");
    for (at, name) in [(2, "file reachable"), (3, "health reachable")] {
        assert_eq!(ran["checks"][at]["name"], name, "{ran}");
        assert_eq!(ran["checks"][at]["outcome"], "failed", "{ran}");
        assert!(ran["checks"][at]["remedy"].is_string(), "{ran}");
    }
    let served = async || Some(get(&url).await).filter(|answer| answer.status == 200);
    let answer = until("the file is served", PATIENCE, served).await;
    assert_eq!(answer.body, CONTENT);
    assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{answer:?}");
    assert_eq!(get(&format!("{url}/")).await.body, CONTENT);
    assert_eq!(client().head(&url).send().await.unwrap().status(), 200);
    // And nothing but it.
    for path in
        [OTHER, "google.html", "GOOGLE1234567890ABCDEF.HTML", "index.html", "%FF%FE", "google%2F..html"]
    {
        let answer = get(&place.url(&format!("/{path}"))).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{path}");
    }
    let posted = read(client().post(&url).send().await.unwrap()).await;
    assert_eq!((posted.status, posted.code().as_str()), (404, "not_found"));
    let again = place.run(&verify(&[])).expect(1).json();
    assert!(again["checks"][1]["detail"].as_str().unwrap().contains("so before"), "{again}");
    let removed = place.run(&["verify-google-domain", "--remove", "--json"]).expect(0).json();
    assert_eq!(removed["removed"], NAME);
    let gone = async || (get(&url).await.status == 404).then_some(());
    until("the file is gone", PATIENCE, gone).await;
    assert!(place.run(&["verify-google-domain", "--remove"]).expect(0).out.contains("nothing to do"));
    let audit = audited(&place);
    assert_eq!(audit.lines().count(), 2, "only what changed something: {audit}");
    assert!(audit.contains(&format!("serves Google's verification file {NAME}")), "{audit}");
}

#[tokio::test]
async fn a_rehearsal_and_a_wrong_file_store_nothing() {
    let place = settled();
    let stored = async || place.look(async |store| store.setting(SETTING).await.unwrap()).await;
    let ran = place.run(&verify(&["--dry-run"])).expect(1).json();
    assert_eq!(ran["checks"][1]["outcome"], "skipped", "{ran}");
    assert!(ran["checks"][1]["detail"].as_str().unwrap().contains("would be stored"), "{ran}");
    assert_eq!(stored().await, None);
    std::fs::write(place.path(OTHER), CONTENT).unwrap();
    std::fs::write(place.path("verify.html"), CONTENT).unwrap();
    for (file, words) in [
        (OTHER, "does not hold what Google puts there"),
        ("verify.html", "is not the name of a verification file"),
        ("google0000000000000000.html", "there is no such file"),
    ] {
        let args = ["verify-google-domain", "--domain", DOMAIN, "--verification-file", file];
        let refused = place.run(&args).expect(1);
        assert!(refused.out.contains(words) && refused.out.contains("→"), "{}", refused.out);
    }
    let whole = ["verify-google-domain", "--domain", "https://sync.localhost/", "--verification-file", NAME];
    place.run(&whole).expect(2).says(&["without https://"]);
    place.run(&["verify-google-domain"]).expect(2).says(&["--domain", "--verification-file"]);
    assert_eq!((stored().await, audited(&place).as_str()), (None, ""));
}

#[tokio::test]
async fn each_step_sees_what_stands_at_the_address() {
    let place = settled();
    let serving = place.serve().await;
    let _ = client();
    let (looker, base) = (Looker::new().unwrap(), place.url(""));
    let file = File::new(NAME, CONTENT).unwrap();
    let look = async || {
        let seen = steps::look(&looker, &base, Some(&file)).await;
        seen.into_iter().map(|check| check.outcome).collect::<Vec<_>>()
    };
    // The instance has just seen that there is none, and goes by that for a moment: the step waits for it.
    assert_eq!(get(&place.url(&format!("/{NAME}"))).await.status, 404);
    place.look(async |store| put(store, &file).await.unwrap()).await;
    assert_eq!(look().await, [Outcome::Ok, Outcome::Ok]);
    // Another one took its place.
    let line = CONTENT.replace(NAME, OTHER);
    place.look(async |store| put(store, &File::new(OTHER, &line).unwrap()).await.unwrap()).await;
    let elsewhere = async || (get(&place.url(&format!("/{OTHER}"))).await.status == 200).then_some(());
    until("the other one is served", PATIENCE, elsewhere).await;
    assert_eq!(look().await, [Outcome::Failed, Outcome::Ok]);
    serving.kill();
    assert_eq!(look().await, [Outcome::Failed, Outcome::Failed]);
}

#[tokio::test]
async fn without_its_database_it_says_so_and_strangers_cost_nothing() {
    let place = settled();
    let inside = Inside::serve(&place).await;
    inside.lose_the_store().await;
    let answer = get(&place.url(&format!("/{NAME}"))).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
    assert_eq!(get(&place.url("/wp-login.php")).await.status, 404, "the database was not asked");
    inside.stop().await;
}

#[tokio::test]
async fn what_is_stored_and_is_no_such_file_is_never_served() {
    let place = settled();
    let bad = serde_json::json!({"name": NAME, "content": "<script>alert(1)</script>"});
    place.look(async |store| store.put_setting(SETTING, &bad).await.unwrap()).await;
    let _serving = place.serve().await;
    assert_eq!(get(&place.url(&format!("/{NAME}"))).await.status, 404);
}
