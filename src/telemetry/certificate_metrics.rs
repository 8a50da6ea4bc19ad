//! What is told of the certificates that regcred makes itself.

use std::time::SystemTime;

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

use super::metrics::unix_seconds;

/// The authority's end and the steps taken. Clones share the counts.
#[derive(Debug, Clone)]
pub struct CertificateMetrics {
    authority_not_after: IntGauge,
    steps: IntCounterVec,
}

impl CertificateMetrics {
    /// Makes the metrics and registers them. Fails only when a registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let authority_not_after = IntGauge::new(
            "regcred_certificate_authority_not_after_timestamp_seconds",
            "When the authority that signs the webhook's certificates expires, in seconds since 1970.",
        )?;
        let options = Opts::new(
            "regcred_certificate_steps_total",
            "Steps taken for the webhook's certificates (establish: a new authority; record: what the Secret has to \
             remember; publish: the caBundle; serve: a new certificate), by result; after a failure what is served stays.",
        );
        let steps = IntCounterVec::new(options, &["step", "result"])?;
        for step in ["establish", "record", "publish", "serve"] {
            for result in ["success", "conflict", "failure"] {
                steps.with_label_values(&[step, result]);
            }
        }
        registry.register(Box::new(authority_not_after.clone()))?;
        registry.register(Box::new(steps.clone()))?;
        Ok(Self { authority_not_after, steps })
    }

    pub(crate) fn authority_ends(&self, not_after: SystemTime) {
        self.authority_not_after.set(unix_seconds(not_after));
    }

    pub(crate) fn step(&self, step: &'static str, result: &'static str) {
        self.steps.with_label_values(&[step, result]).inc();
    }
}
