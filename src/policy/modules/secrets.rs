//! Whether the Secrets that a selector selects are of use for a module.

use crate::configuration::{FindingKind, Modules};
use crate::model::keyring::Target;
use crate::model::module::{Content, SelectedSecret};

/// What there is to say about the Secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecretFinding {
    pub(super) kind: FindingKind,
    /// What follows the selector in a sentence.
    pub(super) text: String,
}

/// Judges the Secrets for a module in a repository.
pub(super) fn judge(
    secrets: &[SelectedSecret],
    rules: &Modules,
    repository: &Target,
    base: &str,
) -> Vec<SecretFinding> {
    let mut findings = Vec::new();
    let mut found = |kind, text: String| findings.push(SecretFinding { kind, text });
    let (looked_at, elsewhere): (Vec<_>, Vec<_>) =
        secrets.iter().partition(|secret| rules.looks_in(&secret.key.namespace));
    if looked_at.is_empty() {
        match elsewhere.first() {
            None => found(FindingKind::NoSecret, "selects no Secret".to_owned()),
            Some(first) => found(
                FindingKind::SecretElsewhere,
                format!("selects {}, which is where Lifecycle Manager does not look", first.key),
            ),
        }
        return findings;
    }
    for secret in &looked_at {
        match &secret.content {
            Content::OtherType(secret_type) => found(
                FindingKind::UnusableSecret,
                format!("selects {}, whose type {secret_type} is passed over", secret.key),
            ),
            Content::Broken(reason) => {
                found(
                    FindingKind::UnusableSecret,
                    format!("selects {}, which is broken: {reason}", secret.key),
                );
            }
            Content::Keys(_) => {}
        }
        if !secret.is_managed {
            found(
                FindingKind::UnmanagedSecret,
                format!(
                    "selects {}, which lacks label operator.kyma-project.io/managed-by: lifecycle-manager",
                    secret.key
                ),
            );
        }
    }
    match SelectedSecret::covering(looked_at.into_iter(), repository).as_slice() {
        [] => found(FindingKind::UncoveredRegistry, format!("selects no Secret with credentials for {base}")),
        [_] => {}
        covering @ [first, second, ..] => found(
            FindingKind::AmbiguousSecrets,
            format!(
                "selects {} Secrets for {base}, as {} and {}: any may be used",
                covering.len(),
                first.key,
                second.key
            ),
        ),
    }
    findings
}
