//! Who leads, on a real API server: one of two replicas, another soon after it has gone, and never two.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod handover;
#[path = "../harness/mod.rs"]
mod harness;
mod scene;
mod silence;
