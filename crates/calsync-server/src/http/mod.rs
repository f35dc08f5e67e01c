//! The web server around the handlers: what every request passes (client address, https, panics, time-outs, JSON
//! errors), robots.txt, Google's verification file, and listening. It knows no provider and makes no decision about a calendar.
//!
//! A request passes, from outside in: trailing slash → counting → client address → security headers → panics → https → time-out →
//! the routes. Routes are named without a slash at their end; requests may carry one.

pub(crate) mod bearer;
pub mod body;
pub mod cidr;
mod client_addr;
mod door;
mod edge;
mod error;
mod health;
mod listen;
mod metrics;
mod monitoring;
mod params;
mod rate_limit;
mod robots;
mod verification;
mod webhooks;

pub use body::capped;
pub use client_addr::{ClientAddr, Scheme, client_address, scheme};
pub use edge::{Edge, HEALTH_PATH, app};
pub use error::ApiError;
pub(crate) use error::{BUSY, Error};
pub use listen::{NotListening, adopt, bind, serve};
pub use metrics::METRICS_PATH;
pub(crate) use params::{Params, a_date, date};
pub use rate_limit::{Limiter, MAX_CLIENTS, RateLimiter, Subject, Verdict, probe};
pub use verification::{Shelf, VERIFICATION_LIFE};
pub use webhooks::{probes, routes};
