//! What the controller makes of copies: that they come, follow their source, are healed and go, and that nothing else is
//! touched.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod conflicts;
mod following;
#[path = "../harness/mod.rs"]
mod harness;
mod held_up;
mod on_demand;
mod rest;
mod rotation;
mod scene;
mod spreading;
mod untouched;
mod watching;
