//! The pages as a program asks for them: who is let in where, what is refused, and that nobody gets at anybody else's things. What
//! they look like is for the browser's tests.

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::{IdGen, Store};
use calsync_core::sign_in::{Session, TokenHash};
use calsync_server::system::SystemRandom;
use serde_json::Value;

use crate::channels::now;
use crate::monitoring::{Browser, notice};
use crate::place::{Place, until};
use crate::web::{client, get, read};
use crate::world::{ADA, World, calendar, hour};

const PASSWORD: &str = "correct horse battery";

/// Somebody who is there already signs in.
pub(crate) async fn signed_in(place: &Place, email: &str) -> Browser {
    let token = SystemRandom.token();
    place
        .look(async |store| {
            let (user, _) = store.password(email).await.unwrap().unwrap();
            let (key, device) = (TokenHash::of(&token), "a test".to_owned());
            let session = Session { key, user: user.id, device, created_at: now(), seen_at: now() };
            store.put_session(&session).await.unwrap();
        })
        .await;
    Browser::with(place, token.expose())
}

pub(crate) fn list(place: &Place, what: &str) -> Vec<Value> {
    place.run(&[what, "list", "--json"]).expect(0).json().as_array().unwrap().clone()
}

#[tokio::test]
async fn nobody_comes_in_without_signing_in_and_only_staff_sees_the_whole() {
    let place = Place::new();
    place.run(&["migrate"]).expect(0);
    let _serving = place.serve().await;
    let nobody = Browser::of_nobody(&place);
    let grace = Browser::of(&place, "grace@example.com", false).await;
    let staff = Browser::of(&place, "owner@example.com", true).await;
    for path in ["/", "/start", "/rules", "/week", "/activity", "/settings", "/set-up", "/monitoring"] {
        let sent_away = nobody.get(path).await;
        assert_eq!(sent_away.status, 303, "{path}");
        assert!(sent_away.header("location").unwrap().starts_with("/sign-in"), "{path}");
        let is_for_staff = ["/set-up", "/monitoring"].contains(&path);
        assert_eq!(grace.get(path).await.status, if is_for_staff { 403 } else { 200 }, "{path}");
        assert_eq!(staff.get(path).await.status, 200, "{path}");
    }
    for path in ["/sync", "/rules", "/rules/defaults", "/settings/password", "/start/begin", "/set-up/people"]
    {
        assert_eq!(nobody.post(path, &[]).await.status, 401, "{path}");
    }
    assert_eq!(grace.post("/set-up/people", &[("email", "eve@example.com")]).await.status, 403);
    assert_eq!(grace.post("/set-up/google", &[("id", "a"), ("secret", "b")]).await.status, 403);
}

#[tokio::test]
async fn nobody_gets_at_anybody_elses_things() {
    let (world, ..) = World::with_ada(81).await;
    let place = &world.place;
    let _serving = place.serve().await;
    let ada = signed_in(place, ADA).await;
    let grace = Browser::of(place, "grace@example.com", false).await;
    let calendar = list(place, "calendars")[0]["id"].as_str().unwrap().to_owned();
    let account = list(place, "accounts")[0]["id"].as_str().unwrap().to_owned();
    let run = until("a run", crate::place::PATIENCE, async || {
        let runs = place.look(async |store| store.runs(None, 1).await.unwrap()).await;
        runs.first().map(|run| run.id.to_string())
    })
    .await;
    let pages = [
        format!("/calendars/{calendar}/disable"),
        format!("/accounts/{account}/remove"),
        format!("/activity/{run}"),
    ];
    for path in &pages {
        assert_eq!(ada.get(path).await.status, 200, "{path}");
        assert_eq!(grace.get(path).await.status, 404, "{path}");
    }
    let deeds = [
        format!("/calendars/{calendar}/sync"),
        format!("/calendars/{calendar}/enable"),
        format!("/calendars/{calendar}/disable"),
        format!("/calendars/{calendar}/approve"),
        format!("/accounts/{account}/remove"),
        format!("/activity/{run}/undo"),
    ];
    for path in &deeds {
        assert_eq!(grace.post(path, &[]).await.status, 404, "{path}");
    }
    let again = grace.post("/accounts/connect/google", &[("account", &account)]).await;
    assert_eq!(again.status, 404, "{again:?}");
    let ends = [("source", calendar.as_str()), ("target", calendar.as_str()), ("do", "save")];
    assert_eq!(grace.post("/rules", &ends).await.status, 404);
    let still = list(place, "calendars");
    assert!(still.iter().all(|calendar| calendar["sync_enabled"] == true), "{still:?}");
}

