//! What Lifecycle Manager makes of a Secret that a selector selects.

use std::fmt;

use k8s_openapi::api::core::v1::Secret;

use crate::model::ObjectKey;
use crate::model::docker_config::{DockerConfig, Keychain, data_key};
use crate::model::keyring::{Keyring, Target};

/// The label that Secrets have by convention, by which the labels of layers select them.
pub const SECRET_LABEL: &str = "operator.kyma-project.io/oci-registry-cred";
/// The label that Lifecycle Manager wanted on every Secret until December 2023, and that its users still set.
const MANAGED_BY: &str = "operator.kyma-project.io/managed-by";
/// Its value.
const LIFECYCLE_MANAGER: &str = "lifecycle-manager";

/// A Secret, as far as it matters whether a module's layers can be pulled with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedSecret {
    /// Where it is.
    pub key: ObjectKey,
    /// Whether it is labelled as Lifecycle Manager's.
    pub is_managed: bool,
    /// What is in it.
    pub content: Content,
}

/// What is in a Secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// Of a type that is passed over, so that layers are pulled without any credentials.
    OtherType(String),
    /// What makes every pull fail, and why.
    Broken(String),
    /// Nothing, or credentials for these registries.
    Keys(Keyring),
}

/// Keys may hold what somebody took for a password's place.
impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherType(secret_type) => formatter.debug_tuple("OtherType").field(secret_type).finish(),
            Self::Broken(reason) => formatter.debug_tuple("Broken").field(reason).finish(),
            Self::Keys(_) => formatter.debug_tuple("Keys").finish_non_exhaustive(),
        }
    }
}

impl From<&Secret> for SelectedSecret {
    fn from(secret: &Secret) -> Self {
        let metadata = &secret.metadata;
        let labels = metadata.labels.as_ref();
        Self {
            key: ObjectKey::new(
                metadata.namespace.as_deref().unwrap_or_default(),
                metadata.name.as_deref().unwrap_or_default(),
            ),
            is_managed: labels
                .and_then(|labels| labels.get(MANAGED_BY))
                .is_some_and(|value| value == LIFECYCLE_MANAGER),
            content: Content::of(secret),
        }
    }
}

impl SelectedSecret {
    /// The Secrets of which one is used for a repository: those with the key that go-containerregistry takes, which of the keys
    /// of all Secrets together is the first that matches; their order is that of the bytes, from behind
    /// (`pkg/authn/kubernetes/keychain.go`). None when it is pulled from without credentials.
    pub fn covering<'a>(secrets: impl Iterator<Item = &'a Self>, repository: &Target) -> Vec<&'a Self> {
        let mut best: Option<&[u8]> = None;
        let mut covering = Vec::new();
        for secret in secrets {
            let Content::Keys(keys) = &secret.content else { continue };
            let Some(key) = keys.matching(repository) else { continue };
            if best.is_none_or(|best| best < key) {
                (best, covering) = (Some(key), Vec::new());
            }
            if best == Some(key) {
                covering.push(secret);
            }
        }
        covering
    }
}

impl Content {
    fn of(secret: &Secret) -> Self {
        // As the API server completes one that names none.
        let secret_type = secret.type_.as_deref().filter(|name| !name.is_empty()).unwrap_or("Opaque");
        if data_key(secret_type).is_none() {
            return Self::OtherType(secret_type.to_owned());
        }
        let data = |key: &str| secret.data.as_ref()?.get(key).map(|value| value.0.as_slice());
        match DockerConfig::from_secret_as::<Keychain>(secret_type, data) {
            Err(error) => Self::Broken(error.to_string()),
            Ok(None) => Self::Keys(Keyring::default()),
            Ok(Some(config)) => match config.entries.iter().position(|entry| !Keyring::is_key(&entry.key)) {
                Some(number) => Self::Broken(format!("key {} of its auths is no registry", number + 1)),
                None => Self::Keys(Keyring::new(config.entries.iter().map(|entry| entry.key.as_str()))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn secret(secret_type: &str, data_key: &str, document: &str) -> Secret {
        let secret: Value = json!({
            "metadata": {"namespace": "kcp-system", "name": "modules", "labels": {MANAGED_BY: LIFECYCLE_MANAGER}},
            "type": secret_type,
        });
        let mut secret: Secret = serde_json::from_value(secret).unwrap();
        let value = k8s_openapi::ByteString(document.as_bytes().to_vec());
        secret.data = Some([(data_key.to_owned(), value)].into());
        secret
    }

    #[rstest]
    #[case("kubernetes.io/dockerconfigjson", ".dockerconfigjson", r#"{"auths":{"ghcr.io":{}}}"#)]
    #[case("kubernetes.io/dockercfg", ".dockercfg", r#"{"ghcr.io":{}}"#)]
    fn a_secret_of_either_type_holds_its_registries(
        #[case] secret_type: &str,
        #[case] data_key: &str,
        #[case] document: &str,
    ) {
        let selected = SelectedSecret::from(&secret(secret_type, data_key, document));
        assert!(selected.is_managed);
        let Content::Keys(keys) = selected.content else { panic!() };
        assert!(keys.answers(&Target::new("ghcr.io/org/component-descriptors/m")));
    }

    #[rstest]
    #[case::of_another_type("Opaque", ".dockerconfigjson", "{}", Content::OtherType("Opaque".into()))]
    #[case::without_its_key(
        "kubernetes.io/dockerconfigjson",
        "other",
        "{}",
        Content::Keys(Keyring::default())
    )]
    #[case::empty(
        "kubernetes.io/dockerconfigjson",
        ".dockerconfigjson",
        "",
        Content::Keys(Keyring::default())
    )]
    #[case::of_no_registry(
        "kubernetes.io/dockerconfigjson",
        ".dockerconfigjson",
        r#"{"auths":{}}"#,
        Content::Keys(Keyring::default())
    )]
    #[case::no_json(
        "kubernetes.io/dockerconfigjson", ".dockerconfigjson", "not json",
        Content::Broken("a syntax error at line 1, column 2 of its JSON".into())
    )]
    #[case::a_token_that_is_no_text(
        "kubernetes.io/dockerconfigjson", ".dockerconfigjson", r#"{"auths":{"a.io":{"identitytoken":1}}}"#,
        Content::Broken("a value of the wrong type at line 1, column 35 of its JSON".into())
    )]
    #[case::what_it_does_not_read(
        "kubernetes.io/dockerconfigjson", ".dockerconfigjson", r#"{"auths":{"a.io":{"email":1}},"HttpHeaders":1}"#,
        Content::Keys(Keyring::new(["a.io"]))
    )]
    #[case::no_url(
        "kubernetes.io/dockerconfigjson", ".dockerconfigjson", r#"{"auths":{"a.io":{},"gh cr.io:x":{}}}"#,
        Content::Broken("key 2 of its auths is no registry".into())
    )]
    fn any_other_is_of_no_use(
        #[case] secret_type: &str,
        #[case] data_key: &str,
        #[case] document: &str,
        #[case] expected: Content,
    ) {
        assert_eq!(SelectedSecret::from(&secret(secret_type, data_key, document)).content, expected);
    }
}
