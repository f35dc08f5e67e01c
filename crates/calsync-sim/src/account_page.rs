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

/// Whether a person may leave out something that is asked for, and let the program in all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tick {
    /// It is ticked, and they can untick it.
    Free,
    /// It comes with letting the program in.
    Fixed,
}

/// What the page adds to a wish: these are not repeated.
const ADDED: [&str; 5] = ["login_hint", "decision", "deny", "boxes", "granted"];

/// The page: what is asked for, and each person with a button that says yes and one that says no. They repeat the wish with
/// what was chosen.
pub(crate) fn html<'a>(
    request: &ApiRequest,
    program: &str,
    scopes: impl Iterator<Item = (&'a String, Tick)>,
    people: &[(PersonId, String)],
) -> String {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Choose an account</title><h1>Choose an account</h1><p>to continue to {}, which asks for:</p><form><ul>",
        escape(program)
    );
    for (scope, tick) in scopes {
        let scope = escape(scope);
        let _ = match tick {
            Tick::Fixed => write!(page, "<li>{scope}</li>"),
            Tick::Free => write!(
                page,
                "<li><label><input type=checkbox name=granted value=\"{scope}\" checked> {scope}</label>\
                 <input type=hidden name=boxes value=\"{scope}\"></li>"
            ),
        };
    }
    page.push_str("</ul>");
    for (key, value) in request.query.iter().filter(|(key, _)| !ADDED.contains(&key.as_str())) {
        let _ = write!(page, "<input type=hidden name=\"{}\" value=\"{}\">", escape(key), escape(value));
    }
    page.push_str("<ul>");
    for (id, name) in people {
        let (name, id) = (escape(name), escape(id.as_str()));
        let _ = write!(
            page,
            "<li>{name} &lt;{id}&gt; <button name=login_hint value=\"{id}\">Allow</button> \
             <button name=deny value=\"{id}\">Deny</button></li>"
        );
    }
    page.push_str("</ul></form>");
    page
}

/// Whom a wish names: the program, or the person on the page.
pub(crate) fn named(request: &ApiRequest) -> Option<&str> {
    request.param("login_hint").or_else(|| request.param("deny"))
}

/// Whether the person says no.
pub(crate) fn says_no(request: &ApiRequest) -> bool {
    request.param("decision") == Some("deny") || request.param("deny").is_some()
}

/// Whether the person was shown a box for this, and unticked it.
pub(crate) fn is_unticked(request: &ApiRequest, scope: &str) -> bool {
    request.params("boxes").any(|shown| shown == scope)
        && !request.params("granted").any(|left| left == scope)
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
