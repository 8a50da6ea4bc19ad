//! A `RegistryCredential` compiled for deciding: the same reading for admission, controllers and `regcred check`.

mod namespaces;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use thiserror::Error;

use super::ObjectKey;
use super::keyring::{ImagePattern, Target};
use crate::api::RegistryCredential;

pub use namespaces::{NamespaceRule, Offer};

/// A credential whose rules have been compiled.
#[derive(Debug)]
pub struct Credential {
    /// Name of the `RegistryCredential`.
    pub name: Arc<str>,
    /// Its uid, which tells it from a former one of the same name.
    pub uid: Arc<str>,
    /// The Secret it offers.
    pub source: ObjectKey,
    /// The name of its copies.
    pub copy_name: Arc<str>,
    /// The namespaces it is offered to.
    pub namespaces: NamespaceRule,
    /// What narrows its images; empty for none.
    images: Vec<ImagePattern>,
}

/// Why a `RegistryCredential` cannot be used. The API server refuses most of these by schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CredentialError {
    /// Without a name there is nothing to call its copies by.
    #[error("metadata.name is missing")]
    NoName,
    /// Neither field says which namespaces.
    #[error("spec names no namespaces: set namespaces (['*'] for all) or namespaceSelector ({{}} for all)")]
    NoNamespaces,
    /// A glob that cannot be compiled.
    #[error("spec.{field} holds {pattern:?}, which is no glob: {reason}")]
    Glob {
        /// The field of the spec.
        field: &'static str,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A selector that cannot be evaluated.
    #[error("spec.namespaceSelector cannot be evaluated: {0}")]
    Selector(String),
    /// An image pattern that is none.
    #[error("spec.images holds {0:?}, which is no host with an optional port and path")]
    Image(String),
}

impl Credential {
    /// Compiles an object.
    ///
    /// # Errors
    /// When a part of the spec has no meaning.
    pub fn parse(object: &RegistryCredential) -> Result<Self, CredentialError> {
        let name = object.metadata.name.as_deref().ok_or(CredentialError::NoName)?;
        let spec = &object.spec;
        let images = spec.images.iter();
        let images =
            images.map(|text| ImagePattern::new(text).ok_or_else(|| CredentialError::Image(text.clone())));
        Ok(Self {
            name: name.into(),
            uid: object.metadata.uid.as_deref().unwrap_or_default().into(),
            source: ObjectKey::new(&spec.secret_ref.namespace, &spec.secret_ref.name),
            copy_name: spec.copy_name.clone().unwrap_or_else(|| format!("regcred-{name}")).into(),
            namespaces: NamespaceRule::parse(spec)?,
            images: images.collect::<Result<_, _>>()?,
        })
    }

    /// Whether `images` lets it serve an image. The Secret's own keys must answer besides.
    pub fn is_for(&self, target: &Target) -> bool {
        self.images.is_empty() || self.images.iter().any(|pattern| pattern.matches(target))
    }

    /// Its copy in a namespace.
    pub fn copy_in(&self, namespace: &str) -> ObjectKey {
        ObjectKey { namespace: namespace.into(), name: self.copy_name.clone() }
    }
}
