//! Signing in at the organisation's own provider, against a real one: who comes in, who does not, and what is refused. It needs a
//! folder that `script/client-libraries` makes; without it the tests are skipped, but never in CI.

use std::collections::BTreeMap;
use std::path::PathBuf;

use calsync_core::ports::Store;
use calsync_testbed::openid::{CLIENT, Method, OpenIdProvider, Person, SECRET, Standing, Told};
use url::Url;

use crate::browser::Browser as Window;
use crate::monitoring::Browser;
use crate::place::{Place, Serving};
use crate::web::{Answer, client, get, read};

const CALLBACK: &str = "/oauth/sign-in/callback";
/// The steps that a browser takes at most, there and back.
const STEPS_MAX: usize = 12;

const PEOPLE: [Person; 4] = [
    Person { subject: "u-ada", email: "Ada@example.com", standing: Standing::Verified },
    Person { subject: "u-grace", email: "grace@example.com", standing: Standing::Claimed },
    Person { subject: "u-eve", email: "eve@example.com", standing: Standing::Verified },
    Person { subject: "u-other", email: "other@example.com", standing: Standing::Verified },
];

fn libraries() -> Option<PathBuf> {
    match std::env::var_os("CALSYNC_CLIENTS_DIR").map(PathBuf::from) {
        Some(dir) => Some(dir),
        None if std::env::var_os("CI").is_some() => {
            panic!("CALSYNC_CLIENTS_DIR must name a folder made by script/client-libraries")
        }
        None => None,
    }
}

/// A place that knows a provider. Nothing is served yet.
fn around(told: Told, method: Method) -> Option<(Place, OpenIdProvider)> {
    let mut place = Place::new();
    let provider = OpenIdProvider::start(&libraries()?, &place.url(CALLBACK), told, method, &PEOPLE);
    place.set("SIGN_IN__OIDC__ISSUER", provider.issuer());
    place.set("SIGN_IN__OIDC__CLIENT_ID", CLIENT);
    place.set("SIGN_IN__OIDC__CLIENT_SECRET", SECRET);
    place.set("SIGN_IN__OIDC__NAME", "Example & Co");
    place.run(&["migrate"]).expect(0);
    for email in ["ada@example.com", "grace@example.com"] {
        place.run(&["users", "add", email]).expect(0);
    }
    Some((place, provider))
}

async fn served(told: Told, method: Method) -> Option<(Place, OpenIdProvider, Serving)> {
    let (place, provider) = around(told, method)?;
    let serving = place.serve().await;
    // It listens before it has a key: only an answer tells that it is complete.
    assert_eq!(get(&place.url("/webhooks/health")).await.status, 200);
    Some((place, provider, serving))
}

/// A browser that keeps cookies, host by host, and goes wherever it is sent.
#[derive(Clone, Default)]
struct Walker(BTreeMap<String, BTreeMap<String, String>>);

