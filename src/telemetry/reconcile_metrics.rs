//! What is counted of the controller's work on copies.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

/// Counters of the leader's work. Clones share the counts.
#[derive(Debug, Clone)]
pub struct ReconcileMetrics {
    outcomes: IntCounterVec,
    queue: IntGauge,
}

impl ReconcileMetrics {
    /// Makes the metrics and registers them, with a count for each of these outcomes. Fails only when a registry already has
    /// them.
    pub fn register(registry: &Registry, outcomes: &[&str]) -> Result<Self, prometheus::Error> {
        let options = Opts::new(
            "regcred_reconcile_total",
            "What the leader has done about copies by itself, by outcome; overtaken: the object was another by then.",
        );
        let counters = IntCounterVec::new(options, &["outcome"])?;
        for outcome in outcomes {
            counters.with_label_values(&[outcome]);
        }
        let queue = IntGauge::new(
            "regcred_reconcile_queue",
            "Places that the leader will look at, now or when a pause is over.",
        )?;
        registry.register(Box::new(counters.clone()))?;
        registry.register(Box::new(queue.clone()))?;
        Ok(Self { outcomes: counters, queue })
    }

    pub(crate) fn reconciled(&self, outcome: &str) {
        self.outcomes.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn queue(&self, length: usize) {
        self.queue.set(i64::try_from(length).unwrap_or(i64::MAX));
    }
}
