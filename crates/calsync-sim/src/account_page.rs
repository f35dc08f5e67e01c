//! The page on which a person chooses who they are and whether to let a program in, and the way back to the program. It
//! asks for no password: nobody here has one. It decides nothing about the wish.

use std::fmt::Write as _;

use crate::cloud::Cloud;
use crate::cloud::names::PersonId;
use crate::wire::{Answer, ApiRequest};

/// How many people the page shows.
const SHOWN_MAX: usize = 50;

/// The people to choose from, by address and name.
pub(crate) fn people(cloud: &Cloud) -> Vec<(PersonId, String)> {
    cloud.people().take(SHOWN_MAX).map(|p| (p.id.clone(), p.name.clone())).collect()
}

/// The page: each person with a link that says yes and one that says no, which repeat the wish with `login_hint` and
/// `decision` added.
pub(crate) fn html<'a>(
    request: &ApiRequest,
    program: &str,
    scopes: impl Iterator<Item = &'a String>,
    people: &[(PersonId, String)],
) -> String {
    let mut page = format!(
        "<!doctype html><meta charset=utf-8><title>Choose an account</title><h1>Choose an account</h1>\
         <p>to continue to {}, which asks for:</p><ul>",
        escape(program)
    );
    for scope in scopes {
        let _ = write!(page, "<li>{}</li>", escape(scope));
    }
    page.push_str("</ul><ul>");
    for (id, name) in people {
        let kept = request.query.iter().filter(|(k, _)| k != "login_hint" && k != "decision");
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept).append_pair("login_hint", id.as_str());
        let query = query.finish();
        let (name, id, query) = (escape(name), escape(id.as_str()), escape(&query));
        let _ = write!(
            page,
            "<li>{name} &lt;{id}&gt; <a href=\"?{query}\">Allow</a> <a href=\"?{query}&amp;decision=deny\">Deny</a></li>"
        );
    }
    page.push_str("</ul>");
    page
}

/// Back to the program, with `state` as it came.
pub(crate) fn sent_back(redirect_uri: &str, state: Option<&str>, pairs: &[(&str, &str)]) -> Answer {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(state.map(|s| ("state", s))).extend_pairs(pairs);
    let mark = if redirect_uri.contains('?') { '&' } else { '?' };
    Answer::redirect(format!("{redirect_uri}{mark}{}", query.finish()))
}

/// Text that can stand in a page.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
