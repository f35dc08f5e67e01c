//! The pages in a real browser, against the compiled program and the simulated calendar cloud, as a person would use them. Every
//! page that is visited can be held to axe, in both widths and both colour schemes, and be pictured.

mod activity;
mod consent;
pub(crate) mod first_run;
mod many;
mod outage;
mod refused;
mod rules;
mod staff;
mod week;

use std::path::PathBuf;
use std::time::Duration;

use calsync_testbed::browser::Browsers;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::monitoring;
use crate::place::{Place, until};

/// How long a page may take to show something: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    width: u32,
    height: u32,
    scheme: &'static str,
    name: &'static str,
}

/// The ways in which every page is looked at.
pub(crate) const LOOKS: [Look; 4] = [
    Look { width: 1440, height: 1000, scheme: "light", name: "desktop-light" },
    Look { width: 1440, height: 1000, scheme: "dark", name: "desktop-dark" },
    Look { width: 390, height: 844, scheme: "light", name: "phone-light" },
    Look { width: 390, height: 844, scheme: "dark", name: "phone-dark" },
];

/// The way in which pictures for readers are made.
const SHOWN: Look = Look { width: 1280, height: 640, scheme: "light", name: "shown" };

/// One browser window, signed in to nothing.
pub(crate) struct Browser {
    driver: WebDriver,
    base: String,
    _browsers: Browsers,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The window goes with its server. To end the session first would wait for the page's open stream: two minutes.
        let _ = self.driver.clone().leak();
    }
}

impl Browser {
    /// Opens a window for the pages at this address.
    pub(crate) async fn open(base: &str) -> Browser {
        let browsers = Browsers::start();
        let mut wanted = DesiredCapabilities::chrome();
        for argument in browsers.arguments() {
            wanted.add_arg(&argument).unwrap();
        }
        let driver = WebDriver::new(browsers.url(), wanted).await;
        let driver = driver.unwrap_or_else(|error| panic!("{error}\n{}", browsers.log()));
        let browser = Browser { driver, base: base.to_owned(), _browsers: browsers };
        browser.looks(LOOKS[0]).await;
        browser
    }

    /// A window in which somebody has signed in.
    pub(crate) async fn of(place: &Place, somebody: &monitoring::Browser) -> Browser {
        let browser = Browser::open(&place.url("")).await;
        let cookie = json!({"name": "session", "value": somebody.token(), "url": place.url("/")});
        browser.driver.cdp().send_raw("Network.setCookie", cookie).await.unwrap();
        browser
    }

    /// From now on pages are looked at in this way.
    pub(crate) async fn looks(&self, look: Look) {
        let tools = self.driver.cdp();
        let size = json!({"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": look.width < 500});
        tools.send_raw("Emulation.setDeviceMetricsOverride", size).await.unwrap();
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": look.scheme}]});
        tools.send_raw("Emulation.setEmulatedMedia", scheme).await.unwrap();
    }

    /// Goes to a path of ours, or to a whole address.
    pub(crate) async fn goes(&self, path: &str) {
        let url = if path.starts_with('/') { format!("{}{path}", self.base) } else { path.to_owned() };
        self.driver.goto(&url).await.unwrap();
    }

    /// The path it is at.
    pub(crate) async fn path(&self) -> String {
        self.driver.current_url().await.unwrap().path().to_owned()
    }

