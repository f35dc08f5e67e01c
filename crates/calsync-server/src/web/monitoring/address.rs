//! Addresses of pages of a listing: filters and where it goes on, as text that leads back to the same page. Pure.

use calsync_core::ports::{Bookmark, Page};
use calsync_pages::monitoring::Pager;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use calsync_core::time::Ts;

/// The address of a listing with these filters; empty ones are left out.
pub(super) fn address(path: &str, filters: &[(&str, &str)]) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(filters.iter().filter(|(_, value)| !value.is_empty()));
    match query.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// The ways from a page of a listing.
pub(super) fn pager<T>(
    path: &str,
    filters: &[(&str, &str)],
    after: Option<Bookmark>,
    page: &Page<T>,
) -> Pager {
    let at = |after: Option<Bookmark>| {
        let after = after.map(spelled).unwrap_or_default();
        let mut filters = filters.to_vec();
        filters.push(("after", &after));
        address(path, &filters)
    };
    Pager { here: at(after), first: after.map(|_| at(None)), next: page.next.map(|next| at(Some(next))) }
}

fn spelled(of: Bookmark) -> String {
    format!("{}.{}", of.value, of.id.simple())
}

/// Where a listing goes on, as its address says. What is none begins it.
pub(super) fn bookmark(text: Option<&str>) -> Option<Bookmark> {
    let (value, id) = text?.split_once('.')?;
    Some(Bookmark { value: value.parse().ok()?, id: Uuid::try_parse(id).ok()? })
}

/// A point in time as a form sends it, as clocks in this zone show it: `2026-11-23T14:05`.
pub(super) fn time(text: &str, zone: &TimeZone) -> Result<Option<Ts>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || {
        format!("{:?} is no time: write it as 2026-11-23T14:05", text.chars().take(40).collect::<String>())
    };
    let civil: DateTime = text.parse().map_err(|_| wrong())?;
    let zoned = civil.to_zoned(zone.clone()).map_err(|_| wrong())?;
    Ok(Some(Ts::from_jiff(zoned.timestamp())))
}

/// Where an action goes back to: a page of this listing, and nowhere else.
pub(super) fn back(asked: Option<&str>, path: &str) -> String {
    let is_ours = |asked: &&str| {
        let rest = asked.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('?'))
            && !asked.contains(|c: char| c.is_control() || c.is_whitespace())
    };
    asked.filter(is_ours).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bookmark_comes_back_as_it_was() {
        let of = Bookmark { value: -5, id: Uuid::from_u128(77) };
        assert_eq!(bookmark(Some(&spelled(of))), Some(of));
        for none in [None, Some(""), Some("5"), Some("x.y"), Some("5.zz"), Some("99999999999999999999.0")] {
            assert_eq!(bookmark(none), None);
        }
    }

    #[test]
    fn addresses_keep_filters_and_leave_out_what_is_empty() {
        assert_eq!(address("/a", &[]), "/a");
        assert_eq!(address("/a", &[("b", ""), ("c", "d&e=\"f\"")]), "/a?c=d%26e%3D%22f%22");
        let at = Bookmark { value: 1, id: Uuid::nil() };
        let page = Page::<()> { rows: vec![], next: Some(at) };
        let pager = pager("/a", &[("b", "c")], None, &page);
        assert_eq!((pager.here.as_str(), pager.first), ("/a?b=c", None));
        assert_eq!(pager.next.as_deref(), Some("/a?b=c&after=1.00000000000000000000000000000000"));
    }

    #[test]
    fn times_are_read_as_clocks_there_show_them() {
        let vienna = calsync_core::zone::find("Europe/Vienna").unwrap();
        assert_eq!(time("", &vienna), Ok(None));
        for (text, zone, seconds) in [
            ("2026-11-23T00:00", &TimeZone::UTC, 1_795_392_000),
            ("2026-11-23T01:00", &vienna, 1_795_392_000),
            ("2026-07-01T02:00", &vienna, 1_782_864_000),
        ] {
            assert_eq!(time(text, zone), Ok(Some(Ts::from_secs(seconds))), "{text}");
        }
        assert!(time("yesterday", &vienna).unwrap_err().contains("2026-11-23T14:05"));
        // Before the first day that there is, where a zone is ahead: it does not panic.
        let _ = time("-9999-01-01T00:00", &vienna);
    }

    #[test]
    fn an_action_goes_back_to_its_listing_alone() {
        let path = "/monitoring/subscriptions";
        assert_eq!(
            back(Some("/monitoring/subscriptions?show=failing"), path),
            "/monitoring/subscriptions?show=failing"
        );
        for elsewhere in [
            None,
            Some("//example.com"),
            Some("/monitoring/subscriptionsx"),
            Some("/monitoring/subscriptions?\r\nx"),
        ] {
            assert_eq!(back(elsewhere, path), path);
        }
    }
}
