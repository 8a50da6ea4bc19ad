//! Certificates that regcred makes itself, on a real API server: from nothing, after losses, beside what is not ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod foreign;
#[path = "../harness/mod.rs"]
mod harness;
mod healing;
mod start;

use std::io::Write;

use tokio::sync::{Mutex, MutexGuard};

/// Each test has a control plane to itself, and this machine few cores.
async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// Tells a figure to whoever reads the test's output.
fn figure(text: &str) {
    // Not `eprintln!`, which the test runner keeps to itself.
    let _ = writeln!(std::io::stderr(), "certificates: {text}");
}
