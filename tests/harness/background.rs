//! The runtime of everything that outlives one test.
//!
//! `#[tokio::test]` gives each test a runtime of its own, and what was spawned on it ends with the test; the
//! network, the proxies and a shared control plane's start belong to all of them.

use std::future::Future;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Spawns a task that lives until the process ends or the task does.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            // Relaying bytes is all it does; more threads would only take the cores from the API server.
            .worker_threads(2)
            .thread_name("harness")
            .enable_all()
            .build()
            .expect("a runtime for the harness")
    });
    runtime.spawn(future)
}