impl Walker {
    /// One step.
    async fn step(&mut self, url: &Url) -> Answer {
        let jar = self.0.entry(url.authority().to_owned()).or_default();
        let shown: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = client().get(url.clone()).header("accept", "text/html");
        if !shown.is_empty() {
            request = request.header("cookie", shown.join("; "));
        }
        let answer = read(request.send().await.unwrap()).await;
        for (_, line) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            match value {
                "" => jar.remove(name),
                value => jar.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    /// On and on, until nothing sends it further or it is about to go to a path that ends so. Where it stands, and what it
    /// saw last.
    async fn walk(&mut self, from: &str, until: &str) -> (Url, Answer) {
        let mut url = Url::parse(from).unwrap();
        for _ in 0..STEPS_MAX {
            let answer = self.step(&url).await;
            let Some(to) = answer.header("location") else { return (url, answer) };
            url = url.join(to).unwrap();
            if url.path().ends_with(until) {
                return (url, answer);
            }
        }
        panic!("it is sent around in circles: {url}");
    }

    /// To the provider and back to a page of ours.
    async fn signs_in(&mut self, place: &Place, next: &str) -> (Url, Answer) {
        self.walk(&place.url(&format!("/sign-in/elsewhere?next={next}")), "nowhere").await
    }

    /// To the provider, and back to just before our door: the address that it would open.
    async fn returns(&mut self, place: &Place) -> Url {
        let (url, answer) = self.walk(&place.url("/sign-in/elsewhere"), CALLBACK).await;
        assert_eq!(url.path(), CALLBACK, "{answer:?}");
        url
    }
}

/// What a page says about why somebody did not come in.
#[track_caller]
fn says(answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.body.contains(words), "{words:?} is missing: {}", answer.body);
    assert!(!answer.body.contains(SECRET), "{}", answer.body);
}

async fn audited(place: &Place) -> usize {
    place.look(async |store| store.audited("signed in at Example", 10).await.unwrap().len()).await
}

async fn comes_in(told: Told, method: Method) {
    let Some((place, provider, serving)) = served(told, method).await else { return };
    let page = get(&place.url("/sign-in?next=%2Fsettings")).await;
    says(&page, 200, "Sign in with Example &#38; Co");
    assert!(
        page.body.contains("/sign-in/elsewhere?next=%2Fsettings")
            || page.body.contains("/sign-in/elsewhere?next=/settings")
    );
    provider.seat("u-ada");
    let mut ada = Walker::default();
    let (url, seen) = ada.signs_in(&place, "%2Fsettings").await;
    says(&seen, 200, "ada@example.com");
    assert_eq!(url.as_str(), place.url("/settings"));
    assert_eq!(audited(&place).await, 1);
    // Somebody who is in is not sent away again.
    let (url, _) = ada.signs_in(&place, "%2Frules").await;
    assert_eq!(url.as_str(), place.url("/rules"));

    // Known by identity from now on: neither a new address nor one that became another user's changes that.
    provider.readdress("u-ada", "grace@example.com");
    let (url, seen) = Walker::default().signs_in(&place, "//example.com/").await;
    says(&seen, 200, "ada@example.com");
    assert_eq!(url.as_str(), place.url("/"), "nowhere but to a path of ours");
    assert_eq!(audited(&place).await, 1, "that was the first time");
    let log = serving.log();
    assert!(!log.contains("code=") && !log.contains(SECRET) && !log.contains("eyJ"), "{log}");
}

#[tokio::test]
async fn somebody_who_is_known_comes_in_by_the_id_token() {
    comes_in(Told::Token, Method::Basic).await;
}

#[tokio::test]
async fn somebody_who_is_known_comes_in_by_userinfo() {
    comes_in(Told::UserInfo, Method::Post).await;
}

#[tokio::test]
async fn nobody_is_added_and_whoever_is_unknown_is_told_whom_to_ask() {
    let Some((place, provider, _serving)) = served(Told::Token, Method::Basic).await else { return };
    let before = place.run(&["users", "list", "--json"]).expect(0).json();
    provider.seat("u-eve");
    let (url, seen) = Walker::default().signs_in(&place, "/").await;
    says(&seen, 403, "ask the staff of this service to add you");
    assert_eq!(url.path(), CALLBACK);
    // Grace is a user, and anybody can say that they are grace.
    provider.seat("u-grace");
    let (_, seen) = Walker::default().signs_in(&place, "/").await;
    says(&seen, 403, "grace@example.com is verified");
    provider.seat("nobody");
    let (url, seen) = Walker::default().signs_in(&place, "%2Fweek").await;
    says(&seen, 200, "did not sign you in");
    assert_eq!(url.path(), "/sign-in");
    assert!(seen.body.contains("name=\"next\" value=\"/week\""), "{}", seen.body);

    // An address that changed hands opens nothing, until the staff says so.
    provider.seat("u-ada");
    let mut ada = Walker::default();
    says(&ada.signs_in(&place, "/").await.1, 200, "ada@example.com");
    provider.readdress("u-other", "ada@example.com");
    provider.seat("u-other");
    let (_, seen) = Walker::default().signs_in(&place, "/").await;
    says(&seen, 403, "users unlink ada@example.com");
    let unlinked = place.run(&["users", "unlink", "ada@example.com", "--json"]).expect(0).json();
    assert_eq!(unlinked["forgotten"], 1, "{unlinked}");
    let (url, _) = ada.walk(&place.url("/settings"), "nowhere").await;
    assert_eq!(url.path(), "/sign-in", "who came by the old identity is out");
    says(&Walker::default().signs_in(&place, "/").await.1, 200, "ada@example.com");

    assert_eq!(place.run(&["users", "list", "--json"]).expect(0).json(), before);
    provider.seat("u-eve");
    let mut seen = Vec::new();
    for _ in 0..10 {
        seen.push(Walker::default().signs_in(&place, "/").await.1.status);
    }
    assert!(seen[0] == 403 && seen.contains(&429), "{seen:?}");
}

#[tokio::test]
async fn an_answer_counts_for_the_browser_that_was_sent_and_once() {
    let Some((place, provider, _serving)) = served(Told::Token, Method::Basic).await else { return };
    provider.seat("u-ada");
    let mut ada = Walker::default();
    let back = ada.returns(&place).await;
    let cookie = ada.0[back.authority()]["sign-in"].clone();
    assert!(cookie.len() < 2_000 && !back.as_str().contains(cookie.as_str()));

    // Stolen: neither a browser that began nothing may use it, nor one that began something else.
    says(&Walker::default().step(&back).await, 403, "not begun here");
    let mut eve = Walker::default();
    let hers = eve.returns(&place).await;
    says(&eve.step(&back).await, 403, "begun in another browser");
    // Forged.
    let with = |name: &str, value: &str| {
        let pairs: Vec<(String, String)> =
            back.query_pairs().into_owned().filter(|(known, _)| known != name).collect();
        let mut url = back.clone();
        url.query_pairs_mut().clear().extend_pairs(&pairs).append_pair(name, value);
        url
    };
    says(&ada.step(&with("state", "x")).await, 403, "begun in another browser");
    let mut stateless = back.clone();
    stateless.set_query(Some("code=abc"));
    says(&ada.step(&stateless).await, 403, "not begun here");
    let mut altered = ada.clone();
    let mut other = cookie.clone();
    other.replace_range(60..61, if &other[60..61] == "A" { "B" } else { "A" });
    altered.0.get_mut(back.authority()).unwrap().insert("sign-in".to_owned(), other);
    says(&altered.step(&back).await, 403, "not begun here");

    // None of this has used it up.
    let mut again = ada.clone();
    let (url, seen) = ada.walk(back.as_str(), "nowhere").await;
    says(&seen, 200, "ada@example.com");
    assert_eq!(url.path(), "/");
    assert!(!ada.0[back.authority()].contains_key("sign-in"), "it is forgotten");
    says(&ada.step(&back).await, 403, "not begun here");
    // A browser that did not forget.
    says(&again.step(&back).await, 403, "finished before");

    // Of two at the same moment one is heard.
    let mut twin = eve.clone();
    let (one, two) = tokio::join!(eve.step(&hers), twin.step(&hers));
    let mut both = [one.status, two.status];
    both.sort_unstable();
    assert_eq!(both, [303, 403], "{one:?} {two:?}");

    // In the name of another provider, and with a code that nobody gave out.
    for (name, value) in [("iss", "https://other.example.com"), ("code", "abc")] {
        let mut mallory = Walker::default();
        let mut url = mallory.returns(&place).await;
        let pairs: Vec<(String, String)> =
            url.query_pairs().into_owned().filter(|(known, _)| known != name).collect();
        url.query_pairs_mut().clear().extend_pairs(&pairs).append_pair(name, value);
        let (at, seen) = mallory.walk(url.as_str(), "nowhere").await;
        says(&seen, 200, "did not sign you in");
        assert_eq!(at.path(), "/sign-in", "{name}");
    }
}

#[tokio::test]
async fn while_the_provider_is_away_passwords_open_the_door() {
    let Some((place, mut provider, serving)) = served(Told::Token, Method::Basic).await else { return };
    let link = place.run(&["users", "invite", "grace@example.com", "--json"]).expect(0).json();
    let path = Url::parse(link["link"].as_str().unwrap()).unwrap().path().to_owned();
    let nobody = Browser::of_nobody(&place);
    assert_eq!(nobody.post(&path, &[("password", "correct horse battery")]).await.status, 303);
    provider.seat("u-ada");
    let mut ada = Walker::default();
    let back = ada.returns(&place).await;
    provider.stop();
    let (url, seen) = ada.walk(back.as_str(), "nowhere").await;
    says(&seen, 200, "does not answer just now");
    assert!(url.path() == "/sign-in" && seen.body.contains("type=\"password\""), "{url}");
    let right = [("email", "grace@example.com"), ("password", "correct horse battery")];
    assert_eq!(nobody.post("/sign-in", &right).await.status, 303);
    assert!(serving.log().contains("nothing listens at 127.0.0.1"), "{}", serving.log());
    let doctor = place.run(&["doctor", "--json"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.out.contains("nothing listens at 127.0.0.1"), "{}", doctor.out);
    provider.resume();
    provider.seat("u-ada");
    says(&Walker::default().signs_in(&place, "/").await.1, 200, "ada@example.com");
    let doctor = place.run(&["doctor", "--json"]).expect(0);
    assert!(doctor.out.contains("/oauth/sign-in/callback"), "{}", doctor.out);
}

#[tokio::test]
async fn what_is_set_up_wrong_is_told_to_whoever_can_mend_it() {
    let Some((mut place, provider)) = around(Told::Token, Method::Basic) else { return };
    place.set("SIGN_IN__OIDC__CLIENT_SECRET", "another secret");
    let serving = place.serve().await;
    provider.seat("u-ada");
    let (url, seen) = Walker::default().signs_in(&place, "/").await;
    says(&seen, 200, "not set up right");
    assert!(url.path() == "/sign-in" && !seen.body.contains("client_secret"), "{}", seen.body);
    let log = serving.log();
    assert!(log.contains("sign_in.oidc.client_secret") && !log.contains("another secret"), "{log}");
    drop(serving);
    place.set("SIGN_IN__OIDC__ISSUER", format!("{}/", provider.issuer()));
    let doctor = place.run(&["doctor", "--json"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.out.contains("set sign_in.oidc.issuer to just that"), "{}", doctor.out);
    let _serving = place.serve().await;
    let (_, seen) = Walker::default().signs_in(&place, "/").await;
    says(&seen, 200, "not set up right");
}

#[tokio::test]
async fn without_a_provider_there_is_no_such_way_in() {
    let place = Place::new();
    place.run(&["migrate"]).expect(0);
    place.run(&["users", "add", "ada@example.com"]).expect(0);
    let _serving = place.serve().await;
    assert!(!get(&place.url("/sign-in")).await.body.contains("/sign-in/elsewhere"));
    for path in ["/sign-in/elsewhere", "/oauth/sign-in/callback?code=a&state=b"] {
        assert_eq!(get(&place.url(path)).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn in_a_browser_it_is_one_button() {
    let Some((place, provider, _serving)) = served(Told::UserInfo, Method::Basic).await else { return };
    provider.seat("u-ada");
    let window = Window::open(&place.url("")).await;
    window.goes("/settings").await;
    window.sees("Sign in with Example & Co").await;
    window.is_fit("sign-in-elsewhere").await;
    window.presses("Sign in with Example & Co").await;
    window.sees("ada@example.com").await;
    assert_eq!(window.path().await, "/settings");
}
