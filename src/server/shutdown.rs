//! The two steps in which a server is told to stop.

use tokio_util::sync::CancellationToken;

/// Tells a server to stop: first to drain, then, asked again, to stop at once.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    abort: CancellationToken,
}

impl Shutdown {
    /// Nothing asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a signal means: the first begins to drain, the second ends at once.
    pub fn request(&self) {
        if self.drain.is_cancelled() {
            self.abort.cancel();
        } else {
            self.drain.cancel();
        }
    }

    /// Ends at once, whatever was asked before.
    pub fn abort(&self) {
        self.drain.cancel();
        self.abort.cancel();
    }

    /// Whether the server is to stop.
    pub fn is_requested(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Whether the server is to stop at once.
    pub fn is_aborted(&self) -> bool {
        self.abort.is_cancelled()
    }

    /// Waits until the server is to stop.
    pub async fn requested(&self) {
        self.drain.cancelled().await;
    }

    /// Waits until the server is to stop at once.
    pub async fn aborted(&self) {
        self.abort.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_drains_and_the_second_aborts() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.is_requested());
        shutdown.request();
        assert!(shutdown.is_requested() && !shutdown.is_aborted());
        shutdown.request();
        assert!(shutdown.is_aborted());
    }
}
