//! Which namespaces a credential is offered to.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};

use super::CredentialError;
use crate::api::RegistryCredentialSpec;

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
    No,
    /// Its labels decide, and they are not known.
    DependsOnLabels,
}

impl NamespaceRule {
    pub(super) fn parse(spec: &RegistryCredentialSpec) -> Result<Self, CredentialError> {
        if spec.namespaces.is_empty() && spec.namespace_selector.is_none() {
            return Err(CredentialError::NoNamespaces);
        }
        let selector =
            spec.namespace_selector.clone().map(|selector| Selector::try_from(LabelSelector::from(selector)));
        Ok(Self {
            named: globs("namespaces", &spec.namespaces)?,
            selector: selector.transpose().map_err(|error| CredentialError::Selector(error.to_string()))?,
            excluded: globs("excludeNamespaces", &spec.exclude_namespaces)?,
        })
    }

    /// Either field suffices; an exclusion wins over both.
    pub fn offer(&self, namespace: &str, labels: Option<&BTreeMap<String, String>>) -> Offer {
        if self.excluded.is_match(namespace) {
            return Offer::No;
        }
        if self.named.is_match(namespace) {
            return Offer::Yes;
        }
        match (&self.selector, labels) {
            (Some(_), None) => Offer::DependsOnLabels,
            (Some(selector), Some(labels)) if selector.matches(labels) => Offer::Yes,
            (Some(_) | None, _) => Offer::No,
        }
    }
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
        set.add(
            GlobBuilder::new(pattern)
                .literal_separator(true)
                .build()
                .map_err(|reason| error(pattern, reason))?,
        );
    }
    set.build().map_err(|reason| error("", reason))
}
