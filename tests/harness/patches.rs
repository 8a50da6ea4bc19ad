//! Patches of Secrets on their way from a server under test to the API server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, Request};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// What the way is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Open,
    /// Each arrives this much later.
    Slow(Duration),
    /// None arrives until this changes.
    Closed,
}

/// The way of patches. Clones share it.
#[derive(Clone)]
pub struct Patches {
    way: Arc<watch::Sender<Way>>,
    waiting: Arc<AtomicUsize>,
}

impl Default for Patches {
    fn default() -> Self {
        Self { way: Arc::new(watch::Sender::new(Way::Open)), waiting: Arc::default() }
    }
}

impl Patches {
    /// Changes the way, also for those that are on it.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// How many are on their way and have not arrived.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether a request is one.
    pub(super) fn are<T>(request: &Request<T>) -> bool {
        request.method() == Method::PATCH && request.uri().path().contains("/secrets/")
    }

    /// Returns when one arrives that is sent now.
    pub(super) async fn pass(&self) {
        let (sent, mut way) = (Instant::now(), self.way.subscribe());
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // Whoever has sent it may give it up.
        let _waits = Waits(&self.waiting);
        loop {
            let arrival = match *way.borrow_and_update() {
                Way::Open => return,
                Way::Slow(delay) => Some(sent + delay),
                Way::Closed => None,
            };
            tokio::select! {
                () = sleep_until(arrival.unwrap_or(sent)), if arrival.is_some() => return,
                changed = way.changed() => if changed.is_err() { return },
            }
        }
    }
}

/// Counts until it is dropped.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
