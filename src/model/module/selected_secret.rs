//! What Lifecycle Manager makes of a Secret that a selector selects.

use std::fmt;

use k8s_openapi::api::core::v1::Secret;

use crate::model::ObjectKey;
use crate::model::docker_config::{DockerConfig, DockerConfigError, Entry, Keychain, data_key};
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
    /// Whether it is being deleted.
    pub is_terminating: bool,
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
    /// Nothing, or entries for these registries.
    Keys(Keys),
}

/// The entries of a Secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Keys {
    keyring: Keyring,
    /// Whether there is nothing in each entry.
    are_empty: Vec<bool>,
}

impl Keys {
    /// By registry.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Whether there is nothing in those that are taken for a repository.
    pub fn are_empty_for(&self, repository: &Target) -> bool {
        let mut taken = self.keyring.matching_entries(repository);
        taken.all(|entry| self.are_empty.get(entry).is_none_or(|is_empty| *is_empty))
    }

    /// Whether there is nothing in some entry.
    pub fn has_an_empty_one(&self) -> bool {
        self.are_empty.contains(&true)
    }
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
            is_terminating: metadata.deletion_timestamp.is_some(),
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
            let Some(key) = keys.keyring.matching(repository) else { continue };
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
            // Whoever is told need not be allowed to read the Secret, and its keys may be anything.
            Err(DockerConfigError::Auth { .. }) => {
                Self::Broken("an auth that is no base64 of user:password".to_owned())
            }
            Err(error @ DockerConfigError::Json { .. }) => Self::Broken(error.to_string()),
            Ok(None) => Self::Keys(Keys::default()),
            Ok(Some(config)) => match config.entries.iter().position(|entry| !Keyring::is_key(&entry.key)) {
                Some(number) => Self::Broken(format!("key {} of its auths is no registry", number + 1)),
                None => Self::Keys(Keys {
                    keyring: Keyring::new(config.entries.iter().map(|entry| entry.key.as_str())),
                    are_empty: config.entries.iter().map(Entry::is_empty).collect(),
                }),
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
        assert!(keys.keyring().answers(&Target::new("ghcr.io/org/component-descriptors/m")));
    }

    fn keys(written: &[&str], are_empty: &[bool]) -> Content {
        Content::Keys(Keys { keyring: Keyring::new(written.iter().copied()), are_empty: are_empty.to_vec() })
    }

    #[rstest]
    #[case::nothing("{}", true)]
    #[case::empty_texts(r#"{"username":"","password":"","auth":"","identitytoken":""}"#, true)]
    #[case::what_is_no_credential(r#"{"email":"a@b.c"}"#, true)]
    #[case::a_user(r#"{"username":"robot"}"#, false)]
    #[case::a_password(r#"{"password":"hunter2"}"#, false)]
    #[case::both_encoded(r#"{"auth":"dTpw"}"#, false)]
    #[case::an_identity_token(r#"{"identitytoken":"hunter2"}"#, false)]
    #[case::a_registry_token(r#"{"RegistryToken":"hunter2"}"#, false)]
    fn an_entry_may_be_there_with_nothing_in_it(#[case] entry: &str, #[case] is_empty: bool) {
        let document = format!(r#"{{"auths":{{"https://ghcr.io":{entry},"quay.io":{{"auth":"dTpw"}}}}}}"#);
        let secret = secret("kubernetes.io/dockerconfigjson", ".dockerconfigjson", &document);
        let Content::Keys(keys) = SelectedSecret::from(&secret).content else { panic!("{document}") };
        assert_eq!(keys.are_empty_for(&Target::new("ghcr.io/org/m")), is_empty);
        assert_eq!(keys.has_an_empty_one(), is_empty);
        assert!(!keys.are_empty_for(&Target::new("quay.io/org/m")));
    }

    #[rstest]
    #[case::of_another_type("Opaque", ".dockerconfigjson", "{}", Content::OtherType("Opaque".into()))]
    #[case::without_its_key(
        "kubernetes.io/dockerconfigjson",
        "other",
        "{}",
        keys(&[], &[])
    )]
    #[case::empty(
        "kubernetes.io/dockerconfigjson",
        ".dockerconfigjson",
        "",
        keys(&[], &[])
    )]
    #[case::of_no_registry(
        "kubernetes.io/dockerconfigjson",
        ".dockerconfigjson",
        r#"{"auths":{}}"#,
        keys(&[], &[])
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
        keys(&["a.io"], &[true])
    )]
    #[case::no_user(
        "kubernetes.io/dockerconfigjson", ".dockerconfigjson", r#"{"auths":{"hunter2":{"auth":"hunter2"}}}"#,
        Content::Broken("an auth that is no base64 of user:password".into())
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
