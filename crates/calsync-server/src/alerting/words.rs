//! The words of a message that all channels share: its title, its facts, its times. Pure; knows no markup, and escapes
//! nothing.

use calsync_core::alert::{AlertMessage, Occasion};
use calsync_core::time::Ts;
use jiff::SignedDuration;

/// So much of a text is sent; no alert of ours says more.
const TEXT_MAX: usize = 2_000;
/// So much of a name in a title.
const NAME_MAX: usize = 100;

/// `[Calendar Sync] CRITICAL: database_down`, and behind it what else it is than news. The beginning is the same for all
/// messages about an alert, so that one filter finds them all.
pub(super) fn title(message: &AlertMessage) -> String {
    let kind = one_line(&message.kind, NAME_MAX);
    let level = message.level.as_str().to_uppercase();
    let what = match message.occasion {
        Occasion::Opened => "",
        Occasion::Reminded => " (still open)",
        Occasion::Resolved => " (resolved)",
        Occasion::Test => " (test)",
    };
    format!("[Calendar Sync] {level}: {kind}{what}")
}

/// What happened to the alert, in a word or two.
pub(super) const fn occasion(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::Opened => "New",
        Occasion::Reminded => "Still open",
        Occasion::Resolved => "Resolved",
        Occasion::Test => "Test",
    }
}

/// What is said about it, with a word in front where it would else be taken for news.
pub(super) fn text(message: &AlertMessage) -> String {
    let said = cut(&message.message, TEXT_MAX);
    match message.occasion {
        Occasion::Opened | Occasion::Reminded => said,
        Occasion::Resolved => format!("This is over: {said}"),
        Occasion::Test => format!("This is a test, nothing has happened. {said}"),
    }
}

/// What to do; `None` where there is nothing to say, or nothing left to do.
pub(super) fn action(message: &AlertMessage) -> Option<String> {
    let action = cut(&message.action, TEXT_MAX);
    (!action.is_empty() && message.occasion != Occasion::Resolved).then_some(action)
}

/// The rest, in the order in which people ask.
pub(super) fn facts(message: &AlertMessage) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let about = one_line(&message.subject, TEXT_MAX);
    if !about.is_empty() {
        facts.push(("About", about));
    }
    if message.count > 1 {
        facts.push(("How many", message.count.to_string()));
    }
    facts.push(("Since", moment(message.first_seen)));
    let span = duration(message.at.since(message.first_seen));
    match message.occasion {
        Occasion::Opened | Occasion::Test => {}
        Occasion::Reminded => facts.push(("Open for", span)),
        Occasion::Resolved => {
            facts.push(("Until", moment(message.at)));
            facts.push(("Lasted", span));
        }
    }
    facts
}

/// To the minute: nobody reads more of an alert.
fn moment(at: Ts) -> String {
    at.to_jiff().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn duration(span: SignedDuration) -> String {
    let minutes = span.as_mins().max(0);
    match (minutes / 1_440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => "less than a minute".to_owned(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

fn one_line(text: &str, max: usize) -> String {
    cut(
        &text
            .split(|c: char| c.is_control() || c.is_whitespace())
            .filter(|w| !w.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
        max,
    )
}

/// Not longer than that, and without control characters but line breaks.
fn cut(text: &str, max: usize) -> String {
    let plain = text.trim().chars().filter(|c| *c == '\n' || !c.is_control());
    let mut kept: String = plain.clone().take(max).collect();
    if plain.count() > max {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
pub(super) mod tests {
    use calsync_core::alert::AlertLevel;
    use uuid::Uuid;

    use super::*;

    /// A message for tests, with all that needs care in it.
    pub(in crate::alerting) fn message(occasion: Occasion) -> AlertMessage {
        AlertMessage {
            id: Uuid::from_u128(0x0193_5000_0000_7000_8000_0000_0000_0001),
            thread: Uuid::from_u128(0x0193_5000_0000_7000_8000_0000_0000_0002),
            occasion,
            kind: "database_down".to_owned(),
            level: AlertLevel::Critical,
            subject: "Zoë's <b>work</b> & more".to_owned(),
            count: 3,
            message: "The database does not answer <script>alert(1)</script>.".to_owned(),
            action: "Start PostgreSQL & look at *its* log.".to_owned(),
            first_seen: "2026-11-22T08:00:00Z".parse().unwrap(),
            at: "2026-11-22T10:05:30Z".parse().unwrap(),
        }
    }

    #[test]
    fn titles_begin_alike_and_end_with_what_happened() {
        for (occasion, title) in [
            (Occasion::Opened, "[Calendar Sync] CRITICAL: database_down"),
            (Occasion::Reminded, "[Calendar Sync] CRITICAL: database_down (still open)"),
            (Occasion::Resolved, "[Calendar Sync] CRITICAL: database_down (resolved)"),
            (Occasion::Test, "[Calendar Sync] CRITICAL: database_down (test)"),
        ] {
            assert_eq!(super::title(&message(occasion)), title);
        }
        let odd = AlertMessage { kind: "a\r\nBcc: eve@example.com".to_owned(), ..message(Occasion::Opened) };
        assert_eq!(super::title(&odd), "[Calendar Sync] CRITICAL: a Bcc: eve@example.com");
    }

    #[test]
    fn facts_fit_what_happened() {
        let names =
            |occasion| facts(&message(occasion)).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(Occasion::Opened), ["About", "How many", "Since"]);
        assert_eq!(names(Occasion::Resolved), ["About", "How many", "Since", "Until", "Lasted"]);
        assert_eq!(facts(&message(Occasion::Reminded)).pop(), Some(("Open for", "2 h 5 min".to_owned())));
        let lone = AlertMessage { subject: " \n".to_owned(), count: 1, ..message(Occasion::Opened) };
        assert_eq!(facts(&lone), [("Since", "2026-11-22 08:00 UTC".to_owned())]);
        assert!(
            action(&message(Occasion::Opened)).is_some() && action(&message(Occasion::Resolved)).is_none()
        );
    }

    #[test]
    fn durations_read_well_and_texts_are_bounded() {
        for (seconds, words) in [
            (-5, "less than a minute"),
            (59, "less than a minute"),
            (60, "1 min"),
            (7_200, "2 h 0 min"),
            (180_000, "2 d 2 h"),
        ] {
            assert_eq!(duration(SignedDuration::from_secs(seconds)), words);
        }
        let long = AlertMessage { message: "ä\u{7}".repeat(TEXT_MAX * 2), ..message(Occasion::Opened) };
        assert_eq!(text(&long).chars().count(), TEXT_MAX + 1);
    }
}
