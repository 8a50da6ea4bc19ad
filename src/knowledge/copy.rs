//! A copy of ours, as far as it is kept: never its content.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;

use super::reliance::Reliance;
use crate::model::copy::{Origin, is_marked};
use crate::model::digest::DigestKey;
use crate::model::docker_config::registry_type;
use crate::model::guarded_patch::Guard;
use crate::model::protection::IN_USE_LABEL;

/// A copy of ours.
#[derive(Debug, Clone)]
pub struct Copy {
    /// Its uid.
    pub uid: Arc<str>,
    /// Its resource version.
    pub resource_version: Arc<str>,
    /// The uid of the credential it is a copy for.
    pub credential_uid: Arc<str>,
    /// The generation that the credential had when it was last written; an older view of the credential may not write it.
    pub credential_generation: i64,
    /// Namespace/name of the source that it was last written from.
    pub source: Arc<str>,
    /// The resource version that its source had when it was last written; an older view of the source may not write it.
    pub source_resource_version: Arc<str>,
    /// Its type: one of the two that hold Docker configurations, or empty for any other, which no copy of ours has.
    pub secret_type: &'static str,
    /// A digest of its type and content with a key of this process; the content itself is not kept.
    pub digest: u64,
    /// Whether it was another's Secret before; then it is released, never deleted.
    pub is_adopted: bool,
    /// Who owns it.
    pub owners: Owners,
    /// Whether it is marked as no longer needed. Who needs it takes the mark off first.
    pub is_marked: bool,
    /// Whether something besides pods points to it; see [`crate::model::protection`].
    pub is_in_use: bool,
    /// When a pod last relied on it.
    pub reliance: Reliance,
}

/// Who owns a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// There is no list of owners.
    Nobody,
    /// Others, or nobody in an empty list.
    Others,
    /// Its credential at least, so that the garbage collector removes it with the credential.
    Credential,
}

impl Owners {
    fn of(metadata: &ObjectMeta, credential_uid: &str) -> Self {
        match &metadata.owner_references {
            None => Self::Nobody,
            Some(owners) if owners.iter().any(|owner| owner.uid == credential_uid) => Self::Credential,
            Some(_) => Self::Others,
        }
    }
}

impl Copy {
    /// Reads a Secret; `None` for one that does not bear all marks of a copy.
    pub fn read(secret: &Secret, digest_key: &DigestKey) -> Option<Self> {
        let metadata = &secret.metadata;
        let origin = Origin::of(metadata)?;
        Some(Self {
            uid: metadata.uid.as_deref().unwrap_or_default().into(),
            resource_version: metadata.resource_version.as_deref().unwrap_or_default().into(),
            secret_type: registry_type(secret.type_.as_deref().unwrap_or_default()).unwrap_or_default(),
            digest: digest_key.of_secret(secret),
            is_adopted: origin.adopted,
            owners: Owners::of(metadata, &origin.credential_uid),
            is_marked: is_marked(metadata),
            is_in_use: metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(IN_USE_LABEL)),
            credential_uid: origin.credential_uid.into(),
            credential_generation: origin.credential_generation,
            source: origin.source.into(),
            source_resource_version: origin.source_resource_version.into(),
            reliance: Reliance::default(),
        })
    }

    /// This version of it.
    pub fn guard(&self) -> Guard {
        Guard { uid: self.uid.clone(), resource_version: self.resource_version.clone() }
    }

    /// Its resource version as a number, by which versions are ordered; `None` for one that is none.
    pub fn version(&self) -> Option<u64> {
        self.resource_version.parse().ok()
    }
}
