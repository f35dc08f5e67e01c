//! The steps of proving to Google that a domain is ours, each with its result. They look from outside; what they find
//! does not undo what was stored.

use std::time::Duration;

use crate::checks::Check;
use crate::http::VERIFICATION_LIFE;
use crate::reach::{Health, Looker, Unreached, judge_content};

use super::File;

/// Between two looks for a file that instances may not have noticed yet.
const APART: Duration = Duration::from_secs(1);

/// A domain as it is named on the command line: its name alone. The error says what is wanted.
pub fn domain(text: &str) -> Result<String, String> {
    let refused = || {
        format!(
            "{text:?} is not the name of a domain: give it alone, such as sync.example.com, without https:// and without a path"
        )
    };
    match url::Host::parse(text) {
        Ok(url::Host::Domain(name)) if name.trim_end_matches('.').contains('.') => {
            Ok(name.trim_end_matches('.').to_owned())
        }
        _ => Err(refused()),
    }
}

/// Looks through this address, which has no slash at its end: for the file, where one is served, and for ourselves.
pub async fn look(looker: &Looker, base: &str, served: Option<&File>) -> Vec<Check> {
    let file = match served {
        Some(file) => look_for(looker, base, file).await,
        None => Check::skipped("file reachable", "it is not stored yet"),
    };
    vec![file, health_seen("health reachable", base, &looker.health(base).await)]
}

/// Whether the file stands at its public address, to the letter. Instances may notice it a moment late: as long as they
/// may take for that, it is looked for again.
async fn look_for(looker: &Looker, base: &str, file: &File) -> Check {
    let url = format!("{base}/{}", file.name());
    let patience = VERIFICATION_LIFE * 2;
    let began = tokio::time::Instant::now();
    let found = loop {
        let found = match looker.get(&url).await {
            Ok(answer) => judge_content(&answer, file.content()),
            Err(why) => Err(why),
        };
        let is_late = matches!(found, Err(Unreached::Status(404) | Unreached::Stranger));
        if !is_late || began.elapsed() >= patience {
            break found;
        }
        tokio::time::sleep(APART).await;
    };
    file_seen(&url, &found)
}

/// What that means.
fn file_seen(url: &str, found: &Result<(), Unreached>) -> Check {
    const NAME: &str = "file reachable";
    match found {
        Ok(()) => Check::ok(NAME, format!("{url} answers with exactly this file")),
        Err(why @ (Unreached::Status(404) | Unreached::Stranger)) => Check::failed(
            NAME,
            format!("{url}: {why}"),
            "something else answers there, or an instance with another database: let the proxy hand this path on to calendar-sync as well, with the path as it came",
        ),
        Err(why) => Check::failed(NAME, format!("{url}: {why}"), why.remedy()),
    }
}

/// What our health route, asked through this address, means for providers.
pub fn health_seen(name: &'static str, base: &str, found: &Result<Health, Unreached>) -> Check {
    match found {
        Ok(health) if health.status == "critical" => Check::warning(
            name,
            format!(
                "{base} leads to calendar-sync, which says that it is critical ({})",
                health.unwell.join(", ")
            ),
            "look at its log, and at the database",
        ),
        Ok(health) => Check::ok(name, format!("{base} leads to calendar-sync, which is {}", health.status)),
        Err(why) => Check::failed(name, format!("{base}/webhooks/health/: {why}"), why.remedy()),
    }
}

/// What a person does next at Google, and whether it has to be (google.md §8).
pub fn next(domain: &str) -> Vec<String> {
    vec![
        format!(
            "next: at https://search.google.com/search-console add https://{domain}/ as a property (URL prefix) and verify it by the HTML file"
        ),
        "leave the file in place: Google looks for it again now and then".to_owned(),
        "Google's support page says that push no longer needs a verified domain, and the push guide no longer mentions it; it \
         helps where opening a channel is refused with push.webhookUrlUnauthorized (then add the domain in the Google Cloud \
         console too, where your project still has a page for it)"
            .to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome;

    #[test]
    fn a_domain_is_named_alone() {
        for (text, name) in [
            ("example.com", "example.com"),
            ("Sync.Example.COM", "sync.example.com"),
            ("example.com.", "example.com"),
            ("bücher.example.com", "xn--bcher-kva.example.com"),
        ] {
            assert_eq!(domain(text).as_deref(), Ok(name), "{text}");
        }
        for text in [
            "",
            "https://example.com",
            "example.com/",
            "example.com:8443",
            "user@example.com",
            "localhost",
            "192.0.2.1",
            "[::1]",
            "exam ple.com",
            "example.com?x",
        ] {
            assert!(domain(text).unwrap_err().contains("without https://"), "{text}");
        }
    }

    #[test]
    fn what_is_seen_of_the_file_has_its_remedy() {
        let seen = |found| file_seen("https://example.com/google1234567890abcdef.html", &found);
        assert_eq!(seen(Ok(())).outcome, Outcome::Ok);
        for (why, remedy) in [
            (Unreached::Status(404), "let the proxy hand this path on"),
            (Unreached::Stranger, "let the proxy hand this path on"),
            (Unreached::Status(502), "start `calendar-sync serve`"),
            (Unreached::Redirect { status: 301, to: "/login".to_owned() }, "no redirect"),
            (silent(crate::reach::Silence::Name), "DNS"),
            (silent(crate::reach::Silence::Certificate), "public authority"),
        ] {
            let check = seen(Err(why));
            assert_eq!(check.outcome, Outcome::Failed, "{check:?}");
            assert!(check.remedy.as_ref().unwrap().contains(remedy), "{check:?}");
        }
    }

    fn silent(why: crate::reach::Silence) -> Unreached {
        Unreached::Silent { why, words: "no".to_owned() }
    }

    #[test]
    fn that_we_are_unwell_is_no_fault_of_the_address() {
        let health =
            |status: &str| Ok(Health { status: status.to_owned(), unwell: vec!["database".to_owned()] });
        for (found, outcome) in [
            (health("healthy"), Outcome::Ok),
            (health("degraded"), Outcome::Ok),
            (health("critical"), Outcome::Warning),
            (Err(Unreached::Stranger), Outcome::Failed),
            (Err(Unreached::Status(503)), Outcome::Failed),
        ] {
            assert_eq!(health_seen("x", "https://example.com", &found).outcome, outcome, "{found:?}");
        }
    }
}
