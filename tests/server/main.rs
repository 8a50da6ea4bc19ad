//! The server over real sockets and real TLS: what a client sees in each case.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod admin;
mod certificates;
mod drain;
mod kit;
mod limits;
#[path = "../harness/load.rs"]
#[allow(dead_code, reason = "each test binary uses its part of the load generator")]
mod load;
mod requests;
