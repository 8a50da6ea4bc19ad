//! What decides about a namespace.

use std::collections::BTreeMap;

use kube::core::ObjectMeta;

/// The namespace that `manifests/` install regcred into.
pub const REGCRED_NAMESPACE: &str = "regcred-system";
/// The label by which a pod, or a namespace for all its pods, opts out of injection.
pub const OPT_OUT_LABEL: &str = "regcred.dev/inject";
/// The value of [`OPT_OUT_LABEL`] that does so.
pub const OPT_OUT_VALUE: &str = "disabled";

/// A namespace, as far as it decides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Namespace {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it is being deleted; nothing can be created in it then.
    pub terminating: bool,
}

impl Namespace {
    /// Whether its label keeps all its pods as they are.
    pub fn opts_out(&self) -> bool {
        self.labels.get(OPT_OUT_LABEL).is_some_and(|value| value == OPT_OUT_VALUE)
    }
}

impl From<&ObjectMeta> for Namespace {
    fn from(metadata: &ObjectMeta) -> Self {
        Self {
            labels: metadata.labels.clone().unwrap_or_default(),
            terminating: metadata.deletion_timestamp.is_some(),
        }
    }
}
