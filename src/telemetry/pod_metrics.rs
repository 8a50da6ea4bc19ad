//! What the leader counts of pods.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Gauges and counters of pods; those of a replica that does not lead are zero. Clones share the counts.
#[derive(Debug, Clone)]
pub struct PodMetrics {
    watched: IntGauge,
    lacking: IntGaugeVec,
    evictions: IntCounterVec,
}

impl PodMetrics {
    /// Makes the metrics, for these results of evictions, and registers them. Fails only when a registry already has them.
    pub fn register(registry: &Registry, results: &[&str]) -> Result<Self, prometheus::Error> {
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
        for result in results {
            evictions.with_label_values(&[result]);
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

    pub(crate) fn eviction(&self, result: &'static str) {
        self.evictions.with_label_values(&[result]).inc();
    }
}
