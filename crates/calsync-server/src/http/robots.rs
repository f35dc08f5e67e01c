//! robots.txt: Google's sender of notifications obeys it (google.md §8), so it is let in to the webhooks. There is
//! nothing here for anybody else's robot.

use axum::http::header;
use axum::response::IntoResponse;

/// The file.
const ROBOTS: &str = "\
# Senders of calendar notifications may call the webhooks.
User-agent: APIs-Google
Allow: /webhooks/
Disallow: /

# Nothing here is for search engines.
User-agent: *
Disallow: /
";

/// `GET /robots.txt`.
pub(super) async fn robots() -> impl IntoResponse {
    (
        [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::CACHE_CONTROL, "public, max-age=86400"),
        ],
        ROBOTS,
    )
}
