//! A message as a page for mail programs: one narrow table, styles beside what they style (many programs drop the rest),
//! colours for light and dark, nothing from elsewhere. Everything that is said is escaped. Pure.

use calsync_core::alert::{AlertLevel, AlertMessage, Occasion};

use crate::alerting::words;

/// Programs that know dark backgrounds heed these; the others show what stands beside the text.
const STYLE: &str = "\
@media (prefers-color-scheme: dark) {
  .ground { background: #16181d !important; }
  .card { background: #22252c !important; }
  .ink { color: #e9ebef !important; }
  .quiet { color: #a4abb8 !important; }
  .todo { background: #2c313b !important; }
}";

const FONT: &str = "font-family: -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif";

/// The page.
pub(super) fn page(message: &AlertMessage) -> String {
    let colour = colour(message);
    let title = escaped(&words::title(message));
    let text = paragraphs(&words::text(message));
    let label = escaped(&label(message));
    let kind = escaped(&message.kind);
    let todo = words::action(message).map(|action| todo(&action)).unwrap_or_default();
    let facts: String = words::facts(message).iter().map(|(name, value)| row(name, value)).collect();
    format!(
        "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<meta name=\"supported-color-schemes\" content=\"light dark\">
<title>{title}</title>
<style>
{STYLE}
</style>
</head>
<body class=\"ground\" style=\"margin: 0; padding: 0; background: #f3f4f6\">
<table role=\"presentation\" class=\"ground\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"background: #f3f4f6\">
<tr><td align=\"center\" style=\"padding: 24px 12px\">
<table role=\"presentation\" class=\"card\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"max-width: 560px; background: #ffffff; border-top: 4px solid {colour}; border-radius: 6px\">
<tr><td style=\"padding: 24px 28px; {FONT}\">
<p class=\"quiet\" style=\"margin: 0 0 4px; font-size: 13px; line-height: 18px; color: #5b6270\">{label}</p>
<h1 class=\"ink\" style=\"margin: 0 0 16px; font-size: 20px; line-height: 26px; font-weight: 600; color: #1d2129\">{kind}</h1>
<p class=\"ink\" style=\"margin: 0 0 20px; font-size: 15px; line-height: 22px; color: #1d2129\">{text}</p>
{todo}<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\">
{facts}</table>
</td></tr>
</table>
<p class=\"quiet\" style=\"margin: 16px 0 0; font-size: 12px; line-height: 16px; color: #5b6270; {FONT}\">Sent by calendar-sync</p>
</td></tr>
</table>
</body>
</html>
"
    )
}

/// `CRITICAL`, and what else it is than news.
fn label(message: &AlertMessage) -> String {
    let level = message.level.as_str().to_uppercase();
    match message.occasion {
        Occasion::Opened => level,
        other => format!("{level} · {}", words::occasion(other)),
    }
}

/// The level's, but green for what is over.
const fn colour(message: &AlertMessage) -> &'static str {
    match (message.occasion, message.level) {
        (Occasion::Resolved, _) => "#2e9e5b",
        (_, AlertLevel::Critical) => "#ff0000",
        (_, AlertLevel::Error) => "#ff6600",
        (_, AlertLevel::Warning) => "#ffcc00",
        (_, AlertLevel::Info) => "#0066cc",
    }
}

fn todo(action: &str) -> String {
    let action = paragraphs(action);
    format!(
        "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"margin: 0 0 20px\">
<tr><td class=\"todo\" style=\"padding: 12px 16px; background: #f3f4f6; border-radius: 4px; {FONT}\">
<p class=\"quiet\" style=\"margin: 0 0 2px; font-size: 12px; line-height: 16px; color: #5b6270\">What to do</p>
<p class=\"ink\" style=\"margin: 0; font-size: 15px; line-height: 22px; color: #1d2129\">{action}</p>
</td></tr>
</table>
"
    )
}

fn row(name: &str, value: &str) -> String {
    let (name, value) = (escaped(name), escaped(value));
    format!(
        "<tr><td class=\"quiet\" width=\"88\" valign=\"top\" style=\"padding: 3px 12px 3px 0; font-size: 13px; line-height: 18px; color: #5b6270; {FONT}\">{name}</td>\
<td class=\"ink\" valign=\"top\" style=\"padding: 3px 0; font-size: 13px; line-height: 18px; color: #1d2129; {FONT}\">{value}</td></tr>
"
    )
}

/// As text of a page, and as the value of an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

fn paragraphs(text: &str) -> String {
    escaped(text).replace('\n', "<br>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::words::tests::message;

    #[test]
    fn everything_that_is_said_is_escaped_and_nothing_comes_from_elsewhere() {
        let page = page(&message(Occasion::Reminded));
        for said in [
            "The database does not answer &lt;script&gt;alert(1)&lt;/script&gt;.",
            "Start PostgreSQL &amp; look at *its* log.",
            "Zoë&#39;s &lt;b&gt;work&lt;/b&gt; &amp; more",
            "CRITICAL · Still open",
        ] {
            assert!(page.contains(said), "{said}: {page}");
        }
        for never in ["<script", "<b>", "http:", "https:", "<img", "<link", "url(", "@import"] {
            assert!(!page.contains(never), "{never}");
        }
    }

    #[test]
    fn a_hostile_kind_stays_text_everywhere() {
        let odd = AlertMessage { kind: "</title><script>\"'".to_owned(), ..message(Occasion::Opened) };
        let page = page(&odd);
        assert!(!page.contains("<script") && page.matches("</title>").count() == 1, "{page}");
    }

    #[test]
    fn what_is_over_is_green_and_wants_nothing_done() {
        let page = page(&message(Occasion::Resolved));
        assert!(
            page.contains("4px solid #2e9e5b") && !page.contains("What to do") && page.contains("Lasted"),
            "{page}"
        );
        assert!(super::page(&message(Occasion::Opened)).contains("4px solid #ff0000"));
    }
}
