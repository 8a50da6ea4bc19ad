//! What the leader counts of Secrets in use.

use prometheus::{IntGauge, Registry};

/// Gauges of Secrets in use; those of a replica that does not lead are zero. Clones share the counts.
#[derive(Debug, Clone)]
pub struct ProtectionMetrics {
    secrets: IntGauge,
    reservations: IntGauge,
    dangling: IntGauge,
}

impl ProtectionMetrics {
    /// Makes the metrics and registers them. Fails only when a registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        Ok(Self {
            secrets: gauge(
                "regcred_secrets_in_use",
                "Secrets that are marked as in use, as the leader knows them once it has seen all.",
            )?,
            reservations: gauge(
                "regcred_reservations",
                "Reservations that stand on Secrets: writes that were about to point to one, and are not known to be through.",
            )?,
            dangling: gauge(
                "regcred_dangling_references",
                "Objects that point to a Secret that has gone or is going, each once for each such Secret.",
            )?,
        })
    }

    /// How many Secrets are marked as in use, how many reservations they have, and how many objects point to a Secret that has gone
    /// or is going.
    pub(crate) fn set(&self, secrets: usize, reservations: usize, dangling: usize) {
        let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.secrets.set(number(secrets));
        self.reservations.set(number(reservations));
        self.dangling.set(number(dangling));
    }
    /// What is shown of each, for tests.
    #[cfg(test)]
    pub(crate) fn shown(&self) -> [i64; 3] {
        [&self.secrets, &self.reservations, &self.dangling].map(IntGauge::get)
    }
}
