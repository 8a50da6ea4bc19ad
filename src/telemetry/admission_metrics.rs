//! What is counted of decisions.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

use crate::configuration::FindingKind;
use crate::policy::{Decision, Patch, Reason, Rule};

/// Counters of decisions. Clones share the counts.
#[derive(Debug, Clone)]
pub struct AdmissionMetrics {
    decisions: IntCounterVec,
    namespace_reads: IntCounter,
    warnings: IntCounter,
    audited_pods: IntCounter,
    audited_injections: IntCounter,
    audited_modules: IntCounter,
    module_findings: IntCounterVec,
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
        // By nothing: who has audited which pod for which credential stands in the log and in the audit annotations.
        let audited_pods = IntCounter::new(
            "regcred_audit_pods_total",
            "Pods that would have been given a pull Secret, were its RegistryCredential not in mode Audit. One that the \
             API server asks about again, because another webhook has changed it, counts again.",
        )?;
        let audited_injections = IntCounter::new(
            "regcred_audit_injections_total",
            "Pull Secrets that these pods would have been given.",
        )?;
        let audited_modules = IntCounter::new(
            "regcred_audit_modules_total",
            "ModuleTemplates whose layers would have been labelled, were the RegistryCredential not in mode Audit.",
        )?;
        let options = Opts::new(
            "regcred_module_findings_total",
            "ModuleTemplates of which something was found that was warned of, or for which they were refused; and last Secrets of theirs that were taken away, or were to be.",
        );
        let module_findings = IntCounterVec::new(options, &["finding"])?;
        for finding in FindingKind::ALL {
            module_findings.with_label_values(&[finding.as_str()]);
        }
        registry.register(Box::new(module_findings.clone()))?;
        registry.register(Box::new(audited_pods.clone()))?;
        registry.register(Box::new(audited_injections.clone()))?;
        registry.register(Box::new(audited_modules.clone()))?;
        registry.register(Box::new(decisions.clone()))?;
        registry.register(Box::new(namespace_reads.clone()))?;
        registry.register(Box::new(warnings.clone()))?;
        Ok(Self {
            decisions,
            namespace_reads,
            warnings,
            audited_pods,
            audited_injections,
            audited_modules,
            module_findings,
        })
    }

    pub(crate) fn decided(&self, rule: Rule, decision: &Decision) {
        self.decisions.with_label_values(&[rule.as_str(), decision.reason.as_str()]).inc();
        self.warnings.inc_by(decision.warnings.texts().len() as u64);
        for finding in &decision.findings {
            self.module_findings.with_label_values(&[finding.as_str()]).inc();
        }
    }

    /// What mode Audit has kept from a request that is no dry run.
    pub(crate) fn audited(&self, decision: &Decision) {
        match &decision.audited {
            Some(Patch::PullSecrets(added)) => {
                self.audited_pods.inc();
                self.audited_injections.inc_by(added.names().len() as u64);
            }
            Some(Patch::ModuleLabels(_)) => self.audited_modules.inc(),
            // No credential is asked about these.
            Some(Patch::SecretMarks(_)) | None => {}
        }
    }

    pub(crate) fn namespace_read(&self) {
        self.namespace_reads.inc();
    }
}
