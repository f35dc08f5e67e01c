//! The planner under test: small random worlds (`model`), a provider in miniature (`cloud`), the machinery around the
//! planner in miniature (`place`, `world`), an independent opinion of what should stand (`oracle`), laws, tables, and
//! named cases on two calendars (`pair`).

mod audit;
mod brake;
pub(crate) mod cloud;
pub(crate) mod dice;
mod guests;
mod laws;
pub(crate) mod model;
mod named;
mod oracle;
mod pair;
pub(crate) mod place;
mod put_back;
mod table;
mod tamper;
pub(crate) mod world;
