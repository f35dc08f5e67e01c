//! Where a delta stands (microsoft.md §7): the whole state of a round is inside its token, window included. A token of
//! somebody else, of another calendar or of nobody's making is badly formed.

use calsync_core::time::{Ts, Window};
use serde::{Deserialize, Serialize};

use super::errors::GraphError;
use crate::pages::Key;
use crate::sealed::{fingerprint, seal, unseal};
use crate::wire::ApiRequest;

/// What `$deltatoken` stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Point {
    of: String,
    from: i64,
    to: i64,
    at: u64,
}

/// What `$skiptoken` stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Middle {
    point: Point,
    since: Option<u64>,
    after: Key,
    empty: u8,
}

/// A round of a delta, wherever it stands.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    of: String,
    /// The window, which never slides.
    pub(crate) window: Window,
    /// The change after which the round begins; nothing: it shows everything.
    pub(crate) since: Option<u64>,
    /// The last change when the round began: later ones belong to the next.
    pub(crate) upto: u64,
    /// What was shown last.
    pub(crate) after: Option<Key>,
    /// How many pages in a row were empty.
    pub(crate) empty: u8,
}

impl Round {
    /// A round that shows everything in a window.
    pub(crate) fn initial(of: &str, window: Window, last: u64) -> Round {
        Round { of: mark(of), window, since: None, upto: last, after: None, empty: 0 }
    }

    /// A round that shows what changed in a window after `since`.
    pub(crate) fn changes(of: &str, window: Window, since: u64, last: u64) -> Round {
        Round { since: Some(since), ..Round::initial(of, window, last) }
    }

    /// The same round at its next page, after what stands at `key`.
    pub(crate) fn next(self, key: Key) -> Round {
        let empty = if self.after.as_ref() == Some(&key) { self.empty.saturating_add(1) } else { 0 };
        Round { after: Some(key), empty, ..self }
    }

    /// The round that the query's token names; nothing if there is no token, or an empty one (§7: full resync).
    pub(super) fn of_query(request: &ApiRequest, of: &str, last: u64) -> Result<Option<Round>, GraphError> {
        let token = |name: &str| request.param(name).filter(|t| !t.is_empty());
        let window = |p: &Point| Window { from: Ts::from_micros(p.from), to: Ts::from_micros(p.to) };
        let of = mark(of);
        match (token("$skiptoken"), token("$deltatoken")) {
            (None, None) => Ok(None),
            (Some(text), None) => {
                let middle = unseal::<Middle>(text).filter(|m| m.point.of == of);
                let Middle { point, since, after, empty } = middle.ok_or_else(GraphError::bad_token)?;
                Ok(Some(Round {
                    of,
                    window: window(&point),
                    since,
                    upto: point.at,
                    after: Some(after),
                    empty,
                }))
            }
            (None, Some(text)) => {
                let point = unseal::<Point>(text).filter(|p| p.of == of).ok_or_else(GraphError::bad_token)?;
                let window = window(&point);
                Ok(Some(Round { of, window, since: Some(point.at), upto: last, after: None, empty: 0 }))
            }
            (Some(_), Some(_)) => Err(GraphError::bad_token()),
        }
    }

    fn point(&self) -> Point {
        let Window { from, to } = self.window;
        Point { of: self.of.clone(), from: from.micros(), to: to.micros(), at: self.upto }
    }

    /// `$deltatoken` of the next round.
    pub(super) fn delta_token(&self) -> String {
        seal(&self.point())
    }

    /// `$skiptoken` of this round's next page, after what stands at `key`.
    pub(super) fn skip_token(&self, key: Key) -> String {
        let Round { since, after, empty, .. } = self.clone().next(key.clone());
        seal(&Middle { point: self.point(), since, after: after.unwrap_or(key), empty })
    }

    /// Whether the round has yet to come to what stands here.
    pub(crate) fn is_before(&self, key: &Key) -> bool {
        self.after.as_ref().is_none_or(|after| key > after)
    }
}

fn mark(of: &str) -> String {
    fingerprint(&format!("delta {of}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_lead_back_to_where_they_were_made() {
        let round = Round::initial("ann", Window::sliding(Ts::from_secs(1_000_000_000), 1, 90), 7);
        let ask = |name: &str, token: &str| ApiRequest::new("GET", &format!("/x?{name}={token}"));
        let next = Round::of_query(&ask("$deltatoken", &round.delta_token()), "ann", 9).unwrap().unwrap();
        assert_eq!((next.window, next.since, next.upto), (round.window, Some(7), 9));
        let page = Round::of_query(&ask("%24skiptoken", &round.skip_token(Key(3, "x".into()))), "ann", 9)
            .unwrap()
            .unwrap();
        assert_eq!((page.since, page.upto, page.after), (None, 7, Some(Key(3, "x".into()))));
        assert!(Round::of_query(&ask("$deltatoken", &round.delta_token()), "bob", 9).is_err());
        assert!(Round::of_query(&ask("$deltatoken", "junk"), "ann", 9).is_err());
        assert!(Round::of_query(&ask("$deltatoken", ""), "ann", 9).unwrap().is_none());
    }
}
