//! `ModuleTemplates` that are written to a real API server, with Secrets beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod both_ways;
mod configuration;
mod configured;
#[path = "../harness/mod.rs"]
mod harness;
mod labelling;
mod last_secret;
#[path = "../check/misleading.rs"]
mod misleading;
mod outage;
mod procedure;
mod reinvocation;
mod samples;
mod scene;
mod secrets;
mod verdicts;
mod writing;
