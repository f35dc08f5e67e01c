//! The API as a program uses it: who is let in, that nobody gets at anybody else's things, the way from an account to a changed rule
//! and back by undo, and what is refused.

use axum::http::StatusCode;
use calsync_core::ids::AccessTokenId;
use calsync_core::ports::{IdGen, Store};
use calsync_core::secret::Secret;
use calsync_core::sign_in::{AccessToken, TokenHash};
use calsync_server::system::SystemRandom;
use serde_json::{Value, json};

use crate::channels::now;
use crate::monitoring::Browser;
use crate::place::{PATIENCE, Place, until};
use crate::web::{Answer, client, read};
use crate::world::{ADA, World, hour};

/// A program with an access token.
pub(crate) struct Program {
    base: String,
    token: String,
}

impl Program {
    /// One of somebody who is there already.
    pub(crate) async fn of(place: &Place, email: &str) -> Program {
        let token = format!("calsync_{}", SystemRandom.token().expose());
        place
            .look(async |store| {
                let (user, _) = store.password(email).await.unwrap().unwrap();
                let token = AccessToken {
                    id: AccessTokenId(SystemRandom.uuid(now())),
                    user: user.id,
                    name: "a test".to_owned(),
                    key: TokenHash::of(&Secret::new(token.as_str())),
                    created_at: now(),
                    used_at: None,
                };
                store.put_access_token(&token).await.unwrap();
            })
            .await;
        Program { base: place.url(""), token }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let request = client().request(method.parse().unwrap(), format!("{}{path}", self.base));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let request = match body {
            None => request,
            Some(body) => request.json(body),
        };
        read(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, Some(body)).await
    }
}

fn status(of: &Answer) -> StatusCode {
    StatusCode::from_u16(of.status).unwrap()
}

/// The newest run that wrote something.
pub(crate) async fn newest_run(program: &Program) -> String {
    until("a run that wrote", PATIENCE, async || {
        let runs = program.get("/api/v1/runs?limit=1").await.json();
        runs["runs"][0]["id"].as_str().map(str::to_owned)
    })
    .await
}

