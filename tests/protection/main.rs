//! Secrets that Shoots, bindings and Kyma's requests for registry caches point to stay as long as they do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod both_ways;
#[path = "../harness/mod.rs"]
mod harness;
mod kinds;
mod outage;
mod rotation;
mod scene;
mod verdicts;
