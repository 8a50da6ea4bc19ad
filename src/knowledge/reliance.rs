//! When a pod was last told that a copy is there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// From where moments are counted, so that one fits an atomic number. A second before the first use, so that no
/// moment that is noted counts as none.
static EPOCH: LazyLock<Instant> = LazyLock::new(|| {
    let now = Instant::now();
    now.checked_sub(Duration::from_secs(1)).unwrap_or(now)
});

/// The moment when a pod last relied on a copy, in milliseconds since [`EPOCH`]; 0 for never. Clones share it, so a
/// note made on one snapshot is seen by all; it takes no lock, because every decision about a warm pod makes one.
#[derive(Debug, Clone, Default)]
pub struct Reliance(Arc<AtomicU64>);

impl Reliance {
    /// A pod is told at this moment that the copy is there.
    pub fn note(&self, now: Instant) {
        self.0.fetch_max(milliseconds(now), Ordering::SeqCst);
    }

    /// Whether that was so less than `within` before a moment.
    pub fn is_recent(&self, now: Instant, within: Duration) -> bool {
        let noted = self.0.load(Ordering::SeqCst);
        noted > 0 && u128::from(milliseconds(now).saturating_sub(noted)) < within.as_millis()
    }
}

fn milliseconds(moment: Instant) -> u64 {
    u64::try_from(moment.saturating_duration_since(*EPOCH).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reliance_lasts_for_a_time_and_is_shared() {
        let (reliance, now) = (Reliance::default(), Instant::now());
        let within = Duration::from_mins(2);
        assert!(!reliance.is_recent(now, within));
        reliance.clone().note(now);
        assert!(reliance.is_recent(now + Duration::from_secs(119), within));
        assert!(!reliance.is_recent(now + within, within));
    }
}
