//! Listings page by page: each names where the next one begins, as text that says nothing to anybody else.

use calsync_core::ports::{Bookmark, Page};
use uuid::Uuid;

use crate::http::ApiError;

/// Rows of a page, unless fewer or more are asked for.
pub(super) const ROWS: u32 = 50;
/// Most rows of a page.
pub(crate) const ROWS_MAX: u32 = 200;

/// Rows of a page that may be.
pub(super) fn rows(asked: Option<u32>) -> Result<u32, ApiError> {
    match asked {
        None => Ok(ROWS),
        Some(rows @ 1..=ROWS_MAX) => Ok(rows),
        Some(_) => Err(ApiError::bad_request(format!("limit: ask for 1 to {ROWS_MAX} rows"))),
    }
}

/// Where a listing goes on.
pub(super) fn spelled(of: Bookmark) -> String {
    format!("{}.{}", of.value, of.id.simple())
}

/// The same, read.
pub(super) fn after(text: Option<&str>) -> Result<Option<Bookmark>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let read = || {
        let (value, id) = text.split_once('.')?;
        Some(Bookmark { value: value.parse().ok()?, id: Uuid::try_parse(id).ok()? })
    };
    match read() {
        Some(bookmark) => Ok(Some(bookmark)),
        None => Err(ApiError::bad_request("after: repeat what the page before gave as `next`")),
    }
}

/// A page's rows as they are told, and where the next one begins.
pub(super) fn told<T, U>(page: Page<T>, one: impl FnMut(T) -> U) -> (Vec<U>, Option<String>) {
    (page.rows.into_iter().map(one).collect(), page.next.map(spelled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_where_the_last_one_ended() {
        let of = Bookmark { value: -5, id: Uuid::from_u128(77) };
        assert_eq!(after(Some(&spelled(of))), Ok(Some(of)));
        assert_eq!(after(None), Ok(None));
        for wrong in ["", "5", "x.y", "5.zz", "99999999999999999999.0"] {
            assert!(after(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nobody_asks_for_everything_at_once() {
        assert_eq!((rows(None), rows(Some(1)), rows(Some(200))), (Ok(50), Ok(1), Ok(200)));
        assert!(rows(Some(0)).is_err() && rows(Some(201)).is_err());
    }
}
