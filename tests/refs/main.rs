//! `regcred refs`, as a user runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod command;
mod files;
#[path = "../harness/mod.rs"]
mod harness;
mod live;
