//! Walks over pages: where a walk stands, and how a page is cut (google.md §4). The whole state of a walk is inside its
//! page token, so changes made meanwhile are never lost, and nothing is kept here.

use serde::{Deserialize, Serialize};

use super::ApiRequest;
use super::errors::ApiError;
use crate::pages::Key;
use crate::sealed::{fingerprint, seal, unseal};

/// Where a walk stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The query it belongs to.
    pub(super) of: String,
    /// The last item given out.
    pub(super) after: Option<Key>,
    /// Of a delta: the change after which it begins.
    pub(super) since: Option<u64>,
    /// The last change when the walk began: later ones belong to the next delta (§4 rule 1).
    pub(super) upto: u64,
    /// How many pages in a row were empty by fault.
    pub(super) empty: u8,
}

/// What a sync token stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SyncPoint {
    /// Whose, and for which parameters (§4 rule 8).
    pub(super) of: String,
    /// The last change it knows of.
    pub(super) at: u64,
}

impl Place {
    /// The place that the query's page token names, if it has one.
    pub(super) fn of_token(request: &ApiRequest, of: &str) -> Result<Option<Place>, ApiError> {
        let Some(token) = request.param("pageToken") else { return Ok(None) };
        let place = unseal::<Place>(token).filter(|place| place.of == of);
        place.map(Some).ok_or_else(|| ApiError::invalid_parameter("pageToken", "Invalid page token value."))
    }

    /// The start of a walk.
    pub(super) fn start(of: &str, since: Option<u64>, upto: u64) -> Place {
        Place { of: of.to_owned(), after: None, since, upto, empty: 0 }
    }

    /// The place of a walk that has no state but its cursor; `what` names the listing.
    pub(super) fn simple(request: &ApiRequest, what: &str) -> Result<Place, ApiError> {
        let of = fingerprint(what);
        Ok(Place::of_token(request, &of)?.unwrap_or_else(|| Place::start(&of, None, 0)))
    }

    /// The page token that leads here.
    pub(super) fn token(&self) -> String {
        seal(self)
    }

    /// Whether the walk has yet to come to this item.
    pub(super) fn is_before(&self, key: &Key) -> bool {
        self.after.as_ref().is_none_or(|after| key > after)
    }
}

impl SyncPoint {
    /// The sync token for it.
    pub(super) fn token(&self) -> String {
        seal(self)
    }

    /// What a sync token stands for; a token of somebody else, of another calendar or of other parameters is refused.
    pub(super) fn of_token(token: &str, of: &str) -> Result<SyncPoint, ApiError> {
        let point = unseal::<SyncPoint>(token).filter(|point| point.of == of);
        point.ok_or_else(|| ApiError::invalid_parameter("syncToken", "Invalid sync token value."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::Page;

    #[test]
    fn a_walk_goes_through_everything_once() {
        let all: Vec<_> = (0..10_i64).map(|n| (Key(n / 3, n.to_string()), n)).collect();
        for size in 1..12 {
            let (mut place, mut seen, mut pages) = (Place::start("x", None, 0), Vec::new(), 0);
            loop {
                let rest = all.iter().filter(|(key, _)| place.is_before(key)).cloned();
                let page = Page::cut(rest, size);
                seen.extend(page.items);
                pages += 1;
                match page.next {
                    Some(key) => place.after = Some(key),
                    None => break,
                }
            }
            assert_eq!((seen, pages), ((0..10).collect(), 10_usize.div_ceil(size)), "{size}");
        }
    }

    #[test]
    fn tokens_belong_to_their_query() {
        let place = Place { after: Some(Key(3, "c".into())), ..Place::start("a", Some(1), 9) };
        let request = ApiRequest::new("GET", &format!("/x?pageToken={}", place.token()));
        assert_eq!(Place::of_token(&request, "a").unwrap(), Some(place));
        assert!(Place::of_token(&request, "b").is_err());
        assert!(SyncPoint::of_token("junk", "a").is_err());
    }
}
