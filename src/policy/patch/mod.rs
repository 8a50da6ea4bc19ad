//! The JSON patch of an object.

mod module_labels;
mod pull_secrets;
mod secret_marks;

use serde::ser::{Serialize, Serializer};

pub use module_labels::ModuleLabels;
pub use pull_secrets::PullSecrets;
pub use secret_marks::SecretMarks;

/// A change to an object. Built by hand: a generated difference could touch what another webhook has changed meanwhile, and
/// an operation that does not apply rejects the object even where failures are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patch {
    /// Appends pull Secrets to a pod.
    PullSecrets(PullSecrets),
    /// Appends the label by which Secrets are found to layers of a module. Boxed, for it is larger and rare.
    ModuleLabels(Box<ModuleLabels>),
    /// Puts the marks of those that are in use on a Secret. Boxed likewise.
    SecretMarks(Box<SecretMarks>),
}

impl Patch {
    /// The pull Secrets that are appended to a pod.
    pub fn pull_secrets(&self) -> &[String] {
        match self {
            Self::PullSecrets(added) => added.names(),
            Self::ModuleLabels(_) | Self::SecretMarks(_) => &[],
        }
    }

    /// What is added, for logs and audit annotations.
    pub fn summary(&self) -> String {
        match self {
            Self::PullSecrets(added) => added.names().join(","),
            Self::ModuleLabels(added) => added.selector().to_string(),
            Self::SecretMarks(added) => added.summary(),
        }
    }
}

impl Serialize for Patch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::PullSecrets(added) => added.serialize(serializer),
            Self::ModuleLabels(added) => added.serialize(serializer),
            Self::SecretMarks(added) => added.serialize(serializer),
        }
    }
}