#[tokio::test]
async fn signing_in_is_refused_in_the_same_words_whoever_it_is_and_seldom() {
    let place = Place::new();
    let serving = place.serve().await;
    let link = crate::browser::first_run::first_link(&place, &serving).await;
    let path = link.strip_prefix(&place.url("")).unwrap().to_owned();
    let nobody = Browser::of_nobody(&place);
    let short = nobody.post(&path, &[("email", "owner@example.com"), ("password", "short")]).await;
    assert!(short.status == 422 && short.body.contains("at least 12 characters"), "{short:?}");
    let bad = nobody.post(&path, &[("email", "<b>owner"), ("password", PASSWORD)]).await;
    assert!(bad.status == 422 && !bad.body.contains("<b>owner"), "{bad:?}");
    let first = nobody.post(&path, &[("email", "owner@example.com"), ("password", PASSWORD)]).await;
    assert_eq!((first.status, first.header("location")), (303, Some("/set-up")), "{first:?}");
    let cookie = first.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let used = nobody.post(&path, &[("email", "eve@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(used.status, 403, "the link is used up");

    let known = [("email", "owner@example.com"), ("password", "wrong horse battery")];
    let unknown = [("email", "eve@example.com"), ("password", "wrong horse battery")];
    let (a, b) = (nobody.post("/sign-in", &known).await, nobody.post("/sign-in", &unknown).await);
    assert_eq!((a.status, b.status), (422, 422));
    assert_eq!(a.body.replace("owner@", "eve@"), b.body);
    let right = [("email", " Owner@Example.com"), ("password", PASSWORD), ("next", "//example.com/")];
    let right = nobody.post("/sign-in", &right).await;
    assert_eq!((right.status, right.header("location")), (303, Some("/")), "{right:?}");
    let mut answers = Vec::new();
    for _ in 0..12 {
        answers.push(nobody.post("/sign-in", &known).await.status);
    }
    assert!(answers.contains(&429) && answers[0] == 422, "{answers:?}");
}

#[tokio::test]
async fn a_session_ends_with_signing_out_and_other_sites_change_nothing() {
    let place = Place::new();
    place.run(&["migrate"]).expect(0);
    let _serving = place.serve().await;
    let grace = Browser::of(&place, "grace@example.com", false).await;
    let cookie = grace.cookie_header();
    let post =
        |path: &str| client().post(place.url(path)).header("cookie", &cookie).header("accept", "text/html");
    let foreign =
        read(post("/sync").header("origin", "https://evil.example.com").send().await.unwrap()).await;
    assert_eq!(foreign.status, 403, "{foreign:?}");
    let foreign = read(post("/sync").header("sec-fetch-site", "cross-site").send().await.unwrap()).await;
    assert_eq!(foreign.status, 403, "{foreign:?}");
    let long = "x".repeat(10 * 1024 * 1024);
    let answered =
        post("/settings/password").header("origin", place.url("")).form(&[("password", long)]).send().await;
    // A server that has heard enough may close the connection.
    assert!(answered.is_err() || answered.unwrap().status() == 413);
    let out = grace.post("/sign-out", &[]).await;
    assert_eq!(out.status, 303);
    // A page that was left open in another tab goes to the door, and does not stand there as if nothing had happened.
    let open =
        client().get(place.url("/")).header("hx-request", "true").header("cookie", grace.cookie_header());
    let open = read(open.send().await.unwrap()).await;
    assert_eq!((open.status, open.header("hx-redirect")), (401, Some("/sign-in")), "{open:?}");
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"), "{out:?}");
    assert_eq!(grace.get("/").await.status, 303, "the cookie is worth nothing any more");
    let shown = Browser::of_nobody(&place).follow(&out).await;
    assert_eq!(notice(&shown.body), "You are signed out.");
    assert!(shown.header("set-cookie").unwrap().starts_with("notice=; Path=/; Max-Age=0"), "{shown:?}");
    for header in ["content-security-policy", "x-frame-options", "x-content-type-options"] {
        assert!(shown.header(header).is_some(), "{header}");
    }
}

#[tokio::test]
async fn the_address_of_an_answer_to_a_form_leads_back_to_the_form() {
    let place = Place::new();
    place.run(&["migrate"]).expect(0);
    let _serving = place.serve().await;
    let staff = Browser::of(&place, "owner@example.com", true).await;
    for (answer, form) in [
        ("/start/preview", "/start"),
        ("/settings/tokens", "/settings"),
        ("/set-up/people", "/set-up"),
        ("/monitoring/rollout/preview", "/monitoring/rollout"),
    ] {
        let again = staff.get(answer).await;
        assert_eq!((again.status, again.header("location")), (303, Some(form)), "{answer}");
    }
}

#[tokio::test]
async fn what_a_page_says_first_is_said_once_and_no_address_makes_it_up() {
    let place = Place::new();
    place.run(&["migrate"]).expect(0);
    let _serving = place.serve().await;
    let grace = Browser::of(&place, "grace@example.com", false).await;
    let posted = grace.post("/sync", &[]).await;
    assert_eq!((posted.status, posted.header("location")), (303, Some("/")));
    let said = posted.header("set-cookie").unwrap().split(';').next().unwrap();
    let asked = async |path: &str, notice: &str, header: (&str, &str)| {
        let request = client().get(place.url(path)).header("accept", "text/html").header(header.0, header.1);
        let cookies = format!("{}; {notice}", grace.cookie_header());
        read(request.header("cookie", cookies).send().await.unwrap()).await
    };
    // A part of a page that is brought up to date meanwhile neither says it nor takes it away.
    let part = asked("/", said, ("hx-request", "true")).await;
    assert_eq!((notice(&part.body), part.header("set-cookie")), ("", None));
    let shown = grace.follow(&posted).await;
    assert_eq!(notice(&shown.body), "All calendars that take part are looked at now.");
    assert_eq!(shown.header("set-cookie"), Some("notice=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"));
    let again = grace.get("/").await;
    assert_eq!((notice(&again.body), again.header("set-cookie")), ("", None));
    for address in ["/?said=Call+us&no=Call+us&notice=bad.Call", "/sign-in?said=Call&no=Call"] {
        assert!(!get(&place.url(address)).await.body.contains("Call"), "{address}");
        assert!(!grace.get(address).await.body.contains("Call"), "{address}");
    }
    let odd = asked("/", "notice=bad.%3Cscript%3Ealert(1)%3C/script%3E", ("dnt", "1")).await;
    assert!(odd.status == 200 && !odd.body.contains("<script>alert"), "{odd:?}");
    assert!(notice(&odd.body).contains("alert(1)"), "{odd:?}");
}

#[tokio::test]
async fn whoever_comes_first_of_all_is_told_what_to_do() {
    let place = Place::new();
    place.run(&["migrate"]).expect(0);
    let _serving = place.serve().await;
    let nobody = Browser::of_nobody(&place);
    let asked = nobody.get("/sign-in").await;
    assert_eq!(asked.status, 409);
    assert!(
        asked.body.contains("<code>calendar-sync serve</code>") && !asked.body.contains('`'),
        "{asked:?}"
    );
    assert!(!asked.body.contains("Back to the beginning"), "it would lead here again");
    let lost = nobody.get("/nowhere").await;
    assert!(lost.status == 404 && lost.body.contains("<p>The address may be mistyped"), "{lost:?}");
    let ada = Browser::of(&place, "ada@example.com", false).await;
    let wrong = ada.get("/week?from=nonsense").await;
    assert!(wrong.status == 400 && wrong.body.contains("From: give a date such as 2026-11-23."), "{wrong:?}");
}

#[tokio::test]
async fn what_was_just_made_is_shown_once_and_a_reload_makes_no_other() {
    let place = Place::new();
    place.run(&["migrate"]).expect(0);
    let _serving = place.serve().await;
    let owner = Browser::of(&place, "owner@example.com", true).await;
    let eve = Browser::of(&place, "eve@example.com", true).await;
    let table = [
        ("/settings/tokens", [("name", "backup")], "/settings", "calsync_"),
        ("/set-up/people", [("email", "ada@example.com")], "/set-up", "/password/"),
    ];
    for (form, given, page, secret) in table {
        let posted = owner.post(form, &given).await;
        assert_eq!((posted.status, posted.header("location")), (303, Some(page)), "{form}");
        let cookie = posted.header("set-cookie").unwrap();
        assert!(
            cookie.starts_with("once=") && cookie.contains("HttpOnly") && !cookie.contains(secret),
            "{cookie}"
        );
        assert!(!eve.follow(&posted).await.body.contains(secret), "{page} is for whoever asked");
        let shown = owner.follow(&posted).await;
        assert_eq!(shown.body.matches(secret).count(), 1, "{page}");
        assert!(shown.header("set-cookie").unwrap().starts_with("once=; Path=/; Max-Age=0"), "{shown:?}");
        assert!(!owner.get(page).await.body.contains(secret), "{page} is opened again");
    }
}

#[tokio::test]
async fn a_providers_answer_counts_for_the_browser_that_was_sent_and_once() {
    let world = World::new(82).await;
    let place = &world.place;
    world.sim.cloud().with(|cloud| cloud.add_person(ADA, "Ada", "Europe/Vienna", now()).map(|_| ())).unwrap();
    let _serving = place.serve().await;
    let ada = Browser::of(place, ADA, false).await;
    let eve = Browser::of(place, "eve@example.com", false).await;
    let sent = ada.post("/accounts/connect/google", &[]).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let from = sent.body.find("url=").unwrap() + 4;
    let url = sent.body[from..].split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
    let answer = client().get(format!("{url}&login_hint={ADA}")).send().await.unwrap();
    let back = answer.headers()["location"].to_str().unwrap().to_owned();
    let back = back.strip_prefix(&place.url("")).unwrap_or_else(|| panic!("{back}")).to_owned();

    let forged = back.replace("state=", "state=x");
    assert_eq!(ada.get(&forged).await.status, 403, "a state that nobody was given");
    assert_eq!(ada.get("/oauth/google/callback?code=abc").await.status, 403, "no state at all");
    let connected = ada.get(&back).await;
    assert_eq!(connected.status, 303, "{connected:?}");
    assert_eq!(list(place, "accounts").len(), 1);
    assert_eq!(ada.get(&back).await.status, 403, "a replay");

    let sent = eve.post("/accounts/connect/google", &[]).await;
    let from = sent.body.find("state=").unwrap() + 6;
    let state: String =
        sent.body[from..].chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    let stolen = format!("/oauth/google/callback?state={state}&code=abc");
    assert_eq!(ada.get(&stolen).await.status, 403, "another browser's sign-in");
    assert_eq!(eve.get(&stolen).await.status, 403, "it was answered by that");
}

#[tokio::test]
async fn of_two_windows_that_change_one_rule_the_second_is_told() {
    let (world, ..) = World::with_ada(83).await;
    let place = &world.place;
    let _serving = place.serve().await;
    let ada = signed_in(place, ADA).await;
    let ids: Vec<String> =
        list(place, "calendars").iter().map(|calendar| calendar["id"].as_str().unwrap().to_owned()).collect();
    let page = ada.shows(&format!("/rules?source={}&target={}", ids[0], ids[1])).await;
    let from = page.find("name=\"made_from\" value=\"").unwrap() + "name=\"made_from\" value=\"".len();
    let made_from = page[from..].split('"').next().unwrap().to_owned();
    let form = |title: &'static str| {
        [
            ("source", ids[0].clone()),
            ("target", ids[1].clone()),
            ("made_from", made_from.clone()),
            ("enabled", "on".to_owned()),
            ("title", title.to_owned()),
            ("do", "save".to_owned()),
        ]
    };
    let send = async |title: &'static str| {
        let form = form(title);
        let fields: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        ada.post("/rules", &fields).await
    };
    let first = send("<i>First</i>").await;
    assert_eq!(first.status, 303, "{first:?}");
    let second = send("Second").await;
    assert_eq!(second.status, 409, "{second:?}");
    assert!(
        second.body.contains("changed meanwhile") && !second.body.contains("<i>First"),
        "{}",
        second.body
    );
    let rules = place.run(&["rules", "list", "--json"]).expect(0).json();
    assert!(rules.to_string().contains("<i>First</i>") && !rules.to_string().contains("Second"), "{rules}");
}

/// Providers call calendars alike for everybody who has two accounts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calendars_of_one_name_are_told_apart_wherever_they_stand_side_by_side() {
    const ADA_ELSEWHERE: &str = "ada@example.net";
    let world = World::new(88).await;
    let family = |of: &str| calsync_sim::cloud::names::CalendarId::from(format!("family-of-{of}").as_str());
    world.sim.cloud().with(|cloud| {
        for email in [ADA, ADA_ELSEWHERE] {
            let person = cloud.add_person(email, "Ada", "Europe/Vienna", now()).unwrap();
            cloud.add_calendar(calendar(&family(email), "Family", &person), now()).unwrap();
        }
    });
    world.sign_in(ADA).await;
    world.connect_at(ProviderKind::Google, ADA, ADA_ELSEWHERE).await.expect(0);
    world.enable_all();
    world.make(&family(ADA), hour("Dentist", 30));
    world.place.run(&["sync-calendars"]).expect(0);
    let _serving = world.place.serve().await;
    let ada = signed_in(&world.place, ADA).await;
    let names = [format!("Family ({ADA})"), format!("Family ({ADA_ELSEWHERE})")];
    for path in ["/rules", "/week", "/activity?all=on"] {
        let page = ada.shows(path).await;
        assert!(names.iter().all(|name| page.contains(name)), "{path}: {page}");
    }
    for args in [&["rules", "list"][..], &["runs", "list", "--all"], &["calendars", "list"]] {
        let told = world.place.run(args).expect(0);
        assert!(names.iter().all(|name| told.out.contains(name)), "{args:?}: {}", told.out);
    }
    // The name that is shown is understood.
    let told = world.place.run(&["sync-calendars", "--calendar", &names[1]]).expect(0);
    assert!(!told.out.is_empty(), "{}", told.out);
    let unclear = world.place.run(&["sync-calendars", "--calendar", "Family"]).expect(2);
    assert!(names.iter().all(|name| unclear.err.contains(name)), "{}", unclear.err);
}
