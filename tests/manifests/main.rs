//! What `manifests/` must keep, whoever edits it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod access;
mod base;
mod configuration;
mod configured_kinds;
mod garden;
mod generated;
mod namespaced;
mod registration;
mod rendering;
mod workload;
