//! Readiness as a register of named parts: ready is who has every part ready and is not stopping.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// How often who waits for it looks whether every part is ready: it takes seconds, once in a server's life.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The register. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    draining: AtomicBool,
    parts: RwLock<BTreeMap<&'static str, Arc<AtomicBool>>>,
    remarks: RwLock<BTreeMap<&'static str, String>>,
}

/// The handle by which one part says what somebody should see to, while the server goes on serving.
#[derive(Debug, Clone)]
pub struct Remark {
    about: &'static str,
    shared: Arc<Shared>,
}

impl Remark {
    /// Says it, in the place of what was said before.
    pub fn make(&self, text: String) {
        self.shared.remarks.write().unwrap_or_else(PoisonError::into_inner).insert(self.about, text);
    }

    /// All is well again.
    pub fn withdraw(&self) {
        self.shared.remarks.write().unwrap_or_else(PoisonError::into_inner).remove(self.about);
    }
}

/// The handle by which one part tells whether it is ready. It begins as not ready.
#[derive(Debug, Clone)]
pub struct Part {
    ready: Arc<AtomicBool>,
}

impl Part {
    /// This part is ready.
    pub fn ready(&self) {
        self.set(true);
    }

    /// This part is ready, or not any more.
    pub fn set(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }
}

impl Readiness {
    /// A register without parts: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part, or gives another handle to the one of that name.
    pub fn part(&self, name: &'static str) -> Part {
        let mut parts = self.shared.parts.write().unwrap_or_else(PoisonError::into_inner);
        Part { ready: Arc::clone(parts.entry(name).or_default()) }
    }

    /// A handle for remarks about something.
    pub fn remark(&self, about: &'static str) -> Remark {
        Remark { about, shared: Arc::clone(&self.shared) }
    }

    /// What somebody should see to.
    pub fn remarks(&self) -> Vec<String> {
        self.shared.remarks.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// From now on not ready: the server is stopping.
    pub fn drain(&self) {
        self.shared.draining.store(true, Ordering::Release);
    }

    /// Whether a part is not ready. A server that is only stopping is complete, and answers what still comes.
    pub fn is_incomplete(&self) -> bool {
        let parts = self.shared.parts.read().unwrap_or_else(PoisonError::into_inner);
        parts.values().any(|ready| !ready.load(Ordering::Acquire))
    }

    /// Waits until no part is missing.
    pub async fn complete(&self) {
        while self.is_incomplete() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// What stands against being ready, by name; empty means ready.
    pub fn missing(&self) -> Vec<&'static str> {
        if self.shared.draining.load(Ordering::Acquire) {
            return vec!["draining"];
        }
        let parts = self.shared.parts.read().unwrap_or_else(PoisonError::into_inner);
        parts.iter().filter(|(_, ready)| !ready.load(Ordering::Acquire)).map(|(name, _)| *name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_who_has_every_part_ready_and_is_not_draining() {
        let readiness = Readiness::new();
        assert!(readiness.missing().is_empty());
        let namespaces = readiness.part("namespaces");
        let copies = readiness.part("copies");
        assert_eq!(readiness.missing(), ["copies", "namespaces"]);
        copies.ready();
        namespaces.ready();
        assert!(readiness.missing().is_empty());
        copies.set(false);
        assert_eq!(readiness.missing(), ["copies"]);
        readiness.part("copies").ready();
        readiness.drain();
        assert_eq!(readiness.missing(), ["draining"]);
    }
}
