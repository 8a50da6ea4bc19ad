//! The server over real sockets and real TLS: what a client sees in each case.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod admin;
mod certificates;
mod drain;
#[path = "../harness/mod.rs"]
mod harness;
mod identity;
mod kit;
mod limits;
mod requests;
mod reviews;
