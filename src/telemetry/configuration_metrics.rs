//! What is told of the configuration.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

/// How its file was read. Clones share the counts.
#[derive(Debug, Clone)]
pub struct ConfigurationMetrics {
    reloads: IntCounterVec,
    last_reload: IntGauge,
}

impl ConfigurationMetrics {
    /// Makes the metrics and registers them. Fails only when a registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let options = Opts::new(
            "regcred_configuration_reloads_total",
            "Configurations that were read from the file and taken (success), or not (failure), in which case the one \
             before stays.",
        );
        let reloads = IntCounterVec::new(options, &["result"])?;
        for result in ["success", "failure"] {
            reloads.with_label_values(&[result]);
        }
        let last_reload = IntGauge::new(
            "regcred_configuration_last_reload_successful",
            "1 while the configuration in effect is what the file holds, or there is no file; 0 while the file cannot be used.",
        )?;
        last_reload.set(1);
        registry.register(Box::new(reloads.clone()))?;
        registry.register(Box::new(last_reload.clone()))?;
        Ok(Self { reloads, last_reload })
    }

    pub(crate) fn reloaded(&self, taken: bool) {
        self.reloads.with_label_values(&[if taken { "success" } else { "failure" }]).inc();
        self.last_reload.set(i64::from(taken));
    }
}
