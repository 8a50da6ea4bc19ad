//! What is told of the configuration.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

/// How its file was read. Clones share the counts.
#[derive(Debug, Clone)]
pub struct ConfigurationMetrics {
    reads: IntCounterVec,
    is_the_files: IntGauge,
}

impl ConfigurationMetrics {
    /// Makes the metrics and registers them. Fails only when a registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let options = Opts::new(
            "regcred_configuration_reads_total",
            "Configurations that were read from the file and taken (success), or not (failure), in which case the one \
             before stays.",
        );
        let reads = IntCounterVec::new(options, &["result"])?;
        for result in ["success", "failure"] {
            reads.with_label_values(&[result]);
        }
        let is_the_files = IntGauge::new(
            "regcred_configuration_in_effect_is_the_files",
            "1 while the configuration in effect is what the file holds, or there is no file; 0 while the file cannot be used.",
        )?;
        is_the_files.set(1);
        registry.register(Box::new(reads.clone()))?;
        registry.register(Box::new(is_the_files.clone()))?;
        Ok(Self { reads, is_the_files })
    }

    pub(crate) fn read(&self, taken: bool) {
        self.reads.with_label_values(&[if taken { "success" } else { "failure" }]).inc();
        self.is_the_files.set(i64::from(taken));
    }
}
