//! What people see on a real API server: pods with their pull Secrets, warnings and refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod harness;

mod admission {
    mod asking;
    mod audit;
    mod authors;
    mod consent;
    mod debugging;
    mod disturbed;
    mod foreign;
    mod kept_out;
    mod lifecycle;
    mod metrics;
    mod neighbours;
    mod obstacles;
    mod pods;
    mod reinvocation;
    mod scene;
    mod schema;
    mod sources;
    mod talk;
    mod trace;
    mod verdicts;
}
