//! How a listing is cut into pages: by keys, so that a walk goes on after what it showed last, whatever changed
//! meanwhile. It keeps no state.

use serde::{Deserialize, Serialize};

/// Where an item stands in its listing: the walk goes on after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key(pub(crate) i64, pub(crate) String);

/// One page of a listing.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Where to go on; nothing on the last page.
    pub(crate) next: Option<Key>,
}

impl<T> Page<T> {
    /// Takes a page of at most `size` from what comes after the place.
    pub(crate) fn cut(rest: impl Iterator<Item = (Key, T)>, size: usize) -> Page<T> {
        let mut rest = rest.peekable();
        let (mut items, mut last) = (Vec::new(), None);
        while items.len() < size
            && let Some((key, item)) = rest.next()
        {
            items.push(item);
            last = Some(key);
        }
        let next = if rest.peek().is_some() { last } else { None };
        Page { items, next }
    }
}
