//! Our reading of images, Secrets and patches against Kubernetes' own code, on random cases biased to near misses.
//!
//! Each run draws new cases and prints its seed; `REGCRED_SEED=<number>` repeats one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs
)]

mod harness;
#[path = "oracle/images.rs"]
mod images;
#[path = "oracle/keychains.rs"]
mod keychains;
#[path = "oracle/keyrings.rs"]
mod keyrings;
#[path = "oracle/patches.rs"]
mod patches;
#[path = "../src/policy/tests/pods.rs"]
mod pods;
#[path = "oracle/random.rs"]
mod random;
