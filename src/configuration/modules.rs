//! The part about `ModuleTemplates`.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::ConfigurationError;
use crate::model::keyring::{ImagePattern, ImagePatternError, Target};
use crate::model::scope::{self, Scope};

/// What can be found about a `ModuleTemplate`, or about the Secrets that it selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// A layer has no label.
    MissingLabel,
    /// A layer's label selects no Secret, or every one.
    MalformedLabel,
    /// No Secret is selected.
    NoSecret,
    /// Secrets are selected, but only where Lifecycle Manager does not look.
    SecretElsewhere,
    /// A selected Secret cannot be used.
    UnusableSecret,
    /// No selected Secret has credentials for the registry.
    UncoveredRegistry,
    /// Several selected Secrets have credentials for the registry.
    AmbiguousSecrets,
    /// A selected Secret is not labelled as Lifecycle Manager's.
    UnmanagedSecret,
    /// The last Secret that something is pulled with goes, or loses the labels that select it.
    LastSecret,
}

impl FindingKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::MissingLabel,
        Self::MalformedLabel,
        Self::NoSecret,
        Self::SecretElsewhere,
        Self::UnusableSecret,
        Self::UncoveredRegistry,
        Self::AmbiguousSecrets,
        Self::UnmanagedSecret,
        Self::LastSecret,
    ];

    /// The word in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingLabel => "missing_label",
            Self::MalformedLabel => "malformed_label",
            Self::NoSecret => "no_secret",
            Self::SecretElsewhere => "secret_elsewhere",
            Self::UnusableSecret => "unusable_secret",
            Self::UncoveredRegistry => "uncovered_registry",
            Self::AmbiguousSecrets => "ambiguous_secrets",
            Self::UnmanagedSecret => "unmanaged_secret",
            Self::LastSecret => "last_secret",
        }
    }
}

/// What is done about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Action {
    /// Nothing.
    Ignore,
    /// Whoever writes the `ModuleTemplate`, or takes the Secret away, is warned.
    Warn,
    /// That is refused.
    Deny,
}

/// What is to be done about `ModuleTemplates`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Modules {
    public_registries: Vec<ImagePattern>,
    secret_namespaces: BTreeSet<Arc<str>>,
    findings: Findings,
}

impl Modules {
    pub(super) fn compile(document: Document) -> Result<Self, ConfigurationError> {
        let public_registries = document.public_registries.iter().enumerate().map(|(number, text)| {
            ImagePattern::parse(text).map_err(|error| ConfigurationError::Value {
                field: format!("modules.publicRegistries[{number}]"),
                reason: match error {
                    ImagePatternError::Empty => {
                        "it is empty: write a host, such as europe-docker.pkg.dev".to_owned()
                    }
                    other => other.to_string(),
                },
            })
        });
        let secret_namespaces = document.secret_namespaces.iter().enumerate().map(|(number, name)| {
            scope::parse_name(name).map_err(|_| ConfigurationError::Value {
                field: format!("modules.secretNamespaces[{number}]"),
                reason: format!("no namespace can be called {name:?}: list names, not globs"),
            })
        });
        Ok(Self {
            public_registries: public_registries.collect::<Result<_, _>>()?,
            secret_namespaces: secret_namespaces.collect::<Result<_, _>>()?,
            findings: document.findings,
        })
    }

    /// Whether layers there are pulled without credentials.
    pub fn is_public(&self, repository: &Target) -> bool {
        self.public_registries.iter().any(|pattern| pattern.matches(repository))
    }

    /// Whether Lifecycle Manager looks for Secrets in a namespace.
    pub fn looks_in(&self, namespace: &str) -> bool {
        self.secret_namespaces.is_empty() || self.secret_namespaces.contains(namespace)
    }

    /// The namespaces in which Lifecycle Manager looks for Secrets; none means all.
    pub fn secret_namespaces(&self) -> &BTreeSet<Arc<str>> {
        &self.secret_namespaces
    }

