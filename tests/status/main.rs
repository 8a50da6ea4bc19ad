//! What `kubectl get regcred` tells, on a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod columns;
mod conditions;
#[path = "../harness/mod.rs"]
mod harness;
mod rotation;
mod scene;
mod writes;
