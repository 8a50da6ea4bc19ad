//! A Shoot takes up a Secret while somebody deletes it, in the very orders of events that each part of the protocol is for. What races
//! meet by chance is made to happen here, on a real API server: writes are held up after they were admitted, and a server's patches
//! before they arrive.
//!
//! `make mutants` takes these parts out one by one, and each must be missed here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod admitted_deletions;
mod admitted_shoots;
#[path = "../harness/mod.rs"]
mod harness;
mod marks;
mod stage;
mod stored_late;
