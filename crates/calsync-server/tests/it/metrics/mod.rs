//! `/metrics`: what it tells and to whom, and what a real Prometheus makes of it.

mod page;
mod prometheus;

use std::net::SocketAddr;

use crate::web::{Answer, client, read};

/// The token that opens it.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Scrapes.
async fn scrape(address: SocketAddr, token: &str) -> Answer {
    let request = client().get(format!("http://{address}/metrics")).bearer_auth(token);
    read(request.send().await.unwrap()).await
}

/// What a series is now.
fn value(page: &str, series: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// How many series there are.
fn series(page: &str) -> usize {
    page.lines().filter(|line| !line.starts_with('#')).count()
}