#[tokio::test]
async fn a_token_opens_what_is_its_users_and_nothing_else() {
    let (world, ..) = World::with_ada(91).await;
    let place = &world.place;
    let _serving = place.serve().await;
    let ada = Program::of(place, ADA).await;
    let browser = Browser::of(place, "grace@example.com", false).await;
    let grace = Program::of(place, "grace@example.com").await;
    let me = ada.get("/api/v1/me").await.json();
    assert_eq!((me["email"].as_str(), me["is_staff"].as_bool()), (Some(ADA), Some(false)));
    // A page of another site could ask with the browser's cookie: that opens nothing.
    let by_cookie = browser.get("/api/v1/me").await;
    assert_eq!((by_cookie.status, by_cookie.code().as_str()), (401, "unauthorized"));
    assert_eq!(by_cookie.header("www-authenticate"), Some("Bearer"));
    for wrong in ["calsync_wrong", "wrong", ""] {
        let program = Program { base: place.url(""), token: wrong.to_owned() };
        assert_eq!(program.get("/api/v1/me").await.status, 401, "{wrong}");
    }
    let accounts = ada.get("/api/v1/accounts").await.json();
    let (account, calendars) = (&accounts[0], accounts[0]["calendars"].as_array().unwrap());
    assert_eq!((account["email"].as_str(), calendars.len()), (Some(ADA), 2));
    assert_eq!(grace.get("/api/v1/accounts").await.json(), json!([]));
    let (account, calendar) = (account["id"].as_str().unwrap(), calendars[0]["id"].as_str().unwrap());
    let run = newest_or_any(place).await;
    let theirs = [
        ("GET", format!("/api/v1/calendars/{calendar}")),
        ("POST", format!("/api/v1/calendars/{calendar}/enable")),
        ("GET", format!("/api/v1/calendars/{calendar}/disable")),
        ("POST", format!("/api/v1/calendars/{calendar}/disable")),
        ("POST", format!("/api/v1/calendars/{calendar}/sync")),
        ("POST", format!("/api/v1/calendars/{calendar}/approve")),
        ("GET", format!("/api/v1/accounts/{account}/removal")),
        ("DELETE", format!("/api/v1/accounts/{account}")),
        ("GET", format!("/api/v1/runs/{run}")),
        ("GET", format!("/api/v1/runs/{run}/undo")),
        ("POST", format!("/api/v1/runs/{run}/undo")),
    ];
    for (method, path) in &theirs {
        let body = path.ends_with("undo").then(|| json!({})).filter(|_| *method == "POST");
        let answer = grace.ask(method, path, body.as_ref()).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{method} {path}");
        if *method == "GET" {
            assert_eq!(ada.get(path).await.status, 200, "{path}");
        }
    }
    for path in ["subscriptions", "notifications", "freshness", "audit", "alerts", "rollout"] {
        let answer = ada.get(&format!("/api/v1/monitoring/{path}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "not_staff"), "{path}");
    }
    assert_eq!(ada.get("/webhooks/monitoring/health/").await.status, 403);
    assert_eq!(ada.get("/api/v1/users").await.code(), "not_staff");
    place.sql("UPDATE users SET is_staff = 1");
    for path in ["subscriptions", "notifications", "freshness", "audit", "alerts", "rollout"] {
        assert_eq!(ada.get(&format!("/api/v1/monitoring/{path}")).await.status, 200, "{path}");
    }
    let new = ada.post("/api/v1/users", &json!({"email": "Eve@example.com"})).await;
    assert_eq!((new.status, new.json()["email"].as_str()), (201, Some("eve@example.com")));
    assert_eq!(ada.post("/api/v1/users", &json!({"email": "eve@example.com"})).await.status, 409);
    assert_eq!(ada.post("/api/v1/users", &json!({"email": "eve"})).await.status, 422);
    let id = new.json()["id"].as_str().unwrap().to_owned();
    let invited = ada.post(&format!("/api/v1/users/{id}/invitation"), &json!({})).await.json();
    let link = invited["link"].as_str().unwrap().to_owned();
    let path = link.find("/password/").map(|at| link[at..].to_owned()).expect("a link to choose a password");
    assert_eq!(Browser::of_nobody(place).get(&path).await.status, 200, "{link}");
    assert_eq!(ada.get("/webhooks/monitoring/health/").await.status, 200);
    place.sql("DELETE FROM access_tokens");
    assert_eq!(ada.get("/api/v1/me").await.status, 401, "removed is removed");
}

async fn newest_or_any(place: &Place) -> String {
    until("a run", PATIENCE, async || {
        let runs = place.look(async |store| store.runs(None, 1).await.unwrap()).await;
        runs.first().map(|run| run.id.to_string())
    })
    .await
}

#[tokio::test]
async fn a_rule_is_changed_from_what_was_seen_and_the_run_is_undone() {
    let (world, main, _) = World::with_ada(92).await;
    let place = &world.place;
    let _serving = place.serve().await;
    let ada = Program::of(place, ADA).await;
    world.make(&main, hour("Interview", 24));
    assert_eq!(status(&ada.post("/api/v1/sync", &json!({})).await), StatusCode::ACCEPTED);
    let made = newest_run(&ada).await;
    let grid = ada.get("/api/v1/rules").await.json();
    let cell = grid["cells"].as_array().unwrap().iter().find(|cell| cell["rule"].is_object()).unwrap();
    let mut options = cell["rule"]["options"].clone();
    options["title"] = json!("Taken");
    let change = json!({"changes": [{"source": cell["source"], "target": cell["target"], "to": {"set": options},
        "made_from": cell["print"]}]});
    let preview = ada.post("/api/v1/rules/preview", &json!({ "changes": change })).await;
    assert_eq!(preview.status, 200, "{preview:?}");
    let changed = ada.post("/api/v1/rules", &change).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(changed.json()["changed"][0]["options"]["title"], "Taken");
    let again = ada.post("/api/v1/rules", &change).await;
    assert_eq!((again.status, again.code().as_str()), (409, "conflict"));
    let unmeant =
        json!({"changes": [{"source": cell["source"], "target": cell["source"], "to": {"set": options}}]});
    let refused = ada.post("/api/v1/rules", &unmeant).await;
    assert_eq!((refused.status, refused.code().as_str()), (422, "invalid"));
    for (body, expected) in [
        (json!({"changes": [], "unasked": "maybe"}), 422),
        (json!({"changes": [], "more": 1}), 422),
        (json!([]), 422),
    ] {
        assert_eq!(ada.post("/api/v1/rules", &body).await.status, expected, "{body}");
    }
    let would = ada.get(&format!("/api/v1/runs/{made}/undo")).await.json();
    assert_eq!((would["run"].as_str(), would["by"].is_null()), (Some(made.as_str()), true), "{would}");
    // While somebody writes there it is refused, with the time after which it may be asked again.
    let undone = until("it is undone", PATIENCE, async || {
        let undone = ada.post(&format!("/api/v1/runs/{made}/undo"), &json!({"partly": true})).await;
        (undone.status != 409).then_some(undone)
    })
    .await;
    assert_eq!(undone.status, 200, "{undone:?}");
    let week = ada.get(&format!("/api/v1/week?from={}", now().to_jiff().strftime("%F"))).await;
    assert_eq!(week.status, 200, "{week:?}");
    for wrong in [
        "",
        "?from=never",
        "?from=2026-11-23&days=0",
        "?from=2026-11-23&zone=Mars/Base",
        "?from=2026-11-23&x=1",
    ] {
        assert_eq!(ada.get(&format!("/api/v1/week{wrong}")).await.status, 400, "{wrong}");
    }
    for wrong in ["?limit=0", "?limit=201", "?after=x", "?calendar=7"] {
        assert_eq!(ada.get(&format!("/api/v1/runs{wrong}")).await.status, 400, "{wrong}");
    }
    assert_eq!(ada.get("/api/v1/calendars/seven").await.status, 404);
    let request =
        client().post(place.url("/api/v1/rules")).header("authorization", format!("Bearer {}", ada.token()));
    let text = read(request.body("changes=1").send().await.unwrap()).await;
    assert_eq!((text.status, text.code().as_str()), (415, "not_json"));
    let long = ada.post("/api/v1/rules", &json!({"changes": [], "unasked": "x".repeat(300_000)})).await;
    assert_eq!((long.status, long.code().as_str()), (413, "too_large"));
}
