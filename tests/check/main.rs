//! `regcred check`, as a user runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod command;
mod fix;
mod inputs;
mod last_secret;
mod misleading;
mod objects;
mod properties;
mod protection;
mod reviews;
mod samples;
mod state;
mod usage;
