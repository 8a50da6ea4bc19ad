//! Where a copy comes from, as it says itself.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::{COPY_LABEL, COPY_LABEL_VALUE, ORIGIN_ANNOTATION};
use crate::model::ObjectKey;
use crate::model::credential::Credential;
use crate::model::source::SourceSecret;

/// The value of [`ORIGIN_ANNOTATION`], as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// Name of the `RegistryCredential`.
    pub credential: String,
    /// Its uid.
    pub credential_uid: String,
    /// The generation of its spec when the copy was last written.
    #[serde(default)]
    pub credential_generation: i64,
    /// Whether the Secret was there before, and another's; such a one is released, never deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// Namespace/name of the source Secret.
    pub source: String,
    /// Its uid when the copy was last written.
    pub source_uid: String,
    /// Its resource version when the copy was last written.
    pub source_resource_version: String,
    /// Namespace/name of the copy itself.
    pub copy: String,
}

impl Origin {
    /// The origin of what is written now.
    pub fn new(source: &SourceSecret, credential: &Credential, place: &ObjectKey) -> Self {
        Self {
            credential: credential.name.to_string(),
            credential_uid: credential.uid.to_string(),
            credential_generation: credential.generation,
            adopted: false,
            source: credential.source.to_string(),
            source_uid: source.uid.to_string(),
            source_resource_version: source.resource_version.to_string(),
            copy: place.to_string(),
        }
    }

    /// Its form as an annotation.
    pub fn to_annotation(&self) -> String {
        // An object of strings and numbers always has a JSON form; the empty default could never be taken for an origin.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The origin of a Secret that is a copy of ours; `None` for any other Secret.
    pub fn of(metadata: &ObjectMeta) -> Option<Self> {
        let label = metadata.labels.as_ref()?.get(COPY_LABEL)?;
        let annotation = metadata.annotations.as_ref()?.get(ORIGIN_ANNOTATION)?;
        let origin: Self = serde_json::from_str(annotation).ok()?;
        let place = ObjectKey::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?);
        (label == COPY_LABEL_VALUE && origin.copy == place.to_string()).then_some(origin)
    }

    /// Whether it is a copy of this very credential, not of a former one of the same name.
    pub fn is_of(&self, credential: &Credential) -> bool {
        *self.credential_uid == *credential.uid
    }
}
