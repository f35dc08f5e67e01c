//! The planner under test: small random worlds (`model`), a provider in miniature (`cloud`), the machinery around the
//! planner in miniature (`world`), an independent opinion of what should stand (`oracle`), laws, tables, named cases.

pub(crate) mod cloud;
pub(crate) mod dice;
mod laws;
pub(crate) mod model;
mod oracle;
pub(crate) mod place;
pub(crate) mod world;
