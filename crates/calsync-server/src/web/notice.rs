//! What one page has the next one say first. It travels in a cookie of the person's own browser, never in an address: nobody
//! can make up a link by which a page of ours says something. The page that shows it has the browser forget it.

use axum::extract::{FromRequestParts, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use calsync_pages::{Notice, Tone};
use jiff::SignedDuration;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::cookie::Cookie;
use super::origin::Origin;

/// Longest text: with three bytes for each of a character's four it fits into a cookie (RFC 6265 §6.1).
const LETTERS_MAX: usize = 300;
/// A browser that never opens the page that was to say it forgets it.
const LIFE: SignedDuration = SignedDuration::from_mins(1);

/// On an answer: what the page that it leads to says first.
#[derive(Clone)]
pub(super) struct Saying(pub(super) Notice);

/// What the page before asked this one to say. A page that only brings a part of itself up to date says nothing.
pub(super) fn of(headers: &HeaderMap, origin: &Origin) -> Option<Notice> {
    if headers.contains_key("hx-request") {
        return None;
    }
    read(Cookie::Notice.of(headers, origin)?.expose())
}

fn write(notice: &Notice) -> String {
    let text: String = notice.text.chars().take(LETTERS_MAX).collect();
    format!("{}.{}", notice.tone.class(), utf8_percent_encode(&text, NON_ALPHANUMERIC))
}

fn read(value: &str) -> Option<Notice> {
    let (tone, text) = value.split_once('.')?;
    let tone = [Tone::Good, Tone::Info, Tone::Warn, Tone::Bad].into_iter().find(|one| one.class() == tone)?;
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(Notice { tone, text: text.chars().take(LETTERS_MAX).collect() })
}

/// Sends a notice along with whoever is sent on, and has it forgotten once a page has shown it.
pub(super) async fn carry(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let origin = Origin::from_request_parts(&mut parts, &()).await.ok();
    let brought = origin.as_ref().is_some_and(|origin| of(&parts.headers, origin).is_some());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let Some(origin) = origin else { return response };
    if let Some(Saying(notice)) = response.extensions_mut().remove() {
        Cookie::Notice.set(&mut response, &origin, &write(&notice), LIFE);
    } else if brought && is_page(&response) {
        Cookie::Notice.forget(&mut response, &origin);
    }
    response
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    response.status() == StatusCode::OK && kind.is_some_and(|kind| kind.starts_with("text/html"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_said_arrives_and_fits_into_a_cookie(text in any::<String>(), long in 0_usize..400) {
            for text in [text, "\u{1f4c5}".repeat(long)] {
                let notice = Notice::bad(text.clone());
                let value = write(&notice);
                prop_assert!(value.len() < 4_000);
                prop_assert!(value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'%' || b == b'.'));
                let read = read(&value).unwrap();
                prop_assert_eq!(read.tone, Tone::Bad);
                prop_assert_eq!(read.text, text.chars().take(LETTERS_MAX).collect::<String>());
            }
        }

        #[test]
        fn whatever_a_cookie_holds_is_a_short_notice_or_none(value in any::<String>()) {
            prop_assert!(read(&value).is_none_or(|notice| notice.text.chars().count() <= LETTERS_MAX));
        }
    }
}
