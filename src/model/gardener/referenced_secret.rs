//! A Secret that a configuration refers to, as errors and warnings call it.

use k8s_openapi::api::core::v1::Secret;

use super::field_error::{FieldError, FieldPath};
use super::go_quote::quote;

/// A Secret, and what stands in the configuration for it.
pub(super) struct ReferencedSecret<'a> {
    secret: &'a Secret,
    reference: &'a str,
    path: &'a FieldPath,
}

impl<'a> ReferencedSecret<'a> {
    /// A Secret that goes by the name `reference` in the field at `path`.
    pub(super) fn new(secret: &'a Secret, reference: &'a str, path: &'a FieldPath) -> Self {
        Self { secret, reference, path }
    }

    /// What it holds under a key.
    pub(super) fn data(&self, key: &str) -> Option<&'a [u8]> {
        data(self.secret, key)
    }

    /// How many keys it has.
    pub(super) fn len(&self) -> usize {
        self.secret.data.as_ref().map_or(0, std::collections::BTreeMap::len)
    }

    /// Whether it says that it never changes.
    pub(super) fn is_immutable(&self) -> bool {
        self.secret.immutable == Some(true)
    }

    /// Namespace and name, in quotes.
    pub(super) fn quoted_key(&self) -> String {
        quote(&key(self.secret))
    }

    /// An error of the reference to it.
    pub(super) fn error(&self, detail: &str) -> FieldError {
        FieldError::invalid(self.path.clone(), self.reference, detail)
    }
}

/// What a Secret holds under a key.
pub(super) fn data<'a>(secret: &'a Secret, key: &str) -> Option<&'a [u8]> {
    secret.data.as_ref()?.get(key).map(|value| value.0.as_slice())
}

/// Namespace and name of a Secret.
pub(super) fn key(secret: &Secret) -> String {
    let metadata = &secret.metadata;
    let [namespace, name] =
        [&metadata.namespace, &metadata.name].map(|text| text.as_deref().unwrap_or_default());
    format!("{namespace}/{name}")
}
