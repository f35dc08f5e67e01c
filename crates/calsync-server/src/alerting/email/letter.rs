//! A message as a letter: headers that make one thread of all letters about an alert, and the text twice, plain and as a
//! page. Pure.

use std::time::{Duration, SystemTime};

use calsync_core::alert::{AlertLevel, AlertMessage, Occasion};
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use super::page;
use crate::alerting::words;

/// The letter. The same message gives the same headers however often it is sent, so that a mailbox can tell that it has it.
pub(super) fn letter(
    message: &AlertMessage,
    from: &Mailbox,
    to: &Mailbox,
) -> Result<Message, lettre::error::Error> {
    // Each message has an id of its own. That of the first one is the thread's, and all others refer to it, whether it arrived
    // or not (RFC 5322 §3.6.4): also one that says that it became louder.
    let place = from.email.domain();
    let thread = format!("<{}@{place}>", message.thread);
    let letter = Message::builder()
        .from(from.clone())
        .to(to.clone())
        .subject(words::title(message))
        .date(date(message))
        .message_id(Some(format!("<{}@{place}>", message.id)));
    // A test begins no alert and ends none.
    let letter = if message.id == message.thread || message.occasion == Occasion::Test {
        letter
    } else {
        letter.in_reply_to(thread.clone()).references(thread)
    };
    // No answer by machines on holiday (RFC 3834), Microsoft's included.
    let mut letter = letter
        .raw_header(raw("Auto-Submitted", "auto-generated"))
        .raw_header(raw("X-Auto-Response-Suppress", "All"));
    if message.level == AlertLevel::Critical && message.occasion == Occasion::Opened {
        letter = letter.raw_header(raw("Importance", "high"));
    }
    letter.multipart(MultiPart::alternative_plain_html(plain(message), page::page(message)))
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn date(message: &AlertMessage) -> SystemTime {
    let seconds = u64::try_from(message.at.millis().div_euclid(1_000)).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// For those who read text.
fn plain(message: &AlertMessage) -> String {
    let mut text = words::text(message);
    if let Some(action) = words::action(message) {
        text.push_str("\n\nWhat to do: ");
        text.push_str(&action);
    }
    text.push_str("\n\n");
    let level = ("Level", message.level.as_str().to_owned());
    for (name, value) in std::iter::once(level).chain(words::facts(message)) {
        text.push_str(&format!("{:<10}{value}\n", format!("{name}:")));
    }
    text.push_str("\n-- \nSent by calendar-sync\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::words::tests::message;

    fn made(occasion: Occasion) -> String {
        made_of(&message(occasion))
    }

    fn made_of(message: &AlertMessage) -> String {
        let mailbox = |text: &str| text.parse::<Mailbox>().unwrap();
        let from = mailbox("Calendar Sync <sync@example.com>");
        let letter = letter(message, &from, &mailbox("ada@example.org")).unwrap();
        String::from_utf8(letter.formatted()).unwrap()
    }

    fn header(letter: &str, name: &str) -> Option<String> {
        let found = letter
            .lines()
            .take_while(|line| !line.is_empty())
            .find_map(|line| line.strip_prefix(&format!("{name}: ")));
        found.map(str::to_owned)
    }

    #[test]
    fn all_letters_about_an_alert_are_one_thread() {
        let thread = "<01935000-0000-7000-8000-000000000002@example.com>";
        let own = "<01935000-0000-7000-8000-000000000001@example.com>";
        let first = || AlertMessage { id: message(Occasion::Opened).thread, ..message(Occasion::Opened) };
        for (message, id, refers) in [
            (first(), thread, None),
            // It became louder: whoever drops what they have seen must not drop this.
            (message(Occasion::Opened), own, Some(thread)),
            (message(Occasion::Reminded), own, Some(thread)),
            (message(Occasion::Resolved), own, Some(thread)),
            (message(Occasion::Test), own, None),
        ] {
            let letter = made_of(&message);
            assert_eq!(header(&letter, "Message-ID").as_deref(), Some(id), "{letter}");
            assert_eq!(header(&letter, "References").as_deref(), refers);
            assert_eq!(header(&letter, "In-Reply-To").as_deref(), refers);
            assert_eq!(header(&letter, "Auto-Submitted").as_deref(), Some("auto-generated"));
            assert_eq!(header(&letter, "Date").as_deref(), Some("Sun, 22 Nov 2026 10:05:30 +0000"));
        }
    }

    #[test]
    fn the_text_says_what_happened_and_what_to_do() {
        assert_eq!(
            plain(&message(Occasion::Resolved)),
            "This is over: The database does not answer <script>alert(1)</script>.\n\n\
             Level:    critical\nAbout:    Zoë's <b>work</b> & more\nHow many: 3\nSince:    2026-11-22 08:00 UTC\n\
             Until:    2026-11-22 10:05 UTC\nLasted:   2 h 5 min\n\n-- \nSent by calendar-sync\n"
        );
        assert!(
            plain(&message(Occasion::Opened))
                .contains("\n\nWhat to do: Start PostgreSQL & look at *its* log.\n\n")
        );
    }

    #[test]
    fn the_same_message_makes_the_same_headers() {
        let head = |letter: &str| {
            letter
                .lines()
                .take_while(|line| !line.is_empty())
                .filter(|l| !l.contains("boundary"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(head(&made(Occasion::Opened)), head(&made(Occasion::Opened)));
    }
}
