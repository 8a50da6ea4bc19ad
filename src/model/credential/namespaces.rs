//! Which namespaces a credential is offered to.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};

use super::CredentialError;
use crate::api::RegistryCredentialSpec;
use crate::api::registry_credential::{SelectorOperator, SelectorRequirement};
use crate::model::consent::Dissent;

/// Names, labels and exceptions, compiled.
#[derive(Debug)]
pub struct NamespaceRule {
    named: GlobSet,
    selector: Option<Selector>,
    excluded: GlobSet,
}

/// Whether a namespace is offered a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It is.
    Yes,
    /// It is not.
    No(NotOffered),
    /// Its labels decide, and they are not known.
    DependsOnLabels,
}

/// Why a namespace is not offered a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOffered {
    /// `excludeNamespaces` names it.
    Excluded,
    /// `namespaces` does not name it, and there is no `namespaceSelector`.
    NotNamed,
    /// `namespaces` does not name it, and `namespaceSelector` does not select it.
    NotSelected,
    /// It does not consent.
    Dissent(Dissent),
    /// regcred is limited to other namespaces.
    OutOfScope,
}

impl Offer {
    /// Whether it is certain that it is not.
    pub fn is_no(self) -> bool {
        matches!(self, Self::No(_))
    }
}

impl NamespaceRule {
    pub(super) fn parse(spec: &RegistryCredentialSpec) -> Result<Self, CredentialError> {
        if spec.namespaces.is_empty() && spec.namespace_selector.is_none() {
            return Err(CredentialError::NoNamespaces);
        }
        let requirements = spec.namespace_selector.iter().flat_map(|selector| &selector.match_expressions);
        for requirement in requirements {
            check(requirement)?;
        }
        let selector =
            spec.namespace_selector.clone().map(|selector| Selector::try_from(LabelSelector::from(selector)));
        Ok(Self {
            named: globs("namespaces", &spec.namespaces)?,
            selector: selector.transpose().map_err(|error| CredentialError::Selector(error.to_string()))?,
            excluded: globs("excludeNamespaces", &spec.exclude_namespaces)?,
        })
    }

    /// Either field suffices; an exclusion wins over both. Whether the namespace consents is not asked here, but by
    /// `Snapshot::offers`, which is what everybody calls who decides.
    pub fn offer(&self, namespace: &str, labels: Option<&BTreeMap<String, String>>) -> Offer {
        if self.excluded.is_match(namespace) {
            return Offer::No(NotOffered::Excluded);
        }
        if self.named.is_match(namespace) {
            return Offer::Yes;
        }
        match (&self.selector, labels) {
            (Some(selector), None) if !selector.selects_all() => Offer::DependsOnLabels,
            (Some(_), None) => Offer::Yes,
            (Some(selector), Some(labels)) if selector.matches(labels) => Offer::Yes,
            (Some(_), _) => Offer::No(NotOffered::NotSelected),
            (None, _) => Offer::No(NotOffered::NotNamed),
        }
    }
}

/// The `CustomResourceDefinition`'s rule on requirements, in its words.
fn check(requirement: &SelectorRequirement) -> Result<(), CredentialError> {
    let takes_values = matches!(requirement.operator, SelectorOperator::In | SelectorOperator::NotIn);
    if takes_values == requirement.values.is_empty() {
        let reason = "In and NotIn need values, Exists and DoesNotExist have none";
        return Err(CredentialError::Selector(reason.to_owned()));
    }
    Ok(())
}

/// Compiles globs, which match whole names.
fn globs(field: &'static str, patterns: &[String]) -> Result<GlobSet, CredentialError> {
    let error = |pattern: &str, reason: globset::Error| CredentialError::Glob {
        field,
        pattern: pattern.to_owned(),
        reason: reason.kind().to_string(),
    };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        // What the schema allows; a glob in general knows more.
        let is_known = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || "-*?".contains(character)
        };
        if pattern.is_empty() || !pattern.chars().all(is_known) {
            let reason = "a namespace's name has lower-case letters, digits and -, a glob also * and ?";
            return Err(CredentialError::Glob { field, pattern: pattern.clone(), reason: reason.to_owned() });
        }
        set.add(
            GlobBuilder::new(pattern)
                .literal_separator(true)
                .build()
                .map_err(|reason| error(pattern, reason))?,
        );
    }
    set.build().map_err(|reason| error("", reason))
}
