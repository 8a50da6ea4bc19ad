//! What is counted of decisions.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

use crate::policy::{Decision, Reason, Rule};

/// Counters of decisions. Clones share the counts.
#[derive(Debug, Clone)]
pub struct AdmissionMetrics {
    decisions: IntCounterVec,
    namespace_reads: IntCounter,
    warnings: IntCounter,
}

impl AdmissionMetrics {
    /// Makes the metrics and registers them. Fails only when a registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let options = Opts::new("regcred_decisions_total", "Decisions by rule and reason.");
        let decisions = IntCounterVec::new(options, &["rule", "reason"])?;
        for rule in Rule::ALL {
            for reason in Reason::ALL {
                decisions.with_label_values(&[rule.as_str(), reason.as_str()]);
            }
        }
        let namespace_reads = IntCounter::new(
            "regcred_namespace_reads_total",
            "Namespaces read in a call because the watch had not shown them yet.",
        )?;
        let warnings = IntCounter::new("regcred_warnings_total", "Warnings sent with answers.")?;
        registry.register(Box::new(decisions.clone()))?;
        registry.register(Box::new(namespace_reads.clone()))?;
        registry.register(Box::new(warnings.clone()))?;
        Ok(Self { decisions, namespace_reads, warnings })
    }

    pub(crate) fn decided(&self, rule: Rule, decision: &Decision) {
        self.decisions.with_label_values(&[rule.as_str(), decision.reason.as_str()]).inc();
        self.warnings.inc_by(decision.warnings.texts().len() as u64);
    }

    pub(crate) fn namespace_read(&self) {
        self.namespace_reads.inc();
    }
}
