//! What is counted of copies.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

use crate::model::copy::CopyAnswer;
use crate::model::copy::Obstacle;

/// Counters of copies. Clones share the counts.
#[derive(Debug, Clone)]
pub struct CopyMetrics {
    writes: IntCounterVec,
    pending: IntGauge,
}

impl CopyMetrics {
    /// Makes the metrics and registers them. Fails only when a registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let options = Opts::new(
            "regcred_copy_writes_total",
            "Attempts to create a copy, by result: created, present (it was there), foreign (a Secret of that name \
             is not ours), rival (it is another credential's copy), passing (may succeed later), namespace_gone, lasting (never will).",
        );
        let writes = IntCounterVec::new(options, &["result"])?;
        for result in ["created", "present", "foreign", "rival", "passing", "namespace_gone", "lasting"] {
            writes.with_label_values(&[result]);
        }
        let pending = IntGauge::new(
            "regcred_copies_pending",
            "Copies that pods wait for and that this replica goes on trying to create.",
        )?;
        registry.register(Box::new(writes.clone()))?;
        registry.register(Box::new(pending.clone()))?;
        Ok(Self { writes, pending })
    }

    pub(crate) fn pending(&self, count: usize) {
        self.pending.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn write(&self, answer: &CopyAnswer) {
        let result = match answer {
            CopyAnswer::Created => "created",
            CopyAnswer::Present => "present",
            // Only looking brings this.
            CopyAnswer::Absent => return,
            CopyAnswer::Blocked(Obstacle::Foreign) => "foreign",
            CopyAnswer::Blocked(Obstacle::Rival(_)) => "rival",
            CopyAnswer::Blocked(Obstacle::Passing(_)) => "passing",
            CopyAnswer::Blocked(Obstacle::NamespaceGone) => "namespace_gone",
            CopyAnswer::Blocked(Obstacle::Lasting(_)) => "lasting",
        };
        self.writes.with_label_values(&[result]).inc();
    }
}
