//! microsoft.md, row by row: what Graph's look-alike takes, shows, refuses and tells.

mod batch;
mod calendars;
mod delta;
mod delta_tokens;
mod events_read;
mod events_write;
mod faults;
mod follow;
mod notices;
mod oauth;
mod stage;
mod subscriptions;
mod throttling;

pub(crate) use stage::program;
