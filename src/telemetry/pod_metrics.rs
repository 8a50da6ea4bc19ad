//! What the leader counts of pods.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Gauges and counters of pods; those of a replica that does not lead are zero. Clones share the counts.
#[derive(Debug, Clone)]
pub struct PodMetrics {
    watched: IntGauge,
    lacking: IntGaugeVec,
    evictions: IntCounterVec,
}

/// What came of an eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// The pod goes.
    Done,
    /// A `PodDisruptionBudget` does not allow it now.
    Refused,
    /// The pod has changed or gone since it was judged.
    Outdated,
    /// Anything else.
    Failed,
}

impl PodMetrics {
    /// Makes the metrics and registers them. Fails only when a registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let watched = IntGauge::new(
            "regcred_pods_watched",
            "Pods that have not finished, as the leader knows them once it has seen all.",
        )?;
        let lacking = IntGaugeVec::new(
            Opts::new(
                "regcred_pods_lacking_pull_secret",
                "Pods that were created without a pull Secret that they would be given now: running (a container runs), \
                 failing (none runs, and an image cannot be pulled), other.",
            ),
            &["state"],
        )?;
        let evictions = IntCounterVec::new(
            Opts::new(
                "regcred_pod_evictions_total",
                "Attempts to evict a failing pod, so that its replacement gets its pull Secret, by result: done, refused \
                 (by a PodDisruptionBudget), outdated (the pod has changed), failed.",
            ),
            &["result"],
        )?;
        for result in [Eviction::Done, Eviction::Refused, Eviction::Outdated, Eviction::Failed] {
            evictions.with_label_values(&[result.as_str()]);
        }
        registry.register(Box::new(watched.clone()))?;
        registry.register(Box::new(lacking.clone()))?;
        registry.register(Box::new(evictions.clone()))?;
        let metrics = Self { watched, lacking, evictions };
        metrics.set(0, [0; 3]);
        Ok(metrics)
    }

    /// How many pods are known, and how many of them lack a pull Secret: running, failing, other.
    pub(crate) fn set(&self, watched: usize, lacking: [usize; 3]) {
        let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.watched.set(number(watched));
        for (state, count) in ["running", "failing", "other"].into_iter().zip(lacking) {
            self.lacking.with_label_values(&[state]).set(number(count));
        }
    }

    pub(crate) fn eviction(&self, result: Eviction) {
        self.evictions.with_label_values(&[result.as_str()]).inc();
    }
}

impl Eviction {
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Outdated => "outdated",
            Self::Failed => "failed",
        }
    }
}