    /// What stands on the page. A browser that can't say so while it goes from one to the next is asked again.
    pub(crate) async fn text(&self) -> String {
        let read = "return document.body ? document.body.innerText : ''";
        let began = std::time::Instant::now();
        loop {
            match self.driver.execute(read, vec![]).await {
                Ok(found) => return found.json().as_str().unwrap_or_default().to_owned(),
                Err(error) => {
                    assert!(began.elapsed() < PATIENCE, "the browser does not answer: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Waits until this stands on the page, whatever its letters' case.
    pub(crate) async fn sees(&self, what: &str) {
        let wanted = what.to_lowercase();
        let mut text = String::new();
        let began = std::time::Instant::now();
        while began.elapsed() < PATIENCE {
            text = self.text().await;
            if text.to_lowercase().contains(&wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let source = self.driver.source().await.unwrap_or_else(|error| error.to_string());
        let source: String = source.chars().take(2_000).collect();
        panic!("{what:?} does not appear at {}:\n{text}\nIts source begins: {source}", self.path().await);
    }

    /// Waits until this stands on the page so often.
    pub(crate) async fn sees_times(&self, what: &str, times: usize) {
        until(&format!("{what:?} {times} times"), PATIENCE, async || {
            (self.text().await.matches(what).count() == times).then_some(())
        })
        .await;
    }

    /// Waits until this stands nowhere on the page.
    pub(crate) async fn sees_no(&self, what: &str) {
        let wanted = what.to_lowercase();
        let began = std::time::Instant::now();
        while self.text().await.to_lowercase().contains(&wanted) {
            assert!(began.elapsed() < PATIENCE, "{what:?} still stands at {}", self.path().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Leaves a mark on the page, which a page that is loaded anew has not.
    pub(crate) async fn marks(&self) {
        self.script("window.markOfTheTest = true").await;
    }

    /// Whether it is still the page with the mark.
    pub(crate) async fn is_marked(&self) -> bool {
        self.script("return window.markOfTheTest === true").await == true
    }

    /// Types into the field of this name.
    pub(crate) async fn fills(&self, name: &str, value: &str) {
        let field = self.one(&format!("main [name=\"{name}\"]")).await;
        field.clear().await.unwrap();
        field.send_keys(value).await.unwrap();
    }

    /// The first element of this kind.
    pub(crate) async fn one(&self, css: &str) -> WebElement {
        until(&format!("{css} is there"), PATIENCE, async || self.driver.find(By::Css(css)).await.ok()).await
    }

    /// All elements of this kind.
    pub(crate) async fn all(&self, css: &str) -> Vec<WebElement> {
        self.driver.find_all(By::Css(css)).await.unwrap()
    }

    /// Presses the first element of this kind that holds these words.
    pub(crate) async fn presses_in(&self, words: &str, css: &str) {
        let what = format!("{words:?} in {css}");
        until(&what, PATIENCE, async || {
            for one in self.all(css).await {
                if one.text().await.ok()?.contains(words) {
                    return self.hits(&one).await;
                }
            }
            None
        })
        .await;
    }

    /// Presses the button, or follows the link, with this on it, and waits for what comes.
    pub(crate) async fn presses(&self, label: &str) {
        let xpath = format!(
            "(//button[normalize-space()={0}] | //a[normalize-space()={0}] | //summary[normalize-space()={0}])[1]",
            quoted(label)
        );
        // A page that goes on by itself may put another in its place meanwhile.
        until(&format!("{label:?} can be pressed"), PATIENCE, async || {
            let target = self.driver.find(By::XPath(&xpath)).await.ok()?;
            self.hits(&target).await
        })
        .await;
    }

    /// Clicks this, and says whether the click arrived there: a browser clicks where a thing stood when it was asked, and a
    /// page that goes on by itself may have moved it meanwhile.
    async fn hits(&self, target: &WebElement) -> Option<()> {
        const LISTEN: &str = "window.clickOfTheTest = 'missed';
            arguments[0].addEventListener('click', () => { window.clickOfTheTest = 'hit' }, { once: true })";
        target.scroll_into_view().await.ok()?;
        self.driver.execute(LISTEN, vec![target.to_json().ok()?]).await.ok()?;
        target.click().await.ok()?;
        // Another page, which knows of no click, is one that this click led to.
        (self.script("return window.clickOfTheTest").await != "missed").then_some(())
    }

    /// Runs a script in the page.
    pub(crate) async fn script(&self, script: &str) -> Value {
        self.driver.execute(script, vec![]).await.unwrap().json().clone()
    }

    /// Holds this page to axe in every look: nothing serious, nothing critical, nothing wider than the window. Pictures of it
    /// are kept where `CALSYNC_PICTURES` names a directory.
    pub(crate) async fn is_fit(&self, page: &str) {
        for look in LOOKS {
            self.looks(look).await;
            self.is_fit_in(page, look).await;
        }
        self.looks(LOOKS[0]).await;
    }

    async fn is_fit_in(&self, page: &str, look: Look) {
        let wide = self
            .script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            .await;
        let too_wide = wide.as_i64().unwrap_or_default();
        let found = match axe() {
            Some(axe) => {
                if self.script("return typeof axe === 'undefined'").await == true {
                    self.script(&axe).await;
                }
                let run = "const done = arguments[arguments.length - 1]; axe.run().then(r => done(r.violations), e => done(String(e)));";
                self.driver.execute_async(run, vec![]).await.unwrap().json().clone()
            }
            None => json!([]),
        };
        if let Some(directory) = std::env::var_os("CALSYNC_PICTURES") {
            self.picture(&PathBuf::from(directory).join(format!("{page}-{}.png", look.name)), look).await;
        }
        let violations = found.as_array().unwrap_or_else(|| panic!("axe broke on {page}: {found}"));
        let grave: Vec<String> = violations
            .iter()
            .filter(|one| matches!(one["impact"].as_str(), Some("serious" | "critical")))
            .map(|one| format!("{}: {} {}", one["id"], one["help"], one["nodes"][0]["html"]))
            .collect();
        assert!(grave.is_empty(), "{page} ({}): {grave:#?}", look.name);
        assert!(too_wide <= 0, "{page} ({}) is {too_wide} px wider than the window", look.name);
    }

    /// A picture of the page for somebody who reads about it, where `CALSYNC_PICTURES` names a directory.
    pub(crate) async fn is_pictured(&self, page: &str) {
        if let Some(directory) = std::env::var_os("CALSYNC_PICTURES") {
            self.looks(SHOWN).await;
            self.picture(&PathBuf::from(directory).join(format!("{page}.png")), SHOWN).await;
            self.looks(LOOKS[0]).await;
        }
    }

    async fn picture(&self, file: &std::path::Path, look: Look) {
        let height = self.script("return document.documentElement.scrollHeight").await;
        let height =
            u32::try_from(height.as_u64().unwrap_or(1_000)).unwrap_or(1_000).clamp(look.height, 3_000);
        self.looks(Look { height, ..look }).await;
        self.script("window.scrollTo(0, 0)").await;
        self.driver.screenshot(file).await.unwrap();
        self.looks(look).await;
    }
}

/// The checker, as a script. Without it pages are only visited; never in CI.
fn axe() -> Option<String> {
    match std::env::var_os("CALSYNC_CLIENTS_DIR") {
        Some(place) => {
            let file = PathBuf::from(place).join("node_modules/axe-core/axe.min.js");
            Some(std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display())))
        }
        None if std::env::var_os("CI").is_some() => {
            panic!("CALSYNC_CLIENTS_DIR must name a folder made by script/client-libraries")
        }
        None => None,
    }
}

/// Text for XPath, which knows no escapes.
fn quoted(text: &str) -> String {
    assert!(!text.contains('"'), "{text}");
    format!("\"{text}\"")
}