    /// Whether Lifecycle Manager looks for Secrets in no namespace but those of a scope.
    pub fn looks_within(&self, scope: &Scope) -> bool {
        let covers = |name: &Arc<str>| scope.covers(name);
        *scope == Scope::All
            || !self.secret_namespaces.is_empty() && self.secret_namespaces.iter().all(covers)
    }

    /// Whether anything is done about what can be found about Secrets when a `ModuleTemplate` is written.
    pub fn asks_for_secrets(&self) -> bool {
        let is_found_otherwise = |kind| {
            matches!(kind, FindingKind::MissingLabel | FindingKind::MalformedLabel | FindingKind::LastSecret)
        };
        let mut about_secrets = FindingKind::ALL.into_iter().filter(|kind| !is_found_otherwise(*kind));
        about_secrets.any(|kind| self.action(kind) != Action::Ignore)
    }

    /// What is done about a finding.
    pub fn action(&self, kind: FindingKind) -> Action {
        let findings = &self.findings;
        match kind {
            FindingKind::MissingLabel => findings.missing_label,
            FindingKind::MalformedLabel => findings.malformed_label,
            FindingKind::NoSecret => findings.no_secret,
            FindingKind::SecretElsewhere => findings.secret_elsewhere,
            FindingKind::UnusableSecret => findings.unusable_secret,
            FindingKind::UncoveredRegistry => findings.uncovered_registry,
            FindingKind::AmbiguousSecrets => findings.ambiguous_secrets,
            FindingKind::UnmanagedSecret => findings.unmanaged_secret,
            FindingKind::LastSecret => findings.last_secret,
        }
    }
}

/// The rule about Kyma's `ModuleTemplates`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Modules")]
pub(super) struct Document {
    /// Registries that modules are pulled from without credentials, so that their layers need no label: a host as in a
    /// registry Secret, and whole segments of the path, such as europe-docker.pkg.dev/kyma-project. By default none.
    public_registries: Vec<String>,
    /// The namespaces in which Lifecycle Manager looks for the Secrets that a label selects. By default all.
    secret_namespaces: Vec<String>,
    /// What is done about each thing that can be found.
    findings: Findings,
}

/// What is done about each thing that can be found: Ignore, Warn or Deny.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Findings {
    /// A layer in a registry that is not public has no label oci-registry-cred. By default Deny.
    missing_label: Action,
    /// A layer has such a label that selects no Secret, or every one. By default Deny.
    malformed_label: Action,
    /// No Secret has the labels that are asked for. By default Warn, for it may be written later.
    no_secret: Action,
    /// Only Secrets outside of secretNamespaces have those labels. By default Warn.
    secret_elsewhere: Action,
    /// Such a Secret is not of a registry type, or cannot be decoded. By default Warn.
    unusable_secret: Action,
    /// No such Secret has credentials for the module's registry. By default Warn.
    uncovered_registry: Action,
    /// Several such Secrets have credentials for the module's registry, and any of them may be used. By default Warn.
    ambiguous_secrets: Action,
    /// Such a Secret lacks the label operator.kyma-project.io/managed-by: lifecycle-manager, which Lifecycle Manager
    /// wanted until December 2023. By default Warn.
    unmanaged_secret: Action,
    /// A Secret is deleted, or loses its labels, that is the last one with credentials for what a `ModuleTemplate` or a Manifest
    /// selects it for. By default Warn.
    last_secret: Action,
}

impl Default for Findings {
    /// The order in which Secrets and `ModuleTemplates` are written must not matter, so what a later write may mend is told
    /// and not refused.
    fn default() -> Self {
        Self {
            missing_label: Action::Deny,
            malformed_label: Action::Deny,
            no_secret: Action::Warn,
            secret_elsewhere: Action::Warn,
            unusable_secret: Action::Warn,
            uncovered_registry: Action::Warn,
            ambiguous_secrets: Action::Warn,
            unmanaged_secret: Action::Warn,
            last_secret: Action::Warn,
        }
    }
}
