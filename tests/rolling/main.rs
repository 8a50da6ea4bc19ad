//! What is lost while servers are replaced, killed or given another certificate: nothing, but for what a killed one
//! takes along.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod certificate;
#[path = "../harness/mod.rs"]
mod harness;
mod killed;
mod load;
mod restart;
mod rotation;
