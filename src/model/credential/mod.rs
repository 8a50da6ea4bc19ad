//! A `RegistryCredential` compiled for deciding: the same reading for admission, controllers and `regcred check`.

mod namespaces;

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use thiserror::Error;

use super::ObjectKey;
use super::dns_name::{self, LONGEST_SUBDOMAIN};
use super::keyring::{ImagePattern, ImagePatternError, Target};
use super::module::{Malformed, Selector};
use crate::api::{Conflict, Distribution, Mode, RegistryCredential};

pub use namespaces::{NamespaceRule, NotOffered, Offer};

/// A credential whose rules have been compiled.
#[derive(Debug)]
pub struct Credential {
    /// Name of the `RegistryCredential`.
    pub name: Arc<str>,
    /// Its uid, which tells it from a former one of the same name.
    pub uid: Arc<str>,
    /// The generation of its spec.
    pub generation: i64,
    /// The Secret it offers.
    pub source: ObjectKey,
    /// The name of its copies.
    pub copy_name: Arc<str>,
    /// The namespaces it is offered to.
    pub namespaces: NamespaceRule,
    /// When a namespace gets its copy.
    pub distribution: Distribution,
    /// What happens to a Secret that is there under the copy's name.
    pub conflict: Conflict,
    /// Whether it has effects.
    pub mode: Mode,
    /// What layers of modules in its registries are labelled with, if they are.
    pub module_labels: Option<Selector>,
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
    #[error("spec.images holds {pattern:?}: {reason}")]
    Image {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: ImagePatternError,
    },
    /// A source that no Secret can be: its watch would ask the API server for a path that there is not.
    #[error(
        "spec.secretRef is {namespace:?}, {name:?}, which no Secret can be called: lower-case letters, digits and '-', \
         in the name also '.', with a letter or digit at both ends of each part"
    )]
    SecretRef {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
    },
    /// A source that is not looked at.
    #[error(
        "spec.secretRef is in namespace {0}, and regcred is limited to other namespaces: keep the Secret in one of those, or \
         list {0} in --namespaces and give regcred its rights there"
    )]
    OutOfScope(String),
    /// Labels that select no Secret, or every one.
    #[error(
        "spec.moduleLabels is wrong: {0}; write the labels of the Secret that modules are pulled with, such as \
         operator.kyma-project.io/oci-registry-cred: NAME, or leave it out"
    )]
    ModuleLabels(Malformed),
    /// Copies that no Secret can be named like.
    #[error(
        "the copies would be called {0:?}, and no Secret can be: up to {LONGEST_SUBDOMAIN} lower-case letters, digits, '-' \
         and '.', with a letter or digit at both ends of each part; set spec.copyName"
    )]
    CopyName(String),
}

impl Credential {
    /// Compiles an object.
    ///
    /// # Errors
    /// When a part of the spec has no meaning.
    pub fn parse(object: &RegistryCredential) -> Result<Self, CredentialError> {
        let name = object.metadata.name.as_deref().ok_or(CredentialError::NoName)?;
        let spec = &object.spec;
        let images = spec.images.iter().map(|text| {
            ImagePattern::parse(text)
                .map_err(|reason| CredentialError::Image { pattern: text.clone(), reason })
        });
        let copy_name = spec.copy_name.clone().unwrap_or_else(|| format!("regcred-{name}"));
        if !dns_name::is_subdomain(&copy_name) {
            return Err(CredentialError::CopyName(copy_name));
        }
        let source = &spec.secret_ref;
        if !dns_name::is_label(&source.namespace) || !dns_name::is_subdomain(&source.name) {
            let (namespace, name) = (source.namespace.clone(), source.name.clone());
            return Err(CredentialError::SecretRef { namespace, name });
        }
        let module_labels = spec.module_labels.clone().map(Selector::new).transpose();
        Ok(Self {
            name: name.into(),
            uid: object.metadata.uid.as_deref().unwrap_or_default().into(),
            generation: object.metadata.generation.unwrap_or_default(),
            source: ObjectKey::new(&source.namespace, &source.name),
            copy_name: copy_name.into(),
            namespaces: NamespaceRule::parse(spec)?,
            distribution: spec.distribution,
            conflict: spec.conflict,
            mode: spec.mode,
            module_labels: module_labels.map_err(CredentialError::ModuleLabels)?,
            images: images.collect::<Result<_, _>>()?,
        })
    }

    /// Whether `images` lets it serve an image. The Secret's own keys must answer besides.
    pub fn is_for(&self, target: &Target) -> bool {
        self.images.is_empty() || self.images.iter().any(|pattern| pattern.matches(target))
    }

    /// The most special of its `images` that match; `None` where nothing narrows it.
    pub fn narrowed_by(&self, target: &Target) -> Option<&str> {
        self.images.iter().filter(|pattern| pattern.matches(target)).map(ImagePattern::text).max()
    }

    /// Whether `images` lets it serve images of a host, which may be a glob as in a registry Secret.
    pub fn may_be_for_host(&self, host: &str) -> bool {
        self.images.is_empty() || self.images.iter().any(|pattern| pattern.may_be_of_host(host))
    }

    /// Its copy in a namespace.
    pub fn copy_in(&self, namespace: &str) -> ObjectKey {
        ObjectKey { namespace: namespace.into(), name: self.copy_name.clone() }
    }
}
