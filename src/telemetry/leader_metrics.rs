//! What is counted of leadership.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

/// Whether this replica leads, and how that changed. Clones share the counts.
#[derive(Debug, Clone)]
pub struct LeaderMetrics {
    leads: IntGauge,
    changes: IntCounterVec,
}

impl LeaderMetrics {
    /// Makes the metrics and registers them. Fails only when a registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let leads = IntGauge::new(
            "regcred_leader",
            "1 while this replica may write what only one should, else 0. The sum over all replicas is 1, or 0 for \
             a moment.",
        )?;
        let options = Opts::new(
            "regcred_leader_changes_total",
            "Changes of this replica's leadership: acquired, released (given back at its end), expired (no renewal \
             came through before the deadline), superseded (the Lease was found to be another's).",
        );
        let changes = IntCounterVec::new(options, &["change"])?;
        for change in ["acquired", "released", "expired", "superseded"] {
            changes.with_label_values(&[change]);
        }
        registry.register(Box::new(leads.clone()))?;
        registry.register(Box::new(changes.clone()))?;
        Ok(Self { leads, changes })
    }

    pub(crate) fn acquired(&self) {
        self.changes.with_label_values(&["acquired"]).inc();
        self.leads.set(1);
    }

    pub(crate) fn ended(&self, reason: &'static str) {
        self.changes.with_label_values(&[reason]).inc();
        self.leads.set(0);
    }
}
