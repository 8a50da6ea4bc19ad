//! What the leader makes of pods that are there: it alone watches them, counts those that lack a pull Secret, and evicts
//! exactly those that eviction mends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod eviction;
#[path = "../harness/mod.rs"]
mod harness;
mod outage;
mod scene;
mod watching;
