//! regcred with rights in some namespaces alone: there it does what it does elsewhere, and nothing in any others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;
mod limits;
mod listed;
mod scene;
