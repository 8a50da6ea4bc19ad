//! When a pod was last told that a copy is there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::ObjectKey;
use crate::model::credential::Credential;

/// For how long a copy counts as relied on. A watch whose connection has died is found out after about a minute, so
/// what a pod is told may be that old; twice that leaves room for a busy API server.
const RELIED_FOR: Duration = Duration::from_mins(2);

/// A copy that has gone although pods rely on it, and the credential that it was for.
pub type Missed = (Arc<Credential>, ObjectKey);

/// The moment when a pod last relied on a copy. Clones share it, so a note made on one snapshot is seen by all.
#[derive(Debug, Clone, Default)]
pub struct Reliance(Arc<Mutex<Option<Instant>>>);

impl Reliance {
    /// A pod is told at this moment that the copy is there.
    pub fn note(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Whether that was so shortly before a moment that what the pod was told may have been outdated.
    pub fn is_recent(&self, now: Instant) -> bool {
        let noted = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.is_some_and(|noted| now.saturating_duration_since(noted) < RELIED_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reliance_lasts_for_two_minutes_and_is_shared() {
        let (reliance, now) = (Reliance::default(), Instant::now());
        assert!(!reliance.is_recent(now));
        reliance.clone().note(now);
        assert!(reliance.is_recent(now + Duration::from_secs(119)));
        assert!(!reliance.is_recent(now + RELIED_FOR));
    }
}
