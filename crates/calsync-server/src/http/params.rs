//! The query of a request. What cannot be read is refused in words of our own: which parameter, and what it may be.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use jiff::civil::Date;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use super::ApiError;

/// The query.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Params<T>, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Params(query)),
            Err(error) => Err(ApiError::bad_request(words(&error.body_text()))),
        }
    }
}

/// What a library puts before what is wrong.
const LIBRARY: &str = "Failed to deserialize query string: ";

/// What was told as `name: why`, by what the parameter may be.
fn words(told: &str) -> String {
    let told = told.strip_prefix(LIBRARY).unwrap_or(told);
    match told.split_once(": ").and_then(|(name, _)| Some((name, allowed(name)?))) {
        Some((name, allowed)) => format!("{name}: give {allowed}"),
        None => told.to_owned(),
    }
}

/// What the parameters may be that are neither text nor say so themselves.
fn allowed(name: &str) -> Option<&'static str> {
    match name {
        "days" => Some("a number of days from 1 to 14"),
        "limit" => Some("a number of rows from 1 to 200"),
        "calendar" | "source" | "target" | "after" => Some("an id as the pages and listings have it"),
        "idle" | "unpromised" => Some("true or false"),
        _ => None,
    }
}

// What is said of them above.
const _: () = assert!(calsync_core::week::DAYS_MAX == 14 && crate::api::ROWS_MAX == 200);

/// A date that may be missing.
pub(crate) fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    a_date(deserializer).map(Some)
}

/// A date. A parser's own words would help nobody.
pub(crate) fn a_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom("give a date such as 2026-11-23"))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "what is read is not the question here")]
    struct Wanted {
        #[serde(deserialize_with = "a_date")]
        from: Date,
        #[serde(default)]
        days: u8,
        calendar: Option<uuid::Uuid>,
    }

    async fn asked(query: &str) -> Result<Wanted, String> {
        let request = Request::builder().uri(format!("/x?{query}")).body(()).unwrap();
        let read = Params::<Wanted>::from_request_parts(&mut request.into_parts().0, &()).await;
        read.map(|Params(wanted)| wanted).map_err(|error| error.message().to_owned())
    }

    #[tokio::test]
    async fn who_asks_wrongly_is_told_what_is_allowed() {
        assert!(asked("from=2026-11-23&days=3").await.is_ok());
        for (query, words) in [
            ("from=nonsense", "from: give a date such as 2026-11-23"),
            ("from=2026-11-23&days=4000", "days: give a number of days from 1 to 14"),
            ("from=2026-11-23&days=-1", "days: give a number of days from 1 to 14"),
            ("from=2026-11-23&calendar=work", "calendar: give an id as the pages and listings have it"),
            ("days=3", "missing field `from`"),
        ] {
            assert_eq!(asked(query).await.err().as_deref(), Some(words), "{query}");
        }
        let unknown = asked("from=2026-11-23&dasy=3").await.err().unwrap();
        assert!(unknown.contains("unknown field `dasy`") && !unknown.contains("deserialize"), "{unknown}");
    }
}
