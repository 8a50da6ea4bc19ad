//! What makes a Secret a copy of ours.
//!
//! A copy is ours by three things together: its name, our label, and an annotation that names the credential's
//! uid, the source, and the copy's own place. The place is there because tools that clone namespaces or Secrets
//! clone labels and annotations too; such a clone is foreign.

mod answer;
mod origin;
pub mod patch;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;

use super::ObjectKey;
use super::credential::Credential;
use super::source::SourceSecret;
use crate::api::RegistryCredential;

pub use answer::{CopyAnswer, Obstacle};
pub use origin::Origin;

/// The label that every copy carries, by which copies are watched.
pub const COPY_LABEL: &str = "regcred.dev/copy";
/// The value of [`COPY_LABEL`].
pub const COPY_LABEL_VALUE: &str = "true";
/// The annotation that tells where a copy comes from.
pub const ORIGIN_ANNOTATION: &str = "regcred.dev/origin";

/// The annotation that marks a copy which no pod needs, before it is deleted. Its value tells people since when; nobody
/// computes with it, because another process wrote it.
pub const UNNEEDED_ANNOTATION: &str = "regcred.dev/unneeded-since";

/// A copy that a credential is to have.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The credential.
    pub credential: Arc<Credential>,
    /// Where its copy belongs.
    pub place: ObjectKey,
}

/// Tells one wanted copy from another. Two credentials may give their copies the same name; only one can have it, and
/// what happens to the other must not be held against it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CopyKey {
    /// Where the copy belongs.
    pub place: ObjectKey,
    /// The uid of its credential.
    pub credential_uid: Arc<str>,
}

impl Wanted {
    /// The copy of a credential in a namespace.
    pub fn new(credential: &Arc<Credential>, namespace: &str) -> Self {
        Self { credential: Arc::clone(credential), place: credential.copy_in(namespace) }
    }

    /// Whether the credential calls its copies otherwise by now.
    pub fn has_former_name(&self) -> bool {
        self.credential.copy_name != self.place.name
    }

    /// What tells it from others.
    pub fn key(&self) -> CopyKey {
        CopyKey { place: self.place.clone(), credential_uid: self.credential.uid.clone() }
    }
}

/// The copy of a source in a namespace. Nothing of the source's metadata is copied: labels and annotations may
/// mean something to other controllers. The owner reference lets the garbage collector remove the copy when the
/// credential goes, even while regcred is down.
pub fn copy_of(source: &SourceSecret, credential: &Credential, place: &ObjectKey) -> Secret {
    let origin = Origin::new(source, credential, place).to_annotation();
    Secret {
        metadata: ObjectMeta {
            name: Some(place.name.to_string()),
            namespace: Some(place.namespace.to_string()),
            labels: Some(BTreeMap::from([(COPY_LABEL.into(), COPY_LABEL_VALUE.into())])),
            annotations: Some(BTreeMap::from([(ORIGIN_ANNOTATION.into(), origin)])),
            owner_references: Some(vec![owner(credential)]),
            ..ObjectMeta::default()
        },
        type_: Some(source.secret_type.to_string()),
        data: Some(source.data()),
        ..Secret::default()
    }
}

/// Whether a Secret is marked as no longer needed.
pub fn is_marked(metadata: &ObjectMeta) -> bool {
    metadata.annotations.as_ref().is_some_and(|all| all.contains_key(UNNEEDED_ANNOTATION))
}

/// The reference by which a credential owns a copy that was created for it.
pub fn owner(credential: &Credential) -> OwnerReference {
    OwnerReference {
        api_version: RegistryCredential::api_version(&()).into_owned(),
        kind: RegistryCredential::kind(&()).into_owned(),
        name: credential.name.to_string(),
        uid: credential.uid.to_string(),
        ..OwnerReference::default()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rstest::rstest;

    use super::*;
    use crate::model::source::tests::source_secret;

    pub(crate) fn credential() -> Credential {
        let object = serde_json::json!({
            "apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential", "metadata": {"name": "ghcr", "uid": "1"},
            "spec": {"secretRef": {"namespace": "porch-system", "name": "auth-secret"}, "namespaces": ["*"]},
        });
        Credential::parse(&serde_json::from_value(object).unwrap()).unwrap()
    }

    fn copy() -> Secret {
        copy_of(
            &source_secret(r#"{"auths":{"ghcr.io":{}}}"#),
            &credential(),
            &ObjectKey::new("team-a", "regcred-ghcr"),
        )
    }

    #[test]
    fn a_copy_knows_its_origin_and_is_owned_by_its_credential() {
        let copy = copy();
        assert!(Origin::of(&copy.metadata).unwrap().is_of(&credential()));
        assert_eq!(copy.metadata.owner_references.unwrap()[0].uid, "1");
        assert_eq!(copy.data.unwrap()[".dockerconfigjson"].0, br#"{"auths":{"ghcr.io":{}}}"#);
    }

    #[rstest]
    #[case::cloned_to_another_namespace(|metadata: &mut ObjectMeta| metadata.namespace = Some("team-b".into()))]
    #[case::renamed(|metadata: &mut ObjectMeta| metadata.name = Some("other".into()))]
    #[case::without_label(|metadata: &mut ObjectMeta| metadata.labels = None)]
    #[case::without_annotation(|metadata: &mut ObjectMeta| metadata.annotations = None)]
    fn a_secret_that_lacks_one_of_the_marks_is_foreign(#[case] change: fn(&mut ObjectMeta)) {
        let mut metadata = copy().metadata;
        change(&mut metadata);
        assert_eq!(Origin::of(&metadata), None);
    }

    #[test]
    fn a_copy_of_a_former_credential_is_not_of_the_present_one() {
        let mut former = credential();
        former.uid = "0".into();
        assert!(!Origin::of(&copy().metadata).unwrap().is_of(&former));
    }
}
