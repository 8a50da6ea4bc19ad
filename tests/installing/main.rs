//! Installing, uninstalling, and installing again: in any order nothing waits for anything, and nothing of ours is left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;
mod orders;
mod probe;
mod scene;
