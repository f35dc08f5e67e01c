//! The staff's pages of monitoring, asked of the compiled service: who is let in, what each shows and filters, what its buttons
//! do, and what is left of it without a database.

mod deeds;
mod entry;
mod pages;

use calsync_core::calendar::User;
use calsync_core::ids::UserId;
use calsync_core::ports::{IdGen, Store};
use calsync_core::secret::Secret;
use calsync_core::sign_in::{Session, TokenHash};
use calsync_server::system::SystemRandom;

use crate::channels::now;
use crate::place::Place;
use crate::web::{Answer, client, read};

/// Somebody's browser.
pub(crate) struct Browser {
    base: String,
    cookie: Option<String>,
}

impl Browser {
    /// One that nobody has signed in with.
    pub(crate) fn of_nobody(place: &Place) -> Browser {
        Browser { base: place.url(""), cookie: None }
    }

    /// Somebody new signs in.
    pub(crate) async fn of(place: &Place, email: &str, is_staff: bool) -> Browser {
        let user = User {
            id: UserId(SystemRandom.uuid(now())),
            email: email.to_owned(),
            is_staff,
            created_at: now(),
        };
        let token = SystemRandom.token();
        let session = Session {
            key: TokenHash::of(&token),
            user: user.id,
            device: "a test".to_owned(),
            created_at: now(),
            seen_at: now(),
        };
        place
            .look(async |store| {
                store.add_user(&user).await.unwrap();
                store.put_session(&session).await.unwrap();
            })
            .await;
        Browser { base: place.url(""), cookie: Some(Secret::expose(&token).to_owned()) }
    }

    /// One that has this session.
    pub(crate) fn with(place: &Place, token: &str) -> Browser {
        Browser { base: place.url(""), cookie: Some(token.to_owned()) }
    }

    /// Its session.
    pub(crate) fn token(&self) -> &str {
        self.cookie.as_deref().expect("somebody has signed in with it")
    }

    /// What it sends of it.
    pub(crate) fn cookie_header(&self) -> String {
        format!("session={}", self.cookie.as_deref().unwrap_or_default())
    }

    fn with_cookie(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.cookie {
            Some(_) => request.header("cookie", self.cookie_header()),
            None => request,
        }
    }

    /// Opens a page.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = client().get(format!("{}{path}", self.base)).header("accept", "text/html");
        read(self.with_cookie(request).send().await.unwrap()).await
    }

    /// The same as a program would.
    pub(crate) async fn json(&self, path: &str) -> Answer {
        read(self.with_cookie(client().get(format!("{}{path}", self.base))).send().await.unwrap()).await
    }

    /// Opens a page that another sent it on to, and shows the cookie that it was sent with, as a browser does.
    pub(crate) async fn follow(&self, answer: &Answer) -> Answer {
        let path = answer.header("location").unwrap();
        let brought = answer.headers.iter().filter(|(name, _)| name == "set-cookie");
        let cookies = brought.filter_map(|(_, line)| line.split(';').next()).map(str::to_owned);
        let cookies: Vec<String> = cookies.chain([self.cookie_header()]).collect();
        let request = client().get(format!("{}{path}", self.base)).header("accept", "text/html");
        read(request.header("cookie", cookies.join("; ")).send().await.unwrap()).await
    }

    /// Opens a page that is there.
    #[track_caller]
    pub(crate) fn shows(&self, path: &str) -> impl Future<Output = String> {
        let at = std::panic::Location::caller();
        async move {
            let answer = self.get(path).await;
            assert_eq!(answer.status, 200, "{path} at {at}: {answer:?}");
            answer.body
        }
    }

    /// Sends a form of a page of ours.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = client().post(format!("{}{path}", self.base)).header("origin", &self.base);
        let request = request.header("accept", "text/html").form(form);
        read(self.with_cookie(request).send().await.unwrap()).await
    }

    /// Sends a form, and opens the page that it leads to.
    pub(crate) async fn does(&self, path: &str, form: &[(&str, &str)]) -> String {
        let answer = self.post(path, form).await;
        assert_eq!(answer.status, 303, "{path}: {answer:?}");
        let page = self.follow(&answer).await;
        assert_eq!(page.status, 200, "{path}: {page:?}");
        page.body
    }
}

/// The notice that a page begins with.
pub(crate) fn notice(page: &str) -> &str {
    let note = page.split("<div class=\"note ").nth(1).unwrap_or_default();
    note.split('>').nth(1).and_then(|text| text.split('<').next()).unwrap_or_default()
}

/// The pages.
pub(crate) const PAGES: [&str; 7] = [
    "/monitoring",
    "/monitoring/subscriptions",
    "/monitoring/notifications",
    "/monitoring/freshness",
    "/monitoring/alerts",
    "/monitoring/rollout",
    "/monitoring/responses",
];
